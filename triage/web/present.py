"""Stored entities in the words of the API. Pure: dict in, dict out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from triage.core.effects import JournalEntry
from triage.core.plan import Plan
from triage.core.planlint import overdue
from triage.core.remedies import Interval, Remedies
from triage.web import mask

Stored = Mapping[str, Any]

_INCIDENT = (
    *("id", "pile", "site", "region", "connector", "family", "kind", "state", "state_since", "close_code"),
    *("summary", "safety", "desk_reason", "work_order", "opened_at", "closed_at", "wake_at"),
    *("approved_until", "approved_by", "reopened", "previous", "reminders"),
    "outage",
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
_OUTAGE = (
    *("id", "cause", "name", "sign", "site", "state", "state_since", "opened_at", "closed_at", "wake_at"),
    *("size", "work_order", "previous", "absorbed_by"),
)
_MEMBER = ("pile", "since", "back_at", "free_at")
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


def outage(stored: Stored, timeline: Sequence[JournalEntry] | None = None) -> dict[str, Any]:
    """An outage with its extent and its likely cause in words; lists leave members and timeline out.

    ``free_at`` is when a member is decided on its own again; set without ``back_at`` it did not come back with the
    others.
    """
    members = [dict(zip(_MEMBER, each, strict=False)) for each in stored.get("members") or ()]
    out = sum(each.get("back_at") is None and each.get("free_at") is None for each in members)
    shown = {name: stored.get(name) for name in _OUTAGE}
    shown |= {
        "affected": len(members) or stored.get("size"),
        "out": out,
        "back": sum(each.get("back_at") is not None for each in members),
        "hypothesis": {"en": stored.get("summary", ""), "zh": stored.get("summary_zh", "")},
    }
    return shown if timeline is None else _with_timeline(shown | {"members": members}, timeline)


def silence(stored: Stored, now: datetime) -> dict[str, Any]:
    """A silence, and whether it holds now."""
    shown = {name: stored.get(name) for name in _SILENCE}
    starts_at, ends_at = _moment(stored["starts_at"]), _moment(stored["ends_at"])
    return shown | {"active": stored.get("lifted_at") is None and starts_at <= now < ends_at}


def plan(found: Plan, now: datetime, drills: Sequence[JournalEntry] = ()) -> dict[str, Any]:
    """A plan in force, without its text; whether its review is overdue, and how its last drill went."""
    shown: dict[str, Any] = {name: getattr(found, name) for name in found.__struct_fields__ if name != "text"}
    return shown | {"overdue": overdue(found, now.date()), "last_drill": drill(drills[-1], found) if drills else None}


def drill(entry: JournalEntry, found: Plan) -> dict[str, Any]:
    """A drill on record: when, in which scenario, how it went, and whether it was of the text in force."""
    known = {name: entry.data.get(name) for name in ("scenario", "passed", "version", "sha256")}
    same_text = entry.data.get("sha256") == found.sha256
    return {"at": entry.at, "by": entry.actor, "result": entry.text, "same_text": same_text, **known}


def plan_text(stored: Stored) -> dict[str, Any]:
    """The text of a plan that was run."""
    return {name: stored.get(name) for name in ("sha256", "name", "version", "first_used_at", "text")}


def remedies(record: Remedies) -> dict[str, Any]:
    """What remedies did for one trouble on one model and firmware; rates with their bounds of 95 %."""
    window, by_itself = _interval(record.in_the_window), _interval(record.by_itself)
    return {
        "model": record.model,
        "firmware": record.firmware,
        "fault": record.fault,
        "as_of": record.at,
        "in_the_window": {"watched": record.observed, "healed": record.healed, **window},
        "held_back": {"watched": record.held_back, "healed": record.held_back_healed, **by_itself},
        "remedies": [
            {
                "action": each.action,
                "passed": each.passed,
                "failed": each.failed,
                "unknown": each.unknown,
                "cures": _interval(each.cures),
                "net": _interval(record.net(each.action)),
            }
            for each in record.tries
        ],
    }


def _interval(found: Interval) -> dict[str, float | None]:
    rate = None if found.rate is None else round(found.rate, 4)
    return {"rate": rate, "low": round(found.low, 4), "high": round(found.high, 4)}


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
