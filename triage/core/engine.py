"""The engine: (state, event, now) in, a decision out. Deciding has no side effects; applying only moves memory.

One engine owns one partition of the fleet and assumes nothing about the rest. Every kind of event has a handler;
healthy telemetry takes a short way that touches no record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from sys import intern
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.core import callback, conduct, deadlines, intake, people, reports, visits
from triage.core.deadlines import SAMPLE_SLICE
from triage.core.detect import next_look, symptoms
from triage.core.draft import Decision, Draft, Rules
from triage.core.effects import Snapshot
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
from triage.core.observation import dangers_in, doubt, forget_liveness, is_late, observe
from triage.core.state import State
from triage.core.traces import transitions
from triage.core.vocabulary import ConnectorStatus, Link

DUE_LIMIT = 500


def _sharing(registration: Registration) -> Registration:
    """The same registration; what thousands of piles have in common is kept once."""
    return replace(
        registration,
        site=intern(registration.site),
        region=intern(registration.region),
        profile=intern(registration.profile),
        model=intern(registration.model),
        team=intern(registration.team),
    )


class Quiet(Struct, frozen=True, gc=False):
    """An event that changes nothing anybody has to record.

    ``result`` labels the metric, ``pile`` is its newest state.
    """

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
        """Take over what storage remembers, for the piles the fleet file names.

        Who is charging is unknown from here.
        """
        known = {pile.id: pile for pile in snapshot.piles}
        piles = []
        for registration in map(_sharing, registrations):
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
        wanted = {registration.pile: registration for registration in map(_sharing, registrations)}
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
        return [
            Due(received_at=now, kind=kind, id=id)
            for kind, id in self.state.agenda.due(now, DUE_LIMIT)
            if not (kind == "pile" and self._still_heard(id, now))
        ]

    def _still_heard(self, id: str, now: datetime) -> bool:
        """Whether a pile's silence deadline was only too early; then it is moved to where it belongs.

        Healthy messages leave the deadline where it stands, so nearly every look finds just this.
        """
        pile = self.state.piles.get(id)
        if pile is None or pile.symptoms or id in self.state.by_pile:
            return False
        if any(each.status not in SETTLED for each in pile.connectors):
            return False
        look = next_look(pile, self.rules.policy, now, self._listening_since(pile))
        if look is None or look <= now or pile.link is not Link.ONLINE:
            return False
        self.state.agenda.put("pile", id, look)
        return True

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
            self._apply_quiet(decision)
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

    def _apply_quiet(self, decision: Quiet) -> None:
        pile = decision.pile
        if pile is not None:
            self.state.keep_pile(pile)
            # A healthy message only moves the silence deadline further away; the standing one finds that out.
            if not self.state.agenda.has("pile", pile.id):
                self._look_again(pile, pile.heard_at)

    def _look_again(self, pile: Pile, now: datetime | None) -> None:
        if now is None:
            return
        look = next_look(pile, self.rules.policy, now, self._listening_since(pile))
        self.state.agenda.put_lazily("pile", pile.id, look)

    def _listening_since(self, pile: Pile) -> datetime | None:
        return self.state.listening_since(self.rules.driver_of(pile))

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
            return self._late(pile, event, now)
        seen = observe(pile, event, rules.faults, rules.policy)
        if self._uneventful(pile, seen):
            return Quiet("accepted", seen)
        draft = Draft(state, rules, now)
        found = symptoms(seen, rules.policy, now, draft.listening_since(seen))
        rows = transitions(pile, seen, now)
        quiet = not rows and not found and not pile.symptoms and pile.id not in state.by_pile
        if quiet and seen.booted_at is pile.booted_at and seen.hazard is pile.hazard:
            return Quiet("accepted", seen)
        draft.changes.moments.extend(rows)
        if rows or seen.booted_at is not pile.booted_at or seen.hazard != pile.hazard:
            draft.put_pile(seen)
            if seen.booted_at is not pile.booted_at:
                draft.note(pile.id, "boot", "started again (uptime fell)")
        attended = conduct.attend_in_memory(draft, seen)
        if not draft.changes:
            return Quiet("accepted", attended)
        draft.changes.piles.setdefault(pile.id, attended)
        return draft.decision(result="accepted")

    def _late(self, pile: Pile, event: Telemetry, now: datetime) -> Decision | Quiet:
        """A late reading is history; but danger it claims only ever makes us more careful."""
        dangers = () if event.retained or pile.hazard is not None else dangers_in(pile, event, self.rules.faults)
        if not dangers:
            return Quiet("retained" if event.retained else "late", doubt(pile, event))
        draft = Draft(self.state, self.rules, now)
        conduct.beware(draft, doubt(pile, event), dangers)
        return draft.decision(result="late")

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
            old.status is new.status and new.status in SETTLED and old.session == new.session
            for old, new in zip(before.connectors, after.connectors, strict=True)
        )


SETTLED = frozenset(
    {
        ConnectorStatus.AVAILABLE,
        ConnectorStatus.CHARGING,
        ConnectorStatus.SUSPENDED_EV,
        ConnectorStatus.SUSPENDED_EVSE,
        ConnectorStatus.RESERVED,
    }
)
"""Statuses in which time alone makes no symptom."""


_HANDLERS: dict[type[Event], Callable[[Draft, Any], None]] = {
    PileStatus: reports.status,
    CommandAnswer: reports.answer,
    DriverLink: reports.link,
    Quarantined: reports.quarantined,
    ComplaintReceived: intake.receive,
    CallbackGiven: callback.call_back,
    ComplaintAct: callback.act_on_complaint,
    IncidentAct: people.act_on_incident,
    OrderAct: visits.act_on_order,
    SilenceSet: people.set_silence,
    SilenceLifted: people.lift_silence,
    CommandWanted: people.want_command,
    KillSwitch: people.throw_kill_switch,
    EffectOutcome: reports.outcome,
    Due: deadlines.come,
    Started: reports.started,
}
