"""A SQLite file: one thread writes, a few others read, and a whole transaction is one errand to its thread.

Each hop between the event loop and a thread costs more than most statements do, so no statement makes one of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, create_engine, event

from triage.storage.transaction import TRANSACTION_TIMEOUT_S, kept, seen

T = TypeVar("T")

BUSY_TIMEOUT_S = 5
"""How long SQLite waits for another process's transaction."""

READERS = 2
"""Reads at a time; more would only take turns on the interpreter."""


class SqliteFile:
    """The file at ``url``."""

    def __init__(self, url: URL) -> None:
        # A write lock taken at once can be waited for; one asked for in the middle of a transaction is refused.
        self._writer = _Crew(url, "BEGIN IMMEDIATE", 1)
        self._readers = _Crew(url, "BEGIN", READERS)

    async def read(self, work: Callable[[Connection], T], *, snapshot: bool) -> T:
        """Do ``work`` in one transaction, which is a snapshot by itself."""
        del snapshot
        return await self._readers.run(seen, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a write transaction; the single thread is the queue.

        Raises:
            TimeoutError: the disk hangs; nobody knows whether it will have been kept.
        """
        async with asyncio.timeout(TRANSACTION_TIMEOUT_S):
            return await self._writer.run(kept, work)

    async def close(self) -> None:
        """Close every connection and end the threads."""
        await self._writer.dismiss()
        await self._readers.dismiss()


class _Crew:
    """Threads with a connection each."""

    def __init__(self, url: URL, begin: str, size: int) -> None:
        self._engine = create_engine(
            url,
            connect_args={"timeout": BUSY_TIMEOUT_S},
            hide_parameters=True,
            # Rows reach the driver as they are, by name.
            paramstyle="named",
            pool_size=size,
            max_overflow=0,
        )
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        self._size = size
        self._threads: ThreadPoolExecutor | None = None

    async def run(
        self, way: Callable[[Connection, Callable[[Connection], T]], T], work: Callable[[Connection], T]
    ) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._size, thread_name_prefix="sqlite")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._errand, way, work)

    def _errand(self, way: Callable[[Connection, Callable[[Connection], T]], T], work: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            return way(connection, work)

    async def dismiss(self) -> None:
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.get_running_loop().run_in_executor(threads, self._engine.dispose)
            threads.shutdown(wait=False)


def _prepare(connection: Any, _record: Any) -> None:
    # Python's own transaction handling begins late and never IMMEDIATE; the begin event does it instead.
    connection.isolation_level = None
    # Broken UTF-8 in one document must not keep the others from being read: it comes back as lone surrogates.
    connection.text_factory = _text
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _text(raw: bytes) -> str:
    return str(raw, "utf-8", "surrogateescape")
