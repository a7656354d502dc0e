"""Reading from storage with patience that ends: a database that hangs must not gather waiting requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

from triage.core.effects import JournalEntry
from triage.errors import StoreError
from triage.interfaces import Page, Queries

T = TypeVar("T")


class PatientQueries:
    """Queries that raise :class:`StoreError` when no answer comes within ``read_s``."""

    def __init__(self, queries: Queries, read_s: float) -> None:
        self._queries = queries
        self._read_s = read_s

    async def fetch(self, kind: str, id: str) -> dict[str, Any] | None:
        """See :class:`~triage.interfaces.Queries`."""
        return await self._within(self._queries.fetch(kind, id))

    async def page(self, kind: str, filters: Mapping[str, str], cursor: str | None, limit: int) -> Page:
        """See :class:`~triage.interfaces.Queries`."""
        return await self._within(self._queries.page(kind, filters, cursor, limit))

    async def timeline(self, subject: str, limit: int = 500) -> Sequence[JournalEntry]:
        """See :class:`~triage.interfaces.Queries`."""
        return await self._within(self._queries.timeline(subject, limit))

    async def _within(self, reading: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._read_s):
                return await reading
        except TimeoutError:
            raise StoreError("the database does not answer") from None
