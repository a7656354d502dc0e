"""The memory store's disk: encoded rows in dicts, with the orders and bounds that keep loading and paging cheap."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from typing import Any

from triage.storage.chain import Head
from triage.storage.documents import FOREVER
from triage.storage.history import QUARANTINE_KEPT
from triage.storage.lease import Lease
from triage.storage.pages import Listed, PageWanted
from triage.storage.rows import KINDS, Row

Record = tuple[str, str, str]
"""A journal line: encoded entry, hash before, own hash."""


class Shelf:
    """Rows of one kind by id, newest first for pages, and by their end for loading."""

    def __init__(self) -> None:
        self.rows: dict[str | int, Row] = {}
        self._order: list[tuple[int, Any]] = []
        self._open: dict[str | int, None] = {}
        self._ended: list[tuple[int, Any]] = []

    def put(self, row: Row) -> None:
        """Keep ``row`` in place of the one with its id."""
        id = row["id"]
        old = self.rows.get(id)
        if old is None or old.get("at_us") != row.get("at_us"):
            insort(self._order, (row.get("at_us", 0), id))
        self.rows[id] = row
        live_us = row.get("live_us", FOREVER)
        if live_us == FOREVER:
            self._open[id] = None
        else:
            self._open.pop(id, None)
            if old is None or old["live_us"] != live_us:
                insort(self._ended, (live_us, id))

    def live(self, cutoff_us: int) -> list[tuple[Any, str]]:
        """Id and document of what has no end, or one after ``cutoff_us``, by id."""
        ids = dict(self._open)
        # (cutoff + 1,) stands before every pair of that moment, whatever the id.
        for live_us, id in self._ended[bisect_right(self._ended, (cutoff_us + 1,)) :]:
            if self.rows[id]["live_us"] == live_us:
                ids[id] = None
        return [(id, self.rows[id]["doc"]) for id in sorted(ids, key=str)]

    def page(self, want: PageWanted) -> list[Listed]:
        """The rows of a page, and one more that tells whether another page follows."""
        return list(self._listed(want))

    def _listed(self, want: PageWanted) -> Iterator[Listed]:
        left = want.limit + 1
        place = len(self._order) if want.after is None else bisect_right(self._order, want.after)
        while place and left:
            place -= 1
            at_us, id = self._order[place]
            row = self.rows.get(id)
            if (at_us, id) == want.after or row is None or row["at_us"] != at_us:
                continue
            if all(row[name] == value for name, value in want.filters.items()):
                left -= 1
                yield Listed(at_us, id, row["doc"])

    def keep_newest(self, count: int) -> int:
        """Forget all but the ``count`` rows with the highest numbers; how many those were."""
        surplus = sorted(self.rows, key=int)[: max(0, len(self.rows) - count)]
        for id in surplus:
            del self.rows[id]
            self._open.pop(id, None)
        if surplus:
            self._order = [place for place in self._order if place[1] in self.rows]
        return len(surplus)


class History:
    """State history per pile and connector, in order of time."""

    def __init__(self) -> None:
        self._piles: dict[str, dict[int, list[tuple[int, int, Row]]]] = {}
        self._written = 0

    def add(self, row: Row) -> None:
        """Keep one moment."""
        self._written += 1
        line = self._piles.setdefault(row["pile"], {}).setdefault(row["connector"], [])
        insort(line, (row["at_us"], self._written, row))

    def standing(self, pile: str, since_us: int) -> list[Row]:
        """Per connector the row that held at ``since_us``."""
        lines = self._piles.get(pile, {}).values()
        held = [line[place - 1] for line in lines if (place := bisect_right(line, (since_us + 1,)))]
        return [row for *_, row in sorted(held, key=lambda item: item[:2])]

    def window(self, pile: str, since_us: int, until_us: int, limit: int) -> list[Row]:
        """The newest ``limit`` rows after ``since_us`` until ``until_us``, newest first."""
        found: list[tuple[int, int, Row]] = []
        for line in self._piles.get(pile, {}).values():
            start, end = bisect_right(line, (since_us + 1,)), bisect_right(line, (until_us + 1,))
            found += line[max(start, end - limit) : end]
        found.sort(key=lambda item: item[:2], reverse=True)
        return [row for *_, row in found[:limit]]

    def drop(self, cutoff_us: int) -> int:
        """Forget what ended before the cutoff; how many rows that was."""
        dropped = 0
        for lines in self._piles.values():
            for line in lines.values():
                old = max(0, bisect_right(line, (cutoff_us + 1,)) - 1)
                del line[:old]
                dropped += old
        return dropped


class MemoryDisk:
    """Everything a :class:`~triage.storage.memory.MemoryStore` keeps; it outlives the store, as a disk does."""

    def __init__(self) -> None:
        self.shelves = {kind.name: Shelf() for kind in KINDS}
        self.settings: dict[str, str] = {}
        self.answers: dict[tuple[str, str], Row] = {}
        self.quarantine = Shelf()
        self.quarantined = 0
        self.history = History()
        self.journal: list[Record] = []
        self.subjects: dict[str, list[int]] = {}
        self.asides: dict[tuple[str, str, str], Any] = {}
        self.lease = Lease()
        self.head = Head()

    def prune_quarantine(self) -> int:
        """Keep the newest payloads only."""
        return self.quarantine.keep_newest(QUARANTINE_KEPT)
