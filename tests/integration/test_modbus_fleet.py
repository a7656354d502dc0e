"""The simulated fleet's Modbus side, read by a client that shares nothing with it."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient

from simulators.fleet import Fleet, Rates, build
from simulators.wire.field import Field, Wishes
from simulators.wire.modbus.layout import berthed
from simulators.wire.mqtt import Broker
from tests.integration.brokers import ROOT, Mosquitto, until
from tests.parts import free_ports, need

pytestmark = pytest.mark.integration
QUIET = Rates(fault_rate=0.0, sessions_per_day=0.0, tempers=False)
FREE: dict[str, tuple[str, int, list[int]]] = {
    "warp_charger": ("input", 1002, [0, 0]),
    "heidelberg_energy_control": ("input", 5, [2]),
    "abl_emh1": ("holding", 4, [161]),
    "keba_p30_p40": ("holding", 1000, [0, 1]),
    "vestel_evc04": ("input", 1004, [0]),
    "phoenix_charx": ("holding", 2299, [0x4100]),
    "victron_evcs": ("holding", 5015, [0]),
    "sungrow_ac011e": ("input", 21316, [1]),
    "alfen_eve": ("holding", 1201, [0x4100, 0, 0, 0, 0]),
}
"""Where each make tells its status, and what a free charger says there."""


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    need("mosquitto")
    server = Mosquitto(tmp_path / "broker")
    await server.start()
    yield server
    await server.stop()


@contextlib.asynccontextmanager
async def living(fleet: Fleet, broker: Mosquitto) -> AsyncIterator[Field]:
    field = Field(fleet, Wishes(broker=Broker(host="127.0.0.1", port=broker.port), speed=60.0))
    stop = asyncio.Event()
    task = asyncio.create_task(field.run(stop))
    try:
        yield field
    finally:
        stop.set()
        await task


@contextlib.asynccontextmanager
async def asking(endpoint: str) -> AsyncIterator[AsyncModbusTcpClient]:
    host, _, port = endpoint.rpartition(":")
    client = AsyncModbusTcpClient(host, port=int(port), timeout=2, retries=0, reconnect_delay=0.05)
    async with asyncio.timeout(20):
        while not await client.connect():
            await asyncio.sleep(0.05)
    yield client
    client.close()


async def read(client: AsyncModbusTcpClient, unit: int, table: str, address: int, count: int) -> list[int]:
    ask = client.read_input_registers if table == "input" else client.read_holding_registers
    answer = await ask(address, count=count, device_id=unit)
    assert not answer.isError(), answer
    return list(answer.registers)


@pytest.mark.parametrize("apart", [False, True])
async def test_every_make_is_read_at_the_place_the_fleet_file_names(broker: Mosquitto, *, apart: bool) -> None:
    fleet = berthed(build(12, 1, QUIET), free_ports(12), apart=apart)
    async with living(fleet, broker) as field:
        seen = {}
        for entry in fleet.entries:
            if entry.profile in FREE:
                table, address, words = FREE[entry.profile]
                assert entry.unit is not None
                async with asking(entry.endpoint) as client:
                    seen[entry.profile] = await read(client, entry.unit, table, address, len(words))
        assert seen == {profile: words for profile, (_, _, words) in FREE.items()}
        await until(lambda: field.account()["connections"] == 3, what="the other piles on their broker")
        assert field.account()["modbus"]["answers"] == 9


async def test_a_restart_by_the_magic_number_is_seen_in_the_uptime(broker: Mosquitto) -> None:
    fleet = berthed(build(12, 1, QUIET), free_ports(12), apart=True)
    warp = next(entry for entry in fleet.entries if entry.profile == "warp_charger")
    async with living(fleet, broker) as field:
        async with asking(warp.endpoint) as client:
            before = await read(client, 1, "input", 12, 2)
            assert (await client.write_registers(0, [0, 0], device_id=1)).exception_code == 3
            assert not (await client.write_registers(0, [0x012E, 0xB007], device_id=1)).isError()
            await until(lambda: len(field.berths[warp.nature.pile].pile.truth.boots) == 1, what="the restart")
        async with asking(warp.endpoint) as client:
            after = await read(client, 1, "input", 12, 2)
        assert after[0] * 65536 + after[1] < 60 < before[0] * 65536 + before[1]
        assert field.account()["resets"] == {"executed": 1, "unsafe": 0, "reckless": 0, "unsafe_list": []}


async def test_the_command_serves_what_its_fleet_file_says(broker: Mosquitto, tmp_path: Path) -> None:
    port = free_ports(12)
    file, account = tmp_path / "fleet.csv", tmp_path / "account.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulators", "fleet", "--broker", broker.url, "--piles", "12", "--for", "4"),
        *("--modbus-port", str(port), "--write-fleet", str(file), "--stats", str(account)),
        cwd=ROOT,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asking(f"127.0.0.1:{port}") as client:
            with file.open(encoding="utf-8") as text:
                row = next(row for row in csv.DictReader(text) if row["profile"] == "heidelberg_energy_control")
            assert row["endpoint"] == f"127.0.0.1:{port}"
            assert (await read(client, int(row["unit"]), "input", 4, 1)) == [0x0108]
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    told = json.loads(account.read_text(encoding="utf-8"))
    assert told["modbus"]["devices"] == 9
    assert told["modbus"]["requests"] == 1
