"""Outages get a table of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "outages",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("live_us", sa.BigInteger(), nullable=False),
        *[sa.Column(name, KEY) for name in ("state", "cause", "site")],
        sa.Column("doc", sa.Text(), nullable=False),
    )
    op.create_index("outage_live", "outages", ["live_us"])
    op.create_index("outage_at", "outages", ["at_us", "id"])
    for name in ("state", "site"):
        op.create_index(f"outage_{name}", "outages", [name, "at_us", "id"])
