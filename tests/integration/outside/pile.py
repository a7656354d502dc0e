"""A pile played by an independent MQTT client: it knows the contract of ``pile/v1`` alone, nothing of the product."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections import Counter
from datetime import UTC, datetime
from enum import Enum
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiomqtt

TELEMETRY_EVERY_S = 0.2
BOOT_S = 0.3
RETRY_S = 0.1
RESETS = frozenset({"reset_soft", "reset_hard", "power_cycle"})
DANGERS = frozenset({"GroundFailure"})
IN_FLIGHT_S = 0.5
"""What was told less than this before a command arrived may have crossed it on the way."""


class Temper(Enum):
    """What a reset does to this pile."""

    CURED = "starts again without its faults"
    CURED_BY_HARD = "starts again; only a hard reset cures"
    NOT_CURED = "starts again with the same faults"
    IDLE = "accepts and does nothing"
    REFUSES = "refuses"
    LOST = "accepts, goes down, and never comes back"


class Received(NamedTuple):
    """A command as it arrived; ``at_s`` is monotonic."""

    at_s: float
    id: str
    action: str
    body: dict[str, Any]


class ScriptedPile:
    """One pile on a connection of its own, with a last will. Use it as ``async with``."""

    def __init__(
        self,
        port: int,
        site: str,
        pile: str,
        *,
        speed: float,
        temper: Temper = Temper.CURED,
        remembers: bool = True,
        every_s: float = TELEMETRY_EVERY_S,
    ) -> None:
        """``speed``: how many of its own seconds pass in one. ``remembers``: it knows command ids after a restart."""
        self.site = site
        self.id = pile
        self.temper = temper
        self.remembers = remembers
        self.faults: list[dict[str, Any]] = []
        self.status = "available"
        self.session: str | None = None
        self.tells_session = True
        self.silent = False
        self.commands: list[Received] = []
        self.executions: Counter[str] = Counter()
        self.improper: list[str] = []
        """Commands that break the contract: retained, without id or expiry, late, or for somebody else."""
        self.unsafe: list[str] = []
        """Resets that met a danger or a session which this pile had told of before they arrived."""
        self.boots = 0
        self.sent = 0
        self._told: tuple[bool, float] = (False, 0.0)
        self._port = port
        self._speed = speed
        self._every_s = every_s
        self._seq = 0
        self._born_s = time.monotonic()
        self._booting = False
        self._leaving = False
        self._done: set[str] = set()
        self._client: aiomqtt.Client | None = None
        self._up = asyncio.Event()
        self._away = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # The story's side ----------------------------------------------------------------------------------------------

    def breaks(self, *codes: str, connector: int = 1) -> None:
        """From now on claim ``codes``."""
        self.faults = [{"code": code, "connector": connector, "info": ""} for code in codes]
        self.status = "faulted"

    def heals(self) -> None:
        """Claim nothing any more."""
        self.faults = []
        self.status = "charging" if self.session else "available"

    def plug_in(self, session: str) -> None:
        """Somebody charges."""
        self.session, self.status = session, "charging"

    def unplug(self) -> None:
        """Nobody charges."""
        self.session = None
        self.status = "faulted" if self.faults else "available"

    def vanish(self) -> None:
        """The line is cut: the broker publishes the last will. Nothing comes until :meth:`come_back`."""
        self._away.set()
        self._cut()

    def come_back(self) -> None:
        """The line is there again, with the same boot."""
        self._away.clear()

    def lose_power(self) -> None:
        """Dark at once, without a goodbye."""
        self.vanish()

    def regain_power(self) -> None:
        """Start anew; who is cured by a restart has no faults any more."""
        self.boots += 1
        self._seq = 0
        self._born_s = time.monotonic()
        if self.temper is Temper.CURED:
            self.faults = []
        self.unplug()
        self.come_back()

    @property
    def resets(self) -> list[Received]:
        """Every disruptive command that arrived."""
        return [each for each in self.commands if each.action in RESETS]

    @property
    def doubles(self) -> dict[str, int]:
        """Command ids carried out more than once."""
        return {id: times for id, times in self.executions.items() if times > 1}

    async def online(self) -> None:
        """Wait until it is connected and has spoken."""
        await self._up.wait()

    async def say(self, kind: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish raw bytes on this pile's topic."""
        assert self._client is not None
        await self._client.publish(self._topic(kind), payload, qos=1, retain=retain)

    # Its own life --------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._live())
        async with asyncio.timeout(20):
            await self.online()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        # A cancellation can be swallowed where the client waits (Python 3.11), and a task group passes it on only once:
        # what lives in it looks for itself, and a cut line wakes whoever waits for it.
        self._leaving = True
        while not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1)
            self._cut()
        if not self._task.cancelled():
            self._task.result()

    def _topic(self, kind: str) -> str:
        return f"pile/v1/{self.site}/{self.id}/{kind}"

    def _cut(self) -> None:
        """Break the connection as a power cut does: no goodbye."""
        self._up.clear()
        if self._client is not None:
            line = self._client._client.socket()
            if isinstance(line, socket.socket):
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    async def _live(self) -> None:
        while not self._leaving:
            if not self._away.is_set():
                try:
                    await self._connected()
                except* (aiomqtt.MqttError, OSError):
                    pass  # it comes again
            self._forget()
            await asyncio.sleep(BOOT_S if self._booting else RETRY_S)
            if self._booting:
                self._booting = False
                self._born_s = time.monotonic()

    def _forget(self) -> None:
        """Let go of the broken connection; why it broke is known, for the pile broke it."""
        client, self._client = self._client, None
        self._up.clear()
        if client is not None and client._disconnected.done() and not client._disconnected.cancelled():
            client._disconnected.exception()

    async def _connected(self) -> None:
        will = aiomqtt.Will(self._topic("status"), b'{"online": false}', qos=1, retain=True)
        async with aiomqtt.Client("127.0.0.1", self._port, identifier=f"pile-{self.id}", will=will) as client:
            self._client = client
            await client.subscribe(self._topic("command"), qos=1)
            await self._greet(client)
            await self._report(client)
            self._up.set()
            async with asyncio.TaskGroup() as both:
                telling = both.create_task(self._tell(client))
                both.create_task(self._obey(client, telling))

    async def _greet(self, client: aiomqtt.Client) -> None:
        status = {
            "online": True,
            "boot_id": f"{self.id}-{self.boots}",
            "boot_reason": "remote_reset" if self.boots else "power_up",
            "firmware": "1.0",
            "model": "AC-7",
            "ts": datetime.now(UTC).isoformat(),
        }
        await client.publish(self._topic("status"), json.dumps(status), qos=1, retain=True)

    async def _tell(self, client: aiomqtt.Client) -> None:
        while not self._leaving:
            await asyncio.sleep(self._every_s)
            if not self.silent:
                await self._report(client)

    async def _report(self, client: aiomqtt.Client) -> None:
        self._seq += 1
        charging = self.status == "charging"
        connector: dict[str, Any] = {
            "id": 1,
            "status": self.status,
            "voltage_v": 230.0,
            "current_a": 16.0 if charging else 0.0,
            "power_w": 3680.0 if charging else 0.0,
            "energy_wh": 1000.0,
            "temperature_c": 25.0,
        }
        if self.tells_session:
            connector["session"] = self.session
        body = {
            "ts": datetime.now(UTC).isoformat(),
            "seq": self._seq,
            "uptime_s": round((time.monotonic() - self._born_s) * self._speed, 1),
            "connectors": [connector],
            "faults": self.faults,
        }
        await client.publish(self._topic("telemetry"), json.dumps(body), qos=0)
        self.sent += 1
        forbids = bool(self.session) or any(each["code"] in DANGERS for each in self.faults)
        if forbids != self._told[0]:
            self._told = (forbids, time.monotonic())

    async def _obey(self, client: aiomqtt.Client, telling: asyncio.Task[None]) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            body = json.loads(message.payload)
            received = Received(time.monotonic(), str(body.get("id")), str(body.get("action")), body)
            self.commands.append(received)
            self._inspect(received, retained=bool(message.retain), qos=message.qos)
            await self._carry_out(client, received)
        telling.cancel()

    def _inspect(self, command: Received, *, retained: bool, qos: int) -> None:
        if retained:
            self.improper.append(f"{command.id}: retained")
        if qos != 1:
            self.improper.append(f"{command.id}: QoS {qos}")
        missing = {"id", "action", "connector", "args", "expires_at"} - command.body.keys()
        if missing:
            self.improper.append(f"{command.id}: without {sorted(missing)}")
        elif datetime.fromisoformat(command.body["expires_at"]) < datetime.now(UTC):
            self.improper.append(f"{command.id}: late")
        forbids, since_s = self._told
        if command.action in RESETS and forbids and command.at_s - since_s > IN_FLIGHT_S:
            self.unsafe.append(f"{command.id}: {self.session or self.faults}")

    async def _carry_out(self, client: aiomqtt.Client, command: Received) -> None:
        reset = command.action in RESETS
        if reset and self.temper is Temper.REFUSES:
            await self._answer(client, command, "refused", "not now")
            return
        if self.remembers and command.id in self._done:
            await self._answer(client, command, "accepted", "done before")
            return
        self._done.add(command.id)
        await self._answer(client, command, "accepted", "")
        if command.action == "report" and not self.silent:
            await self._report(client)
        if reset and self.temper is not Temper.IDLE:
            self.executions[command.id] += 1
            await self._restart(command.action)

    async def _answer(self, client: aiomqtt.Client, command: Received, result: str, reason: str) -> None:
        body = {"id": command.id, "result": result, "reason": reason}
        await client.publish(self._topic("command/ack"), json.dumps(body), qos=1)

    async def _restart(self, action: str) -> None:
        """Go down without a goodbye; what comes back is a new boot."""
        self.boots += 1
        self._seq = 0
        self.session = None
        cured = self.temper is Temper.CURED or (self.temper is Temper.CURED_BY_HARD and action == "reset_hard")
        if cured:
            self.faults = []
        self.status = "faulted" if self.faults else "available"
        if self.temper is Temper.LOST:
            self._away.set()
        self._booting = True
        self._cut()
        raise aiomqtt.MqttError("restarted")
