"""Power cycles from outside: a smart plug and a relay board feed piles, and both switchings are seen.

The plug is an MQTT client that knows Tasmota's topics alone; relay board and charger are registers of an independent C
server. The charger is of a make nobody has heard of: one YAML file brings it in.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from tests.integration.modbus.libmodbus import Server, Written, build
from tests.integration.outside.api import Api, steps
from tests.integration.outside.daemon import COLUMNS, CONFIG, Daemon
from tests.integration.outside.pile import ScriptedPile
from tests.integration.outside.stage import shipped_mosquitto

pytestmark = pytest.mark.integration

BOX = """\
profile: box
title: {en: Box, zh: 盒式充电桩}
vendor: Somebody
models: [Box]
sources: [the maker's register table]
verified: on one device
unverified: [what register 12 counts]
modbus:
  poll_s: 5
  registers:
    model: {table: holding, address: 0, type: u16, read: start}
    state: {table: holding, address: 1, type: u16}
    error: {table: holding, address: 2, type: u16}
    current: {table: holding, address: 3, type: u16, scale: 0.1, unit: A}
    uptime: {table: holding, address: 4, type: u32, unit: s}
status:
  - from: state
    map: {0: available, 1: suspended_ev, 2: charging, 9: faulted}
faults:
  - from: error
    codes: {21: {is: InternalError, text: controller}}
readings: {current_a: current}
identity:
  expect: [{model: 77}]
boot: {uptime: uptime}
"""


class Plug:
    """A smart plug with Tasmota's topics, and what hangs on it."""

    def __init__(self, port: int, *behind: ScriptedPile) -> None:
        self._port = port
        self._behind = behind
        self.on = True
        self.power_w = 3.0
        self.commands: list[tuple[str, str]] = []

    @contextlib.asynccontextmanager
    async def plugged(self) -> AsyncIterator[None]:
        will = aiomqtt.Will("tele/plug7/LWT", "Offline", qos=1, retain=True)
        async with aiomqtt.Client("127.0.0.1", self._port, identifier="plug7", will=will) as client:
            await client.subscribe("cmnd/plug7/+", qos=1)
            await client.publish("tele/plug7/LWT", "Online", qos=1, retain=True)
            living = asyncio.create_task(self._live(client))
            try:
                yield
            finally:
                living.cancel()
                await asyncio.wait([living])

    async def _live(self, client: aiomqtt.Client) -> None:
        await self._tell(client)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            assert not message.retain
            name, words = str(message.topic).rsplit("/", 1)[-1], message.payload.decode()
            if name == "TelePeriod":
                await self._tell(client)
                continue
            self.commands.append((name, words))
            if name == "Backlog":
                await self._switch(client, on=False)
                await asyncio.sleep(0.5)
                await self._switch(client, on=True)
            elif name == "Power1":
                await self._switch(client, on=words == "ON")

    async def _tell(self, client: aiomqtt.Client) -> None:
        await client.publish("tele/plug7/STATE", json.dumps({"POWER1": "ON" if self.on else "OFF"}))
        await client.publish("tele/plug7/SENSOR", json.dumps({"ENERGY": {"Power": self.power_w, "Current": 0.01}}))

    async def _switch(self, client: aiomqtt.Client, *, on: bool) -> None:
        if on is not self.on:
            self.on = on
            for pile in self._behind:
                pile.regain_power() if on else pile.lose_power()
        await client.publish("stat/plug7/RESULT", json.dumps({"POWER1": "ON" if on else "OFF"}))


def rows(folder: Path, *fleet: dict[str, Any]) -> None:
    columns = (*COLUMNS, "power_switch")
    plain = {"region": "north", "profile": "pile/v1", "model": "AC-7", "connectors": 1, "team": "crew"}
    with (folder / "fleet.csv").open("w", encoding="utf-8", newline="") as file:
        written = csv.DictWriter(file, columns)
        written.writeheader()
        written.writerows(plain | row for row in fleet)


@contextlib.asynccontextmanager
async def serving(daemon: Daemon) -> AsyncIterator[Api]:
    try:
        await daemon.start()
        async with Api(daemon.url) as api:
            yield api
        assert await daemon.stop() == 0, daemon.words()
    finally:
        daemon.kill()


async def test_a_smart_plug_cycles_a_pile_that_nothing_else_restarts(tmp_path: Path) -> None:
    switch = "tasmota_switch@plug7#1"
    with shipped_mosquitto(tmp_path / "mosquitto") as port:
        daemon = Daemon(tmp_path, [], mqtt=f"mqtt://127.0.0.1:{port}")
        rows(tmp_path, *({"site": "S1", "pile": pile, "power_switch": switch} for pile in ("P1", "P2")))
        first, second = (ScriptedPile(port, "S1", pile, speed=daemon.speed) for pile in ("P1", "P2"))
        plug = Plug(port, first, second)
        async with plug.plugged(), serving(daemon) as api, first, second:
            for pile in ("P1", "P2"):
                await api.pile(pile, lambda shown: shown["seen_since_start"], "heard by the daemon")
            second.plug_in("s-1")
            await api.pile("P2", lambda shown: shown["state"] == "in_use", "charging")
            wish = {"action": "power_cycle", "connector": 0, "reason": "its modem is hung"}
            refused = await api.post("/piles/P1/commands", wish)
            assert refused.status_code == 409
            assert "P2 has its power from the same switch" in refused.json()["detail"]
            assert plug.commands == []

            second.unplug()
            await api.pile("P2", lambda shown: shown["state"] == "available", "free")
            async with asyncio.timeout(20):  # until it has settled after its first boot
                while (taken := await api.post("/piles/P1/commands", wish)).status_code == 409:
                    assert "firmware" in taken.text, taken.text
                    await asyncio.sleep(0.1)
            assert taken.status_code == 202, taken.text
            incident = await api.incident(
                "P1", lambda shown: shown["attempts"] and shown["attempts"][-1]["result"] is not None, "judged"
            )
            (attempt,) = incident["attempts"]
            assert (attempt["action"], attempt["result"]) == ("power_cycle", "passed"), attempt
            assert "boot" in {seen["kind"] for seen in attempt["evidence"]}
            assert [name for name, _ in plug.commands] == ["Backlog"]
            assert (first.boots, second.boots) == (1, 1)
            assert first.commands == []


class Cabinet:
    """A charger and the relay that feeds it, both on one independent server: unit 1 and unit 2."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.chores: set[asyncio.Task[None]] = set()
        server.reactions.append(self._react)

    async def stand(self) -> None:
        await self.server.set(1, "holding", {0: [77, 0, 0, 0, 1, 34464]})
        await self.server.set(2, "coil", {0: 1})

    async def breaks(self) -> None:
        await self.server.set(1, "holding", {1: 9, 2: 21})

    def _react(self, write: Written) -> None:
        if (write.unit, write.table, write.address, write.words) == (2, "coil", 0, (1,)):
            chore = asyncio.create_task(self.server.set(1, "holding", {1: [0, 0, 0, 0, 5]}))
            self.chores.add(chore)


async def test_a_relay_board_restarts_a_make_that_one_file_brought_in(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles"
    shutil.copytree(CONFIG / "profiles", profiles)
    (profiles / "box.yaml").write_text(BOX, encoding="utf-8")
    with shipped_mosquitto(tmp_path / "mosquitto") as port:
        async with Server(build("server", tmp_path)) as server:
            cabinet = Cabinet(server)
            await cabinet.stand()
            settings = {"profiles": str(profiles)}
            daemon = Daemon(tmp_path, [], mqtt=f"mqtt://127.0.0.1:{port}", changes=settings, speed=60)
            feed = {"power_switch": f"modbus_relay@{server.endpoint}/2#1"}
            box = {"site": "S1", "pile": "B1", "profile": "box", "endpoint": server.endpoint, "unit": 1}
            rows(tmp_path, box | feed)
            async with serving(daemon) as api:
                shown = await api.pile("B1", lambda shown: shown["state"] == "available", "heard by the daemon")
                assert shown["dialect"]["unverified"] == ["what register 12 counts"]
                await cabinet.breaks()
                incident = await api.closed("B1", "recovered_remotely")
            assert steps(incident) == [("report", "failed"), ("power_cycle", "passed")]
            assert server.written("coil", 0, 2) == [(0,), (1,)]
            assert server.written("holding", 1, 1) == []
            texts = " ".join(line["text"] for line in incident["timeline"])
            assert "reset-soft skipped: a pile of profile box has no reset_soft" in texts
