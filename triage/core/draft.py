"""A decision in the making: reads fall through to the state, writes stay here until the decision is applied.

Everything the engine writes goes through a draft, so that deciding is free of side effects, the journal misses nothing,
and no undeclared edge of a life can be taken.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from triage.core.classify import Lexicon
from triage.core.complaint import Complaint
from triage.core.effects import Answer, Changes, Effect, JournalEntry, OutboxItem
from triage.core.events import Moment
from triage.core.faults import FaultTable
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.lifecycle import TABLE, Ignore, Trigger
from triage.core.means import Dialects
from triage.core.plan import PlanBook
from triage.core.policy import Policy
from triage.core.silence import Silence
from triage.core.state import State
from triage.core.vocabulary import Family, IncidentState, Repeat
from triage.core.workorder import WorkOrder

ENGINE = "engine"


class Rules(Struct, frozen=True, kw_only=True):
    """What decisions are made by: numbers, plans, fault names and words. Replaced whole on reload."""

    policy: Policy
    plans: PlanBook
    faults: FaultTable
    lexicon: Lexicon
    dialects: Dialects = field(default_factory=dict)

    def driver_of(self, pile: Pile) -> str:
        """The name of the driver that speaks with ``pile``; empty when no dialect says so."""
        dialect = self.dialects.get(pile.registration.profile)
        return "" if dialect is None else dialect.driver


class Count(Struct, frozen=True, kw_only=True):
    """Something for the metrics: a counter's name, its labels, and how much."""

    name: str
    labels: tuple[str, ...] = ()
    value: float = 1.0


class Decision(Struct, frozen=True, kw_only=True):
    """What an event led to. ``answer`` is set for events that ask.

    Beyond the durable changes: our own links that changed, strangers heard, closed things memory may drop, and
    deadlines of things that are not stored.
    """

    at: datetime
    changes: Changes = field(default_factory=Changes)
    answer: Answer | None = None
    counts: tuple[Count, ...] = ()
    result: str = ""
    links: tuple[tuple[str, datetime | None], ...] = ()
    strangers: tuple[tuple[str, str], ...] = ()
    forgotten: tuple[tuple[str, str], ...] = ()
    looks: tuple[tuple[str, str, datetime | None], ...] = ()


class UndeclaredEdgeError(Exception):
    """The engine tried to move along an edge its table does not declare: a defect of ours, never an input's."""


class Draft:
    """One decision being made at ``now``."""

    def __init__(self, state: State, rules: Rules, now: datetime) -> None:
        """Begin with nothing changed."""
        self.state = state
        self.rules = rules
        self.policy = rules.policy
        self.now = now
        self.changes = Changes()
        self.answer: Answer | None = None
        self.counts: list[Count] = []
        self.links: list[tuple[str, datetime | None]] = []
        self.strangers: list[tuple[str, str]] = []
        self.forgotten: list[tuple[str, str]] = []
        self.looks: list[tuple[str, str, datetime | None]] = []

    def decision(self, result: str = "") -> Decision:
        """The finished decision."""
        return Decision(
            at=self.now,
            changes=self.changes,
            answer=self.answer,
            counts=tuple(self.counts),
            result=result,
            links=tuple(self.links),
            strangers=tuple(self.strangers),
            forgotten=tuple(self.forgotten),
            looks=tuple(self.looks),
        )

    # Reading -------------------------------------------------------------------------------------------------------

    def pile(self, id: str) -> Pile | None:
        """A registered pile."""
        return self.changes.piles.get(id) or self.state.piles.get(id)

    def incident(self, id: str) -> Incident | None:
        """An incident that is open or was closed recently."""
        return self.changes.incidents.get(id) or self.state.incidents.get(id)

    def complaint(self, number: str) -> Complaint | None:
        """A complaint that is open or was closed recently."""
        return self.changes.complaints.get(number) or self.state.complaints.get(number)

    def order(self, id: str) -> WorkOrder | None:
        """A work order that is open or was closed recently."""
        return self.changes.orders.get(id) or self.state.orders.get(id)

    def incidents_of(self, pile: str) -> list[Incident]:
        """The pile's incidents the state holds, closed ones included, oldest first, as this draft sees them."""
        ids = set(self.state.by_pile.get(pile, ()))
        ids.update(each.id for each in self.changes.incidents.values() if each.pile == pile)
        found = [self.incident(id) for id in sorted(ids)]
        return [each for each in found if each is not None]

    def open_incidents(self, pile: str) -> list[Incident]:
        """The pile's open incidents, oldest first, as this draft sees them."""
        return [each for each in self.incidents_of(pile) if each.open]

    def open_order(self, pile: str) -> WorkOrder | None:
        """The open order on a pile; there is at most one."""
        for incident in self.incidents_of(pile):
            if incident.work_order is not None:
                order = self.order(incident.work_order)
                if order is not None and order.open:
                    return order
        return None

    def silence_over(self, pile: Pile) -> Silence | None:
        """The silence that covers ``pile`` now."""
        for id, silence in self.state.silences.items():
            newest = self.changes.silences.get(id, silence)
            if newest.covers(pile, self.now):
                return newest
        return None

    def setting(self, key: str) -> str:
        """A persistent setting; empty when never set."""
        return self.changes.settings.get(key, self.state.settings.get(key, ""))

    def listening_since(self, pile: Pile) -> datetime | None:
        """From when on our own way to ``pile`` has been up; None while it is down."""
        return self.state.listening_since(self.rules.driver_of(pile))

    # Writing -------------------------------------------------------------------------------------------------------

    def serial(self, prefix: str) -> str:
        """The next number of a series, as ``P20261121-000001``. The date keeps restored backups from reusing one."""
        key = f"serial.{prefix}"
        value = int(self.setting(key) or 0) + 1
        self.changes.settings[key] = str(value)
        return f"{prefix}{self.now:%Y%m%d}-{value:06d}"

    def put_pile(self, pile: Pile) -> None:
        """Record a pile's transition: it will be stored."""
        self.changes.piles[pile.id] = pile

    def put_incident(self, incident: Incident) -> Incident:
        """Record an incident's new version."""
        self.changes.incidents[incident.id] = incident
        return incident

    def put_complaint(self, complaint: Complaint) -> Complaint:
        """Record a complaint's new version."""
        self.changes.complaints[complaint.number] = complaint
        return complaint

    def put_order(self, order: WorkOrder) -> WorkOrder:
        """Record a work order's new version."""
        self.changes.orders[order.id] = order
        return order

    def move(self, incident: Incident, trigger: Trigger, target: IncidentState, text: str, **changes: Any) -> Incident:
        """Take ``incident`` along a declared edge and say why; a move to the same state is a new round of it.

        Raises:
            UndeclaredEdgeError: the table has no such edge.
        """
        entry = TABLE[incident.state][trigger]
        if isinstance(entry, Ignore) or target not in entry:
            problem = f"{incident.id}: {incident.state} --{trigger}--> {target} is not declared"
            raise UndeclaredEdgeError(problem)
        moved = replace(incident, state=target, state_since=self.now, **changes)
        self.note(
            incident.id,
            "moved",
            text,
            data={"from": incident.state.value, "to": target.value, "trigger": trigger.value},
            also=(incident.pile,),
        )
        self.count("incident_transitions", incident.state, target)
        return self.put_incident(moved)

    def look_later(self, incident: Incident, when: datetime) -> None:
        """Look at an incident again at ``when`` although nothing about it changes: nothing has to be stored for that.

        After a restart the deadline on record has passed, and the look comes at once, which is right anyway.
        """
        self.looks.append(("incident", incident.id, when))

    def note(
        self,
        subject: str,
        kind: str,
        text: str,
        *,
        actor: str = ENGINE,
        data: dict[str, Any] | None = None,
        also: tuple[str, ...] = (),
    ) -> None:
        """Write a line into the journal."""
        entry = JournalEntry(
            at=self.now, subject=subject, kind=kind, actor=actor, text=text, data=data or {}, also=also
        )
        self.changes.journal.append(entry)

    def emit(self, effect: Effect, expires_at: datetime | None = None) -> None:
        """Want an effect. A never-blind one is on record as sent before its first byte leaves."""
        state = "sent" if effect.repeat is Repeat.NEVER_BLIND else "pending"
        self.changes.outbox[effect.id] = OutboxItem(
            id=effect.id, effect=effect, state=state, created_at=self.now, expires_at=expires_at
        )

    def settle(self, effect: str, state: str, note: str) -> OutboxItem | None:
        """Mark an effect as done or failed; None when it is not open."""
        item = self.changes.outbox.get(effect) or self.state.outbox.get(effect)
        if item is None:
            return None
        settled = replace(item, state=state, note=note)
        self.changes.outbox[effect] = settled
        return settled

    def remember(self, moment: Moment) -> None:
        """Add a row to a pile's state history."""
        self.changes.moments.append(moment)

    def count(self, name: str, *labels: str, value: float = 1.0) -> None:
        """Count something for the metrics, once the decision is durable."""
        self.counts.append(Count(name=name, labels=tuple(str(label) for label in labels), value=value))

    def reply(self, code: int, /, **body: Any) -> None:
        """Answer whoever asked, with an HTTP-like code."""
        self.answer = Answer(status=code, body=body)

    def refuse(self, status: int, title: str, detail: str) -> None:
        """Answer with a problem (RFC 9457)."""
        self.answer = Answer(status=status, body={"title": title, "status": status, "detail": detail})


def present(pile: Pile, incident: Incident) -> bool:
    """Whether the incident's trouble shows on the pile right now."""
    return any(
        symptom.family is incident.family and symptom.connector == incident.connector for symptom in pile.symptoms
    )


def gone(pile: Pile) -> bool:
    """Whether the pile cannot be heard, so that the absence of a claim proves nothing."""
    return any(symptom.family in {Family.OFFLINE, Family.UNRESPONSIVE} for symptom in pile.symptoms)
