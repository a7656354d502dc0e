"""Which remedy cured what: counts by model, firmware and trouble, and what may be concluded from them. Pure.

A cure is an attempt that passed with its proof; what stayed unknown proves nothing either way and is counted beside the
rate. Some trouble goes away by itself: the share is measured where it would have been treated, on incidents whose first
remedy is held back by lot, and taken off the cure rate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import sqrt

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from triage.core.vocabulary import Action, Result

GROUPS_KEPT = 2_000
"""Groups remembered; beyond that the one that has been silent longest gives way."""

PREFIX = "remedy."
"""Settings with this prefix hold one group each; the place in the book follows."""

Z = 1.96
"""Two-sided 95 %."""

_NAME_KEPT = 120

Key = tuple[str, str, str]
"""Model, firmware and trouble."""


class Interval(Struct, frozen=True):
    """A rate and the bounds it lies between with 95 % confidence; nothing is known of it without a single try."""

    rate: float | None
    low: float
    high: float


def wilson(hits: int, tries: int) -> Interval:
    """The share of ``hits`` in ``tries`` with its score interval (Wilson 1927), good for few tries and for none hit."""
    if tries <= 0:
        return Interval(None, 0.0, 1.0)
    share = hits / tries
    middle = share + Z * Z / (2 * tries)
    spread = Z * sqrt(share * (1 - share) / tries + Z * Z / (4 * tries * tries))
    scale = 1 + Z * Z / tries
    return Interval(share, max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))


def difference(one: Interval, other: Interval) -> Interval:
    """``one`` less ``other`` (Newcombe 1998, from both score intervals).

    Of what nobody has measured nothing is taken off: the upper bound stays that of ``one``.
    """
    if one.rate is None:
        return Interval(None, -1.0, 1.0)
    if other.rate is None:
        return Interval(None, one.low - 1.0, one.high)
    net = one.rate - other.rate
    low = net - sqrt((one.rate - one.low) ** 2 + (other.high - other.rate) ** 2)
    high = net + sqrt((one.high - one.rate) ** 2 + (other.rate - other.low) ** 2)
    return Interval(net, max(-1.0, low), min(1.0, high))


class Tries(Struct, frozen=True, kw_only=True):
    """What became of one action."""

    action: Action
    passed: int = 0
    failed: int = 0
    unknown: int = 0

    @property
    def judged(self) -> int:
        """Tries of which it is known whether they cured."""
        return self.passed + self.failed

    @property
    def cures(self) -> Interval:
        """The cure rate."""
        return wilson(self.passed, self.judged)


class Remedies(Struct, frozen=True, kw_only=True):
    """The record of one trouble on one model and firmware.

    ``observed`` incidents were watched over their observation window, and ``healed`` of them were well before it was
    over; of ``held_back`` ones the first remedy waited one more window, and ``held_back_healed`` needed none.
    """

    model: str
    firmware: str
    fault: str
    at: datetime
    tries: tuple[Tries, ...] = ()
    observed: int = 0
    healed: int = 0
    held_back: int = 0
    held_back_healed: int = 0

    @property
    def key(self) -> Key:
        """What it is the record of."""
        return (self.model, self.firmware, self.fault)

    @property
    def where(self) -> str:
        """Model and firmware as people say them."""
        return f"{self.model or 'an unknown model'} {self.firmware or 'of unknown firmware'}"

    @property
    def by_itself(self) -> Interval:
        """How many heal without a remedy at the time at which one would be tried."""
        return wilson(self.held_back_healed, self.held_back)

    @property
    def in_the_window(self) -> Interval:
        """How many heal within the observation window, before anything is considered."""
        return wilson(self.healed, self.observed)

    def of(self, action: Action) -> Tries:
        """The tries of ``action``."""
        return next((each for each in self.tries if each.action is action), Tries(action=action))

    def net(self, action: Action) -> Interval:
        """What ``action`` cures beyond what heals by itself."""
        return difference(self.of(action).cures, self.by_itself)

    def tried(self, action: Action, result: Result, at: datetime) -> Remedies:
        """The record with one more try; a refusal is none, for nothing was done."""
        name = _FIELDS.get(result)
        if name is None:
            return self
        known = self.of(action)
        changed = replace(known, **{name: getattr(known, name) + 1})
        others = [each for each in self.tries if each.action is not action]
        return replace(self, at=at, tries=tuple(sorted([*others, changed], key=lambda each: _ORDER[each.action])))

    def watched(self, *, back: bool, healed: bool, at: datetime) -> Remedies:
        """The record with one more incident watched: over its window, or (``back``) held back."""
        if back:
            return replace(
                self, at=at, held_back=self.held_back + 1, held_back_healed=self.held_back_healed + int(healed)
            )
        return replace(self, at=at, observed=self.observed + 1, healed=self.healed + int(healed))


_FIELDS = {Result.PASSED: "passed", Result.FAILED: "failed", Result.UNKNOWN: "unknown"}
_ORDER = {action: place for place, action in enumerate(Action)}


def key_of(model: str | None, firmware: str | None, fault: str) -> Key:
    """The key of a record; names are cut and made writable, for a device may claim anything."""
    return _plain(model or ""), _plain(firmware or ""), _plain(fault)


def _plain(name: str) -> str:
    return name[:_NAME_KEPT].encode("utf-8", "replace").decode()


def drawn(id: str, share: float) -> bool:
    """Whether ``id`` is among the ``share`` drawn by lot: always the same answer for the same id."""
    number = int.from_bytes(hashlib.sha256(id.encode()).digest()[:8], "big")
    return number < share * 2.0**64


class Book:
    """All records, each in a place of its own, as settings keep them. Places are reused, so the book is bounded."""

    def __init__(self, most: int = GROUPS_KEPT) -> None:
        """Start empty, with ``most`` places."""
        self.most = most
        self._by_key: dict[Key, int] = {}
        self._by_place: dict[int, Remedies] = {}

    def __len__(self) -> int:
        return len(self._by_place)

    def __iter__(self) -> Iterator[Remedies]:
        """Every record, in order of model, firmware and trouble."""
        return iter(sorted(self._by_place.values(), key=lambda each: each.key))

    def get(self, key: Key) -> Remedies | None:
        """The record of ``key``."""
        place = self._by_key.get(key)
        return None if place is None else self._by_place[place]

    def place_for(self, key: Key, taken: Mapping[Key, int]) -> int:
        """Where the record of ``key`` goes; ``taken`` are places given away already and not yet kept."""
        if key in taken:
            return taken[key]
        if key in self._by_key:
            return self._by_key[key]
        used = set(taken.values())
        free = next((each for each in range(self.most) if each not in self._by_place and each not in used), None)
        if free is not None:
            return free
        return min(self._by_place.keys() - used, key=lambda each: (self._by_place[each].at, each))

    def keep(self, name: str, text: str) -> None:
        """Take over a setting; one that is not of this book, or that cannot be read, leaves its place empty."""
        place = place_of(name)
        if place is None:
            return
        old = self._by_place.pop(place, None)
        if old is not None and self._by_key.get(old.key) == place:
            del self._by_key[old.key]
        try:
            record = msgspec.json.decode(text, type=Remedies)
        except msgspec.MsgspecError:
            return
        self._by_place[place] = record
        self._by_key[record.key] = place


def place_of(name: str) -> int | None:
    """The place a setting's name speaks of."""
    digits = name.removeprefix(PREFIX)
    return int(digits) if name.startswith(PREFIX) and digits.isdecimal() and len(digits) == len("0000") else None


def setting(place: int, record: Remedies) -> tuple[str, str]:
    """The setting that keeps ``record`` in ``place``."""
    return f"{PREFIX}{place:04d}", msgspec.json.encode(record).decode()
