"""Samples of what nobody could read."""

from __future__ import annotations

import hashlib

from tests.unit.drivers.dialect.speech import at
from triage.core.events import Quarantined
from triage.drivers.dialect.quarantine import A_MINUTE, SAMPLE_LIMIT_BYTES, Quarantine, Reason
from triage.drivers.mqtt.counters import Counters


def test_a_sample_is_bounded_and_names_the_whole() -> None:
    payload = b"x" * 10_000
    (sample,) = Quarantine(Counters()).take("p-1", Reason.TOO_LARGE, "t\n" * 500, payload, at().at, at().at_s)
    assert sample == Quarantined(
        received_at=at().at,
        driver="dialect",
        reason="too_large",
        topic="t\N{REPLACEMENT CHARACTER}" * 128,
        sample=payload[:SAMPLE_LIMIT_BYTES],
        size=10_000,
        sha256=hashlib.sha256(payload).hexdigest(),
        pile="p-1",
    )


def test_a_flood_of_one_device_hides_nobody_elses_and_is_counted() -> None:
    counters = Counters()
    quarantine = Quarantine(counters)

    def take(pile: str | None, seconds: float) -> int:
        moment = at(seconds)
        return len(quarantine.take(pile, Reason.NOT_JSON, "t", b"", moment.at, moment.at_s))

    assert sum(take("p-1", 0.0) for _ in range(100)) == A_MINUTE
    assert take("p-2", 0.0) == take(None, 0.0) == 1
    assert take("p-1", 60.0) == 1
    assert counters.quarantined["not_json"] == 103
    assert counters.totals["quarantine_withheld"] == 100 - A_MINUTE
