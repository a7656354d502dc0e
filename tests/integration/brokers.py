"""Real brokers for tests: Mosquitto with the shipped configuration, and the embedded one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import aiomqtt

from tests.parts import free_port, need
from triage.core.effects import Answer
from triage.core.events import Ask, DriverLink, Event
from triage.drivers.embedded import EmbeddedBroker
from triage.drivers.mqtt.driver import MqttDriver

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "config" / "mosquitto"


async def until(condition: Callable[[], object], timeout_s: float = 15.0, what: str = "condition") -> None:
    """Wait for a condition, looking every 10 ms; fails with its name."""
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline_s:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        await asyncio.sleep(0.01)


class Mosquitto:
    """A Mosquitto with the shipped configuration, moved to a free port and a folder of the test's own."""

    def __init__(self, folder: Path, *, conf: str = "mosquitto.conf", replace: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        text = (SHIPPED / conf).read_text(encoding="utf-8")
        text = text.replace("listener 1883 127.0.0.1", f"listener {self.port} 127.0.0.1")
        text = text.replace("/var/lib/mosquitto/", f"{folder}/")
        for old, new in (replace or {}).items():
            assert old in text, f"{conf} no longer says {old!r}"
            text = text.replace(old, new.format(port=self.port))
        if os.geteuid() == 0:
            text += "\nuser root\n"  # else it leaves for an account that may not write to the test's folder
        self.conf = folder / "test.conf"
        self.conf.write_text(text, encoding="utf-8")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        program = need("mosquitto")
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(program, "-c", str(self.conf), stdout=log, stderr=log)
        while True:
            if self.process.returncode is not None:
                raise AssertionError((self.folder / "log").read_text(errors="replace"))
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return

    async def kill(self) -> None:
        """End it as kill -9 does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: there, but silent."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        await process.wait()


Broker = Mosquitto | EmbeddedBroker


@contextlib.asynccontextmanager
async def mosquitto(folder: Path, **options: Any) -> AsyncIterator[Mosquitto]:
    """A running Mosquitto, stopped at the end."""
    broker = Mosquitto(folder, **options)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


@contextlib.asynccontextmanager
async def broker_of(kind: str, folder: Path) -> AsyncIterator[Broker]:
    """A running broker by name: ``mosquitto`` or ``embedded``."""
    if kind == "mosquitto":
        async with mosquitto(folder) as broker:
            yield broker
    else:
        async with EmbeddedBroker(folder) as embedded:
            yield embedded


def client(broker: Broker, **options: Any) -> aiomqtt.Client:
    """An independent client of ``broker``."""
    return aiomqtt.Client("127.0.0.1", broker.port, **options)


class WallClock:
    """The edge's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


E = TypeVar("E", bound=Event)


class Basket:
    """An inlet that keeps what it is offered, and acknowledges at once or when told."""

    def __init__(self, *, acks: bool = True) -> None:
        self.acks = acks
        self.events: list[Event] = []
        self.batches: list[int] = []
        self.withheld: list[Callable[[], None]] = []

    def offer(self, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        self.events.extend(events)
        if ack is None:
            return
        self.batches.append(len(events))
        if self.acks:
            ack()
        else:
            self.withheld.append(ack)

    async def submit(self, event: Ask) -> Answer:
        raise AssertionError("drivers only offer")

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def links(self) -> list[bool]:
        return [event.up for event in self.of(DriverLink)]

    def release(self) -> None:
        """Acknowledge everything withheld."""
        withheld, self.withheld = self.withheld, []
        for ack in withheld:
            ack()


@contextlib.asynccontextmanager
async def driving(url: str, basket: Basket, **options: Any) -> AsyncIterator[MqttDriver]:
    """A driver with its subscriptions in force, stopped at the end."""
    settings: dict[str, Any] = {"client_id": "daemon", "clock": WallClock(), "fresh_s": 60.0, "speed": 10.0}
    driver = MqttDriver(url, **(settings | options))
    await driver.start(basket)
    try:
        await until(lambda: driver.counters.totals["subscriptions_in_force"], what=f"subscribed ({driver.last_error})")
        yield driver
    finally:
        await driver.stop()


class Proxy:
    """A TCP proxy before a broker that can fall silent, drop answers, or cut."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.answers = True
        self.upstream = bytearray()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Drop every connection at once, with a reset."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers += [writer, back]
        for source, sink, up in ((reader, back, True), (there, writer, False)):
            task = asyncio.create_task(self._pump(source, sink, up=up))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                if up:
                    self.upstream += data
                elif not self.answers:
                    continue
                sink.write(data)
                await sink.drain()
        sink.close()
