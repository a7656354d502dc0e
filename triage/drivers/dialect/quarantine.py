"""Messages nobody could understand: a bounded sample of each kind, and no flood of them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum

from triage.core.events import Quarantined
from triage.drivers.mqtt.counters import Counters
from triage.drivers.profiles.values import visible

DRIVER = "dialect"
PAYLOAD_LIMIT_BYTES = 65_536
SAMPLE_LIMIT_BYTES = 4_096
TOPIC_SAMPLE_CHARS = 256
A_MINUTE = 5
"""Samples a minute of one device; the others are counted only."""

_MINUTE_S = 60.0
_DEVICES_LIMIT = 10_000


class Reason(StrEnum):
    """Why a message, or a whole picture, is not believed."""

    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    IMPOSSIBLE = "impossible"
    WRONG_IDENTITY = "wrong_identity"
    TOO_LARGE = "too_large"
    UNKNOWN_TOPIC = "unknown_topic"


class UnreadableError(Exception):
    """A payload cannot be read, for ``reason``."""

    def __init__(self, reason: Reason) -> None:
        """Keep the reason."""
        self.reason = reason
        super().__init__(reason.value)


class Quarantine:
    """Counts everything that is not believed, and lets a few samples of each device through a minute."""

    def __init__(self, counters: Counters) -> None:
        """Count into ``counters``."""
        self._counters = counters
        self._minute = 0
        self._spent: dict[str | None, int] = {}

    def take(
        self, pile: str | None, reason: Reason, topic: str, payload: bytes, now: datetime, now_s: float
    ) -> list[Quarantined]:
        """The sample to hand over: one, or none when this device had its share of this minute."""
        self._counters.quarantined[reason.value] += 1
        minute = int(now_s / _MINUTE_S)
        if minute != self._minute or len(self._spent) >= _DEVICES_LIMIT:
            self._minute = minute
            self._spent.clear()
        spent = self._spent.get(pile, 0)
        if spent >= A_MINUTE:
            self._counters.count("quarantine_withheld")
            return []
        self._spent[pile] = spent + 1
        return [_sample(pile, reason, topic, payload, now)]


def _sample(pile: str | None, reason: Reason, topic: str, payload: bytes, now: datetime) -> Quarantined:
    return Quarantined(
        received_at=now,
        driver=DRIVER,
        reason=reason.value,
        topic=visible(topic[:TOPIC_SAMPLE_CHARS]),
        sample=bytes(payload[:SAMPLE_LIMIT_BYTES]),
        size=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
        pile=pile,
    )
