"""A complaint's own moves, and its place in an incident."""

from __future__ import annotations

import hashlib

from msgspec.structs import replace

from triage.core.complaint import Complaint
from triage.core.draft import Draft
from triage.core.events import Reporter
from triage.core.incident import Incident, Judgement
from triage.core.lifecycle import COMPLAINT_TABLE, Ignore
from triage.core.lifecycle import ComplaintAct as Act
from triage.core.vocabulary import Family

COMPLAINTS_KEPT = 200


def set_state(draft: Draft, complaint: Complaint, act: Act, text: str, **changes: object) -> Complaint | None:
    """Move a complaint along its table; None when its state ignores that."""
    target = COMPLAINT_TABLE[complaint.state][act]
    if isinstance(target, Ignore):
        return None
    moved = replace(complaint, state=target, state_since=draft.now, **changes)
    draft.note(complaint.number, act.value, text)
    return draft.put_complaint(moved)


def attach(draft: Draft, incident: Incident, complaint: Complaint) -> Incident:
    """Join a complaint to an incident; many complaints about one pile are one incident."""
    judgements = incident.judgements
    if complaint.verdict is not None:
        judged = Judgement(
            complaint=complaint.number,
            verdict=complaint.verdict,
            confidence=complaint.confidence or 0.0,
            why=complaint.verdict_why,
        )
        judgements = (*judgements, judged)[-COMPLAINTS_KEPT:]
    reporter = reporter_key(complaint.reporter, complaint.number)
    reporters = incident.reporters if reporter in incident.reporters else (*incident.reporters, reporter)
    incident = draft.put_incident(
        replace(
            incident,
            complaints=(*incident.complaints, complaint.number)[-COMPLAINTS_KEPT:],
            reporters=reporters[-COMPLAINTS_KEPT:],
            judgements=judgements,
        )
    )
    draft.put_complaint(replace(complaint, incident=incident.id))
    linked = draft.complaint(complaint.number)
    if linked is not None:
        set_state(draft, linked, Act.LINK, f"joined to {incident.id}")
    draft.note(incident.id, "complaint", f"complaint {complaint.number} joined", also=(complaint.number,))
    return incident


def reporter_key(reporter: Reporter, number: str) -> str:
    """Tells reporters apart without keeping who they are; an anonymous one counts as somebody of his own."""
    contact = reporter.phone or reporter.email or reporter.name
    return hashlib.sha256((contact or number).encode("utf-8", "surrogatepass")).hexdigest()[:16]


OVERRULED = "several people say it does not work, although it looks healthy"


def overruled(draft: Draft, incident: Incident) -> bool:
    """Whether enough independent people complain about a pile that looks healthy.

    A third of real failures happen on piles that look healthy, so people may overrule what the device says.
    """
    since = draft.now - draft.policy.span("complaint_window")
    recent = {
        reporter_key(complaint.reporter, number)
        for number in incident.complaints
        if (complaint := draft.complaint(number)) is not None and complaint.received_at > since
    }
    return incident.family is Family.REPORTED and len(recent) >= draft.policy.independent_complaints


def hand_over(draft: Draft, incident: Incident, host: Incident) -> Incident:
    """Move an incident's complaints and their verdicts to the one that takes it over."""
    for number in incident.complaints:
        complaint = draft.complaint(number)
        if complaint is not None:
            draft.put_complaint(replace(complaint, incident=host.id))
    return draft.put_incident(
        replace(
            host,
            complaints=_both(host.complaints, incident.complaints),
            reporters=_both(host.reporters, incident.reporters),
            judgements=(*host.judgements, *incident.judgements)[-COMPLAINTS_KEPT:],
        )
    )


def _both(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    return (*mine, *(each for each in theirs if each not in mine))[-COMPLAINTS_KEPT:]
