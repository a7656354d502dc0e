"""The durable store: SQLite in a file or PostgreSQL, one writer, one transaction a batch."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from triage.core.effects import Changes, JournalEntry, KeptAnswer, Snapshot
from triage.core.events import Moment
from triage.errors import StoreRefusedError
from triage.interfaces import Page
from triage.storage import history, pages, queries, schema, writes
from triage.storage.chain import Head
from triage.storage.database import Database
from triage.storage.documents import decode, micros
from triage.storage.memory import RECENT
from triage.storage.rows import KINDS, SILENCE, Landed, entry_of, moment_of, prepare
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

    async def open(self) -> None:
        """Check the schema. An outdated SQLite file is migrated; a PostgreSQL database is refused until somebody does.

        Raises:
            StoreError: the database cannot be reached now.
            StoreRefusedError: its schema is newer, or outdated on PostgreSQL.
        """
        async with self._database.reading() as connection:
            outdated = await connection.run_sync(schema.outdated)
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
        async with self._database.writing() as connection:
            if await connection.run_sync(schema.outdated):
                await connection.run_sync(schema.upgrade)

    async def load(self, now: datetime) -> Snapshot:
        """See :class:`~triage.interfaces.Ledger`."""
        thaw = Thaw.begin()
        async with self._database.reading(snapshot=True) as connection:
            for kind in KINDS:
                cutoff_us = micros(now if kind is SILENCE else now - self._recent)
                after, full = "", True
                while full:
                    rows = (await connection.execute(queries.live(kind, cutoff_us, after))).all()
                    thaw.add(kind, [(row[0], row[1]) for row in rows])
                    full = len(rows) == queries.LOAD_BATCH
                    after = rows[-1][0] if rows else after
            settings = [(row[0], row[1]) for row in await connection.execute(queries.settings())]
        if thaw.asides:
            async with self._database.writing() as connection:
                await writes.set_aside(connection, thaw.asides, micros(now))
        self.undecodable = thaw.counts
        return thaw.settle(settings)

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
        prepared = prepare(changes)
        self._batches += 1
        token = f"{self._nonce}-{self._batches}"
        async with self._database.writing() as connection:
            ledger = await writes.read_ledger(connection)
            ledger.lease.admit(self._epoch)
            landed = self._doubts.get(ledger.batch)
            if landed is not None:
                prepared = prepare(changes, landed)
            # Of all the batches in doubt only the ledger's last can have landed.
            self._doubts = {token: Landed.of(changes)} | ({} if landed is None else {ledger.batch: landed})
            await writes.write_batch(connection, prepared, token, ledger.head)
        self._doubts.clear()

    async def answers(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KeptAnswer]:
        """See :class:`~triage.interfaces.Lookups`."""
        found: dict[tuple[str, str], KeptAnswer] = {}
        if not keys:
            return found
        async with self._database.reading() as connection:
            for start in range(0, len(keys), queries.ANSWER_BATCH):
                chosen = queries.answers(keys[start : start + queries.ANSWER_BATCH])
                for row in await connection.execute(chosen):
                    kept = decode(row[0], KeptAnswer)
                    found[kept.scope, kept.key] = kept
        return found

    async def moments(self, pile: str, since: datetime, until: datetime) -> Sequence[Moment]:
        """See :class:`~triage.interfaces.Lookups`."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(history.standing(pile, micros(since)))).mappings().all()
            standing = list({row["connector"]: row for row in rows}.values())
            changes = await connection.execute(history.window(pile, micros(since), micros(until)))
            return [moment_of(row) for row in history.bounded(standing, changes.mappings().all())]

    async def fetch(self, kind: str, id: str) -> dict[str, Any] | None:
        """See :class:`~triage.interfaces.Queries`."""
        async with self._database.reading() as connection:
            doc = (await connection.execute(queries.one(kind, id))).scalar_one_or_none()
        return None if doc is None else pages.document(kind, pages.Listed(0, id, doc))

    async def page(self, kind: str, filters: Mapping[str, str], cursor: str | None, limit: int) -> Page:
        """See :class:`~triage.interfaces.Queries`.

        Raises:
            KeyError: there is no such list, or it has no such filter.
            ValueError: the cursor is none of this list's.
        """
        want = pages.wanted(kind, filters, cursor, limit)
        async with self._database.reading() as connection:
            rows = [pages.Listed(*row) for row in await connection.execute(queries.page(want))]
        return pages.page(kind, rows, want.limit)

    async def timeline(self, subject: str, limit: int = 500) -> Sequence[JournalEntry]:
        """See :class:`~triage.interfaces.Queries`; beyond ``limit`` the newest lines are shown."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(queries.timeline(subject, limit))).mappings().all()
        return [entry_of(row) for row in reversed(rows)]

    async def walk(self) -> AsyncIterator[tuple[int, JournalEntry, str, str]]:
        """See :class:`~triage.interfaces.Journal`."""
        seq, full = 0, True
        while full:
            async with self._database.reading() as connection:
                rows = (await connection.execute(queries.records(seq, WALK_BATCH))).mappings().all()
            full = len(rows) == WALK_BATCH
            for row in rows:
                seq = row["seq"]
                yield seq, entry_of(row), row["prev_hash"], row["hash"]

    async def head(self) -> Head:
        """The journal's newest record, as noted apart from it."""
        async with self._database.reading() as connection:
            return (await writes.read_ledger(connection)).head

    async def acquire_lease(self, owner: str, now: datetime, ttl_s: float) -> int:
        """Become the one writer for ``ttl_s`` seconds; the epoch every commit of this store carries from now on.

        Raises:
            StoreRefusedError: another owner holds the lease.
        """
        async with self._database.writing() as connection:
            lease = (await writes.read_ledger(connection)).lease.taken(owner, now, ttl_s)
            await writes.write_lease(connection, lease)
        self._epoch = lease.epoch
        return lease.epoch

    async def renew_lease(self, now: datetime) -> None:
        """Stay the one writer.

        Raises:
            StoreRefusedError: the lease was lost.
        """
        async with self._database.writing() as connection:
            lease = (await writes.read_ledger(connection)).lease.renewed(self._epoch, now)
            await writes.write_lease(connection, lease)

    async def release_lease(self) -> None:
        """Let the next daemon start at once; harmless if the lease was lost."""
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return
        async with self._database.writing() as connection:
            lease = (await writes.read_ledger(connection)).lease
            if lease.epoch == epoch:
                await writes.write_lease(connection, lease.released())

    async def prune(self, now: datetime, keep: timedelta) -> history.Pruned:
        """Drop history older than ``keep``, answers older than 30 days, and payloads beyond the newest 10,000.

        Works in small transactions, so that commits pass in between. What held at the edge of ``keep`` stays.
        """
        return history.Pruned(
            moments=await self._prune_moments(micros(now - keep)),
            answers=await self._drop(history.drop_answers(micros(now - history.ANSWERS_KEPT))),
            quarantine=await self._drop(history.drop_quarantine()),
        )

    async def _prune_moments(self, cutoff_us: int) -> int:
        dropped, after, full = 0, (-1, -1), True
        while full:
            async with self._database.reading() as connection:
                rows = (await connection.execute(history.outdated(cutoff_us, after))).all()
            if rows:
                async with self._database.writing() as connection:
                    await connection.execute(history.drop_moments([row[1] for row in rows]))
                after = (rows[-1][0], rows[-1][1])
            dropped += len(rows)
            full = len(rows) == history.CHUNK
        return dropped

    async def _drop(self, statement: Any) -> int:
        dropped, full = 0, True
        while full:
            async with self._database.writing() as connection:
                count = (await connection.execute(statement)).rowcount
            dropped += count
            full = count == history.CHUNK
        return dropped
