"""The host's wall clock, which people and time servers set at will."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.loop import VirtualLoop

EPOCH = datetime(2026, 3, 2, tzinfo=UTC)
EPOCH_S = EPOCH.timestamp()
"""Unix time of the world's second 0; the piles' own clocks go by it, whatever happens to the daemon's."""


class WallClock:
    """What the wall shows; the daemon's own clock is drawn towards it."""

    def __init__(self, loop: VirtualLoop) -> None:
        """Begin right."""
        self._loop = loop
        self._off_s = 0.0

    def __call__(self) -> float:
        """Unix time as the host believes it."""
        return EPOCH_S + self._loop.time() + self._off_s

    def jump(self, seconds: float) -> None:
        """Somebody, or a time server, sets the clock."""
        self._off_s += seconds

    def right(self) -> None:
        """The clock is set right."""
        self._off_s = 0.0
