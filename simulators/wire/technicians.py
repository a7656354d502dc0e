"""The field force over HTTP: it reads the open orders, works on the simulated piles, and reports."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.pile import Message, Pile
    from simulators.technicians import Act, FieldForce
    from simulators.wire.api import Api
    from simulators.wire.berth import Berth
    from simulators.wire.pace import Pace

POLL_S = 1.0


OPEN_STATES = ("issued", "returned", "accepted", "en_route", "on_site", "waiting")
"""States of an order that wants somebody."""


class TechniciansOnTheWire:
    """Acts on every open work order."""

    def __init__(self, force: FieldForce, api: Api, pace: Pace, berths: dict[str, Berth]) -> None:
        """``berths`` by pile id are where the work is done."""
        self.counts: Counter[str] = Counter()
        self.force = force
        self._api = api
        self._pace = pace
        self._berths = berths

    async def run(self) -> None:
        """Live until cancelled."""
        while True:
            for state in OPEN_STATES:
                for order in await self._api.items("/work-orders", state=state):
                    if order["pile"] in self._berths:
                        self.force.consider(self._pace.now(), order)
            for act in self.force.advance(self._pace.now()):
                await self._carry_out(act)
            await asyncio.sleep(min(POLL_S, max(0.05, self._pace.wait_s(self.force.next_at()))))

    async def _carry_out(self, act: Act) -> None:
        if act.visits:

            def repair(pile: Pile, now: float) -> list[Message]:
                return pile.repair(now, fixed=act.fixed)

            self._berths[act.pile].do(repair)
        answer = await self._api.post(f"/work-orders/{act.order}/events", act.body, act.key)
        self.counts["reported" if answer.is_success else "refused"] += 1
