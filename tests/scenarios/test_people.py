"""What people decide: every act in every state gets an answer, and none breaks anything."""

import pytest

from tests.unit.core.film import Film
from triage.core.events import CommandWanted
from triage.core.vocabulary import Action, CloseCode, Family, IncidentState

ACTS = ("retry", "hold", "release", "dispatch", "approve", "dismiss")
STATES = (
    "observing",
    "held_by_gate",
    "held_by_person",
    "recovering",
    "probation_cleared",
    "probation_reset",
    "desk",
    "desk_returned",
    "field",
    "confirming",
    "closed",
)


def bring(state: str) -> tuple[Film, str]:
    """A film with one incident in ``state``, and its id."""
    film = Film(1)
    actor = film.pile()
    actor.back()
    film.run(1200)
    if state == "confirming":
        actor.claim("InternalError")
        film.complain("it shows an error and does not start", who="1")
    elif state == "held_by_gate":
        actor.session_known = False
        actor.claim("InternalError")
    elif state == "desk":
        actor.claim("XJ-1")
    else:
        actor.claim("InternalError")
    id = film.incidents()[0].id

    def reach(wanted: IncidentState) -> None:
        film.until(lambda: film.incident(id).state is wanted, 7200, 1)

    if state in {"field", "desk_returned"}:
        actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.refuse
        reach(IncidentState.FIELD)
        if state == "desk_returned":
            film.order_act(film.the_order().id, "return")
    elif state == "held_by_person":
        film.act(id, "hold")
    elif state == "held_by_gate":
        reach(IncidentState.HELD)
    elif state == "recovering":
        film.until(film.sent, 600, 0.5)
    elif state == "probation_cleared":
        actor.heal()
    elif state == "probation_reset":
        reach(IncidentState.PROBATION)
    elif state in {"desk", "confirming", "closed"}:
        reach(IncidentState(state))
    assert film.incident(id).state == state.split("_", maxsplit=1)[0], film.story()
    return film, id


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("healed", [False, True])
def test_every_act_in_every_state_is_answered_and_life_goes_on(state: str, act: str, healed: bool) -> None:
    film, id = bring(state)
    answer = film.act(id, act)
    assert answer.status in {200, 409}
    if answer.status == 409:
        assert answer.body["detail"]
    if healed:
        film.pile().heal()
    film.run(9 * 3600)
    incident = film.incident(id)
    assert incident.state in {
        IncidentState.CLOSED,
        IncidentState.FIELD,
        IncidentState.CONFIRMING,
        IncidentState.DESK,
    }, film.story()


@pytest.mark.parametrize("first", ACTS)
@pytest.mark.parametrize("second", ACTS)
def test_two_acts_one_after_the_other(first: str, second: str) -> None:
    film, id = bring("held_by_gate")
    assert film.act(id, first).status in {200, 409}
    assert film.act(id, second).status in {200, 409}
    film.run(7200)


def test_a_hold_by_a_person_is_no_hold_for_ever() -> None:
    film, id = bring("held_by_person")
    film.run(3 * 3600)
    assert film.sent() == []
    film.run(6 * 3600)
    assert film.incident(id).state in {IncidentState.DESK, IncidentState.FIELD}


def test_a_release_decides_from_current_evidence() -> None:
    film, id = bring("held_by_person")
    film.act(id, "release")
    film.run(900)
    assert film.incident(id).close_code is CloseCode.RECOVERED_REMOTELY


def test_a_retry_at_the_desk_tries_again_even_after_the_plans_time() -> None:
    """The desk's own clock is longer than most plans' deadlines: the person's wish must not turn into a truck."""
    film = Film(1, desk_s=7200)
    actor = film.pile()
    actor.back()
    film.run(600)
    actor.habits[Action.UNLOCK] = actor.vanish
    actor.claim("ConnectorLockFailure")
    id = film.the_incident().id
    film.until(lambda: film.incident(id).state is IncidentState.DESK, 900)
    actor.talks = True
    film.run(1500)
    assert film.incident(id).state is IncidentState.DESK
    assert film.act(id, "retry").status == 200
    assert film.incident(id).state is not IncidentState.FIELD, film.story()


def test_a_dispatch_sends_one_team_and_says_who_decided() -> None:
    film, id = bring("observing")
    film.act(id, "dispatch", "I have seen it")
    assert "ops" in film.the_order().reason_text
    assert film.act(id, "dispatch").status == 409


def test_a_dismissal_needs_the_order_to_be_back() -> None:
    film, id = bring("field")
    assert film.act(id, "dismiss").status == 409
    assert film.incident(id).state is IncidentState.FIELD


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", list(Action))
def test_every_command_in_every_state_is_answered(state: str, action: Action) -> None:
    film, _id = bring(state)
    event = CommandWanted(received_at=film.now, pile="P1", action=action, connector=1, reason="x", actor="ops")
    assert film.ask(event).status in {202, 409}
    film.run(3600)


def test_nobody_knows_that_incident() -> None:
    assert Film(1).act("I1", "retry").status == 404


def test_what_a_person_does_is_signed() -> None:
    film, id = bring("observing")
    film.act(id, "hold", "works in the car park")
    signed = [each for each in film.journal if each.actor == "ops"]
    assert signed
    assert "works in the car park" in signed[0].text


def test_a_pile_that_leaves_the_fleet_breaks_nothing_in_any_state() -> None:
    for state in STATES:
        film, id = bring(state)
        film.registrations = []
        film.engine.enrol([])
        del film.actors["P1"]
        film._beats.clear()
        film._later.clear()
        film.run(9 * 3600)
        incident = film.incident(id)
        assert incident.state is not IncidentState.RECOVERING, state
        assert film.sent() == film.sent(), state
        assert incident.family is Family.INTERNAL or state == "desk"


def test_the_callback_of_a_pile_that_left_the_fleet_ends_too() -> None:
    film, id = bring("confirming")
    film.registrations = []
    film.engine.enrol([])
    del film.actors["P1"]
    film._beats.clear()
    film.run(100 * 3600)
    assert film.incident(id).state is IncidentState.CLOSED
