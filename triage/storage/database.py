"""A database by its URL: one writer, several readers, work that no cancelled caller breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from triage.errors import StoreRefusedError
from triage.storage.faults import faults
from triage.storage.sqlite import SqliteFile

T = TypeVar("T")


class Place(Protocol):
    """Where the rows are, with the ways to get there."""

    async def read(self, work: Callable[[Connection], T], *, snapshot: bool) -> T:
        """Do ``work`` in a transaction of which nothing is kept."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in the one write transaction at a time."""

    async def close(self) -> None:
        """Close every connection; the next use opens new ones."""


class Database:
    """One database (``sqlite:///FILE`` or ``postgresql://…``).

    Work is a plain function of a synchronous connection; on SQLite it runs in another thread, and must touch nothing
    that the event loop changes meanwhile.
    """

    def __init__(self, url: str) -> None:
        self.url = _driver_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        shown = self.url.set(drivername=self.url.get_backend_name(), query={})
        self._name = shown.render_as_string(hide_password=True)
        self._place: Place = SqliteFile(self.url) if self.sqlite else _server(self.url)
        self._under_way: set[asyncio.Task[Any]] = set()

    async def read(self, work: Callable[[Connection], T], *, snapshot: bool = False) -> T:
        """Do ``work`` on a connection for reading; with ``snapshot`` all its statements see one moment of the database.

        Raises:
            StoreError: the database cannot be reached now.
            StoreRefusedError: it is not one we can read.
        """
        return await self._unbroken(self._place.read(work, snapshot=snapshot))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in the one write transaction at a time: kept at its end, undone by any error.

        A caller that is cancelled does not stop it; whether it was kept is then unknown to the caller.

        Raises:
            StoreError: nothing was kept, or it is not known whether it was (the connection was lost at the commit).
            StoreRefusedError: the database does not take these rows as it is.
        """
        return await self._unbroken(self._place.write(work))

    async def close(self) -> None:
        """Wait for what is under way, then close every connection; the next use opens new ones."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._place.close()

    async def _unbroken(self, work: Coroutine[Any, Any, T]) -> T:
        # A statement broken off half-way leaves a connection nobody knows the state of.
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        with faults(self._name):
            return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # a caller that was cancelled does not ask for it any more


def _server(url: URL) -> Place:
    # It brings SQLAlchemy's ORM along: a good part of a daemon's start, and none on SQLite needs it.
    from triage.storage.postgres import PostgresServer  # noqa: PLC0415

    return PostgresServer(url)


def _driver_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreRefusedError("the database URL cannot be read; write sqlite:///FILE or postgresql://…") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return parsed.set(drivername="sqlite")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreRefusedError(f"no database of kind {backend!r} is kept here; write sqlite:///FILE or postgresql://…")
