"""The daemon's clock: runs with the monotonic clock, follows the wall clock slowly, and never jumps.

A wall clock that jumps an hour must not end a hold, free a budget or age evidence by an hour. So time advances with the
monotonic clock and is drawn towards the wall clock by at most :data:`SLEW` of the time that passes. Across a restart
on the same boot of the host the monotonic clock bridges the gap, and a jump in between does no harm either.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

SLEW = 0.05
"""Share of elapsed time by which the clock may be drawn towards the wall clock."""

JUMP_S = 2.0
"""A difference beyond this is a jump, and is told."""


def _boot_clock() -> float:
    """Seconds since the host started, time asleep included where the system can tell."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


def _boot_origin() -> str:
    """Names this boot of the host; empty where it has no name, and then nothing is bridged."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


class SteadyClock:
    """Implements :class:`triage.interfaces.Clock`."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = _boot_clock,
        origin: Callable[[], str] = _boot_origin,
    ) -> None:
        """Start at the wall clock's present reading."""
        self._wall = wall
        self._monotonic = monotonic
        self._origin = origin()
        self._last = monotonic()
        self._steady = wall()

    def now(self) -> datetime:
        """The present moment, UTC and aware; never earlier than the one before."""
        self._advance()
        return datetime.fromtimestamp(self._steady, UTC)

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._monotonic()

    def offset(self) -> timedelta:
        """How far the wall clock is ahead of this one."""
        self._advance()
        return timedelta(seconds=self._wall() - self._steady)

    def jumped(self) -> bool:
        """Whether the wall clock differs by more than the drift of good clocks explains."""
        return abs(self.offset()) > timedelta(seconds=JUMP_S)

    def anchor(self) -> str:
        """What a later process needs to go on from here."""
        self._advance()
        return f"{self._steady!r} {self._last!r} {self._origin}"

    def resume(self, anchor: str) -> bool:
        """Go on from another process's anchor, if it is of this boot of the host; tells whether it was."""
        parts = anchor.split(" ")
        if len(parts) != len(("steady", "monotonic", "origin")) or not self._origin or parts[2] != self._origin:
            return False
        try:
            steady, last = float(parts[0]), float(parts[1])
        except ValueError:
            return False
        if not (math.isfinite(steady) and math.isfinite(last)):
            return False
        self._last = self._monotonic()
        if self._last < last:
            return False
        self._steady = steady + (self._last - last)
        return True

    def _advance(self) -> None:
        monotonic = self._monotonic()
        elapsed = max(0.0, monotonic - self._last)
        self._last = monotonic
        ahead = self._wall() - (self._steady + elapsed)
        most = SLEW * elapsed
        self._steady += elapsed + min(most, max(-most, ahead))
