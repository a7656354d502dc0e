"""What a decision wants done, and the decision itself.

A decision is data: the new entities, the effects to carry out after the commit, the journal lines, and the answer to
whoever asked. The shell makes it durable in one transaction before anything leaves the process.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct, field

from triage.core.complaint import Complaint
from triage.core.events import Moment, Quarantined
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.silence import Silence
from triage.core.vocabulary import REPEAT, Action, Repeat
from triage.core.workorder import WorkOrder


class Command(Struct, frozen=True, kw_only=True, tag=True):
    """An action for a device. ``id`` is the attempt's id and goes to the device with it."""

    id: str
    site: str
    pile: str
    driver_profile: str
    action: Action
    connector: int
    issued_at: datetime
    expires_at: datetime
    args: dict[str, Any] = field(default_factory=dict)

    @property
    def repeat(self) -> Repeat:
        """What a crash may do to it."""
        return REPEAT[self.action]


class OrderNotice(Struct, frozen=True, kw_only=True, tag=True):
    """A work order's present state for the field team's desk; ``id`` is the key the receiver deduplicates by."""

    id: str
    order: WorkOrder
    change: str  # issued, recalled, closed, reopened

    @property
    def repeat(self) -> Repeat:
        """Orders are retried until told; the key makes that safe."""
        return Repeat.KEYED


Effect = Command | OrderNotice


class OutboxItem(Struct, frozen=True, kw_only=True):
    """An effect on record. ``state``: pending, sent (never-blind: on its way, never again), done, failed."""

    id: str
    effect: Effect
    state: str
    created_at: datetime
    expires_at: datetime | None = None
    tries: int = 0
    next_try_at: datetime | None = None
    note: str = ""


class JournalEntry(Struct, frozen=True, kw_only=True):
    """One line of the evidence chain. ``data`` holds no personal data: that stays with the complaint."""

    at: datetime
    subject: str  # id of an incident, complaint, order, silence or pile
    kind: str
    actor: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()  # further subjects whose timeline shows this line


class Answer(Struct, frozen=True, kw_only=True):
    """The one answer to an :class:`~triage.core.events.Ask`: an HTTP-like status and a JSON body."""

    status: int
    body: dict[str, Any]


class KeptAnswer(Struct, frozen=True, kw_only=True):
    """An answer kept under its idempotency key, with the digest of the body it answered."""

    scope: str
    key: str
    digest: str
    answer: Answer
    at: datetime


class Changes(Struct, kw_only=True):
    """Everything one transaction makes durable. Entities are whole new versions; lists are appended."""

    piles: dict[str, Pile] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    complaints: dict[str, Complaint] = field(default_factory=dict)
    orders: dict[str, WorkOrder] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    outbox: dict[str, OutboxItem] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)
    answers: list[KeptAnswer] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to commit."""
        return bool(
            self.piles
            or self.moments
            or self.incidents
            or self.journal
            or self.settings
            or self.outbox
            or self.orders
            or self.complaints
            or self.answers
            or self.quarantine
            or self.silences
        )

    def absorb(self, other: Changes) -> None:
        """Add a later decision's changes to this batch; a newer version of an entity replaces the older one."""
        for name in self.__struct_fields__:
            theirs = getattr(other, name)
            if not theirs:
                continue
            mine = getattr(self, name)
            if isinstance(mine, dict):
                mine.update(theirs)
            else:
                mine.extend(theirs)


class Snapshot(Struct, kw_only=True):
    """What the engine needs to go on after a restart: everything open, and everything recent enough to matter."""

    piles: list[Pile] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    orders: list[WorkOrder] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    outbox: list[OutboxItem] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
