"""Everything that can happen to the engine, as data.

Events are made at the edge (drivers, HTTP, timers, outcomes of effects) and are read by the engine alone. Each carries
the moment it was received; a device's own clock is data (``device_at``) and never decides anything.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from triage.core.vocabulary import (
    Action,
    AnswerResult,
    BootReason,
    Channel,
    ConnectorStatus,
    Tier,
)


class Event(Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """Base of all events."""

    received_at: datetime


class Reading(Struct, frozen=True, kw_only=True, gc=False):
    """One connector's values in one telemetry message. ``None`` means the device did not say."""

    connector: int
    status: ConnectorStatus | None = None
    session: str | None = None
    session_known: bool = False
    voltage_v: float | None = None
    current_a: float | None = None
    power_w: float | None = None
    energy_wh: float | None = None
    temperature_c: float | None = None


class FaultClaim(Struct, frozen=True, kw_only=True, gc=False):
    """A fault as the device claims it; ``connector`` 0 is the whole pile."""

    code: str
    connector: int = 0
    info: str = ""


class Telemetry(Event, frozen=True, kw_only=True, gc=False):
    """A full reading: a fault missing from ``faults`` is cleared, a connector missing from ``readings`` is unchanged.

    ``retained`` readings are history the broker kept, never fresh evidence.
    """

    site: str
    pile: str
    driver: str = "mqtt"
    device_at: datetime | None = None
    seq: int | None = None
    uptime_s: float | None = None
    readings: tuple[Reading, ...] = ()
    faults: tuple[FaultClaim, ...] = ()
    retained: bool = False


class PileStatus(Event, frozen=True, kw_only=True, gc=False):
    """A pile came up, or its last will says it is gone."""

    site: str
    pile: str
    online: bool
    driver: str = "mqtt"
    boot_id: str | None = None
    boot_reason: BootReason | None = None
    firmware: str | None = None
    model: str | None = None
    device_at: datetime | None = None
    retained: bool = False


class CommandAnswer(Event, frozen=True, kw_only=True, gc=False):
    """A device's answer to the command with this id."""

    site: str
    pile: str
    command: str
    result: AnswerResult
    reason: str = ""


class DriverLink(Event, frozen=True, kw_only=True, gc=False):
    """Our own way to the field came up or went down; while it is down, silence says nothing about piles."""

    driver: str
    up: bool


class Quarantined(Event, frozen=True, kw_only=True, gc=False):
    """A payload nobody could understand: kept as a bounded sample."""

    driver: str
    reason: str
    topic: str
    sample: bytes
    size: int
    sha256: str
    pile: str | None = None


class Moment(Struct, frozen=True, kw_only=True, gc=False):
    """One row of a pile's state history: what held from ``at`` on."""

    pile: str
    at: datetime
    connector: int = 0
    link: str | None = None
    status: str | None = None
    faults: tuple[str, ...] = ()
    session: str | None = None
    cause: str = "transition"  # or "sample"


class Reporter(Struct, frozen=True, kw_only=True, gc=False):
    """Who complains, and how to reach them."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    tier: Tier = Tier.ORDINARY


class Ask(Event, frozen=True, kw_only=True):
    """Something a person or another system wants; it gets exactly one answer.

    ``key`` is the idempotency key within ``scope``; ``digest`` identifies the body, so that the same key with another
    body is a conflict. ``actor`` is the name written into the journal.
    """

    actor: str = "anonymous"
    key: str | None = None
    scope: str = ""
    digest: str = ""


class ComplaintReceived(Ask, frozen=True, kw_only=True):
    """A person's words.

    ``pile`` is an id of the fleet or free text nobody resolved; ``history`` is what the pile's state history says
    around ``occurred_at`` (the shell looks it up, for the engine reads no database).
    """

    channel: Channel
    text: str
    pile: str | None = None
    connector: int | None = None
    site: str | None = None
    occurred_at: datetime | None = None
    reporter: Reporter = Reporter()
    expectation: str | None = None
    reference: str | None = None
    history: tuple[Moment, ...] = ()


class CallbackGiven(Ask, frozen=True, kw_only=True):
    """A reporter was called back."""

    complaint: str
    satisfied: bool
    score: int | None = None
    comment: str = ""


class ComplaintAct(Ask, frozen=True, kw_only=True):
    """``act`` is one of return, close, escalate."""

    complaint: str
    act: str
    reason: str


class IncidentAct(Ask, frozen=True, kw_only=True):
    """``act`` is one of retry, hold, release, dispatch, approve, dismiss."""

    incident: str
    act: str
    reason: str


class OrderAct(Ask, frozen=True, kw_only=True):
    """``act`` is one of accept, depart, arrive, wait, done, return, incomplete; the details as the team gave them."""

    order: str
    act: str
    reason: str = ""
    cause: str = ""
    work: str = ""
    parts: tuple[str, ...] = ()
    no_fault_found: bool = False


class SilenceSet(Ask, frozen=True, kw_only=True):
    """Maintenance on exactly one of pile, site or region, from ``starts_at`` until ``ends_at``."""

    starts_at: datetime
    ends_at: datetime
    reason: str
    pile: str | None = None
    site: str | None = None
    region: str | None = None


class SilenceLifted(Ask, frozen=True, kw_only=True):
    """Maintenance is over."""

    silence: str


class CommandWanted(Ask, frozen=True, kw_only=True):
    """A person wants an action on a pile; the same gates are asked."""

    pile: str
    action: Action
    connector: int = 0
    reason: str = ""


class KillSwitch(Ask, frozen=True, kw_only=True):
    """Stop, or allow again, every command that changes anything on a device."""

    on: bool
    reason: str


class EffectOutcome(Event, frozen=True, kw_only=True, gc=False):
    """What became of a committed effect.

    ``outcome``: ``sent`` (it left), ``not_sent`` (it certainly did not leave: link down, expired, second look refused),
    ``delivered`` (a keyed receiver has it), ``retry`` (a keyed receiver failed; the outbox goes on trying),
    ``restored`` (what an earlier process left in the middle was put right).
    """

    effect: str
    outcome: str
    reason: str = ""
    reference: str = ""


class Due(Event, frozen=True, kw_only=True, gc=False):
    """A deadline of an entity has come; ``kind`` is pile, incident, complaint, order, silence or attempt."""

    kind: str
    id: str


class Started(Event, frozen=True, kw_only=True, gc=False):
    """The daemon came up (again): what was in flight has to be looked at."""


class Registration(Struct, frozen=True, kw_only=True, gc=False):
    """A pile as the fleet file knows it. Identity comes from here, never from a payload."""

    pile: str
    site: str
    region: str
    profile: str = "pile/v1"
    model: str = ""
    connectors: int = 1
    endpoint: str = ""
    unit: int | None = None
    team: str = ""
    power_switch: str = ""
    address: str = ""
    latitude: float | None = None
    longitude: float | None = None
    tags: tuple[str, ...] = ()
