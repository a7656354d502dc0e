"""Simulated time on a real clock: it starts now and runs ``speed`` times as fast."""

from __future__ import annotations

import time

from simulators.pile import Clock


class Pace:
    """Translates between the models' seconds and real ones. Wall-clock jumps do not touch it."""

    def __init__(self, speed: float) -> None:
        """Start at the present moment.

        Raises:
            ValueError: the speed is not positive.
        """
        if not speed > 0:
            raise ValueError(f"the speed must be above 0, not {speed}")
        self.speed = speed
        self._zero_s = time.time()
        self._began = time.monotonic()

    @property
    def clock(self) -> Clock:
        """How devices derive their own time: they show real time, whatever the speed."""
        return Clock(start=self._zero_s, zero_s=self._zero_s, scale=1.0 / self.speed)

    def now(self) -> float:
        """Simulated Unix time in seconds."""
        return self._zero_s + (time.monotonic() - self._began) * self.speed

    def elapsed_s(self) -> float:
        """Real seconds since the start."""
        return time.monotonic() - self._began

    def wait_s(self, at: float) -> float:
        """Real seconds until the simulated moment ``at``; 0 if it has passed."""
        return max(0.0, (at - self.now()) / self.speed)
