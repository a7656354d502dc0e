"""Links: the pile's, the site's, and our own. Silence is not health, and what nobody could hear is no silence."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.unit.core.film import Film
from triage.core.events import DriverLink
from triage.core.vocabulary import (
    Action,
    BootReason,
    CloseCode,
    ConnectorStatus,
    Family,
    IncidentState,
    Link,
    OrderReason,
    OrderState,
)


@pytest.fixture
def film() -> Film:
    film = Film(1)
    film.pile().back()
    return film.run(1200)


def test_offline_is_waited_for_and_then_has_no_remote_channel(film: Film) -> None:
    film.pile().drop()
    film.run(290)
    assert film.orders() == []
    assert film.the_incident().family is Family.OFFLINE
    film.run(600)
    assert film.the_order().reason is OrderReason.NO_REMOTE_CHANNEL
    assert film.sent() == []


def test_a_short_loss_of_link_is_nothing(film: Film) -> None:
    film.pile().drop()
    film.run(200)
    film.pile().back()
    film.run(600)
    assert film.the_incident().close_code is CloseCode.SELF_CLEARED
    assert film.orders() == []


def test_a_pile_that_returns_before_the_team_departs_recalls_it(film: Film) -> None:
    film.pile().drop()
    film.run(900)
    film.pile().back()
    film.run(900)
    assert film.the_order().state is OrderState.RECALLED
    assert film.all_incidents()[0].close_code is CloseCode.SELF_CLEARED


def test_silent_since_our_restart_with_the_link_unknown_has_no_remote_channel(film: Film) -> None:
    """Only a question went out: no outcome of any recovery is unknown, there is simply no way to the pile."""
    film.pile().talks = False
    film.started()
    film.run(3600)
    assert film.known().link is Link.UNKNOWN
    assert film.sent() == []
    assert film.the_order().reason is OrderReason.NO_REMOTE_CHANNEL


def test_a_pile_that_was_never_heard_is_nobodys_trouble() -> None:
    film = Film(1)
    film.pile().talks = False
    film.run(6 * 3600)
    assert film.all_incidents() == []


def test_a_site_that_falls_silent_at_once_gets_no_trucks() -> None:
    film = Film(6)
    for actor in film.actors.values():
        actor.back()
    film.run(600)
    for actor in film.actors.values():
        actor.drop()
    film.run(3 * 3600)
    assert film.orders() == []
    assert film.sent() == []
    for actor in film.actors.values():
        actor.back(rebooted=True)
    film.run(1800)
    assert film.orders() == []
    assert {each.close_code for each in film.all_incidents()} == {CloseCode.SELF_CLEARED}


def test_a_site_that_stays_silent_gets_one_truck_not_one_a_pile() -> None:
    film = Film(6)
    for actor in film.actors.values():
        actor.back()
    film.run(600)
    for actor in film.actors.values():
        actor.drop()
    film.run(9 * 3600)
    assert len(film.orders()) <= 1, [order.reason_text for order in film.orders()]


def test_applications_of_a_site_that_fall_silent_at_once_are_not_reset() -> None:
    film = Film(6)
    for actor in film.actors.values():
        actor.back()
    film.run(600)
    for actor in film.actors.values():
        actor.talks = False
    film.run(3 * 3600)
    assert film.sent() == []
    assert film.orders() == []


def test_one_pile_of_a_site_is_no_outage() -> None:
    film = Film(6)
    for actor in film.actors.values():
        actor.back()
    film.run(600)
    film.pile("P3").drop()
    film.run(1200)
    assert film.the_order().pile == "P3"


def test_while_our_own_link_is_down_nothing_is_judged(film: Film) -> None:
    film.link(up=False)
    film.pile().talks = False
    film.run(6 * 3600)
    assert film.all_incidents() == []
    assert film.orders() == []
    film.link(up=True)
    film.pile().talks = True
    film.run(600)
    assert film.all_incidents() == []


def test_silence_counts_from_the_return_of_our_link(film: Film) -> None:
    film.link(up=False)
    film.pile().talks = False
    film.run(3600)
    film.link(up=True)
    film.run(170)
    assert film.all_incidents() == []
    film.run(60)
    assert film.the_incident().family is Family.UNRESPONSIVE


def test_an_offline_pile_is_not_visited_because_we_cannot_hear(film: Film) -> None:
    film.pile().drop()
    film.run(60)
    film.link(up=False)
    film.run(3 * 3600)
    assert film.orders() == []


def test_nothing_is_sent_while_our_own_link_is_down(film: Film) -> None:
    film.pile().claim("InternalError")
    film.run(100)
    film.link(up=False)
    film.pile().talks = False
    film.run(3600)
    assert film.commands == []


def test_an_attempt_is_not_judged_by_what_we_could_not_hear(film: Film) -> None:
    """Our link went down after the reset: its outcome is judged when we hear again, not called unknown."""
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = lambda command: None
    actor.claim("InternalError")
    film.until(film.sent, 600)
    film.run(5)
    film.link(up=False)
    actor.talks = False
    film.run(1200)
    assert film.orders() == [], "nobody could hear: no outcome is unknown yet"
    actor.talks = True
    film.link(up=True)
    actor.restart(after_s=1)
    film.run(1200)
    assert film.orders() == []
    assert film.all_incidents()[0].state is IncidentState.CLOSED


def test_only_one_of_our_links_being_down_is_down() -> None:
    film = Film(1)
    film.engine.state.listening["ocpp"] = None
    film.pile().back()
    assert film.engine.state.listening_since() is None
    film.play(DriverLink(received_at=film.now, driver="ocpp", up=True))
    assert film.engine.state.listening_since() == film.now


def test_duplicated_reordered_late_and_retained_readings_change_nothing(film: Film) -> None:
    actor = film.pile()
    actor.claim("InternalError")
    film.run(40)
    known = film.known()
    wrong = actor.message(faults=())
    actor.seq += 1
    actor.speak()
    for stale in (
        wrong,
        replace(wrong, seq=1),
        replace(wrong, retained=True, seq=10_000),
        replace(wrong, device_at=film.now - timedelta(hours=5)),
    ):
        film.play(stale)
        assert film.known().faults == known.faults
    film.run(10)
    assert film.the_incident().state is IncidentState.OBSERVING


def test_an_old_ok_after_a_new_fault_never_closes_an_incident(film: Film) -> None:
    actor = film.pile()
    old = actor.message()
    actor.claim("InternalError")
    film.run(20)
    film.play(old)
    assert film.the_incident().state is IncidentState.OBSERVING


def test_numbering_that_restarts_with_the_boot_is_heard(film: Film) -> None:
    actor = film.pile()
    for _ in range(30):
        actor.speak()
    actor.restart(after_s=20, reason=BootReason.POWER_UP)
    film.run(300)
    assert film.known().seq is not None
    assert film.known().seq < 20  # type: ignore[operator]
    assert film.incidents() == []


def test_a_boot_whose_birth_was_lost_is_seen_by_the_uptime(film: Film) -> None:
    actor = film.pile()
    actor._fresh_boot()
    film.run(120)
    assert film.known().booted_at is not None
    assert film.known().heard_at == film.now or (film.now - film.known().heard_at).total_seconds() < 31  # type: ignore[operator]


def test_a_pile_without_uptime_whose_birth_was_lost_is_heard_again(film: Film) -> None:
    """Campaign 25: without a boot counter the evidence is weak and needs repetition, but nobody stays deaf."""
    actor = film.pile()
    for _ in range(60):
        film.play(actor.message(uptime_s=None))
        film.run(30, talk=False)
    actor.seq = 0
    actor.status[1] = ConnectorStatus.CHARGING
    actor.session[1] = "s1"
    for _ in range(40):
        film.play(actor.message(uptime_s=None))
        film.run(30, talk=False)
    assert film.sent() == [], "somebody is charging"
    assert film.known().connector(1).session == "s1"  # type: ignore[union-attr]


def test_a_last_will_kept_by_the_broker_is_not_news_of_a_pile_we_hear(film: Film) -> None:
    film.play(replace(film.pile().will(), retained=True))
    assert film.known().link is Link.ONLINE


def test_the_devices_clock_decides_nothing(film: Film) -> None:
    actor = film.pile()
    for years in (-30, 30):
        film.play(actor.message(device_at=film.now + timedelta(days=365 * years)))
        assert film.known().heard_at == film.now
    film.run(600)
    assert film.incidents() == []
