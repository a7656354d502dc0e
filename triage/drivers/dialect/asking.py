"""Asking devices for their state, not all of them at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable

from triage.config.profile.actions import Publish
from triage.config.profile.topics import Ask
from triage.drivers.dialect.device import Device
from triage.drivers.dialect.templates import publishable
from triage.drivers.mqtt.client import MqttClient
from triage.drivers.profiles.topics import fill, own_number
from triage.interfaces import Clock, Dispatch

A_SECOND = 50
PATIENCE_S = 2.0
TRIES = 3


class Mouth:
    """Says things to devices: fills in what varies, and publishes once, never retained."""

    def __init__(self, client: MqttClient, clock: Clock) -> None:
        """Publish through ``client``; the time told is ``clock``'s."""
        self._client = client
        self._clock = clock

    async def say(
        self, device: Device, what: Publish | Ask, connector: int, id: str, patience_s: float = PATIENCE_S
    ) -> Dispatch:
        """Publish ``what`` to ``device``, at most once."""
        own = own_number(device.tongue.mqtt, connector) if connector else None
        if own is None and "{connector}" in f"{what.topic} {what.payload}":
            if device.tongue.connectors > 1:
                return Dispatch("not_sent", "connector_not_given")
            own = device.tongue.numbers[0]
        now_ms = int(self._clock.now().timestamp() * 1000)
        topic = fill(what.topic, device.name, own, id=id, now_ms=now_ms)
        if not publishable(topic):
            return Dispatch("not_sent", "cannot_be_written")
        payload = fill(what.payload, _in_json(device.name), own, id=_in_json(id), now_ms=now_ms)
        qos = what.qos if isinstance(what, Publish) else device.tongue.mqtt.qos
        outcome, reason = await self._client.publish(topic, payload.encode(), patience_s, qos)
        return Dispatch(outcome, reason)

    async def ask(self, device: Device, id: str, connector: int = 0) -> Dispatch:
        """Ask ``device`` for its state, with every question of its profile; the first that fails decides."""
        for question in device.tongue.mqtt.ask:
            dispatch = await self.say(device, question, connector, id)
            if dispatch.outcome != "sent":
                return dispatch
        return Dispatch("sent")


def _in_json(text: str) -> str:
    """``text`` as it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


async def ask_all(
    devices: Iterable[Device], ask: Callable[[Device], Awaitable[Dispatch]], pause_s: float = 1 / A_SECOND
) -> None:
    """Ask one after the other, at most so many a second; a broker that is busy is waited for a while."""
    for device in devices:
        for attempt in range(1, TRIES + 1):
            dispatch = await ask(device)
            await asyncio.sleep(pause_s * max(1, len(device.tongue.mqtt.ask)))
            if dispatch.outcome != "not_sent" or attempt == TRIES:
                break
            await asyncio.sleep(attempt)
