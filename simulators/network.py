"""The virtual broker between piles and the daemon: loss, delay, duplicates, disorder, wills, sessions and outages.

It behaves as a real broker does towards a client with a persistent session and manual acknowledgement: what was handed
out and not acknowledged comes again after a reconnect, what arrives while nobody is there waits (bounded), and
what is retained is shown to every newcomer. It never looks into a payload; wills are published by the piles' side.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from contextvars import Context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from simulators.loop import VirtualLoop

Payload: TypeAlias = Mapping[str, Any]
STATUS = "status"
TELEMETRY = "telemetry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How bad the network is; shares are chances per message, times are seconds."""

    lost: float = 0.004
    late: float = 0.01
    late_s: tuple[float, float] = (2.0, 400.0)
    delay_s: tuple[float, float] = (0.02, 0.4)
    twice: float = 0.01
    command_lost: float = 0.03
    command_twice: float = 0.03
    command_slow: float = 0.03
    command_slow_s: tuple[float, float] = (1.0, 50.0)


CALM = Weather(lost=0, late=0, twice=0, command_lost=0, command_twice=0, command_slow=0)
"""Nothing goes wrong; the time in which everything has to come to its end."""


@dataclass(frozen=True, slots=True)
class Message:
    """A publication of a pile. ``born`` is the second at which the pile spoke, which no receiver can see."""

    site: str
    pile: str
    topic: str
    payload: Payload
    born: float
    number: int
    retain: bool = False
    retained: bool = False


Delivery: TypeAlias = tuple[int, Message]
"""A message on its way to the daemon, with the number to acknowledge it by."""


@dataclass(slots=True, kw_only=True)
class Session:
    """The daemon's connection. ``epoch`` tells acknowledgements of this connection from those of an older one."""

    epoch: int
    receive: Callable[[Session, Sequence[Delivery]], None]
    lost: Callable[[Session], None]
    context: Context


class Broker:
    """One broker with one persistent client session, that of the daemon."""

    QUEUE = 1000  # as brokers have it by default; more is dropped silently
    IN_FLIGHT = 200
    ACK_S = 0.02

    def __init__(
        self,
        loop: VirtualLoop,
        rng: Random,
        weather: Weather,
        to_pile: Callable[[str, Payload], None],
        window_s: float = 0.05,
    ) -> None:
        """Start empty. ``to_pile`` receives commands as (pile, payload); ``window_s`` gathers messages into batches."""
        self._window_s = window_s
        self.weather = weather
        self.counts: Counter[str] = Counter()
        self.down = False
        # An empty context is nobody's process: what the broker has set going does not die with the daemon.
        self._own = Context()
        self._loop = loop
        self._rng = rng
        self._to_pile = to_pile
        self._retained: dict[tuple[str, str], Message] = {}
        self._queue: deque[Message] = deque()
        self._in_flight: dict[int, Message] = {}
        self._free_at: dict[str, float] = {}
        self._session: Session | None = None
        self._epoch = 0
        self._mid = 0
        self._number = 0
        self._flushing = False

    # -- piles -----------------------------------------------------------------------------------------------------

    def publish(self, site: str, pile: str, topic: str, payload: Payload, *, retain: bool = False) -> None:
        """A pile speaks: in order, except for what is late; status is retained and not lost.

        ``retain`` marks telemetry that a badly configured pile has the broker keep.
        """
        now = self._loop.time()
        self._number += 1
        message = Message(site, pile, topic, payload, now, self._number, retain)
        weather, chance = self.weather, self._rng.random()
        at = max(now + self._rng.uniform(*weather.delay_s), self._free_at.get(pile, 0.0) + 0.001)
        if topic != STATUS:
            if chance < weather.lost:
                self.counts["lost"] += 1
                return
            if chance < weather.lost + weather.late:
                self.counts["late"] += 1
                self._later(now + self._rng.uniform(*weather.late_s), message)
                return
            if chance > 1 - weather.twice:
                self.counts["twice"] += 1
                self._later(at + self._rng.uniform(0.0, 30.0), message)
        self._free_at[pile] = at
        self._later(at, message)

    # -- the daemon ------------------------------------------------------------------------------------------------

    def connect(
        self,
        receive: Callable[[Session, Sequence[Delivery]], None],
        lost: Callable[[Session], None],
        context: Context,
    ) -> Session | None:
        """Open the daemon's connection, or None while the broker is down. Callbacks run in ``context``."""
        if self.down:
            return None
        self._epoch += 1
        self._session = Session(epoch=self._epoch, receive=receive, lost=lost, context=context)
        again = [self._in_flight[mid] for mid in sorted(self._in_flight)]
        self.counts["redelivered"] += len(again)
        self._in_flight.clear()
        shown = [replace(message, retained=True) for _, message in sorted(self._retained.items())]
        self._queue.extendleft(reversed(shown + again))
        self._pump()
        return self._session

    def disconnect(self, session: Session) -> None:
        """The daemon is gone, cleanly or not; what it has not acknowledged will come again."""
        if self._session is session:
            self._session = None

    def drop(self) -> None:
        """The daemon's process is gone, and its connection with it."""
        self._session = None

    def acknowledge(self, session: Session, mids: Sequence[int]) -> None:
        """Acknowledge messages of ``session``; it takes a moment to leave the daemon, and dies with it."""
        self._loop.call_later(self.ACK_S, self._acknowledged, session, mids, context=session.context)

    def command(self, session: Session, pile: str, payload: Payload) -> bool:
        """Publish a command; False when the connection is already gone."""
        if self._session is not session:
            return False
        chance, weather = self._rng.random(), self.weather
        if chance < weather.command_lost:
            self.counts["command_lost"] += 1
            return True
        slow = chance > 1 - weather.command_slow
        delay = self._rng.uniform(*(weather.command_slow_s if slow else weather.delay_s))
        self._loop.call_later(delay, self._to_pile, pile, payload, context=self._own)
        if chance < weather.command_lost + weather.command_twice:
            self.counts["command_twice"] += 1
            self._loop.call_later(delay + self._rng.uniform(0.0, 2.0), self._to_pile, pile, payload, context=self._own)
        return True

    # -- faults of the broker itself -------------------------------------------------------------------------------

    def fail(self, seconds: float, *, forget: bool) -> None:
        """Be down for ``seconds``; ``forget`` loses the daemon's session with everything queued in it."""
        self.down = True
        self.counts["outages"] += 1
        session, self._session = self._session, None
        if forget:
            self.counts["forgotten"] += len(self._queue) + len(self._in_flight)
            self._queue.clear()
            self._in_flight.clear()
        if session is not None:
            self._loop.call_soon(session.lost, session, context=session.context)
        self._loop.call_later(seconds, self._recover, context=self._own)

    def _recover(self) -> None:
        self.down = False

    # -- inside ----------------------------------------------------------------------------------------------------

    def _later(self, at: float, message: Message) -> None:
        self._loop.call_at(at, self._arrive, message, context=self._own)

    def _arrive(self, message: Message) -> None:
        if self.down:
            if message.topic == STATUS or self._rng.random() < 0.5:  # noqa: PLR2004 - every second client keeps trying
                self._loop.call_later(self._rng.uniform(5.0, 30.0), self._arrive, message, context=self._own)
            else:
                self.counts["lost"] += 1
            return
        if message.topic == STATUS or message.retain:
            self._retained[message.pile, message.topic] = message
        if len(self._queue) >= self.QUEUE:
            self.counts["overflow"] += 1
            return
        self._queue.append(message)
        self._pump()

    def _pump(self) -> None:
        if not self._flushing and self._session is not None and self._queue:
            self._flushing = True
            self._loop.call_later(self._window_s, self._flush, context=self._own)

    def _flush(self) -> None:
        self._flushing = False
        session, room = self._session, self.IN_FLIGHT - len(self._in_flight)
        if session is None or room <= 0:
            return
        batch: list[Delivery] = []
        while self._queue and len(batch) < room:
            self._mid += 1
            message = self._in_flight[self._mid] = self._queue.popleft()
            batch.append((self._mid, message))
        self.counts["delivered"] += len(batch)
        self._loop.call_soon(session.receive, session, batch, context=session.context)

    def _acknowledged(self, session: Session, mids: Sequence[int]) -> None:
        if self._session is not session:
            self.counts["stale_acks"] += len(mids)
            return
        for mid in mids:
            self._in_flight.pop(mid, None)
        self._pump()
