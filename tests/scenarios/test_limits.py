"""Limits: maintenance, kill switch, modes and approval, spacing, budgets and the breaker."""

from datetime import timedelta

import pytest

from tests.unit.core.film import Film, fleet, pile
from triage.core.events import CommandWanted, KillSwitch, SilenceLifted, SilenceSet
from triage.core.vocabulary import (
    REBOOTS,
    Action,
    CloseCode,
    ConnectorStatus,
    Gate,
    IncidentState,
    Mode,
    OrderReason,
    Result,
)


def lively(piles: object = 1, **policy: object) -> Film:
    film = Film(piles, **policy)  # type: ignore[arg-type]
    for actor in film.actors.values():
        actor.back()
    return film.run(1200)


def silence(film: Film, hours: float, **scope: str) -> str:
    answer = film.ask(
        SilenceSet(
            received_at=film.now,
            starts_at=film.now,
            ends_at=film.now + timedelta(hours=hours),
            reason="works",
            actor="ops",
            **scope,
        )
    )
    assert answer.status == 201
    return str(answer.body["id"])


def kill(film: Film, *, on: bool) -> None:
    assert film.ask(KillSwitch(received_at=film.now, on=on, reason="drill", actor="ops")).status == 200


def gates(film: Film) -> set[Gate]:
    return {refusal.gate for incident in film.all_incidents() for refusal in incident.refusals}


@pytest.mark.parametrize("scope", [{"pile": "P1"}, {"site": "S1"}, {"region": "north"}])
def test_maintenance_stops_everything_until_it_ends(scope: dict[str, str]) -> None:
    film = lively()
    silence(film, 1, **scope)
    film.pile().claim("InternalError")
    film.run(3500)
    assert film.commands == []
    assert Gate.SILENCE in gates(film)
    film.run(1800)
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY


def test_maintenance_elsewhere_stops_nothing() -> None:
    film = lively()
    silence(film, 1, site="S2")
    film.pile().claim("InternalError")
    film.run(1200)
    assert len(film.sent()) == 1


def test_maintenance_that_is_lifted_is_over() -> None:
    film = lively()
    id = silence(film, 5, pile="P1")
    film.pile().claim("InternalError")
    film.run(600)
    assert film.ask(SilenceLifted(received_at=film.now, silence=id, actor="ops")).status == 200
    film.run(900)
    assert len(film.sent()) == 1


@pytest.mark.parametrize("scopes", [{}, {"pile": "P1", "site": "S1"}, {"pile": "P1", "site": "S1", "region": "north"}])
def test_maintenance_names_exactly_one_scope(scopes: dict[str, str]) -> None:
    film = lively()
    event = SilenceSet(
        received_at=film.now,
        starts_at=film.now,
        ends_at=film.now + timedelta(hours=1),
        reason="x",
        **scopes,
    )
    assert film.ask(event).status == 422


def test_maintenance_that_ends_before_it_begins_is_refused() -> None:
    film = lively()
    event = SilenceSet(
        received_at=film.now, starts_at=film.now, ends_at=film.now - timedelta(hours=1), reason="x", pile="P1"
    )
    assert film.ask(event).status == 422


def test_the_kill_switch_lets_nothing_through_and_intake_goes_on() -> None:
    film = lively(3)
    kill(film, on=True)
    for actor in film.actors.values():
        actor.claim("InternalError")
    assert film.complain("the charger shows an error and will not start").status == 201
    film.run(3600)
    assert [each for each in film.commands if each.action not in {Action.REPORT, Action.PULL_LOG}] == []
    assert Gate.KILL_SWITCH in gates(film)
    assert film.complain("still not starting", pile="P2").status == 201
    kill(film, on=False)
    film.run(2400)
    assert len(film.sent()) == 3


def test_the_kill_switch_survives_a_restart() -> None:
    film = lively()
    kill(film, on=True)
    film.started()
    film.pile().claim("InternalError")
    film.run(3600)
    assert film.sent() == []


@pytest.mark.parametrize("minutes", [1, 10, 25])
def test_a_reset_waits_for_approval_and_then_happens(minutes: int) -> None:
    film = lively(mode=Mode.APPROVE)
    film.pile().claim("InternalError")
    film.until(lambda: film.incidents()[0].state is IncidentState.DESK, 600)
    assert film.sent() == []
    film.run(60 * minutes)
    assert film.act(film.incidents()[0].id, "approve").status == 200
    film.run(900)
    assert [each.action for each in film.sent()] == [Action.RESET_SOFT], film.story()
    assert film.all_incidents()[0].approved_by == "ops"
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY


def test_an_approval_expires() -> None:
    film = lively(mode=Mode.APPROVE, approval_s=300, desk_s=7200)
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.stay_ill
    actor.claim("InternalError")
    film.until(lambda: film.incidents()[0].state is IncidentState.DESK, 600)
    film.act(film.incidents()[0].id, "approve")
    film.run(1800)
    assert [each.action for each in film.sent()] == [Action.RESET_SOFT], "the second needs an approval of its own"
    assert film.incidents(open=True)[0].state is IncidentState.DESK


def test_nobody_approves_and_the_desk_escalates() -> None:
    film = lively(mode=Mode.APPROVE)
    film.pile().claim("InternalError")
    film.run(2 * 3600)
    assert film.sent() == []
    assert film.the_order().reason is OrderReason.DESK_DECISION


def test_the_policy_is_the_ceiling_over_a_live_plan_and_the_plan_under_a_live_policy() -> None:
    for policy, plan in ((Mode.SHADOW, Mode.LIVE), (Mode.LIVE, Mode.SHADOW), (Mode.APPROVE, Mode.SHADOW)):
        film = lively(mode=policy, plan_mode=plan)
        film.pile().claim("InternalError")
        film.run(1800)
        assert film.commands == []


def test_resets_of_one_pile_keep_their_distance() -> None:
    film = lively()
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.stay_ill
    actor.claim("InternalError")
    film.run(7200)
    first, second = [each.issued_at for each in film.sent()]
    assert second - first >= timedelta(seconds=600)


def test_a_pile_gets_no_more_than_its_resets_a_day() -> None:
    """Different connectors, families and incidents: the device does not care which of them wanted the restart."""
    film = lively([pile(1, connectors=4)])
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.stay_ill
    actor.habits[Action.UNLOCK] = actor.refuse
    for number in (1, 2, 3, 4):
        actor.claim("InternalError" if number % 2 else "ConnectorLockFailure", connector=number)
        film.run(3 * 3600)
    assert len(film.sent()) <= 3


def test_two_resets_an_incident() -> None:
    film = lively(resets_per_pile_day=10)
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.stay_ill
    actor.claim("InternalError")
    film.run(3600)
    film.order_act(film.the_order().id, "return", reason="try again")
    film.act(film.incidents(open=True)[0].id, "retry")
    film.run(3 * 3600)
    assert len(film.sent()) == 2


def test_one_pile_of_a_site_restarts_at_a_time() -> None:
    film = lively(6)
    for actor in film.actors.values():
        actor.claim("InternalError")
    busy: set[str] = set()

    def watch(film: Film) -> None:
        under_way = {
            each.pile
            for each in film.incidents(open=True)
            if each.under_way is not None and each.under_way.action in REBOOTS
        }
        assert len(under_way) <= 1, under_way
        busy.update(under_way)

    film.checks.append(watch)
    film.run(3 * 3600)
    assert len(busy) == 6
    assert {each.close_code for each in film.all_incidents()} == {CloseCode.RECOVERED_REMOTELY}


def test_a_storm_over_many_sites_stays_within_the_fleets_budget() -> None:
    film = lively(fleet(40, sites=40))
    for actor in film.actors.values():
        actor.claim("InternalError")
    film.run(5 * 3600)
    times = [each.issued_at for each in film.sent()]
    assert len(times) >= 30
    for at in times:
        assert sum(at <= other < at + timedelta(seconds=60) for other in times) <= 10
        assert sum(at <= other < at + timedelta(seconds=3600) for other in times) <= 10


def test_budgets_hold_over_a_restart_of_the_daemon() -> None:
    film = lively(fleet(30, sites=30))
    for actor in film.actors.values():
        actor.claim("InternalError")
    for _ in range(20):
        film.run(240)
        film.started()
    times = [each.issued_at for each in film.sent()]
    assert times
    for at in times:
        assert sum(at <= other < at + timedelta(seconds=3600) for other in times) <= 10


def test_the_breaker_opens_when_resets_do_not_help() -> None:
    film = lively(fleet(14, sites=14), fleet_hour_floor=100)
    for actor in film.actors.values():
        actor.habits[Action.RESET_SOFT] = actor.stay_ill
        actor.habits[Action.RESET_HARD] = actor.stay_ill
    for actor in list(film.actors.values())[:7]:
        actor.claim("InternalError")
    film.until(
        lambda: sum(each.result is Result.FAILED and each.action in REBOOTS for each in film.attempts()) >= 6, 3600
    )
    sent = len(film.sent())
    for actor in list(film.actors.values())[7:]:
        actor.claim("InternalError")
    film.run(300)
    assert len(film.sent()) == sent
    assert Gate.BREAKER in gates(film)


def test_what_never_left_says_nothing_about_whether_resets_help() -> None:
    film = lively(fleet(10, sites=10), fleet_hour_floor=100)
    film.dispatch = lambda command: (
        ("not_sent", "second look") if command.action in REBOOTS and command.pile != "P10" else ("sent", "")
    )
    for actor in list(film.actors.values())[:9]:
        actor.claim("InternalError")
    film.run(400)
    film.pile("P10").claim("InternalError")
    film.run(600)
    assert Gate.BREAKER not in gates(film), "the breaker weighs verified resets"


def test_enough_piles_of_a_site_must_go_on_serving() -> None:
    film = lively(2, minimum_available=2)
    film.pile().claim("ReaderFailure")
    film.run(3000)
    assert film.sent() == []
    assert Gate.MINIMUM_AVAILABLE in gates(film)


@pytest.mark.parametrize("action", [Action.RESET_SOFT, Action.RESET_HARD, Action.POWER_CYCLE, Action.UNLOCK])
def test_a_persons_own_command_passes_the_same_gates(action: Action) -> None:
    def want(film: Film) -> int:
        event = CommandWanted(received_at=film.now, pile="P1", action=action, connector=1, reason="x", actor="ops")
        return film.ask(event).status

    film = lively()
    kill(film, on=True)
    assert want(film) == 409
    film = lively()
    film.pile().claim("GroundFailure")
    assert want(film) == 409
    film = lively()
    film.pile().show(ConnectorStatus.CHARGING, session="s1")
    assert want(film) == 409
    film = lively()
    silence(film, 1, pile="P1")
    assert want(film) == 409
    film = lively()
    film.link(up=False)
    assert want(film) == 409
    film = lively()
    assert want(film) == 202
    assert len(film.sent(action)) == 1


def test_a_command_that_was_refused_sends_nobody_anywhere() -> None:
    film = lively()
    film.link(up=False)
    event = CommandWanted(received_at=film.now, pile="P1", action=Action.RESET_SOFT, reason="x", actor="ops")
    assert film.ask(event).status == 409
    film.pile().talks = False
    film.run(8 * 3600)
    assert film.orders() == []


def test_strangers_are_never_commanded() -> None:
    film = lively()
    event = CommandWanted(received_at=film.now, pile="P77", action=Action.REPORT, reason="x", actor="ops")
    assert film.ask(event).status == 404
    assert film.commands == []
