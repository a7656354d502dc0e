"""The bounded inbox: events wait here for the engine, each with whoever waits for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from triage.core.effects import Answer
from triage.core.events import Event, Telemetry

INBOX_LIMIT = 20_000
"""Beyond this, telemetry of a pile that waits already is replaced by its newer reading."""


class Group:
    """Events that came with one acknowledgement: it is given when the last of them is settled."""

    __slots__ = ("ack", "left")

    def __init__(self, ack: Callable[[], None], left: int) -> None:
        """``left`` events are still to be settled."""
        self.ack = ack
        self.left = left

    def settle(self) -> None:
        """One of them is."""
        self.left -= 1
        if self.left == 0:
            self.ack()


class Entry:
    """One event, and whoever waits for it."""

    __slots__ = ("event", "future", "groups")

    def __init__(self, event: Event, group: Group | None = None, future: asyncio.Future[Answer] | None = None) -> None:
        """``group`` is acknowledged, ``future`` answered."""
        self.event = event
        self.groups = [group] if group is not None else []
        self.future = future

    def settle(self, answer: Answer | None = None) -> None:
        """It is durable, or nothing about it has to be."""
        if self.future is not None and not self.future.done():
            self.future.set_result(answer or Answer(status=204, body={}))
        for group in self.groups:
            group.settle()

    def fail(self, error: Exception) -> None:
        """Tell whoever waits for an answer that there is none now."""
        if self.future is not None and not self.future.done():
            self.future.set_exception(error)


class Inbox:
    """Events in order of arrival. Only telemetry ever gives way, and only to a newer reading of the same pile."""

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: deque[Entry] = deque()
        self._newest: dict[str, Entry] = {}
        self.coalesced = 0

    def __len__(self) -> int:
        """How many events wait."""
        return len(self._waiting)

    def put(self, entry: Entry) -> None:
        """Let an event wait."""
        self._waiting.append(entry)

    def put_telemetry(self, event: Telemetry, group: Group | None) -> None:
        """Let a reading wait, or take the place of an older one of its pile when the inbox is full.

        Level, not edge: the newer full reading says all of the older one that still holds. But a fault that only the
        older one claims is never hidden: it may be a danger.
        """
        if event.retained:
            self._waiting.append(Entry(event, group))
            return
        older = self._newest.get(event.pile) if len(self._waiting) >= INBOX_LIMIT else None
        if older is not None and isinstance(older.event, Telemetry) and set(older.event.faults) <= set(event.faults):
            older.event = event
            if group is not None:
                older.groups.append(group)
            self.coalesced += 1
            return
        entry = Entry(event, group)
        self._waiting.append(entry)
        self._newest[event.pile] = entry

    def take(self, most: int) -> Sequence[Entry]:
        """The oldest entries, ``most`` at the most."""
        taken: list[Entry] = []
        while self._waiting and len(taken) < most:
            entry = self._waiting.popleft()
            event = entry.event
            if isinstance(event, Telemetry) and self._newest.get(event.pile) is entry:
                del self._newest[event.pile]
            taken.append(entry)
        return taken
