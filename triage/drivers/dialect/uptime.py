"""What a device's uptime tells: how long it runs now, and that it started again, however seldom it says it."""

from __future__ import annotations

SLACK_S = 10.0
DRIFT_SHARE = 0.06
"""By how much a device's clock and ours may differ, as the core allows for."""


class Uptime:
    """The newest uptime a device said live, carried on by our own clock until it says the next."""

    __slots__ = ("_at_s", "_current", "_said_s", "_speed")

    def __init__(self, speed: float) -> None:
        """``speed`` is how much faster than our clock the device's runs (1, but for drills)."""
        self._said_s: float | None = None
        self._at_s = 0.0
        self._current = False
        self._speed = speed

    def doubt(self) -> None:
        """It was not listened to for a while: what it said last is only good to see that it started again."""
        self._current = False

    def said(self, uptime_s: float | None, at_s: float) -> bool:
        """The device said it at ``at_s`` of our monotonic clock; whether it must have started again since it last did.

        A message that waited somewhere tells a smaller uptime too. But what started after the last telling cannot have
        run for longer than the time since.
        """
        before_s = self._said_s
        elapsed_s = (at_s - self._at_s) * self._speed
        self._said_s, self._at_s, self._current = uptime_s, at_s, True
        if uptime_s is None or before_s is None:
            return False
        expected_s = before_s + elapsed_s
        missing = uptime_s < expected_s - SLACK_S - DRIFT_SHARE * expected_s
        return uptime_s <= elapsed_s + SLACK_S and (missing or uptime_s < before_s)

    def at(self, now_s: float) -> float | None:
        """The uptime at ``now_s``, None when none is known."""
        if self._said_s is None or not self._current:
            return None
        return self._said_s + max(0.0, now_s - self._at_s) * self._speed
