"""The decision log of a drill: what happened, what was decided and why, one line each, in order of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from triage.core.effects import Command, OrderNotice

if TYPE_CHECKING:
    from triage.core.effects import Changes, JournalEntry
    from triage.core.incident import Incident
    from triage.core.workorder import WorkOrder

WORDS = {
    "opened": "opened",
    "moved": "decision",
    "plan": "plan",
    "refused": "refusal",
    "skipped": "skipped",
    "answer": "answer",
    "boot": "boot",
    "attempt": "result",
    "complaint": "complaint",
    "link": "link",
}
"""Kinds of journal lines a drill shows, and what they are called there."""


class Line(Struct, frozen=True):
    """One line: seconds since the drill began, what sort of thing it is, and the thing itself."""

    at_s: float
    sort: str
    text: str

    def __str__(self) -> str:
        """Render as ``hh:mm:ss  sort      text``."""
        minutes, seconds = divmod(int(self.at_s), 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}  {self.sort:<10}{self.text}"


class Timeline:
    """Collects the lines, and the newest version of everything decided."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` tells the drill's second."""
        self._clock = clock
        self.lines: list[Line] = []
        self.incidents: dict[str, Incident] = {}
        self.orders: dict[str, WorkOrder] = {}
        self.commands: dict[str, Command] = {}
        self.opened_at_s: dict[str, float] = {}
        self.settled_at_s: dict[str, float] = {}
        self._notices: set[str] = set()

    def tell(self, sort: str, text: str) -> None:
        """Add a line."""
        self.lines.append(Line(self._clock(), sort, text))

    def committed(self, changes: Changes) -> None:
        """A transaction took effect."""
        for entry in changes.journal:
            self._journal(entry, changes)
        for item in changes.outbox.values():
            effect = item.effect
            if isinstance(effect, Command) and effect.id not in self.commands:
                self.commands[effect.id] = effect
                self.tell("command", f"{effect.action.value} as {effect.id}, expires {effect.expires_at:%H:%M:%S}")
            elif isinstance(effect, OrderNotice) and effect.id not in self._notices:
                self._notices.add(effect.id)
                order = effect.order
                self.tell("order", f"{order.id} {effect.change}: {order.reason.value}, {order.reason_text}")
        self.incidents.update(changes.incidents)
        self.orders.update(changes.orders)
        for id, incident in changes.incidents.items():
            self.opened_at_s.setdefault(id, self._clock())
            if incident.work_order is not None or not incident.open:
                self.settled_at_s.setdefault(id, self._clock())
            else:
                self.settled_at_s.pop(id, None)

    def _journal(self, entry: JournalEntry, changes: Changes) -> None:
        sort = WORDS.get(entry.kind)
        if sort is None:
            return
        text = entry.text
        if entry.kind == "moved":
            text = f"{entry.data['from']} → {entry.data['to']}: {text}"
        self.tell(sort, f"{entry.subject}  {text}")
        if entry.kind == "attempt":
            self._evidence(entry, changes)
        incident = changes.incidents.get(entry.subject)
        if entry.kind == "moved" and entry.data["to"] == "closed" and incident is not None and incident.close_code:
            self.tell("closed", f"{entry.subject}  {incident.close_code.value}")

    def _evidence(self, entry: JournalEntry, changes: Changes) -> None:
        incident = changes.incidents.get(entry.subject)
        attempts = () if incident is None else incident.attempts
        for attempt in attempts:
            if attempt.id == entry.data["attempt"]:
                for evidence in attempt.evidence[:-1]:  # the last repeats the result
                    self.tell("evidence", f"{attempt.id}  {evidence.kind}: {evidence.text}")
