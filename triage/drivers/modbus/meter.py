"""Whether a meter can have said what it said: a counter of several registers can be torn inside the device. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from triage.core.events import Reading

MOST_W = 1_000_000.0
"""Power beyond which nothing in the field is, where the profile tells no rating."""

SHARE, SLACK_WH, BACK_WH = 0.10, 100.0, 1.0
_HOUR_S = 3600.0


class Seen(Struct, frozen=True):
    """A counter's reading, and when it was taken, in monotonic seconds."""

    energy_wh: float
    at_s: float


class Meters:
    """The energy counters of one device, one a connector."""

    def __init__(self, rated_power_w: float | None) -> None:
        """``rated_power_w``: most the device can deliver, where it is known."""
        self._most_w = rated_power_w or MOST_W
        self._seen: dict[int, Seen] = {}

    def doubt(self, readings: Sequence[Reading], at_s: float) -> str | None:
        """Why ``readings``, taken at ``at_s``, do not follow those believed before; None: they do."""
        return next((text for each in readings if (text := self._unlike(each, self._seen, at_s))), None)

    def still_doubtful(
        self, first: Sequence[Reading], first_s: float, second: Sequence[Reading], second_s: float
    ) -> str | None:
        """Why ``second`` cannot be believed either, read again because of a doubt about ``first``.

        What follows the past is believed, and so is what follows ``first``: the counter was reset, and says so twice.
        """
        before = _counters(first, first_s)
        for each in second:
            doubt = self._unlike(each, self._seen, second_s)
            if doubt is not None and (each.connector not in before or self._unlike(each, before, second_s)):
                return doubt
        return None

    def believe(self, readings: Sequence[Reading], at_s: float) -> None:
        """Compare later readings with these."""
        self._seen.update(_counters(readings, at_s))

    def _unlike(self, reading: Reading, seen: dict[int, Seen], at_s: float) -> str | None:
        past = seen.get(reading.connector)
        if past is None or reading.energy_wh is None:
            return None
        grown_wh = reading.energy_wh - past.energy_wh
        most_wh = self._most_w * max(0.0, at_s - past.at_s) / _HOUR_S * (1 + SHARE) + SLACK_WH
        if grown_wh < -BACK_WH:
            return f"the energy of connector {reading.connector} went back by {-grown_wh:.0f} Wh"
        if grown_wh > most_wh:
            return (
                f"the energy of connector {reading.connector} grew by {grown_wh:.0f} Wh, "
                f"where {most_wh:.0f} Wh is the most"
            )
        return None


def _counters(readings: Sequence[Reading], at_s: float) -> dict[int, Seen]:
    return {each.connector: Seen(each.energy_wh, at_s) for each in readings if each.energy_wh is not None}
