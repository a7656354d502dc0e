"""A TCP port at which simulated devices lie: one alone, or many by unit id as behind a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Self

from simulators.wire.modbus.protocol import Code, Refusal, answer, refused
from simulators.wire.modbus.troubles import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulators.wire.modbus.device import Device
    from simulators.wire.modbus.image import Table
    from simulators.wire.modbus.words import Words

HEAD = struct.Struct(">HHHB")
BEGIN = 3
"""So many bytes tell a serial line's ASCII frames from Modbus TCP, whose third byte is zero."""

HEX = b"0123456789ABCDEF"
LONGEST_PDU = 253
MOST_CONNECTIONS = 64
ENDS_WITHIN_S = 1.0


class Berthed(NamedTuple):
    """A device as its line knows it: at a gateway its own unit ids are hidden behind another one."""

    device: Device
    unit: int


class _Registers:
    """A device's registers at one moment."""

    def __init__(self, berthed: Berthed, now: float) -> None:
        self._device, self._unit = berthed
        self._now = now

    def read(self, table: Table, address: int, count: int) -> Words:
        return self._device.read(self._now, self._unit, table, address, count)

    def write(self, table: Table, address: int, words: Words) -> None:
        if not self._device.pile.reachable:
            raise Refusal(Code.FAILURE)
        self._device.write(self._now, self._unit, table, address, words)


class Quay:
    """One listening port. Use it as ``async with``; ``counts`` tells what came and what became of it."""

    def __init__(
        self, host: str, port: int, berths: Mapping[int, Berthed], now: Callable[[], float], *, gateway: bool = False
    ) -> None:
        """``now`` is the simulated time. A ``gateway`` answers for a device that is away, with exception 11."""
        self.counts: Counter[str] = Counter()
        self._host = host
        self._port = port
        self._berths = berths
        self._now = now
        self._gateway = gateway
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens; known after the start when 0 was asked for."""
        assert self._server is not None  # noqa: S101 - asked while it is open
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        self._server = await asyncio.start_server(self._serve, self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cut every connection, and listen no more."""
        assert self._server is not None  # noqa: S101 - entered before
        self._server.close()
        self.cut()
        served = [task for task in self._open.values() if task is not None]
        if served:
            await asyncio.wait(served, timeout=ENDS_WITHIN_S)

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        if len(self._open) >= MOST_CONNECTIONS or self._away():
            writer.transport.abort()
            return
        self._open[writer] = asyncio.current_task()
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._talk(reader, writer)
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    def _away(self) -> bool:
        """Whether the device that has this line alone is without power, link or controller."""
        return not self._gateway and not any(each.device.pile.reachable for each in self._berths.values())

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begin = await reader.readexactly(BEGIN)
        if begin[:1] == b":" and all(each in HEX for each in begin[1:]):
            await self._talk_ascii(begin, reader, writer)
        else:
            await self._talk_tcp(begin, reader, writer)

    async def _talk_tcp(self, begin: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = begin + await reader.readexactly(HEAD.size - len(begin))
            begin = b""
            transaction, protocol, length, unit = HEAD.unpack(head)
            if protocol != 0 or not 2 <= length <= LONGEST_PDU + 1:  # noqa: PLR2004 - unit and function at least
                self.counts["malformed"] += 1
                return
            request = await reader.readexactly(length - 1)
            self.counts["requests"] += 1
            reply = self._reply(unit, request)
            if reply is None:
                continue
            pdu, whole = reply
            frame = HEAD.pack(transaction, 0, len(pdu) + 1, unit) + pdu
            writer.write(frame if whole else frame[: len(frame) // 2])
            await writer.drain()
            if not whole:
                return

    async def _talk_ascii(self, begin: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Frames as they stand on a serial line, passed on by a gateway that does not translate."""
        while True:
            line = begin + await reader.readuntil(b"\n")
            begin = b""
            self.counts["requests"] += 1
            unit, request = _unwrapped(line)
            reply = self._reply(unit, request) if request else None
            if reply is None:
                self.counts["malformed"] += not request
                continue
            pdu, whole = reply
            frame = _wrapped(bytes([unit]) + pdu)
            writer.write(frame if whole else frame[: len(frame) // 2])
            await writer.drain()
            if not whole:
                return

    def _reply(self, unit: int, request: bytes) -> tuple[bytes, bool] | None:
        """The answer and whether it arrives whole; None is silence."""
        now = self._now()
        berthed = self._berths.get(unit)
        if berthed is None:
            self.counts["wrong_unit"] += 1
            return self._no_answer_behind(request)
        device = berthed.device
        device.pile.advance(now)
        if not device.pile.reachable:
            self.counts["away"] += 1
            if not self._gateway:
                self.cut()
                return None
            return self._no_answer_behind(request)
        troubles = device.troubles.now()
        if Trouble.STALL in troubles or device.pile.silent or not device.hears(now):
            self.counts["unanswered"] += 1
            return None
        if Trouble.BUSY in troubles or Trouble.LOST in troubles:
            self.counts["troubled"] += 1
            return refused(request[0], Code.BUSY if Trouble.BUSY in troubles else Code.NO_ANSWER_BEHIND), True
        pdu = answer(request, _Registers(berthed, now))
        self.counts["exceptions" if pdu[0] != request[0] else "answers"] += 1
        return pdu, Trouble.CUT not in troubles

    def _no_answer_behind(self, request: bytes) -> tuple[bytes, bool] | None:
        return (refused(request[0], Code.NO_ANSWER_BEHIND), True) if self._gateway else None


def _unwrapped(line: bytes) -> tuple[int, bytes]:
    """Unit and request of an ASCII frame; no request where its check sum is wrong."""
    try:
        data = bytes.fromhex(line.strip().lstrip(b":").decode("ascii"))
    except ValueError:
        return 0, b""
    return (data[0], data[1:-1]) if len(data) > BEGIN - 1 and sum(data) % 256 == 0 else (0, b"")


def _wrapped(data: bytes) -> bytes:
    check = -sum(data) % 256
    return b":" + data.hex().upper().encode() + b"%02X\r\n" % check
