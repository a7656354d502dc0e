"""The guide, done: its file, its fleet row, `triage check`, and the device it describes recovered by its own means."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.integration.modbus_plant import Asked, Plant, plant
from tests.integration.outside.api import Api, steps
from tests.integration.outside.daemon import BRISK, CONFIG, Daemon, environment
from tests.parts import free_port

pytestmark = pytest.mark.integration

GUIDE = (CONFIG / "profiles" / "README.md").read_text(encoding="utf-8")
STATE, ERRORS, UPTIME, PASSWORD, COMMAND = 20, 21, 22, 9, 10
FREE, FAULTED, STARTING = 0, 5, 7
CONTROLLER_ERROR = 1 << 3
SPEED = 60.0
AWAY_S = 0.5


class Boxmeister:
    """The device of the guide's table. A restart takes it away for a moment, and cures its controller."""

    def __init__(self, made: Plant) -> None:
        self._unit = made.unit(1)
        self._unit.holding.update({0: 160, PASSWORD: 0, COMMAND: 0})
        self._unit.input.update(enumerate([0x426F, 0x786D, 0x6569, 0x7374, 0x6572, 0x2032, 0x3200, 0x0000, 0x0312]))
        self._unit.input.update(enumerate([2303, 2298, 2310, 0, 0, 0, 0, 0x3039, 0, 315, FREE, 0, 0, 0], 10))
        self._unit.before, self._unit.after = self._tick, self._obey
        self._started_s = time.monotonic() - 10_000 / SPEED
        self._open = False
        self.written: list[tuple[int, int]] = []

    def fail(self) -> None:
        self._unit.input.update({STATE: FAULTED, ERRORS: CONTROLLER_ERROR | 1 << 5})

    def _tick(self, _: Asked) -> None:
        """The running time, the low word first; this world runs as fast as the daemon's."""
        seconds = int((time.monotonic() - self._started_s) * SPEED)
        self._unit.input.update({UPTIME: seconds & 0xFFFF, UPTIME + 1: seconds >> 16})

    def _obey(self, asked: Asked) -> None:
        if not asked.writes:
            return
        self.written.append((asked.address, asked.words[0]))
        if asked.address == PASSWORD:
            self._open = asked.words == (4711,)
        elif asked.address == COMMAND and asked.words == (1,) and self._open:
            self._unit.mood = "drop"
            loop = asyncio.get_running_loop()
            loop.call_later(AWAY_S, self._start)
            loop.call_later(2 * AWAY_S, self._unit.input.update, {STATE: FREE})

    def _start(self) -> None:
        self._unit.mood, self._open = None, False
        self._started_s = time.monotonic()
        self._unit.input.update({STATE: STARTING, ERRORS: 1 << 5})


def settled(folder: Path, port: int, mode: str) -> Daemon:
    """A daemon whose profiles and fleet are what the guide says, the device's address apart."""
    profiles = folder / "profiles"
    shutil.copytree(CONFIG / "profiles", profiles)
    (text,) = re.findall(r"(?s)```yaml\n(profile: boxmeister_22.*?)```", GUIDE)
    (profiles / "boxmeister_22.yaml").write_text(text, encoding="utf-8")
    daemon = Daemon(
        folder,
        [],
        mqtt="embedded",
        mqtt_port=free_port(),
        speed=SPEED,
        policy={**BRISK, "mode": mode},
        changes={"profiles": str(profiles)},
    )
    (rows,) = re.findall(r"(?s)```csv\n(region,.*?)```", GUIDE)
    fleet = rows.replace("192.0.2.17", f"127.0.0.1:{port}").replace("north-field", "crew")
    (folder / "fleet.csv").write_text(fleet, encoding="utf-8")
    return daemon


async def checked(daemon: Daemon) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "triage", "check", "--config", str(daemon.config)),
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return out.decode()


async def test_a_device_brought_in_by_the_guide_is_recovered_by_its_own_means(tmp_path: Path) -> None:
    async with plant(1) as made:
        device = Boxmeister(made)
        daemon = settled(tmp_path, made.port, "live")
        assert (await checked(daemon)).endswith("all is well\n")
        await daemon.start()
        try:
            async with Api(daemon.url) as api:
                pile = await api.pile("B001", lambda shown: shown["connectors"], "heard")
                assert pile["connectors"][0]["status"]["value"] == "available"
                device.fail()
                incident = await api.closed("B001", "recovered_remotely")
        finally:
            await daemon.stop()
    assert incident["family"] == "internal"
    assert steps(incident)[-1] == ("reset_hard", "passed"), json.dumps(incident, indent=1)
    assert device.written == [(PASSWORD, 4711), (COMMAND, 1)]


async def test_in_shadow_everything_is_decided_and_nothing_is_written(tmp_path: Path) -> None:
    async with plant(1) as made:
        device = Boxmeister(made)
        daemon = settled(tmp_path, made.port, "shadow")
        await daemon.start()
        try:
            async with Api(daemon.url) as api:
                await api.pile("B001", lambda shown: shown["connectors"], "heard")
                device.fail()
                await api.incident("B001", lambda each: each["family"] == "internal", "opened")
                asked = len(made.asked)
                await made.until(lambda: len(made.asked) > asked + 10)
        finally:
            await daemon.stop()
    assert device.written == []
