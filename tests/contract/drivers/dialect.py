"""A device that publishes over MQTT in a dialect of its own, told by a profile."""

from __future__ import annotations

import asyncio
import contextlib
import json

import aiomqtt

from tests.contract.drivers.field import PILE, SITE, SPEED, Field, Session
from tests.integration.brokers import Mosquitto, WallClock
from triage.config.profile.file import Profile
from triage.core.events import Registration
from triage.drivers.dialect.driver import DialectDriver
from triage.interfaces import Driver

STATES = ["available", "preparing", "charging", "suspended_ev", "faulted"]
SESSIONS = {Session.NONE: "0", Session.LIVE: "s-1", Session.UNKNOWN: "?"}


def _value(path: str, **more: object) -> dict[str, object]:
    return {"topic": "c/{device}/state", "path": path, **more}


PROFILE = {
    "profile": "contract",
    "title": {"en": "Contract", "zh": "契约"},
    "vendor": "nobody",
    "models": ["none"],
    "sources": ["made up"],
    "verified": "made up",
    "mqtt": {
        "quiet_s": 0.5,
        "values": {"state": _value("is"), "session": _value("who", invalid=["?"]), "alarms": _value("alarms")},
    },
    "status": [{"from": "state", "map": {state.upper(): state for state in STATES}}],
    "faults": [{"from": "alarms", "bits": {"0": "GroundFailure"}}],
    "session": {"id": "session"},
    "actions": {
        action: {
            "does": {"en": "It restarts.", "zh": "重启。"},
            "steps": [{"publish": {"topic": "c/{device}/set", "payload": f'{{"id": "{{id}}", "do": "{action}"}}'}}],
            "answer": {"topic": "c/{device}/answer", "path": "result", "accepted": ["ok"], "id": "id"},
        }
        for action in ("reset_soft", "reset_hard")
    },
}


class DialectField(Field):
    """Through Mosquitto."""

    async def _open(self) -> int:
        self._stack = contextlib.AsyncExitStack()
        broker = Mosquitto(self.folder / "broker")
        await broker.start()
        self._stack.push_async_callback(broker.stop)
        self._pile = await self._stack.enter_async_context(aiomqtt.Client("127.0.0.1", broker.port))
        await self._pile.subscribe("c/+/set", qos=1)
        listening = asyncio.create_task(self._listen())
        self._stack.callback(listening.cancel)
        return broker.port

    async def _close(self) -> None:
        await self._stack.aclose()

    def driver(self, fresh_s: float = 60.0) -> Driver:
        profile = Profile.model_validate_json(json.dumps(PROFILE))
        row = Registration(pile=PILE, site=SITE, region="r", profile="contract", endpoint="device-1")
        return DialectDriver(
            f"mqtt://127.0.0.1:{self.gate.port}",
            [(row, profile)],
            client_id="contract",
            clock=WallClock(),
            fresh_s=fresh_s,
            speed=SPEED,
        )

    async def say(
        self,
        status: str = "available",
        session: Session = Session.NONE,
        *,
        danger: bool = False,
        pile: str = PILE,
    ) -> None:
        said = {"is": status.upper(), "who": SESSIONS[session], "alarms": int(danger)}
        device = "device-1" if pile == PILE else pile
        await self._pile.publish(f"c/{device}/state", json.dumps(said), qos=1)

    async def garble(self) -> None:
        await self._pile.publish("c/device-1/state", "{" + "x" * 10_000, qos=1)

    async def _listen(self) -> None:
        async for message in self._pile.messages:
            order = json.loads(bytes(message.payload))
            self.told.append(order["do"])
            answer = {"id": order["id"], "result": "ok"}
            await self._pile.publish(str(message.topic).replace("set", "answer"), json.dumps(answer), qos=1)
