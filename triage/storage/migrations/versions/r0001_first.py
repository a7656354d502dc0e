"""The first schema."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Types stand here in full: a revision says what it did then, whatever the tables become later.
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _required(type_: sa.types.TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, type_, nullable=False) for name in names]


def _entity(table: str, index: str, filters: Sequence[str], indexed: Sequence[str]) -> None:
    op.create_table(
        table,
        sa.Column("id", KEY, primary_key=True),
        *_required(sa.BigInteger(), "at_us", "live_us"),
        *[sa.Column(name, KEY) for name in filters],
        *_required(sa.Text(), "doc"),
    )
    op.create_index(f"{index}_live", table, ["live_us"])
    for name in indexed:
        op.create_index(f"{index}_{name}", table, ["at_us", "id"] if name == "at" else [name, "at_us", "id"])


def _entities() -> None:
    op.create_table(
        "piles",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("site", KEY),
        sa.Column("region", KEY),
        *_required(sa.Text(), "doc"),
    )
    incident = ["state", "pile", "site", "region", "family", "kind", "close_code", "connector"]
    _entity("incidents", "incident", incident, ["at", "pile", "state"])
    complaint = ["state", "category", "symptom", "pile", "site", "channel", "route", "grade", "incident"]
    _entity("complaints", "complaint", complaint, ["at", "pile", "state", "incident"])
    order = ["state", "pile", "site", "region", "reason", "team", "incident"]
    _entity("orders", "order", order, ["at", "pile", "state", "incident"])
    _entity("silences", "silence", ["pile", "site", "region"], ["at"])
    _entity("outbox", "outbox", ["state"], [])


def _records() -> None:
    op.create_table(
        "moment",
        sa.Column("seq", SERIAL, primary_key=True),
        *_required(KEY, "pile"),
        *_required(sa.BigInteger(), "at_us", "connector"),
        *[sa.Column(name, sa.Text()) for name in ("link", "status", "faults", "session")],
        *_required(sa.Text(), "cause"),
    )
    op.create_index("moment_pile", "moment", ["pile", "at_us", "connector"])
    op.create_index("moment_at", "moment", ["at_us", "seq"])
    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        *_required(sa.BigInteger(), "at_us"),
        *_required(KEY, "subject"),
        *_required(sa.Text(), "also", "kind", "actor", "text", "data"),
        *_required(sa.String(64), "prev_hash", "hash"),
    )
    op.create_table(
        "journal_subject",
        sa.Column("subject", KEY, primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", SERIAL, primary_key=True),
        *_required(sa.BigInteger(), "at_us"),
        *[sa.Column(name, KEY) for name in ("driver", "reason", "pile")],
        *_required(sa.Text(), "doc"),
    )
    op.create_index("quarantine_at", "quarantine", ["at_us", "id"])


def _keepings() -> None:
    op.create_table("setting", sa.Column("key", KEY, primary_key=True), *_required(sa.Text(), "value"))
    op.create_table(
        "answer",
        sa.Column("scope", KEY, primary_key=True),
        sa.Column("key", KEY, primary_key=True),
        *_required(sa.Text(), "digest"),
        *_required(sa.BigInteger(), "at_us"),
        *_required(sa.Text(), "doc"),
    )
    op.create_index("answer_at", "answer", ["at_us"])
    op.create_table(
        "row_quarantine",
        sa.Column("kind", KEY, primary_key=True),
        sa.Column("id", KEY, primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        *_required(sa.Text(), "reason", "doc"),
        *_required(sa.BigInteger(), "seen_us"),
    )


def _ledger() -> None:
    ledger = op.create_table(
        "ledger",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("owner", sa.Text()),
        *_required(sa.BigInteger(), "epoch", "renewed_us", "ttl_us"),
        *_required(sa.Text(), "batch"),
        *_required(sa.BigInteger(), "head_seq"),
        *_required(sa.String(64), "head_hash"),
    )
    nobody = {"id": 1, "epoch": 0, "renewed_us": 0, "ttl_us": 0, "batch": "", "head_seq": 0, "head_hash": "0" * 64}
    op.bulk_insert(ledger, [nobody])


def upgrade() -> None:
    _entities()
    _records()
    _keepings()
    _ledger()
