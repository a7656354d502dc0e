"""From settings to parts: what is refused at start, what a reload takes over, and who may use a database."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

import pytest

from triage.clock import SteadyClock
from triage.config.settings import load_settings
from triage.daemon import HostLock, Reloading, broker_folder, load_files, make_app, make_desks, reload
from triage.desks.local import LocalDesk
from triage.desks.webhook import WebhookDesk
from triage.errors import InputError, StoreRefusedError

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    return folder


def mend(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_what_is_shipped_starts(folder: Path) -> None:
    settings = load_settings(folder / "triage.yaml", {})
    app = make_app(settings, SteadyClock(), "mqtt://127.0.0.1:1")
    assert app.engine.state.piles == {}
    assert len(app.parts.rules.plans.plans) > 10
    assert {each.pile for each in app.parts.registrations} >= {"P0001"}
    assert app.health()["database"] == "ok"


def test_a_plan_that_names_no_known_fault_is_refused(folder: Path) -> None:
    mend(folder / "plans" / "cable-check.yaml", "CableCheckFault", "NobodyKnowsThis")
    with pytest.raises(InputError, match="NobodyKnowsThis"):
        load_files(load_settings(folder / "triage.yaml", {}))


def test_a_pile_of_a_team_nobody_knows_is_refused(folder: Path) -> None:
    mend(folder / "fleet.csv", "south-field", "nobody")
    with pytest.raises(InputError, match="nobody"):
        load_files(load_settings(folder / "triage.yaml", {}))


def test_desks_are_made_as_the_settings_say(folder: Path) -> None:
    mend(
        folder / "triage.yaml",
        "  - kind: local\n",
        "  - kind: local\n  - kind: webhook\n    name: own\n    url: https://desk.example/orders\n"
        "    secret_file: desk.key\n",
    )
    (folder / "desk.key").write_text("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", encoding="utf-8")
    desks = make_desks(load_settings(folder / "triage.yaml", {}))
    assert isinstance(desks["local"], LocalDesk)
    assert isinstance(desks["own"], WebhookDesk)


def test_a_reload_takes_over_new_plans_and_piles(folder: Path) -> None:
    app = make_app(load_settings(folder / "triage.yaml", {}), SteadyClock(), "mqtt://127.0.0.1:1")
    fleet = folder / "fleet.csv"
    fleet.write_text(fleet.read_text(encoding="utf-8") + "south,harbour,P0099,pile/v1,AC-7,1\n", encoding="utf-8")
    plan = folder / "plans" / "generic.yaml"
    mend(plan, "version: 1", "version: 2")
    reload(app, folder / "triage.yaml", {})
    assert "P0099" in app.engine.state.piles
    generic = app.engine.rules.plans.named("generic")
    assert generic is not None
    assert generic.version == 2
    assert generic.sha256 == hashlib.sha256(plan.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("plans/generic.yaml", "action: reset_soft", "action: self_destruct"),
        ("triage.yaml", "mode: shadow", "mode: yolo"),
        ("fleet.csv", "P0002", "P0001"),
        ("triage.yaml", "policy:", "polizy:"),
    ],
)
def test_a_bad_file_is_refused_and_the_old_one_stays(folder: Path, file: str, old: str, new: str) -> None:
    app = make_app(load_settings(folder / "triage.yaml", {}), SteadyClock(), "mqtt://127.0.0.1:1")
    before = app.engine.rules
    mend(folder / file, old, new)
    reload(app, folder / "triage.yaml", {})
    assert app.engine.rules is before


def test_one_daemon_a_database_on_this_host(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'triage.db'}"
    with HostLock(url):
        with pytest.raises(StoreRefusedError, match="another daemon"), HostLock(url):
            pass
        with HostLock(f"sqlite:///{tmp_path / 'other.db'}"):
            pass
    with HostLock(url):
        pass


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreRefusedError, match="cannot be written"),
        HostLock(f"sqlite:///{tmp_path}/no/such/triage.db"),
    ):
        pass


def test_the_brokers_folder_lies_beside_the_database(folder: Path) -> None:
    mend(folder / "triage.yaml", "sqlite:///triage.db", "sqlite:////var/lib/x/triage.db")
    assert broker_folder(load_settings(folder / "triage.yaml", {})) == Path("/var/lib/x/triage.db.broker")


async def test_a_reload_reads_beside_the_loop_and_several_wishes_make_one(folder: Path) -> None:
    app = make_app(load_settings(folder / "triage.yaml", {}), SteadyClock(), "mqtt://127.0.0.1:1")
    reloading = Reloading(app, folder / "triage.yaml", {})
    fleet = folder / "fleet.csv"
    text = fleet.read_text(encoding="utf-8")
    fleet.write_text(text + "".join(f"south,harbour,N{n},pile/v1,AC-7,1\n" for n in range(20_000)), encoding="utf-8")
    async with reloading.turn:
        reloading.wanted()
        await asyncio.sleep(0.05)
        assert "N1" not in app.engine.state.piles, "who has the turn is not disturbed"
    reloading.wanted()
    ticks = 0
    while "N1" not in app.engine.state.piles:
        await asyncio.sleep(0.001)
        ticks += 1
    assert ticks > 20, "the loop stood still"
    fleet.write_text(text + "south,harbour\n", encoding="utf-8")
    reloading.wanted()
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "reload"))
    assert "N1" in app.engine.state.piles
    await reloading.stop()
