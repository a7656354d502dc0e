"""One device: polled in its own time, judged before it is believed, and known to be there or gone."""

from __future__ import annotations

import asyncio

import structlog

from triage.core.events import Registration, Telemetry
from triage.drivers.modbus.endpoint import Endpoint
from triage.drivers.modbus.herald import Herald, Look
from triage.drivers.modbus.messages import AskError, NonsenseError, TornError, UnreachableError, WrongIdentityError
from triage.drivers.modbus.meter import Meters
from triage.drivers.modbus.pace import Backoff, Beat, Sleep
from triage.drivers.modbus.reader import Reader
from triage.drivers.modbus.room import Kind, Planned, Room
from triage.drivers.profiles.values import Values

log = structlog.get_logger(__name__)

LEAST_PERIOD_S = 0.2
MISSES = 3
"""So many unanswered polls, and as many periods, make a device gone."""


class Device:
    """One device of the fleet.

    Attributes:
        endpoint: the way to it.
        turn: to be held while the device is read or first written to, so that no reading spans a command.
        trusted: whether its last reading was believed.
        wrong: why it was not, where the device answered nonsense; else empty.
    """

    def __init__(self, planned: Planned, endpoint: Endpoint, room: Room) -> None:
        """Nothing is asked before :meth:`poll`."""
        self.endpoint = endpoint
        self.turn = asyncio.Lock()
        self.trusted = False
        self.wrong = ""
        self._herald = Herald(planned, room)
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(planned.kind.layout, endpoint, room.counters, room.speed)
        self._meters = Meters(planned.kind.profile.rated_power_w)
        self._period_s = max(LEAST_PERIOD_S, planned.kind.modbus.poll_s / room.speed)
        self._backoff = Backoff(self._period_s, room.chance)
        self._sleep = Sleep()
        self._misses = 0
        self._answered_s = self._loop.time()
        self._defective = False

    @property
    def planned(self) -> Planned:
        """What it was made for. What does not concern the wire may be exchanged."""
        return self._herald.planned

    @planned.setter
    def planned(self, planned: Planned) -> None:
        self._herald.planned = planned

    @property
    def registration(self) -> Registration:
        """How the fleet knows it."""
        return self.planned.registration

    @property
    def kind(self) -> Kind:
        """What it is."""
        return self.planned.kind

    @property
    def missing(self) -> list[str]:
        """Values of the profile that this device does not have."""
        return self._reader.missing

    # --- polling --------------------------------------------------------------------------------------------------

    async def poll(self) -> None:
        """Poll for ever."""
        beat = Beat(self.registration.pile, self._period_s, self._loop.time())
        due_s = beat.after(self._loop.time())
        while True:
            await self._sleep.until(due_s)
            due_s = await self._poll_once(beat, due_s)

    async def _poll_once(self, beat: Beat, due_s: float) -> float:
        """Poll, tell, and say when the next poll is due."""
        try:
            async with self.turn:
                look = await self.take()
        except AskError as error:
            return self._next_try(beat, error)
        except Exception:
            self._room.counters.failures["defect"] += 1
            if not self._defective:
                log.exception("a device cannot be understood", pile=self.registration.pile)
            self._defective = True
            return beat.after(self._loop.time())
        self._room.counters.lags.add(self._loop.time() - due_s)
        self.tell(look)
        return beat.after(self._loop.time())

    def _next_try(self, beat: Beat, error: AskError) -> float:
        now_s = self._loop.time()
        if isinstance(error, UnreachableError):
            return beat.after(max(now_s, self.endpoint.retry_at_s))
        return beat.after(now_s) if error.alive else now_s + self._backoff.pause_s()

    # --- looking --------------------------------------------------------------------------------------------------

    async def take(self, *, eager: bool = False) -> Look:
        """A reading that may be believed. Hold :attr:`turn`.

        Args:
            eager: try to connect even though it failed a short while ago.

        Raises:
            AskError: there is none; it is counted and, where that matters, told already.
        """
        try:
            look = await self._believed(eager=eager)
        except AskError as error:
            self._missed(error)
            raise
        self._heard()
        self.trusted, self.wrong = True, ""
        return look

    async def _believed(self, *, eager: bool) -> Look:
        first = await self._look(eager=eager)
        doubt = first.sighting.wrong or self._meters.doubt(first.sighting.readings, first.at_s)
        if not doubt:
            self._meters.believe(first.sighting.readings, first.at_s)
            return first
        self._room.counters.count("read_again")
        second = await self._look(eager=eager)
        if second.sighting.wrong:
            raise self._nonsense(NonsenseError("; ".join(second.sighting.wrong)), second.values)
        still = self._meters.still_doubtful(first.sighting.readings, first.at_s, second.sighting.readings, second.at_s)
        if still is not None:
            raise self._nonsense(TornError(still), second.values)
        self._meters.believe(second.sighting.readings, second.at_s)
        return second

    async def _look(self, *, eager: bool) -> Look:
        values = await self._reader.read(patient=self._misses == 0, eager=eager)
        sighting = self.kind.interpreter.see(values)
        strange = self._strange(values) if sighting.wrong else None
        if strange is not None:
            self._reader.forget()
            raise self._nonsense(WrongIdentityError(f"it is not the model of its profile: {strange}"), values)
        return Look(values, sighting, self._room.clock.now(), self._room.clock.monotonic())

    def _strange(self, values: Values) -> str | None:
        """Which of the identity's conditions does not hold."""
        unmet = self.kind.interpreter.unmet
        return next((text for each in self.kind.profile.identity.expect if (text := unmet(each, values, 0))), None)

    def _nonsense(self, error: NonsenseError, values: Values) -> NonsenseError:
        self.wrong = str(error)
        self._herald.quarantine(error, values)
        return error

    # --- telling --------------------------------------------------------------------------------------------------

    def show(self, look: Look) -> Telemetry:
        """Let the second look see a reading, without telling the core."""
        return self._herald.show(look)

    def tell(self, look: Look) -> None:
        """Hand a reading over."""
        self._herald.tell(look)

    def excuse(self) -> None:
        """Our own network was down: what was missed meanwhile says nothing about the device."""
        self._misses = 0
        self._answered_s = self._loop.time()

    def _heard(self) -> None:
        self._misses = 0
        self._backoff.reset()
        self._answered_s = self._loop.time()

    def _missed(self, error: AskError) -> None:
        self._room.counters.failures[error.kind] += 1
        self.trusted = False
        if error.alive:
            self._heard()
            return
        self._misses += 1
        if self._misses >= MISSES and self._loop.time() - self._answered_s >= MISSES * self._period_s:
            self._herald.lost()
