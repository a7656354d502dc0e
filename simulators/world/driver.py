"""The daemon's way to the simulated field: a driver on the virtual broker, with the real driver's second look.

The translation from the piles' JSON is its own (the codec is tested elsewhere, and a shared one would hide its bugs).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from simulators.invariants import Told
from simulators.invariants.knowledge import LIVE
from simulators.network import STATUS, TELEMETRY, Broker, Delivery, Message, Session
from triage.core.effects import Command
from triage.core.events import CommandAnswer, DriverLink, Event, FaultClaim, PileStatus, Reading, Telemetry
from triage.core.vocabulary import AnswerResult, BootReason, ConnectorStatus
from triage.drivers.second_look import SecondLook
from triage.interfaces import Clock, Dispatch, Inlet

if TYPE_CHECKING:
    from simulators.invariants import Auditor
    from simulators.loop import VirtualLoop


class WorldDriver:
    """See :class:`triage.interfaces.Driver`."""

    name = "mqtt"

    def __init__(
        self,
        loop: VirtualLoop,
        clock: Clock,
        broker: Broker,
        rng: Random,
        auditor: Auditor,
        *,
        fresh_s: float,
        handled: Callable[[int, int], None],
    ) -> None:
        """Belong to one life of the daemon. ``handled`` hears how many messages came, and how many claimed faults."""
        self._loop = loop
        self._clock = clock
        self._broker = broker
        self._rng = rng
        self._auditor = auditor
        self._look = SecondLook(fresh_s)
        self._session: Session | None = None
        self._gone = asyncio.Event()
        self._inlet: Inlet | None = None
        self._task: asyncio.Task[None] | None = None
        self._handled = handled
        self._claimed: dict[str, tuple[FaultClaim, ...]] = {}

    async def start(self, inlet: Inlet) -> None:
        """Connect in the background."""
        self._inlet = inlet
        self._task = asyncio.create_task(self._keep_connected(inlet), name="world-driver")

    async def stop(self) -> None:
        """Leave; what was not acknowledged stays with the broker."""
        if self._task is not None:
            self._task.cancel()
        if self._session is not None:
            self._broker.disconnect(self._session)
            self._session = None

    async def _keep_connected(self, inlet: Inlet) -> None:
        while True:
            self._gone.clear()
            self._session = self._broker.connect(self._receive, self._lost, copy_context())
            if self._session is None:
                await asyncio.sleep(self._rng.uniform(0.5, 5.0))
                continue
            self._look.connected(self._loop.time(), resumed=True)
            inlet.offer([DriverLink(received_at=self._clock.now(), driver=self.name, up=True)])
            await self._gone.wait()

    def _lost(self, session: Session) -> None:
        if session is self._session and self._inlet is not None:
            self._session = None
            self._look.disconnected()
            self._inlet.offer([DriverLink(received_at=self._clock.now(), driver=self.name, up=False)])
            self._gone.set()

    # -- in --------------------------------------------------------------------------------------------------------

    def _receive(self, session: Session, messages: Sequence[Delivery]) -> None:
        if session is not self._session or self._inlet is None:
            return
        now, second = self._clock.now(), self._loop.time()
        events: list[Event] = []
        tokens: list[tuple[int, int]] = []
        claims = 0
        for mid, message in messages:
            event = translate(message, now)
            events.append(event)
            token = (session.epoch, mid)
            tokens.append(token)
            if isinstance(event, Telemetry):
                self._look.telemetry(event, second)
                claims += self._is_news(event)
                if not message.retained:
                    self._auditor.handed(message.pile, token, told(message, event, second))
            elif isinstance(event, PileStatus):
                self._look.status(event, second)
                if event.online:
                    # Retained or not: whoever knows of this boot takes readings of the one before for history.
                    self._auditor.born(message.pile, message.number)

        def acknowledge() -> None:
            self._auditor.acknowledged(tokens)
            self._broker.acknowledge(session, [mid for _, mid in tokens])

        self._inlet.offer(events, acknowledge)
        self._handled(len(messages), claims)

    def _is_news(self, event: Telemetry) -> bool:
        """Whether it claims other faults than the message before it; what is new must not be lost."""
        before = self._claimed.get(event.pile, ())
        self._claimed[event.pile] = event.faults
        return event.faults != before

    # -- out -------------------------------------------------------------------------------------------------------

    async def send(self, command: Command) -> Dispatch:
        """Look a second time, then send, at most once."""
        await asyncio.sleep(self._rng.uniform(0.0, 0.05))
        refusal = self._look.refuse(command, self._clock.now(), self._loop.time())
        if refusal is not None:
            return Dispatch("not_sent", refusal)
        session = self._session
        if session is None:
            return Dispatch("not_sent", "not_connected")
        self._auditor.published(command, self._clock.now())
        self._broker.command(session, command.pile, payload(command))
        await asyncio.sleep(self._rng.uniform(0.0, 0.1))
        if session is not self._session:
            return Dispatch("unknown", "the connection broke before the broker confirmed")
        return Dispatch("sent")


def payload(command: Command) -> dict[str, Any]:
    """A command as it stands on the topic; the core's arguments for the second look stay at home."""
    return {
        "id": command.id,
        "action": command.action.value,
        "connector": command.connector,
        "args": {key: value for key, value in command.args.items() if key != "silent_ok"},
        "expires_at": command.expires_at.isoformat(),
    }


def translate(message: Message, now: datetime) -> Event:
    """What a pile's message means to the core."""
    body = message.payload
    if message.topic == TELEMETRY:
        return _telemetry(message, body, now)
    if message.topic == STATUS:
        reason = body.get("boot_reason")
        return PileStatus(
            received_at=now,
            site=message.site,
            pile=message.pile,
            online=body["online"],
            boot_id=body.get("boot_id"),
            boot_reason=BootReason(reason) if reason is not None else None,
            firmware=body.get("firmware"),
            model=body.get("model"),
            device_at=_moment(body),
            retained=message.retained,
        )
    return CommandAnswer(
        received_at=now,
        site=message.site,
        pile=message.pile,
        command=body["id"],
        result=AnswerResult(body["result"]),
        reason=body["reason"],
    )


def _telemetry(message: Message, body: Mapping[str, Any], now: datetime) -> Telemetry:
    return Telemetry(
        received_at=now,
        site=message.site,
        pile=message.pile,
        device_at=_moment(body),
        seq=body["seq"],
        uptime_s=body["uptime_s"],
        readings=tuple(_reading(each) for each in body["connectors"]),
        faults=tuple(
            FaultClaim(code=each["code"], connector=each.get("connector", 0), info=each.get("info", ""))
            for each in body["faults"]
        ),
        retained=message.retained,
    )


def _reading(body: Mapping[str, Any]) -> Reading:
    return Reading(
        connector=body["id"],
        status=ConnectorStatus(body["status"]),
        session=body.get("session"),
        session_known="session" in body,
        voltage_v=body.get("voltage_v"),
        current_a=body.get("current_a"),
        power_w=body.get("power_w"),
        energy_wh=body.get("energy_wh"),
        temperature_c=body.get("temperature_c"),
    )


def _moment(body: Mapping[str, Any]) -> datetime | None:
    text = body.get("ts")
    return datetime.fromisoformat(text) if text is not None else None


def told(message: Message, event: Telemetry, second: float) -> Told:
    """The auditor's view of a reading."""
    return Told(
        number=message.number,
        born=message.born,
        handed=second,
        received_at=event.received_at,
        claims=frozenset((each.code, each.connector) for each in event.faults),
        live=frozenset(each.connector for each in event.readings if each.session is not None or each.status in LIVE),
        unknown=frozenset(each.connector for each in event.readings if not each.session_known),
    )
