"""The field of a drill: one pile on its timers, broken, used and cut off exactly as the scenario says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from simulators.faults import KINDS
from simulators.fleet import AREAS, Entry, Fleet
from simulators.kinds import FaultKind
from simulators.models import MODELS
from simulators.pile import Nature
from simulators.temperaments import Temperament
from simulators.words import Shown
from simulators.world.drill.scenario import MAKES, Begins, Scenario, Trouble
from simulators.world.yard import Yard

if TYPE_CHECKING:
    from simulators.hardware.device import Message
    from simulators.invariants import Auditor
    from simulators.loop import VirtualLoop
    from simulators.models import Model
    from simulators.network import Broker

PILE, SITE = "DRILL-001", "DRILL"
MANNERS: dict[str, dict[str, Any]] = {
    "accepts_and_does_nothing": {"idle_hands": True},
    "never_answers": {"mute": True},
    "says_available": {"says_available": True},
    "never_returns": {"never_returns": 1.0},
    "forgets_ids": {"forgets_ids": True},
    "hides_boots": {"counts_boots": False},
    "hides_sessions": {"tells_session": False},
}
"""What an operator calls a manner, as the simulated temperament has it."""


def fleet_of(scenario: Scenario) -> Fleet:
    """A fleet of the one pile."""
    wanted = scenario.pile
    model = make(scenario)
    temperament: dict[str, Any] = {}
    for manner in wanted.manners:
        temperament |= MANNERS[manner]
    nature = Nature(
        pile=PILE,
        site=SITE,
        model=model,
        temperament=Temperament(**temperament),
        connectors=model.connectors,
        heartbeat_s=wanted.heartbeat_s,
        keepalive_s=60.0,
        fault_rate=0.0,
        sessions_per_day=0.0,
    )
    area = AREAS[1]
    entry = Entry(nature=nature, area=area, address="drill", latitude=area.latitude, longitude=area.longitude)
    return Fleet(seed=scenario.seed, entries=(entry,))


def make(scenario: Scenario) -> Model:
    """The pile's make: a simulated one, with the scenario's own name and figures."""
    wanted = scenario.pile
    base = MAKES.get(wanted.like or wanted.model, MODELS[1])
    # A soft reset takes half of a start: the length is drawn from a range of no width.
    return replace(
        base,
        name=wanted.model,
        firmwares=(wanted.firmware,) if wanted.firmware else base.firmwares[:1],
        connectors=wanted.connectors or base.connectors,
        boot_s=(wanted.boot_s, wanted.boot_s),
    )


def kind_of(trouble: Trouble, number: int) -> FaultKind:
    """The fault a scenario describes, as the simulated pile knows faults. Nothing about it is left to chance."""
    base = KINDS.get(trouble.kind or "", FaultKind(name=f"trouble-{number}", shown=Shown.FAULTED, per_day=0.0))
    clears = trouble.clears_after_s
    return replace(
        base,
        shown=trouble.shows or base.shown,
        code=trouble.code or base.code,
        info=base.info if trouble.info is None else trouble.info,
        whole=trouble.connector == 0,
        danger=base.danger if trouble.danger is None else trouble.danger,
        clears=0.0 if clears is None else 1.0,
        clears_after_s=(0.0, 0.0) if clears is None else (clears, clears),
        cures=dict(trouble.cures),
    )


class DrillYard(Yard):
    """A yard whose one pile obeys the scenario."""

    def __init__(
        self, loop: VirtualLoop, scenario: Scenario, fleet: Fleet, auditor: Auditor, tell: Callable[[str, str], None]
    ) -> None:
        """Nothing has happened yet; ``tell`` writes into the timeline."""
        super().__init__(loop, fleet, auditor)
        self._scenario = scenario
        self._tell = tell
        self._waiting: list[tuple[Begins, Callable[[], None]]] = []
        self._retains = set()
        self.pending = 0
        """How much of the scenario is still to come at a known second."""

    def play(self, broker: Broker) -> None:
        """Connect the pile at once, and enter everything the scenario foresees."""
        self.broker = broker
        self._after(PILE, self.piles[PILE].link(self._loop.time(), up=True))
        for number, trouble in enumerate(self._scenario.trouble, 1):
            self._plan(trouble, self._trouble(trouble, number))
        for lost in self._scenario.link_lost:
            if lost.whose == "ours":
                self._plan(lost, self._our_link(broker, lost.for_s))
            else:
                self._plan(lost, self._pile_link(lost.for_s))
        for each in self._scenario.charging:
            self.at(each.from_s, self._charging(each.connector, each.to_s - each.from_s))

    def at(self, second: float, work: Callable[[], None]) -> None:
        """Do ``work`` at this second of the drill."""
        self.pending += 1

        def due() -> None:
            self.pending -= 1
            work()

        self._loop.call_at(max(second, self._loop.time()), due)

    def command(self, id: str, payload: Mapping[str, Any]) -> None:
        """A command reaches the pile; what the scenario ties to it is set going."""
        before = len(self.piles[PILE].truth.executions)
        super().command(id, payload)
        done = len(self.piles[PILE].truth.executions) > before
        self._tell("pile", f"{payload['action']} reached it" + ("" if done else ", and nothing came of it"))
        left = []
        for begins, work in self._waiting:
            if begins.on is not None and begins.on.value == payload["action"]:
                self.at(self._loop.time() + begins.after_s, work)
            else:
                left.append((begins, work))
        self._waiting = left

    def _plan(self, begins: Begins, work: Callable[[], None]) -> None:
        if begins.at_s is not None:
            self.at(begins.at_s, work)
        else:
            self._waiting.append((begins, work))

    def _trouble(self, trouble: Trouble, number: int) -> Callable[[], None]:
        kind = kind_of(trouble, number)

        def begin() -> None:
            shown = f"{kind.shown.value}{f', {kind.code}' if kind.code else ''}"
            where = "the whole pile" if kind.whole else f"connector {trouble.connector}"
            self._tell("field", f"trouble on {where}: {kind.name} ({shown})")
            self._do(self.piles[PILE].inject(self._loop.time(), kind, trouble.connector or None))

        return begin

    def _charging(self, connector: int, seconds: float) -> Callable[[], None]:
        def begin() -> None:
            self._do(self.piles[PILE].charge(self._loop.time(), connector, seconds))
            charges = self.piles[PILE].condition(connector).session is not None
            done = f"charges on connector {connector} for {seconds:.0f} s"
            self._tell("field", f"somebody {done}" if charges else "somebody comes and cannot charge")

        return begin

    def _pile_link(self, seconds: float) -> Callable[[], None]:
        def begin() -> None:
            self._tell("field", f"the pile's link is lost for {seconds:.0f} s")
            self._do(self.piles[PILE].link(self._loop.time(), up=False))
            self.at(self._loop.time() + seconds, back)

        def back() -> None:
            self._tell("field", "the pile's link is back")
            self._do(self.piles[PILE].link(self._loop.time(), up=True))

        return begin

    def _our_link(self, broker: Broker, seconds: float) -> Callable[[], None]:
        def begin() -> None:
            self._tell("field", f"our link is lost for {seconds:.0f} s")
            broker.fail(seconds, forget=False)

        return begin

    def _do(self, messages: list[Message]) -> None:
        self._after(PILE, messages)
