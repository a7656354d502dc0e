"""What is done about a pile and its incidents, state by state, from current evidence.

The engine calls :func:`attend` whenever something was learned of a pile and :func:`wake` when a deadline has come;
both end in the same place, so a lost edge is found again by the next reading.
"""

from __future__ import annotations

from msgspec.structs import replace

from triage.core import callback, field, recovery, review, visits
from triage.core.attempt import conclude
from triage.core.detect import symptoms
from triage.core.draft import Draft, gone, present
from triage.core.ending import end
from triage.core.fleet import Pile, Symptom
from triage.core.incident import Incident
from triage.core.lifecycle import Trigger
from triage.core.linking import hand_over
from triage.core.opening import claimed, open_incident, reopen
from triage.core.vocabulary import CloseCode, Family, IncidentState, OrderReason, Result, SymptomKind

_NOT_AN_INCIDENT = frozenset({Family.USER_SIDE})
"""Vehicle or user: the fault is shown and corroborates complaints, but there is nothing to do about the pile."""

_BY_PEOPLE = frozenset({Family.REPORTED, Family.DAMAGE})
"""Families the device itself never shows."""


def attend(draft: Draft, pile: Pile) -> Pile:
    """Bring a pile's symptoms up to date, and every incident they concern. ``pile`` is in the draft already."""
    found = symptoms(pile, draft.policy, draft.now, draft.listening_since(pile))
    if found != pile.symptoms:
        pile = replace(pile, symptoms=found)
        draft.put_pile(pile)
    for symptom in found:
        if symptom.family not in _NOT_AN_INCIDENT:
            _concern(draft, pile, symptom)
    for incident in draft.open_incidents(pile.id):
        progress(draft, incident)
    newest = draft.pile(pile.id)
    return pile if newest is None else newest


def attend_in_memory(draft: Draft, pile: Pile) -> Pile:
    """Attend to ``pile`` although the draft need not store it: decisions below read it through the draft."""
    stored = pile.id in draft.changes.piles
    draft.changes.piles[pile.id] = pile
    attended = attend(draft, pile)
    if not stored and draft.changes.piles.get(pile.id) is pile:
        del draft.changes.piles[pile.id]
    return attended


def _concern(draft: Draft, pile: Pile, symptom: Symptom) -> None:
    """Make sure that an incident stands for this symptom."""
    candidates = [
        each
        for each in draft.incidents_of(pile.id)
        if each.family is symptom.family and each.connector == symptom.connector
    ]
    standing = next((each for each in reversed(candidates) if each.open), None)
    if standing is not None:
        _keep_faults(draft, pile, standing)
        return
    if _carried(draft, candidates):
        return
    again = next((each for each in reversed(candidates) if _within_reopen(draft, each)), None)
    if again is not None:
        reopened = reopen(draft, again, Trigger.SYMPTOM, f"back again: {symptom.what}")
        draft.put_incident(replace(reopened, wake_at=max(symptom.holds_at, draft.now)))
        return
    incident = open_incident(draft, pile, symptom.family, symptom.connector, symptom.kind, symptom.what)
    incident = draft.put_incident(replace(incident, wake_at=max(symptom.holds_at, draft.now)))
    _take_over_reports(draft, incident)


_REPORT_WAITS = frozenset({IncidentState.OBSERVING, IncidentState.HELD, IncidentState.PROBATION, IncidentState.DESK})


def _take_over_reports(draft: Draft, incident: Incident) -> None:
    """People saw it first: what they reported is this trouble, and it needs no further proof that it is there."""
    for report in draft.open_incidents(incident.pile):
        elsewhere = report.connector not in {0, incident.connector} and incident.connector != 0
        if report.family is not Family.REPORTED or report.state not in _REPORT_WAITS or elsewhere:
            continue
        draft.move(
            report,
            Trigger.SYMPTOM,
            IncidentState.CLOSED,
            f"now the device shows it: {incident.id}",
            closed_at=draft.now,
            close_code=CloseCode.MERGED,
            merged_into=incident.id,
            wake_at=None,
        )
        incident = hand_over(draft, report, incident)
        if report.complaints:
            incident = draft.put_incident(replace(incident, wake_at=draft.now, no_reset_again=report.no_reset_again))


def beware(draft: Draft, pile: Pile, dangers: tuple[str, ...]) -> None:
    """A reading that came late claims danger: a person must look, although newer readings do not show it."""
    text = f"a late reading claims {', '.join(dangers)}"
    pile = replace(pile, hazard=text[:200], hazard_at=draft.now)
    draft.put_pile(pile)
    standing = [each for each in draft.open_incidents(pile.id) if each.family is Family.SAFETY]
    incident = (
        standing[0] if standing else open_incident(draft, pile, Family.SAFETY, 0, SymptomKind.FAULT_CLAIMED, text)
    )
    progress(draft, incident)


def _carried(draft: Draft, candidates: list[Incident]) -> bool:
    """Whether the trouble travels with an order that is still open on the pile (it joined that order)."""
    joined = [each for each in candidates if each.merged_into is not None]
    if not joined:
        return False
    host = draft.incident(joined[-1].merged_into or "")
    return host is not None and host.open and host.state is not IncidentState.CONFIRMING


def _within_reopen(draft: Draft, incident: Incident) -> bool:
    return (
        incident.closed_at is not None
        and incident.close_code is not CloseCode.MERGED
        and draft.now - incident.closed_at <= draft.policy.span("reopen")
    )


def _keep_faults(draft: Draft, pile: Pile, incident: Incident) -> None:
    names = claimed(pile, incident.family, incident.connector)
    if names and not set(names) <= set(incident.faults):
        draft.put_incident(replace(incident, faults=tuple(sorted({*incident.faults, *names}))))


def progress(draft: Draft, incident: Incident) -> None:
    """Look at one open incident from current evidence."""
    pile = draft.pile(incident.pile)
    newest = draft.incident(incident.id)
    if newest is None or not newest.open:
        return
    incident = newest
    if pile is None:
        _without_pile(draft, incident)
        return
    if _danger_first(draft, incident, pile):
        return
    _STEPS[incident.state](draft, incident, pile)


def _without_pile(draft: Draft, incident: Incident) -> None:
    """Its pile was taken out of the fleet file: a person decides, and what nobody decides is let go."""
    text = "the pile is no longer in the fleet file"
    if incident.state is IncidentState.CONFIRMING:
        if _due(draft, incident):
            callback.remind(draft, incident)
    elif incident.state is IncidentState.DESK:
        if _due(draft, incident):
            end(draft, incident, Trigger.PERSON, CloseCode.DISMISSED, text)
    elif incident.state is not IncidentState.FIELD:
        if incident.under_way is not None:
            incident = conclude(draft, incident, incident.under_way, Result.UNKNOWN, text)
        recovery.to_desk(draft, incident, Trigger.PERSON, text)


def _danger_first(draft: Draft, incident: Incident, pile: Pile) -> bool:
    """Danger overrules every state but the field's own."""
    if incident.state is IncidentState.FIELD:
        return False
    safety = incident.family is Family.SAFETY or incident.safety
    # At the desk a person is deciding already (a returned order), and nothing can be sent from there.
    if safety and incident.state not in {IncidentState.CONFIRMING, IncidentState.DESK}:
        recovery.advance(draft, incident)
        return True
    if pile.hazard is not None and incident.state in {IncidentState.RECOVERING, IncidentState.PROBATION}:
        text = f"danger while it was recovering: {pile.hazard}"
        field.dispatch(draft, incident, Trigger.DANGER, OrderReason.FORBIDDEN_SAFETY, text)
        return True
    return False


def wake(draft: Draft, incident: Incident) -> None:
    """The deadline of an incident's state has come."""
    progress(draft, incident)
    if any(kind == "incident" and id == incident.id for kind, id, _ in draft.looks):
        return
    newest = draft.incident(incident.id)
    if newest is not None and newest.open and newest.wake_at is not None and newest.wake_at <= draft.now:
        # Whatever was decided, a deadline in the past would never wake it again.
        draft.put_incident(replace(newest, wake_at=draft.now + draft.policy.span("retry_look")))


def _trusted(draft: Draft, pile: Pile) -> bool:
    """Whether the pile's silence about a trouble is evidence: fresh, heard since we started, and not gone."""
    return (
        pile.seen_since_start
        and pile.heard_at is not None
        and draft.now - pile.heard_at <= draft.policy.span("fresh")
        and not gone(pile)
    )


def _clear(draft: Draft, incident: Incident, pile: Pile) -> bool:
    """Whether fresh evidence shows the trouble gone. What only people report, no device can clear."""
    return incident.family not in _BY_PEOPLE and _trusted(draft, pile) and not present(pile, incident)


def _due(draft: Draft, incident: Incident) -> bool:
    return incident.wake_at is not None and incident.wake_at <= draft.now


def _observing(draft: Draft, incident: Incident, pile: Pile) -> None:
    if _clear(draft, incident, pile):
        review.start_soak(draft, incident, Trigger.CLEAR, CloseCode.SELF_CLEARED, "gone before anything was done")
        return
    if not _due(draft, incident):
        return
    if incident.family not in _BY_PEOPLE and not present(pile, incident):
        # Neither shown nor shown gone: the pile is silent, which is another incident's matter. Wait, but not for ever.
        _wait_for_evidence(draft, incident)
        return
    recovery.advance(draft, incident)


def _wait_for_evidence(draft: Draft, incident: Incident) -> None:
    limit = incident.state_since + draft.policy.span("held_max")
    if draft.now >= limit:
        recovery.to_desk(draft, incident, Trigger.TIMEOUT, "no evidence either way: the pile has been silent since")
        return
    draft.look_later(incident, min(draft.now + draft.policy.span("retry_look"), limit))


def _held(draft: Draft, incident: Incident, pile: Pile) -> None:
    if _clear(draft, incident, pile):
        review.start_soak(draft, incident, Trigger.CLEAR, CloseCode.SELF_CLEARED, "gone while it was held")
        return
    if not _due(draft, incident):
        return
    if incident.held_by:
        recovery.to_desk(draft, incident, Trigger.TIMEOUT, f"the hold by {incident.held_by} has run out", held_by="")
        return
    if incident.family not in _BY_PEOPLE and not present(pile, incident):
        _wait_for_evidence(draft, incident)
        return
    recovery.advance(draft, incident)


def _recovering(draft: Draft, incident: Incident, pile: Pile) -> None:
    del pile
    review.review(draft, incident)


def _probation(draft: Draft, incident: Incident, pile: Pile) -> None:
    if incident.family not in _BY_PEOPLE and present(pile, incident):
        review.relapse(draft, incident, "the trouble is back within the soak")
        return
    if not _due(draft, incident):
        return
    attempt = incident.under_way
    if _trusted(draft, pile) and review.last_heard(pile, incident.clear_since):
        review.soaked(draft, incident)
        return
    limit = incident.state_since + draft.policy.span("held_max")
    if draft.now < limit and not gone(pile):
        review.soak_again(draft, incident, draft.policy.span("retry_look"))
        return
    text = "it fell silent before it was proven"
    if attempt is not None:
        review.lose(draft, incident, attempt, text)
        return
    review.go_back(draft, incident, text)


def _desk(draft: Draft, incident: Incident, pile: Pile) -> None:
    order = draft.order(incident.work_order or "")
    ordered = order is not None and order.open
    if _clear(draft, incident, pile) and not incident.no_reset_again and not ordered and not incident.complaints:
        review.start_soak(draft, incident, Trigger.CLEAR, CloseCode.SELF_CLEARED, "gone while the desk had it")
        return
    if not _due(draft, incident):
        return
    reason = OrderReason.DESK_DECISION
    if incident.attempts and incident.attempts[-1].result is Result.UNKNOWN:
        reason = OrderReason.UNKNOWN_OUTCOME
    text = f"nobody decided at the desk: {incident.desk_reason}"
    field.dispatch(draft, incident, Trigger.TIMEOUT, reason, text)


def _field(draft: Draft, incident: Incident, pile: Pile) -> None:
    del pile
    visits.watch(draft, incident)


def _confirming(draft: Draft, incident: Incident, pile: Pile) -> None:
    if incident.family not in _BY_PEOPLE and present(pile, incident):
        moved = reopen(draft, incident, Trigger.SYMPTOM, "the trouble is back before the callback")
        draft.put_incident(moved)
        return
    if _due(draft, incident):
        callback.remind(draft, incident)


def _closed(draft: Draft, incident: Incident, pile: Pile) -> None:
    del draft, incident, pile


_STEPS = {
    IncidentState.OBSERVING: _observing,
    IncidentState.HELD: _held,
    IncidentState.RECOVERING: _recovering,
    IncidentState.PROBATION: _probation,
    IncidentState.DESK: _desk,
    IncidentState.FIELD: _field,
    IncidentState.CONFIRMING: _confirming,
    IncidentState.CLOSED: _closed,
}
