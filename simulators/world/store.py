"""A database that is slow, sometimes away, and sometimes commits without being able to say so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING

from triage.core.effects import Changes, KeptAnswer, Snapshot
from triage.core.events import Moment
from triage.errors import StoreError
from triage.storage.memory import MemoryStore
from triage.storage.shelf import MemoryDisk

if TYPE_CHECKING:
    from simulators.invariants import Auditor


SLOW_TO_SAY = 0.4
"""Share of commits after which the confirmation takes its time; a death in between is the worst one."""


@dataclass(slots=True)
class Mood:
    """How the database feels; the world changes it at will. Shares are chances per call."""

    fails: float = 0.01
    forgets_to_say: float = 0.003
    away: bool = False
    slow_s: float = 0.01


class FlakyStore(MemoryStore):
    """The memory store behind a bad connection; the disk outlives it, as it outlives the daemon."""

    def __init__(
        self, disk: MemoryDisk, mood: Mood, rng: Random, auditor: Auditor, committed: Callable[[Changes], None]
    ) -> None:
        """``auditor`` and ``committed`` are told of every transaction at the moment it takes effect."""
        super().__init__(disk)
        self._mood = mood
        self._rng = rng
        self._auditor = auditor
        self._committed = committed
        self.failures = 0

    async def load(self, now: datetime) -> Snapshot:
        """Load, and let the auditor compare."""
        await self._travel()
        snapshot = await super().load(now)
        self._auditor.restarted(snapshot)
        return snapshot

    async def commit(self, changes: Changes) -> None:
        """Commit: before it, after it, or not at all, the connection may fail."""
        await self._travel()
        await super().commit(changes)
        self._auditor.committed(changes)
        self._committed(changes)
        chance = self._rng.random()
        if chance < SLOW_TO_SAY:
            await asyncio.sleep(chance * self._mood.slow_s)
        if self._rng.random() < self._mood.forgets_to_say:
            self.failures += 1
            raise StoreError("the connection broke before the commit was confirmed")

    async def answers(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KeptAnswer]:
        """See :class:`~triage.interfaces.Lookups`."""
        await self._travel()
        return await super().answers(keys)

    async def moments(self, pile: str, since: datetime, until: datetime) -> Sequence[Moment]:
        """See :class:`~triage.interfaces.Lookups`."""
        await self._travel()
        return await super().moments(pile, since, until)

    async def _travel(self) -> None:
        await asyncio.sleep(self._rng.random() * self._mood.slow_s)
        if self._mood.away or self._rng.random() < self._mood.fails:
            self.failures += 1
            raise StoreError("the database does not answer")
