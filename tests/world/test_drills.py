"""Drills: the shipped ones hold for the shipped plans, their logs stay as they are, and wrong plans fail them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from simulators.drill import main
from simulators.world import drill
from simulators.world.drill.scenario import Scenario, load_scenario
from simulators.world.drill.timeline import Timeline
from triage.config.describe import key_table
from triage.config.planfile import load_plan, load_plans
from triage.core.plan import Plan
from triage.core.vocabulary import REBOOTS, Mode
from triage.errors import InputError

CONFIG = Path(__file__).parents[2] / "config"
DRILLS = sorted((CONFIG / "drills").glob("*.yaml"))
GOLDEN = Path(__file__).parent / "golden"
RULES = drill.rules_of(None)


def played(name: str, plan: Plan | None = None, scenario: Scenario | None = None) -> tuple[Timeline, list[str]]:
    scenario = scenario or load_scenario(CONFIG / "drills" / f"{name}.yaml")
    return drill.drill(plan or load_plan(CONFIG / "plans" / f"{scenario.plan}.yaml"), scenario, RULES)


@pytest.mark.parametrize("path", DRILLS, ids=lambda path: path.stem)
def test_a_shipped_drill_holds(path: Path) -> None:
    shown, wrong = played(path.stem)
    assert wrong == [], "\n".join(map(str, shown.lines))


def test_the_drills_an_operator_counts_on_are_there() -> None:
    assert {path.stem for path in DRILLS} >= {
        *("soft-reset-cures", "only-hard-cures", "nothing-cures", "charging-holds", "danger-in-the-middle"),
        *("accepts-and-does-nothing", "link-lost-during-reset"),
    }
    for path in DRILLS:
        scenario = load_scenario(path)
        assert set(scenario.title) == {"en", "zh"}
        assert f"`{path.stem}`" in (CONFIG / "drills" / "README.md").read_text("utf-8")


def test_the_guide_names_every_key() -> None:
    assert key_table(Scenario) in (CONFIG / "drills" / "README.md").read_text("utf-8")


def test_every_shipped_plan_that_restarts_has_a_drill() -> None:
    drilled = {load_scenario(path).plan for path in DRILLS}
    plans = load_plans(CONFIG / "plans").plans
    restarting = {plan.name for plan in plans if any(step.action in REBOOTS for step in plan.steps)}
    assert restarting <= drilled


@pytest.mark.parametrize("name", ["soft-reset-cures", "danger-in-the-middle", "modem-gone"])
def test_the_decision_log_stays_as_it_is(name: str) -> None:
    shown, _ = played(name)
    text = "\n".join(str(line) for line in shown.lines) + "\n"
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("WRITE_GOLDEN"):
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_the_same_drill_is_the_same_log() -> None:
    assert played("link-lost-during-reset")[0].lines == played("link-lost-during-reset")[0].lines


def test_a_plan_in_shadow_is_drilled_as_if_it_were_live() -> None:
    plan = replace(load_plan(CONFIG / "plans" / "internal-error.yaml"), mode=Mode.SHADOW)
    assert played("soft-reset-cures", plan)[1] == []


def test_a_plan_without_the_cure_fails_and_says_where() -> None:
    plan = load_plan(CONFIG / "plans" / "internal-error.yaml")
    gentle = replace(plan, steps=tuple(step for step in plan.steps if step.id != "reset-hard"))
    _, wrong = played("only-hard-cures", gentle)
    text = "; ".join(wrong)
    assert "close_code: expected recovered_remotely, found not closed, but in field" in text
    assert "attempts: expected report failed, log passed, reset-soft failed, reset-hard passed; found" in text
    assert "work_order: expected none, found remote_failed" in text


def test_a_plan_for_other_trouble_is_told_so() -> None:
    _, wrong = played("soft-reset-cures", load_plan(CONFIG / "plans" / "thermal.yaml"))
    assert wrong[0] == "plan thermal was never chosen: see its match"


def test_counts_speed_and_gates_are_judged() -> None:
    scenario = load_scenario(CONFIG / "drills" / "nothing-cures.yaml")
    strict = scenario.model_copy(
        update={"expect": scenario.expect.model_copy(update={"resets_at_most": 1, "orders": 2, "within_s": 60.0})}
    )
    _, wrong = played("nothing-cures", scenario=strict)
    assert [each.split(":")[0] for each in wrong] == ["within_s", "resets_at_most", "orders"]


GOOD = (CONFIG / "drills" / "charging-holds.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "line", "fault"),
    [
        ("model: Borealis Twin 22", "modl: Borealis", 7, "did you mean 'model'?"),
        ("connector: 1\n", "connector: 3\n", 10, "the pile has 2 connector(s)"),
        ("connector: 2,", "connector: 7,", 15, "the pile has 2 connector(s)"),
        ("to_s: 2460", "to_s: 60", 15, "to_s must be later than from_s"),
        ("code: InternalError", "kind: gremlins", 9, "no fault 'gremlins' in the catalogue"),
        ("reset_soft: 1}", "reset_soft: 1.5}", 13, "less than or equal to 1"),
        ("reset_soft: 1}", "kick: 1}", 13, "reset_hard"),
        ("at_s: 300", "after_s: 300", 9, "either at_s or on"),
        ("at_s: 300", "at_s: 300\n    after_s: 5", 9, "it needs on"),
        ("at_s: 300", "on: report", 8, "nothing breaks by itself"),
        ("name: charging-holds", "name: other", 2, "the file is called"),
        ("close_code: recovered_remotely", "close_code: magic", 17, "self_cleared"),
        ("refused_by: [session]", "refused_by: [sesion]", 19, "session"),
    ],
)
def test_a_bad_scenario_names_its_line(tmp_path: Path, old: str, new: str, line: int, fault: str) -> None:
    path = tmp_path / "charging-holds.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), "utf-8")
    with pytest.raises(InputError) as caught:
        load_scenario(path)
    assert f"{path}:{line}:" in str(caught.value), str(caught.value)
    assert fault in str(caught.value)


def test_a_scenario_that_expects_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "charging-holds.yaml"
    path.write_text(GOOD.split("expect:", maxsplit=1)[0] + "expect: {}\n", "utf-8")
    with pytest.raises(InputError, match="say what the drill must show"):
        load_scenario(path)


def test_the_command_tells_all_faults_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, scenario = tmp_path / "plan.yaml", tmp_path / "scenario.yaml"
    plan.write_text("name: plan\n", "utf-8")
    scenario.write_text("name: scenario\n", "utf-8")
    assert main([str(plan), "--scenario", str(scenario)]) == 2
    said = capsys.readouterr().err
    assert f"{plan}:1: steps: this key is required" in said
    assert f"{scenario}:1: trouble: this key is required" in said


def test_the_operators_own_numbers_are_drilled_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "triage.yaml"
    settings.write_text(
        f"plans: {CONFIG / 'plans'}\nlexicon: {CONFIG / 'lexicon'}\nfaults: {CONFIG / 'faults'}\n"
        "policy: {resets_per_incident: 1, speed: 60}\n",
        "utf-8",
    )
    arguments = [str(CONFIG / "plans" / "internal-error.yaml")]
    arguments += ["--scenario", str(CONFIG / "drills" / "only-hard-cures.yaml"), "--config", str(settings)]
    assert main(arguments) == 1
    assert "1 resets in this incident, 1 allowed" in capsys.readouterr().out
