"""What piles have in common: groups, signs, and counting that costs nothing while all is well."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from tests.unit.core.film import START, Film, fleet, pile
from triage.core.commonality import FLEET, Ledger, groups_of, signs_of
from triage.core.events import Registration
from triage.core.fleet import Pile, Symptom
from triage.core.outage import LOST, Cause, Member, Outage, OutageState, waits, wording
from triage.core.policy import Policy
from triage.core.vocabulary import Family, SymptomKind

POLICY = Policy().faster()


def silent(registration: Registration, since: float = 0, **changes: object) -> Pile:
    at = START + timedelta(seconds=since)
    symptom = Symptom(
        kind=SymptomKind.OFFLINE, family=Family.OFFLINE, connector=0, since=at, holds_at=at, what="link down"
    )
    return Pile(registration=registration, heard_at=START, symptoms=(symptom,), **changes)  # type: ignore[arg-type]


def well(registration: Registration, **changes: object) -> Pile:
    return Pile(registration=registration, heard_at=START, **changes)  # type: ignore[arg-type]


def claiming(registration: Registration, what: str, family: Family) -> Pile:
    symptom = Symptom(
        kind=SymptomKind.FAULT_CLAIMED, family=family, connector=1, since=START, holds_at=START, what=what
    )
    return Pile(registration=registration, heard_at=START, symptoms=(symptom,))


@pytest.mark.parametrize(
    ("registration", "driver", "more"),
    [
        (pile(1), "", set()),
        (
            pile(1, tags=("carrier:a", "feeder:f 1", "gateway:g", "vip", "carrier:", ":x", "colour:red")),
            "mqtt",
            {(Cause.DRIVER, "mqtt"), (Cause.CARRIER, "a"), (Cause.FEEDER, "f 1"), (Cause.GATEWAY, "g")},
        ),
        (pile(1, endpoint="10.0.0.7:502"), "modbus", {(Cause.DRIVER, "modbus"), (Cause.GATEWAY, "10.0.0.7")}),
        (pile(1, endpoint="[fd00::1]:502"), "modbus", {(Cause.DRIVER, "modbus"), (Cause.GATEWAY, "fd00::1")}),
        (pile(1, endpoint="tcp://gw.example"), "modbus", {(Cause.DRIVER, "modbus"), (Cause.GATEWAY, "gw.example")}),
        (pile(1, endpoint="name-in-topics"), "mqtt", {(Cause.DRIVER, "mqtt")}),
    ],
)
def test_groups_of_a_pile(registration: Registration, driver: str, more: set[tuple[Cause, str]]) -> None:
    assert set(groups_of(well(registration), driver)) == {FLEET, (Cause.SITE, "S1")} | more


def test_firmware_groups_by_model_and_a_pile_never_heard_has_none() -> None:
    assert (Cause.FIRMWARE, "AC-7 2.1") in groups_of(well(pile(1), firmware="2.1"), "")
    assert (Cause.FIRMWARE, "DC-1 2.1") in groups_of(well(pile(1), firmware="2.1", model="DC-1"), "")
    assert groups_of(Pile(registration=pile(1)), "mqtt") == ()


@pytest.mark.parametrize("family", Family)
def test_danger_and_what_is_the_pile_s_own_are_no_signs(family: Family) -> None:
    signs = set(signs_of(claiming(pile(1), "Some, Other", family), POLICY))
    if family in {Family.OFFLINE, Family.UNRESPONSIVE, Family.SUPPLY}:
        assert signs == {LOST}
    elif family in {Family.INTERNAL, Family.HARDWARE, Family.CONNECTOR_LOCK, Family.UNKNOWN}:
        assert signs == {"Some", "Other"}
    else:
        assert signs == set()


def test_who_restarts_or_updates_is_not_lost() -> None:
    assert signs_of(silent(pile(1)), POLICY) == {LOST: START}
    assert signs_of(silent(pile(1), 200, resets=(START,)), POLICY) == {}
    assert set(signs_of(silent(pile(1), 400, resets=(START,)), POLICY)) == {LOST}
    assert signs_of(silent(pile(1), 400, updating_until=START + timedelta(hours=1)), POLICY) == {}


def test_the_ledger_forgets_what_is_over_and_keeps_beginnings() -> None:
    ledger = Ledger(POLICY)
    for number in (1, 2, 3):
        ledger.learn(well(pile(number)))
    assert (ledger.size(FLEET), ledger.changed) == (3, set())
    ledger.learn(silent(pile(1), 10))
    ledger.learn(silent(pile(1), 500))
    assert ledger.shows("P1") == {LOST: START + timedelta(seconds=10)}
    assert ledger.fresh((Cause.SITE, "S1"), LOST, START) == ("P1",)
    assert ledger.fresh((Cause.SITE, "S1"), LOST, START + timedelta(seconds=11)) == ()
    ledger.learn(silent(pile(1, site="S2"), 500))
    assert (ledger.size((Cause.SITE, "S1")), ledger.size((Cause.SITE, "S2"))) == (2, 1)
    assert ledger.fresh((Cause.SITE, "S1"), LOST, START) == ()
    assert ledger.fresh((Cause.SITE, "S2"), LOST, START) == ("P1",)
    ledger.learn(well(pile(1, site="S2")))
    assert ledger._showing == {}
    ledger.learn(silent(pile(2)))
    ledger.forget("P2")
    assert ledger._showing == {}
    assert ledger.size(FLEET) == 2
    assert ledger.changed == {"P1", "P2"}


def test_who_was_broken_before_neither_counts_nor_is_missed() -> None:
    ledger = Ledger(POLICY)
    for number in range(1, 11):
        ledger.learn(well(pile(number)))
    for number in range(1, 4):
        ledger.learn(silent(pile(number), 0))
    for number in range(4, 8):
        ledger.learn(silent(pile(number), 5000))
    cutoff = START + timedelta(seconds=4500)
    found = ledger.match((Cause.SITE, "S1"), LOST, cutoff, 4)
    assert found is not None
    assert sorted(found.piles) == ["P4", "P5", "P6", "P7"]
    assert found.fit == pytest.approx(8 / 11)


def test_healthy_telemetry_moves_no_entry() -> None:
    film = Film(fleet(20, sites=4))
    for actor in film.actors.values():
        actor.back()
    film.run(300)
    ledger = film.engine.state.ledger
    groups, signs = dict(ledger._groups), dict(ledger._signs)
    kept = {id: film.engine.state.piles[id].symptoms for id in film.actors}
    written = len([each for each in film.decisions if each.changes])
    film.run(300)
    assert all(film.engine.state.piles[id].symptoms is kept[id] for id in kept)
    assert all(ledger._groups[id] is groups[id] for id in groups), "nobody was placed anew"
    assert (ledger._signs, ledger.changed) == (signs, set())
    assert not film.engine.state.agenda.has("outage", "watch")
    assert len([each for each in film.decisions if each.changes]) == written


@pytest.mark.parametrize("sign", [LOST, "InternalError"])
@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_its_words(cause: Cause, sign: str) -> None:
    text, text_zh = wording(cause, "X1", sign, 3, 5)
    assert "3" in text
    assert "3" in text_zh
    assert "{" not in text + text_zh
    assert any("一" <= each <= "鿿" for each in text_zh)
    if sign != LOST and cause is not Cause.OWN_LINK:
        assert sign in text
        assert sign in text_zh


def an_outage(sign: str, members: tuple[Member, ...], state: OutageState = OutageState.OPEN) -> Outage:
    return Outage(
        id="O1",
        cause=Cause.SITE,
        name="S1",
        sign=sign,
        size=9,
        state=state,
        state_since=START,
        opened_at=START,
        wake_at=None,
        members=members,
        summary="many",
    )


def test_who_waits_and_for_what() -> None:
    later = START + timedelta(seconds=60)
    out, turn_comes, free = (
        Member(pile="A", since=START),
        Member(pile="B", since=START, back_at=START, free_at=later),
        Member(pile="C", since=START, back_at=START, free_at=START),
    )
    lost = an_outage(LOST, (out, turn_comes, free))
    assert [bool(waits(lost, each, START, 2)) for each in lost.members] == [True, True, False]
    assert not any(waits(lost, each, later, 2) for each in lost.members[1:])
    over = an_outage(LOST, lost.members, OutageState.CLOSED)
    assert not any(waits(over, each, START, 2) for each in over.members)


def test_equal_faults_are_tried_on_a_few_and_then_on_more() -> None:
    names = [f"P{number}" for number in range(20)]
    allowed = []
    for cured in range(4):
        members = tuple(
            Member(pile=name, since=START, back_at=START if name in names[:cured] else None) for name in names
        )
        outage = an_outage("InternalError", members)
        allowed.append({each.pile for each in members if not waits(outage, each, START, 2)})
    assert [len(each) for each in allowed] == [2, 4, 6, 8]
    assert all(before < after for before, after in pairwise(allowed))
