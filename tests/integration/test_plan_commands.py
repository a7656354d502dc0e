"""Plans from outside: drilled, linted, recorded, and a day decided again under other rules."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.outside.api import Api
from tests.integration.outside.daemon import CONFIG, Daemon, environment
from tests.integration.outside.pile import ScriptedPile, Temper
from tests.parts import free_port

pytestmark = pytest.mark.integration

PLAN = str(CONFIG / "plans" / "internal-error.yaml")


def triage(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "triage", *words]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, check=False)


def drill(name: str) -> str:
    return str(CONFIG / "drills" / f"{name}.yaml")


def test_a_drill_prints_its_timeline(tmp_path: Path) -> None:
    done = triage("plan", "test", PLAN, "--scenario", drill("soft-reset-cures"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("plan internal-error v")
    assert any("command   reset_soft" in line for line in lines)
    assert any("closed    " in line and "recovered_remotely" in line for line in lines)
    assert lines[-1] == "PASSED  internal-error in soft-reset-cures"
    assert list(tmp_path.iterdir()) == []


def test_a_drill_that_fails_says_what_was_not_as_expected(tmp_path: Path) -> None:
    gentle = yaml.safe_load(Path(PLAN).read_text("utf-8"))
    gentle["steps"] = gentle["steps"][:-1]
    (tmp_path / "internal-error.yaml").write_text(yaml.safe_dump(gentle), "utf-8")
    done = triage("plan", "test", "internal-error.yaml", "--scenario", drill("only-hard-cures"), cwd=tmp_path)
    assert done.returncode == 1
    assert "NOT AS EXPECTED  close_code: expected recovered_remotely" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("FAILED")


def test_bad_files_are_named_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\nsteps: 3\n", "utf-8")
    done = triage("plan", "test", "bad.yaml", "--scenario", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "bad.yaml:2: steps:" in done.stderr
    assert done.stdout == ""
    done = triage("plan", "test", PLAN, "--scenario", "nothing.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing.yaml: cannot be read" in done.stderr


def test_lint_tells_findings_and_warnings(tmp_path: Path) -> None:
    done = triage("plan", "lint", PLAN, cwd=tmp_path)
    assert done.returncode == 0
    assert "all is well" in done.stdout
    text = Path(PLAN).read_text("utf-8")
    (tmp_path / "internal-error.yaml").write_text(text.replace("review_by: 20", "review_by: 19"), "utf-8")
    done = triage("plan", "lint", "internal-error.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert "warning: internal-error.yaml:9: review_by: internal-error should have been reviewed by 19" in done.stderr
    (tmp_path / "internal-error.yaml").write_text(text.replace("[fresh, fault_absent]", "[booted]"), "utf-8")
    done = triage("plan", "lint", "internal-error.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "booted is never seen" in done.stderr


def test_lint_holds_a_plan_against_its_installation(tmp_path: Path) -> None:
    text = Path(PLAN).read_text("utf-8")
    settings = str(CONFIG / "triage.yaml")
    assert triage("plan", "lint", PLAN, "--config", settings, cwd=tmp_path).returncode == 0
    (tmp_path / "mine.yaml").write_text(text.replace("name: internal-error", "name: mine"), "utf-8")
    done = triage("plan", "lint", "mine.yaml", "--config", settings, cwd=tmp_path)
    assert done.returncode == 2
    assert "match: matches the same trouble as plan 'internal-error'" in done.stderr
    changed = text.replace("name: internal-error", "name: mine").replace("[InternalError,", "[Gremlins,")
    (tmp_path / "mine.yaml").write_text(changed, "utf-8")
    done = triage("plan", "lint", "mine.yaml", "--config", settings, cwd=tmp_path)
    assert done.returncode == 2
    assert "no fault table knows 'Gremlins'" in done.stderr


def test_an_overdue_review_is_a_warning_of_check(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    shutil.copytree(CONFIG, folder)
    assert triage("check", "--config", "config/triage.yaml", cwd=tmp_path).stderr == ""
    plan = folder / "plans" / "offline.yaml"
    plan.write_text(plan.read_text("utf-8").replace("review_by: 20", "review_by: 19"), "utf-8")
    done = triage("check", "--config", "config/triage.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert "warning: config/plans/offline.yaml:9: review_by: offline should have been reviewed by 19" in done.stderr
    assert "all is well" in done.stdout


async def test_a_day_on_record_is_drilled_shown_and_decided_again(tmp_path: Path) -> None:
    port = free_port()
    trace = tmp_path / "trace.jsonl"
    daemon = Daemon(tmp_path, [("S1", "P1")], mqtt="embedded", mqtt_port=port, changes={"record": {"file": str(trace)}})
    try:
        await daemon.start()
        async with (
            Api(daemon.url) as api,
            ScriptedPile(port, "S1", "P1", speed=daemon.speed, temper=Temper.CURED) as pile,
        ):
            pile.breaks("InternalError")
            incident = await api.incident("P1", lambda each: each["close_code"] == "recovered_remotely", "closed")
            # The daemon is running, and holds the database.
            words = ["plan", "test", PLAN, "--scenario", drill("soft-reset-cures"), "--record-in", str(daemon.config)]
            assert triage(*words, cwd=tmp_path).returncode == 0
            plans = {each["name"]: each for each in (await api.get("/plans"))["items"]}
            assert plans["internal-error"]["last_drill"]["passed"] is True
            assert plans["internal-error"]["last_drill"]["scenario"] == "soft-reset-cures"
            assert plans["generic"]["last_drill"] is None
            text = await api.get(f"/plans/{incident['plan']['sha256']}")
            assert text["text"] == Path(PLAN).read_text("utf-8")
            assert text["first_used_at"] is not None
            await api.complain("P1", "my name is Rumpelstiltskin and it does not start")
        assert await daemon.stop() == 0
    finally:
        daemon.kill()
    assert triage("audit", "verify", "--config", str(daemon.config), cwd=tmp_path).returncode == 0
    assert "Rumpelstiltskin" not in trace.read_text("utf-8")
    done = triage("replay", str(trace), "--config", str(daemon.config), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    decided = done.stdout.splitlines()
    assert [line.split()[-1] for line in decided if f"  command {incident['id']}" in line] == [
        each["action"] for each in incident["attempts"]
    ]
    assert any(f"{incident['id']}  probation → closed" in line for line in decided)
    same = triage("replay", str(trace), "--config", str(daemon.config), "--against", str(daemon.config), cwd=tmp_path)
    assert (same.returncode, same.stdout) == (0, "no decision differs\n")
    other = tmp_path / "other.yaml"
    changed = dict(daemon.settings) | {"policy": daemon.settings["policy"] | {"mode": "shadow"}}
    other.write_text(yaml.safe_dump(changed), "utf-8")
    done = triage("replay", str(trace), "--config", str(daemon.config), "--against", str(other), cwd=tmp_path)
    assert done.returncode == 1
    signs = {line[0] for line in done.stdout.splitlines()}
    assert signs >= {"-", "+"}
    assert "shadow mode: would have sent" in done.stdout


def test_a_bad_trace_names_its_line(tmp_path: Path) -> None:
    line = {"type": "Began", "format": 1, "at": "2026-03-02T08:00:00Z", "release": "1", "masked": True}
    (tmp_path / "trace").write_text(json.dumps(line | {"listening": {}, "started_at": None}) + "\nnonsense\n")
    done = triage("replay", "trace", "--config", str(CONFIG / "triage.yaml"), cwd=tmp_path)
    assert done.returncode == 2
    assert "trace:2: is no line of a trace" in done.stderr
