"""Every fault of a database told as one of our two errors: try again, or never as it is."""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from triage.errors import StoreError, StoreRefusedError, TriageError

_SQLITE_REFUSED = frozenset({"SQLITE_ERROR", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH"})
# Classes of SQLSTATE that pass: connection, transaction state (such as a read-only standby), rollback, resources,
# not in the right state, operator intervention, system.
_POSTGRES_PASSING = ("08", "25", "40", "53", "55", "57", "58")


class faults:  # noqa: N801  reads as a statement
    """A block in which every fault of the database becomes :class:`StoreError` or :class:`StoreRefusedError`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Translate ``error``."""
        told = None if error is None else _fault(error)
        if told is None:
            return
        kind, text = told
        # The cause stays behind: it may carry the row, and with it what people wrote.
        raise kind(f"{self._name}: {text}") from None


def _fault(error: BaseException) -> tuple[type[TriageError], str] | None:
    cause: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _sqlite_fault(cause)
    # Loaded only with a PostgreSQL database: it costs a daemon on SQLite a part of its start.
    psycopg = sys.modules.get("psycopg")
    if psycopg is not None and isinstance(cause, psycopg.Error):
        return _postgres_fault(cause, passing=isinstance(cause, (psycopg.OperationalError, psycopg.InterfaceError)))
    if isinstance(cause, TimeoutError):
        return StoreError, "no answer in time; whether this was kept will be seen at the next try"
    if isinstance(cause, (OSError, SQLAlchemyError)):
        return StoreError, f"{type(cause).__name__}: {_first_line(cause)}"
    return None


def _sqlite_fault(error: sqlite3.Error) -> tuple[type[TriageError], str]:
    name = getattr(error, "sqlite_errorname", "")
    text = _first_line(error)
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StoreRefusedError, f"{text}; restore the file from a backup"
    if any(name.startswith(refused) for refused in _SQLITE_REFUSED):
        return StoreRefusedError, text
    return StoreError, text


def _postgres_fault(error: Any, *, passing: bool) -> tuple[type[TriageError], str]:
    state = error.sqlstate or ""
    passing = passing or state.startswith(_POSTGRES_PASSING)
    return (StoreError if passing else StoreRefusedError), f"{_first_line(error)} [{state or type(error).__name__}]"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
