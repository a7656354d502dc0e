"""A Modbus server for tests: real sockets, frames packed by hand, and every bad manner a device can have."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

LATE_S = 0.45

READS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
WRITES = {5: "coil", 6: "holding", 15: "coil", 16: "holding"}


@dataclass
class Asked:
    """One request as it came over the wire."""

    unit: int
    function: int
    address: int
    count: int
    words: tuple[int, ...] = ()
    body: bytes = b""

    @property
    def writes(self) -> bool:
        return self.function in WRITES


@dataclass
class Unit:
    """What one unit holds, and its manners.

    ``moods`` are for the next requests, one each; ``mood`` is for all others. A mood is None (answer), an exception
    code, or one of: hang, late (answer after LATE_S), drop, drop_done (carry out, then drop), wrong_unit, garbage,
    not_modbus, short, fewer, other_function, torn_frame, bad_sum (of serial frames).
    """

    holding: dict[int, int] = field(default_factory=dict)
    input: dict[int, int] = field(default_factory=dict)
    coil: dict[int, int] = field(default_factory=dict)
    discrete: dict[int, int] = field(default_factory=dict)
    moods: deque[int | str | None] = field(default_factory=deque)
    mood: int | str | None = None
    write_moods: deque[int | str | None] = field(default_factory=deque)
    before: Callable[[Asked], None] | None = None
    after: Callable[[Asked], None] | None = None

    def table(self, name: str) -> dict[int, int]:
        found: dict[int, int] = getattr(self, name)
        return found


class Plant:
    """One endpoint with its units; ``framing`` as in profiles."""

    def __init__(self, framing: str = "tcp") -> None:
        self.framing = framing
        self._later: set[asyncio.Task[None]] = set()
        self.units: dict[int, Unit] = {}
        self.asked: list[Asked] = []
        self.connections = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def unit(self, number: int = 1) -> Unit:
        return self.units.setdefault(number, Unit())

    @property
    def writes(self) -> list[Asked]:
        return [each for each in self.asked if each.writes]

    async def until(self, holds: Callable[[], bool], timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():
                await asyncio.sleep(0.01)

    async def open(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port or self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.drop_all()
        await asyncio.sleep(0)

    def drop_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    number, unit, body = await self._heard(reader)
                    if not await self._answer(number, unit, body, writer):
                        break
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _heard(self, reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
        if self.framing == "tcp":
            number, zero, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
            assert zero == 0
            return number, unit, await reader.readexactly(length - 1)
        if self.framing == "ascii":
            line = await reader.readuntil(b"\r\n")
            assert line[:1] == b":"
            said = bytes.fromhex(line[1:-2].decode())
            assert sum(said) & 0xFF == 0
            return 0, said[0], said[1:-1]
        said = await reader.readexactly(6)
        if said[1] in {15, 16}:
            said += await reader.readexactly(1)
            said += await reader.readexactly(said[6])
        assert await reader.readexactly(2) == crc(said)
        return 0, said[0], said[1:]

    def _frame(self, number: int, unit: int, body: bytes) -> bytes:
        if self.framing == "tcp":
            return struct.pack(">HHHB", number, 0, len(body) + 1, unit) + body
        said = bytes([unit]) + body
        if self.framing == "ascii":
            return b":" + (said + bytes([-sum(said) & 0xFF])).hex().upper().encode() + b"\r\n"
        return said + crc(said)

    async def _answer(self, number: int, unit: int, body: bytes, writer: asyncio.StreamWriter) -> bool:
        asked = _parsed(unit, body)
        self.asked.append(asked)
        held = self.units.get(unit)
        if held is None:
            return True  # a gateway that says nothing of units it does not have
        mood = held.mood
        if asked.writes and held.write_moods:
            mood = held.write_moods.popleft()
        elif not asked.writes and held.moods:
            mood = held.moods.popleft()
        if mood == "hang":
            return True
        if mood == "drop":
            return False
        if held.before is not None:
            held.before(asked)
        answer = _carried_out(held, asked) if not isinstance(mood, int) else bytes([asked.function | 0x80, mood])
        if held.after is not None:
            held.after(asked)
        if mood == "drop_done":
            return False
        if mood == "late":
            task = asyncio.create_task(self._say_later(number, unit, answer, writer))
            self._later.add(task)
            task.add_done_callback(self._later.discard)
            return True
        await self._say(number, unit, answer, mood, writer)
        return True

    async def _say_later(self, number: int, unit: int, answer: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(LATE_S)
        with contextlib.suppress(ConnectionError):
            await self._say(number, unit, answer, None, writer)

    async def _say(
        self, number: int, unit: int, answer: bytes, mood: int | str | None, writer: asyncio.StreamWriter
    ) -> None:
        if mood == "wrong_unit":
            unit += 1
        if mood == "garbage":
            answer = bytes([answer[0] ^ 0x40, *answer[1:]])
        if mood == "other_function":
            answer = bytes([answer[0] ^ 7, *answer[1:]])
        if mood == "fewer":
            answer = bytes([answer[0], answer[1] - 2, *answer[2:-2]])
        if mood == "short":
            answer = answer[:2] + answer[2:-2]
        frame = self._frame(number, unit, answer)
        if mood == "bad_sum":
            frame = frame[:-1] + bytes([frame[-1] ^ 0x55])
        if mood == "not_modbus":
            frame = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        for part in (frame[:5], frame[5:]) if mood == "torn_frame" else (frame,):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01 if mood == "torn_frame" else 0)


def crc(said: bytes) -> bytes:
    """The check of an RTU frame, bit by bit as the specification draws it."""
    check = 0xFFFF
    for byte in said:
        check ^= byte
        for _ in range(8):
            check = check >> 1 ^ 0xA001 if check & 1 else check >> 1
    return struct.pack("<H", check)


def _parsed(unit: int, body: bytes) -> Asked:
    function, address, count = body[0], *struct.unpack(">HH", body[1:5])
    if function in {5, 6}:
        return Asked(unit, function, address, 1, (count,), body)
    words: tuple[int, ...] = ()
    if function == 16:
        words = struct.unpack(f">{count}H", body[6:])
    if function == 15:
        words = tuple(body[6 + index // 8] >> index % 8 & 1 for index in range(count))
    return Asked(unit, function, address, count, words, body)


def _carried_out(unit: Unit, asked: Asked) -> bytes:
    if asked.function in READS:
        held = unit.table(READS[asked.function])
        wanted = range(asked.address, asked.address + asked.count)
        if any(address not in held for address in wanted):
            return bytes([asked.function | 0x80, 2])
        words = [held[address] for address in wanted]
        if asked.function in {1, 2}:
            packed = bytearray((len(words) + 7) // 8)
            for index, bit in enumerate(words):
                packed[index // 8] |= (bit & 1) << index % 8
            return bytes([asked.function, len(packed), *packed])
        return struct.pack(f">BB{len(words)}H", asked.function, 2 * len(words), *words)
    if asked.function not in WRITES:
        return bytes([asked.function | 0x80, 1])
    held = unit.table(WRITES[asked.function])
    for index, word in enumerate(asked.words):
        held[asked.address + index] = int(word == 0xFF00) if asked.function == 5 else word
    return asked.body[:5]


@contextlib.asynccontextmanager
async def plant(*units: int, framing: str = "tcp") -> AsyncIterator[Plant]:
    """A running server with empty units."""
    made = Plant(framing)
    for number in units or (1,):
        made.unit(number)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
