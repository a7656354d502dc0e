"""The field team: it takes orders, drives, looks, mends, and reports.

Pure: ``now`` is Unix time in seconds, chance comes from the ``random.Random`` handed in.

API::

    force = FieldForce(rng, look, Ways())        # look(pile, connector) -> Condition, the truth on site
    force.consider(now, order)                   # an item of GET /work-orders: "id", "state", "pile", "connector"
    force.next_at() -> float
    force.advance(now) -> [Act]                  # .order, .body (JSON of POST /work-orders/{id}/events)

An ``Act`` with ``visits`` true means that somebody works on the pile at that moment: call
``Pile.repair(now, fixed=act.fixed)``. Orders may be considered as often as one likes; a script once begun goes on until
the order is done, returned, incomplete or seen recalled before departure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulators.faults import KINDS
from simulators.hardware.agenda import Agenda

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from simulators.pile import Condition

    Look = Callable[[str, int], Condition]

MINUTE_S = 60.0
HOUR_S = 3600.0
Range = tuple[float, float]
NEXT_STEP = {
    "issued": "accept",
    "returned": "accept",
    "accepted": "depart",
    "en_route": "arrive",
    "on_site": "work",
    "waiting": "come_back",
}
"""What the team does with an order in this state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a team works: ranges in seconds, shares per order."""

    accept_s: Range = (2 * MINUTE_S, 25 * MINUTE_S)
    late_s: Range = (HOUR_S, 4 * HOUR_S)
    depart_s: Range = (5 * MINUTE_S, 60 * MINUTE_S)
    drive_s: Range = (15 * MINUTE_S, 4 * HOUR_S)
    work_s: Range = (10 * MINUTE_S, 120 * MINUTE_S)
    parts_s: Range = (2 * HOUR_S, 30 * HOUR_S)
    rest_s: float = 10 * MINUTE_S
    late: float = 0.1
    returns: float = 0.04
    waits: float = 0.12
    mends: float = 0.93
    admits: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One report of a team. ``visits``: the pile is worked on now, and is sound afterwards if ``fixed``."""

    at: float
    order: str
    pile: str
    connector: int
    body: dict[str, Any]
    visits: bool = False
    fixed: bool = False

    @property
    def key(self) -> str:
        """An idempotency key for this report."""
        return f"{self.order}-{self.body['event']}-{self.at:.3f}"


@dataclass(slots=True)
class _Script:
    order: str
    pile: str
    connector: int
    departed: bool = False
    parts_came: bool = False
    off: bool = False


@dataclass(slots=True)
class Tally:
    """What the teams did."""

    orders: int = 0
    acts: int = 0
    visits: int = 0
    mended: int = 0
    nothing_found: int = 0
    by_event: dict[str, int] = field(default_factory=dict)


class FieldForce:
    """All teams together."""

    def __init__(self, rng: Random, look: Look, ways: Ways | None = None) -> None:
        """Nobody has an order yet."""
        self._rng = rng
        self._look = look
        self._ways = ways or Ways()
        self._agenda = Agenda()
        self._scripts: dict[str, _Script] = {}
        self._resting: dict[str, float] = {}
        self._seen: set[str] = set()
        self._due: list[Act] = []
        self.tally = Tally()

    def next_at(self) -> float:
        """When a team reports next."""
        return self._agenda.next_at()

    def advance(self, now: float) -> list[Act]:
        """What was reported until ``now``."""
        while self._agenda.next_at() <= now:
            self._agenda.run_next()
        due, self._due = self._due, []
        return due

    def consider(self, now: float, order: Mapping[str, Any]) -> None:
        """Look at an order's present state: begin work on it, or drop it when it was recalled in time."""
        number, state = str(order["id"]), str(order["state"])
        script = self._scripts.get(number)
        if script is not None:
            if state in {"recalled", "closed"} and not script.departed:
                script.off = True
                del self._scripts[number]
            return
        step = NEXT_STEP.get(state)
        if step is None or self._resting.get(number, 0.0) > now:
            return
        if number not in self._seen:
            self._seen.add(number)
            self.tally.orders += 1
        script = _Script(order=number, pile=str(order["pile"]), connector=int(order.get("connector") or 0))
        script.departed = step not in {"accept", "depart"}
        self._scripts[number] = script
        self._begin(now, script, step)

    def _begin(self, now: float, script: _Script, step: str) -> None:
        ways, rng = self._ways, self._rng
        if step == "accept":
            late = rng.random() < ways.late
            self._later(now, ways.late_s if late else ways.accept_s, script, self._accept)
        elif step == "depart":
            self._later(now, ways.depart_s, script, self._depart)
        elif step == "arrive":
            self._later(now, ways.drive_s, script, self._arrive)
        elif step == "work":
            self._later(now, ways.work_s, script, self._work)
        else:
            self._later(now, ways.parts_s, script, self._come_back)

    def _later(self, now: float, wait_s: Range, script: _Script, step: Callable[[float, _Script], None]) -> None:
        def go_on(at: float) -> None:
            if not script.off:
                step(at, script)

        self._agenda.add(now + self._rng.uniform(*wait_s), go_on)

    def _accept(self, now: float, script: _Script) -> None:
        if self._rng.random() < self._ways.returns:
            self._end(now, script, {"event": "return", "reason": "not in our area today"})
            return
        self._report(now, script, {"event": "accept"})
        self._begin(now, script, "depart")

    def _depart(self, now: float, script: _Script) -> None:
        script.departed = True
        self._report(now, script, {"event": "depart"})
        self._begin(now, script, "arrive")

    def _arrive(self, now: float, script: _Script) -> None:
        self._report(now, script, {"event": "arrive"})
        self._begin(now, script, "work")

    def _come_back(self, now: float, script: _Script) -> None:
        script.parts_came = True
        self._arrive(now, script)

    def _work(self, now: float, script: _Script) -> None:
        sight = self._look(script.pile, script.connector)
        whole = self._look(script.pile, 0)
        faults = sight.faults or whole.faults
        parts = [part for name in faults for part in KINDS[name].parts]
        if not faults and not whole.dead:
            self.tally.nothing_found += 1
            body = {"event": "done", "cause": "no fault found", "work": "test charge passed", "no_fault_found": True}
            self._end(now, script, body)
        elif parts and not script.parts_came and self._rng.random() < self._ways.waits:
            self._report(now, script, {"event": "wait", "reason": f"waiting for {parts[0]}"})
            self._begin(now, script, "come_back")
        else:
            self._mend(now, script, faults, parts)

    def _mend(self, now: float, script: _Script, faults: tuple[str, ...], parts: list[str]) -> None:
        cause = ", ".join(name.replace("_", " ") for name in faults) or "controller did not start"
        self.tally.visits += 1
        fixed = self._rng.random() < self._ways.mends
        self.tally.mended += fixed
        if not fixed and self._rng.random() < self._ways.admits:
            body: dict[str, Any] = {"event": "incomplete", "reason": "fault still present", "cause": cause}
        else:
            body = {"event": "done", "cause": cause, "work": "replaced" if parts else "restarted and tested"}
            if parts:
                body["parts"] = parts
        self._end(now, script, body, visits=True, fixed=fixed)

    def _end(
        self, now: float, script: _Script, body: dict[str, Any], *, visits: bool = False, fixed: bool = False
    ) -> None:
        self._report(now, script, body, visits=visits, fixed=fixed)
        self._scripts.pop(script.order, None)
        # A list fetched a moment ago may still show the old state: it must not start a second visit.
        self._resting[script.order] = now + self._ways.rest_s

    def _report(
        self, now: float, script: _Script, body: dict[str, Any], *, visits: bool = False, fixed: bool = False
    ) -> None:
        self.tally.acts += 1
        event = str(body["event"])
        self.tally.by_event[event] = self.tally.by_event.get(event, 0) + 1
        self._due.append(
            Act(
                at=now,
                order=script.order,
                pile=script.pile,
                connector=script.connector,
                body=body,
                visits=visits,
                fixed=fixed,
            )
        )
