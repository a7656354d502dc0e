"""The native dialect through Mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import json

import aiomqtt

from tests.contract.drivers.field import PILE, SITE, SPEED, Field, Session
from tests.integration.brokers import Mosquitto, WallClock
from triage.drivers.mqtt.driver import MqttDriver
from triage.interfaces import Driver


class NativeField(Field):
    """Dialect ``pile/v1``."""

    async def _open(self) -> int:
        self._stack = contextlib.AsyncExitStack()
        broker = Mosquitto(self.folder / "broker")
        await broker.start()
        self._stack.push_async_callback(broker.stop)
        self._pile = await self._stack.enter_async_context(aiomqtt.Client("127.0.0.1", broker.port))
        await self._pile.subscribe("pile/v1/+/+/command", qos=1)
        listening = asyncio.create_task(self._listen())
        self._stack.callback(listening.cancel)
        return broker.port

    async def _close(self) -> None:
        await self._stack.aclose()

    def driver(self, fresh_s: float = 60.0) -> Driver:
        url = f"mqtt://127.0.0.1:{self.gate.port}"
        return MqttDriver(url, client_id="contract", clock=WallClock(), fresh_s=fresh_s, speed=SPEED)

    async def say(
        self,
        status: str = "available",
        session: Session = Session.NONE,
        *,
        danger: bool = False,
        pile: str = PILE,
    ) -> None:
        connector: dict[str, object] = {"id": 1, "status": status}
        if session is not Session.UNKNOWN:
            connector["session"] = "s-1" if session is Session.LIVE else None
        faults = [{"code": "GroundFailure", "connector": 1}] if danger else []
        await self._publish(pile, json.dumps({"connectors": [connector], "faults": faults}))

    async def garble(self) -> None:
        await self._publish(PILE, "{" + "x" * 10_000)

    async def _publish(self, pile: str, payload: str) -> None:
        await self._pile.publish(f"pile/v1/{SITE}/{pile}/telemetry", payload, qos=1)

    async def _listen(self) -> None:
        async for message in self._pile.messages:
            self.told.append(json.loads(bytes(message.payload))["action"])
