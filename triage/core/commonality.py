"""What piles in trouble have in common, counted as it happens.

Every pile belongs to a handful of groups: its site, its carrier, its firmware and so on. A pile whose trouble begins or
ends moves as many entries; a healthy message moves none, and nobody walks the fleet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec import Struct

from triage.core.fleet import Pile
from triage.core.outage import COMMON_CAUSE, LOST, Cause
from triage.core.policy import Policy
from triage.core.vocabulary import Family, SymptomKind

Group = tuple[Cause, str]
"""A kind of thing in common, and which one."""

Key = tuple[Group, str]
"""A group and a sign."""

FLEET: Group = (Cause.FLEET, "")
ALL_SHARE = 0.9
"""Share of the piles of one driver, or of the whole fleet, that stands for all of them at once."""

_TAGGED = {each.value: each for each in (Cause.CARRIER, Cause.FEEDER, Cause.GATEWAY)}
_ALIKE = frozenset({Family.INTERNAL, Family.HARDWARE, Family.CONNECTOR_LOCK, Family.UNKNOWN})
"""Families of which equal faults on many piles speak of one cause. Danger is never waited for."""

_RANK = {cause: number for number, cause in enumerate(Cause)}
_FAULT_RANK = _RANK | {Cause.FIRMWARE: -1}


def groups_of(pile: Pile, driver: str) -> tuple[Group, ...]:
    """Everything ``pile`` may share a cause with; nothing for one that never spoke, for it is not in service yet."""
    registration = pile.registration
    if pile.heard_at is None:
        return ()
    found: list[Group] = [FLEET, (Cause.SITE, registration.site)]
    if driver:
        found.append((Cause.DRIVER, driver))
    for tag in registration.tags:
        kind, _, name = tag.partition(":")
        if name and kind in _TAGGED:
            found.append((_TAGGED[kind], name))
    host = _host(registration.endpoint) if driver == "modbus" else ""
    if host:
        found.append((Cause.GATEWAY, host))
    if pile.firmware:
        model = pile.model or registration.model
        found.append((Cause.FIRMWARE, f"{model} {pile.firmware}".strip()))
    return tuple(dict.fromkeys(found))


def _host(endpoint: str) -> str:
    text = endpoint.strip().rpartition("://")[2]
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition("/")[0].partition(":")[0]


def signs_of(pile: Pile, policy: Policy) -> dict[str, datetime]:
    """What ``pile`` shows now that others may show for the same cause, and since when.

    Who is away because we restarted it, or because it takes a new firmware, shows nothing of that kind.
    """
    found: dict[str, datetime] = {}
    for symptom in pile.symptoms:
        if symptom.family in COMMON_CAUSE:
            restarted = pile.resets and symptom.since - pile.resets[-1] < policy.span("boot_window")
            updating = pile.updating_until is not None and symptom.since < pile.updating_until
            if not restarted and not updating:
                found[LOST] = min(found.get(LOST, symptom.since), symptom.since)
        elif symptom.family in _ALIKE and symptom.kind is SymptomKind.FAULT_CLAIMED:
            for name in symptom.what.split(", "):
                found[name] = min(found.get(name, symptom.since), symptom.since)
    return found


class Match(Struct, frozen=True):
    """A group that explains what its piles show. ``fit`` is 1 when all of them show it and nobody else does."""

    group: Group
    fit: float
    size: int
    piles: tuple[str, ...]


class Ledger:
    """Who shows which sign, by group. Changed by :meth:`learn` alone, in as many steps as a pile has groups."""

    def __init__(self, policy: Policy) -> None:
        """Begin empty."""
        self.policy = policy
        self.driver_of: Callable[[Pile], str] = lambda _pile: ""
        self.changed: set[str] = set()
        self._groups: dict[str, tuple[Group, ...]] = {}
        self._sizes: Counter[Group] = Counter()
        self._signs: dict[str, dict[str, datetime]] = {}
        self._showing: dict[Key, dict[str, datetime]] = {}

    def learn(self, pile: Pile) -> None:
        """Take over what a pile shows now, and what it belongs to. A sign that goes on keeps its beginning."""
        before = self._signs.get(pile.id, {})
        now = signs_of(pile, self.policy)
        signs = {sign: before.get(sign, since) for sign, since in now.items()}
        self._place(pile.id, groups_of(pile, self.driver_of(pile)), signs)
        if before.keys() != signs.keys():
            self.changed.add(pile.id)

    def forget(self, id: str) -> None:
        """A pile that left the fleet shows nothing."""
        if id in self._signs:
            self.changed.add(id)
        self._place(id, (), {})
        self._groups.pop(id, None)

    def settle(self) -> None:
        """Everything that changed has been looked at."""
        self.changed.clear()

    def _place(self, id: str, groups: tuple[Group, ...], signs: dict[str, datetime]) -> None:
        old_groups, old_signs = self._groups.get(id, ()), self._signs.get(id, {})
        if groups != old_groups:
            self._sizes.subtract(old_groups)
            self._sizes.update(groups)
            self._groups[id] = groups
        elif old_signs == signs:
            return
        for group in old_groups:
            for sign in old_signs:
                self._remove((group, sign), id)
        for group in groups:
            for sign, since in signs.items():
                self._showing.setdefault((group, sign), {})[id] = since
        if signs:
            self._signs[id] = signs
        else:
            self._signs.pop(id, None)

    def _remove(self, key: Key, id: str) -> None:
        showing = self._showing.get(key)
        if showing is not None:
            showing.pop(id, None)
            if not showing:
                del self._showing[key]

    # What is asked of it --------------------------------------------------------------------------------------------

    def shows(self, id: str) -> dict[str, datetime]:
        """The signs of a pile and their beginnings."""
        return self._signs.get(id, {})

    def within(self, id: str, group: Group) -> bool:
        """Whether a pile belongs to ``group``."""
        return group in self._groups.get(id, ())

    def size(self, group: Group) -> int:
        """How many piles in service ``group`` has."""
        return self._sizes[group]

    def fresh(self, group: Group, sign: str, cutoff: datetime) -> tuple[str, ...]:
        """The piles of ``group`` that show ``sign`` and began to after ``cutoff``."""
        return tuple(id for id, since in self._showing.get((group, sign), {}).items() if since >= cutoff)

    def groups_around(self, piles: Iterable[str]) -> set[Group]:
        """Every group that one of ``piles`` belongs to."""
        return {group for id in piles for group in self._groups.get(id, ())}

    def match(self, group: Group, sign: str, cutoff: datetime, all_fresh: int) -> Match | None:
        """``group`` as the explanation of ``sign``, or None when too few of its piles show it at once.

        Who showed it before the window is no part of this: those piles are neither counted nor missed.
        """
        piles = self.fresh(group, sign, cutoff)
        broken_before = len(self._showing.get((group, sign), {})) - len(piles)
        size = self._sizes[group] - broken_before
        if len(piles) < self._needed(group, sign, size):
            return None
        return Match(group=group, fit=2 * len(piles) / (size + all_fresh), size=self._sizes[group], piles=piles)

    def _needed(self, group: Group, sign: str, size: int) -> int:
        policy = self.policy
        share = policy.outage_share if sign == LOST else policy.outage_fault_share
        if group[0] in {Cause.DRIVER, Cause.FLEET}:
            share = max(share, ALL_SHARE)
        return max(policy.outage_least, int(size * share))

    def best(self, groups: Iterable[Group], sign: str, cutoff: datetime, all_fresh: int) -> Match | None:
        """The group that explains ``sign`` best; of equally good ones the likelier cause."""
        rank = _RANK if sign == LOST else _FAULT_RANK
        found = [match for group in groups if (match := self.match(group, sign, cutoff, all_fresh)) is not None]
        return max(found, key=lambda each: (each.fit, -rank[each.group[0]], each.group[1]), default=None)

    def rest(self, piles: tuple[str, ...], least: int) -> Match | None:
        """What the piles that stayed behind have in common, if at least ``least`` of them share anything but all."""
        found = []
        for group in self.groups_around(piles):
            inside = tuple(id for id in piles if self.within(id, group))
            if len(inside) >= least:
                fit = 2 * len(inside) / (self._sizes[group] + len(piles))
                found.append(Match(group=group, fit=fit, size=self._sizes[group], piles=inside))
        return max(found, key=lambda each: (each.fit, -_RANK[each.group[0]], each.group[1]), default=None)
