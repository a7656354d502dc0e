"""Real brokers for tests: Mosquitto with the shipped configuration, and the embedded one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt

from triage.drivers.embedded import EmbeddedBroker

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "config" / "mosquitto"


def free_port() -> int:
    """A port of the loopback address that was free a moment ago."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(condition, timeout_s: float = 15.0, what: str = "condition") -> None:
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
            text = text.replace(old, new)
        if os.geteuid() == 0:
            text += "\nuser root\n"  # else it leaves for an account that may not write to the test's folder
        self.conf = folder / "test.conf"
        self.conf.write_text(text, encoding="utf-8")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
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
        """kill -9."""
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
async def mosquitto(folder: Path, **options) -> AsyncIterator[Mosquitto]:
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


def client(broker: Broker, **options) -> aiomqtt.Client:
    """An independent client of ``broker``."""
    return aiomqtt.Client("127.0.0.1", broker.port, **options)
