"""What the daemon has been told of each pile, and therefore what it may and must know.

A message counts as *known* once its acknowledgement came back, for then it was decided on and is durable. What was
handed over later may or may not have been decided on yet: an act of the daemon is wrong only if it is wrong under every
picture it could have had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from simulators.faults import KINDS

LIVE = frozenset({"charging", "suspended_ev", "suspended_evse"})
DANGEROUS = frozenset(kind.code for kind in KINDS.values() if kind.danger and kind.code is not None)
"""Codes whose claim forbids every reset until a person has been there."""


@dataclass(slots=True, kw_only=True)
class Told:
    """One telemetry message in the daemon's hands.

    ``number`` is the true order in which the pile spoke; ``received_at`` is the moment by the daemon's own clock.
    """

    number: int
    born: float
    handed: float
    received_at: datetime
    claims: frozenset[tuple[str, int]]
    live: frozenset[int]
    unknown: frozenset[int]
    known: bool = False

    @property
    def dangers(self) -> frozenset[str]:
        """The dangerous codes it claims."""
        return frozenset(code for code, _ in self.claims if code in DANGEROUS)


@dataclass(slots=True)
class Picture:
    """Everything the daemon may believe of one pile now."""

    told: list[Told] = field(default_factory=list)
    last_born: float = -1.0
    last_received_at: datetime | None = None
    last_number: int = 0
    boot_number: int = 0
    claimed_at: dict[tuple[str, int], float] = field(default_factory=dict)
    danger_since: float | None = None
    person_at: float = -1.0

    def pictures(self) -> list[Told]:
        """The newest known message, and everything handed over that may have replaced it."""
        newest = max((each for each in self.told if each.known), key=lambda each: each.number, default=None)
        if newest is None:
            return list(self.told)
        return [each for each in self.told if each.number >= newest.number]

    def prune(self) -> None:
        """Forget what can no longer matter."""
        if len(self.told) > 6:  # noqa: PLR2004 - rarely more are under way
            self.told = self.pictures()


class Knowledge:
    """The daemon's possible pictures of all piles."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` tells the world's second."""
        self._clock = clock
        self._piles: dict[str, Picture] = {}
        self._by_token: dict[tuple[int, int], tuple[str, Told]] = {}
        self._heard: set[str] = set()

    def of(self, pile: str) -> Picture:
        """What may be known of ``pile``."""
        picture = self._piles.get(pile)
        if picture is None:
            picture = self._piles[pile] = Picture()
        return picture

    def __iter__(self) -> Iterator[tuple[str, Picture]]:
        return iter(self._piles.items())

    def handed(self, pile: str, token: tuple[int, int], told: Told) -> None:
        """The driver gave ``told`` to the inbox; ``token`` will come back with its acknowledgement."""
        picture = self.of(pile)
        self._by_token[token] = pile, told
        if told.number < picture.boot_number:
            return  # of the boot before: history, whatever it says of faults and sessions
        picture.told.append(told)
        picture.last_born = max(picture.last_born, told.born)
        picture.last_received_at = told.received_at
        if told.number > picture.last_number:
            picture.last_number = told.number
            for claim in told.claims:
                picture.claimed_at[claim] = told.handed
        picture.prune()

    def born(self, pile: str, number: int) -> None:
        """The daemon was told, by message ``number``, that the pile's controller has started."""
        picture = self.of(pile)
        picture.boot_number = max(picture.boot_number, number)

    def acknowledged(self, tokens: Iterable[tuple[int, int]]) -> None:
        """The daemon says these are durable."""
        for token in tokens:
            found = self._by_token.pop(token, None)
            if found is not None:
                pile, told = found
                told.known = True
                picture = self.of(pile)
                # What was said before a person came is history to that person, however late it arrives.
                if told.dangers and picture.danger_since is None and told.born > picture.person_at:
                    picture.danger_since = self._clock()

    def endangered(self, pile: str, source: str) -> None:
        """A person's words told of danger, and the daemon has taken them in; each ``source`` counts once."""
        picture = self.of(pile)
        if picture.danger_since is None and source not in self._heard:
            picture.danger_since = self._clock()
        self._heard.add(source)

    def person(self, pile: str) -> None:
        """A person has been there, or has decided about it: dangers on record may be cleared."""
        picture = self.of(pile)
        picture.person_at = self._clock()
        picture.danger_since = None

    def forget(self) -> None:
        """The daemon died: nothing it held in memory counts any more."""
        self._by_token.clear()
        for picture in self._piles.values():
            picture.told.clear()
