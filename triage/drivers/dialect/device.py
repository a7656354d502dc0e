"""One device of the fleet: what it said, whether it is there, and what of that the core is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from msgspec import Struct

from triage.core.events import Event, FaultClaim, PileStatus, Registration, Telemetry
from triage.core.vocabulary import BootReason
from triage.drivers.dialect.claims import ActiveFaults, key_of
from triage.drivers.dialect.picture import Picture
from triage.drivers.dialect.quarantine import DRIVER, Reason
from triage.drivers.dialect.tongue import Tongue
from triage.drivers.dialect.uptime import SLACK_S, Uptime
from triage.drivers.profiles.interpreter import Sighting
from triage.drivers.profiles.topics import Source
from triage.drivers.profiles.values import Values

NEVER_S = float("-inf")

Recall = Callable[[str], Iterable[FaultClaim]]


class Moment(Struct, frozen=True):
    """When something was received, by both of our clocks."""

    at: datetime
    at_s: float


class Known(Struct, frozen=True):
    """What was told of a device's identity on this connection."""

    boot_id: str | None = None
    firmware: str | None = None
    model: str | None = None


class WrongError(Exception):
    """The picture of a device must not be used."""

    def __init__(self, reason: Reason | None, text: str) -> None:
        """``reason`` None: it is only not known yet whether it may be."""
        self.reason = reason
        super().__init__(text)


class Device:
    """A device as it shows itself on the present connection.

    Attributes:
        heard: when it last spoke live; None: not on this connection.
        there: what its presence last said, None when it said nothing since it last spoke.
        wrong: why it must not be acted upon, or an empty string.
        said: when each watched value was last said live, by (connector, name).
        changed: set, and replaced, whenever it spoke live.
    """

    def __init__(self, registration: Registration, tongue: Tongue, recall: Recall, speed: float) -> None:
        self.registration = registration
        self.tongue = tongue
        self.picture = Picture()
        self.faults = ActiveFaults()
        self.heard: Moment | None = None
        self.there: bool | None = None
        self.wrong = ""
        self.said: dict[tuple[int, str], float] = {}
        self.changed: asyncio.Event | None = None
        self._recall: Recall | None = recall
        self._claims: tuple[FaultClaim, ...] = ()
        self._known: Known | None = None
        self._uptime = Uptime(speed)
        self._uptime_at: Moment | None = None
        self._starting = False
        self._started: Moment | None = None
        self._settled_s = 0.0
        self._told_start_s: float | None = None
        self._speed = speed

    @property
    def name(self) -> str:
        """What it is called in its topics."""
        return self.registration.endpoint or self.registration.pile

    @property
    def pile(self) -> str:
        """The pile's id."""
        return self.registration.pile

    def forget(self, settled_s: float = 0.0) -> None:
        """A connection began or ended: nothing of what was said before holds, but for faults nobody cleared.

        What arrives before ``settled_s`` of the monotonic clock may have waited at the broker; an uptime is then old.
        """
        self._settled_s = settled_s
        self.picture = Picture()
        self.heard = None
        self.there = None
        self.wrong = ""
        self.said.clear()
        self._known = None
        self._uptime.doubt()
        self._uptime_at = None
        self._starting = False
        self._started = None

    def remember(self) -> None:
        """Once after a start: take up the faults that the core knows of."""
        recall, self._recall = self._recall, None
        if recall is None:
            return
        by_event = bool(self.tongue.mqtt.events)
        claims = tuple(recall(self.pile))
        events = [claim for claim in claims if by_event and key_of(claim) is not None]
        self.faults.seed(events)
        self._claims = tuple(claim for claim in claims if claim not in events)

    # --- what it says ---------------------------------------------------------------------------------------------

    def spoke(self, now: Moment) -> None:
        """It spoke live."""
        self.heard = now
        if self.there is False:
            self.there = None  # a will that came late: it talks
        if self.changed is not None:
            self.changed.set()

    def lost(self) -> None:
        """It left, or its last will says so: what it said before is no sign of life any more."""
        self.there = False
        self.heard = None

    def note(self, sources: Iterable[Source], now: Moment) -> None:
        """These values were said live; some of them something waits for."""
        watched = self.tongue.watched
        names = set()
        for source in sources:
            if source.name in watched:
                self.said[source.connector, source.name] = now.at_s
                names.add(source.name)
        if names & self.tongue.uptime and now.at_s >= self._settled_s:
            self._uptime_at = now
        if names & self.tongue.starting:
            self._watch_start(now)

    def _watch_start(self, now: Moment) -> None:
        starting = self.tongue.interpreter.see(self.picture.values()).starting
        if starting and not self._starting:
            self._started = now
        self._starting = starting

    def has_said(self, since_s: float, *, most: bool = True) -> bool:
        """Whether it spoke live since; of a switch whether one channel (``most``: each) said its state (and load)."""
        if not self.tongue.state:
            return self.heard is not None and self.heard.at_s >= since_s
        channels = range(1, self.tongue.connectors + 1)
        if not most:
            return any(self._said(self.tongue.state, each, since_s) for each in channels)
        parts = (self.tongue.state, *self.tongue.loads)
        return all(self._said(part, each, since_s) for part in parts for each in channels)

    def _said(self, names: Iterable[str], connector: int, since_s: float) -> bool:
        return any(self.said.get((each, name), NEVER_S) >= since_s for name in names for each in (0, connector))

    def recent(self, state_s: float, load_s: float) -> Values:
        """All it said; of a switch its state only as said since ``state_s``, its load as said since ``load_s``.

        An old load is no reason to cut the power, and an old state no proof that it was cut.
        """
        values = self.picture.copy()
        limits = [(self.tongue.state, state_s), *((load, load_s) for load in self.tongue.loads)]
        for names, since_s in limits:
            for name in names:
                for number in range(self.tongue.connectors + 1):
                    if self.said.get((number, name), NEVER_S) < since_s:
                        (values.connectors.get(number, {}) if number else values.pile).pop(name, None)
        return values

    async def speaks(self, seconds: float) -> None:
        """Wait until it speaks live, at most so long."""
        if self.changed is None or self.changed.is_set():
            self.changed = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            return

    # --- what is told ---------------------------------------------------------------------------------------------

    def look(self) -> Sighting:
        """What its picture says.

        Raises:
            WrongError: it must not be used.
        """
        sighting = self.tongue.interpreter.see(self.picture.values())
        if not sighting.wrong:
            return sighting
        reason: Reason | None = Reason.IMPOSSIBLE
        for condition, names in self.tongue.identity_names:
            if self.tongue.interpreter.unmet(condition, self.picture.values(), 0) is not None:
                known = all(self._heard(name) for name in names if name in self.tongue.profile.values)
                reason = Reason.WRONG_IDENTITY if known else None
                if known:
                    break
        raise WrongError(reason, "; ".join(sighting.wrong))

    def _heard(self, name: str) -> bool:
        return any(self.picture.heard(name, each) for each in range(1, self.tongue.connectors + 1))

    def tell(self) -> list[Event]:
        """What the core is to know now, in order; nothing while it has not spoken on this connection.

        Raises:
            WrongError: its picture must not be used.
        """
        self.remember()
        heard = self.heard
        if heard is None:
            return []
        try:
            sighting = self.look()
        except WrongError as error:
            self.wrong = str(error)
            raise
        self.wrong = ""
        if self.tongue.switch:
            return []
        return [*self._news(sighting, heard), self._telemetry(sighting, heard)]

    def _telemetry(self, sighting: Sighting, heard: Moment) -> Telemetry:
        claims = sighting.faults
        if self._claims and self._claims != claims:
            views = self.tongue.interpreter.views(self.picture.values())
            claims += self.tongue.memory.still_hold(self._claims, claims, self.picture, views)
        self._claims = claims
        return Telemetry(
            received_at=heard.at,
            site=self.registration.site,
            pile=self.pile,
            driver=DRIVER,
            uptime_s=self._uptime.at(heard.at_s),
            readings=sighting.readings,
            faults=(*claims, *self.faults.claims()),
        )

    def _news(self, sighting: Sighting, heard: Moment) -> list[PileStatus]:
        """That it is there, who it is and which run this is, whenever that is news."""
        made_up = self._boot(sighting)
        boot_id = sighting.boot_id or made_up
        before = self._known
        known = Known(boot_id=boot_id, firmware=sighting.firmware, model=sighting.model)
        if before is not None:
            known = Known(
                boot_id=boot_id or before.boot_id,
                firmware=known.firmware or before.firmware,
                model=known.model or before.model,
            )
        if before == known or (before is None and known == Known() and self.tongue.mqtt.presence is not None):
            return []
        self._known = known
        reason = None if known.boot_id is None else sighting.boot_reason
        return [self.status(heard.at, online=True, boot_id=known.boot_id, boot_reason=reason, known=known)]

    def _boot(self, sighting: Sighting) -> str | None:
        """A name of our making for a new boot, where the device counts none: its moment."""
        said, self._uptime_at = self._uptime_at, None
        started, self._started = self._started, None
        if said is not None:
            restarted = self._uptime.said(sighting.uptime_s, said.at_s)
            if restarted and started is None and self.tongue.counts_uptime and not self._is_told(sighting, said):
                started = said
        if started is None:
            return None
        self._told_start_s = started.at_s
        return f"start {started.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def _is_told(self, sighting: Sighting, said: Moment) -> bool:
        """Whether the start that an uptime tells was told already, when it was seen to start."""
        began_s = said.at_s - (sighting.uptime_s or 0.0) / self._speed
        return self._told_start_s is not None and began_s <= self._told_start_s + SLACK_S

    def status(
        self,
        at: datetime,
        *,
        online: bool,
        retained: bool = False,
        boot_id: str | None = None,
        boot_reason: BootReason | None = None,
        known: Known | None = None,
    ) -> PileStatus:
        """A status of this device."""
        return PileStatus(
            received_at=at,
            site=self.registration.site,
            pile=self.pile,
            driver=DRIVER,
            online=online,
            retained=retained,
            boot_id=boot_id,
            boot_reason=boot_reason,
            firmware=None if known is None else known.firmware,
            model=None if known is None else known.model,
        )
