"""The tables. The migrations must build exactly these; a test compares both on both databases.

Times are microseconds since 1970 in ``…_us`` columns: exact and ordered alike on every database. Text that is compared
or ordered uses byte order everywhere, so that a page's cursor means the same on SQLite and PostgreSQL.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, SmallInteger, String, Table, Text

from triage.storage.rows import COMPLAINT, INCIDENT, KINDS, ORDER, QUARANTINE_FILTERS, Kind

METADATA = MetaData()
KEY = String().with_variant(String(collation="C"), "postgresql")
SERIAL = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows by itself in INTEGER alone


def _entity(kind: Kind, *indexes: Index) -> Table:
    moments: list[Column[int]] = []
    if kind.at is not None:
        moments.append(Column("at_us", BigInteger, nullable=False))
    if kind.listed:
        indexes = (*indexes, Index(f"{kind.name}_at", "at_us", "id"))
    if kind.live is not None:
        moments.append(Column("live_us", BigInteger, nullable=False))
        indexes = (*indexes, Index(f"{kind.name}_live", "live_us"))
    filters = [Column(name, KEY) for name in kind.filters]
    # "order" is a word of SQL's own: every table of entities is named in the plural.
    return Table(
        kind.batch,
        METADATA,
        Column("id", KEY, primary_key=True),
        *moments,
        *filters,
        Column("doc", Text, nullable=False),
        *indexes,
    )


def _by(name: str, *fields: str) -> list[Index]:
    return [Index(f"{name}_{field}", field, "at_us", "id") for field in fields]


_INDEXES = {
    INCIDENT.name: _by("incident", "pile", "state"),
    COMPLAINT.name: _by("complaint", "pile", "state", "incident"),
    ORDER.name: _by("order", "pile", "state", "incident"),
}

ENTITIES: dict[str, Table] = {kind.name: _entity(kind, *_INDEXES.get(kind.name, [])) for kind in KINDS}

SETTING = Table("setting", METADATA, Column("key", KEY, primary_key=True), Column("value", Text, nullable=False))

MOMENT = Table(
    "moment",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    Column("pile", KEY, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("connector", BigInteger, nullable=False),  # a device may claim any number
    Column("link", Text),
    Column("status", Text),
    Column("faults", Text),
    Column("session", Text),
    Column("cause", Text, nullable=False),
    Index("moment_pile", "pile", "at_us", "connector"),
    Index("moment_at", "at_us", "seq"),
)

JOURNAL = Table(
    "journal",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("subject", KEY, nullable=False),
    Column("also", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

JOURNAL_SUBJECT = Table(
    "journal_subject",
    METADATA,
    Column("subject", KEY, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
)

QUARANTINE = Table(
    "quarantine",
    METADATA,
    Column("id", SERIAL, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    *[Column(name, KEY) for name in QUARANTINE_FILTERS],
    Column("doc", Text, nullable=False),
    Index("quarantine_at", "at_us", "id"),
)

ANSWER = Table(
    "answer",
    METADATA,
    Column("scope", KEY, primary_key=True),
    Column("key", KEY, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("doc", Text, nullable=False),
    Index("answer_at", "at_us"),
)

ROW_QUARANTINE = Table(
    "row_quarantine",
    METADATA,
    Column("kind", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("doc", Text, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
)

LEDGER = Table(
    "ledger",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("owner", Text),
    Column("epoch", BigInteger, nullable=False),
    Column("renewed_us", BigInteger, nullable=False),
    Column("ttl_us", BigInteger, nullable=False),
    Column("batch", Text, nullable=False),
    Column("head_seq", BigInteger, nullable=False),
    Column("head_hash", String(64), nullable=False),
)
"""One row: who may write (the lease), which batch was the last, and the journal's head. Every commit reads and updates
it in its own transaction, so a lost lease, a batch committed twice and a forked chain are all found there."""
