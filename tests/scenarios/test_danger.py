"""Danger: whatever state an incident is in, a safety claim ends every remote attempt, and only a person clears it."""

import pytest

from tests.unit.core.film import Film
from triage.core.events import FaultClaim
from triage.core.vocabulary import (
    Action,
    CloseCode,
    ConnectorStatus,
    Family,
    IncidentState,
    OrderReason,
    OrderState,
    Priority,
    Route,
    Verdict,
)

CHANGING = (
    Action.RESET_SOFT,
    Action.RESET_HARD,
    Action.POWER_CYCLE,
    Action.UNLOCK,
    Action.STOP_SESSION,
    Action.SET_AVAILABILITY,
)


@pytest.fixture
def film() -> Film:
    film = Film(1)
    film.pile().back()
    return film.run(1200)


def bring(film: Film, state: IncidentState) -> None:
    """Bring an internal error of P1 into ``state``."""
    actor = film.pile()
    if state in {IncidentState.DESK, IncidentState.HELD}:
        actor.session_known = state is IncidentState.DESK
    if state is IncidentState.FIELD:
        actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.refuse
    if state is IncidentState.CONFIRMING:
        film.complain("The charger shows an error and will not start", who="1")
    actor.claim("InternalError")
    if state is IncidentState.DESK:
        film.act(film.incidents(open=True)[0].id, "hold")
        film.run(14_500)
        return
    film.until(lambda: any(each.state is state for each in film.incidents()), 4000, 1)


@pytest.mark.parametrize(
    "state",
    [
        IncidentState.OBSERVING,
        IncidentState.HELD,
        IncidentState.RECOVERING,
        IncidentState.PROBATION,
        IncidentState.DESK,
        IncidentState.FIELD,
        IncidentState.CONFIRMING,
        IncidentState.CLOSED,
    ],
)
@pytest.mark.parametrize("code", ["GroundFailure", "EmergencyStop", "ContactorWelded", "DC_LEAK smoke"])
def test_a_safety_claim_in_any_state_sends_a_person_and_nothing_else(
    film: Film, state: IncidentState, code: str
) -> None:
    bring(film, state)
    before = len(film.sent(*CHANGING))
    film.pile().claim(code)
    film.run(12 * 3600)
    assert len(film.sent(*CHANGING)) == before
    grave = [each for each in film.orders() if each.open]
    assert len(grave) == 1, film.story()
    assert grave[0].priority is Priority.CRITICAL
    assert film.known().hazard is not None
    if state is not IncidentState.FIELD:
        assert grave[0].reason is OrderReason.FORBIDDEN_SAFETY


def test_a_hazard_stays_when_the_claim_is_gone(film: Film) -> None:
    actor = film.pile()
    actor.claim("GroundFailure")
    film.run(30)
    actor.heal()
    film.run(3600)
    assert film.known().hazard is not None
    assert film.the_order().open
    actor.claim("InternalError")
    film.run(3600)
    assert film.sent(*CHANGING) == []


def test_a_hazard_survives_a_restart_of_the_daemon(film: Film) -> None:
    actor = film.pile()
    actor.claim("GroundFailure")
    actor.heal()
    film.started()
    actor.claim("InternalError")
    film.run(4 * 3600)
    assert film.sent(*CHANGING) == []
    assert film.known().hazard is not None


def test_a_visit_clears_the_hazard_and_telemetry_proves_it(film: Film) -> None:
    actor = film.pile()
    actor.claim("GroundFailure")
    film.run(60)
    order = film.the_order()
    for act in ("accept", "depart", "arrive"):
        assert film.order_act(order.id, act).status == 200
        film.run(60)
    actor.heal()
    assert film.order_act(order.id, "done", cause="wet cable", work="replaced").status == 200
    film.run(900)
    assert film.known().hazard is None
    assert film.the_order().state is OrderState.CLOSED
    assert film.all_incidents()[0].close_code is CloseCode.REPAIRED


def test_a_claim_that_is_still_there_after_the_visit_is_danger_again(film: Film) -> None:
    actor = film.pile()
    actor.claim("GroundFailure")
    film.run(60)
    film.order_act(film.the_order().id, "arrive")
    film.order_act(film.the_order().id, "done")
    film.run(120)
    assert film.known().hazard is not None
    film.run(7200)
    assert film.the_order().open
    assert film.the_order().second_visits >= 1


def test_danger_while_recovering_ends_the_attempt(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.accept_only
    actor.claim("InternalError")
    film.until(film.sent, 600)
    actor.claim("SmokeDetected", connector=0)
    film.turn()
    assert len(film.orders()) == 1
    assert film.the_order().reason is OrderReason.FORBIDDEN_SAFETY
    assert all(each.result is not None for each in film.attempts())


def test_danger_on_one_connector_forbids_the_other() -> None:
    from tests.unit.core.film import pile  # noqa: PLC0415

    film = Film([pile(1, connectors=2)])
    film.pile().back()
    film.run(1200)
    film.pile().faults.append(FaultClaim(code="GroundFailure", connector=2))
    film.pile().claim("InternalError", connector=1)
    film.run(4 * 3600)
    assert film.sent(*CHANGING) == []
    assert len([each for each in film.orders() if each.open]) == 1


def test_a_person_smells_smoke_on_a_healthy_pile(film: Film) -> None:
    answer = film.complain("There is smoke coming out of the plug", who="1")
    assert answer.status == 201
    assert answer.body["grade"] == "major"
    assert answer.body["priority"] == "critical"
    assert film.the_order().reason is OrderReason.FORBIDDEN_SAFETY
    assert film.known().hazard is not None
    film.run(4 * 3600)
    assert film.the_order().open, "a healthy look never recalls an order for danger"
    assert film.sent(*CHANGING) == []


def test_a_person_reports_danger_while_it_is_recovering(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.accept_only
    actor.claim("InternalError")
    film.until(film.sent, 600)
    sent = len(film.sent(*CHANGING))
    film.complain("I got an electric shock from the handle", who="1")
    film.run(4 * 3600)
    assert len(film.sent(*CHANGING)) == sent
    assert film.the_order().priority is Priority.CRITICAL


def test_danger_without_a_pile_goes_to_management(film: Film) -> None:
    answer = film.complain("A charger at the mall is on fire", pile=None)
    assert answer.status == 201
    assert answer.body["route"] == Route.MANAGEMENT
    assert answer.body["priority"] == "critical"
    assert film.orders() == []


def test_danger_at_an_unknown_pile_goes_to_management(film: Film) -> None:
    answer = film.complain("smoke!", pile="the one next to the lift")
    assert answer.status == 201
    assert answer.body["route"] == Route.MANAGEMENT


def test_a_dangerous_complaint_on_a_dangerous_pile_raises_one_order(film: Film) -> None:
    film.pile().claim("GroundFailure")
    first = film.the_order().id
    answer = film.complain("sparks at the plug", who="7")
    film.run(60)
    assert answer.body["verdict"] == Verdict.CONFIRMED
    assert film.the_order().id == first
    assert len(film.incidents(open=True)) == 1


def test_physical_damage_is_visited_without_a_reset(film: Film) -> None:
    film.complain("the screen is smashed and the cover is broken off", who="1")
    film.run(7200)
    assert film.the_order().reason in {OrderReason.PHYSICAL_DAMAGE, OrderReason.FORBIDDEN_SAFETY}
    assert film.sent(*CHANGING) == []


def test_power_flowing_without_a_session_is_a_contradiction(film: Film) -> None:
    """Campaign §5: contradictory telemetry denies; a car may be charging although the session key says null."""
    actor = film.pile()
    actor.current_a = 16.0
    actor.claim("InternalError")
    film.run(1800)
    assert film.sent() == []


@pytest.mark.parametrize("late", [1, 3])
def test_a_danger_that_arrives_after_a_newer_reading_is_still_danger(film: Film, late: int) -> None:
    """I17: reordering can only make the decision stricter."""
    actor = film.pile()
    actor.claim("InternalError")
    danger = actor.message(faults=(*actor.faults, FaultClaim(code="GroundFailure", connector=1)))
    for _ in range(late):
        actor.speak()
    film.play(danger)
    film.run(3600)
    assert film.sent(*CHANGING) == []


def test_sticky_danger_is_not_cleared_by_a_returned_order(film: Film) -> None:
    film.pile().claim("GroundFailure")
    film.pile().heal()
    film.order_act(film.the_order().id, "return", reason="not ours")
    film.run(6 * 3600)
    assert film.known().hazard is not None
    assert film.the_order().open
    assert film.the_order().state is not OrderState.RETURNED, "the desk's clock escalates"


@pytest.mark.parametrize("act", ["retry", "approve", "release", "hold"])
def test_no_person_can_override_danger(film: Film, act: str) -> None:
    film.pile().claim("GroundFailure")
    film.order_act(film.the_order().id, "return", reason="not ours")
    incident = film.incidents(open=True)[0]
    film.act(incident.id, act)
    film.run(3600)
    assert film.sent(*CHANGING) == []
    assert film.known().hazard is not None


def test_the_heat_of_a_cable_that_was_stopped_is_danger(film: Film) -> None:
    film.pile().claim("CableOverTempStop")
    film.run(60)
    assert film.the_order().reason is OrderReason.FORBIDDEN_SAFETY
    assert film.incidents()[0].family is Family.SAFETY


def test_it_is_taken_for_danger_while_somebody_charges(film: Film) -> None:
    actor = film.pile()
    actor.show(ConnectorStatus.CHARGING, session="s1")
    actor.claim("RcdTripped")
    film.run(60)
    assert film.the_order().reason is OrderReason.FORBIDDEN_SAFETY
