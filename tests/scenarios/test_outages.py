"""Outages: many piles in one trouble are one matter, held together and let go one by one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.core.film import START, Actor, Film, fleet, pile
from triage.core.effects import Command
from triage.core.events import DriverLink, FaultClaim, Registration, SilenceSet
from triage.core.outage import LOST, Cause, Outage, OutageState, place, turn
from triage.core.vocabulary import REBOOTS, CloseCode, Family, Gate, IncidentState, OrderReason, OrderState


def lively(piles: int | list[Registration], seconds: float = 600, **policy: object) -> Film:
    film = Film(piles, **policy)  # type: ignore[arg-type]
    for actor in film.actors.values():
        actor.back()
    return film.run(seconds)


def outages(film: Film) -> list[Outage]:
    """Every outage there ever was, in its newest version."""
    newest: dict[str, Outage] = {}
    for decision in film.decisions:
        newest.update(decision.changes.outages)
    return [newest[id] for id in sorted(newest)]


def the_outage(film: Film) -> Outage:
    found = outages(film)
    assert len(found) == 1, [(each.id, each.summary) for each in found]
    return found[0]


def drop(film: Film, numbers: range) -> None:
    for number in numbers:
        film.pile(f"P{number}").drop()


def back(film: Film, numbers: range, *, rebooted: bool = False) -> None:
    for number in numbers:
        film.pile(f"P{number}").back(rebooted=rebooted)


def at_two_sites(tag: str = "carrier:north-net") -> list[Registration]:
    """Twelve piles of one carrier on two sites, and twelve of another on a third."""
    shared = [pile(number, site="S1" if number <= 6 else "S2", tags=(tag,)) for number in range(1, 13)]
    return shared + [pile(number, site="S3", tags=("carrier:south-net",)) for number in range(13, 25)]


# One site -----------------------------------------------------------------------------------------------------------


def test_forty_piles_of_a_site_that_lose_the_link_are_one_outage_without_reset_or_order() -> None:
    film = lively(40)
    drop(film, range(1, 41))
    film.run(2 * 3600)
    outage = the_outage(film)
    assert (outage.cause, outage.name, outage.site) == (Cause.SITE, "S1", "S1")
    assert (len(outage.members), outage.size, outage.state) == (40, 40, OutageState.OPEN)
    assert outage.opened_at - START < timedelta(seconds=620)
    assert "40 of 40" in outage.summary
    assert "S1" in outage.summary_zh
    assert film.sent() == []
    assert film.orders() == []
    held = film.incidents(open=True)
    assert len(held) == 40
    assert {(each.state, each.outage, each.refusals[-1].gate) for each in held} == {
        (IncidentState.HELD, outage.id, Gate.OUTAGE)
    }
    assert len([each for each in film.journal if each.kind == "outage"]) == 1, "one notice"


def test_while_it_lasts_nothing_is_written_over_and_over() -> None:
    film = lively(20)
    drop(film, range(1, 21))
    film.run(1200)
    written = sum(bool(each.changes) for each in film.decisions)
    film.run(2 * 3600)
    assert sum(bool(each.changes) for each in film.decisions) - written < 20, "samples of the history at most"


def test_those_that_come_back_close_by_themselves_and_the_outage_with_them() -> None:
    film = lively(40)
    drop(film, range(1, 41))
    film.run(1800)
    back(film, range(1, 41), rebooted=True)
    film.run(60)
    outage = the_outage(film)
    assert outage.state is OutageState.RETURNING
    assert all(each.free_at is not None and each.back_at is not None for each in outage.members)
    turns = {each.free_at for each in outage.members}
    assert len(turns) == 40, "a ramp, not a step"
    film.run(1200)
    assert the_outage(film).state is OutageState.CLOSED
    assert {each.close_code for each in film.all_incidents()} == {CloseCode.SELF_CLEARED}
    assert film.sent() == []
    assert film.orders() == []


def test_two_that_stay_away_get_orders_of_their_own() -> None:
    film = lively(40)
    drop(film, range(1, 41))
    film.run(1800)
    back(film, range(1, 39))
    film.run(500)
    assert film.orders() == [], "they may still follow the others"
    film.run(600)
    assert sorted(each.pile for each in film.orders()) == ["P39", "P40"]
    assert {each.reason for each in film.orders()} == {OrderReason.NO_REMOTE_CHANNEL}
    assert the_outage(film).state is OutageState.CLOSED
    film.run(3600)
    assert len(outages(film)) == 1, "two piles make no outage"


def test_a_part_of_a_site_is_told_as_a_part() -> None:
    film = lively(40)
    drop(film, range(1, 25))
    film.run(3600)
    outage = the_outage(film)
    assert (len(outage.members), outage.size) == (24, 40)
    assert "24 of 40" in outage.summary
    assert film.orders() == []
    film.pile("P40").claim("InternalError")
    film.run(1200)
    assert [each.pile for each in film.sent()] == ["P40"], "who is not part of it is treated as ever"


def test_too_few_are_no_outage() -> None:
    film = lively(40)
    drop(film, range(1, 15))
    film.run(1800)
    assert outages(film) == []
    assert len(film.orders()) == 14


def test_piles_that_fail_one_after_the_other_over_a_day_are_no_outage() -> None:
    film = lively(8)
    for number in range(1, 7):
        film.pile(f"P{number}").drop()
        film.run(3600)
    assert outages(film) == []
    assert len(film.orders()) == 6


def test_who_fails_a_little_later_joins() -> None:
    film = lively(10)
    drop(film, range(1, 9))
    film.run(1500)
    film.pile("P9").drop()
    film.run(900)
    outage = the_outage(film)
    assert len(outage.members) == 9
    assert "9 of 10" in outage.summary
    assert film.orders() == []


# What was there before, and what remains ---------------------------------------------------------------------------


def test_trouble_from_before_goes_on_afterwards_from_new_evidence() -> None:
    film = lively(10, outage_max_s=86_400)
    film.pile("P1").claim("InternalError")
    film.run(60)
    drop(film, range(1, 11))
    film.run(5 * 3600)
    assert film.sent() == []
    assert [each for each in film.all_incidents() if each.state is IncidentState.DESK] == []
    back(film, range(1, 11))
    film.run(1500)
    assert [each.pile for each in film.sent()] == ["P1"]
    mine = next(each for each in film.all_incidents() if each.family is Family.INTERNAL)
    outage = the_outage(film)
    member = next(each for each in outage.members if each.pile == "P1")
    assert film.sent()[0].issued_at >= (member.free_at or film.now)
    assert mine.close_code is CloseCode.RECOVERED_REMOTELY


def test_a_pile_that_was_away_before_is_no_part_of_it() -> None:
    film = lively(10)
    film.pile("P1").drop()
    film.run(3600)
    assert film.the_order().pile == "P1"
    drop(film, range(2, 11))
    film.run(1800)
    assert "P1" not in {each.pile for each in the_outage(film).members}
    assert film.the_order().pile == "P1"
    back(film, range(2, 11))
    film.run(1800)
    assert film.the_order().state is OrderState.ISSUED
    assert the_outage(film).state is OutageState.CLOSED


def test_a_reset_under_way_is_not_judged_by_the_outage() -> None:
    film = lively(10)
    film.pile("P1").claim("InternalError")
    film.until(film.sent, 600)
    drop(film, range(1, 11))
    film.run(3 * 3600)
    assert film.orders() == []
    assert len(film.sent()) == 1
    film.pile("P1").faults.clear()
    back(film, range(1, 11))
    film.run(1800)
    assert film.orders() == []
    assert len(film.sent()) == 1, "never sent again for having been lost"


def test_danger_is_not_held_by_an_outage() -> None:
    film = lively(10)
    drop(film, range(2, 11))
    film.run(900)
    film.pile("P1").claim("GroundFailure")
    film.run(60)
    assert film.the_order().reason is OrderReason.FORBIDDEN_SAFETY


def test_damage_that_people_report_is_not_held_by_an_outage() -> None:
    film = lively(10)
    drop(film, range(1, 11))
    film.run(900)
    assert film.complain("somebody smashed the charger, the housing is broken and wires hang out").status == 201
    film.run(120)
    assert film.the_order().reason in {OrderReason.PHYSICAL_DAMAGE, OrderReason.FORBIDDEN_SAFETY}


def test_people_still_complain_and_a_silent_pile_gets_no_truck_for_it() -> None:
    film = lively(10)
    drop(film, range(1, 11))
    film.run(900)
    assert film.complain("the charger is dead, it does not react").status == 201
    film.run(2 * 3600)
    assert film.orders() == []
    assert the_outage(film).state is OutageState.OPEN


def test_flapping_members_do_not_keep_it_open_for_ever() -> None:
    film = lively(10)
    drop(film, range(1, 11))
    film.run(900)
    back(film, range(1, 10))
    for _ in range(12):
        film.pile("P9").drop()
        film.run(200)
        film.pile("P9").back()
        film.run(200)
    film.run(1200)
    assert the_outage(film).state is OutageState.CLOSED


def test_an_outage_that_comes_back_during_the_ramp_is_the_same() -> None:
    film = lively(10)
    drop(film, range(1, 11))
    film.run(900)
    back(film, range(1, 11))
    film.run(30)
    assert the_outage(film).state is OutageState.RETURNING
    drop(film, range(1, 11))
    film.run(900)
    outage = the_outage(film)
    assert outage.state is OutageState.OPEN
    assert len(outage.out) == 10
    assert film.orders() == []


# One visit for all --------------------------------------------------------------------------------------------------


def test_one_that_lasts_gets_one_order_for_all_and_it_is_recalled_when_they_return() -> None:
    film = lively(12, outage_dispatch_s=3600, outage_max_s=86_400)
    drop(film, range(1, 13))
    film.run(5 * 3600)
    outage = the_outage(film)
    order = film.the_order()
    assert outage.work_order == order.id
    assert order.reason is OrderReason.NO_REMOTE_CHANNEL
    assert "12 of 12" in order.reason_text
    back(film, range(1, 2))
    film.run(1800)
    assert film.the_order().state is OrderState.ISSUED, "its own pile is back, the others are not"
    back(film, range(2, 13))
    film.run(1800)
    assert film.the_order().state is OrderState.RECALLED
    assert the_outage(film).state is OutageState.CLOSED


def test_who_stays_behind_goes_with_the_order_that_stands() -> None:
    film = lively(12, outage_dispatch_s=3600)
    drop(film, range(1, 13))
    film.run(2 * 3600)
    order = film.the_order()
    film.order_act(order.id, "accept")
    film.order_act(order.id, "depart")
    others = [f"P{number}" for number in range(1, 13) if f"P{number}" != order.pile]
    for id in others[1:]:
        film.pile(id).back()
    film.run(3600)
    assert len(film.orders()) == 1
    joined = [each for each in film.all_incidents() if each.pile == others[0]]
    assert joined[-1].close_code is CloseCode.MERGED


def test_when_the_visit_is_over_whoever_is_still_lost_is_decided_on_its_own() -> None:
    film = lively(12, outage_dispatch_s=3600)
    drop(film, range(1, 13))
    film.run(2 * 3600)
    order = film.the_order()
    for act in ("accept", "depart", "arrive"):
        film.order_act(order.id, act)
    film.pile(order.pile).back()
    film.order_act(order.id, "done", work="a fuse of this pile")
    film.run(3600)
    assert next(each for each in film.orders() if each.id == order.id).state is OrderState.CLOSED
    assert the_outage(film).state is OutageState.CLOSED
    others = [each for each in film.orders() if each.id != order.id]
    assert len(others) == 11
    assert len({each.opened_at for each in others}) > 5, "one after the other"


def test_a_carriers_outage_gets_no_truck_and_holds_nobody_for_ever() -> None:
    film = lively(at_two_sites(), outage_max_s=8 * 3600)
    drop(film, range(1, 13))
    film.run(7 * 3600)
    assert film.orders() == []
    assert the_outage(film).reported
    film.run(2 * 3600)
    assert the_outage(film).state is OutageState.CLOSED
    assert len(film.orders()) == 12


def test_an_order_that_the_team_returns_is_a_persons_case() -> None:
    film = lively(12, outage_dispatch_s=3600)
    drop(film, range(1, 13))
    film.run(2 * 3600)
    film.order_act(film.the_order().id, "return", reason="no access")
    film.run(2 * 3600)
    assert film.the_order().state is OrderState.ISSUED, "nobody decided, so it went out again"


def test_maintenance_gets_no_order() -> None:
    film = lively(12, outage_dispatch_s=3600)
    film.ask(
        SilenceSet(
            received_at=film.now,
            starts_at=film.now,
            ends_at=film.now + timedelta(hours=6),
            reason="works",
            actor="ops",
            site="S1",
        )
    )
    drop(film, range(1, 13))
    film.run(5 * 3600)
    assert film.orders() == []


# What they have in common -------------------------------------------------------------------------------------------


def test_a_carrier_over_two_sites_is_one_outage_that_takes_in_the_site() -> None:
    film = lively(at_two_sites())
    drop(film, range(1, 7))
    film.run(60)
    first = the_outage(film)
    assert (first.cause, first.name) == (Cause.SITE, "S1")
    drop(film, range(7, 13))
    film.run(1800)
    site, carrier = outages(film)
    assert (site.state, site.absorbed_by) == (OutageState.CLOSED, carrier.id)
    assert (carrier.cause, carrier.name, carrier.site) == (Cause.CARRIER, "north-net", "")
    assert (len(carrier.members), carrier.size) == (12, 12)
    assert film.orders() == []


def test_one_site_that_stays_lost_after_the_carrier_is_an_outage_of_its_own() -> None:
    film = lively(at_two_sites())
    drop(film, range(1, 13))
    film.run(1800)
    back(film, range(7, 13))
    film.run(1800)
    carrier, site = outages(film)
    assert carrier.state is OutageState.CLOSED
    assert (site.cause, site.name, site.previous) == (Cause.SITE, "S1", carrier.id)
    assert len(site.out) == 6
    assert film.orders() == []
    back(film, range(1, 7))
    film.run(1800)
    assert {each.state for each in outages(film)} == {OutageState.CLOSED}
    assert film.orders() == []


@pytest.mark.parametrize(
    ("tags", "cause", "name"),
    [(("feeder:F2",), Cause.FEEDER, "F2"), (("gateway:gw7",), Cause.GATEWAY, "gw7"), (("spare",), None, "")],
)
def test_what_the_fleet_file_tags_is_a_cause(tags: tuple[str, ...], cause: Cause | None, name: str) -> None:
    tagged = [pile(number, tags=tags) for number in range(1, 7)]
    film = lively(tagged + [pile(number) for number in range(7, 21)])
    drop(film, range(1, 7))
    film.run(1800)
    if cause is None:
        assert outages(film) == [], "six of twenty are too few for their site"
        return
    outage = the_outage(film)
    assert (outage.cause, outage.name, outage.size) == (cause, name, 6)


def test_all_at_once_over_many_sites_is_our_own_way_or_what_all_share() -> None:
    film = lively(fleet(24, sites=12))
    for actor in film.actors.values():
        actor.talks = False
    film.run(1800)
    outage = the_outage(film)
    assert (outage.cause, outage.name, len(outage.members)) == (Cause.DRIVER, "mqtt", 24)
    assert film.sent() == []
    assert film.orders() == []


def test_our_own_link_is_looked_at_first() -> None:
    film = lively(fleet(24, sites=12))
    film.link(up=False)
    film.run(120)
    assert outages(film) == [], "a moment of our own is no outage"
    film.run(3600)
    outage = the_outage(film)
    assert (outage.cause, outage.size, outage.members) == (Cause.OWN_LINK, 24, ())
    film.link(up=True)
    film.run(1800)
    assert the_outage(film).state is OutageState.CLOSED
    assert film.all_incidents() == []


def test_a_link_that_was_taken_out_of_the_settings_is_no_outage_any_more() -> None:
    film = lively(6)
    film.link(up=False)
    film.run(900)
    assert the_outage(film).state is OutageState.OPEN
    del film.engine.state.listening["mqtt"]
    film.run(5 * 3600)
    assert the_outage(film).state is OutageState.CLOSED


def test_a_link_that_never_comes_up_after_a_restart_is_told_too() -> None:
    film = lively(6)
    film.engine.state.listening["mqtt"] = None
    film.started()
    film.play(DriverLink(received_at=film.now, driver="mqtt", up=False))
    film.connected = False
    film.run(1200)
    assert the_outage(film).cause is Cause.OWN_LINK


def test_a_bad_firmware_is_tried_on_a_few_and_reset_on_no_more() -> None:
    film = lively(fleet(40, sites=10))
    for number in range(1, 13):
        actor = film.pile(f"P{number}")
        actor.habits = dict.fromkeys(REBOOTS, actor.stay_ill)
        actor.claim("InternalError")
    film.run(4 * 3600)
    outage = the_outage(film)
    assert (outage.cause, outage.name, outage.sign) == (Cause.FIRMWARE, "AC-7 1.0", "InternalError")
    assert (len(outage.members), outage.size) == (12, 40)
    assert len({each.pile for each in film.sent()}) == 2, "two are tried; it does not help, so nobody else is"
    assert len(film.orders()) <= 2


def test_a_fault_on_many_that_a_reset_cures_is_worked_off_faster_and_faster() -> None:
    film = lively(fleet(40, sites=10))
    for number in range(1, 13):
        film.pile(f"P{number}").claim("InternalError")
    film.run(5 * 3600)
    assert len({each.pile for each in film.sent()}) == 12
    assert {each.close_code for each in film.all_incidents()} == {CloseCode.RECOVERED_REMOTELY}
    assert the_outage(film).state is OutageState.CLOSED


def test_piles_that_we_restarted_ourselves_are_no_outage() -> None:
    film = lively(8, site_parallel_share=1.0, outage_fault_share=1.0, outage_least=5)
    for number in range(1, 8):
        actor = film.pile(f"P{number}")

        def slow(command: Command, actor: Actor = actor) -> None:
            actor.answer(command)
            actor.drop()
            actor.restart(after_s=120)

        actor.habits = dict.fromkeys(REBOOTS, slow)
        actor.claim("InternalError" if number < 5 else "EVCommunicationError")
    film.run(3600)
    assert [each for each in outages(film) if each.sign == LOST] == []


# Ramp and restart ---------------------------------------------------------------------------------------------------


def test_turns_are_spread_and_always_the_same() -> None:
    ramp = timedelta(seconds=300)
    places = [place("O1", f"P{number}") for number in range(1000)]
    assert all(0 <= each < 1 for each in places)
    assert all(abs(sum(each < limit for each in places) / 1000 - limit) < 0.06 for limit in (0.1, 0.25, 0.5, 0.75, 0.9))
    assert turn("O1", "P7", START, ramp) == turn("O1", "P7", START, ramp)
    assert turn("O1", "P7", START, ramp) != turn("O2", "P7", START, ramp)


def test_what_comes_back_with_faults_is_reset_one_after_the_other_not_at_once() -> None:
    film = lively(fleet(12, sites=1), site_parallel_share=1.0, outage_fault_share=1.0, outage_least=8)
    drop(film, range(1, 13))
    film.run(1800)
    for number in range(1, 7):
        film.pile(f"P{number}").faults = [FaultClaim(code="InternalError", connector=1)]
    back(film, range(1, 13))
    film.run(2400)
    outage = next(each for each in outages(film) if each.sign == LOST)
    turns = {each.pile: each.free_at for each in outage.members}
    assert len(film.sent()) == 6
    assert all(each.issued_at >= (turns[each.pile] or film.now) for each in film.sent())
    assert len({each.issued_at for each in film.sent()}) > 1


@pytest.mark.parametrize("when", [5, 200, 400, 1500, 1830, 1900, 2300])
def test_a_restart_in_the_middle_changes_nothing(when: float) -> None:
    film = lively(12)
    drop(film, range(1, 13))
    film.later(when, film.started)
    film.run(1800)
    back(film, range(1, 11))
    film.run(3600)
    assert [each.state for each in outages(film)] == [OutageState.CLOSED], [each.summary for each in outages(film)]
    assert film.sent() == []
    assert sorted(each.pile for each in film.orders()) == ["P11", "P12"]


def test_a_pile_that_leaves_the_fleet_leaves_the_outage() -> None:
    film = lively(12)
    drop(film, range(1, 13))
    film.run(900)
    film.engine.enrol([each for each in film.registrations if each.pile != "P12"])
    back(film, range(1, 12))
    del film.actors["P12"], film._beats["P12"]
    film.run(1800)
    assert the_outage(film).state is OutageState.CLOSED
