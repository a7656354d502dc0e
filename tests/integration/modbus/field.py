"""Chargers as words in the independent server, written down from their makers' tables, and what writes do to them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, ClassVar

from tests.integration.modbus.libmodbus import Server, Written

BOOT_S = 0.4
LOOK_S = 0.1

Words = dict[int, int | list[int]]


class Charger:
    """One charger at a server of its own. ``row`` is its part of the fleet file, ``sound`` its words when well."""

    unit: ClassVar[int]
    sound: ClassVar[dict[str, Words]]
    locked: ClassVar[tuple[tuple[str, int], ...]] = ()

    def __init__(self, server: Server) -> None:
        self.server = server
        server.reactions.append(self.react)
        self._chores: set[asyncio.Task[None]] = set()

    @property
    def row(self) -> dict[str, Any]:
        return {"endpoint": self.server.endpoint, "unit": self.unit}

    async def stand(self) -> None:
        """Be well."""
        for table, words in self.sound.items():
            await self.set(table, words)

    async def set(self, table: str, words: Words) -> None:
        await self.server.set(self.unit, table, words)

    def react(self, write: Written) -> None:
        """Do what a write asks for; told before the write is answered."""

    def chore(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def leave(self) -> None:
        """End what it still does."""
        for task in list(self._chores):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class Warp(Charger):
    """Every number takes two registers; the magic number restarts it, and its uptime counts from then on."""

    unit = 1
    sound: ClassVar[dict[str, Words]] = {
        "input": {
            0: [0, 2, 0, 2, 0, 6, 0, 6, 0x6774, 0x8580, 0, 4711, 1, 0],
            1000: [0, 0, 0, 0, 0xFFFF, 0xFFFF, 0, 0, 0, 0, 0, 16_000],
            2002: [0, 0, 0x447A, 0],  # 0.0 W and 1000.0 kWh
        },
        "holding": {0: [0, 0], 1002: [0, 16_000], 2000: [0, 0]},
        "coil": {1000: 1},
    }
    magic = (0x012E, 0xB007)

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.cured_by_restart = True
        self.restarts = 0
        self._born_s = time.monotonic() - 70_000

    async def stand(self) -> None:
        await super().stand()
        self.chore(self._count())

    async def breaks(self) -> None:
        """Error, and IEC 61851 state E or F."""
        await self.set("input", {1000: [0, 4, 0, 4]})

    async def heals(self) -> None:
        await self.set("input", {1000: [0, 0, 0, 0]})

    async def _count(self) -> None:
        while True:
            uptime_s = int(time.monotonic() - self._born_s)
            await self.set("input", {12: [uptime_s >> 16, uptime_s & 0xFFFF]})
            await asyncio.sleep(LOOK_S)

    def react(self, write: Written) -> None:
        if (write.table, write.address, write.words) == ("holding", 0, self.magic):
            self.chore(self._restart())

    async def _restart(self) -> None:
        self.restarts += 1
        await self.server.command(f"stall {self.unit} 1")
        await self.server.command("cut")
        await asyncio.sleep(BOOT_S)
        self._born_s = time.monotonic()
        await self.set("input", {12: [0, 0]})
        if self.cured_by_restart:
            await self.heals()
        await self.server.command(f"stall {self.unit} 0")


class Heidelberg(Charger):
    """A remote lock that shows state F while it is closed."""

    unit = 1
    sound: ClassVar[dict[str, Words]] = {
        "input": {4: [0x0108, 2, 0, 0, 0, 243, 230, 231, 229, 1, 0, 0, 0, 123, 4567]},
        "holding": {257: [15_000, 4, 1, 0, 160, 0]},
    }

    def react(self, write: Written) -> None:
        if (write.table, write.address) == ("holding", 259):
            self.chore(self.set("input", {5: 10 if write.words == (0,) else 2}))


class Abl(Charger):
    """One status byte; the outlet is disabled and enabled by two numbers."""

    unit = 1
    sound: ClassVar[dict[str, Words]] = {
        # Version, with bit 5 of its second word for the current sensor; state A1; nothing flows.
        "holding": {1: [0x0102, 0x0020], 4: [0xA1, 0], 15: 1, 20: 266, 46: [0xA1, 0, 0, 0, 0]},
    }

    async def shows(self, state: int) -> None:
        await self.set("holding", {4: state, 46: state})

    def react(self, write: Written) -> None:
        if (write.table, write.address) == ("holding", 5):
            self.chore(self.shows({0xE0E0: 0xE0, 0xA1A1: 0xA1}[write.words[0]]))


class Victron(Charger):
    """One status that tells faults too; no means of its own."""

    unit = 0
    sound: ClassVar[dict[str, Words]] = {
        "holding": {5009: [0, 1], 5014: [0, 0, 32], 5021: 12, 5055: 0},
    }

    async def shows(self, status: int) -> None:
        await self.set("holding", {5015: status})


class Keba(Charger):
    """Error codes that only its maker can read; no means of its own."""

    unit = 255
    sound: ClassVar[dict[str, Words]] = {
        "holding": {
            1000: [0, 1],
            1004: [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x0145, 0xB48E, 0x0004, 0xCAA5, 0x030A, 0x1D00, 0, 0],
            1036: [0x0001, 0x86A0],
            1040: [0, 230],
            1500: [0, 0, 0, 0],
            1550: [0, 0, 0, 1],
            1602: [0, 0],
            5004: 0,
            5014: 0,
            5018: 0,
            5052: 0,
        }
    }

    async def shows(self, state: int, code: int) -> None:
        await self.set("holding", {1000: [0, state], 1006: [code >> 16, code & 0xFFFF]})


class Vestel(Charger):
    """Faults as bits of unknown meaning; no means of its own."""

    unit = 255

    @staticmethod
    def text(value: str, words: int) -> list[int]:
        data = value.encode().ljust(2 * words, b"\0")
        return [data[2 * place] << 8 | data[2 * place + 1] for place in range(words)]

    @property
    def sound(self) -> dict[str, Words]:  # type: ignore[override]
        return {
            "input": {
                100: self.text("EVC04-1", 25),
                190: self.text("Vestel", 10),
                210: self.text("EVC04", 5),
                230: self.text("3.187.0", 50),
                404: 1,
                1000: [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 230, 0, 230, 0, 230, 0, 0, 0],
                1036: [0, 5000],
                1502: [0, 0],
                1508: [0, 0],
            },
            "holding": {405: 1, 2000: [0, 0, 20], 5004: 32, 6000: 0},
        }

    async def fault(self, bits: int) -> None:
        await self.set("input", {1002: 2 if bits else 1, 1006: [bits >> 16, bits & 0xFFFF]})
