"""The whole simulated field on the wire: piles, people and technicians, started and stopped together."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulators.people import Crowd
from simulators.technicians import FieldForce
from simulators.wire import stats
from simulators.wire.api import Api
from simulators.wire.berth import Berth
from simulators.wire.modbus.harbour import Harbour
from simulators.wire.modbus.layout import lying
from simulators.wire.mqtt import Broker, Line, Trunk
from simulators.wire.pace import Pace
from simulators.wire.people import PeopleOnTheWire
from simulators.wire.technicians import TechniciansOnTheWire

if TYPE_CHECKING:
    from simulators.fleet import Fleet
    from simulators.people import Habits
    from simulators.technicians import Ways
    from simulators.truth import Encounter

STATUS_EVERY_S = 5.0
HEARD_WITHIN_S = 1.0
"""How long a task gets to hear that it is cancelled before it is told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How to run a field. ``connections`` 0 gives every pile its own; ``api`` ``None`` leaves people and teams out.

    ``modbus_troubles`` is the chance, a request, of each trouble of a Modbus line.
    """

    broker: Broker
    speed: float = 1.0
    connections: int = 0
    modbus_troubles: float = 0.0
    api: str | None = None
    token: str | None = None
    run_for_s: float | None = None
    habits: Habits | None = None
    ways: Ways | None = None


class Field:
    """A fleet that lives on real sockets."""

    def __init__(self, fleet: Fleet, wishes: Wishes) -> None:
        """Time begins now."""
        self._fleet = fleet
        self._wishes = wishes
        self.pace = Pace(wishes.speed)
        now = self.pace.now()
        self._crowd = Crowd(fleet.stream("crowd"), fleet.places(), now, habits=wishes.habits, clock=self.pace.clock)
        trunks = min(wishes.connections, len(fleet.entries) - len(lying(fleet)))
        nudges = [asyncio.Event() for _ in range(trunks)]
        self.berths: dict[str, Berth] = {}
        number = 0
        for entry in fleet.entries:
            pile = fleet.pile(entry, now, self.pace.clock)
            shares = trunks and not entry.nature.polled
            self.berths[pile.id] = Berth(pile, self.pace, self._meet, nudges[number % trunks] if shares else None)
            number += not entry.nature.polled
        self._trunks = trunks
        self.harbour = Harbour(fleet, self.berths, self.pace, wishes.modbus_troubles)
        self._api = Api(wishes.api, wishes.token) if wishes.api else None
        self.people: PeopleOnTheWire | None = None
        self.technicians: TechniciansOnTheWire | None = None
        if self._api is not None:
            force = FieldForce(
                fleet.stream("teams"), lambda pile, at: self.berths[pile].pile.condition(at), wishes.ways
            )
            self.people = PeopleOnTheWire(self._crowd, self._api, self.pace, self.berths)
            self.technicians = TechniciansOnTheWire(force, self._api, self.pace, self.berths)

    async def run(self, stop: asyncio.Event) -> dict[str, Any]:
        """Live until ``stop`` is set or the wished time is over, and give the account."""
        running = [asyncio.create_task(each) for each in self._lives()]
        ending = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([ending, *running], timeout=self._wishes.run_for_s, return_when=asyncio.FIRST_COMPLETED)
            for task in running:
                if task.done():
                    task.result()  # none ends by itself: this raises what went wrong
        finally:
            await _end([ending, *running])
            if self._api is not None:
                await self._api.close()
        return self.account()

    def account(self) -> dict[str, Any]:
        """The truth so far, ready for JSON."""
        account = stats.account(list(self.berths.values()), self.pace, self.people, self.technicians)
        if self.harbour.devices:
            account |= {"modbus": {"devices": len(self.harbour.devices), **self.harbour.counts}}
        api = self._api
        return account | {"api": {"retries": api.retries, "lists_failed": api.lists_failed} if api else None}

    def _meet(self, encounter: Encounter) -> None:
        # Without an API nobody would take the complaints, and the crowd would remember them for ever.
        if self._api is not None:
            self._crowd.meet(encounter)

    def _lives(self) -> list[Any]:
        lives = [self._tell_status(), *(each.run() for each in self._speakers())]
        if self.harbour.devices:
            lives.append(self.harbour.run())
        if self.people is not None:
            lives.append(self.people.run())
        if self.technicians is not None:
            lives.append(self.technicians.run())
        return lives

    def _speakers(self) -> list[Line] | list[Trunk]:
        berths = [berth for pile, berth in self.berths.items() if pile not in self.harbour.devices]
        broker = self._wishes.broker
        if not self._trunks:
            return [Line(each, broker, self.pace, self._fleet.stream(f"line/{each.pile.id}")) for each in berths]
        return [
            Trunk(
                f"{self._fleet.seed}-{turn}",
                berths[turn :: self._trunks],
                broker,
                self.pace,
                self._fleet.stream(f"trunk/{turn}"),
            )
            for turn in range(self._trunks)
        ]

    async def _tell_status(self) -> None:
        while True:
            await asyncio.sleep(STATUS_EVERY_S)
            line = stats.status_line(list(self.berths.values()), self.people, self.technicians)
            print(f"{self.pace.elapsed_s():7.0f} s  {line}", file=sys.stderr, flush=True)


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel until all are done: before Python 3.12 ``wait_for`` swallows a cancellation that comes with its answer."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=HEARD_WITHIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
