"""The API as another system uses it: calls, and waiting for what the API shows."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

PATIENCE_S = 30.0
LOOK_S = 0.05

Shown = dict[str, Any]


class Api:
    """One client of ``/api/v1``. Use it as ``async with``."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers, timeout=10, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def post(self, path: str, body: Shown, key: str | None = None) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"Idempotency-Key": key or uuid.uuid4().hex})

    async def put(self, path: str, body: Shown) -> httpx.Response:
        return await self.http.put(path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})

    async def get(self, path: str, **filters: str) -> Shown:
        answer = await self.http.get(path, params=filters)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        shown: Shown = answer.json()
        return shown

    async def items(self, path: str, **filters: str) -> list[Shown]:
        """Every item of a list, page by page."""
        found: list[Shown] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, limit="200", **filters, **cursor)
            found.extend(page["items"])
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    async def complain(self, pile: str, text: str, key: str | None = None, **more: Any) -> Shown:
        """Post a complaint that must be taken."""
        answer = await self.post("/complaints", {"channel": "app", "pile": pile, "text": text, **more}, key)
        assert answer.status_code == 201, answer.text
        shown: Shown = answer.json()
        return shown

    async def incidents(self, pile: str) -> list[Shown]:
        """Every incident of ``pile``, oldest first, each whole."""
        listed = sorted(await self.items("/incidents", pile=pile), key=lambda each: str(each["opened_at"]))
        return [await self.get(f"/incidents/{each['id']}") for each in listed]

    async def incident(self, pile: str, fits: Callable[[Shown], object], what: str) -> Shown:
        """Wait for an incident of ``pile`` that ``fits``."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            found = await self.incidents(pile)
            for each in found:
                if fits(each):
                    return each
            if time.monotonic() > until_s:
                raise AssertionError(f"no incident of {pile} within {PATIENCE_S} s: {what}\n{_story(found)}")
            await asyncio.sleep(LOOK_S)

    async def in_state(self, pile: str, state: str) -> Shown:
        return await self.incident(pile, lambda each: each["state"] == state, state)

    async def closed(self, pile: str, code: str) -> Shown:
        return await self.incident(
            pile, lambda each: (each["state"], each["close_code"]) == ("closed", code), f"closed as {code}"
        )

    async def orders(self, pile: str) -> list[Shown]:
        return await self.items("/work-orders", pile=pile)

    async def order(self, pile: str, fits: Callable[[Shown], object], what: str) -> Shown:
        """Wait until ``pile`` has exactly one order, and it ``fits``."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            found = await self.orders(pile)
            assert len(found) < 2, found
            if found and fits(found[0]):
                shown = await self.get(f"/work-orders/{found[0]['id']}")
                if fits(shown):
                    return shown
            if time.monotonic() > until_s:
                story = _story(await self.incidents(pile))
                raise AssertionError(f"no order of {pile} within {PATIENCE_S} s: {what}\n{found}\n{story}")
            await asyncio.sleep(LOOK_S)

    async def report(self, order: str, event: str, **more: Any) -> Shown:
        """Report a step of the team; it must be taken."""
        answer = await self.post(f"/work-orders/{order}/events", {"event": event, **more})
        assert answer.status_code == 200, answer.text
        shown: Shown = answer.json()
        return shown

    async def pile(self, id: str, fits: Callable[[Shown], object], what: str) -> Shown:
        """Wait until what is known of a pile ``fits``."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            shown = await self.get(f"/piles/{id}")
            if fits(shown):
                return shown
            if time.monotonic() > until_s:
                raise AssertionError(f"{id} not within {PATIENCE_S} s: {what}\n{shown}")
            await asyncio.sleep(LOOK_S)

    async def pile_there(self, id: str, fits: Callable[[Shown], object], what: str) -> Shown:
        """Like :meth:`pile`, for one that is not in the fleet yet."""
        until_s = time.monotonic() + PATIENCE_S
        while (await self.http.get(f"/piles/{id}")).status_code != httpx.codes.OK:
            assert time.monotonic() < until_s, f"{id} is not in the fleet"
            await asyncio.sleep(LOOK_S)
        return await self.pile(id, fits, what)

    async def gone(self, id: str) -> None:
        """Wait until a pile is in the fleet no more."""
        until_s = time.monotonic() + PATIENCE_S
        while (await self.http.get(f"/piles/{id}")).status_code != httpx.codes.NOT_FOUND:
            assert time.monotonic() < until_s, f"{id} is still in the fleet"
            await asyncio.sleep(LOOK_S)


def steps(incident: Shown) -> list[tuple[str, str | None]]:
    """What was tried on an incident: (action, result), in order."""
    return [(each["action"], each["result"]) for each in incident["attempts"]]


def refused_by(incident: Shown, gate: str) -> list[Shown]:
    """The refusals of one gate, each with its reason and its next look."""
    return [each for each in incident["refusals"] if each["gate"] == gate and each["reason"] and each["next_look_at"]]


def _story(incidents: list[Shown]) -> str:
    lines = []
    for each in incidents:
        lines.append(f"{each['id']} {each['family']} {each['state']} {each['close_code']} {each['desk_reason']}")
        lines += [f"   {line['at']} {line['kind']}: {line['text']}" for line in each["timeline"]]
    return "\n".join(lines)
