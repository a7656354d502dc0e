"""The two clocks of the simulated daemon: one that people and time servers set, and one that never jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.loop import VirtualLoop

EPOCH = datetime(2026, 3, 2, tzinfo=UTC)
EPOCH_S = EPOCH.timestamp()
"""Unix time of the world's second 0; the piles' own clocks go by it, whatever happens to the daemon's."""


class WorldClock:
    """See :class:`triage.interfaces.Clock`."""

    def __init__(self, loop: VirtualLoop) -> None:
        """Begin right."""
        self._loop = loop
        self._off = timedelta(0)

    def now(self) -> datetime:
        """What the wall shows."""
        return EPOCH + self._off + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        """Seconds since the world began."""
        return self._loop.time()

    def jump(self, seconds: float) -> None:
        """Somebody, or a time server, sets the wall clock."""
        self._off += timedelta(seconds=seconds)

    def right(self) -> None:
        """The wall clock is set right."""
        self._off = timedelta(0)
