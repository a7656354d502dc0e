"""Plan files: schema, lint with lines, and the hash that pins them."""

import hashlib
from pathlib import Path

import pytest
import yaml

from triage.config.planfile import load_plan, load_plans
from triage.core.vocabulary import Action, Family, OrderReason
from triage.errors import InputError, InputFault

PLANS = Path(__file__).parents[3] / "config" / "plans"
GOOD = (PLANS / "unresponsive.yaml").read_text("utf-8")


def faults(folder: Path, text: str, name: str = "unresponsive") -> list[InputFault]:
    path = folder / f"{name}.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        load_plan(path)
    return caught.value.faults


def test_the_shipped_plans_load_and_pin_their_text() -> None:
    book = load_plans(PLANS)
    for plan in book.plans:
        raw = (PLANS / f"{plan.name}.yaml").read_bytes()
        assert plan.sha256 == hashlib.sha256(raw).hexdigest()
        assert plan.text == raw.decode()


def test_every_family_but_safety_and_damage_has_a_plan() -> None:
    book = load_plans(PLANS)
    without = {family for family in Family if book.choose(family, (), None) is None}
    assert without == {Family.SAFETY, Family.DAMAGE}


def test_the_plan_for_a_silent_pile_ends_in_the_field() -> None:
    plan = load_plan(PLANS / "unresponsive.yaml")
    assert [step.action for step in plan.steps] == [
        Action.REPORT,
        Action.PULL_LOG,
        Action.RESET_SOFT,
        Action.RESET_HARD,
    ]
    assert plan.steps[-1].proof == ("booted", "fresh")
    assert (plan.exhausted, plan.exhausted_reason) == ("field", OrderReason.REMOTE_FAILED)
    offline = load_plan(PLANS / "offline.yaml")
    assert offline.exhausted_reason is OrderReason.NO_REMOTE_CHANNEL


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "problem"),
    [
        ("version: 1", "version: 0", 3, "version", "greater than or equal to 1"),
        ("version: 1", "version: 1\ncolour: red", 4, "colour", "unknown key"),
        ("mode: live", "mode: loud", 7, "mode", "'shadow'"),
        ("review_by: 2027-06-30", "review_by: soon", 9, "review_by", "must be a date"),
        ("families: [unresponsive]", "families: []", 11, "match.families", "at least 1"),
        ("families: [unresponsive]", "families: [lazy]", 11, "match.families[0]", "'internal'"),
        ("exhausted_reason: remote_failed", "exhausted_reason: why_not", 15, "exhausted_reason", "'remote_failed'"),
        ("    proof: [fresh]", "    proof: [fresh, hope]", 20, "steps[0].proof", "unknown proof hope"),
        ("    action: report", "    action: dance", 19, "steps[0].action", "'reset_soft'"),
        ("    verify_s: 60", "    verify_s: 0", 21, "steps[0].verify_s", "greater than 0"),
        ("    passed: soak", "    passed: home", 22, "steps[0].passed", "'soak'"),
        ("  zh: 链路在线但应用无响应\n", "", 4, "title", "no title in 'zh'"),
        ("deadline_s: 1200", "deadline_s: 600", 12, "deadline_s", "worst case takes"),
    ],
)
def test_each_kind_of_fault_has_its_line(
    tmp_path: Path, old: str, new: str, line: int, field: str, problem: str
) -> None:
    assert old in GOOD
    (fault, *_) = faults(tmp_path, GOOD.replace(old, new, 1))
    assert (fault.line, fault.field) == (line, field)
    assert problem in fault.problem


def test_a_plan_is_called_like_its_file(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, GOOD, "other")
    assert (fault.field, fault.line) == ("name", 2)


def test_plans_of_equal_rank_for_the_same_trouble_are_refused(tmp_path: Path) -> None:
    (tmp_path / "unresponsive.yaml").write_text(GOOD, "utf-8")
    (tmp_path / "twin.yaml").write_text(GOOD.replace("name: unresponsive", "name: twin"), "utf-8")
    with pytest.raises(InputError, match="matches the same trouble as plan 'twin'"):
        load_plans(tmp_path)


def test_all_faults_of_all_plans_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\n", "utf-8")
    (tmp_path / "b.yaml").write_text("{", "utf-8")
    with pytest.raises(InputError) as caught:
        load_plans(tmp_path)
    assert {Path(fault.file).name for fault in caught.value.faults} == {"a.yaml", "b.yaml"}
    assert len(caught.value.faults) > 5


@pytest.mark.parametrize("folder", ["missing", "."])
def test_a_folder_without_plans_is_a_fault(tmp_path: Path, folder: str) -> None:
    with pytest.raises(InputError, match=r"folder|holds no"):
        load_plans(tmp_path / folder)


def test_the_worked_example_of_the_readme_is_sound(tmp_path: Path) -> None:
    example = (PLANS / "README.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    path = tmp_path / f"{yaml.safe_load(example)['name']}.yaml"
    path.write_text(example, "utf-8")
    assert load_plan(path).steps[2].action is Action.RESET_SOFT
