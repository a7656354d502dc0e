"""The text a run is pinned to is kept when the run begins, and when the file changed under it."""

from __future__ import annotations

from msgspec.structs import replace

from tests.unit.core.film import Film
from triage.core.effects import Changes
from triage.core.plan import PlanBook
from triage.core.vocabulary import REBOOTS


def texts(shot: Film) -> dict[str, str]:
    whole = Changes()
    for decision in shot.decisions:
        whole.absorb(decision.changes)
    return {each.sha256: each.text for each in whole.plans.values()}


def test_the_text_is_kept_when_a_run_begins() -> None:
    shot = Film()
    shot.pile().claim("InternalError")
    shot.run(600)
    plan = shot.rules.plans.named("internal-error")
    assert plan is not None
    assert texts(shot) == {plan.sha256: plan.text}
    assert plan.text.startswith("# ")


def test_a_text_that_takes_over_in_the_middle_is_kept_too() -> None:
    shot = Film()
    actor = shot.pile()
    actor.habits |= dict.fromkeys(REBOOTS, actor.stay_ill)
    actor.claim("InternalError")
    shot.run(150)
    old = shot.rules.plans.named("internal-error")
    assert old is not None
    new = replace(old, version=2, text="another", sha256="ab" * 32)
    shot.rules = replace(shot.rules, plans=PlanBook(plans=(new,)))
    shot.engine.reload(shot.rules)
    shot.run(900)
    assert texts(shot) == {old.sha256: old.text, "ab" * 32: "another"}


def test_trouble_without_a_plan_keeps_no_text() -> None:
    shot = Film()
    shot.pile().claim("GroundFailure")
    shot.run(600)
    assert texts(shot) == {}
