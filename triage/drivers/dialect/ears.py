"""Everything that devices say: each message finds its device, changes its picture, and in time becomes a reading.

Values that are gathered to a reading are acknowledged as soon as they are known, not when the reading is durable:
waiting for it would hold up brokers that send few messages ahead, and what holds is told again on the next connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from triage.core.events import Event, PileStatus, Telemetry
from triage.drivers.dialect.answers import Answers
from triage.drivers.dialect.device import Device, Moment, WrongError
from triage.drivers.dialect.fleet import Fleet
from triage.drivers.dialect.hearing import hear
from triage.drivers.dialect.pace import Pace
from triage.drivers.dialect.quarantine import PAYLOAD_LIMIT_BYTES, Quarantine, Reason
from triage.drivers.dialect.routes import Target
from triage.drivers.mqtt.counters import Counters
from triage.drivers.mqtt.packets import Received
from triage.drivers.profiles.topics import UnreadableError
from triage.drivers.second_look import SecondLook
from triage.interfaces import Clock

log = structlog.get_logger(__name__)


class Ears:
    """Hears messages, and offers readings when they are ripe."""

    def __init__(
        self,
        fleet: Fleet,
        answers: Answers,
        look: SecondLook,
        counters: Counters,
        *,
        clock: Clock,
        offer: Callable[[Sequence[Event]], None],
        speed: float,
    ) -> None:
        """``offer`` takes the readings that became ripe between two messages; ``speed`` divides their gathering."""
        self._fleet = fleet
        self._answers = answers
        self._look = look
        self._counters = counters
        self._clock = clock
        self._offer = offer
        self._speed = speed
        self._quarantine = Quarantine(counters)
        self._pace = Pace(self._ripe)

    def clear(self) -> None:
        """What was heard is not to be told any more."""
        self._pace.clear()

    def hear(self, messages: Sequence[Received]) -> list[Event]:
        """Take in a burst; what of it must be told at once, in order."""
        now = Moment(self._clock.now(), self._clock.monotonic())
        events: list[Event] = []
        for message in messages:
            try:
                events += self._take(message, now)
            except Exception:  # one poisonous message must not hold back the rest of its burst
                self._counters.count("callback_errors")
                log.exception("a message could not be taken in", topic=message.topic[:128])
                events += self._refuse(None, Reason.WRONG_SHAPE, message, now)
        self._counters.count("messages", len(messages))
        return events

    def _take(self, message: Received, now: Moment) -> list[Event]:
        targets = self._fleet.routes.find(message.topic)
        if not targets:
            return self._refuse(None, Reason.UNKNOWN_TOPIC, message, now)
        if len(message.payload) > PAYLOAD_LIMIT_BYTES:
            return self._refuse(targets[0].device, Reason.TOO_LARGE, message, now)
        events: list[Event] = []
        for target in targets:
            events += self._hear(target, message, now)
            events += self._answer(target, message, now)
        return events

    def _hear(self, target: Target, message: Received, now: Moment) -> list[Event]:
        device = target.device
        heard = hear(device, target.uses, message, now)
        if device.faults.dropped:
            self._counters.count("faults_dropped", device.faults.dropped)
            device.faults.dropped = 0
        events: list[Event] = []
        for reason in dict.fromkeys(heard.problems):
            events += self._refuse(device, reason, message, now)
        if heard.news and not device.tongue.switch:
            if self._pace.cancel(device.pile):
                events += self._tell(device, now)
            self._note(heard.news, now)
            events += heard.news
        if heard.lost:
            device.lost()
        elif heard.spoke and (heard.urgent or not device.tongue.quiet_s):
            self._pace.cancel(device.pile)
            events += self._tell(device, now)
        elif heard.spoke:
            self._pace.plan(device.pile, device.tongue.quiet_s / self._speed)
        return events

    def _answer(self, target: Target, message: Received, now: Moment) -> list[Event]:
        if message.retained:
            return []
        for reader in target.uses.answers:
            try:
                answer = self._answers.heard(target.device, reader, message.payload, target.id, now)
            except UnreadableError:
                return self._refuse(target.device, Reason.WRONG_SHAPE, message, now)
            if answer is not None:
                return [answer]
        return []

    def _refuse(self, device: Device | None, reason: Reason, message: Received, now: Moment) -> list[Event]:
        pile = None if device is None else device.pile
        return [*self._quarantine.take(pile, reason, message.topic, message.payload, now.at, now.at_s)]

    # --- readings -------------------------------------------------------------------------------------------------

    def _ripe(self, piles: Sequence[str]) -> None:
        now = Moment(self._clock.now(), self._clock.monotonic())
        devices = [device for pile in piles if (device := self._fleet.devices.get(pile)) is not None]
        self._offer([event for device in devices for event in self._tell(device, now)])

    def _tell(self, device: Device, now: Moment) -> list[Event]:
        """A device's reading, noted for the second look; or a sample of why there is none."""
        try:
            events = device.tell()
        except WrongError as error:
            if error.reason is None or (error.reason is Reason.IMPOSSIBLE and device.picture.impossible):
                self._counters.count("readings_withheld")
                return []  # it may become known yet; or the message itself was put aside when it came
            sample = str(error).encode()
            return [*self._quarantine.take(device.pile, error.reason, device.name, sample, now.at, now.at_s)]
        if device.heard is not None:
            self._note(events, device.heard)
        return events

    def _note(self, events: Sequence[Event], at: Moment) -> None:
        for event in events:
            if isinstance(event, Telemetry):
                self._counters.count("readings")
                self._look.telemetry(event, at.at_s)
            elif isinstance(event, PileStatus):
                self._look.status(event, at.at_s)
