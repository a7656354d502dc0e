"""What is known of each pile, per axis, each with the moment it was learned.

Axes: link (can we talk), electrical (what the connectors show), session (does somebody charge), boot (which run of the
controller), faults (what it claims). A value nobody has told us since we started is unknown, and unknown never permits.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from triage.core.events import Registration
from triage.core.vocabulary import ConnectorStatus, Family, Link, SymptomKind


class Connector(Struct, frozen=True, kw_only=True, gc=False):
    """Newest reading of one connector."""

    number: int
    as_of: datetime
    status: ConnectorStatus | None = None
    status_since: datetime | None = None
    session: str | None = None
    session_known: bool = False
    voltage_v: float | None = None
    current_a: float | None = None
    power_w: float | None = None
    energy_wh: float | None = None
    temperature_c: float | None = None


class Fault(Struct, frozen=True, kw_only=True, gc=False):
    """A claimed fault, normalised; the vendor's own code is kept beside the canonical name."""

    code: str
    connector: int
    name: str
    family: Family
    since: datetime
    info: str = ""

    @property
    def safety(self) -> bool:
        """Whether a person must look before anything is energised again."""
        return self.family is Family.SAFETY


class Symptom(Struct, frozen=True, kw_only=True, gc=False):
    """A condition that began at ``since``; it is held true once its hold time has passed."""

    kind: SymptomKind
    family: Family
    connector: int
    since: datetime
    holds_at: datetime
    what: str


class Cure(Struct, frozen=True, kw_only=True, gc=False):
    """A verified remote recovery: the same trouble again within a day makes another reset useless."""

    family: Family
    connector: int
    at: datetime


class Pile(Struct, frozen=True, kw_only=True, gc=False):
    """One pile: registration and newest knowledge.

    ``hazard`` is the sticky safety flag: it names the reason, and only a person clears it. ``resets`` are the send
    times of disruptive commands of the last 24 hours. ``onsets`` are the newest fault or link onsets, for flapping.
    """

    registration: Registration
    link: Link = Link.UNKNOWN
    link_as_of: datetime | None = None
    heard_at: datetime | None = None
    seen_since_start: bool = False
    connectors: tuple[Connector, ...] = ()
    faults: tuple[Fault, ...] = ()
    boot_id: str | None = None
    boot_reason: str | None = None
    booted_at: datetime | None = None
    uptime_s: float | None = None
    seq: int | None = None
    firmware: str | None = None
    model: str | None = None
    updating_until: datetime | None = None
    hot_at: datetime | None = None  # when it last claimed to be too hot
    hazard: str | None = None
    hazard_at: datetime | None = None
    resets: tuple[datetime, ...] = ()
    onsets: tuple[datetime, ...] = ()
    cures: tuple[Cure, ...] = ()
    began_s: float | None = None  # the earliest start of its present boot that its uptimes imply, POSIX time
    boot_device_at: datetime | None = None
    before_boot_at: datetime | None = None  # when the boot before this one was last heard
    late: tuple[int, datetime] | None = None  # the newest late reading's number, and since when they follow each other
    device_s: float | None = None  # the newest reading's own time, POSIX
    symptoms: tuple[Symptom, ...] = ()

    @property
    def id(self) -> str:
        """The pile's id in the fleet."""
        return self.registration.pile

    @property
    def site(self) -> str:
        """The site it stands on."""
        return self.registration.site

    @property
    def region(self) -> str:
        """The region of the site."""
        return self.registration.region

    def connector(self, number: int) -> Connector | None:
        """The newest reading of connector ``number``, if there ever was one."""
        for connector in self.connectors:
            if connector.number == number:
                return connector
        return None
