"""The incidents of a pile that is lost together with many others: nothing is decided of them by themselves."""

from __future__ import annotations

from msgspec.structs import replace

from triage.core.attempt import conclude
from triage.core.draft import Draft, gone
from triage.core.fleet import Pile
from triage.core.incident import Incident, Refusal
from triage.core.inquiry import outage_over
from triage.core.lifecycle import Trigger
from triage.core.outage import COMMON_CAUSE, LOST
from triage.core.vocabulary import Family, Gate, IncidentState, Result

REFUSALS_KEPT = 20
LOOKS_APART = 10
"""The end of an outage wakes its members; by themselves they only make sure, this many looks apart."""

_ELSEWHERE = frozenset({IncidentState.FIELD, IncidentState.CONFIRMING, IncidentState.CLOSED})


_NEVER_WAITS = frozenset({Family.SAFETY, Family.DAMAGE})


def stands_still(draft: Draft, incident: Incident, pile: Pile) -> bool:
    """Whether ``incident`` waits for the end of an outage; then that is on record, and it is looked at later."""
    if incident.state in _ELSEWHERE or incident.held_by or incident.family in _NEVER_WAITS:
        return False
    lost = incident.family in COMMON_CAUSE
    if not (gone(pile) or lost) or (incident.state is IncidentState.DESK and (not lost or incident.work_order)):
        return False
    if not any(outage.sign == LOST and member.out for outage, member in draft.state.memberships(pile.id)):
        return False
    if lost and not any(symptom.family in COMMON_CAUSE for symptom in pile.symptoms):
        return False  # it is back; the outage hears of that in a moment
    if incident.wake_at is None or incident.wake_at > draft.now:
        return gone(pile)
    _wait(draft, incident, pile)
    return True


def _wait(draft: Draft, incident: Incident, pile: Pile) -> None:
    if incident.state is IncidentState.DESK:
        draft.look_later(incident, draft.now + draft.policy.span("retry_look") * LOOKS_APART)
        return
    outage, reason = outage_over(draft, incident, pile)
    attempt = incident.under_way
    trigger = Trigger.REFUSAL
    if attempt is not None:
        text = "it was lost together with many others before anything was proven"
        incident = conclude(draft, incident, attempt, Result.UNKNOWN, text)
        trigger = Trigger.UNKNOWN
    elif incident.state is IncidentState.PROBATION:
        trigger = Trigger.TIMEOUT
    hold(draft, incident, trigger, outage, reason)


def hold(draft: Draft, incident: Incident, trigger: Trigger, outage: str, reason: str) -> Incident:
    """Held for as long as the outage lasts: no clock of its own runs meanwhile, and everything is decided anew then.

    It is written once; that it goes on holding writes nothing.
    """
    later = draft.now + draft.policy.span("retry_look") * LOOKS_APART
    turns = [member.free_at for _, member in draft.state.memberships(incident.pile) if member.free_at is not None]
    look = min([later, *(each for each in turns if each > draft.now)])
    if not held_already(incident):
        refusal = Refusal(gate=Gate.OUTAGE, reason=reason, at=draft.now, next_look_at=look)
        incident = _put_on_hold(draft, incident, trigger, outage, refusal)
    draft.look_later(incident, look)
    return incident


def held_already(incident: Incident) -> bool:
    """Whether it is held for an outage, and nothing else was decided of it since."""
    held = incident.state is IncidentState.HELD and not incident.held_by and bool(incident.refusals)
    return held and incident.refusals[-1].gate is Gate.OUTAGE


def _put_on_hold(draft: Draft, incident: Incident, trigger: Trigger, outage: str, refusal: Refusal) -> Incident:
    draft.count("refusals", refusal.gate)
    run = incident.run
    return draft.move(
        incident,
        trigger,
        IncidentState.HELD,
        refusal.reason,
        wake_at=draft.now,
        held_since=None,
        clear_since=None,
        soak_code=None,
        run=None if run is None else replace(run, deadline_at=None),
        refusals=(*incident.refusals, refusal)[-REFUSALS_KEPT:],
        outage=outage or incident.outage,
    )
