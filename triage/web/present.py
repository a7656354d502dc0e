"""Stored entities in the words of the API. Pure: dict in, dict out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from triage.core.effects import JournalEntry
from triage.core.plan import Plan
from triage.web import mask

Stored = Mapping[str, Any]

_INCIDENT = (
    *("id", "pile", "site", "region", "connector", "family", "kind", "state", "state_since", "close_code"),
    *("summary", "safety", "desk_reason", "work_order", "opened_at", "closed_at", "wake_at"),
    *("approved_until", "approved_by", "reopened", "previous", "reminders"),
)
_ATTEMPT = (
    *("id", "step", "action", "connector", "result", "sent_at", "expires_at", "verify_by", "concluded_at"),
    *("answer", "answer_reason", "reason", "left", "rebooted_at"),
)
_REFUSAL = ("gate", "reason", "at", "next_look_at", "step", "count")
_ORDER = (
    *("id", "pile", "site", "region", "connector", "incident", "state", "state_since", "priority", "team"),
    *("opened_at", "closed_at", "delivered_at", "delivery_reference", "wake_at", "second_visits"),
)
_COMPLAINT = (
    *("number", "channel", "category", "symptom", "safety", "why", "grade", "priority", "route", "pile", "pile_text"),
    *("connector", "site", "received_at", "occurred_at", "incident", "verdict", "confidence", "verdict_why"),
    *("satisfied", "score", "close_reason", "closed_at", "wake_at"),
)
_WORDS = ("text", "expectation", "reference", "comment")
"""What people wrote: for agents and above only."""
_SILENCE = ("id", "pile", "site", "region", "starts_at", "ends_at", "reason", "by", "created_at", "lifted_at")


def incident(stored: Stored, timeline: Sequence[JournalEntry] | None = None) -> dict[str, Any]:
    """An incident; lists leave the timeline out."""
    shown = {name: stored.get(name) for name in _INCIDENT}
    shown |= {
        "faults": list(stored.get("faults") or ()),
        "complaints": list(stored.get("complaints") or ()),
        "verdicts": list(stored.get("judgements") or ()),
        "plan": stored.get("run"),
        "attempts": [attempt(each) for each in stored.get("attempts") or ()],
        "refusals": [{name: each.get(name) for name in _REFUSAL} for each in stored.get("refusals") or ()],
    }
    return _with_timeline(shown, timeline)


def attempt(stored: Stored) -> dict[str, Any]:
    """One attempt with its evidence."""
    shown = {name: stored.get(name) for name in _ATTEMPT}
    return shown | {"evidence": list(stored.get("evidence") or ())}


def work_order(stored: Stored, timeline: Sequence[JournalEntry] | None = None) -> dict[str, Any]:
    """A work order; its reason says why remote recovery failed or was forbidden."""
    shown = {name: stored.get(name) for name in _ORDER}
    shown |= {name: list(stored.get(name) or ()) for name in ("evidence", "parts_guess", "safety_notes")}
    shown |= {
        "reason": {"code": stored.get("reason"), "text": stored.get("reason_text", "")},
        "clocks": list(stored.get("clocks") or ()),
        "visits": list(stored.get("visits") or ()),
    }
    return _with_timeline(shown, timeline)


def complaint(
    stored: Stored,
    timeline: Sequence[JournalEntry] | None = None,
    *,
    words: bool = False,
    contact: bool = False,
) -> dict[str, Any]:
    """A complaint; ``words`` shows what was written, ``contact`` the reporter unmasked."""
    shown = {name: stored.get(name) for name in _COMPLAINT}
    shown |= {
        "status": stored.get("state"),
        "status_since": stored.get("state_since"),
        "labels": list(stored.get("labels") or ()),
        "reporter": dict(stored.get("reporter") or {}) if contact else mask.reporter(stored.get("reporter") or {}),
    }
    if words:
        shown |= {name: stored.get(name) for name in _WORDS}
    return _with_timeline(shown, timeline)


def silence(stored: Stored, now: datetime) -> dict[str, Any]:
    """A silence, and whether it holds now."""
    shown = {name: stored.get(name) for name in _SILENCE}
    starts_at, ends_at = _moment(stored["starts_at"]), _moment(stored["ends_at"])
    return shown | {"active": stored.get("lifted_at") is None and starts_at <= now < ends_at}


def plan(found: Plan) -> dict[str, Any]:
    """A plan in force, without its text."""
    shown: dict[str, Any] = {name: getattr(found, name) for name in found.__struct_fields__ if name != "text"}
    return shown


def journal(entries: Sequence[JournalEntry]) -> list[dict[str, Any]]:
    """Journal lines as a timeline, in order of time."""
    return [
        {"at": each.at, "subject": each.subject, "kind": each.kind, "actor": each.actor, "text": each.text}
        | ({"data": each.data} if each.data else {})
        for each in entries
    ]


def _with_timeline(shown: dict[str, Any], timeline: Sequence[JournalEntry] | None) -> dict[str, Any]:
    return shown if timeline is None else shown | {"timeline": journal(timeline)}


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
