"""Plans: the choice among them, and the lint rule by rule."""

import pytest
from msgspec import structs

from triage.core.plan import Plan, PlanBook, Step
from triage.core.planlint import NO_RESET_FAMILIES, lint, overlaps, worst_case_s
from triage.core.vocabulary import Action, Family, Mode, OrderReason

REPORT = Step(id="report", action=Action.REPORT, proof=("fresh",), verify_s=60)
LOG = Step(id="log", action=Action.PULL_LOG, proof=("answer",), verify_s=60, passed="next")
SOFT = Step(id="soft", action=Action.RESET_SOFT, proof=("booted", "fresh"), verify_s=400, unknown="field")
HARD = Step(id="hard", action=Action.RESET_HARD, proof=("booted", "fresh"), verify_s=400, unknown="field")
CYCLE = Step(id="cycle", action=Action.POWER_CYCLE, proof=("booted", "fresh"), verify_s=400, unknown="desk")
UNLOCK = Step(id="unlock", action=Action.UNLOCK, proof=("fresh",), verify_s=60)
STOP = Step(id="stop", action=Action.STOP_SESSION, proof=("session_ended",), verify_s=60)


def plan(*steps: Step, family: Family = Family.INTERNAL, deadline_s: float = 5000, **more: object) -> Plan:
    made = Plan(
        name="p",
        version=1,
        title={"en": "a", "zh": "b"},
        families=(family,),
        steps=steps,
        mode=Mode.LIVE,
        deadline_s=deadline_s,
        responsible="operations",
        review_by="2027-01-01",
        soak_s=120,
        exhausted="field",
        exhausted_reason=OrderReason.REMOTE_FAILED,
    )
    return structs.replace(made, **more)


def problems(made: Plan) -> str:
    return "; ".join(finding.problem for finding in lint(made))


@pytest.mark.parametrize(
    "steps",
    [(REPORT,), (REPORT, LOG, SOFT), (REPORT, UNLOCK, LOG, SOFT, HARD), (REPORT, STOP, LOG, SOFT, CYCLE)],
)
def test_sound_plans_have_no_findings(steps: tuple[Step, ...]) -> None:
    assert lint(plan(*steps)) == []


def but(step: Step, **changes: object) -> Step:
    return structs.replace(step, **changes)


CASES: list[tuple[Plan, str]] = [
    (plan(REPORT, title={"en": "a"}), "no title in 'zh'"),
    (plan(REPORT, title={"en": " ", "zh": "b"}), "no title in 'en'"),
    (plan(REPORT, but(LOG, id="report")), "already there"),
    (plan(REPORT, but(UNLOCK, proof=("answer",))), "no proof but the pile's own answer"),
    (plan(REPORT, LOG, but(SOFT, proof=("fresh",))), "not proven by a new boot"),
    (plan(but(REPORT, proof=("hope",))), "unknown proof 'hope'"),
    (plan(but(REPORT, failed="home")), "leads to 'home'"),
    (plan(REPORT, LOG, but(SOFT, unknown="next")), "an unknown outcome of reset_soft goes on"),
    (plan(REPORT, LOG, but(SOFT, unknown="wait")), "an unknown outcome of reset_soft goes on"),
    (plan(but(REPORT, failed="desk", refused="desk"), LOG), "cannot be reached"),
    (plan(but(REPORT, failed="field"), LOG, SOFT), "has sent a person"),
    (plan(REPORT, SOFT), "no pull_log before the first restart"),
    (plan(REPORT, LOG, SOFT, UNLOCK), "unlock after a restart"),
    (plan(REPORT, LOG, SOFT, STOP), "stop_session after a restart"),
    (plan(REPORT, LOG, HARD), "reset_hard without reset_soft"),
    (plan(REPORT, LOG, CYCLE, SOFT), "reset_soft after power_cycle"),
    (plan(REPORT, LOG, SOFT, but(SOFT, id="again")), "reset_soft after reset_soft"),
    (plan(REPORT, LOG, SOFT, HARD, CYCLE), "at most 2 restarts"),
    (plan(LOG), "the first step is not a report"),
    (plan(REPORT, deadline_s=179), "the worst case takes 180 s"),
    (plan(REPORT, LOG, but(SOFT, verify_s=300)), "a start may take 300 s"),
]


@pytest.mark.parametrize(("made", "problem"), CASES)
def test_each_rule_speaks(made: Plan, problem: str) -> None:
    assert problem in problems(made)
    assert all(finding.remedy for finding in lint(made))


@pytest.mark.parametrize("family", sorted(NO_RESET_FAMILIES))
@pytest.mark.parametrize("reset", [SOFT, HARD, CYCLE])
def test_no_restart_where_a_person_or_time_must_do_it(family: Family, reset: Step) -> None:
    assert f"is not allowed for family {family}" in problems(plan(REPORT, LOG, reset, family=family))


def test_a_plan_for_piles_without_a_link_need_not_ask_first() -> None:
    assert problems(plan(but(LOG, passed="soak"), family=Family.OFFLINE)) == ""


def test_the_worst_case_counts_every_window_and_the_soak() -> None:
    assert worst_case_s(plan(REPORT, LOG, SOFT)) == 60 + 60 + 400 + 120


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({}, {}, "internal"),
        ({"faults": ("A",)}, {}, ""),
        ({"faults": ("A",)}, {"faults": ("B",)}, ""),
        ({"faults": ("A", "B")}, {"faults": ("B",)}, "internal, B"),
        ({"models": ("X",)}, {}, ""),
        ({"models": ("X",)}, {"models": ("X",)}, "internal, X"),
        ({"families": (Family.SUPPLY,)}, {}, ""),
    ],
)
def test_overlap_is_only_where_the_choice_would_be_chance(
    one: dict[str, object], other: dict[str, object], shared: str
) -> None:
    first, second = structs.replace(plan(REPORT), **one), structs.replace(plan(REPORT), **other)
    assert overlaps(first, second) == shared


def test_the_most_specific_plan_is_chosen() -> None:
    general = plan(REPORT)
    by_model = structs.replace(general, name="model", models=("X",))
    by_fault = structs.replace(general, name="fault", faults=("A",))
    book = PlanBook(plans=(by_fault, general, by_model))
    assert book.choose(Family.INTERNAL, ("A",), "X") is by_fault
    assert book.choose(Family.INTERNAL, ("B",), "X") is by_model
    assert book.choose(Family.INTERNAL, ("B",), "device's own word", "X") is by_model
    assert book.choose(Family.INTERNAL, (), None) is general
    assert book.choose(Family.SAFETY, ("A",), None) is None
    assert book.named("fault") is by_fault
    assert book.named("none") is None
