"""A drill: the real daemon, one pile, a calm network and the scenario's trouble, under virtual time.

The same parts as in a whole world, with the auditors in place; nothing fails but what the scenario says.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import datetime
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from simulators.invariants import Auditor
from simulators.loop import VirtualLoop
from simulators.network import CALM, Broker
from simulators.world.clock import WallClock
from simulators.world.daemon import Life, prepare, seldom_collected
from simulators.world.desk import WorldDesk
from simulators.world.drill.field import PILE, SITE, DrillYard, fleet_of
from simulators.world.drill.timeline import Timeline
from simulators.world.driver import WorldDriver
from simulators.world.front import Front
from simulators.world.society import complaint
from simulators.world.store import FlakyStore, Mood
from simulators.world.yard import registrations
from triage.core.vocabulary import IncidentState
from triage.storage.memory import MemoryStore
from triage.storage.shelf import MemoryDisk

if TYPE_CHECKING:
    from simulators.world.drill.scenario import Complaint, Scenario
    from triage.core.draft import Rules
    from triage.core.events import Ask

LOOK_S = 5.0
SETTLED_S = 60.0
"""A drill is over when nothing is to come and nothing has moved for so long, with everything closed or in the field."""
STANDSTILL_S = 1e9


class Stage:
    """One drill of one set of rules."""

    def __init__(self, scenario: Scenario, rules: Rules) -> None:
        """Build everything; nothing moves yet."""
        self.scenario = scenario
        self.rules = rules
        self.loop = VirtualLoop(scenario.seed)
        self.timeline = Timeline(self.loop.time)
        self.broken: list[str] = []
        self.loop.set_exception_handler(
            lambda _, context: self.broken.append(f"{context['message']}: {context.get('exception')!r}")
        )
        fleet = fleet_of(scenario)
        self._registrations = registrations(fleet)
        self._auditor = Auditor(self.loop.time, rules.policy, {PILE: SITE})
        self._disk = MemoryDisk()
        self._yard = DrillYard(self.loop, scenario, fleet, self._auditor, self.timeline.tell)
        self._broker = Broker(self.loop, fleet.stream("network"), CALM, self._yard.command)
        self._front = Front(self.loop, fleet.stream("front"))
        self._front.reply_lost = 0.0
        self._desk = WorldDesk(fleet.stream("desk"), self._auditor, lambda _: None)
        self._desk.fails = self._desk.late = 0.0
        self._life = Life(self.loop, 1, WallClock(self.loop))

    def play(self) -> Timeline:
        """Play to the end."""
        prepare()
        with seldom_collected():
            try:
                self.loop.run_until_complete(self._story())
            finally:
                self.loop.close()
        self.broken.extend(str(each) for each in self._auditor.court.violations)
        return self.timeline

    async def _story(self) -> None:
        store = FlakyStore(
            self._disk, Mood(fails=0, forgets_to_say=0, slow_s=0), Random(0), self._auditor, self.timeline.committed
        )
        driver = WorldDriver(
            self.loop,
            self._life.clock,
            self._broker,
            Random(f"{self.scenario.seed}/driver"),
            self._auditor,
            fresh_s=self.rules.policy.fresh_s,
            handled=lambda _messages, _claims: None,
        )
        app = await self._life.start(self.rules, self._registrations, store, driver, self._desk)
        self._front.listen(self._life.process, app.runtime, self._life.clock)
        self._yard.play(self._broker)
        for number, each in enumerate(self.scenario.complaints, 1):
            self._yard.at(each.at_s, partial(self._complain, each, number))
        while not self._over():  # noqa: ASYNC110 - under virtual time a look costs nothing
            await asyncio.sleep(LOOK_S)
        self.broken.extend(self._life.defects())
        await app.stop()
        await self._auditor.finish(self._yard.truths, MemoryStore(self._disk), self._disk.head, STANDSTILL_S)

    def _over(self) -> bool:
        now = self.loop.time()
        if now >= self.scenario.run_for_s:
            return True
        incidents = self.timeline.incidents.values()
        if self._yard.pending or not incidents:
            return False
        ended = all(each.state in {IncidentState.CLOSED, IncidentState.FIELD} for each in incidents)
        return ended and now - self.timeline.lines[-1].at_s >= SETTLED_S

    def _complain(self, each: Complaint, number: int) -> None:
        self.timeline.tell("field", f"{each.reporter} complains: {each.text}")
        body = {
            "channel": each.channel.value,
            "text": each.text,
            "pile": PILE,
            "connector": each.connector,
            "reporter": {"name": each.reporter, "phone": None, "tier": "ordinary"},
        }
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

        def make(now: datetime) -> Ask:
            return complaint(now, body, f"drill-{number}", digest)

        async def ask() -> None:
            await self._front.ask(make)

        self._front.spawn(ask())
