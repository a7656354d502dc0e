"""Which decisions differ between two replays of one trace, pile by pile."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from difflib import SequenceMatcher

from msgspec import Struct

from triage.replay.player import Decided

SAME_MOMENT = timedelta(seconds=1)
_NUMBERS = re.compile(r"\b([ICW])\d{8}-\d{6}(?:\.\d+)?")
_MOMENTS = re.compile(r"\d\d:\d\d:\d\d|\d+ s old|\d+ s ago")


class Difference(Struct, frozen=True):
    """A decision of the rules in force alone (``-``), the others alone (``+``), or of both at other times (``~``)."""

    sign: str
    decided: Decided
    other: Decided | None = None

    def __str__(self) -> str:
        """Render in one line."""
        later = f"  (then at {self.other.at:%Y-%m-%dT%H:%M:%SZ})" if self.other is not None else ""
        return f"{self.sign} {self.decided}{later}"


def differ(here: Iterable[Decided], there: Iterable[Decided]) -> list[Difference]:
    """What differs, in order of time; numbers of incidents and orders do not count, for they depend on all others."""
    mine, theirs = _by_pile(here), _by_pile(there)
    found: list[Difference] = []
    for pile in sorted(mine.keys() | theirs.keys()):
        found.extend(_compare(mine[pile], theirs[pile]))
    return sorted(found, key=lambda each: each.decided.at)


def _by_pile(decided: Iterable[Decided]) -> defaultdict[str, list[Decided]]:
    piles: defaultdict[str, list[Decided]] = defaultdict(list)
    for each in decided:
        piles[each.pile].append(each)
    return piles


def _compare(mine: Sequence[Decided], theirs: Sequence[Decided]) -> Iterator[Difference]:
    matcher = SequenceMatcher(None, [_key(each) for each in mine], [_key(each) for each in theirs], autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(mine[start:end], theirs[other_start:other_end], strict=True):
                if abs(one.at - other.at) > SAME_MOMENT:
                    yield Difference("~", one, other)
            continue
        yield from (Difference("-", each) for each in mine[start:end])
        yield from (Difference("+", each) for each in theirs[other_start:other_end])


def _key(decided: Decided) -> str:
    text = _MOMENTS.sub("…", _NUMBERS.sub(r"\1…", decided.text))
    return f"{decided.sort} {text}"
