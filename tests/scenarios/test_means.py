"""What a model can be told to do, told as films: impossible steps, pseudo-resets, and the feeding switch."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from tests.unit.core.film import Actor, Film, pile
from triage.core.effects import Command
from triage.core.events import CommandWanted, EffectOutcome, Registration
from triage.core.means import POWER_SWITCH, Dialect, way
from triage.core.vocabulary import (
    REBOOTS,
    Action,
    BootReason,
    CloseCode,
    ConnectorStatus,
    Gate,
    IncidentState,
    OrderReason,
    Result,
)

SWITCH = "tasmota_switch@plug7#1"
NOTHING = Dialect(driver="mqtt", boots={}, restarts_seen=False)
NATIVE = Dialect(driver="mqtt", boots={action: action in REBOOTS for action in Action})
READS = {Action.REPORT: False}


def film_of(dialect: Dialect, fleet: Iterable[Registration]) -> Film:
    film = Film(fleet)
    film.engine.rules = film.rules = replace(film.rules, dialects={"box/v1": dialect, "pile/v1": NATIVE})
    for actor in film.actors.values():
        actor.back()
    return film.run(1200)


def boxes(count: int = 1, switch: str = "", **changes: object) -> list[Registration]:
    return [replace(pile(n), profile="box/v1", power_switch=switch, **changes) for n in range(1, count + 1)]


def cycled(actor: Actor, *others: Actor) -> None:
    """The switch takes the power away, and everything behind it starts again well."""

    def cut(command: Command) -> None:
        actor.answer(command)
        for each in (actor, *others):
            each.restart()

    actor.habits[Action.POWER_CYCLE] = cut


def test_a_model_without_any_remedy_goes_to_the_field_for_want_of_a_channel() -> None:
    film = film_of(replace(NOTHING, boots=READS), boxes())
    film.pile().claim("InternalError")
    film.run(1200)
    assert [each.action for each in film.commands] == [Action.REPORT]
    assert film.the_order().reason is OrderReason.NO_REMOTE_CHANNEL
    assert "reset_soft, reset_hard" in film.the_order().reason_text
    skipped = [line.text for line in film.journal if line.kind == "skipped"]
    assert len(skipped) == 3
    assert all("box/v1" in text for text in skipped)


def test_impossible_steps_are_skipped_and_the_possible_one_cures() -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS | {Action.RESET_HARD: True}), boxes())
    film.pile().claim("InternalError")
    film.run(1800)
    assert [each.action for each in film.commands] == [Action.REPORT, Action.RESET_HARD]
    assert film.the_incident().close_code is CloseCode.RECOVERED_REMOTELY


def test_a_pseudo_reset_is_proven_by_its_own_read_back_and_the_fault_gone() -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS | {Action.RESET_SOFT: False}, restarts_seen=False), boxes())
    actor = film.pile()

    def relock(command: Command) -> None:
        film.later(12, lambda: actor.answer(command))
        film.later(12, actor.heal)

    actor.habits[Action.RESET_SOFT] = relock
    actor.claim("InternalError")
    film.run(1800)
    attempt = film.attempts()[-1]
    assert (attempt.action, attempt.result, attempt.boots) == (Action.RESET_SOFT, Result.PASSED, False)
    assert film.the_incident().close_code is CloseCode.RECOVERED_REMOTELY


def test_a_pseudo_reset_that_was_only_accepted_proves_nothing() -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS | {Action.RESET_SOFT: False}, restarts_seen=False), boxes())
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.accept_only
    actor.claim("InternalError")
    film.run(3600)
    assert [each.result for each in film.attempts() if each.action is Action.RESET_SOFT] == [Result.FAILED]
    assert film.the_order().reason is OrderReason.REMOTE_FAILED


@pytest.mark.parametrize(
    ("uptime_s", "result"), [(None, Result.FAILED), (90_000.0, Result.FAILED), (5.0, Result.PASSED)]
)
def test_a_boot_counter_that_is_told_for_the_first_time_proves_no_boot(uptime_s: float | None, result: Result) -> None:
    film = Film(boxes())
    dialect = Dialect(driver="mqtt", boots=READS | {Action.RESET_HARD: True})
    film.engine.rules = film.rules = replace(film.rules, dialects={"box/v1": dialect})
    actor = film.pile()
    assert film.known().boot_id is None

    def born() -> None:
        film.play(replace(actor.birth(), boot_id="17", received_at=film.now))

    def told() -> None:
        film.play(replace(actor.message(), uptime_s=uptime_s, received_at=film.now))

    def count(command: Command) -> None:
        actor.answer(command)
        film.later(20, born)
        film.later(25, actor.heal)
        film.later(25, told)

    actor.habits[Action.RESET_HARD] = count
    film.run(60)
    actor.claim("InternalError")
    film.run(1800)
    attempt = next(each for each in film.attempts() if each.action is Action.RESET_HARD)
    assert attempt.boot_before is None
    assert attempt.result is result


def test_a_hard_reset_is_done_by_the_switch_where_the_model_has_none() -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS), boxes(switch=SWITCH))
    cycled(film.pile())
    film.pile().claim("InternalError")
    film.run(1800)
    sent = film.sent()
    assert [(each.action, each.driver_profile) for each in sent] == [(Action.POWER_CYCLE, POWER_SWITCH)]
    assert film.the_incident().close_code is CloseCode.RECOVERED_REMOTELY


@pytest.mark.parametrize(
    "status", [ConnectorStatus.CHARGING, ConnectorStatus.SUSPENDED_EV, ConnectorStatus.PREPARING, None]
)
def test_the_switch_stays_on_while_a_neighbour_behind_it_is_not_idle(status: ConnectorStatus | None) -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS), boxes(3, SWITCH))
    first, second, third = (film.pile(f"P{n}") for n in (1, 2, 3))
    cycled(first, second, third)
    if status is None:
        second.session_known = False
        second.speak()
    else:
        second.show(status, session="s1" if status is not ConnectorStatus.PREPARING else None)
    first.claim("InternalError")
    film.run(600)
    assert film.sent() == []
    refusal = film.the_incident().refusals[-1]
    assert refusal.gate is Gate.SESSION
    assert "P2 has its power from the same switch" in refusal.reason
    second.session_known = True
    second.show(ConnectorStatus.AVAILABLE)
    film.run(1800)
    assert [each.action for each in film.sent()] == [Action.POWER_CYCLE]


def test_the_switch_stays_on_while_a_neighbour_is_hurt() -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS), boxes(2, SWITCH))
    film.pile("P2").claim("GroundFailure")
    film.run(60)
    film.pile("P1").claim("InternalError")
    film.run(1800)
    assert film.sent() == []
    refusals = [each for incident in film.all_incidents() for each in incident.refusals if incident.pile == "P1"]
    assert refusals[-1].gate in {Gate.SAFETY, Gate.SERVICED}


def test_a_cycle_that_nobody_saw_end_stays_on_record_until_it_has_ended() -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS), boxes(switch=SWITCH))
    film.pile().habits[Action.POWER_CYCLE] = lambda _: setattr(film.pile(), "talks", False)
    film.pile().claim("InternalError")
    film.run(7200)
    attempt = next(each for each in film.attempts() if each.action is Action.POWER_CYCLE)
    assert attempt.result is not None
    assert attempt.id in film.engine.state.outbox, "who starts again would not know what is still dark"
    film.play(EffectOutcome(received_at=film.now, effect=attempt.id, outcome="restored"))
    assert attempt.id not in film.engine.state.outbox


def test_the_switch_stays_on_while_a_neighbour_updates_its_firmware() -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS), boxes(2, SWITCH))
    film.pile("P2").restart(reason=BootReason.FIRMWARE_UPDATE, cure=False, after_s=10)
    film.run(20)
    film.pile("P1").claim("InternalError")
    film.run(200)
    assert film.sent() == []
    refusals = [each for incident in film.all_incidents() for each in incident.refusals if incident.pile == "P1"]
    assert refusals[-1].gate is Gate.FIRMWARE
    assert "P2" in refusals[-1].reason


def test_the_switch_stays_on_while_a_neighbour_cools_down() -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS), boxes(2, SWITCH))
    film.pile("P2").claim("HighTemperature")
    film.run(10)
    film.pile("P2").heal()
    film.pile("P1").claim("InternalError")
    film.run(300)
    assert film.sent() == []
    refusals = [each for incident in film.all_incidents() for each in incident.refusals if incident.pile == "P1"]
    assert refusals[-1].gate is Gate.SAFETY
    assert "P2" in refusals[-1].reason


def test_a_person_is_told_that_a_model_cannot_do_it() -> None:
    film = film_of(NOTHING, boxes())
    wish = CommandWanted(received_at=film.now, pile="P1", action=Action.UNLOCK, connector=1, reason="stuck", key="k")
    answer = film.ask(wish)
    assert answer.status == 409
    assert "box/v1 has no unlock" in answer.body["detail"]
    assert film.commands == []


def test_one_drivers_lost_link_does_not_deafen_the_others() -> None:
    film = film_of(Dialect(driver="modbus", boots=READS), [*boxes(1), pile(2)])
    film.engine.state.listening["modbus"] = None
    film.pile("P2").claim("InternalError")
    film.run(600)
    assert [(each.pile, each.action) for each in film.commands][:1] == [("P2", Action.REPORT)]


def test_ways() -> None:
    native, switched = pile(1), replace(pile(1), power_switch=SWITCH)
    assert way({}, native, Action.RESET_HARD) == way({}, switched, Action.RESET_HARD)
    cycle = way({}, native, Action.POWER_CYCLE)
    assert cycle is not None
    assert cycle.profile == native.profile
    by_switch = way({}, switched, Action.POWER_CYCLE)
    assert by_switch is not None
    assert by_switch.profile == POWER_SWITCH
    box = replace(switched, profile="box/v1")
    assert way({"box/v1": NOTHING}, box, Action.RESET_SOFT) is None
    hard = way({"box/v1": NOTHING}, box, Action.RESET_HARD)
    assert hard is not None
    assert (hard.action, hard.boots) == (Action.POWER_CYCLE, False)


def test_an_unclassified_fault_of_a_model_without_restart_goes_to_the_field() -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS | {Action.STOP_SESSION: False}), boxes())
    film.pile().claim("error 77")
    film.run(3600)
    assert film.the_order().reason is OrderReason.NO_REMOTE_CHANNEL
    assert "error 77" in film.the_order().reason_text
    assert [each.action for each in film.commands] == [Action.REPORT]


def test_an_unclassified_fault_of_a_model_with_a_restart_is_for_the_desk() -> None:
    film = film_of(Dialect(driver="mqtt", boots=READS | {Action.RESET_HARD: True}), boxes())
    film.pile().claim("error 77")
    film.run(900)
    assert film.the_incident().state is IncidentState.DESK
    assert film.sent() == []


def test_a_connector_that_is_none_is_told_as_such() -> None:
    film = film_of(NATIVE, [pile(1, connectors=2)])
    wish = CommandWanted(received_at=film.now, pile="P1", action=Action.UNLOCK, connector=3, reason="stuck", key="k")
    answer = film.ask(wish)
    assert answer.status == 422
    assert "has 2 connector(s)" in answer.body["detail"]
