"""Learning: cures are counted, what cures nothing is passed over, some wait to be watched, bad firmware pauses."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.unit.core.film import Actor, Film, fleet, rules
from triage.core.incident import Incident
from triage.core.remedies import Remedies, Tries, drawn, setting
from triage.core.vocabulary import (
    READS,
    REBOOTS,
    Action,
    CloseCode,
    ConnectorStatus,
    Gate,
    IncidentState,
    Learning,
    Mode,
    Result,
    Watch,
)

EXACT: dict[str, Any] = {"holdback_share": 0.0, "fleet_hour_floor": 1000, "breaker_least": 1000, "outage_least": 1000}
FIRST_DRAWN = 5
"""Of the incidents of a film's day, the first that the lot of 5 % falls on."""


def lively(count: int, *, old: int = 0, **policy: Any) -> Film:
    """``count`` piles on sites of their own; the last ``old`` of them run firmware 0.9."""
    film = Film(fleet(count, sites=count), **(EXACT | policy))
    for actor in film.actors.values():
        actor.habits[Action.RESET_SOFT] = actor.stay_ill
        actor.back()
    for actor in piles(film)[count - old :]:
        actor.firmware = "0.9"
        film.play(actor.birth())
    return film.run(1200)


def piles(film: Film) -> list[Actor]:
    return list(film.actors.values())


def record(film: Film, firmware: str = "1.0", fault: str = "InternalError") -> Remedies:
    found = film.engine.state.remedies.get(("AC-7", firmware, fault))
    assert found is not None, film.story()
    return found


def counts(found: Remedies, action: Action) -> tuple[int, int, int]:
    tries = found.of(action)
    return tries.passed, tries.failed, tries.unknown


def ill(film: Film, actors: list[Actor], code: str = "InternalError", hours: float = 2) -> None:
    for actor in actors:
        actor.claim(code)
    film.run(hours * 3600)


def decide_by(film: Film, **policy: Any) -> None:
    """The operator changes the policy."""
    film.rules = rules(**(EXACT | policy))
    film.engine.reload(film.rules)


def newest(film: Film, actor: Actor) -> Incident:
    return [each for each in film.all_incidents() if each.pile == actor.id][-1]


def restarts(film: Film, actor: Actor) -> list[Action]:
    return [each.action for each in film.sent(pile=actor.id)]


def test_cures_are_counted_by_model_firmware_fault_and_action() -> None:
    film = lively(5, old=2)
    piles(film)[0].habits[Action.RESET_SOFT] = piles(film)[0].cure
    piles(film)[1].habits[Action.RESET_HARD] = piles(film)[1].vanish
    ill(film, piles(film))
    found = record(film)
    assert counts(found, Action.RESET_SOFT) == (1, 2, 0)
    assert counts(found, Action.RESET_HARD) == (1, 0, 1)
    assert counts(record(film, "0.9"), Action.RESET_SOFT) == (0, 2, 0)
    assert counts(found, Action.REPORT) == (0, 0, 0), "a question cures nothing"
    results = [each.result for each in film.attempts() if each.action in REBOOTS and each.firmware == "1.0"]
    assert len(results) == sum(sum(counts(found, action)) for action in REBOOTS)


def test_the_count_is_in_the_very_decision_that_concludes_the_attempt() -> None:
    film = lively(1)
    ill(film, piles(film))
    for decision in film.decisions:
        for incident in decision.changes.incidents.values():
            last = incident.attempts[-1] if incident.attempts else None
            if last is not None and last.action in REBOOTS and last.concluded_at == decision.at:
                assert any(name.startswith("remedy.") for name in decision.changes.settings)


def test_a_command_that_never_left_is_no_try() -> None:
    film = lively(1)
    film.dispatch = lambda command: ("not_sent", "second look") if command.action in REBOOTS else ("sent", "")
    ill(film, piles(film), hours=0.3)
    assert counts(record(film), Action.RESET_SOFT) == (0, 0, 0)


def test_fourteen_failures_are_said_and_nothing_is_done_about_them_until_asked_for() -> None:
    film = lively(17, old=1)
    actors = piles(film)
    ill(film, actors[:14])
    assert counts(record(film), Action.RESET_SOFT) == (0, 14, 0)
    film.journal.clear()
    ill(film, [actors[14]])
    said = "reset_soft would be skipped: 0 of 14 cures on AC-7 1.0"
    assert [each.text for each in film.journal if each.kind == "suggested"] == [said]
    run = newest(film, actors[14]).run
    assert run is not None
    assert [(each.step, each.kind, each.reason) for each in run.passed] == [("reset-soft", "suggested", said)]
    assert run.passed[0].instead == "reset-hard"
    assert restarts(film, actors[14]) == [Action.RESET_SOFT, Action.RESET_HARD], "a suggestion changes nothing"
    assert film.counts["remedy_advice", "suggested"] > 0


def test_what_never_worked_on_a_firmware_is_skipped_there_and_nowhere_else() -> None:
    film = lively(18, old=1)
    actors = piles(film)
    ill(film, actors[:14])
    film.journal.clear()
    decide_by(film, learning=Learning.ON)
    ill(film, [actors[14]])
    said = "reset_soft skipped: 0 of 14 cures on AC-7 1.0"
    assert [each.text for each in film.journal if each.kind == "skipped"] == [said]
    assert restarts(film, actors[14]) == [Action.RESET_HARD]
    assert Action.PULL_LOG in {each.action for each in film.commands if each.pile == actors[14].id}
    assert newest(film, actors[14]).close_code is CloseCode.RECOVERED_REMOTELY
    ill(film, [actors[15]], "ReaderFailure")
    assert Action.RESET_SOFT in restarts(film, actors[15]), "another fault has a record of its own"
    ill(film, [actors[17]])
    assert restarts(film, actors[17]) == [Action.RESET_SOFT, Action.RESET_HARD], "and so has another firmware"


def test_off_says_nothing_and_changes_nothing() -> None:
    film = lively(15, learning=Learning.OFF)
    ill(film, piles(film)[:14])
    ill(film, piles(film)[14:])
    assert not [each for each in film.journal if each.kind in {"suggested", "skipped"}]
    assert restarts(film, piles(film)[14]) == [Action.RESET_SOFT, Action.RESET_HARD]


def test_the_last_remedy_is_given_up_only_when_hardly_anything_speaks_for_it() -> None:
    film = lively(45, learning=Learning.ON)
    actors = piles(film)
    for actor in actors:
        actor.habits[Action.RESET_HARD] = actor.stay_ill
    ill(film, actors[:20], hours=3)
    assert counts(record(film), Action.RESET_HARD) == (0, 20, 0)
    ill(film, [actors[20]])
    assert restarts(film, actors[20]) == [Action.RESET_HARD], "up to one in six may still be cured by it"
    ill(film, actors[21:44], hours=3)
    film.journal.clear()
    ill(film, [actors[44]])
    assert restarts(film, actors[44]) == []
    order = next(each for each in film.orders() if each.pile == actors[44].id)
    assert "reset_hard skipped: 0 of 44 cures on AC-7 1.0" in order.reason_text


def test_the_better_remedy_comes_first_and_the_softer_one_is_not_tried_after_it() -> None:
    film = lively(26, learning=Learning.ON)
    actors = piles(film)
    for actor in actors[:7]:
        actor.habits[Action.RESET_SOFT] = actor.cure
    ill(film, actors[:25], hours=3)
    assert counts(record(film), Action.RESET_SOFT) == (7, 18, 0)
    assert counts(record(film), Action.RESET_HARD) == (18, 0, 0)
    film.journal.clear()
    actors[25].habits[Action.RESET_HARD] = actors[25].stay_ill
    ill(film, actors[25:])
    said = "reset_hard comes first: 18 of 18 cures on AC-7 1.0, reset_soft 7 of 25 cures"
    assert [each.text for each in film.journal if each.kind == "skipped"] == [said]
    assert restarts(film, actors[25]) == [Action.RESET_HARD]
    assert newest(film, actors[25]).state is IncidentState.FIELD


def test_counts_survive_a_restart_of_the_daemon() -> None:
    film = lively(15, learning=Learning.ON)
    ill(film, piles(film)[:14])
    before = record(film)
    film.started()
    assert record(film) == before
    film.run(600)
    ill(film, piles(film)[14:])
    assert restarts(film, piles(film)[14]) == [Action.RESET_HARD]


def test_a_person_who_tries_again_gets_the_plan_as_it_is_written() -> None:
    film = lively(15)
    ill(film, piles(film)[:14])
    decide_by(film, learning=Learning.ON, mode=Mode.APPROVE)
    actor = piles(film)[14]
    ill(film, [actor], hours=0.3)
    incident = newest(film, actor)
    assert incident.state is IncidentState.DESK
    assert incident.desk_reason == "reset_hard waits for a person's approval"
    decide_by(film, learning=Learning.ON)
    assert film.act(incident.id, "retry").status == 200
    film.run(3600)
    assert restarts(film, actor) == [Action.RESET_SOFT, Action.RESET_HARD]


@pytest.mark.parametrize("seed", range(24))
def test_whatever_the_record_says_the_plans_order_and_its_questions_stand(seed: int) -> None:
    """Steps may be left out; none comes earlier, twice or beside the plan, and the log is taken before a restart."""
    chance = Random(seed)
    film = lively(1, learning=Learning.ON, holdback_share=chance.choice([0.0, 0.5]))
    actor = piles(film)[0]
    code = chance.choice(["InternalError", "ConnectorLockFailure", "ReaderFailure"])
    actor.habits[Action.RESET_HARD] = actor.habits[Action.UNLOCK] = chance.choice([actor.stay_ill, actor.cure])
    tries = tuple(
        Tries(action=action, passed=chance.choice([0, 0, 5, 60]), failed=chance.choice([0, 5, 60]))
        for action in (Action.UNLOCK, *sorted(REBOOTS))
    )
    kept = Remedies(model="AC-7", firmware="1.0", fault=code, at=film.now, tries=tries)
    film.engine.state.remedies.keep(*setting(0, kept))
    ill(film, [actor], code)
    incident = newest(film, actor)
    assert incident.run is not None
    plan = film.rules.plans.named(incident.run.plan)
    assert plan is not None
    order = [step.id for step in plan.steps]
    places = [order.index(each.step) for each in incident.attempts]
    assert places == sorted(set(places)), film.story()
    actions = [each.action for each in incident.attempts]
    logged = actions.index(Action.PULL_LOG) if Action.PULL_LOG in actions else len(actions)
    assert all(place > logged for place, action in enumerate(actions) if action in REBOOTS)
    left_out = {each.step for each in incident.run.passed if each.kind == "learned"}
    assert not left_out & {each.step for each in incident.attempts}
    assert not left_out & {step.id for step in plan.steps if step.action in READS}


# What heals by itself -------------------------------------------------------------------------------------------------


def held_back(film: Film, actor: Actor) -> Incident:
    """The pile's incident, drawn by lot and waiting although no gate is against its first remedy."""
    actor.claim("InternalError")
    film.until(lambda: newest(film, actor).watch is Watch.BACK, 900)
    incident = newest(film, actor)
    assert (incident.state, incident.refusals) == (IncidentState.HELD, ())
    assert restarts(film, actor) == []
    return incident


def test_some_wait_one_window_more_and_only_then_get_their_remedy() -> None:
    film = lively(1, holdback_share=1.0)
    incident = held_back(film, film.pile())
    said = [each.text for each in film.journal if each.subject == incident.id and "drawn by lot" in each.text]
    assert len(said) == 1
    assert film.counts["remedy_advice", "held_back"] == 1
    film.run(140)
    assert restarts(film, film.pile()) == [Action.RESET_SOFT]
    found = record(film)
    assert (found.held_back, found.held_back_healed) == (1, 0)
    film.run(3600)
    assert (record(film).held_back, record(film).observed, record(film).healed) == (1, 1, 0)
    assert len([each for each in film.journal if "drawn by lot" in each.text]) == 1, "once in an incident"


def test_what_heals_while_it_waits_is_measured_once_it_has_lasted() -> None:
    film = lively(2, holdback_share=1.0)
    first, second = piles(film)
    held_back(film, first)
    film.later(30, first.heal)
    film.run(60)
    assert record(film).held_back == 0, "it has to stay good first"
    film.run(3600)
    assert (record(film).held_back, record(film).held_back_healed) == (1, 1)
    assert newest(film, first).close_code is CloseCode.SELF_CLEARED
    held_back(film, second)
    second.heal()
    film.run(60)
    second.claim("InternalError")
    film.run(3600)
    assert (record(film).held_back, record(film).held_back_healed) == (2, 1), "what comes back had not healed"


def test_what_heals_within_the_observation_window_is_counted_too() -> None:
    film = lively(3)
    first, second, third = piles(film)
    first.claim("InternalError")
    film.run(60)
    first.heal()
    film.run(1200)
    assert (record(film).observed, record(film).healed) == (1, 1)
    second.claim("InternalError")
    film.run(60)
    second.heal()
    film.run(30)
    second.claim("InternalError")
    film.run(2400)
    assert (record(film).observed, record(film).healed) == (2, 1)
    ill(film, [third])
    assert (record(film).observed, record(film).healed) == (3, 1)


def test_a_complaint_ends_the_waiting_and_the_window_does_not_count() -> None:
    film = lively(1, holdback_share=1.0)
    held_back(film, film.pile())
    film.complain("the charger does not start", who="1")
    film.run(60)
    assert restarts(film, film.pile()) == [Action.RESET_SOFT]
    assert record(film).held_back == 0


@pytest.mark.parametrize("case", ["complaint", "scarce", "off"])
def test_nobody_who_is_needed_waits(case: str) -> None:
    policies: dict[str, dict[str, Any]] = {"off": {"learning": Learning.OFF}, "scarce": {"minimum_available": 1}}
    film = Film(2, **(EXACT | {"holdback_share": 1.0} | policies.get(case, {})))
    for actor in piles(film):
        actor.back()
    film.run(1200)
    if case == "scarce":
        piles(film)[0].show(ConnectorStatus.FAULTED)
    if case == "complaint":
        film.complain("the charger does not start", who="1")
    piles(film)[0].claim("InternalError")
    film.run(1200)
    assert newest(film, piles(film)[0]).watch is not Watch.BACK
    assert restarts(film, piles(film)[0])
    assert ("remedy_advice", "held_back") not in film.counts


def test_a_persons_word_is_not_drawn_by_lot() -> None:
    film = lively(1, holdback_share=1.0)
    incident = held_back(film, film.pile())
    assert film.act(incident.id, "retry").status == 200
    assert restarts(film, film.pile()) == [Action.RESET_SOFT]
    assert record(film).held_back == 0


def test_the_lot_is_the_incidents_own_whatever_happens_around_it() -> None:
    def waiting(*, restart: bool) -> list[str]:
        film = lively(12, holdback_share=0.05)
        for actor in piles(film):
            actor.claim("InternalError")
            film.run(40)
            if restart:
                film.started()
        film.run(1800)
        return [each.subject for each in film.journal if "drawn by lot" in each.text]

    expected = [f"I20260302-{number:06d}" for number in range(1, 13) if drawn(f"I20260302-{number:06d}", 0.05)]
    assert expected == [f"I20260302-{FIRST_DRAWN:06d}"]
    assert waiting(restart=False) == waiting(restart=True) == expected


# The breaker of a firmware --------------------------------------------------------------------------------------------


def test_a_firmware_that_fails_pauses_alone() -> None:
    film = lively(24, old=12, breaker_least=6)
    actors = piles(film)
    for actor in actors[:12]:
        actor.habits[Action.RESET_SOFT] = actor.cure
    for actor in actors[14:]:
        actor.habits[Action.RESET_SOFT] = actor.cure
    for actor in actors[12:14]:
        actor.habits[Action.RESET_HARD] = actor.stay_ill
    for actor in actors[12:18]:
        actor.claim("InternalError")

    def judged() -> list[Result | None]:
        return [each.result for each in film.attempts() if each.firmware == "0.9" and each.action in REBOOTS]

    film.until(lambda: judged().count(Result.FAILED) >= 2 and judged().count(Result.PASSED) >= 4, 2400, step_s=5)
    for actor in (*actors[18:21], *actors[:3]):
        actor.claim("InternalError")
    film.run(420)
    for actor in actors[18:21]:
        assert restarts(film, actor) == []
        refusal = newest(film, actor).refusals[-1]
        assert refusal.gate is Gate.BREAKER
        assert "of AC-7 0.9 by plan internal-error failed: they pause, others go on" in refusal.reason
    for actor in actors[:3]:
        assert restarts(film, actor) == [Action.RESET_SOFT], "the other firmware goes on"
    film.started()
    film.run(60)
    assert not any(restarts(film, actor) for actor in actors[18:21]), "a restart does not close it"
    film.run(1800)
    assert all(restarts(film, actor) for actor in actors[18:21]), "once the window has passed they may try again"
