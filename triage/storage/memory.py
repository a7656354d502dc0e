"""A store that forgets with the process: for tests, drills and the simulated world. Same contract as the SQL one.

Everything is kept encoded, so nothing is shared with the caller and a document that cannot be read fails here as it
does there. A commit runs without a single await: killed at any of them, a task has committed all or nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from triage.core.effects import Changes, JournalEntry, KeptAnswer, Snapshot
from triage.core.events import Moment
from triage.interfaces import Page
from triage.storage import pages
from triage.storage.chain import Head, link
from triage.storage.documents import UndecodableError, decode, encode, escape, micros, moment
from triage.storage.history import ANSWERS_KEPT, MOMENTS_LIMIT, Pruned, bounded
from triage.storage.rows import KINDS, Prepared, moment_of, prepare, subjects
from triage.storage.shelf import MemoryDisk, Record
from triage.storage.thaw import Thaw

RECENT = timedelta(hours=2)


class MemoryStore:
    """Ledger, Lookups, Queries and Journal over a :class:`MemoryDisk`.

    ``recent`` is how long a closed entity stays in the snapshot. Give the same ``disk`` to another store for a restart.
    ``undecodable`` counts, by kind, the rows the last load had to leave aside.
    """

    def __init__(self, disk: MemoryDisk | None = None, recent: timedelta = RECENT) -> None:
        self.disk = disk or MemoryDisk()
        self.undecodable: dict[str, int] = {}
        self._recent = recent
        self._epoch: int | None = None

    async def open(self) -> None:
        """Be ready; there is nothing to open."""

    async def close(self) -> None:
        """Leave the disk as it is; a lease not released stays held until it runs out."""
        self._epoch = None

    async def migrate(self) -> None:
        """Change nothing: memory has one schema."""

    async def load(self, now: datetime) -> Snapshot:
        """See :class:`~triage.interfaces.Ledger`."""
        thaw = Thaw.begin()
        cutoffs = {"silence": micros(now)}
        for kind in KINDS:
            cutoff_us = cutoffs.get(kind.name, micros(now - self._recent))
            thaw.add(kind, self.disk.shelves[kind.name].live(cutoff_us))
        for aside in thaw.asides:
            self.disk.asides[aside.kind, aside.id, aside.digest] = aside
        self.undecodable = thaw.counts
        return thaw.settle(sorted(self.disk.settings.items()))

    async def commit(self, changes: Changes) -> None:
        """See :class:`~triage.interfaces.Ledger`.

        Raises:
            StoreRefusedError: another daemon holds the lease.
        """
        # Whatever may fail comes first; from _keep on nothing does.
        self.disk.lease.admit(self._epoch)
        prepared = prepare(changes)
        records, prev = [], self.disk.head.hash
        for entry in prepared.journal:
            own = link(prev, entry)
            records.append((entry, (encode(entry), prev, own)))
            prev = own
        self._keep(prepared)
        self._append(records)

    def _keep(self, prepared: Prepared) -> None:
        disk = self.disk
        for name, rows in prepared.entities.items():
            put = disk.shelves[name].put
            for row in rows:
                put(row)
        for row in prepared.settings:
            disk.settings[row["key"]] = row["value"]
        for row in prepared.moments:
            disk.history.add(row)
        for row in prepared.answers:
            disk.answers.setdefault((row["scope"], row["key"]), row)
        for row in prepared.quarantine:
            disk.quarantined += 1
            disk.quarantine.put({"id": disk.quarantined, **row})

    def _append(self, records: list[tuple[JournalEntry, Record]]) -> None:
        disk = self.disk
        for entry, record in records:
            disk.journal.append(record)
            disk.head = Head(disk.head.seq + 1, record[2])
            for subject in subjects(entry):
                disk.subjects.setdefault(subject, []).append(disk.head.seq)

    async def answers(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KeptAnswer]:
        """See :class:`~triage.interfaces.Lookups`."""
        found = {key: self.disk.answers.get((escape(key[0]), escape(key[1]))) for key in keys}
        return {key: decode(row["doc"], KeptAnswer) for key, row in found.items() if row is not None}

    async def moments(self, pile: str, since: datetime, until: datetime) -> Sequence[Moment]:
        """See :class:`~triage.interfaces.Lookups`."""
        since_us, name = micros(since), escape(pile)
        changes = self.disk.history.window(name, since_us, micros(until), MOMENTS_LIMIT)
        return [moment_of(row) for row in bounded(self.disk.history.standing(name, since_us), changes)]

    async def fetch(self, kind: str, id: str) -> dict[str, Any] | None:
        """See :class:`~triage.interfaces.Queries`."""
        row = self.disk.shelves[kind].rows.get(escape(id))
        return None if row is None else pages.document(kind, pages.Listed(0, id, row["doc"]))

    async def page(self, kind: str, filters: Mapping[str, str], cursor: str | None, limit: int) -> Page:
        """See :class:`~triage.interfaces.Queries`.

        Raises:
            KeyError: there is no such list, or it has no such filter.
            ValueError: the cursor is none of this list's.
        """
        want = pages.wanted(kind, filters, cursor, limit)
        shelf = self.disk.quarantine if kind == pages.QUARANTINE else self.disk.shelves[kind]
        return pages.page(kind, shelf.page(want), want.limit)

    async def timeline(self, subject: str, limit: int = 500) -> Sequence[JournalEntry]:
        """See :class:`~triage.interfaces.Queries`; beyond ``limit`` the newest lines are shown."""
        seqs = self.disk.subjects.get(escape(subject), [])[-limit:]
        return [_entry(self.disk.journal[seq - 1]) for seq in seqs]

    async def walk(self) -> AsyncIterator[tuple[int, JournalEntry, str, str]]:
        """See :class:`~triage.interfaces.Journal`."""
        for place, record in enumerate(self.disk.journal):
            yield place + 1, _entry(record), record[1], record[2]

    async def head(self) -> Head:
        """The journal's newest record, as noted apart from it."""
        return self.disk.head

    async def acquire_lease(self, owner: str, now: datetime, ttl_s: float) -> int:
        """Become the one writer for ``ttl_s`` seconds; the epoch every commit of this store carries from now on.

        Raises:
            StoreRefusedError: another owner holds the lease.
        """
        self.disk.lease = self.disk.lease.taken(owner, now, ttl_s)
        self._epoch = self.disk.lease.epoch
        return self._epoch

    async def renew_lease(self, now: datetime) -> None:
        """Stay the one writer.

        Raises:
            StoreRefusedError: the lease was lost.
        """
        self.disk.lease = self.disk.lease.renewed(self._epoch, now)

    async def release_lease(self) -> None:
        """Let the next daemon start at once; harmless if the lease was lost."""
        if self._epoch == self.disk.lease.epoch:
            self.disk.lease = self.disk.lease.released()
        self._epoch = None

    async def prune(self, now: datetime, keep: timedelta) -> Pruned:
        """Drop history older than ``keep``, answers older than 30 days, and payloads beyond the newest 10,000."""
        old_us = micros(now - ANSWERS_KEPT)
        old = [key for key, row in self.disk.answers.items() if row["at_us"] <= old_us]
        for key in old:
            del self.disk.answers[key]
        return Pruned(self.disk.history.drop(micros(now - keep)), len(old), self.disk.prune_quarantine())


def _entry(record: Record) -> JournalEntry:
    try:
        return decode(record[0], JournalEntry)
    except UndecodableError as error:
        text = f"This record cannot be read: {error}"
        return JournalEntry(at=moment(0), subject="", kind="undecodable", actor="", text=text)
