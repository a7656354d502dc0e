"""What goes wrong between a sound device and whoever reads it, to be switched on for a device or drawn by chance."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random


class Trouble(StrEnum):
    """One trouble of a device or of its line."""

    STALL = "stall"  # takes the request and never answers
    BUSY = "busy"  # exception 6
    LOST = "lost"  # exception 11: the gateway cannot reach it
    CUT = "cut"  # half an answer, then the connection breaks
    TORN = "torn"  # values of several registers: the first register is old, the others are new
    IMPOSTOR = "impostor"  # says it is another model


NEVER: Mapping[Trouble, float] = {}


class Troubles(set[Trouble]):
    """The troubles of one device: those added stay until removed, others come by chance for one request."""

    def __init__(self, rng: Random | None = None, chances: Mapping[Trouble, float] = NEVER) -> None:
        """``chances`` are those of each trouble, a request, drawn with ``rng``."""
        super().__init__()
        self._rng = rng
        self._chances = chances

    def now(self) -> frozenset[Trouble]:
        """Those that meet the next request."""
        if self._rng is None:
            return frozenset(self)
        rng = self._rng
        return frozenset(self).union(each for each, chance in self._chances.items() if rng.random() < chance)
