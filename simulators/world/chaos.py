"""Everything that goes wrong on purpose: outages, clocks set wrongly, and drivers who come at the worst moment."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING

from triage.core.effects import Changes, Command
from triage.core.events import KillSwitch
from triage.core.vocabulary import READS, REBOOTS

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from simulators.loop import VirtualLoop
    from simulators.network import Broker
    from simulators.world.clock import WallClock
    from simulators.world.desk import WorldDesk
    from simulators.world.front import Front
    from simulators.world.store import Mood
    from simulators.world.yard import Yard
    from triage.core.events import Ask

HOUR_S = 3600.0
DAY_S = 86_400.0
JUMPS_S = (HOUR_S, -HOUR_S, DAY_S, -DAY_S, 300.0, -300.0, 5.0, -5.0)


class Chaos:
    """The adversary. It stops for good when the world wants to come to its end."""

    def __init__(  # noqa: PLR0913 - it has its hands on everything
        self,
        loop: VirtualLoop,
        rng: Random,
        *,
        clock: WallClock,
        broker: Broker,
        mood: Mood,
        desk: WorldDesk,
        front: Front,
        yard: Yard,
    ) -> None:
        """Do nothing yet."""
        # Nobody's process: what chaos has set going does not die with the daemon that provoked it.
        self._own = Context()
        self._loop = loop
        self._rng = rng
        self._clock = clock
        self._broker = broker
        self._mood = mood
        self._desk = desk
        self._front = front
        self._yard = yard
        self._switches = 0
        self.raging = True

    def start(self) -> None:
        """Begin every kind of trouble, each at its own rate."""
        self._often(10 * HOUR_S, self._broker_fails)
        self._often(6 * HOUR_S, self._database_fails)
        self._often(9 * HOUR_S, self._desk_fails)
        self._often(8 * HOUR_S, self._site_is_cut)
        self._often(14 * HOUR_S, self._clock_jumps)
        self._often(10 * HOUR_S, self._kill_switch)
        self._often(8 * HOUR_S, self._storm)

    def stop(self) -> None:
        """No more trouble from here on; what is under way ends by itself."""
        self.raging = False
        self._clock.right()
        self._mood.fails = self._mood.forgets_to_say = 0.0
        self._desk.fails = self._desk.late = 0.0

    def _often(self, mean_s: float, work: Callable[[], None]) -> None:
        def strike() -> None:
            if self.raging:
                work()
                self._often(mean_s, work)

        self._later(self._rng.expovariate(1 / mean_s), strike)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        self._loop.call_later(seconds, work, context=self._own)

    def _broker_fails(self) -> None:
        if not self._broker.down:
            self._broker.fail(self._rng.uniform(2.0, 600.0), forget=self._rng.random() < 0.1)  # noqa: PLR2004

    def _database_fails(self) -> None:
        mood = self._mood
        mood.away = True

        def back() -> None:
            mood.away = False

        self._later(self._rng.uniform(0.5, 240.0), back)

    def _desk_fails(self) -> None:
        desk, usual = self._desk, self._desk.fails
        if usual < 1.0:
            desk.fails = 1.0

            def back() -> None:
                desk.fails = usual if self.raging else 0.0

            self._later(self._rng.uniform(60.0, 2 * HOUR_S), back)

    def _site_is_cut(self) -> None:
        pile = self._rng.choice(list(self._yard.piles.values()))
        self._yard.cut(pile.site, self._rng.uniform(30.0, HOUR_S))

    def _clock_jumps(self) -> None:
        self._clock.jump(self._rng.choice(JUMPS_S))
        self._later(self._rng.uniform(60.0, 6 * HOUR_S), self._clock.right)

    def _storm(self) -> None:
        """A bad push or a thunderstorm: many piles get the same trouble within minutes."""
        names = self._rng.sample(sorted(self._yard.piles), min(15, len(self._yard.piles)))
        kind = self._rng.choice(("controller_error", "controller_error", "reader_failure", "application_hung"))
        for name in names:
            self._later(self._rng.uniform(0.0, 300.0), partial(self._yard.strike, name, kind))

    def _kill_switch(self) -> None:
        self._throw(on=True)
        self._later(self._rng.uniform(10 * 60.0, HOUR_S), lambda: self._throw(on=False))

    def _throw(self, *, on: bool) -> None:
        self._switches += 1
        key = f"switch-{self._switches}"

        def make(now: datetime) -> Ask:
            return KillSwitch(
                received_at=now, actor="operator", key=key, scope="kill", digest=key, on=on, reason="a drill"
            )

        async def work() -> None:
            await self._front.ask(make)

        self._front.spawn(work())

    def committed(self, changes: Changes) -> None:
        """A transaction took effect: the moment between decision and act is the worst one for anything to happen."""
        if not self.raging:
            return
        for item in changes.outbox.values():
            effect = item.effect
            if item.state == "sent" and isinstance(effect, Command) and effect.action not in READS:
                self._spoil(effect)

    def _spoil(self, command: Command) -> None:
        chance, wait_s = self._rng.random(), self._rng.uniform(0.0, 2.0)
        pile = self._yard.piles.get(command.pile)
        if pile is None:
            return
        if chance < 0.12 and command.action in REBOOTS:  # noqa: PLR2004 - a driver plugs in
            connector = self._rng.randint(1, pile.nature.connectors)
            self._later(wait_s, lambda: self._yard.arrive(command.pile, connector))
        elif chance < 0.18:  # noqa: PLR2004 - danger shows itself
            self._later(wait_s, lambda: self._yard.strike(command.pile, "ground_fault"))
        elif chance < 0.24:  # noqa: PLR2004 - it was not cured, it only looked so
            wait_s = self._rng.uniform(60.0, 400.0)
            self._later(wait_s, lambda: self._yard.strike(command.pile, "controller_error"))
