"""The body of a simulated pile: its connectors, its faults, its way to the broker, and how it speaks.

Other modules of this package move it: sessions, troubles, the controller and obedience. They share its agenda and never
call each other sideways; what one wants of a later one goes through the agenda.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from simulators.hardware.agenda import Agenda
from simulators.hardware.connector import Connector, route
from simulators.hardware.look import Look
from simulators.truth import FaultRecord, Truth
from simulators.words import Action, BootReason, Shown, Status, Topic

if TYPE_CHECKING:
    from random import Random

    from simulators.kinds import FaultKind
    from simulators.models import Model
    from simulators.temperaments import Temperament

BREAKS_LINK = (Shown.OFFLINE, Shown.FLAPPING_LINK)
BUFFERED = 50
"""Messages a buffering device keeps while its link is down."""


class Message(NamedTuple):
    """Something for the broker.

    ``by_broker`` marks a last will: the pile fell silent long enough for the broker to publish it in its place. Whoever
    speaks to a real broker leaves those out and lets the connection break instead.
    """

    topic: Topic
    payload: dict[str, Any]
    retain: bool = False
    by_broker: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """How simulated seconds become the device's own time: ``wall_s = zero_s + (now - start) * scale``.

    Under virtual time the default is right: ``now`` is Unix time. On real sockets at speed X the scale is 1 / X.
    """

    start: float = 0.0
    zero_s: float = 0.0
    scale: float = 1.0

    def wall_s(self, now: float) -> float:
        """Unix time at ``now``."""
        return self.zero_s + (now - self.start) * self.scale


def rfc3339(unix_s: float) -> str:
    """Unix time as the protocol writes it."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")


@dataclass(slots=True, eq=False)
class ActiveFault:
    """A fault that holds now. ``on`` toggles for flapping kinds; ``claim`` is its line in telemetry, if it has one."""

    kind: FaultKind
    connector: int
    record: FaultRecord
    claim: dict[str, Any] | None
    on: bool = True

    def covers(self, connector: int) -> bool:
        """Whether it concerns this connector."""
        return self.connector in {0, connector}


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """What a pile is, for good: identity, make, character and rates.

    ``heartbeat_s`` is the interval of its telemetry; ``fault_rate`` multiplies the catalogue's hazards;
    ``sessions_per_day`` is per connector. ``keepalive_s`` bounds how late the broker notices a broken link. A pile
    that is ``polled`` tells nothing by itself: somebody looks.
    """

    pile: str
    site: str
    model: Model
    temperament: Temperament
    connectors: int = 1
    heartbeat_s: float = 60.0
    keepalive_s: float = 60.0
    fault_rate: float = 1.0
    sessions_per_day: float = 8.0
    first_fault_after_s: float = 0.0
    polled: bool = False


class Device:
    """State shared by all parts of one pile. All times are seconds, all randomness comes from ``rng``."""

    def __init__(self, nature: Nature, rng: Random, now: float, clock: Clock) -> None:
        """A healthy pile that has been running for a while and is not connected yet."""
        self.nature = nature
        self.rng = rng
        self.clock = clock
        self.agenda = Agenda()
        self.truth = Truth()
        self.out: list[Message] = []
        self.beat_at = inf
        self.powered = self.up = True
        self.wire_up = False
        self.dead = False
        self.faults: list[ActiveFault] = []
        self.derate = 1.0
        self.boot = rng.randrange(1, 400)
        self.boot_reason = BootReason.POWER_UP
        self.booted_at = now - rng.uniform(0.0, 20 * 86400.0)
        self.firmware = rng.choice(nature.model.firmwares)
        self.seq = rng.randrange(0, 100_000)
        self.connectors = [
            Connector(number, nature.model.voltage_v, float(rng.randrange(0, 9_000_000)))
            for number in range(1, nature.connectors + 1)
        ]
        self.heard: dict[str, dict[str, Any]] = {}
        self._buffer: deque[dict[str, Any]] = deque(maxlen=BUFFERED)
        self.left_politely = False
        self._was_reachable = False
        self._will_due: float | None = None

    @property
    def link_broken(self) -> bool:
        """Whether a fault keeps the link down."""
        return bool(self.faults) and any(fault.kind.shown in BREAKS_LINK and fault.on for fault in self.faults)

    @property
    def reachable(self) -> bool:
        """Whether the pile holds a connection to its broker."""
        return self.powered and self.up and self.wire_up and not self.dead and not self.link_broken

    @property
    def silent(self) -> bool:
        """Whether the application sends nothing although the link may live."""
        return bool(self.faults) and any(fault.kind.shown is Shown.SILENT for fault in self.faults)

    @property
    def updating(self) -> ActiveFault | None:
        """The firmware update that runs, if any."""
        return next((fault for fault in self.faults if fault.kind.shown is Shown.UPDATING), None)

    @property
    def danger(self) -> ActiveFault | None:
        """A present danger, one that was told before one that was not."""
        dangers = [fault for fault in self.faults if fault.kind.danger]
        return next((fault for fault in dangers if fault.record.told_at is not None), dangers[0] if dangers else None)

    def hears(self, action: Action) -> bool:
        """Whether a command of this kind would be taken up at all."""
        return self.reachable and not any(action in fault.kind.deaf_to for fault in self.faults)

    def connector(self, number: int) -> Connector | None:
        """Connector ``number``, or ``None``."""
        return self.connectors[number - 1] if 1 <= number <= len(self.connectors) else None

    def claims(self) -> list[dict[str, Any]]:
        """The fault lines telemetry carries now."""
        if self.nature.temperament.says_available:
            return []
        return [dict(fault.claim) for fault in self.faults if fault.claim is not None and fault.on]

    def status(self, connector: Connector) -> Status:
        """What this connector has to show now: its session's phase, or what overlays it."""
        if self.nature.temperament.says_available:
            return connector.phase
        stuck: Status | None = None
        updating = False
        for fault in self.faults:
            if not fault.covers(connector.number):
                continue
            shown = fault.kind.shown
            if shown is Shown.FAULTED or (shown is Shown.FLAPPING and fault.on):
                return Status.FAULTED
            if shown is Shown.STUCK_PREPARING:
                stuck = Status.PREPARING
            elif shown is Shown.STUCK_FINISHING:
                stuck = Status.FINISHING
            updating = updating or shown is Shown.UPDATING
        if updating or (not connector.operative and connector.phase is Status.AVAILABLE):
            return Status.UNAVAILABLE
        return stuck or connector.phase

    def show(self, now: float, connector: Connector) -> None:
        """Move the shown status to what it has to be, by legal steps, each told at once."""
        for step in route(connector.shown, self.status(connector)):
            connector.shown = step
            self.tell(now)

    def show_all(self, now: float) -> None:
        """Move every connector's shown status."""
        for connector in self.connectors:
            self.show(now, connector)

    def telemetry(self, now: float) -> dict[str, Any]:
        """A full reading."""
        nature = self.nature
        self.seq += 1
        derate = self.derate
        readings = [connector.reading(now, derate) for connector in self.connectors]
        if not nature.temperament.tells_session:
            for reading in readings:
                del reading["session"]
        return {
            "ts": rfc3339(self.clock.wall_s(now) + nature.temperament.clock_error_s),
            "seq": self.seq,
            "uptime_s": int((now - self.booted_at) * self.clock.scale),
            "connectors": readings,
            "faults": self.claims() if self.faults else [],
        }

    def tell(self, now: float) -> None:
        """Send telemetry if anything can be sent, or keep it if this device keeps what it cannot send."""
        if not self.powered or not self.up or self.dead or self.silent or self.nature.polled:
            return
        if not self.reachable:
            if self.nature.temperament.buffers:
                self._buffer.append(self.telemetry(now))
            return
        self.beat(now)

    def beat(self, now: float) -> None:
        """Send telemetry now, which must be possible: as long as ``beat_at`` is finite it is."""
        self.out.append(Message(Topic.TELEMETRY, self.telemetry(now)))
        self.beat_at = now + self.nature.heartbeat_s
        if self.faults:
            self._note_told(now)

    def look(self, now: float) -> Look:
        """What it shows to somebody who reads it now."""
        derate = self.derate
        if self.faults:
            self._note_told(now)
        admitted = [] if self.nature.temperament.says_available else self.faults
        return Look(
            uptime_s=(now - self.booted_at) * self.clock.scale,
            boot=self.boot,
            firmware=self.firmware,
            faults=tuple((each.kind.name, each.connector) for each in admitted if each.claim is not None and each.on),
            connectors=tuple(connector.seen(now, derate) for connector in self.connectors),
        )

    def _note_told(self, now: float) -> None:
        if self.nature.temperament.says_available:
            return
        for fault in self.faults:
            # The dialect has no word for an update under way: it is told by connectors that are unavailable.
            tells = (fault.claim is not None and fault.on) or fault.kind.shown is Shown.UPDATING
            if tells and fault.record.told_at is None:
                fault.record.told_at = now

    def birth(self) -> dict[str, Any]:
        """The status message of a pile that is online."""
        payload: dict[str, Any] = {
            "online": True,
            "boot_id": f"{self.nature.pile}-{self.boot}",
            "boot_reason": self.boot_reason,
            "firmware": self.firmware,
            "model": self.nature.model.name,
        }
        if not self.nature.temperament.counts_boots:
            del payload["boot_id"]
        return payload

    def review(self, now: float, *, goodbye: bool = False) -> None:
        """Look whether the way to the broker, or the application's voice, came or went, and act on it.

        ``goodbye`` means that the device closed the connection properly: then there is no last will.
        """
        reachable = self.reachable
        if reachable and not self._was_reachable:
            self._was_reachable = True
            self._connect(now)
        elif not reachable and self._was_reachable:
            self._was_reachable = False
            self.left_politely = goodbye
            if not goodbye:
                self._arm_will(now)
        if not reachable or self.silent:
            self.beat_at = inf
        elif self.beat_at == inf:
            self.tell(now)

    def _connect(self, now: float) -> None:
        if self._will_due is not None:
            self._send_will()
        payload = self.birth() | {"ts": rfc3339(self.clock.wall_s(now) + self.nature.temperament.clock_error_s)}
        self.out.append(Message(Topic.STATUS, payload, retain=True))
        while self._buffer:
            self.out.append(Message(Topic.TELEMETRY, self._buffer.popleft()))

    def _arm_will(self, now: float) -> None:
        due = now + self.rng.uniform(1.0, 1.5) * self.nature.keepalive_s / self.clock.scale
        self._will_due = due

        def fall_due(_: float) -> None:
            if self._will_due == due:
                self._send_will()

        self.agenda.add(due, fall_due)

    def _send_will(self) -> None:
        self._will_due = None
        self.out.append(Message(Topic.STATUS, {"online": False}, retain=True, by_broker=True))
