"""Remote recovery, told as films: what cures, what does not, and what is never mistaken for a cure."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.core.film import START, Film
from triage.core.effects import Command
from triage.core.events import EffectOutcome, Event, FaultClaim
from triage.core.vocabulary import (
    Action,
    BootReason,
    CloseCode,
    ConnectorStatus,
    IncidentState,
    Mode,
    OrderReason,
    OrderState,
    Result,
)


@pytest.fixture
def film() -> Film:
    film = Film(1)
    film.pile().back()
    return film.run(1200)


def results(film: Film, *actions: Action) -> list[Result | None]:
    return [each.result for each in film.attempts() if each.action in actions]


def test_internal_error_is_cured_by_a_soft_reset(film: Film) -> None:
    film.pile().claim("InternalError")
    film.run(1200)
    incident = film.the_incident()
    assert incident.close_code is CloseCode.RECOVERED_REMOTELY
    assert [each.action for each in film.commands] == [Action.REPORT, Action.PULL_LOG, Action.RESET_SOFT]
    assert film.orders() == []
    assert film.states(incident.id)[-2:] == ["probation", "closed"]


def test_nothing_is_done_before_the_hold_time(film: Film) -> None:
    film.pile().claim("InternalError")
    film.run(119)
    assert film.commands == []
    assert film.the_incident().state is IncidentState.OBSERVING


def test_soft_fails_and_hard_cures(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.stay_ill
    actor.claim("InternalError")
    film.run(3000)
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY
    assert results(film, Action.RESET_SOFT, Action.RESET_HARD) == [Result.FAILED, Result.PASSED]
    soft, hard = film.sent()
    assert (hard.issued_at - soft.issued_at).total_seconds() >= 600
    assert film.orders() == []


def test_both_fail_and_one_order_says_so(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.stay_ill
    actor.claim("InternalError")
    film.run(6 * 3600)
    order = film.the_order()
    assert order.reason is OrderReason.REMOTE_FAILED
    assert "reset_soft failed" in order.reason_text
    assert "reset_hard failed" in order.reason_text
    assert len(film.sent()) == 2
    assert film.the_incident().state is IncidentState.FIELD


@pytest.mark.parametrize("habit", ["refuse", "unsupported"])
def test_a_device_that_says_no_ends_with_the_field(film: Film, habit: str) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = getattr(actor, habit)
    actor.claim("InternalError")
    film.run(6 * 3600)
    assert results(film, Action.RESET_SOFT, Action.RESET_HARD) == [Result.REFUSED, Result.REFUSED]
    assert film.the_order().reason is OrderReason.REMOTE_FAILED


def test_silence_after_a_reset_is_an_unknown_outcome(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.vanish
    actor.claim("InternalError")
    film.run(3600)
    assert film.the_order().reason is OrderReason.UNKNOWN_OUTCOME
    assert results(film, Action.RESET_SOFT) == [Result.UNKNOWN]
    assert len(film.sent()) == 1


def test_accepted_is_not_worked(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.accept_only
    actor.claim("InternalError")
    film.run(6 * 3600)
    assert results(film, Action.RESET_SOFT, Action.RESET_HARD) == [Result.FAILED, Result.FAILED]
    assert film.the_order().reason is OrderReason.REMOTE_FAILED


def test_a_fault_that_clears_by_itself_within_the_hold(film: Film) -> None:
    actor = film.pile()
    actor.claim("InternalError")
    film.run(60)
    actor.heal()
    film.run(600)
    assert film.the_incident().close_code is CloseCode.SELF_CLEARED
    assert film.commands == []


def test_a_fault_that_clears_during_an_attempt_without_a_boot_was_not_our_cure(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.accept_only
    actor.claim("InternalError")
    film.until(film.sent, 600)
    film.later(60, actor.heal)
    film.run(3600)
    assert film.all_incidents()[0].close_code is CloseCode.SELF_CLEARED
    assert results(film, Action.RESET_SOFT) == [Result.FAILED]
    assert film.orders() == []
    assert film.known().cures == ()


def test_a_reboot_of_its_own_before_anything_was_sent_is_no_recovery_of_ours(film: Film) -> None:
    actor = film.pile()
    actor.claim("InternalError")
    film.run(40)
    actor.restart(reason=BootReason.WATCHDOG)
    film.run(900)
    assert film.the_incident().close_code is CloseCode.SELF_CLEARED
    assert film.sent() == []


def test_a_relapse_within_the_soak_is_a_failed_attempt(film: Film) -> None:
    actor = film.pile()
    actor.claim("InternalError")
    film.until(lambda: film.the_incident().state is IncidentState.PROBATION, 900)
    film.run(40)
    actor.claim("InternalError")
    film.run(3600)
    assert results(film, Action.RESET_SOFT, Action.RESET_HARD) == [Result.FAILED, Result.PASSED]
    assert len(film.all_incidents()) == 1


@pytest.mark.parametrize("after_s", [60, 300, 1500])
def test_a_relapse_within_the_reopen_window_is_the_same_incident_and_the_next_step(film: Film, after_s: float) -> None:
    actor = film.pile()
    actor.claim("InternalError")
    film.until(lambda: not film.the_incident().open, 1200)
    film.run(after_s)
    actor.claim("InternalError")
    film.run(1500)
    incident = film.the_incident()
    assert incident.reopened == 1
    assert [each.action for each in film.sent()] == [Action.RESET_SOFT, Action.RESET_HARD], film.story()
    assert incident.close_code is CloseCode.RECOVERED_REMOTELY
    assert film.orders() == []


def test_a_relapse_after_the_window_but_within_a_day_goes_to_the_field(film: Film) -> None:
    actor = film.pile()
    actor.claim("InternalError")
    film.until(lambda: not film.the_incident().open, 1200)
    film.run(7200)
    actor.claim("InternalError")
    film.run(3600)
    first, second = film.all_incidents()
    assert not first.open
    assert second.state is IncidentState.FIELD
    assert len(film.sent()) == 1, "a second reset of the same trouble within a day is useless"
    assert "came back" in film.the_order().reason_text


def test_a_relapse_after_more_than_a_day_is_a_new_story(film: Film) -> None:
    actor = film.pile()
    actor.claim("InternalError")
    film.until(lambda: not film.the_incident().open, 1200)
    film.run(25 * 3600)
    actor.claim("InternalError")
    film.run(3600)
    assert film.orders() == []
    assert len(film.sent()) == 2


def test_a_stuck_lock_is_unlocked_first(film: Film) -> None:
    actor = film.pile()

    def release(command: Command) -> None:
        actor.answer(command)
        actor.heal()

    actor.habits[Action.UNLOCK] = release
    actor.claim("ConnectorLockFailure")
    film.run(1800)
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY
    assert film.sent() == []
    assert [each.connector for each in film.sent(Action.UNLOCK)] == [1]


def test_a_lock_that_stays_stuck_is_reset_once_and_then_visited(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.UNLOCK] = actor.refuse
    actor.habits[Action.RESET_SOFT] = actor.stay_ill
    actor.claim("ConnectorLockFailure")
    film.run(3600)
    acts = [each.action for each in film.commands]
    assert acts.index(Action.UNLOCK) < acts.index(Action.RESET_SOFT)
    assert film.the_order().reason is OrderReason.REMOTE_FAILED


def test_an_unknown_code_is_never_reset(film: Film) -> None:
    actor = film.pile()
    actor.claim("XJ-4711")
    film.run(8 * 3600)
    assert film.sent(Action.UNLOCK, Action.STOP_SESSION, Action.RESET_SOFT, Action.RESET_HARD, Action.POWER_CYCLE) == []
    assert film.the_order().reason is OrderReason.DESK_DECISION


def test_an_unknown_code_beside_a_known_one_forbids_the_reset(film: Film) -> None:
    actor = film.pile()
    actor.faults.append(FaultClaim(code="XJ-4711", connector=1))
    actor.claim("InternalError")
    film.run(4 * 3600)
    assert film.sent() == []


def test_failed_hardware_is_visited_for_its_own_reason(film: Film) -> None:
    """Only a question was asked: the order must not say that a remote recovery failed (I8)."""
    film.pile().claim("MeterDead")
    film.run(3600)
    assert film.sent() == []
    assert film.the_order().reason is OrderReason.PHYSICAL_DAMAGE


def test_heat_is_waited_for(film: Film) -> None:
    actor = film.pile()
    actor.claim("HighTemperature")
    film.run(5400)
    assert film.sent() == []
    assert film.orders() == [], "the plan waits, and asks again, until it has cooled or the hold ends"
    actor.heal()
    film.run(2400)
    assert film.all_incidents()[0].close_code is CloseCode.SELF_CLEARED


def test_no_reset_while_hot_nor_in_the_first_quarter_of_an_hour_after(film: Film) -> None:
    actor = film.pile()
    actor.faults.append(FaultClaim(code="HighTemperature", connector=1))
    actor.claim("InternalError")
    film.run(1800)
    assert film.sent() == []
    actor.faults = [each for each in actor.faults if each.code == "InternalError"]
    cooled = film.now
    actor.speak()
    film.until(film.sent, 3600)
    assert (film.sent()[0].issued_at - cooled).total_seconds() >= 900


def test_a_pile_that_comes_and_goes_is_not_fed_with_resets(film: Film) -> None:
    actor = film.pile()
    for _ in range(12):
        actor.claim("InternalError")
        film.run(20)
        actor.heal()
        film.run(180)
    assert film.sent() == []
    assert any(each.family == "flapping" for each in film.all_incidents())


def test_a_fault_that_returns_after_healing_by_itself_gets_its_hold_time_again(film: Film) -> None:
    actor = film.pile()
    actor.claim("InternalError")
    film.run(20)
    actor.heal()
    film.run(30)
    actor.claim("InternalError")
    film.run(100)
    assert film.sent() == [], "the second claim is 100 s old, below its hold of 120 s"


def test_stuck_preparing_without_a_session(film: Film) -> None:
    actor = film.pile()
    actor.show(ConnectorStatus.PREPARING)
    film.run(880)
    assert film.incidents() == []
    film.run(1800)
    assert film.all_incidents()[0].family == "session_stuck"
    acts = [each.action for each in film.commands]
    assert acts[0] is Action.REPORT
    assert acts.index(Action.UNLOCK) < acts.index(Action.RESET_SOFT)
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY


def test_a_lost_attempt_is_neither_failed_nor_sent_again(film: Film) -> None:
    """The process died around the send: the step is decided anew, as a new attempt with a new id."""
    actor = film.pile()
    film.dispatch = lambda command: (
        ("lost", "")
        if len(film.sent()) == 1 and command.action is Action.RESET_SOFT
        else (
            "sent",
            "",
        )
    )
    actor.claim("InternalError")
    film.until(film.sent, 600)
    film.started()
    film.run(3600)
    assert results(film, Action.RESET_SOFT) == [Result.UNKNOWN, Result.PASSED]
    first, second = film.sent()
    assert first.id != second.id
    assert (second.issued_at - first.issued_at).total_seconds() >= 600
    assert film.orders() == []
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY


def test_a_lost_attempt_that_did_boot_is_judged_by_its_evidence(film: Film) -> None:
    actor = film.pile()
    film.dispatch = lambda command: ("lost", "") if command.action is Action.RESET_SOFT else ("sent", "")
    actor.claim("InternalError")
    film.until(film.sent, 600)
    film.later(5, actor.restart)
    film.started()
    film.run(1800)
    assert results(film, Action.RESET_SOFT) == [Result.PASSED]
    assert len(film.sent()) == 1


def test_a_second_look_refusal_is_no_attempt(film: Film) -> None:
    actor = film.pile()
    refusals = iter(["a session has begun"])

    def dispatch(command: object) -> tuple[str, str]:
        if getattr(command, "action", None) is Action.RESET_SOFT and (why := next(refusals, "")):
            return "not_sent", why
        return "sent", ""

    film.dispatch = dispatch
    actor.claim("InternalError")
    film.run(1800)
    assert [each.left for each in film.attempts() if each.action is Action.RESET_SOFT] == [False, True]
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY
    assert any(each.gate == "second_look" for each in film.all_incidents()[0].refusals)


def test_a_second_look_that_always_refuses_ends_with_a_person(film: Film) -> None:
    film.dispatch = lambda command: ("not_sent", "no") if command.action is Action.RESET_SOFT else ("sent", "")
    film.pile().claim("InternalError")
    film.run(12 * 3600)
    incident = film.all_incidents()[0]
    assert incident.state in {IncidentState.DESK, IncidentState.FIELD}, film.story()
    assert len(incident.attempts) <= 60
    assert film.the_order().reason is not OrderReason.REMOTE_FAILED


def test_an_answer_that_comes_late_does_not_count(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = lambda command: film.later(1000, lambda: actor.answer(command))
    actor.claim("InternalError")
    film.until(film.sent, 600)
    film.run(500)
    before = [each.result for each in film.attempts() if each.action is Action.RESET_SOFT]
    film.run(1000)
    after = [each.result for each in film.attempts() if each.action is Action.RESET_SOFT]
    assert before == after == [Result.FAILED]


def test_the_fault_is_back_before_the_pile_is_heard_again(film: Film) -> None:
    """A boot with the fault still there is judged after the boot has settled, not at its first message."""
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.stay_ill
    actor.claim("InternalError")
    film.until(film.sent, 600)
    film.run(60)
    assert [each.result for each in film.attempts() if each.action is Action.RESET_SOFT] == [None]


def test_evidence_must_be_newer_than_the_command(film: Film) -> None:
    """A reading taken before the reset, arriving after it, proves nothing."""
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.ignore
    actor.claim("InternalError")
    film.until(film.sent, 600)
    old = actor.message(faults=(), seq=actor.seq - 3)
    film.play(old)
    assert film.the_incident().state is IncidentState.RECOVERING
    assert film.the_incident().under_way is not None


def test_a_disabled_plan_sends_nothing() -> None:
    film = Film(1, plan_mode=Mode.DISABLED)
    film.pile().back()
    film.run(1200)
    film.pile().claim("InternalError")
    film.run(3600)
    assert film.commands == []
    assert any(each.gate == "plan_mode" for each in film.all_incidents()[0].refusals)


def test_shadow_sends_nothing_and_says_what_it_would_have_sent() -> None:
    film = Film(1, mode=Mode.SHADOW)
    film.pile().back()
    film.run(1200)
    film.pile().claim("InternalError")
    film.run(3600)
    assert film.commands == []
    assert "would have sent" in film.all_incidents()[0].refusals[0].reason


def test_the_fleet_is_never_told_more_than_what_is_registered(film: Film) -> None:
    stranger = film.pile().message(pile="P99")
    film.play(stranger)
    assert ("S1", "P99") in film.engine.state.unregistered
    film.play(film.pile().message(site="S2"))
    assert ("S2", "P1") in film.engine.state.unregistered
    assert film.incidents() == []


def test_time_starts_where_the_film_does(film: Film) -> None:
    assert (film.now - START).total_seconds() == 1200
    assert film.orders() == []
    assert not any(order.state is OrderState.ISSUED for order in film.orders())


def test_a_stop_that_may_never_have_left_has_cured_nothing(film: Film) -> None:
    """The process died around the send, and the driver unplugged meanwhile."""
    actor = film.pile()
    film.dispatch = lambda command: ("lost", "") if command.action is Action.STOP_SESSION else ("sent", "")
    actor.show(ConnectorStatus.FINISHING)
    film.until(lambda: Action.STOP_SESSION in [each.action for each in film.commands], 3600)
    actor.show(ConnectorStatus.AVAILABLE)
    film.run(1800)
    assert results(film, Action.STOP_SESSION) == [Result.UNKNOWN]
    assert film.all_incidents()[0].close_code is CloseCode.SELF_CLEARED


def test_a_reset_that_left_late_keeps_the_next_one_at_its_distance(film: Film) -> None:
    """Its commit took its time: what counts is when the pile got it, not when it was decided."""
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.stay_ill
    play = film.play

    def delayed(event: Event) -> Any:
        if isinstance(event, EffectOutcome) and event.outcome == "sent" and not film.known().resets[1:]:
            film.now += timedelta(seconds=50)
        return play(event)

    film.play = delayed  # type: ignore[method-assign]
    actor.claim("InternalError")
    film.run(3600)
    soft, hard = film.sent()
    assert (hard.issued_at - soft.issued_at).total_seconds() >= 600 + 50
