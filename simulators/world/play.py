"""A world: built from its script, played under virtual time, brought to its end, and judged."""

from __future__ import annotations

import asyncio
from contextvars import Context
from random import Random
from typing import Any

from simulators.fleet import Rates, build
from simulators.invariants import Auditor
from simulators.loop import DeadlockError, LivelockError, VirtualLoop
from simulators.network import CALM, Broker, Weather
from simulators.world.chaos import Chaos
from simulators.world.clock import WallClock
from simulators.world.daemon import Life, prepare, rules
from simulators.world.desk import WorldDesk
from simulators.world.driver import WorldDriver
from simulators.world.front import Front
from simulators.world.outcome import Outcome, Script, digest, tally
from simulators.world.reaper import Reaper
from simulators.world.society import Society
from simulators.world.store import FlakyStore, Mood
from simulators.world.yard import Yard, registrations
from triage.core.effects import Changes
from triage.errors import StoreError
from triage.storage.memory import MemoryStore
from triage.storage.shelf import MemoryDisk

DAY_S = 86_400.0
TAIL_S = 10 * 3600.0
"""The quiet time at the end: no new faults, no deaths, a calm network; everything has to come to its end in it."""
STANDSTILL_S = 5 * 3600.0
"""Longer than any deadline of an incident's states: who has not moved for so long never will."""
PILES_PER_WINDOW_S = 50.0
"""The broker gathers what comes within so many piles' share of a second: some messages a batch, as under real load."""
RATES = Rates(fault_rate=0.0, heartbeat_s=600.0, keepalive_s=60.0, sessions_per_day=3.0)
"""The yard strikes faults by itself, so that it can stop."""


class World:
    """One run of one script."""

    def __init__(self, script: Script) -> None:
        """Build everything; nothing moves yet."""
        self.script = script
        self.loop = VirtualLoop(script.seed)
        self.loop.set_exception_handler(self._broken)
        self.rules = rules()
        fleet = build(script.piles, script.seed, RATES)
        self.registrations = registrations(fleet)
        sites = {each.pile: each.site for each in self.registrations}
        self.auditor = Auditor(self.loop.time, self.rules.policy, sites)
        self.wall = WallClock(self.loop)
        self.disk = MemoryDisk()
        self.mood = Mood()
        self.yard = Yard(self.loop, fleet, self.auditor)
        window_s = script.piles / PILES_PER_WINDOW_S
        self.broker = Broker(self.loop, fleet.stream("network"), Weather(), self.yard.command, window_s)
        self.front = Front(self.loop, fleet.stream("front"))
        self.society = Society(self.loop, fleet, self.yard, self.front, self.auditor)
        self.desk = WorldDesk(fleet.stream("desk"), self.auditor, self.society.dispatch)
        self.chaos = Chaos(
            self.loop,
            fleet.stream("chaos"),
            clock=self.wall,
            broker=self.broker,
            mood=self.mood,
            desk=self.desk,
            front=self.front,
            yard=self.yard,
        )
        self.reaper = Reaper(self.loop, fleet.stream("reaper"), script.crash_every, self._died)
        self._rng: Random = fleet.stream("world")
        self._life: Life | None = None
        self._lives = 0
        self.telemetry = 0

    def play(self) -> Outcome:
        """Live to the end, and tell what came of it."""
        prepare()
        try:
            self.loop.run_until_complete(self._story())
        except (DeadlockError, LivelockError) as error:
            self.auditor.court.accuse("I15", type(error).__name__, str(error))
        finally:
            self.loop.close()
        return self._outcome()

    def scrap(self) -> None:
        """Empty what the frames of dead daemons still refer to, so that a row of worlds does not pile up in memory."""
        auditor = self.auditor
        for part in (auditor.ledger, auditor.knowledge, auditor.acts, auditor.promises, auditor.tickets, auditor):
            part.__dict__.clear()
        for thing in (self.society, self.yard, self.broker, self.front, self.desk, self.chaos, self.disk, self):
            thing.__dict__.clear()

    # -- the story -------------------------------------------------------------------------------------------------

    async def _story(self) -> None:
        self._be_born()
        self.yard.start(self.broker, self.script.faults)
        self.society.start()
        self.chaos.start()
        await asyncio.sleep(self.script.days * DAY_S)
        self.yard.striking = False
        self.chaos.stop()
        self.reaper.stop()
        self.broker.weather = CALM
        await asyncio.sleep(TAIL_S)
        life = self._life
        if life is not None and life.app is not None:
            self._defects(life)
            await life.app.stop()
        store = MemoryStore(self.disk)
        await self.auditor.finish(self.yard.truths, store, self.disk.head, STANDSTILL_S)

    def _be_born(self) -> None:
        self._lives += 1
        self._life = life = Life(self.loop, self._lives, self.wall)
        self.reaper.watch(life.process)
        self.loop.start_as(life.process, self._live(life))

    async def _live(self, life: Life) -> None:
        stream = f"{self.script.seed}/life/{self._lives}"
        store = FlakyStore(self.disk, self.mood, Random(f"{stream}/store"), self.auditor, self._committed)
        driver = WorldDriver(
            self.loop,
            life.clock,
            self.broker,
            Random(f"{stream}/driver"),
            self.auditor,
            fresh_s=self.rules.policy.fresh_s,
            handled=self._handled,
        )
        try:
            app = await life.start(self.rules, self.registrations, store, driver, self.desk)
        except StoreError:
            self.loop.kill(life.process)  # it exits with a message; its supervisor starts it again
            self._died()
        else:
            self.front.listen(life.process, app.runtime, life.clock)

    def _handled(self, messages: int, claims: int) -> None:
        self.telemetry += messages
        if claims:
            self.reaper.busy("claim")
        self.reaper.handled(messages)

    def _committed(self, changes: Changes) -> None:
        self.reaper.busy("effect" if changes.outbox else "commit")
        self.chaos.committed(changes)

    def _died(self) -> None:
        self.front.close()
        self.broker.drop()
        self.auditor.died()
        life, self._life = self._life, None
        if life is not None:
            self._defects(life)
            life.bury()
        pause_s = self._rng.uniform(0.5, 10.0) if self._rng.random() < 0.8 else self._rng.uniform(10.0, 1200.0)  # noqa: PLR2004
        self.loop.call_later(pause_s, self._be_born, context=Context())

    def _defects(self, life: Life) -> None:
        for defect in life.defects():
            kept = {row["topic"] for row in self.disk.quarantine.rows.values()}
            self.auditor.court.accuse("defect", life.process, f"{defect}: {sorted(kept)[:3]}")

    def _broken(self, _loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.auditor.court.accuse("defect", type(error).__name__, f"{context['message']}: {error!r}")

    # -- the end ---------------------------------------------------------------------------------------------------

    def _outcome(self) -> Outcome:
        court = self.auditor.court
        counts = {
            "telemetry": self.telemetry,
            "kills": self.reaper.kills,
            "faults_struck": self.yard.faults,
            "people_complained": self.society.complaints,
            "unanswered": self.society.open,
            **tally(self.auditor, self.yard.truths),
            "network": dict(sorted(self.broker.counts.items())),
            "http": dict(sorted(self.front.counts.items())),
        }
        return Outcome(
            script=self.script,
            counts=counts,
            hash=digest(counts, self.disk.head.hash, sorted(self.disk.settings.items())),
            violations=[str(each) for each in court.violations],
            laws=dict(sorted(court.counts.items())),
        )
