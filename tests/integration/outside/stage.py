"""A daemon with its broker, and the piles that a story puts on it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiomqtt

from tests.integration.brokers import Mosquitto
from tests.integration.outside.api import Api
from tests.integration.outside.daemon import Daemon
from tests.integration.outside.pile import ScriptedPile, Temper
from tests.parts import free_port, need

KINDS = ("mosquitto", "embedded")
PLOTS = 60


class House:
    """One running daemon and its broker; every story gets a site of its own from it."""

    def __init__(self, daemon: Daemon, broker_port: int) -> None:
        self.daemon = daemon
        self.broker_port = broker_port
        self._plots = iter(plots())

    def plot(self) -> tuple[str, str]:
        """A site and a pile nobody has had yet."""
        return next(self._plots)


def plots() -> list[tuple[str, str]]:
    """Piles, each on its own site so that no story meets another's budgets."""
    return [(f"S{number:02}", f"P{number:02}") for number in range(1, PLOTS + 1)]


@contextlib.contextmanager
def shipped_mosquitto(folder: Path) -> Iterator[int]:
    """A Mosquitto with the shipped configuration, bound to no event loop; yields its port."""
    shipped = Mosquitto(folder)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([need("mosquitto"), "-c", str(shipped.conf)], stdout=log, stderr=log)
    try:
        until_s = time.monotonic() + 10
        while not _listens(shipped.port):
            assert process.poll() is None, (folder / "log").read_text(errors="replace")
            assert time.monotonic() < until_s, "Mosquitto does not listen"
            time.sleep(0.01)
        yield shipped.port
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def house(kind: str, folder: Path, **options: Any) -> Iterator[House]:
    """A daemon running over the broker called ``kind``."""
    with contextlib.ExitStack() as stack:
        if kind == "mosquitto":
            port = stack.enter_context(shipped_mosquitto(folder / "mosquitto"))
            daemon = Daemon(folder, plots(), mqtt=f"mqtt://127.0.0.1:{port}", **options)
        else:
            port = free_port()
            daemon = Daemon(folder, plots(), mqtt="embedded", mqtt_port=port, **options)
        stack.callback(daemon.kill)
        asyncio.run(daemon.start())
        yield House(daemon, port)
        code = asyncio.run(daemon.stop())
        assert code == 0, f"the daemon ended with {code}:\n{daemon.words()}"


class Stage:
    """What one story has: the API, and piles of its own."""

    def __init__(self, house: House, api: Api, stack: AsyncExitStack) -> None:
        self.house = house
        self.daemon = house.daemon
        self.api = api
        self._stack = stack

    async def pile(self, temper: Temper = Temper.CURED, *, healthy: bool = True, **options: Any) -> ScriptedPile:
        """A new pile, connected and (unless not ``healthy``) known to the daemon."""
        pile = self.unplugged(temper, **options)
        await self._stack.enter_async_context(pile)
        if healthy:
            await self.api.pile(pile.id, lambda shown: shown["seen_since_start"], "heard by the daemon")
        return pile

    def unplugged(self, temper: Temper = Temper.CURED, *, pile: str = "", **options: Any) -> ScriptedPile:
        """A new pile that is not connected yet."""
        site, id = self.house.plot()
        return ScriptedPile(self.house.broker_port, site, pile or id, speed=self.daemon.speed, temper=temper, **options)

    async def broken(self, *codes: str, temper: Temper = Temper.CURED, **options: Any) -> ScriptedPile:
        """A pile that was well and now claims ``codes``."""
        pile = await self.pile(temper, **options)
        pile.breaks(*codes)
        return pile

    async def while_telling(self, pile: ScriptedPile, times: int) -> None:
        """Let ``pile`` speak ``times`` more: long enough for whatever the daemon would do wrong."""
        target = pile.sent + times
        async with asyncio.timeout(60):
            while pile.sent < target:
                await asyncio.sleep(0.02)

    def client(self, name: str) -> aiomqtt.Client:
        """Another client of the broker."""
        return aiomqtt.Client("127.0.0.1", self.house.broker_port, identifier=name)


@contextlib.asynccontextmanager
async def staged(house: House) -> AsyncIterator[Stage]:
    """A story's stage; its piles leave at the end, and none may have been spoken to improperly."""
    async with Api(house.daemon.url) as api, AsyncExitStack() as stack:
        yield Stage(house, api, stack)
