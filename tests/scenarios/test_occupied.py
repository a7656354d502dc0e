"""Who is charging: a live, an unknown and a stale session each refuse, and none of them is a safe default."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.unit.core.film import Film, pile
from triage.core.vocabulary import Action, CloseCode, ConnectorStatus, Gate, IncidentState, OrderReason

NEVER_BLIND = (Action.RESET_SOFT, Action.RESET_HARD, Action.POWER_CYCLE, Action.UNLOCK, Action.STOP_SESSION)


@pytest.fixture
def film() -> Film:
    film = Film(1)
    film.pile().back()
    return film.run(1200)


def gates(film: Film) -> set[Gate]:
    return {refusal.gate for incident in film.all_incidents() for refusal in incident.refusals}


@pytest.mark.parametrize(
    "status", [ConnectorStatus.CHARGING, ConnectorStatus.SUSPENDED_EV, ConnectorStatus.SUSPENDED_EVSE]
)
@pytest.mark.parametrize("session", ["s1", None])
def test_a_live_session_is_left_alone(film: Film, status: ConnectorStatus, session: str | None) -> None:
    actor = film.pile()
    actor.show(status, session=session)
    actor.claim("InternalError")
    film.run(3600)
    assert film.sent(*NEVER_BLIND) == []
    assert Gate.SESSION in gates(film)


def test_a_session_on_an_idle_looking_connector_is_live_all_the_same(film: Film) -> None:
    actor = film.pile()
    actor.show(ConnectorStatus.AVAILABLE, session="s1")
    actor.claim("InternalError")
    film.run(3600)
    assert film.sent(*NEVER_BLIND) == []


@pytest.mark.parametrize("status", [ConnectorStatus.PREPARING, ConnectorStatus.FINISHING, ConnectorStatus.RESERVED])
def test_a_plugged_in_or_reserved_connector_is_left_alone(film: Film, status: ConnectorStatus) -> None:
    actor = film.pile()
    actor.show(status, session=None)
    actor.claim("InternalError")
    film.run(800)
    assert film.sent(*NEVER_BLIND) == []
    assert Gate.SESSION in gates(film)


def test_the_reset_follows_when_the_car_has_left(film: Film) -> None:
    actor = film.pile()
    actor.show(ConnectorStatus.CHARGING, session="s1")
    actor.claim("InternalError")
    film.run(1800)
    actor.show(ConnectorStatus.FAULTED)
    film.run(1200)
    assert len(film.sent()) == 1
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY


def test_a_session_nobody_told_us_of_is_unknown(film: Film) -> None:
    actor = film.pile()
    actor.session_known = False
    actor.claim("InternalError")
    film.run(3600)
    assert film.sent(*NEVER_BLIND) == []
    assert Gate.SESSION in gates(film)


def test_after_a_restart_of_the_daemon_the_session_is_unknown_until_the_pile_speaks(film: Film) -> None:
    actor = film.pile()
    actor.claim("InternalError")
    film.run(100)
    actor.talks = False
    film.started()
    film.run(150)
    assert film.sent(*NEVER_BLIND) == []
    actor.talks = True
    film.run(900)
    assert len(film.sent()) == 1


def test_the_other_connector_counts_too() -> None:
    film = Film([pile(1, connectors=2)])
    actor = film.pile()
    actor.back()
    film.run(1200)
    actor.show(ConnectorStatus.CHARGING, connector=2, session="s2")
    actor.claim("InternalError", connector=1)
    film.run(3600)
    assert film.sent() == []


def test_a_connector_that_never_reported_is_unknown() -> None:
    film = Film([pile(1, connectors=2)])
    actor = film.pile()
    actor.status.pop(2)
    actor.back()
    film.run(1200)
    actor.claim("InternalError", connector=1)
    film.run(3600)
    assert film.sent(*NEVER_BLIND) == []


def test_a_connector_that_stopped_reporting_is_stale() -> None:
    film = Film([pile(1, connectors=2)])
    actor = film.pile()
    actor.back()
    film.run(1200)
    actor.status.pop(2)
    film.run(400)
    actor.claim("InternalError", connector=1)
    film.run(3600)
    assert film.sent(*NEVER_BLIND) == []


def test_stale_telemetry_refuses(film: Film) -> None:
    film.pile().claim("InternalError")
    film.run(60)
    film.pile().talks = False
    film.run(220)
    assert film.sent(*NEVER_BLIND) == []
    assert Gate.STALE in gates(film)


def test_an_unresponsive_application_is_reset_when_nobody_was_charging(film: Film) -> None:
    actor = film.pile()
    actor.mute_until = film.now + timedelta(days=9)
    film.run(3600)
    reset = film.sent()[0]
    assert reset.args.get("silent_ok") == "1"
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY


@pytest.mark.parametrize("kind", ["live", "unknown", "charging"])
def test_an_unresponsive_application_is_left_alone_while_somebody_may_charge(film: Film, kind: str) -> None:
    actor = film.pile()
    if kind == "live":
        actor.show(ConnectorStatus.AVAILABLE, session="s1")
    elif kind == "charging":
        actor.show(ConnectorStatus.CHARGING)
    else:
        actor.session_known = False
        actor.speak()
    actor.talks = False
    film.run(3 * 3600)
    assert film.sent(*NEVER_BLIND) == []


def test_an_unresponsive_application_is_left_alone_after_our_own_restart(film: Film) -> None:
    """Who is charging was forgotten with the process: unknown is never a safe default."""
    film.pile().talks = False
    film.run(100)
    film.started()
    film.run(3 * 3600)
    assert film.sent(*NEVER_BLIND) == []


def test_only_an_unresponsive_pile_may_be_reset_in_silence(film: Film) -> None:
    film.pile().claim("InternalError")
    film.run(1200)
    assert all("silent_ok" not in each.args for each in film.commands)


def test_a_session_that_begins_between_two_steps_stops_the_second(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.stay_ill
    actor.claim("InternalError")
    film.until(film.sent, 600)
    film.later(200, lambda: actor.show(ConnectorStatus.CHARGING, session="s9"))
    film.run(3600)
    assert [each.action for each in film.sent()] == [Action.RESET_SOFT]


def test_who_waits_for_an_idle_connector_does_not_wait_for_ever(film: Film) -> None:
    actor = film.pile()
    actor.show(ConnectorStatus.CHARGING, session="s1")
    actor.claim("InternalError")
    film.run(6 * 3600)
    assert film.incidents(open=True)[0].state in {IncidentState.DESK, IncidentState.FIELD}
    assert film.the_order().reason is OrderReason.DESK_DECISION, "nothing disruptive was tried"


def test_retained_telemetry_is_no_fresh_evidence(film: Film) -> None:
    actor = film.pile()
    actor.claim("InternalError")
    film.started()
    actor.talks = False
    for _ in range(20):
        film.play(replace(actor.message(), retained=True))
        film.run(20, talk=False)
    assert film.sent(*NEVER_BLIND) == []
    assert film.known().seen_since_start is False


def test_a_firmware_update_is_not_disturbed(film: Film) -> None:
    from triage.core.vocabulary import BootReason  # noqa: PLC0415

    actor = film.pile()
    actor.restart(reason=BootReason.FIRMWARE_UPDATE, cure=False, after_s=10)
    film.run(20)
    actor.claim("InternalError")
    film.run(270)
    assert film.sent() == []
    film.run(600)
    assert len(film.sent()) == 1


def test_what_its_operator_took_out_of_service_is_not_reset(film: Film) -> None:
    actor = film.pile()
    actor.show(ConnectorStatus.UNAVAILABLE)
    film.complain("It will not start", who="1")
    film.run(7200)
    assert film.sent(*NEVER_BLIND) == []
