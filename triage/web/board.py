"""Everything the live page shows, gathered once a second at most, however many pages are open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from triage.core.vocabulary import IncidentState, OrderState
from triage.interfaces import Queries
from triage.web import present, present_pile
from triage.web.parts import WebParts

FRESH_S = 1.0
MOST = 100
RECENT = 30
BREATH = 500
_INCIDENTS = tuple(state.value for state in IncidentState if state is not IncidentState.CLOSED)
_ORDERS = tuple(state.value for state in OrderState if state not in {OrderState.CLOSED, OrderState.RECALLED})


class Board:
    """The open incidents, the open work orders, the newest complaints, and the fleet in figures."""

    def __init__(self, parts: WebParts, queries: Queries) -> None:
        self._parts = parts
        self._queries = queries
        self._gathering = asyncio.Lock()
        self._kept: dict[bool, tuple[float, dict[str, Any]]] = {}

    async def read(self, *, words: bool) -> dict[str, Any]:
        """The board; ``words`` shows what people wrote in their complaints."""
        async with self._gathering:
            now = self._parts.clock.monotonic()
            kept = self._kept.get(words)
            if kept is None or not 0 <= now - kept[0] < FRESH_S:
                kept = (now, await self._gather(words=words))
                self._kept[words] = kept
            return kept[1]

    async def fleet(self) -> dict[str, Any]:
        """The fleet in figures."""
        live = self._parts.live
        summary = present_pile.Summary()
        for number, pile in enumerate(tuple(live.piles()), 1):
            summary.add(pile)
            if number % BREATH == 0:
                await asyncio.sleep(0)  # thousands of piles must not hold up complaints
        head = {
            "as_of": self._parts.clock.now(),
            "release": self._parts.release,
            "unregistered": len(live.unregistered()),
            "kill_switch": live.kill_switch(),
        }
        return head | summary.shown()

    async def _gather(self, *, words: bool) -> dict[str, Any]:
        incidents, more_incidents = await self._open("incident", _INCIDENTS)
        orders, more_orders = await self._open("order", _ORDERS)
        complaints = await self._queries.page("complaint", {}, None, RECENT)
        return {
            "fleet": await self.fleet(),
            "incidents": [present.incident(each) for each in incidents],
            "more_incidents": more_incidents,
            "work_orders": [present.work_order(each) for each in orders],
            "more_work_orders": more_orders,
            "complaints": [present.complaint(each, words=words) for each in complaints.items],
        }

    async def _open(self, kind: str, states: Sequence[str]) -> tuple[list[dict[str, Any]], bool]:
        # One that moves between two of these questions is answered twice: the later state is the true one.
        known: dict[str, dict[str, Any]] = {}
        more = False
        for state in states:
            page = await self._queries.page(kind, {"state": state}, None, MOST)
            for each in page.items:
                other = known.get(str(each["id"]))
                if other is None or str(each.get("state_since")) >= str(other.get("state_since")):
                    known[str(each["id"])] = each
            more = more or page.next is not None
        found = list(known.values())
        found.sort(key=lambda each: str(each.get("opened_at")), reverse=True)
        return found[:MOST], more or len(found) > MOST
