"""Modbus TCP on a socket, spoken to with bytes put together by hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from simulators.wire.modbus.device import Device
from simulators.wire.modbus.makes.abl import Abl
from simulators.wire.modbus.makes.heidelberg import Heidelberg
from simulators.wire.modbus.makes.warp import Warp
from simulators.wire.modbus.quay import Berthed, Quay
from simulators.wire.modbus.troubles import Trouble
from tests.unit.simulators.bench import START
from tests.unit.simulators.modbus_bench import device

PATIENCE_S = 5.0


class Line:
    """A connection that sends and expects bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: str, answer: str) -> None:
        self._writer.write(bytes.fromhex(request))
        expected = bytes.fromhex(answer)
        async with asyncio.timeout(PATIENCE_S):
            assert (await self._reader.readexactly(len(expected))).hex(" ") == expected.hex(" ")

    async def say(self, request: str) -> None:
        self._writer.write(bytes.fromhex(request))

    async def rest(self) -> bytes:
        """What comes until the other side hangs up."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                return await self._reader.read()
            return b""


@contextlib.asynccontextmanager
async def line(quay: Quay) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", quay.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def quay(*devices: Device, gateway: bool = False, at: float = START) -> AsyncIterator[Quay]:
    berths = {unit: Berthed(each, each.own_unit) for unit, each in enumerate(devices, 1)}
    async with Quay("127.0.0.1", 0, berths, lambda: at, gateway=gateway) as found:
        yield found


async def test_registers_are_read_by_both_functions() -> None:
    abl = device(Abl)
    async with quay(abl) as found, line(found) as line_:
        await line_.ask("0001 0000 0006 01 03 0004 0001", "0001 0000 0005 01 03 02 00a1")
        await line_.ask("beef 0000 0006 01 04 0004 0001", "beef 0000 0003 01 84 02")


async def test_coils_are_read_and_written() -> None:
    warp = device(Warp)
    async with quay(warp) as found, line(found) as line_:
        await line_.ask("0001 0000 0006 01 01 03e8 0001", "0001 0000 0004 01 01 01 01")
        await line_.ask("0002 0000 0006 01 05 03e8 0000", "0002 0000 0006 01 05 03e8 0000")
        await line_.ask("0003 0000 0006 01 01 03e8 0001", "0003 0000 0004 01 01 01 00")
        await line_.ask("0004 0000 0008 01 0f 03e8 0001 01 01", "0004 0000 0006 01 0f 03e8 0001")
        await line_.ask("0005 0000 0006 01 05 03e8 1234", "0005 0000 0003 01 85 03")


async def test_one_and_several_registers_are_written() -> None:
    box, warp = device(Heidelberg), device(Warp)
    async with quay(box, warp) as found, line(found) as line_:
        await line_.ask("0001 0000 0006 01 06 0102 0004", "0001 0000 0006 01 06 0102 0004")
        await line_.ask("0002 0000 000b 02 10 0000 0002 04 012e b007", "0002 0000 0006 02 10 0000 0002")
        await line_.ask("0003 0000 000b 02 10 0000 0002 04 0000 0000", "0003 0000 0003 02 90 03")
    assert box.kept[258] == 4
    assert [(each.words, each.taken) for each in warp.writes] == [((0x012E, 0xB007), True), ((0, 0), False)]
    assert len(warp.pile.truth.resets) == 1


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("2b 0e 01 00", 1),
        ("03 0004 0000", 3),
        ("03 0004 007e", 3),
        ("03 0004", 3),
        ("03 ffff 0002", 2),
        ("10 0005 0001 04 e0e0", 3),
        ("06 0001 0000", 2),
    ],
)
async def test_what_is_asked_wrongly_is_answered_with_an_exception(request_: str, code: int) -> None:
    pdu = bytes.fromhex(request_)
    async with quay(device(Abl)) as found, line(found) as line_:
        head = f"0007 0000 {len(pdu) + 1:04x} 01 "
        await line_.ask(head + pdu.hex(), f"0007 0000 0003 01 {pdu[0] | 0x80:02x} {code:02x}")


async def test_another_protocol_is_hung_up_on() -> None:
    async with quay(device(Abl)) as found, line(found) as line_:
        await line_.say("0001 0001 0006 01 03 0004 0001")
        assert await line_.rest() == b""
        assert found.counts["malformed"] == 1


async def test_an_unknown_unit_is_silence_or_the_gateways_exception() -> None:
    async with quay(device(Abl)) as found, line(found) as line_:
        await line_.say("0001 0000 0006 07 03 0004 0001")
        await line_.ask("0002 0000 0006 01 03 0004 0001", "0002 0000 0005 01 03 02 00a1")
        assert found.counts["wrong_unit"] == 1
    async with quay(device(Abl), gateway=True) as found, line(found) as line_:
        await line_.ask("0001 0000 0006 07 03 0004 0001", "0001 0000 0003 07 83 0b")


@pytest.mark.parametrize(("trouble", "code"), [(Trouble.BUSY, 6), (Trouble.LOST, 11)])
async def test_a_troubled_device_answers_with_its_exception(trouble: Trouble, code: int) -> None:
    abl = device(Abl)
    abl.troubles.add(trouble)
    async with quay(abl) as found, line(found) as line_:
        await line_.ask("0001 0000 0006 01 03 0004 0001", f"0001 0000 0003 01 83 {code:02x}")


async def test_a_stalled_device_says_nothing_and_its_neighbours_go_on() -> None:
    stalled, sound = device(Abl), device(Abl)
    stalled.troubles.add(Trouble.STALL)
    async with quay(stalled, sound, gateway=True) as found, line(found) as line_:
        await line_.say("0001 0000 0006 01 03 0004 0001")
        await line_.ask("0002 0000 0006 02 03 0004 0001", "0002 0000 0005 02 03 02 00a1")
        stalled.troubles.clear()
        await line_.ask("0003 0000 0006 01 03 0004 0001", "0003 0000 0005 01 03 02 00a1")


async def test_a_cut_leaves_half_an_answer() -> None:
    abl = device(Abl)
    abl.troubles.add(Trouble.CUT)
    async with quay(abl) as found, line(found) as line_:
        await line_.say("0001 0000 0006 01 03 0004 0001")
        assert await line_.rest() == bytes.fromhex("0001 0000 00")


async def test_a_device_without_power_hangs_up_alone_and_is_lost_behind_a_gateway() -> None:
    abl = device(Abl)
    async with quay(abl) as found, line(found) as line_:
        abl.pile.power(START, on=False)
        await line_.say("0001 0000 0006 01 03 0004 0001")
        assert await line_.rest() == b""
        async with line(found) as again:
            assert await again.rest() == b""
    async with quay(abl, device(Warp), gateway=True) as found, line(found) as line_:
        await line_.ask("0001 0000 0006 01 03 0004 0001", "0001 0000 0003 01 83 0b")


async def test_a_hung_application_takes_requests_and_answers_none() -> None:
    abl = device(Abl)
    abl.pile.inject(START, "application_hung")
    async with quay(abl) as found, line(found) as line_:
        await line_.say("0001 0000 0006 01 03 0004 0001")
        await line_.say("0002 0001 0006 01 03 0004 0001")  # only this, which is no Modbus, ends the line
        assert await line_.rest() == b""
        assert found.counts["unanswered"] == 1


async def test_ascii_frames_of_a_serial_line_are_understood_too() -> None:
    abl = device(Abl)
    async with quay(abl) as found, line(found) as line_:
        # LRC by hand: 01+03+00+04+00+01 = 09, and F7 makes it 0; 01+03+02+00+A1 = A7, and 59 does.
        await line_.ask(b":010300040001F7\r\n".hex(), b":01030200A159\r\n".hex())
        await line_.say(b":010300040001F8\r\n".hex())  # a wrong check sum is silence
        await line_.ask(b":010600050000F4\r\n".hex(), b":01860376\r\n".hex())
        assert found.counts["malformed"] == 1


async def test_a_cut_leaves_half_an_ascii_frame() -> None:
    abl = device(Abl)
    abl.troubles.add(Trouble.CUT)
    async with quay(abl) as found, line(found) as line_:
        await line_.say(b":010300040001F7\r\n".hex())
        assert await line_.rest() == b":010302"
