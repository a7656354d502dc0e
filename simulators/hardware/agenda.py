"""What a pile will do by itself, and when."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Agenda:
    """A queue of calls by time; equal times keep the order in which they were entered."""

    __slots__ = ("_entries", "_number")

    def __init__(self) -> None:
        """Start empty."""
        self._entries: list[tuple[float, int, Callable[[float], None]]] = []
        self._number = 0

    def add(self, at: float, call: Callable[[float], None]) -> None:
        """Have ``call(at)`` made at ``at`` (seconds)."""
        self._number += 1
        heappush(self._entries, (at, self._number, call))

    def next_at(self) -> float:
        """When the next call is due; infinity when there is none."""
        return self._entries[0][0] if self._entries else inf

    def run_next(self) -> None:
        """Make the next call with its own time, however late it is."""
        at, _, call = heappop(self._entries)
        call(at)

    def __len__(self) -> int:
        """How many calls are waiting."""
        return len(self._entries)
