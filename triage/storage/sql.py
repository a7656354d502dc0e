"""The durable store: SQLite in a file or PostgreSQL, one writer, one transaction a batch."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Delete, RowMapping, Select

from triage.core.effects import Changes, JournalEntry, KeptAnswer, Snapshot
from triage.core.events import Moment
from triage.errors import StoreRefusedError
from triage.interfaces import Page
from triage.storage import history, pages, queries, schema, writes
from triage.storage.chain import Head
from triage.storage.database import Database
from triage.storage.documents import decode, escape, micros
from triage.storage.lease import Lease
from triage.storage.memory import RECENT
from triage.storage.rows import KINDS, SILENCE, Kind, Landed, entry_of, moment_of, prepare
from triage.storage.thaw import Thaw

WALK_BATCH = 1_000


class SqlStore:
    """Ledger, Lookups, Queries and Journal over a database.

    ``recent`` is how long a closed entity stays in the snapshot. ``undecodable`` counts, by kind, the rows the last
    load had to leave aside. Every method raises :class:`~triage.errors.StoreError` while the database cannot do it (try
    again; the next try uses a fresh connection) and :class:`~triage.errors.StoreRefusedError` when it never will.
    """

    def __init__(self, url: str, recent: timedelta = RECENT) -> None:
        self.undecodable: dict[str, int] = {}
        self._database = Database(url)
        self._recent = recent
        self._epoch: int | None = None
        self._nonce = secrets.token_hex(8)
        self._batches = 0
        # Batches whose outcome is not known, by the token they would have left in the ledger.
        self._doubts: dict[str, Landed] = {}
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Check the schema. An outdated SQLite file is migrated; a PostgreSQL database is refused until somebody does.

        Raises:
            StoreError: the database cannot be reached now.
            StoreRefusedError: its schema is newer, or outdated on PostgreSQL.
        """
        outdated = await self._database.read(schema.outdated)
        if not outdated:
            return
        if not self._database.sqlite:
            raise StoreRefusedError("the database has no schema or an outdated one; run `triage migrate` first")
        await self.migrate()

    async def close(self) -> None:
        """Close every connection; a lease not released stays held until it runs out."""
        self._epoch = None
        await self._database.close()

    async def migrate(self) -> None:
        """Bring the database to the newest schema, all or nothing.

        Raises:
            StoreRefusedError: its schema is newer than this version of the product.
        """
        await self._database.write(schema.upgrade)

    async def load(self, now: datetime) -> Snapshot:
        """See :class:`~triage.interfaces.Ledger`."""
        thaw = Thaw.begin()
        open_us, recent_us = micros(now), micros(now - self._recent)

        def work(connection: Connection) -> list[tuple[str, str]]:
            for kind in KINDS:
                _load_kind(connection, thaw, kind, open_us if kind is SILENCE else recent_us)
            return [(key, value) for key, value in connection.execute(queries.settings())]

        found = await self._database.read(work, snapshot=True)
        if thaw.asides:
            await self._database.write(lambda connection: writes.set_aside(connection, thaw.asides, open_us))
        self.undecodable = thaw.counts
        return thaw.settle(found)

    async def commit(self, changes: Changes) -> None:
        """See :class:`~triage.interfaces.Ledger`.

        After an error, or when the task was cancelled, the same changes (later ones absorbed or not) may be committed
        again: what already landed is not appended twice.

        Raises:
            StoreError: the database cannot do it now.
            StoreRefusedError: another daemon holds the lease.
        """
        if not changes:
            return
        prepared, full = prepare(changes), Landed.of(changes)
        self._batches += 1
        token = f"{self._nonce}-{self._batches}"

        def work(connection: Connection) -> None:
            ledger = writes.read_ledger(connection)
            ledger.lease.admit(self._epoch)
            landed = self._doubts.get(ledger.batch)
            rest = prepared if landed is None else prepared.without(full, landed)
            # Of all the batches in doubt only the ledger's last can have landed.
            self._doubts = {token: full} | ({} if landed is None else {ledger.batch: landed})
            writes.write_batch(connection, rest, token, ledger.head)

        # The next batch waits until it is settled whether this one's caller knows that it landed.
        async with self._turn:
            await self._database.write(work)
            self._doubts.clear()

    async def answers(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KeptAnswer]:
        """See :class:`~triage.interfaces.Lookups`."""
        pairs = [(escape(scope), escape(key)) for scope, key in keys]
        docs = await self._database.read(lambda connection: _answers(connection, pairs))
        kept = [decode(doc, KeptAnswer) for doc in docs]
        return {(answer.scope, answer.key): answer for answer in kept}

    async def moments(self, pile: str, since: datetime, until: datetime) -> Sequence[Moment]:
        """See :class:`~triage.interfaces.Lookups`."""
        wanted = {"pile": escape(pile), "since_us": micros(since), "until_us": micros(until)}

        def work(connection: Connection) -> list[Any]:
            standing = {row["connector"]: row for row in connection.execute(history.STANDING, wanted).mappings()}
            changes = connection.execute(history.WINDOW, wanted).mappings()
            return history.bounded(list(standing.values()), changes.all())

        return [moment_of(row) for row in await self._database.read(work)]

    async def fetch(self, kind: str, id: str) -> dict[str, Any] | None:
        """See :class:`~triage.interfaces.Queries`."""
        rows = await self._rows(queries.one(kind, id))
        return pages.document(kind, pages.Listed(0, id, rows[0]["doc"])) if rows else None

    async def page(self, kind: str, filters: Mapping[str, str], cursor: str | None, limit: int) -> Page:
        """See :class:`~triage.interfaces.Queries`.

        Raises:
            KeyError: there is no such list, or it has no such filter.
            ValueError: the cursor is none of this list's.
        """
        want = pages.wanted(kind, filters, cursor, limit)
        rows = await self._rows(queries.page(want))
        return pages.page(kind, [pages.Listed(row["at_us"], row["id"], row["doc"]) for row in rows], want.limit)

    async def timeline(self, subject: str, limit: int = 500) -> Sequence[JournalEntry]:
        """See :class:`~triage.interfaces.Queries`; beyond ``limit`` the newest lines are shown."""
        rows = await self._rows(queries.timeline(subject, limit))
        return [entry_of(row) for row in reversed(rows)]

    async def walk(self) -> AsyncIterator[tuple[int, JournalEntry, str, str]]:
        """See :class:`~triage.interfaces.Journal`."""
        seq, full = 0, True
        while full:
            rows = await self._rows(queries.records(seq, WALK_BATCH))
            full = len(rows) == WALK_BATCH
            for row in rows:
                seq = row["seq"]
                yield seq, entry_of(row), row["prev_hash"], row["hash"]

    async def head(self) -> Head:
        """The journal's newest record, as noted apart from it."""
        return await self._database.read(lambda connection: writes.read_ledger(connection, lock=False).head)

    async def acquire_lease(self, owner: str, now: datetime, ttl_s: float) -> int:
        """Become the one writer for ``ttl_s`` seconds; the epoch every commit of this store carries from now on.

        Raises:
            StoreRefusedError: another owner holds the lease.
        """
        lease = await self._change_lease(lambda lease: lease.taken(owner, now, ttl_s))
        self._epoch = lease.epoch
        return lease.epoch

    async def renew_lease(self, now: datetime) -> None:
        """Stay the one writer.

        Raises:
            StoreRefusedError: the lease was lost.
        """
        await self._change_lease(lambda lease: lease.renewed(self._epoch, now))

    async def release_lease(self) -> None:
        """Let the next daemon start at once; harmless if the lease was lost."""
        epoch, self._epoch = self._epoch, None
        if epoch is not None:
            await self._change_lease(lambda lease: lease.released() if lease.epoch == epoch else lease)

    async def _change_lease(self, change: Callable[[Lease], Lease]) -> Lease:
        def work(connection: Connection) -> Lease:
            lease = change(writes.read_ledger(connection).lease)
            writes.write_lease(connection, lease)
            return lease

        return await self._database.write(work)

    async def prune(self, now: datetime, keep: timedelta) -> history.Pruned:
        """Drop history older than ``keep``, answers older than 30 days, and payloads beyond the newest 10,000.

        Works in small transactions, so that commits pass in between. What held at the edge of ``keep`` stays.
        """
        edge = await self._rows(history.QUARANTINE_EDGE)
        return history.Pruned(
            moments=await self._prune_moments(micros(now - keep)),
            answers=await self._drop(history.drop_answers(micros(now - history.ANSWERS_KEPT))),
            quarantine=await self._drop(history.drop_quarantine(edge[0]["id"])) if edge else 0,
        )

    async def _prune_moments(self, cutoff_us: int) -> int:
        dropped, after, full = 0, (-1, -1), True
        while full:
            rows = await self._rows(history.outdated(cutoff_us, after))
            if rows:
                await self._run(history.drop_moments([row["seq"] for row in rows]))
                after = (rows[-1]["at_us"], rows[-1]["seq"])
            dropped += len(rows)
            full = len(rows) == history.CHUNK
        return dropped

    async def _rows(self, statement: Select[Any]) -> Sequence[RowMapping]:
        return await self._database.read(lambda connection: connection.execute(statement).mappings().all())

    async def _run(self, statement: Delete) -> int:
        return await self._database.write(lambda connection: connection.execute(statement).rowcount)

    async def _drop(self, statement: Delete) -> int:
        dropped, full = 0, True
        while full:
            count = await self._run(statement)
            dropped += count
            full = count == history.CHUNK
        return dropped


def _answers(connection: Connection, pairs: list[tuple[str, str]]) -> list[str]:
    if len(pairs) == 1:
        scope, key = pairs[0]
        return list(connection.scalars(queries.ANSWER_OF, {"scope": scope, "key": key}))
    docs: list[str] = []
    for start in range(0, len(pairs), queries.ANSWER_BATCH):
        docs += connection.scalars(queries.ANSWERS_OF, {"pairs": pairs[start : start + queries.ANSWER_BATCH]})
    return docs


def _load_kind(connection: Connection, thaw: Thaw, kind: Kind, cutoff_us: int) -> None:
    after: str | None = None
    full = True
    while full:
        rows = [(id, doc) for id, doc in connection.execute(queries.live(kind, cutoff_us, after))]
        thaw.add(kind, rows)
        full = len(rows) == queries.LOAD_BATCH
        after = rows[-1][0] if rows else None
