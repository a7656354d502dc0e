"""A PostgreSQL server, spoken to from the event loop itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from triage.storage.transaction import TRANSACTION_TIMEOUT_S, kept, seen

T = TypeVar("T")


class PostgresServer:
    """The database at ``url``."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._engine: AsyncEngine | None = None
        self._turn = asyncio.Lock()

    async def read(self, work: Callable[[Connection], T], *, snapshot: bool) -> T:
        """Do ``work`` in one transaction; with ``snapshot`` all its statements see one moment of the database."""
        options = {"isolation_level": "REPEATABLE READ"} if snapshot else {}
        async with self._connected().execution_options(**options).connect() as connection:
            return await connection.run_sync(seen, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in the one write transaction at a time.

        Raises:
            TimeoutError: the server does not answer; nobody knows whether it was kept.
        """
        async with self._turn, asyncio.timeout(TRANSACTION_TIMEOUT_S), self._connected().connect() as connection:
            return await connection.run_sync(kept, work)

    async def close(self) -> None:
        """Close every connection."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    def _connected(self) -> AsyncEngine:
        if self._engine is None:
            self._engine = _engine(self._url)
        return self._engine


def _engine(url: URL) -> AsyncEngine:
    options = "-c synchronous_commit=on -c lock_timeout=10s -c statement_timeout=60s"
    keepalive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
    arguments: dict[str, Any] = {"connect_timeout": 5, "options": options, **keepalive}
    # Messages of errors must not carry what people wrote.
    return create_async_engine(url, connect_args=arguments, hide_parameters=True, pool_size=4)
