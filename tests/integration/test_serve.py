"""The daemon as a process: starting, refusing to start, reloading, stopping, dying, and starting again."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.integration.outside.api import Api, refused_by, steps
from tests.integration.outside.daemon import BRISK, CONFIG, Daemon
from tests.integration.outside.pile import ScriptedPile, Temper
from tests.integration.outside.stage import KINDS, shipped_mosquitto
from tests.parts import free_port

pytestmark = pytest.mark.integration

PILES = [("S1", "P1"), ("S1", "P2"), ("S2", "P3")]


class Setting:
    """A daemon that a test starts, kills and starts again, on either broker."""

    def __init__(self, daemon: Daemon, broker_port: int) -> None:
        self.daemon = daemon
        self.broker_port = broker_port

    def pile(self, site: str, pile: str, temper: Temper = Temper.CURED) -> ScriptedPile:
        return ScriptedPile(self.broker_port, site, pile, speed=self.daemon.speed, temper=temper)


@pytest.fixture(params=KINDS)
async def setting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Setting]:
    if request.param == "embedded":
        port = free_port()
        daemon = Daemon(tmp_path, PILES, mqtt="embedded", mqtt_port=port)
        yield Setting(daemon, port)
        daemon.kill()
        return
    with shipped_mosquitto(tmp_path / "mosquitto") as port:
        daemon = Daemon(tmp_path, PILES, mqtt=f"mqtt://127.0.0.1:{port}")
        yield Setting(daemon, port)
        daemon.kill()


@pytest.fixture
async def lone(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon whose broker is not there: everything about the process can be seen without one."""
    daemon = Daemon(tmp_path, PILES, mqtt="embedded", mqtt_port=free_port())
    yield daemon
    daemon.kill()


# Death and another life -----------------------------------------------------------------------------------------------


async def test_killed_daemon_is_ready_again_within_five_seconds_and_has_lost_nothing(setting: Setting) -> None:
    daemon = setting.daemon
    first = await daemon.start()
    async with Api(daemon.url) as api, setting.pile("S2", "P3") as pile:
        pile.breaks("GroundFailure")
        order = await api.order("P3", lambda each: True, "issued")
        complaint = await api.complain("P3", "does not charge", "key-1")
    daemon.kill()
    again = await daemon.start()
    print(
        f"ready after {first.wall_s:.2f} s; after kill -9 {again.wall_s:.2f} s, of which {again.queued_s:.2f} s queued"
    )
    assert again.wall_s < 5
    async with Api(daemon.url) as api:
        assert (await api.get(f"/complaints/{complaint['number']}"))["incident"] == order["incident"]
        assert [each["id"] for each in await api.orders("P3")] == [order["id"]]
        body = {"channel": "app", "pile": "P3", "text": "does not charge"}
        repeat = await api.post("/complaints", body, "key-1")
        assert (repeat.status_code, repeat.json()) == (200, complaint)


async def test_session_unknown_after_a_restart_refuses_the_reset(setting: Setting) -> None:
    daemon = setting.daemon
    await daemon.start()
    async with setting.pile("S1", "P1") as pile, Api(daemon.url) as api:
        pile.plug_in("tx-1")
        pile.faults = [{"code": "InternalError", "connector": 1, "info": ""}]
        held = await api.in_state("P1", "held")
        daemon.kill()
        pile.tells_session = False
        pile.session, pile.status = None, "faulted"
        await daemon.start()
        unknown = await api.incident(
            "P1",
            lambda each: any("unknown" in refusal["reason"] for refusal in refused_by(each, "session")),
            "refused because the session is unknown",
        )
        assert unknown["id"] == held["id"]
        target = pile.sent + 10
        while pile.sent < target:
            await asyncio.sleep(0.02)
        assert pile.resets == []
        pile.tells_session = True
        closed = await api.closed("P1", "recovered_remotely")
        assert closed["id"] == held["id"]


async def test_kill_while_a_reset_is_under_way_never_sends_it_again(setting: Setting) -> None:
    daemon = setting.daemon
    await daemon.start()
    async with setting.pile("S1", "P1", Temper.IDLE) as pile, Api(daemon.url) as api:
        pile.remembers = False
        pile.breaks("InternalError")
        async with asyncio.timeout(30):
            while not pile.resets:
                await asyncio.sleep(0.002)
        daemon.kill()
        await daemon.start()
        incident = await api.incident(
            "P1",
            lambda each: any(name == "reset_soft" and result for name, result in steps(each)),
            "the first reset concluded",
        )
        soft = [each for each in pile.resets if each.action == "reset_soft"]
        assert len({each.id for each in soft}) == len(soft) == 1
        assert ("reset_soft", "passed") not in steps(incident)


# Reloading ------------------------------------------------------------------------------------------------------------


def own_plans(daemon: Daemon) -> Path:
    """Give the daemon a copy of the plans that a test may spoil."""
    plans = daemon.folder / "plans"
    shutil.copytree(CONFIG / "plans", plans)
    daemon.settings["plans"] = str(plans)
    daemon.config.write_text(yaml.safe_dump(daemon.settings), encoding="utf-8")
    return plans


async def said(daemon: Daemon, what: str) -> dict[str, object]:
    """Wait for a line of the log with the event ``what``."""
    until_s = time.monotonic() + 10
    while True:
        for line in daemon.said():
            if line.get("event") == what:
                return line
        assert time.monotonic() < until_s, f"never said {what!r}:\n{daemon.words()}"
        await asyncio.sleep(0.02)


async def test_reload_with_a_broken_plan_keeps_the_old_ones_and_names_file_and_line(lone: Daemon) -> None:
    plan = own_plans(lone) / "internal-error.yaml"
    await lone.start()
    async with Api(lone.url) as api:
        before = await api.get("/plans")
        lines = plan.read_text(encoding="utf-8").splitlines()
        number = next(index for index, line in enumerate(lines) if "action: reset_soft" in line)
        lines[number] = lines[number].replace("reset_soft", "reset_somehow")
        plan.write_text("\n".join(lines) + "\n", encoding="utf-8")
        lone.send(signal.SIGHUP)
        line = await said(lone, "reload refused; the old files stay in force")
        assert f"internal-error.yaml:{number + 1}" in str(line["fault"])
        assert "reset_somehow" in str(line["fault"])
        assert await api.get("/plans") == before


async def test_reload_takes_a_good_plan_over(lone: Daemon) -> None:
    plan = own_plans(lone) / "internal-error.yaml"
    await lone.start()
    async with Api(lone.url) as api:
        text = plan.read_text(encoding="utf-8")
        plan.write_text(text.replace("version: 1", "version: 2"), encoding="utf-8")
        lone.send(signal.SIGHUP)
        await said(lone, "reloaded")
        versions = {each["name"]: each["version"] for each in (await api.get("/plans"))["items"]}
        assert versions["internal-error"] == 2


# Stopping -------------------------------------------------------------------------------------------------------------


async def test_sigterm_ends_it_quickly_even_with_an_open_stream(setting: Setting) -> None:
    daemon = setting.daemon
    await daemon.start()
    async with (
        setting.pile("S1", "P1"),
        httpx.AsyncClient(base_url=daemon.url, timeout=30, trust_env=False) as http,
        http.stream("GET", "/api/v1/events") as stream,
    ):
        assert stream.status_code == 200
        began_s = time.monotonic()
        daemon.send(signal.SIGTERM)
        assert await daemon.ended(10) == 0
        took_s = time.monotonic() - began_s
        print(f"ended {took_s:.2f} s after SIGTERM")
        assert took_s < 5


# Refusing to start ----------------------------------------------------------------------------------------------------


async def test_wrong_configuration_lists_all_faults_and_exits_2(lone: Daemon) -> None:
    lone.settings["http"]["prot"] = 1
    lone.settings["policy"]["spacing_s"] = -5
    lone.settings["mqtt"]["url"] = "ftp://somewhere"
    lone.settings["nonsense"] = {}
    lone.config.write_text(yaml.safe_dump(lone.settings), encoding="utf-8")
    for command in ("serve", "check"):
        code, out, errors = await lone.command(command)
        assert code == 2, (command, out, errors)
        for named in ("http.prot", "policy.spacing_s", "mqtt.url", "nonsense"):
            assert named in errors, (command, errors)
        assert "Traceback" not in errors
        assert "triage.yaml:" in errors


async def test_wrong_fleet_row_is_named_with_its_line(lone: Daemon) -> None:
    fleet = lone.folder / "fleet.csv"
    rows = fleet.read_text(encoding="utf-8").splitlines()
    fleet.write_text("\n".join([*rows, "north,S9,BAD PILE,pile/v1,AC-7,none,,,crew"]) + "\n", encoding="utf-8")
    code, _, errors = await lone.command("serve")
    assert code == 2
    assert f"fleet.csv:{len(rows) + 1}" in errors
    assert "Traceback" not in errors


async def test_check_says_that_all_is_well(lone: Daemon) -> None:
    code, out, errors = await lone.command("check")
    assert (code, errors) == (0, "")
    assert "well" in out


async def test_second_daemon_on_one_database_leaves_with_a_clear_message(lone: Daemon) -> None:
    await lone.start()
    second = lone.folder / "second.yaml"
    settings = lone.settings | {
        "http": {"host": "127.0.0.1", "port": free_port()},
        "mqtt": {"url": "embedded", "port": free_port()},
    }
    second.write_text(yaml.safe_dump(settings), encoding="utf-8")
    first = lone.config
    lone.config = second
    code, _, errors = await lone.command("serve")
    lone.config = first
    assert code == 1
    assert "another daemon" in errors
    assert "Traceback" not in errors
    async with Api(lone.url) as api:
        assert (await api.complain("P1", "does not charge"))["number"]


async def test_taken_port_is_a_clear_message(lone: Daemon) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", lone.port)
    async with taken:
        code, _, errors = await lone.command("serve")
    assert code == 1
    assert str(lone.port) in errors or "in use" in errors
    assert "Traceback" not in errors


# Who may come in ------------------------------------------------------------------------------------------------------


async def test_tokens_decide_who_may_what(tmp_path: Path) -> None:
    roles = ("viewer", "agent", "operator")
    tokens = [
        {"name": role, "role": role, "sha256": hashlib.sha256(f"secret-{role}".encode()).hexdigest()} for role in roles
    ]
    auth = {"auth": {"mode": "token", "tokens": tokens}}
    daemon = Daemon(tmp_path, PILES, mqtt="embedded", mqtt_port=free_port(), changes=auth)
    try:
        await daemon.start()
        body = {"channel": "app", "pile": "P1", "text": "does not charge"}
        for token, expected in ((None, 401), ("wrong", 401), ("secret-viewer", 403), ("secret-agent", 201)):
            async with Api(daemon.url, token) as api:
                answer = await api.post("/complaints", body)
                assert answer.status_code == expected, (token, answer.text)
                if expected > 400:
                    assert answer.headers["content-type"] == "application/problem+json"
        async with Api(daemon.url, "secret-agent") as api:
            assert (await api.put("/kill-switch", {"on": True, "reason": "try"})).status_code == 403
            assert (await api.post("/piles/P1/commands", {"action": "reset_soft"})).status_code == 403
        async with Api(daemon.url, "secret-operator") as api:
            assert (await api.put("/kill-switch", {"on": True, "reason": "try"})).status_code == 200
        async with Api(daemon.url) as api:
            for path in ("/incidents", "/complaints", "/work-orders", "/piles", "/quarantine", "/events"):
                assert (await api.http.get(path)).status_code == 401, path
    finally:
        daemon.kill()


async def test_first_installation_in_shadow_mode_sends_nothing(tmp_path: Path) -> None:
    port = free_port()
    daemon = Daemon(tmp_path, PILES, mqtt="embedded", mqtt_port=port, policy=BRISK | {"mode": "shadow"})
    try:
        await daemon.start()
        async with (
            Api(daemon.url) as api,
            ScriptedPile(port, "S1", "P1", speed=daemon.speed) as pile,
        ):
            pile.breaks("InternalError")
            incident = await api.in_state("P1", "desk")
            assert refused_by(incident, "plan_mode")
            assert pile.commands == []
    finally:
        daemon.kill()
