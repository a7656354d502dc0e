"""The field: one order an incident, its life, and the proof that ends it."""

import pytest

from tests.unit.core.film import Film, pile
from triage.core.vocabulary import (
    Action,
    CloseCode,
    IncidentState,
    OrderReason,
    OrderState,
)


@pytest.fixture
def film() -> Film:
    """An internal error that no reset has cured: one order is open."""
    film = Film(1)
    actor = film.pile()
    actor.back()
    film.run(1200)
    actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.refuse
    actor.claim("InternalError")
    film.until(film.orders, 3600)
    return film


def acts(film: Film, *names: str) -> None:
    for name in names:
        answer = film.order_act(film.the_order().id, name)
        assert answer.status == 200, answer
        film.run(60)


def test_an_order_carries_why_and_what_was_tried(film: Film) -> None:
    order = film.the_order()
    assert order.reason is OrderReason.REMOTE_FAILED
    assert order.team == "field"
    text = "\n".join(order.evidence)
    assert "InternalError" in text
    assert "reset_soft" in text
    assert order.parts_guess
    assert [clock.name for clock in order.clocks] == ["accept", "on_site"]
    assert [notice.change for notice in film.notices] == ["issued"]


def test_the_whole_way_to_a_proven_repair(film: Film) -> None:
    acts(film, "accept", "depart", "arrive", "wait", "arrive")
    film.pile().heal()
    assert film.order_act(film.the_order().id, "done", cause="board", work="swapped", parts=("SN1",)).status == 200
    assert film.the_order().state is OrderState.DONE
    film.run(600)
    assert film.the_order().state is OrderState.CLOSED
    incident = film.all_incidents()[0]
    assert incident.close_code is CloseCode.REPAIRED
    assert film.the_order().visits[-1].parts == ("SN1",)
    assert all(clock.met_at is not None and clock.breached_at is None for clock in film.the_order().clocks)


def test_done_is_not_proven_by_telemetry_from_before_it(film: Film) -> None:
    acts(film, "accept", "arrive")
    film.pile().heal()
    film.pile().talks = False
    film.order_act(film.the_order().id, "done")
    film.run(100)
    assert film.the_order().state is OrderState.DONE


def test_done_without_proof_is_issued_again(film: Film) -> None:
    acts(film, "accept", "arrive", "done")
    film.run(2400)
    order = film.the_order()
    assert order.state is OrderState.ISSUED
    assert order.second_visits == 1
    assert any(
        clock.name == "accept" and clock.due_at > film.now - film.engine.rules.policy.span("day")
        for clock in order.clocks
    )
    assert film.notices[-1].change == "reissue"


def test_no_fault_found_is_said_so(film: Film) -> None:
    acts(film, "accept", "arrive")
    film.pile().heal()
    film.order_act(film.the_order().id, "done", no_fault_found=True)
    film.run(900)
    assert film.all_incidents()[0].close_code is CloseCode.NO_FAULT_FOUND


def test_incomplete_means_a_second_visit_with_new_clocks(film: Film) -> None:
    acts(film, "accept", "arrive", "incomplete")
    order = film.the_order()
    assert order.state is OrderState.ISSUED
    assert order.second_visits == 1
    assert all(clock.met_at is None for clock in order.clocks)


def test_a_returned_order_is_a_persons_case_and_dispatched_again(film: Film) -> None:
    acts(film, "return")
    incident = film.the_incident()
    assert incident.state is IncidentState.DESK
    assert film.act(incident.id, "dispatch").status == 200
    assert film.the_order().state is OrderState.ISSUED
    assert film.the_incident().state is IncidentState.FIELD


def test_a_returned_order_that_nobody_decides_about_is_issued_again(film: Film) -> None:
    acts(film, "return")
    film.run(3600)
    assert film.the_order().state is OrderState.ISSUED


@pytest.mark.parametrize("act", ["hold", "retry"])
def test_a_returned_order_is_never_left_behind_by_its_incident(film: Film, act: str) -> None:
    """I3: no incident ends by itself while its order is still with somebody."""
    acts(film, "return")
    film.act(film.the_incident().id, act)
    film.run(120)
    film.pile().heal()
    film.run(6 * 3600)
    incident, order = film.all_incidents()[0], film.the_order()
    assert incident.open or not order.open, f"{incident.state} {incident.close_code}, order {order.state}"


def test_a_pile_that_heals_before_departure_recalls_the_team(film: Film) -> None:
    acts(film, "accept")
    film.pile().heal()
    film.run(600)
    assert film.the_order().state is OrderState.RECALLED
    assert film.all_incidents()[0].close_code is CloseCode.SELF_CLEARED
    assert film.notices[-1].change == "recall"


def test_healing_must_last_before_the_team_is_recalled(film: Film) -> None:
    film.pile().heal()
    film.run(60)
    film.pile().claim("InternalError")
    film.run(600)
    assert film.the_order().state is OrderState.ISSUED


def test_a_team_that_has_departed_is_not_recalled(film: Film) -> None:
    acts(film, "accept", "depart")
    film.pile().heal()
    film.run(4 * 3600)
    assert film.the_order().state is OrderState.EN_ROUTE


def test_silence_recalls_nobody(film: Film) -> None:
    film.pile().faults.clear()
    film.pile().talks = False
    film.run(3600)
    assert all(order.state is not OrderState.RECALLED for order in film.orders())


def test_a_second_trouble_joins_the_open_order(film: Film) -> None:
    film.pile().claim("MeterDead")
    film.run(3600)
    assert len(film.orders()) == 1
    merged = [each for each in film.all_incidents() if each.close_code is CloseCode.MERGED]
    assert len(merged) == 1
    assert merged[0].merged_into == film.the_order().incident
    assert any("MeterDead" in line for line in film.the_order().evidence)


def test_an_order_that_carries_two_troubles_is_proven_when_both_are_gone(film: Film) -> None:
    film.pile().claim("MeterDead")
    film.run(3600)
    acts(film, "accept", "arrive")
    film.pile().faults = [each for each in film.pile().faults if each.code == "MeterDead"]
    film.pile().speak()
    film.order_act(film.the_order().id, "done")
    film.run(900)
    assert film.the_order().open
    film.pile().heal()
    film.run(900)
    assert not film.the_order().open


def test_a_trouble_that_had_joined_and_comes_back_while_reporters_are_called_is_taken_up() -> None:
    film = Film(1)
    actor = film.pile()
    actor.back()
    film.run(1200)
    actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.refuse
    actor.claim("InternalError")
    film.complain("the screen shows an error and it will not start", who="1")
    film.until(film.orders, 7200)
    actor.claim("MeterDead")
    film.run(1200)
    acts(film, "accept", "arrive")
    actor.heal()
    film.order_act(film.the_order().id, "done")
    film.run(900)
    host = film.incident(film.the_order().incident)
    assert host.state is IncidentState.CONFIRMING
    actor.claim("MeterDead")
    film.run(900)
    assert [each for each in film.orders() if each.open], "a part has failed again and nobody was told"


def test_broken_promises_are_recorded_once(film: Film) -> None:
    film.run(30 * 3600)
    order = film.the_order()
    assert all(clock.breached_at is not None for clock in order.clocks)
    assert film.counts["clock_breaches", "accept"] == 1
    assert film.counts["clock_breaches", "on_site"] == 1


def test_an_emergency_is_promised_sooner() -> None:
    film = Film(1)
    film.pile().back()
    film.pile().claim("FireDetected")
    order = film.the_order()
    assert (order.clocks[0].due_at - film.now).total_seconds() == 300
    assert (order.clocks[1].due_at - film.now).total_seconds() == 7200


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("act", ["accept", "depart", "arrive", "wait", "done", "return", "incomplete"])
def test_every_act_in_every_state_of_an_order_is_answered(film: Film, state: OrderState, act: str) -> None:
    ways: dict[OrderState, tuple[str, ...]] = {
        OrderState.ISSUED: (),
        OrderState.ACCEPTED: ("accept",),
        OrderState.EN_ROUTE: ("accept", "depart"),
        OrderState.ON_SITE: ("accept", "arrive"),
        OrderState.WAITING: ("accept", "arrive", "wait"),
        OrderState.DONE: ("accept", "arrive", "done"),
        OrderState.RETURNED: ("return",),
        OrderState.CLOSED: ("accept", "arrive", "HEAL", "done"),
        OrderState.RECALLED: ("HEAL",),
    }
    for step in ways[state]:
        if step == "HEAL":
            film.pile().heal()
        else:
            film.order_act(film.the_order().id, step)
    if "HEAL" in ways[state]:
        film.run(900)
    assert film.the_order().state is state
    answer = film.order_act(film.the_order().id, act)
    assert answer.status in {200, 409}
    if answer.status == 409:
        assert film.the_order().state is state
        assert answer.body["detail"]
    film.run(7200)


def test_an_act_on_an_order_nobody_knows() -> None:
    film = Film(1)
    assert film.order_act("W1", "done").status == 404


def test_one_order_a_pile_whatever_fails_on_it() -> None:
    film = Film([pile(1, connectors=2)])
    actor = film.pile()
    actor.back()
    film.run(600)
    actor.claim("MeterDead", connector=1)
    actor.claim("MeterDead", connector=2)
    actor.claim("GroundFailure", connector=2)
    film.run(7200)
    assert len([each for each in film.orders() if each.open]) == 1


def test_the_desk_hears_of_each_change_once(film: Film) -> None:
    acts(film, "accept", "return")
    film.act(film.the_incident().id, "dispatch")
    acts(film, "accept", "return")
    film.act(film.the_incident().id, "dispatch")
    ids = [notice.id for notice in film.notices]
    assert len(ids) == len(set(ids))
    assert [notice.change for notice in film.notices] == ["issued", "reissue", "reissue"]
