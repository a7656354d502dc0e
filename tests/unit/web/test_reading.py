"""The database that fails, or hangs, while somebody reads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import pytest

from tests.unit.web.stand import standing
from triage.core.effects import JournalEntry
from triage.errors import StoreError
from triage.interfaces import Page

PATHS = ["complaints", "complaints/C-1", "incidents", "incidents/I-1", "work-orders", "silences", "quarantine", "board"]


class SickStore:
    """Fails, or answers never."""

    def __init__(self, *, hangs: bool) -> None:
        self._hangs = hangs

    async def fetch(self, kind: str, id: str) -> dict[str, Any] | None:
        return await self._fail()

    async def page(self, kind: str, filters: Mapping[str, str], cursor: str | None, limit: int) -> Page:
        return await self._fail()

    async def timeline(self, subject: str, limit: int = 500) -> Sequence[JournalEntry]:
        return await self._fail()

    async def _fail(self) -> NoReturn:
        if self._hangs:
            await asyncio.Event().wait()
        raise StoreError("no such table at /var/lib")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("hangs", [True, False])
async def test_reading_is_503_while_the_database_is_away(path: str, hangs: bool) -> None:
    async with standing(queries=SickStore(hangs=hangs), read_timeout_s=0.01) as stand:
        answer = await stand.http.get(f"/api/v1/{path}")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
        assert "/var/lib" not in answer.text
        assert (await stand.http.get("/readyz")).status_code == 200
