"""A complaint: what a person said, what we made of it, and where it stands."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from triage.core.events import Reporter
from triage.core.vocabulary import (
    Category,
    Channel,
    ComplaintState,
    ComplaintSymptom,
    Grade,
    Priority,
    Route,
    Verdict,
)


class Complaint(Struct, frozen=True, kw_only=True):
    """``pile_text`` keeps what the reporter named when no pile of the fleet was found for it."""

    number: str
    channel: Channel
    text: str
    received_at: datetime
    reporter: Reporter
    category: Category
    symptom: ComplaintSymptom
    safety: bool
    why: str
    grade: Grade
    priority: Priority
    route: Route
    state: ComplaintState
    state_since: datetime
    labels: tuple[str, ...] = ()
    pile: str | None = None
    pile_text: str | None = None
    connector: int | None = None
    site: str | None = None
    occurred_at: datetime | None = None
    expectation: str | None = None
    reference: str | None = None
    incident: str | None = None
    verdict: Verdict | None = None
    confidence: float | None = None
    verdict_why: str = ""
    wake_at: datetime | None = None
    satisfied: bool | None = None
    score: int | None = None
    comment: str = ""
    close_reason: str = ""
    closed_at: datetime | None = None
