"""Everybody around the daemon: drivers who complain, agents who call back, dispatchers at the desk, and field teams.

They read what is public (here: what is committed) and act through the daemon's front with keys, again and again until
they are answered, as real clients do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from simulators.people import Crowd, Submission
from simulators.technicians import Act, FieldForce, Ways
from triage.core.events import Ask, CallbackGiven, ComplaintReceived, IncidentAct, OrderAct, Reporter
from triage.core.vocabulary import Channel, IncidentState, OrderState, Tier

if TYPE_CHECKING:
    from simulators.fleet import Fleet
    from simulators.invariants import Auditor
    from simulators.loop import VirtualLoop
    from simulators.world.front import Front
    from simulators.world.yard import Yard
    from triage.core.complaint import Complaint
    from triage.core.effects import OrderNotice

MINUTE_S = 60.0
ROUND_S = 5 * MINUTE_S
WAYS = Ways(
    accept_s=(2 * MINUTE_S, 15 * MINUTE_S),
    late_s=(35 * MINUTE_S, 60 * MINUTE_S),
    depart_s=(2 * MINUTE_S, 20 * MINUTE_S),
    drive_s=(10 * MINUTE_S, 40 * MINUTE_S),
    work_s=(10 * MINUTE_S, 40 * MINUTE_S),
    parts_s=(20 * MINUTE_S, 60 * MINUTE_S),
)
"""A quick field force: a world of a few days must see orders end."""


class Society:
    """All people of the world."""

    def __init__(self, loop: VirtualLoop, fleet: Fleet, yard: Yard, front: Front, auditor: Auditor) -> None:
        """Know the places and the way to the daemon."""
        self._loop = loop
        self._yard = yard
        self._front = front
        self._auditor = auditor
        self._rng: Random = fleet.stream("society")
        self._crowd = Crowd(fleet.stream("crowd"), fleet.places(), loop.time(), clock=yard.clock)
        self._force = FieldForce(
            fleet.stream("force"), lambda pile, connector: yard.piles[pile].condition(connector), WAYS
        )
        self._claims: dict[str, Submission] = {}
        self._called: set[tuple[str, int]] = set()
        self._decided: set[tuple[str, datetime]] = set()
        self._timers: dict[str, Any] = {}
        self._keys = 0
        self.complaints = self.open = 0
        yard.met = self._met

    def start(self) -> None:
        """Begin to live."""
        self._arm("crowd", self._crowd.next_at(), self._write)
        self._loop.call_later(ROUND_S, self._round)

    def _arm(self, name: str, at: float, work: Callable[[], None]) -> None:
        timer = self._timers.get(name)
        if timer is not None:
            timer.cancel()
        if at != float("inf"):
            self._timers[name] = self._loop.call_at(max(at, self._loop.time()), work)

    def _do(self, make: Callable[[datetime], Ask], then: Callable[[Any], None] | None = None) -> None:
        async def work() -> None:
            self.open += 1
            answer = await self._front.ask(make)
            self.open -= 1
            if then is not None:
                then(answer)

        self._front.spawn(work())

    def _key(self, prefix: str) -> str:
        self._keys += 1
        return f"{prefix}-{self._keys}"

    # -- drivers ---------------------------------------------------------------------------------------------------

    def _met(self, encounter: Any) -> None:
        self._crowd.meet(encounter)
        self._arm("crowd", self._crowd.next_at(), self._write)

    def _write(self) -> None:
        for submission in self._crowd.advance(self._loop.time()):
            self._submit(submission)
        self._arm("crowd", self._crowd.next_at(), self._write)

    def _submit(self, submission: Submission) -> None:
        body, key = submission.body, submission.key
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        self.complaints += not submission.repeat

        def make(now: datetime) -> Ask:
            return complaint(now, body, key, digest)

        def answered(answer: Any) -> None:
            if answer.status in {200, 201}:
                self._claims[answer.body["number"]] = submission
                self._auditor.answered(key, answer.body["number"])
            else:
                self._auditor.court.accuse("I1", key, f"refused with {answer.status}: {answer.body}")

        self._do(make, answered)

    # -- the field -------------------------------------------------------------------------------------------------

    def dispatch(self, notice: OrderNotice) -> None:
        """The outside system got a notice that is new to it."""
        self._front.client(lambda: self._consider(notice))

    def _consider(self, notice: OrderNotice) -> None:
        order = notice.order
        body = {"id": order.id, "state": order.state.value, "pile": order.pile, "connector": order.connector}
        self._force.consider(self._loop.time(), body)
        self._arm("force", self._force.next_at(), self._work)

    def _work(self) -> None:
        for act in self._force.advance(self._loop.time()):
            self._report(act)
        self._arm("force", self._force.next_at(), self._work)

    def _report(self, act: Act) -> None:
        if act.visits:
            self._yard.repair(act.pile, fixed=act.fixed)
        if act.body["event"] == "done":
            self._auditor.person_acted(act.pile)
        details: dict[str, Any] = {key: value for key, value in act.body.items() if key != "event"}
        details["parts"] = tuple(details.get("parts", ()))

        def make(now: datetime) -> Ask:
            return OrderAct(
                received_at=now,
                actor="team",
                key=act.key,
                scope="orders",
                digest=act.key,
                order=act.order,
                act=act.body["event"],
                **details,
            )

        self._do(make)

    # -- the office ------------------------------------------------------------------------------------------------

    def _round(self) -> None:
        """Every few minutes somebody looks at the lists."""
        ledger, now = self._auditor.ledger, self._loop.time()
        for id in sorted(ledger.open_since):
            incident = ledger.incidents[id]
            if incident.state is IncidentState.DESK:
                self._decide(id, incident.state_since)
        for number in sorted(ledger.resolved):
            self._call(ledger.complaints[number])
        for id in sorted(ledger.open_orders):
            order = ledger.orders[id]
            if id in self._auditor.tickets.by_order and order.state is not OrderState.DONE:
                body = {"id": id, "state": order.state.value, "pile": order.pile, "connector": order.connector}
                self._force.consider(now, body)
        self._arm("force", self._force.next_at(), self._work)
        self._loop.call_later(ROUND_S, self._round)

    def _decide(self, id: str, since: datetime) -> None:
        if (id, since) in self._decided:
            return
        self._decided.add((id, since))
        chance = self._rng.random()
        if chance < 0.15:  # noqa: PLR2004 - nobody is at the desk: its clock has to do
            return
        pile = self._auditor.ledger.incidents[id].pile
        sound = self._yard.piles[pile].condition().can_charge
        act = "retry" if chance < 0.4 else "dismiss" if chance < 0.55 and sound else "dispatch"  # noqa: PLR2004
        key = self._key("desk")
        if act == "dismiss":
            self._auditor.person_acted(pile)

        def make(now: datetime) -> Ask:
            return IncidentAct(
                received_at=now, actor="desk", key=key, scope="incidents", digest=key, incident=id, act=act, reason=act
            )

        self._loop.call_later(self._rng.uniform(0.0, 20 * MINUTE_S), self._do, make)

    def _call(self, complaint: Complaint) -> None:
        turn = int(self._loop.time() // (90 * MINUTE_S))
        if (complaint.number, turn) in self._called:
            return
        self._called.add((complaint.number, turn))
        submission = self._claims.get(complaint.number)
        if submission is None:
            return
        claim = submission.claim
        sound = self._yard.piles[claim.pile].condition(claim.connector).can_charge
        words = self._crowd.callback(claim, can_charge=sound)
        if words is None:
            return
        key = self._key("call")

        def make(now: datetime) -> Ask:
            return CallbackGiven(
                received_at=now,
                actor="agent",
                key=key,
                scope="complaints",
                digest=key,
                complaint=complaint.number,
                **words,
            )

        self._loop.call_later(self._rng.uniform(0.0, 60 * MINUTE_S), self._do, make)


def complaint(now: datetime, body: Mapping[str, Any], key: str, digest: str) -> ComplaintReceived:
    """The JSON a person posts, as an event. ``reference`` lets the auditor count by the person's own key."""
    reporter = body["reporter"]
    occurred = body.get("occurred_at")
    return ComplaintReceived(
        received_at=now,
        actor="public",
        key=key,
        scope="complaints",
        digest=digest,
        channel=Channel(body["channel"]),
        text=body["text"],
        pile=body.get("pile"),
        connector=body.get("connector"),
        site=body.get("site"),
        occurred_at=datetime.fromisoformat(occurred) if occurred is not None else None,
        reporter=Reporter(name=reporter["name"], phone=reporter["phone"], tier=Tier(reporter["tier"])),
        expectation=body.get("expectation"),
        reference=key,
    )
