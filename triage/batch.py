"""Decisions that become durable together, and what a repeated question is answered with."""

from __future__ import annotations

from triage.core.draft import Count, Decision
from triage.core.effects import Answer, Changes, KeptAnswer
from triage.core.events import Ask
from triage.inbox import Entry


class Batch:
    """Decisions that become durable together, and who hears of it then."""

    def __init__(self) -> None:
        """Start empty."""
        self.changes = Changes()
        self.entries: list[Entry] = []
        self.answers: list[tuple[Entry, Answer]] = []
        self.counts: list[Count] = []

    def __bool__(self) -> bool:
        """Whether there is anything to conclude."""
        return bool(self.entries or self.answers or self.counts or self.changes)

    def add(self, decision: Decision) -> None:
        """Take a decision's changes and counts."""
        self.changes.absorb(decision.changes)
        self.counts.extend(decision.counts)

    def fail(self, error: Exception) -> None:
        """Tell everybody who waits that the database cannot do it now."""
        for entry in self.entries:
            entry.fail(error)
        for entry, _ in self.answers:
            entry.fail(error)


def replayed(event: Ask, kept: KeptAnswer) -> Answer:
    """The answer to a repeated question: the first one again, or a conflict when the body is another."""
    if kept.digest != event.digest:
        detail = "this Idempotency-Key was used with another body; the first one is kept: use a new key"
        return Answer(status=409, body={"title": "Key used before", "status": 409, "detail": detail})
    if kept.answer.status == 201:  # noqa: PLR2004 - created once; the replay creates nothing
        return Answer(status=200, body=kept.answer.body)
    return kept.answer
