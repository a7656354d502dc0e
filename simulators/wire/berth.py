"""Where a pure pile meets the wire: one place through which time, commands and technicians reach it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING

from simulators.words import Topic

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.pile import Message, Pile
    from simulators.truth import Encounter
    from simulators.wire.pace import Pace

WAITING = 1000
"""Messages kept while a connection is busy; beyond, the oldest telemetry is dropped and counted."""
LONGEST_WAIT_S = 3600.0


class Berth:
    """One pile on the wire.

    ``nudge`` is set when something new has to be sent before the pile's own next time; ``pressing`` tells which of the
    piles that share a nudge has it.
    """

    def __init__(
        self,
        pile: Pile,
        pace: Pace,
        meet: Callable[[Encounter], None],
        nudge: asyncio.Event | None = None,
    ) -> None:
        """``meet`` hears of every driver; ``nudge`` may be shared by piles on one connection."""
        self.pile = pile
        self.counts: Counter[str] = Counter()
        self.nudge = nudge or asyncio.Event()
        self.pressing = False
        self._pace = pace
        self._meet = meet
        self._waiting: list[Message] = []

    def do(self, act: Callable[[Pile, float], list[Message]]) -> None:
        """Let something happen to the pile right now; what it says goes out next."""
        self._keep(act(self.pile, self._pace.now()))
        self.pressing = True
        self.nudge.set()

    def take(self) -> list[Message]:
        """Bring the pile up to now, and take everything it has to say."""
        self._keep(self.pile.advance(self._pace.now()))
        self.pressing = False
        taken, self._waiting = self._waiting, []
        return taken

    def hear(self, payload: object) -> None:
        """A publication on the pile's command topic; what is no JSON object is counted and passed over."""
        self.counts["commands"] += 1
        try:
            command = json.loads(payload) if isinstance(payload, (bytes, str)) else None
        except ValueError:
            command = None
        if not isinstance(command, dict):
            self.counts["commands_unreadable"] += 1
            return
        self.do(lambda pile, now: pile.command(now, command))

    def wants_link(self) -> bool:
        """Whether the pile would hold a connection now."""
        return self.pile.wants_link

    def wait_s(self) -> float:
        """Real seconds until the pile has something to say by itself."""
        return min(self._pace.wait_s(self.pile.next_at()), LONGEST_WAIT_S)

    def sent(self, message: Message) -> None:
        """Count what left."""
        self.counts["will" if message.by_broker else NAMES[message.topic]] += 1

    def _keep(self, messages: list[Message]) -> None:
        for encounter in self.pile.take_encounters():
            self.counts["drivers"] += 1
            self.counts["drivers_charged"] += encounter.charged
            self._meet(encounter)
        self._waiting += messages
        over = len(self._waiting) - WAITING
        if over > 0:
            self.counts["dropped"] += over
            del self._waiting[:over]


NAMES = {Topic.TELEMETRY: "telemetry", Topic.STATUS: "status", Topic.ACK: "acks"}
"""Counters by topic."""
