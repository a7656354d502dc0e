"""Calling reporters back: what they say closes the case, or opens it again for a person."""

from __future__ import annotations

from msgspec.structs import replace

from triage.core.complaint import Complaint
from triage.core.draft import Draft
from triage.core.events import CallbackGiven, ComplaintAct
from triage.core.incident import Incident
from triage.core.lifecycle import COMPLAINT_TABLE, Trigger
from triage.core.lifecycle import ComplaintAct as Act
from triage.core.linking import attach, set_state
from triage.core.opening import open_incident, reopen
from triage.core.recovery import to_desk
from triage.core.vocabulary import (
    ComplaintState,
    Family,
    Grade,
    IncidentState,
    Priority,
    Route,
    SymptomKind,
)


def call_back(draft: Draft, event: CallbackGiven) -> None:
    """A reporter was called back. "Not fixed" goes to a person, raised, and never gets the same reset again."""
    complaint = draft.complaint(event.complaint)
    if complaint is None:
        draft.refuse(404, "No such complaint", f"there is no open or recent complaint {event.complaint!r}")
        return
    act = Act.SATISFY if event.satisfied else Act.DISSATISFY
    facts: dict[str, object] = {"satisfied": event.satisfied, "score": event.score, "comment": event.comment}
    if event.satisfied:
        facts.update(closed_at=draft.now, close_reason="satisfied")
    else:
        facts.update(closed_at=None, priority=_raised(complaint.priority))
    moved = set_state(draft, complaint, act, f"called back: {'satisfied' if event.satisfied else 'not fixed'}", **facts)
    if moved is None:
        target = COMPLAINT_TABLE[complaint.state][act]
        draft.refuse(409, "The complaint cannot do that now", f"{complaint.number} is {complaint.state}: {target}")
        return
    _tell_incident(draft, moved, satisfied=event.satisfied)
    newest = draft.complaint(moved.number) or moved
    draft.reply(200, number=newest.number, status=newest.state.value, incident=newest.incident)


def _raised(priority: Priority) -> Priority:
    order = [Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.CRITICAL]
    return order[min(order.index(priority) + 1, 3)]


def _tell_incident(draft: Draft, complaint: Complaint, *, satisfied: bool) -> None:
    incident = draft.incident(complaint.incident or "")
    if satisfied:
        if incident is not None and incident.state is IncidentState.CONFIRMING:
            close_if_answered(draft, incident, Trigger.CALLBACK, "every reporter is satisfied")
        return
    reason = "the reporter says it is not fixed"
    if incident is None or not incident.open:
        incident = _standing(draft, complaint, incident)
    if incident is None:
        pile = draft.pile(complaint.pile or "")
        if pile is not None:
            opened = open_incident(draft, pile, Family.REPORTED, complaint.connector or 0, SymptomKind.REPORTED, reason)
            opened = attach(draft, opened, complaint)
            to_desk(draft, opened, Trigger.CALLBACK, reason, no_reset_again=True)
        return
    if incident.state in {IncidentState.RECOVERING, IncidentState.FIELD}:
        draft.put_incident(replace(incident, no_reset_again=True))
    elif incident.state is IncidentState.CLOSED:
        reopen(draft, incident, Trigger.CALLBACK, reason, to_desk=True)
    elif incident.state is not IncidentState.DESK:
        to_desk(draft, incident, Trigger.CALLBACK, reason, no_reset_again=True)


def _standing(draft: Draft, complaint: Complaint, ended: Incident | None) -> Incident | None:
    """The incident that takes up a complaint whose own has ended: one that is open on the pile, else the ended one."""
    newer = draft.open_incidents(complaint.pile or "")
    if not newer:
        return ended
    same = [each for each in newer if ended is not None and each.family is ended.family]
    return attach(draft, (same or newer)[0], complaint)


def close_if_answered(draft: Draft, incident: Incident, trigger: Trigger, text: str) -> None:
    """Close a confirming incident once nobody is left to be called back."""
    for number in incident.complaints:
        complaint = draft.complaint(number)
        if complaint is not None and complaint.state is not ComplaintState.CLOSED:
            return
    draft.move(incident, trigger, IncidentState.CLOSED, text, closed_at=draft.now, wake_at=None)


def act_on_complaint(draft: Draft, event: ComplaintAct) -> None:
    """Return, close or escalate a complaint, with a reason."""
    complaint = draft.complaint(event.complaint)
    if complaint is None:
        draft.refuse(404, "No such complaint", f"there is no open or recent complaint {event.complaint!r}")
        return
    facts: dict[str, object] = {}
    if event.act == "close":
        facts = {"closed_at": draft.now, "close_reason": event.reason}
    elif event.act == "escalate":
        grade = Grade.ESCALATED if complaint.grade is Grade.ORDINARY else Grade.MAJOR
        facts = {"grade": grade, "priority": _raised(complaint.priority)}
    elif event.act == "return":
        facts = {"route": Route.SERVICE}
    moved = set_state(draft, complaint, Act(event.act), f"{event.act} by {event.actor}: {event.reason}", **facts)
    if moved is None:
        target = COMPLAINT_TABLE[complaint.state][Act(event.act)]
        draft.refuse(409, "The complaint cannot do that now", f"{complaint.number} is {complaint.state}: {target}")
        return
    incident = draft.incident(moved.incident or "")
    if event.act == "close" and incident is not None and incident.state is IncidentState.CONFIRMING:
        close_if_answered(draft, incident, Trigger.CALLBACK, "every complaint is closed")
    draft.reply(
        200, number=moved.number, status=moved.state.value, grade=moved.grade.value, priority=moved.priority.value
    )


def remind(draft: Draft, incident: Incident) -> None:
    """The callback is overdue: remind, and in the end close as unconfirmed, with the reason on record."""
    if incident.reminders < draft.policy.callback_reminders:
        draft.move(
            incident,
            Trigger.TIMEOUT,
            IncidentState.CONFIRMING,
            "callback overdue: reminder",
            reminders=incident.reminders + 1,
            wake_at=draft.now + draft.policy.span("callback"),
        )
        draft.count("clock_breaches", "callback")
        return
    for number in incident.complaints:
        complaint = draft.complaint(number)
        if complaint is not None and complaint.state is not ComplaintState.CLOSED:
            set_state(
                draft,
                complaint,
                Act.CLOSE,
                "closed unconfirmed: no answer to the reminders",
                closed_at=draft.now,
                close_reason="unconfirmed: no answer to the reminders",
            )
    draft.move(
        incident, Trigger.TIMEOUT, IncidentState.CLOSED, "no answer to the reminders", closed_at=draft.now, wake_at=None
    )
