"""The independent server itself: another client reads from it what was set, and it forgets no write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient

from tests.integration.brokers import until
from tests.integration.modbus.libmodbus import Server, Written, build

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("server", tmp_path_factory.mktemp("libmodbus"))


@pytest.fixture
async def server(program: Path) -> AsyncIterator[Server]:
    async with Server(program) as found:
        yield found


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncModbusTcpClient]:
    found = AsyncModbusTcpClient("127.0.0.1", port=server.port, timeout=1, retries=0, reconnect_delay=0)
    assert await found.connect()
    yield found
    found.close()


async def test_words_are_read_from_their_table_and_unit(server: Server, client: AsyncModbusTcpClient) -> None:
    await server.set(1, "holding", {100: [1, 2, 65535], 0x200: 7})
    await server.set(9, "input", {100: [4]})
    await server.set(9, "coil", {5: [1, 0, 1]})
    await server.set(9, "discrete", {6: 1})
    assert (await client.read_holding_registers(100, count=3, device_id=1)).registers == [1, 2, 65535]
    assert (await client.read_holding_registers(0x200, count=1, device_id=1)).registers == [7]
    assert (await client.read_input_registers(100, count=1, device_id=9)).registers == [4]
    assert (await client.read_coils(5, count=3, device_id=9)).bits[:3] == [True, False, True]
    assert (await client.read_discrete_inputs(6, count=1, device_id=9)).bits[:1] == [True]


async def test_words_that_were_never_set_do_not_exist(server: Server, client: AsyncModbusTcpClient) -> None:
    await server.set(1, "holding", {100: [1, 2]})
    assert (await client.read_holding_registers(100, count=3, device_id=1)).exception_code == 2
    assert (await client.read_input_registers(100, count=1, device_id=1)).exception_code == 2
    assert (await client.write_register(99, 1, device_id=1)).exception_code == 2


async def test_every_write_is_told_before_it_is_answered(server: Server, client: AsyncModbusTcpClient) -> None:
    await server.set(1, "holding", {0: [0, 0, 0]})
    await server.set(1, "coil", {10: [0] * 10})
    await server.command("lock 1 holding 2")
    await client.write_registers(0, [0x012E, 0xB007], device_id=1)
    await client.write_register(1, 5, device_id=1)
    await client.write_coil(10, True, device_id=1)
    await client.write_coils(10, [True, False] * 5, device_id=1)
    assert (await client.write_register(2, 5, device_id=1)).exception_code == 3
    await until(lambda: len(server.writes) == 5, what="five writes")
    assert server.writes == [
        Written(1, "holding", 0, (302, 45063)),
        Written(1, "holding", 1, (5,)),
        Written(1, "coil", 10, (1,)),
        Written(1, "coil", 10, (1, 0, 1, 0, 1, 0, 1, 0, 1, 0)),
        Written(1, "holding", 2, (5,)),
    ]
    assert (await client.read_holding_registers(0, count=3, device_id=1)).registers == [302, 5, 0]


async def test_it_can_fail_stall_and_cut(server: Server, client: AsyncModbusTcpClient) -> None:
    await server.set(1, "holding", {0: 1})
    await server.command("fail 1 6")
    assert (await client.read_holding_registers(0, count=1, device_id=1)).exception_code == 6
    await server.command("fail 1 0")
    await server.set(2, "holding", {0: 2})
    await server.command("stall 1 1")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(bytes.fromhex("0001 0000 0006 01 03 0000 0001 0002 0000 0006 02 03 0000 0001"))
    answer = bytes.fromhex("0002 0000 0005 02 03 02 0002")
    async with asyncio.timeout(5):
        assert await reader.readexactly(len(answer)) == answer
        await server.command("cut")
        assert await reader.read() == b""
    writer.close()


async def test_a_bad_command_is_called_bad(server: Server) -> None:
    with pytest.raises(AssertionError, match="bad"):
        await server.command("set 1 nonsense 0 1")
