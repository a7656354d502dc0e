"""Complaints: read, judged against the device's own record, joined to an incident, answered with a number."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from triage.core.classify import Reading, classify
from triage.core.complaint import Complaint
from triage.core.draft import Draft, gone
from triage.core.events import ComplaintReceived, Moment
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.lifecycle import ComplaintAct as Act
from triage.core.lifecycle import Trigger
from triage.core.linking import OVERRULED, attach, overruled, set_state
from triage.core.opening import open_incident, reopen
from triage.core.recovery import advance, to_desk
from triage.core.vocabulary import (
    Category,
    CloseCode,
    ComplaintState,
    ComplaintSymptom,
    Family,
    Grade,
    IncidentState,
    Priority,
    Route,
    SymptomKind,
    Tier,
    Verdict,
)

_ROUTES = {
    Category.SAFETY: Route.TECHNICAL,
    Category.TECHNICAL_FAULT: Route.TECHNICAL,
    Category.BILLING_DISPUTE: Route.FINANCE,
    Category.SERVICE_EXPERIENCE: Route.SERVICE,
    Category.APP_ISSUE: Route.SUPPLIER,
    Category.CONSULT: Route.KNOWLEDGE,
    Category.SUGGESTION: Route.SERVICE,
}
_SITE_MATTERS = frozenset({ComplaintSymptom.BLOCKED_BAY, ComplaintSymptom.CLEANLINESS})
_TROUBLED = frozenset({"faulted", "unavailable"})


def receive(draft: Draft, event: ComplaintReceived) -> None:
    """Take a complaint in: it gets its number whatever else happens."""
    reading = classify(event.text, draft.rules.lexicon)
    pile = draft.pile(event.pile) if event.pile else None
    verdict = _judge(draft, event, pile, reading) if pile is not None else None
    complaint = _record(draft, event, reading, pile)
    if pile is not None and verdict is not None and complaint.route is Route.TECHNICAL:
        complaint = replace(complaint, verdict=verdict[0], confidence=verdict[1], verdict_why=verdict[2])
        draft.count("complaint_verdicts", verdict[0])
    draft.put_complaint(complaint)
    draft.count("complaints", complaint.category, complaint.channel)
    draft.note(
        complaint.number,
        "received",
        f"complaint by {complaint.channel}: {complaint.category}, {complaint.symptom}",
        data={"why": reading.why, "safety": reading.safety, "pile": complaint.pile or ""},
        also=(complaint.pile,) if complaint.pile else (),
    )
    if complaint.route is Route.TECHNICAL and pile is not None:
        _join(draft, complaint, pile, reading)
    else:
        set_state(draft, complaint, Act.ROUTE, f"routed to {complaint.route}")
    _answer(draft, complaint.number)


def _record(draft: Draft, event: ComplaintReceived, reading: Reading, pile: Pile | None) -> Complaint:
    route = Route.REGIONAL if reading.symptom in _SITE_MATTERS else _ROUTES[reading.category]
    if reading.safety:
        # Without a pile nobody can be sent: management gets it at once rather than nobody.
        route = Route.TECHNICAL if pile is not None else Route.MANAGEMENT
    vip = event.reporter.tier is Tier.VIP
    priority = Priority.HIGH if vip else Priority.NORMAL
    return Complaint(
        number=draft.serial("C"),
        channel=event.channel,
        text=event.text,
        received_at=draft.now,
        reporter=event.reporter,
        category=reading.category,
        symptom=reading.symptom,
        safety=reading.safety,
        why=reading.why,
        labels=reading.labels,
        grade=Grade.MAJOR if reading.safety else (Grade.ESCALATED if vip else Grade.ORDINARY),
        priority=Priority.CRITICAL if reading.safety else priority,
        route=route,
        state=ComplaintState.RECEIVED,
        state_since=draft.now,
        pile=pile.id if pile is not None else None,
        pile_text=event.pile if pile is None else None,
        connector=event.connector,
        site=pile.site if pile is not None else event.site,
        occurred_at=event.occurred_at,
        expectation=event.expectation,
        reference=event.reference,
    )


def _answer(draft: Draft, number: str) -> None:
    complaint = draft.complaint(number)
    if complaint is None:
        return
    body: dict[str, object] = {
        "number": complaint.number,
        "category": complaint.category.value,
        "symptom": complaint.symptom.value,
        "grade": complaint.grade.value,
        "priority": complaint.priority.value,
        "route": complaint.route.value,
        "status": complaint.state.value,
        "safety": complaint.safety,
    }
    if complaint.incident is not None:
        body["incident"] = complaint.incident
    if complaint.verdict is not None:
        body["verdict"] = complaint.verdict.value
    draft.reply(201, **body)


# The verdict ----------------------------------------------------------------------------------------------------------


def _judge(draft: Draft, event: ComplaintReceived, pile: Pile, reading: Reading) -> tuple[Verdict, float, str]:
    """What the device's own record says about what the person says, at the time the person says."""
    recent = event.occurred_at is None or draft.now - event.occurred_at <= draft.policy.span("fresh")
    then = _trouble_then(event.history, event.connector)
    if then:
        return Verdict.CONFIRMED, 0.9, f"history shows {then}"
    troubles = [each for each in pile.symptoms if event.connector in {None, 0, each.connector} or each.connector == 0]
    if troubles:
        return Verdict.CONFIRMED, 0.9, f"the pile shows {troubles[0].what}"
    if pile.symptoms:
        return Verdict.CONFIRMED, 0.6, f"another connector shows {pile.symptoms[0].what}"
    heard = pile.heard_at is not None and draft.now - pile.heard_at <= draft.policy.span("fresh")
    known = recent and heard and pile.seen_since_start
    if not known and not event.history:
        return Verdict.BLIND, 0.0, "no usable telemetry for that time"
    if gone(pile):
        return Verdict.BLIND, 0.0, "the pile cannot be heard"
    # A third of real failures happen on piles that look healthy: a contradiction is never certain.
    seen = "the pile looks healthy" if known else "history shows nothing at that time"
    return Verdict.CONTRADICTED, 0.6, f"{seen}; said: {reading.symptom}"


def _trouble_then(history: Iterable[Moment], connector: int | None) -> str:
    for moment in history:
        if moment.connector not in {0, connector} and connector is not None:
            continue
        if moment.faults:
            return f"{', '.join(moment.faults)} at {moment.at:%Y-%m-%d %H:%M:%S}"
        if moment.link == "offline" or moment.status in _TROUBLED:
            return f"{moment.status or moment.link} at {moment.at:%Y-%m-%d %H:%M:%S}"
    return ""


# The incident ---------------------------------------------------------------------------------------------------------


def _join(draft: Draft, complaint: Complaint, pile: Pile, reading: Reading) -> None:
    incident = _find_or_open(draft, complaint, pile, reading)
    incident = attach(draft, incident, complaint)
    if reading.safety:
        if incident.state is IncidentState.FIELD:
            _raise_order(draft, incident)
        else:
            incident = draft.put_incident(replace(incident, safety=True))
            advance(draft, incident)
        return
    if incident.family is Family.DAMAGE and incident.state is IncidentState.OBSERVING:
        advance(draft, incident)
        return
    if incident.state is IncidentState.CONFIRMING:
        to_desk(
            draft,
            incident,
            Trigger.COMPLAINT,
            "a new complaint about a pile that was held to be well",
            no_reset_again=True,
        )
    elif incident.state is IncidentState.PROBATION and overruled(draft, incident):
        to_desk(draft, incident, Trigger.COMPLAINT, OVERRULED)
    elif incident.state is IncidentState.OBSERVING and incident.wake_at is not None:
        # Corroborated by a person: the hold is over.
        draft.put_incident(replace(incident, wake_at=min(incident.wake_at, _corroborated(draft, incident))))


def _corroborated(draft: Draft, incident: Incident) -> datetime:
    if incident.family is Family.REPORTED:
        return incident.opened_at + draft.policy.hold(Family.REPORTED)
    return draft.now


def _find_or_open(draft: Draft, complaint: Complaint, pile: Pile, reading: Reading) -> Incident:
    incidents = draft.open_incidents(pile.id)
    if reading.safety:
        wanted = [each for each in incidents if each.family is Family.SAFETY or each.state is IncidentState.FIELD]
        if wanted:
            return wanted[0]
        return open_incident(
            draft, pile, Family.SAFETY, 0, SymptomKind.REPORTED, f"a person reports danger ({reading.symptom})"
        )
    if reading.symptom is ComplaintSymptom.PHYSICAL_DAMAGE:
        wanted = [each for each in incidents if each.family is Family.DAMAGE or each.state is IncidentState.FIELD]
        if wanted:
            return wanted[0]
        return open_incident(
            draft, pile, Family.DAMAGE, complaint.connector or 0, SymptomKind.REPORTED, "a person reports damage"
        )
    same = [each for each in incidents if complaint.connector in {None, 0, each.connector} or each.connector == 0]
    if same or incidents:
        return (same or incidents)[0]
    closed = [each for each in draft.incidents_of(pile.id) if _reopenable(draft, each)]
    if closed:
        return reopen(
            draft,
            closed[-1],
            Trigger.COMPLAINT,
            "a complaint says it is not well",
            to_desk=closed[-1].close_code is CloseCode.RECOVERED_REMOTELY,
        )
    connector = complaint.connector or 0
    return open_incident(
        draft, pile, Family.REPORTED, connector, SymptomKind.REPORTED, f"a person reports {reading.symptom}"
    )


def _reopenable(draft: Draft, incident: Incident) -> bool:
    return (
        not incident.open
        and incident.closed_at is not None
        and incident.close_code is not CloseCode.MERGED
        and draft.now - incident.closed_at <= draft.policy.span("reopen")
    )


def _raise_order(draft: Draft, incident: Incident) -> None:
    order = draft.order(incident.work_order or "")
    note = "A person reports danger on this pile. 有人报告该桩存在危险。"
    if order is not None and order.priority is not Priority.CRITICAL:
        draft.put_order(replace(order, priority=Priority.CRITICAL, safety_notes=(*order.safety_notes, note)[-10:]))
        draft.note(order.id, "raised", "a person reports danger", also=(incident.id,))
    draft.put_incident(replace(incident, safety=True, clear_since=None))
    pile = draft.pile(incident.pile)
    if pile is not None and pile.hazard is None:
        draft.put_pile(replace(pile, hazard="a person reports danger", hazard_at=draft.now))
