"""The end of an incident: reporters are called back first, where there are any."""

from __future__ import annotations

from msgspec.structs import replace

from triage.core.draft import Draft
from triage.core.incident import Incident
from triage.core.lifecycle import COMPLAINT_TABLE, ComplaintAct, Ignore, Trigger
from triage.core.linking import set_state
from triage.core.orders import recall
from triage.core.vocabulary import CloseCode, ComplaintState, IncidentState


def end(draft: Draft, incident: Incident, trigger: Trigger, code: CloseCode, text: str) -> Incident:
    """The trouble is proven gone: reporters are called back first, where there are any."""
    order = draft.order(incident.work_order or "")
    if order is not None and order.open:
        # Nobody has to go for it any more; one that is under way is never left here, its incident is in the field.
        recall(draft, order, text)
    if trigger is Trigger.PERSON:
        for number in incident.complaints:
            _close(draft, number, text)
    waiting = [number for number in incident.complaints if _resolve(draft, number, code)]
    if waiting:
        return draft.move(
            incident,
            trigger,
            IncidentState.CONFIRMING,
            f"{text}; {len(waiting)} reporter(s) to be called back",
            close_code=code,
            wake_at=draft.now + draft.policy.span("callback"),
        )
    return draft.move(incident, trigger, IncidentState.CLOSED, text, close_code=code, closed_at=draft.now, wake_at=None)


def _close(draft: Draft, number: str, reason: str) -> None:
    """A person ended the matter: the reason is the answer on record."""
    complaint = draft.complaint(number)
    if complaint is not None:
        set_state(draft, complaint, ComplaintAct.CLOSE, reason, closed_at=draft.now, close_reason=reason)


def _resolve(draft: Draft, number: str, code: CloseCode) -> bool:
    """Move a complaint to resolved; whether its reporter still has to be called back."""
    complaint = draft.complaint(number)
    if complaint is None or complaint.state is ComplaintState.CLOSED:
        return False
    target = COMPLAINT_TABLE[complaint.state][ComplaintAct.RESOLVE]
    if isinstance(target, Ignore):
        return False
    draft.put_complaint(replace(complaint, state=target, state_since=draft.now))
    draft.note(number, "resolved", f"resolved: {code}", also=(complaint.incident,) if complaint.incident else ())
    return True
