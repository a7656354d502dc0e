"""The connection to a database: one writer, several readers, and every fault told as one of our two errors."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from triage.errors import StoreError, StoreRefusedError, TriageError

T = TypeVar("T")

BUSY_TIMEOUT_S = 5
"""How long SQLite waits for another process's transaction."""

TRANSACTION_TIMEOUT_S = 30
"""The longest a commit may take; a link gone dead is noticed no later."""

_SQLITE_REFUSED = frozenset({"SQLITE_ERROR", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH"})
# Classes of SQLSTATE that pass: connection, transaction state (such as a read-only standby), rollback, resources,
# not in the right state, operator intervention, system.
_POSTGRES_PASSING = ("08", "25", "40", "53", "55", "57", "58")


class Database:
    """Engines over one database URL (``sqlite:///FILE`` or ``postgresql://…``)."""

    def __init__(self, url: str) -> None:
        self.url = _driver_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._engine: AsyncEngine | None = None
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]], *, snapshot: bool = False) -> T:
        """Do ``work`` on a connection for reading; with ``snapshot`` all its statements see one moment of the database.

        Raises:
            StoreError: the database cannot be reached now.
            StoreRefusedError: it is not one we can read.
        """
        return await self._unbroken(self._reading(work, snapshot=snapshot))

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do ``work`` in the one write transaction at a time: kept at its end, undone by any error.

        A caller that is cancelled does not stop it; whether it was kept is then unknown to the caller.

        Raises:
            StoreError: nothing was kept, or it is not known whether it was (the connection was lost at the commit).
            StoreRefusedError: the database does not take these rows as it is.
        """
        return await self._unbroken(self._writing(work))

    async def _unbroken(self, work: Coroutine[Any, Any, T]) -> T:
        # A statement broken off half-way leaves SQLite's driver with a closed connection that still holds its lock.
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # a caller that was cancelled does not ask for it any more

    async def _reading(self, work: Callable[[AsyncConnection], Awaitable[T]], *, snapshot: bool) -> T:
        options = {"isolation_level": "REPEATABLE READ"} if snapshot and not self.sqlite else {}
        with faults(self._name):
            async with self._connected().execution_options(**options).connect() as connection:
                return await work(connection)

    async def _writing(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        engine = self._connected().execution_options(writing=True)
        async with self._turn:
            with faults(self._name):
                async with asyncio.timeout(TRANSACTION_TIMEOUT_S), engine.connect() as connection:
                    return await _transaction(connection, work)

    async def close(self) -> None:
        """Wait for what is under way, then close every connection; the next use opens new ones."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    @property
    def _name(self) -> str:
        return self.url.set(drivername=self.url.get_backend_name(), query={}).render_as_string(hide_password=True)

    def _connected(self) -> AsyncEngine:
        if self._engine is None:
            self._engine = _sqlite_engine(self.url) if self.sqlite else _postgres_engine(self.url)
        return self._engine


async def _transaction(connection: AsyncConnection, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    try:
        await connection.begin()
        done = await work(connection)
        await connection.commit()
    except TriageError:
        raise
    except BaseException:
        # Whatever state it is in, the next try begins on a fresh connection.
        await connection.invalidate()
        raise
    return done


def _driver_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreRefusedError("the database URL cannot be read; write sqlite:///FILE or postgresql://…") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return parsed.set(drivername="sqlite+aiosqlite")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreRefusedError(f"no database of kind {backend!r} is kept here; write sqlite:///FILE or postgresql://…")


def _postgres_engine(url: URL) -> AsyncEngine:
    options = "-c synchronous_commit=on -c lock_timeout=10s -c statement_timeout=60s"
    keepalive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
    arguments: dict[str, Any] = {"connect_timeout": 5, "options": options, **keepalive}
    # Messages of errors must not carry what people wrote.
    return create_async_engine(url, connect_args=arguments, hide_parameters=True, pool_size=4)


def _sqlite_engine(url: URL) -> AsyncEngine:
    arguments: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S}
    engine = create_async_engine(url, connect_args=arguments, hide_parameters=True, pool_size=4)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Python's own transaction handling begins late and never IMMEDIATE; the begin event below does it instead.
    connection.isolation_level = None
    # Broken UTF-8 in one document must not keep the others from being read: it comes back as lone surrogates.
    connection.driver_connection.text_factory = _text
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _text(raw: bytes) -> str:
    return str(raw, "utf-8", "surrogateescape")


def _begin_sqlite(connection: Connection) -> None:
    # A write lock taken at once can be waited for; one asked for in the middle of a transaction is refused.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


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
    if isinstance(cause, (OSError, TimeoutError, SQLAlchemyError)):
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
