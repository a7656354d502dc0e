"""When things are due: phases that spread the fleet over a period, pauses that grow, and a sleep that can be cut."""

from __future__ import annotations

import asyncio
import math
import random
import zlib

BACKOFF_MOST_S = 60.0
JITTER = 0.25


class Beat:
    """The moments at which one device is due: a grid that never drifts, each device at its own place in the period."""

    def __init__(self, name: str, period_s: float, origin_s: float) -> None:
        """``name`` decides the place; the first moment is within one period after ``origin_s``."""
        self._period_s = period_s
        self._first_s = origin_s + zlib.crc32(name.encode()) / 2**32 * period_s
        self._index = -1

    def after(self, now_s: float) -> float:
        """The next moment: later than ``now_s``, and later than the one given before.

        A timer may fire a little early, and the moment it was set for must not come twice. What has passed is left out.
        """
        self._index = max(self._index + 1, math.floor((now_s - self._first_s) / self._period_s) + 1)
        return self._first_s + self._index * self._period_s


class Backoff:
    """Pauses that double, each a little longer or shorter so that many do not come at once."""

    def __init__(self, first_s: float, chance: random.Random) -> None:
        """``first_s``: the first pause; none is longer than :data:`BACKOFF_MOST_S`."""
        self._first_s = first_s
        self._chance = chance
        self._failures = 0

    def pause_s(self) -> float:
        """The next pause."""
        longest_s = min(BACKOFF_MOST_S, self._first_s * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        return min(BACKOFF_MOST_S, longest_s * self._chance.uniform(1 - JITTER, 1 + JITTER))

    def reset(self) -> None:
        """It works again."""
        self._failures = 0


class Sleep:
    """One sleeper, without a task for each sleep."""

    def __init__(self) -> None:
        """Nobody sleeps yet."""
        self._loop = asyncio.get_running_loop()
        self._until: asyncio.Future[None] | None = None

    async def until(self, at_s: float) -> None:
        """Sleep until the loop's clock says ``at_s``, or until woken."""
        self._until = until = self._loop.create_future()
        timer = self._loop.call_at(at_s, self.wake)
        try:
            await until
        finally:
            timer.cancel()
            self._until = None

    def wake(self) -> None:
        """End the sleep, if there is one."""
        if self._until is not None and not self._until.done():
            self._until.set_result(None)
