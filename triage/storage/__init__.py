"""Where decisions become durable: memory, SQLite and PostgreSQL under one contract."""
