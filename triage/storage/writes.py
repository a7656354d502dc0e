"""The writing statements: the ledger row, the upserts of a batch, and the rows set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Dialect, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from triage.core.effects import JournalEntry
from triage.errors import StoreRefusedError
from triage.storage.chain import Head, link
from triage.storage.lease import Lease
from triage.storage.rows import Prepared, Row, journal_row, subjects
from triage.storage.tables import (
    ANSWER,
    ENTITIES,
    JOURNAL,
    JOURNAL_SUBJECT,
    LEDGER,
    MOMENT,
    QUARANTINE,
    ROW_QUARANTINE,
    SETTING,
)
from triage.storage.thaw import Aside

_LEDGER = select(LEDGER).where(LEDGER.c.id == 1)
_LEDGER_LOCKED = _LEDGER.with_for_update()
_LEASED = (
    update(LEDGER)
    .where(LEDGER.c.id == 1)
    .values({name: bindparam(name) for name in ("owner", "epoch", "renewed_us", "ttl_us")})
)
_BATCH_NOTED = (
    update(LEDGER)
    .where(LEDGER.c.id == 1)
    .values(batch=bindparam("batch"), head_seq=bindparam("head_seq"), head_hash=bindparam("head_hash"))
)


class LedgerRow(Struct, frozen=True):
    """The ledger's one row: who may write, the last batch, the journal's head."""

    lease: Lease
    batch: str
    head: Head


def read_ledger(connection: Connection, *, lock: bool = True) -> LedgerRow:
    """The ledger's row; with ``lock`` nobody else changes it until the transaction ends.

    Raises:
        StoreRefusedError: it is missing.
    """
    row = connection.execute(_LEDGER_LOCKED if lock else _LEDGER).one_or_none()
    if row is None:
        raise StoreRefusedError("the ledger's row is missing: the database is incomplete; restore it from a backup")
    lease = Lease(owner=row.owner, epoch=row.epoch, renewed_us=row.renewed_us, ttl_us=row.ttl_us)
    return LedgerRow(lease, row.batch, Head(row.head_seq, row.head_hash))


def write_lease(connection: Connection, lease: Lease) -> None:
    """Put ``lease`` into the ledger."""
    values = {"owner": lease.owner, "epoch": lease.epoch, "renewed_us": lease.renewed_us, "ttl_us": lease.ttl_us}
    connection.execute(_LEASED, values)


def write_batch(connection: Connection, prepared: Prepared, token: str, head: Head) -> Head:
    """Write a whole batch after the journal's ``head``, and note it in the ledger; the new head."""
    for kind, rows in prepared.entities.items():
        _upsert(connection, ENTITIES[kind], rows)
    _upsert(connection, SETTING, prepared.settings)
    _keep_first(connection, ANSWER, prepared.answers)
    _append(connection, MOMENT, prepared.moments)
    _append(connection, QUARANTINE, prepared.quarantine)
    head = _extend(connection, prepared.journal, head)
    values = {"batch": token, "head_seq": head.seq, "head_hash": head.hash}
    connection.execute(_BATCH_NOTED, values)
    return head


def set_aside(connection: Connection, asides: Sequence[Aside], seen_us: int) -> None:
    """Keep copies of rows that could not be read; a copy already kept stays as it was."""
    rows = [
        {
            "kind": aside.kind,
            "id": aside.id,
            "digest": aside.digest,
            "reason": aside.reason,
            "doc": aside.doc.encode(errors="backslashreplace").decode(),
            "seen_us": seen_us,
        }
        for aside in asides
    ]
    _keep_first(connection, ROW_QUARANTINE, rows)


def _extend(connection: Connection, entries: Sequence[JournalEntry], head: Head) -> Head:
    records, names = [], []
    for entry in entries:
        own = link(head.hash, entry)
        records.append(journal_row(head.seq + 1, entry, head.hash, own))
        head = Head(head.seq + 1, own)
        names += [{"subject": subject, "seq": head.seq} for subject in subjects(entry)]
    _append(connection, JOURNAL, records)
    _append(connection, JOURNAL_SUBJECT, names)
    return head


def _append(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    _run(connection, _plain_insert, table, rows)


def _keep_first(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    _run(connection, _keeping_insert, table, rows)


def _upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    _run(connection, _replacing_insert, table, rows)


def _run(connection: Connection, insert: Callable[[str, Table], Any], table: Table, rows: Sequence[Row]) -> None:
    # Rows are text and numbers, as the driver takes them: the way through the statement's own objects, row by row,
    # would cost more than the database does.
    if rows:
        sql = _sql(connection.dialect, insert, table, tuple(rows[0]))
        connection.exec_driver_sql(sql, list(rows) if len(rows) > 1 else rows[0])


@lru_cache(maxsize=200)
def _sql(dialect: Dialect, insert: Callable[[str, Table], Any], table: Table, columns: tuple[str, ...]) -> str:
    return str(insert(dialect.name, table).compile(dialect=dialect, column_keys=columns))


def _plain_insert(_dialect: str, table: Table) -> Any:
    return table.insert()


def _keeping_insert(dialect: str, table: Table) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing()


def _replacing_insert(dialect: str, table: Table) -> Any:
    statement = _insert(dialect, table)
    keys = [column.name for column in table.primary_key]
    fresh = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=fresh)


def _insert(dialect: str, table: Table) -> Any:
    # Both dialects have the same methods, but no common type.
    return (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
