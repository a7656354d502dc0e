"""The daemon's HTTP side as a client: posts with an idempotency key until they are answered, and lists."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

TRY_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
"""Answers of the 400s that ask for patience; every other one is final."""
LONGEST_PAUSE_S = 5.0
MOST_PAGES = 20


class Api:
    """A client of ``/api/v1``. Close it with :meth:`close`."""

    def __init__(self, url: str, token: str | None) -> None:
        """``url`` is the daemon's address, without ``/api/v1``."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(base_url=url.rstrip("/") + "/api/v1", headers=headers, timeout=10.0)
        self.retries = 0
        self.lists_failed = 0

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def post(self, path: str, body: Mapping[str, Any], key: str) -> httpx.Response:
        """Post until there is a final answer: 2xx, or an error that trying again cannot mend."""
        pause_s = 0.2
        while True:
            try:
                answer = await self._client.post(path, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                pass
            else:
                if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status_code not in TRY_AGAIN:
                    return answer
            self.retries += 1
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2.0, LONGEST_PAUSE_S)

    async def items(self, path: str, **filters: str) -> list[dict[str, Any]]:
        """All pages of a list, as far as they can be had now: an unreachable daemon gives none."""
        found: list[dict[str, Any]] = []
        query = {"limit": "200"} | filters
        for _ in range(MOST_PAGES):
            try:
                answer = await self._client.get(path, params=query)
            except httpx.TransportError:
                self.lists_failed += 1
                return found
            if answer.status_code != HTTPStatus.OK:
                self.lists_failed += 1
                return found
            page = answer.json()
            found += page["items"]
            if not page.get("next"):
                return found
            query["cursor"] = str(page["next"])
        return found
