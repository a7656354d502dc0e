"""When the next reading of each device is due, with one timer for all of them."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence

TICK_S = 0.02
"""Readings due within the same tick are handed over as one batch."""


class Pace:
    """Plans readings; a device that is planned already is not planned again."""

    def __init__(self, due: Callable[[Sequence[str]], None]) -> None:
        """``due`` is called with the ids whose time has come."""
        self._due = due
        self._planned: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def plan(self, id: str, delay_s: float) -> None:
        """Let ``id`` be due in ``delay_s``, unless it is to be due anyway."""
        if id in self._planned:
            return
        at_s = asyncio.get_running_loop().time() + delay_s
        self._planned[id] = at_s
        heapq.heappush(self._heap, (at_s, id))
        self._wind()

    def cancel(self, id: str) -> bool:
        """It is done, or not to be done any more; whether it was planned."""
        return self._planned.pop(id, None) is not None

    def clear(self) -> None:
        """Nothing is to be done any more."""
        self._planned.clear()
        self._heap.clear()
        self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self) -> None:
        at_s = self._heap[0][0]
        if self._timer is not None and self._timer.when() <= at_s + TICK_S:
            return
        self._stop()
        self._timer = asyncio.get_running_loop().call_at(at_s + TICK_S, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now_s = asyncio.get_running_loop().time()
        ready: list[str] = []
        while self._heap and self._heap[0][0] <= now_s:
            at_s, id_ = heapq.heappop(self._heap)
            if self._planned.get(id_) == at_s:
                del self._planned[id_]
                ready.append(id_)
        if self._heap:
            self._wind()
        if ready:
            self._due(ready)
