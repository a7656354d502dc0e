"""The rules as Prometheus' own tool reads them: valid, and each alert seen firing and seen silent."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from triage.metrics import Metrics

pytestmark = pytest.mark.integration

HOUSE = Path(__file__).parents[2]
FOLDER = HOUSE / "config" / "prometheus"
TESTS = FOLDER / "tests" / "alerts.test.yml"


def run(promtool: str, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run([promtool, *arguments], input=stdin, capture_output=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def rules(kind: str) -> dict[str, dict[str, Any]]:
    groups = [
        group for file in sorted(FOLDER.glob("rules/*.yml")) for group in yaml.safe_load(file.read_text())["groups"]
    ]
    return {rule[kind]: rule for group in groups for rule in group["rules"] if kind in rule}


def test_the_configuration_and_every_rule_are_valid(promtool: str) -> None:
    said = run(promtool, "check", "config", str(FOLDER / "prometheus.yml"))
    assert "FAILED" not in said


def test_the_rules_fire_and_keep_silent_as_written(promtool: str) -> None:
    assert "SUCCESS" in run(promtool, "test", "rules", str(TESTS))


def test_the_unit_tests_can_fail(promtool: str, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    for file in FOLDER.glob("rules/*.yml"):
        (tmp_path / "rules" / file.name).write_text(file.read_text().replace("> 300", "> 3000000"))
    broken = tmp_path / "tests" / TESTS.name
    head, *cases = TESTS.read_text().split("  - name: ")
    broken.write_text("  - name: ".join([head, *(case for case in cases if "outbox_oldest" in case)]))
    done = subprocess.run([promtool, "test", "rules", str(broken)], capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
    assert b"TriageOutboxStuck" in done.stdout + done.stderr


def test_every_alert_is_tested_firing_and_silent() -> None:
    cases = yaml.safe_load(TESTS.read_text())["tests"]
    silent = {each["alertname"] for case in cases for each in case.get("alert_rule_test", ())}
    asked = [each["expr"] for case in cases for each in case.get("promql_expr_test", ()) if each["exp_samples"]]
    fired = {name for expr in asked for name in re.findall(r'ALERTS\{alertname="(\w+)"', expr)}
    assert silent == fired == set(rules("alert"))


def test_every_alert_says_what_and_what_to_do_in_both_languages() -> None:
    for name, rule in rules("alert").items():
        assert rule["labels"]["severity"] in {"critical", "warning"}, name
        assert set(rule["annotations"]) == {"summary", "summary_zh", "action", "action_zh"}, name
        assert all(re.search(r"[一-鿿]", rule["annotations"][key]) for key in ("summary_zh", "action_zh")), name


def test_the_exposition_follows_the_naming_rules(promtool: str) -> None:
    metrics = Metrics("test")
    said = run(promtool, "check", "metrics", stdin=metrics.exposition())
    assert "triage_" not in said
