"""What the rooms of the house expect of each other: small Protocols, so that siblings need not know one another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from triage.core.effects import Answer, Changes, Command, JournalEntry, KeptAnswer, OrderNotice, Snapshot
from triage.core.events import Ask, Event, Moment
from triage.core.fleet import Pile
from triage.core.means import Dialect
from triage.core.plan import Plan


class Clock(Protocol):
    """The edge's two clocks: wall time for records and deadlines, monotonic time for sleeping."""

    def now(self) -> datetime:
        """The present moment, UTC and aware."""

    def monotonic(self) -> float:
        """Seconds that never jump."""


class Inlet(Protocol):
    """Where drivers and the web hand in what happened."""

    def offer(self, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        """Hand over a batch at once; ``ack`` is called after everything in it is durable.

        Never blocks. Telemetry may be coalesced per pile when the inbox is full; other events are kept.
        """

    async def submit(self, event: Ask) -> Answer:
        """Hand in a question and wait for its committed answer.

        Raises:
            OverloadedError: the inbox is full.
            StoreError: the database cannot commit now; nothing was accepted.
        """


class Driver(Protocol):
    """One way to the field."""

    name: str

    async def start(self, inlet: Inlet) -> None:
        """Connect, and keep connected, in the background. Returns at once; a broker that is down is not an error."""

    async def stop(self) -> None:
        """Leave cleanly; unacknowledged messages stay with the broker."""

    async def send(self, command: Command) -> Dispatch:
        """Look a second time, then send, at most once. Never raises for anything the field can do."""


@runtime_checkable
class Restorer(Driver, Protocol):
    """A driver whose commands have a middle in which nobody may be left."""

    async def restore(self, command: Command) -> None:
        """An earlier process may have died in the middle of ``command``: bring things back to safety, begin nothing."""


class Dispatch(Struct, frozen=True):
    """What became of a send: ``sent``, ``not_sent`` (certainly did not leave) or ``unknown`` (may have left)."""

    outcome: str
    reason: str = ""


class Desk(Protocol):
    """Where field teams receive their orders."""

    name: str

    async def deliver(self, notice: OrderNotice) -> str:
        """Hand the order over, return the receiver's reference; the same notice id again must change nothing.

        Raises:
            Exception: anything raised is recorded, and the outbox tries again later.
        """


class Ledger(Protocol):
    """The writing side of storage: one writer, one transaction a batch."""

    async def load(self, now: datetime) -> Snapshot:
        """Everything open, and everything closed too recently to forget (see :class:`Snapshot`)."""

    async def commit(self, changes: Changes) -> None:
        """Make ``changes`` durable, all or nothing.

        Raises:
            StoreError: nothing was kept; the same changes may be committed again.
        """


class Lookups(Protocol):
    """What the runtime reads before it lets an event in."""

    async def answers(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KeptAnswer]:
        """The kept answers of these (scope, key) pairs, where there are any."""

    async def moments(self, pile: str, since: datetime, until: datetime) -> Sequence[Moment]:
        """A pile's history in order of time: what held at ``since``, and every change until ``until``; bounded."""


class Page(Struct, frozen=True):
    """One page of a list: the items as JSON-ready dicts, and the cursor of the next page."""

    items: list[dict[str, Any]]
    next: str | None = None


class Queries(Protocol):
    """The reading side of storage, for pages and the API."""

    async def fetch(self, kind: str, id: str) -> dict[str, Any] | None:
        """One entity as stored (kinds: incident, complaint, order, silence), or None."""

    async def page(self, kind: str, filters: Mapping[str, str], cursor: str | None, limit: int) -> Page:
        """A page of entities, newest first; unknown filters raise ``KeyError``. Kind ``quarantine`` is a list too."""

    async def timeline(self, subject: str, limit: int = 500) -> Sequence[JournalEntry]:
        """The journal lines of one subject, in order of time."""


class Journal(Protocol):
    """The chain itself, for the auditor."""

    def walk(self) -> AsyncIterator[tuple[int, JournalEntry, str, str]]:
        """Every record in order: sequence number, entry, hash of the record before, own hash."""


class LiveView(Protocol):
    """The engine's present picture of the fleet, for pages; read only."""

    def piles(self) -> Sequence[Pile]:
        """Every registered pile, in order of id."""

    def pile(self, id: str) -> Pile | None:
        """One pile, or None."""

    def unregistered(self) -> Sequence[tuple[str, str, datetime]]:
        """Piles that speak but are not in the fleet: (site, pile, last heard), newest first, bounded."""

    def health(self) -> Mapping[str, str]:
        """Each part of the daemon by name: ``ok`` or what is degraded, in one sentence."""

    def kill_switch(self) -> str | None:
        """Why every changing command is stopped, or None while they are allowed."""

    def plans(self) -> Sequence[Plan]:
        """The plans in force."""

    def dialect(self, profile: str) -> Dialect | None:
        """What a profile can do and what of it nobody has checked; None when nothing is known of it."""
