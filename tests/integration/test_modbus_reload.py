"""A fleet that changes while the daemon runs: SIGHUP brings in the first Modbus pile, and its profile."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from tests.integration.brokers import until
from tests.integration.modbus.libmodbus import Server, build
from tests.integration.outside.daemon import CONFIG, Daemon
from tests.integration.outside.stage import shipped_mosquitto
from tests.integration.test_power_outside import BOX, rows, serving

pytestmark = pytest.mark.integration


async def test_the_first_modbus_pile_comes_in_by_a_reload_and_goes_by_another(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles"
    shutil.copytree(CONFIG / "profiles", profiles)
    with shipped_mosquitto(tmp_path / "mosquitto") as port:
        async with Server(build("server", tmp_path)) as server:
            await server.set(1, "holding", {0: [77, 0, 0, 0, 0, 500]})
            settings = {"profiles": str(profiles)}
            daemon = Daemon(tmp_path, [("S1", "P1")], mqtt=f"mqtt://127.0.0.1:{port}", changes=settings)
            native = {"site": "S1", "pile": "P1"}
            box = {"site": "S1", "pile": "B1", "profile": "box", "endpoint": server.endpoint, "unit": 1}
            async with serving(daemon) as api:
                rows(tmp_path, native, box)
                daemon.send(signal.SIGHUP)  # nobody knows the profile yet: refused, and the old files stay
                await until(
                    lambda: any("no profile is called 'box'" in str(line.get("fault")) for line in daemon.said())
                )
                (profiles / "box.yaml").write_text(BOX, encoding="utf-8")
                daemon.send(signal.SIGHUP)
                shown = await api.pile_there("B1", lambda shown: shown["state"] == "available", "read over Modbus")
                assert shown["dialect"]["driver"] == "modbus"
                ready = (await api.http.get(f"{daemon.url}/readyz")).json()
                assert ready["parts"]["driver modbus"] == "ok", ready

                rows(tmp_path, native)
                daemon.send(signal.SIGHUP)
                await api.gone("B1")
