"""The engine: (state, event, now) in, a decision out. Deciding has no side effects; applying only moves memory.

One engine owns one partition of the fleet and assumes nothing about the rest. Every kind of event has a handler; healthy
telemetry takes a short way that touches no record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.core import conduct, field, intake, people
from triage.core.detect import next_look, symptoms
from triage.core.draft import Decision, Draft, Rules
from triage.core.effects import Command, Snapshot
from triage.core.events import (
    CallbackGiven,
    CommandAnswer,
    CommandWanted,
    ComplaintAct,
    ComplaintReceived,
    DriverLink,
    Due,
    EffectOutcome,
    Event,
    IncidentAct,
    KillSwitch,
    Moment,
    OrderAct,
    PileStatus,
    Quarantined,
    Registration,
    SilenceLifted,
    SilenceSet,
    Started,
    Telemetry,
)
from triage.core.fleet import Pile
from triage.core.observation import forget_liveness, is_late, observe, observe_status
from triage.core.state import State
from triage.core.vocabulary import ConnectorStatus, Link

SAMPLE_SLICE = 500
DUE_LIMIT = 500


class Quiet(Struct, frozen=True, gc=False):
    """An event that changes nothing anybody has to record: ``result`` labels the metric, ``pile`` is its newest state."""

    result: str
    pile: Pile | None = None


class Engine:
    """Decides and applies. Not thread-safe: one loop owns it."""

    def __init__(self, rules: Rules, *, drivers: Iterable[str] = ()) -> None:
        """Begin empty; ``drivers`` are the ways to the field, all down until they say otherwise."""
        self.rules = rules
        self.state = State(rules.policy)
        self.state.listening = dict.fromkeys(drivers)

    def start(self, snapshot: Snapshot, registrations: Iterable[Registration], now: datetime) -> None:
        """Take over what storage remembers, for the piles the fleet file names. Who is charging is unknown from here."""
        known = {pile.id: pile for pile in snapshot.piles}
        piles = []
        for registration in registrations:
            before = known.get(registration.pile)
            pile = Pile(registration=registration) if before is None else replace(before, registration=registration)
            piles.append(forget_liveness(pile))
        self.state.restore(
            Snapshot(
                piles=piles,
                incidents=snapshot.incidents,
                complaints=snapshot.complaints,
                orders=snapshot.orders,
                silences=snapshot.silences,
                outbox=snapshot.outbox,
                settings=snapshot.settings,
            )
        )
        self.state.started_at = now
        if piles:
            self.state.agenda.put("sample", "0", now + self._sample_gap())

    def reload(self, rules: Rules) -> None:
        """Decide by other rules from now on; runs keep the plan text they were pinned to where it still exists."""
        self.rules = rules
        self.state.policy = rules.policy

    def enrol(self, registrations: Iterable[Registration]) -> None:
        """The fleet as its file says now: new piles join, known ones keep what is known, the others are forgotten."""
        state = self.state
        wanted = {registration.pile: registration for registration in registrations}
        for id in [id for id in state.piles if id not in wanted]:
            state.drop_pile(id)
        for id, registration in wanted.items():
            known = state.piles.get(id)
            if known is None:
                state.unregistered.pop((registration.site, id), None)
                state.keep_pile(Pile(registration=registration))
            elif known.registration != registration:
                state.keep_pile(replace(known, registration=registration))

    def next_due(self) -> datetime | None:
        """The earliest deadline of anything."""
        return self.state.agenda.next()

    def due(self, now: datetime) -> list[Due]:
        """The deadlines that have come, at most :data:`DUE_LIMIT` at once; ask again for more."""
        return [Due(received_at=now, kind=kind, id=id) for kind, id in self.state.agenda.due(now, DUE_LIMIT)]

    def decide(self, event: Event, now: datetime) -> Decision | Quiet:
        """What ``event`` leads to. Changes nothing; raises only for defects of ours."""
        if isinstance(event, Telemetry):
            return self._telemetry(event, now)
        draft = Draft(self.state, self.rules, now)
        _HANDLERS[type(event)](draft, event)
        return draft.decision()

    def apply(self, decision: Decision | Quiet) -> None:
        """Take a decision over into memory."""
        state = self.state
        if isinstance(decision, Quiet):
            pile = decision.pile
            if pile is not None:
                state.keep_pile(pile)
                # A healthy message only moves the silence deadline further away; the standing one finds that out.
                if not state.agenda.has("pile", pile.id):
                    self._look_again(pile, pile.heard_at)
            return
        state.apply(decision.changes)
        for driver, since in decision.links:
            state.listening[driver] = since
            if since is not None:
                for pile in state.piles.values():
                    self._look_again(pile, since)
        for site, stranger in decision.strangers:
            state.note_unregistered(site, stranger, decision.at)
        for pile in decision.changes.piles.values():
            self._look_again(pile, decision.at)
        for kind, id in decision.forgotten:
            state.forget(kind, id)
        for kind, id, when in decision.looks:
            state.agenda.put(kind, id, when)

    def _look_again(self, pile: Pile, now: datetime | None) -> None:
        if now is None:
            return
        look = next_look(pile, self.rules.policy, now, self.state.listening_since())
        self.state.agenda.put_lazily("pile", pile.id, look)

    def _sample_gap(self) -> timedelta:
        slices = max(1, -(-len(self.state.piles) // SAMPLE_SLICE))
        return self.rules.policy.span("sample_interval") / slices

    # Telemetry -----------------------------------------------------------------------------------------------------

    def _telemetry(self, event: Telemetry, now: datetime) -> Decision | Quiet:
        state, rules = self.state, self.rules
        pile = state.piles.get(event.pile)
        if pile is None or pile.registration.site != event.site:
            if (event.site, event.pile) in state.unregistered:
                return Quiet("unregistered")
            return Decision(at=now, strangers=((event.site, event.pile),), result="unregistered")
        if is_late(pile, event, rules.policy):
            return Quiet("retained" if event.retained else "late")
        seen = observe(pile, event, rules.faults, rules.policy)
        if self._uneventful(pile, seen):
            return Quiet("accepted", seen)
        draft = Draft(state, rules, now)
        found = symptoms(seen, rules.policy, now, draft.listening_since())
        transitions = _transitions(pile, seen, now)
        quiet = not transitions and not found and not pile.symptoms and pile.id not in state.by_pile
        if quiet and seen.booted_at is pile.booted_at and seen.hazard is pile.hazard:
            return Quiet("accepted", seen)
        draft.changes.moments.extend(transitions)
        if transitions or seen.booted_at is not pile.booted_at or seen.hazard != pile.hazard:
            draft.put_pile(seen)
            if seen.booted_at is not pile.booted_at:
                draft.note(pile.id, "boot", "started again (uptime fell)")
        attended = _attend(draft, seen)
        if not draft.changes:
            return Quiet("accepted", attended)
        draft.changes.piles.setdefault(pile.id, attended)
        return draft.decision(result="accepted")

    def _uneventful(self, before: Pile, after: Pile) -> bool:
        """Whether nothing but the moment and the measured values is new on a pile nobody worries about."""
        if after.faults or before.faults or before.symptoms or before.id in self.state.by_pile:
            return False
        if len(after.onsets) >= self.rules.policy.flap_count:
            return False
        if after.booted_at is not before.booted_at or before.link is not Link.ONLINE:
            return False
        if len(before.connectors) != len(after.connectors):
            return False
        return all(
            old.status is new.status and new.status in _SETTLED and old.session == new.session
            for old, new in zip(before.connectors, after.connectors, strict=True)
        )


_SETTLED = frozenset(
    {
        ConnectorStatus.AVAILABLE,
        ConnectorStatus.CHARGING,
        ConnectorStatus.SUSPENDED_EV,
        ConnectorStatus.SUSPENDED_EVSE,
        ConnectorStatus.RESERVED,
    }
)
"""Statuses in which time alone makes no symptom."""


def _transitions(before: Pile, after: Pile, now: datetime) -> list[Moment]:
    """History rows for what changed: link, faults, or a connector's status."""
    found = []
    faults = after.faults != before.faults
    old = {each.number: each for each in before.connectors}
    for each in after.connectors:
        known = old.get(each.number)
        if faults or known is None or known.status is not each.status or known.session != each.session:
            found.append(_moment(after, each.number, now))
    if not found and (faults or before.link is not after.link):
        found.append(_moment(after, 0, now))
    return found


def _moment(pile: Pile, number: int, now: datetime, cause: str = "transition") -> Moment:
    connector = pile.connector(number)
    return Moment(
        pile=pile.id,
        at=now,
        connector=number,
        link=pile.link.value,
        status=connector.status.value if connector is not None and connector.status is not None else None,
        faults=tuple(fault.code for fault in pile.faults if fault.connector in {0, number}),
        session="live" if connector is not None and connector.session is not None else None,
        cause=cause,
    )


def _attend(draft: Draft, pile: Pile) -> Pile:
    """Attend to ``pile`` although the draft need not store it: decisions below read it through the draft."""
    stored = pile.id in draft.changes.piles
    draft.changes.piles[pile.id] = pile
    attended = conduct.attend(draft, pile)
    if not stored and draft.changes.piles.get(pile.id) is pile:
        del draft.changes.piles[pile.id]
    return attended


# The other events -----------------------------------------------------------------------------------------------------


def _status(draft: Draft, event: PileStatus) -> None:
    pile = draft.pile(event.pile)
    if pile is None or pile.registration.site != event.site:
        draft.strangers.append((event.site, event.pile))
        return
    seen = observe_status(pile, event, draft.policy)
    if seen == pile:
        return
    draft.changes.moments.extend(_transitions(pile, seen, draft.now))
    if seen.boot_id != pile.boot_id and not event.retained:
        reason = event.boot_reason.value if event.boot_reason is not None else "unknown"
        draft.note(pile.id, "boot", f"started again: {reason}", data={"boot_id": (seen.boot_id or "")[:64]})
    draft.put_pile(seen)
    conduct.attend(draft, seen)


def _answer(draft: Draft, event: CommandAnswer) -> None:
    incident = draft.incident(event.command.rsplit(".", 1)[0])
    attempt = next((each for each in incident.attempts if each.id == event.command), None) if incident else None
    if incident is None or attempt is None or incident.pile != event.pile:
        text = "answer for a command this pile was never sent"
        draft.note(event.pile, "security", text, data={"command": event.command[:80]})
        draft.count("quarantined", "mqtt", "unknown_command")
        return
    text = f"device answered {event.result}{': ' if event.reason else ''}{event.reason[:200]}"
    draft.note(incident.id, "answer", text, data={"attempt": attempt.id}, also=(incident.pile,))
    if attempt.result is not None or attempt.answer is not None:
        return
    answered = replace(attempt, answer=event.result.value, answer_reason=event.reason[:200], left=True)
    attempts = tuple(answered if each.id == attempt.id else each for each in incident.attempts)
    conduct.progress(draft, draft.put_incident(replace(incident, attempts=attempts)))


def _outcome(draft: Draft, event: EffectOutcome) -> None:
    item = draft.state.outbox.get(event.effect)
    if item is None:
        return
    if isinstance(item.effect, Command):
        _command_outcome(draft, event)
    elif event.outcome == "delivered":
        draft.settle(event.effect, "done", event.reference)
        order = draft.order(item.effect.order.id)
        if order is not None:
            draft.put_order(
                replace(
                    order,
                    delivered_at=order.delivered_at or draft.now,
                    delivery_reference=event.reference or order.delivery_reference,
                )
            )
    else:
        tries = item.tries + 1
        draft.changes.outbox[item.id] = replace(item, tries=tries, note=event.reason[:300])


def _command_outcome(draft: Draft, event: EffectOutcome) -> None:
    incident = draft.incident(event.effect.rsplit(".", 1)[0])
    attempt = incident.under_way if incident is not None else None
    if incident is None or attempt is None or attempt.id != event.effect:
        draft.settle(event.effect, "done", event.outcome)
        return
    if event.outcome == "sent":
        settled = replace(attempt, left=True)
    elif event.outcome == "not_sent":
        settled = replace(attempt, left=False, reason=event.reason[:300])
        draft.settle(event.effect, "failed", event.reason[:300])
    else:
        return
    changed = draft.put_incident(replace(incident, attempts=(*incident.attempts[:-1], settled)))
    if settled.left is False:
        _give_back(draft, changed.pile, settled.sent_at)
        conduct.progress(draft, changed)


def _give_back(draft: Draft, pile_id: str, sent_at: datetime) -> None:
    """A reset that certainly did not leave is no reset: it does not count against the pile."""
    pile = draft.pile(pile_id)
    if pile is not None and sent_at in pile.resets:
        draft.put_pile(replace(pile, resets=tuple(at for at in pile.resets if at != sent_at)))


def _link(draft: Draft, event: DriverLink) -> None:
    up = draft.state.listening.get(event.driver) is not None
    if up == event.up:
        return
    draft.links.append((event.driver, draft.now if event.up else None))
    draft.note(f"driver:{event.driver}", "link", f"our link is {'up' if event.up else 'down'}")


def _due(draft: Draft, event: Due) -> None:
    _DUE[event.kind](draft, event.id)


def _due_pile(draft: Draft, id: str) -> None:
    pile = draft.pile(id)
    if pile is not None:
        attended = _attend(draft, pile)
        draft.looks.append(("pile", id, next_look(attended, draft.policy, draft.now, draft.listening_since())))


def _due_incident(draft: Draft, id: str) -> None:
    incident = draft.incident(id)
    if incident is None:
        return
    if incident.open:
        conduct.wake(draft, incident)
    else:
        draft.forgotten.append(("incident", id))


def _due_order(draft: Draft, id: str) -> None:
    order = draft.order(id)
    if order is None:
        return
    if order.open:
        field.tick_order(draft, order)
    else:
        draft.forgotten.append(("order", id))


def _due_complaint(draft: Draft, id: str) -> None:
    complaint = draft.complaint(id)
    if complaint is not None and complaint.closed_at is not None:
        draft.forgotten.append(("complaint", id))


def _due_silence(draft: Draft, id: str) -> None:
    silence = draft.state.silences.get(id)
    if silence is not None:
        draft.note(id, "silence", "maintenance has ended")
        draft.forgotten.append(("silence", id))


def _due_sample(draft: Draft, id: str) -> None:
    """One slice of the fleet for the state history; the slices go round once per sample interval."""
    ids = sorted(draft.state.piles)
    slices = max(1, -(-len(ids) // SAMPLE_SLICE))
    turn = int(id) if id.isdigit() else 0
    for pile_id in ids[turn % slices :: slices]:
        pile = draft.state.piles[pile_id]
        if pile.seen_since_start:
            draft.changes.moments.extend(_moment(pile, each.number, draft.now, "sample") for each in pile.connectors)
    gap = draft.policy.span("sample_interval") / slices
    draft.looks.append(("sample", str((turn + 1) % slices), draft.now + gap))


def _started(draft: Draft, event: Started) -> None:
    del event
    draft.note("daemon", "started", "the daemon started")


def _quarantined(draft: Draft, event: Quarantined) -> None:
    draft.changes.quarantine.append(event)
    draft.count("quarantined", event.driver, event.reason)


_DUE: dict[str, Callable[[Draft, str], None]] = {
    "pile": _due_pile,
    "incident": _due_incident,
    "order": _due_order,
    "complaint": _due_complaint,
    "silence": _due_silence,
    "sample": _due_sample,
}

_HANDLERS: dict[type[Event], Callable[[Draft, Any], None]] = {
    PileStatus: _status,
    CommandAnswer: _answer,
    DriverLink: _link,
    Quarantined: _quarantined,
    ComplaintReceived: intake.receive,
    CallbackGiven: intake.call_back,
    ComplaintAct: intake.act_on_complaint,
    IncidentAct: people.act_on_incident,
    OrderAct: field.act_on_order,
    SilenceSet: people.set_silence,
    SilenceLifted: people.lift_silence,
    CommandWanted: people.want_command,
    KillSwitch: people.throw_kill_switch,
    EffectOutcome: _outcome,
    Due: _due,
    Started: _started,
}
