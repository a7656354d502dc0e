"""Runs the revisions on the connection that the caller hands over; its transaction is the caller's."""

from alembic import context

from triage.storage.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
)
context.run_migrations()
