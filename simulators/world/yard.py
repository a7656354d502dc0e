"""All piles of the world: they live on their own timers, speak through the broker, and are struck by faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulators.faults import CATALOGUE, DANGERS, draw_kind, total_per_day
from simulators.pile import Clock, Message
from simulators.world.clock import EPOCH_S
from triage.core.events import Registration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.fleet import Fleet
    from simulators.invariants import Auditor
    from simulators.loop import VirtualLoop
    from simulators.network import Broker
    from simulators.truth import Encounter, Truth

DAY_S = 86_400.0
RETAINS = 0.3
"""Share of piles whose installer ticked "retain" on telemetry."""


def registrations(fleet: Fleet) -> tuple[Registration, ...]:
    """The fleet as the fleet file lists it."""
    return tuple(
        Registration(
            pile=entry.nature.pile,
            site=entry.nature.site,
            region=entry.area.region,
            model=entry.nature.model.name,
            connectors=entry.nature.connectors,
            team=entry.area.team,
            address=entry.address,
        )
        for entry in fleet.entries
    )


class Yard:
    """The piles and their timers."""

    def __init__(self, loop: VirtualLoop, fleet: Fleet, auditor: Auditor) -> None:
        """Build the piles; they are connected by :meth:`start`."""
        self._loop = loop
        self._auditor = auditor
        self._rng = fleet.stream("yard")
        self.clock = Clock(zero_s=EPOCH_S)
        self.piles = {each.nature.pile: fleet.pile(each, loop.time(), self.clock) for each in fleet.entries}
        self._timers: dict[str, Any] = {}
        self._seen: dict[str, tuple[int, int]] = dict.fromkeys(self.piles, (0, 0))
        self._retains = {id for id in self.piles if self._rng.random() < RETAINS}
        self._cut: set[str] = set()
        self.broker: Broker | None = None
        self.met: Callable[[Encounter], None] = lambda _: None
        self.faults = 0
        self.striking = True

    @property
    def truths(self) -> Mapping[str, Truth]:
        """What really happened, by pile."""
        return {id: pile.truth for id, pile in self.piles.items()}

    def start(self, broker: Broker, rate: float) -> None:
        """Connect every pile within the first heartbeat; strike faults at ``rate`` times the catalogue's hazard."""
        self.broker = broker
        for id, pile in self.piles.items():
            self._loop.call_later(self._rng.uniform(0.0, pile.nature.heartbeat_s), self._connect, id)
        if rate > 0:
            self._await_strike(rate)

    def _connect(self, id: str) -> None:
        self._after(id, self.piles[id].link(self._loop.time(), up=True))

    def _await_strike(self, rate: float) -> None:
        per_second = total_per_day(rate) * len(self.piles) / DAY_S
        self._loop.call_later(self._rng.expovariate(per_second), self._strike, rate)

    def _strike(self, rate: float) -> None:
        if self.striking:
            id = self._rng.choice(list(self.piles))
            self.strike(id, draw_kind(self._rng).name)
            if self._rng.random() < 0.15:  # noqa: PLR2004 - troubles like company, and dangers hide behind harmless ones
                other = self._rng.choice(DANGERS if self._rng.random() < 0.5 else CATALOGUE)  # noqa: PLR2004
                self._loop.call_later(self._rng.uniform(0.0, 1200.0), self.strike, id, other.name)
            self._await_strike(rate)

    def strike(self, id: str, kind: str) -> None:
        """Let a fault begin."""
        if self.striking:
            self.faults += 1
            self._after(id, self.piles[id].inject(self._loop.time(), kind))

    def cut(self, site: str, seconds: float) -> None:
        """The site's uplink fails for a while."""
        for id, pile in self.piles.items():
            if pile.site == site and id not in self._cut:
                self._cut.add(id)
                self._after(id, pile.link(self._loop.time(), up=False))
                self._loop.call_later(seconds + self._rng.uniform(0.0, 60.0), self._mend, id)

    def _mend(self, id: str) -> None:
        self._cut.discard(id)
        self._connect(id)

    def command(self, id: str, payload: Mapping[str, Any]) -> None:
        """A command arrives at a pile."""
        pile = self.piles.get(id)
        if pile is not None:
            self._after(id, pile.command(self._loop.time(), payload))

    def repair(self, id: str, *, fixed: bool) -> None:
        """A technician worked at a pile."""
        self._after(id, self.piles[id].repair(self._loop.time(), fixed=fixed))

    def arrive(self, id: str, connector: int) -> None:
        """A driver comes to a connector right now."""
        self._after(id, self.piles[id].driver(self._loop.time(), connector))

    def _advance(self, id: str) -> None:
        self._timers[id] = None
        self._after(id, self.piles[id].advance(self._loop.time()))

    def _after(self, id: str, messages: list[Message]) -> None:
        """Send what a pile said, note what it did, and set its next timer."""
        pile, broker = self.piles[id], self.broker
        if broker is None:
            return
        for message in messages:
            retain = id in self._retains and message.topic == "telemetry"
            broker.publish(pile.site, id, message.topic, message.payload, retain=retain)
        truth = pile.truth
        self._note(id, truth)
        if truth.encounters:
            for encounter in pile.take_encounters():
                self.met(encounter)
        timer = self._timers.get(id)
        if timer is not None:
            timer.cancel()
        self._timers[id] = self._loop.call_at(max(pile.next_at(), self._loop.time()), self._advance, id)

    def _note(self, id: str, truth: Truth) -> None:
        executions, boots = self._seen[id]
        if len(truth.executions) == executions and len(truth.boots) == boots:
            return
        for at, _ in truth.boots[boots:]:
            self._auditor.booted(id, at)
        for execution in truth.executions[executions:]:
            self._auditor.executed(execution)
        self._seen[id] = len(truth.executions), len(truth.boots)
