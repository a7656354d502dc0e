"""What is done when a deadline has come, by the kind of thing it belongs to."""

from __future__ import annotations

from collections.abc import Callable

from triage.core import conduct, visits
from triage.core.detect import next_look
from triage.core.draft import Draft
from triage.core.events import Due
from triage.core.traces import moment

SAMPLE_SLICE = 500
"""Piles sampled at once for the state history."""


def come(draft: Draft, event: Due) -> None:
    """A deadline has come."""
    _DUE[event.kind](draft, event.id)


def _due_pile(draft: Draft, id: str) -> None:
    pile = draft.pile(id)
    if pile is not None:
        attended = conduct.attend_in_memory(draft, pile)
        draft.looks.append(("pile", id, next_look(attended, draft.policy, draft.now, draft.listening_since(attended))))


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
        visits.tick_order(draft, order)
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
            draft.changes.moments.extend(moment(pile, each.number, draft.now, "sample") for each in pile.connectors)
    gap = draft.policy.span("sample_interval") / slices
    draft.looks.append(("sample", str((turn + 1) % slices), draft.now + gap))


_DUE: dict[str, Callable[[Draft, str], None]] = {
    "pile": _due_pile,
    "incident": _due_incident,
    "order": _due_order,
    "complaint": _due_complaint,
    "silence": _due_silence,
    "sample": _due_sample,
}
