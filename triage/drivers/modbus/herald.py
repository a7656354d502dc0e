"""Tells the core what one device says: that it is there or gone, what it reads, and what could not be believed."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime

import msgspec
from msgspec import Struct

from triage.core.events import Event, PileStatus, Quarantined, Telemetry
from triage.drivers.modbus.messages import NonsenseError
from triage.drivers.modbus.room import DRIVER, Planned, Room
from triage.drivers.profiles.claims import Claims
from triage.drivers.profiles.interpreter import Sighting
from triage.drivers.profiles.values import Values

QUARANTINE_EVERY_S = 60.0
SAMPLE_LIMIT_BYTES = 4_096


class Look(Struct, frozen=True):
    """A reading; ``at_s`` are seconds of the clock's monotonic time."""

    values: Values
    sighting: Sighting
    at: datetime
    at_s: float


class Herald:
    """One device's voice.

    Attributes:
        there: whether the core was told that the device is there, or gone; None: neither yet.
    """

    def __init__(self, planned: Planned, room: Room) -> None:
        """Nothing was told yet."""
        self.planned = planned
        self.there: bool | None = None
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._starting = False
        self._claims: Claims | None = None
        self._told: dict[str, str | None] = {}
        self._quarantined_s = float("-inf")

    def show(self, look: Look) -> Telemetry:
        """Let the second look see a reading, without telling the core."""
        telemetry = Telemetry(
            received_at=look.at,
            site=self.planned.registration.site,
            pile=self.planned.registration.pile,
            driver=DRIVER,
            uptime_s=look.sighting.uptime_s,
            readings=look.sighting.readings,
            faults=self._known_claims().after(look.sighting),
        )
        self._room.look.telemetry(telemetry, look.at_s)
        return telemetry

    def _known_claims(self) -> Claims:
        """Its claims; at its first word those that the core has on record from before our start."""
        if self._claims is None:
            before = self._room.recall(self.planned.registration.pile)
            self._claims = Claims(self.planned.kind.interpreter.fault_sources, before)
        return self._claims

    def tell(self, look: Look) -> None:
        """Hand a reading over, after the news that the device is there or started anew."""
        self._room.counters.polls += 1
        if self.planned.kind.profile.kind == "switch":
            return
        events: list[Event] = []
        news = self._news(look)
        if news is not None:
            self._room.look.status(news, look.at_s)
            events.append(news)
        events.append(self.show(look))
        self._room.offer(events)

    def _news(self, look: Look) -> PileStatus | None:
        seen = look.sighting
        boot_id = self._boot(look)
        said = {"boot_id": boot_id, "firmware": seen.firmware, "model": seen.model}
        changed = {name: text for name, text in said.items() if text is not None and text != self._told.get(name)}
        if self.there is True and not changed:
            return None
        self.there = True
        self._told.update(changed)
        return PileStatus(
            received_at=look.at,
            site=self.planned.registration.site,
            pile=self.planned.registration.pile,
            online=True,
            driver=DRIVER,
            boot_id=boot_id,
            boot_reason=seen.boot_reason,
            firmware=seen.firmware,
            model=seen.model,
        )

    def _boot(self, look: Look) -> str | None:
        """The name of its present boot: its own counter's, or ours when it was seen to start."""
        starting, self._starting = self._starting, look.sighting.starting
        if look.sighting.boot_id is not None:
            return look.sighting.boot_id
        return f"started {look.at:%Y-%m-%dT%H:%M:%S.%fZ}" if look.sighting.starting and not starting else None

    def lost(self) -> None:
        """The device is gone; told once, and not while our own network is down."""
        if self.there is False or self.planned.kind.profile.kind == "switch" or self._room.excused():
            return
        self.there = False
        gone = PileStatus(
            received_at=self._room.clock.now(),
            site=self.planned.registration.site,
            pile=self.planned.registration.pile,
            online=False,
            driver=DRIVER,
        )
        self._room.look.status(gone, self._room.clock.monotonic())
        self._room.offer([gone])

    def quarantine(self, error: NonsenseError, values: Values) -> None:
        """Show what could not be believed, now and then."""
        now_s = self._loop.time()
        if now_s - self._quarantined_s < QUARANTINE_EVERY_S:
            return
        self._quarantined_s = now_s
        said = {"why": str(error), "pile": values.pile, "connectors": values.connectors}
        sample = msgspec.json.encode(said)
        event = Quarantined(
            received_at=self._room.clock.now(),
            driver=DRIVER,
            reason=error.kind,
            topic=f"modbus://{self.planned.address}/{self.planned.kind.layout.unit}",
            sample=sample[:SAMPLE_LIMIT_BYTES],
            size=len(sample),
            sha256=hashlib.sha256(sample).hexdigest(),
            pile=self.planned.registration.pile,
        )
        self._room.offer([event])
