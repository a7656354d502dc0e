"""The whole daemon in front of devices that refuse what they are told: once refused, the plan goes on at once."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modbus_plant import Asked, Plant, plant
from tests.integration.modbus_stand import action, fill, profile
from tests.integration.outside.api import Api, Shown, refused_by, steps
from tests.integration.outside.daemon import COLUMNS, Daemon
from tests.parts import free_port

pytestmark = pytest.mark.integration

KEY, RESET, RESTART = 420, 400, 421
REGISTERS = {
    "key": {"table": "holding", "address": KEY, "type": "u16", "access": "w", "read": "never"},
    "restart": {"table": "holding", "address": RESTART, "type": "u16", "access": "w", "read": "never"},
}
ACTIONS = {
    "reset_soft": action({"write": {"key": 7}}, {"write": {"reset": 1}, "again": False}),
    "reset_hard": action({"write": {"restart": 1}}),
}


def keyed(folder: Path) -> Path:
    """A folder with the profile of a device that wants its key before its command."""
    (folder / "profiles").mkdir()
    wanted = profile(registers=REGISTERS, actions=ACTIONS)
    document = wanted.model_dump(mode="json", by_alias=True, exclude_unset=True)
    (folder / "profiles" / "made_up.yaml").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return folder / "profiles"


def fleet(folder: Path, field: Plant) -> None:
    rows: list[dict[str, Any]] = [
        {"site": f"site-{unit}", "pile": f"pile-{unit}", "endpoint": f"127.0.0.1:{field.port}", "unit": unit}
        for unit in field.units
    ]
    shared = {"region": "north", "model": "X", "connectors": 1, "team": "crew", "profile": "made_up"}
    with (folder / "fleet.csv").open("w", encoding="utf-8", newline="") as file:
        written = csv.DictWriter(file, COLUMNS)
        written.writeheader()
        written.writerows(shared | row for row in rows)


async def recovered_by_hard_reset(api: Api, field: Plant, unit: int, *moods: int | None) -> tuple[Shown, list[int]]:
    """What became of a fault when the device answers its first writes with ``moods``, and every address written to."""
    device = field.unit(unit)
    device.write_moods.extend(moods)

    def restarts(asked: Asked) -> None:
        if asked.address == RESTART:
            fill(device.holding, error=0, uptime=1)

    device.after = restarts
    await api.pile(f"pile-{unit}", lambda shown: shown["state"] == "available", "well and heard by the daemon")
    fill(device.holding, state=9, error=7)
    incident = await api.closed(f"pile-{unit}", "recovered_remotely")
    return incident, [each.address for each in field.writes if each.unit == unit]


async def test_a_refusal_is_taken_for_one_and_the_plan_goes_on_at_once(tmp_path: Path) -> None:
    async with plant(1, 2) as field:
        for unit in field.units.values():
            fill(unit.holding)
        changes = {"profiles": str(keyed(tmp_path))}
        daemon = Daemon(tmp_path, [], mqtt="embedded", mqtt_port=free_port(), changes=changes)
        fleet(tmp_path, field)
        try:
            await daemon.start()
            async with Api(daemon.url) as api:
                key_refused, written = await recovered_by_hard_reset(api, field, 1, 3)
                assert written == [KEY, RESTART]
                reset_refused, written = await recovered_by_hard_reset(api, field, 2, None, 3)
                assert written == [KEY, RESET, RESTART]
            assert await daemon.stop() == 0, daemon.words()
        finally:
            daemon.kill()
    for incident, words in (
        (key_refused, "key: exception 3 (illegal value)"),
        (reset_refused, "reset: exception 3 (illegal value)"),
    ):
        assert steps(incident) == [("report", "failed"), ("reset_soft", "refused"), ("reset_hard", "passed")]
        assert not refused_by(incident, "second_look")  # nothing was taken for a command that never left
        assert [line["text"] for line in incident["timeline"] if words in line["text"]], words
