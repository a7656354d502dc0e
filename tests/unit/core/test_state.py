"""The engine's memory: deadlines, budgets and bounded lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.core.film import START, Film, pile
from triage.core.effects import Changes, Snapshot
from triage.core.fleet import Pile
from triage.core.policy import Policy
from triage.core.state import UNREGISTERED_KEPT, Agenda, State

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_each_thing_has_one_deadline() -> None:
    agenda = Agenda()
    agenda.put("incident", "I1", at(10))
    agenda.put("incident", "I1", at(5))
    agenda.put("incident", "I1", at(20))
    assert agenda.next() == at(20)
    assert agenda.due(at(19), 9) == []
    assert agenda.due(at(20), 9) == [("incident", "I1")]
    assert agenda.due(at(99), 9) == []
    assert not agenda.has("incident", "I1")


def test_a_deadline_may_be_taken_back() -> None:
    agenda = Agenda()
    agenda.put("order", "W1", at(1))
    agenda.put("order", "W1", None)
    assert agenda.next() is None
    assert agenda.due(at(9), 9) == []


def test_a_lazy_deadline_only_moves_forward() -> None:
    agenda = Agenda()
    agenda.put_lazily("pile", "P1", at(10))
    agenda.put_lazily("pile", "P1", at(20))
    agenda.put_lazily("pile", "P1", None)
    assert agenda.next() == at(10)
    agenda.put_lazily("pile", "P1", at(5))
    assert agenda.next() == at(5)


def test_no_more_than_asked_for_at_once() -> None:
    agenda = Agenda()
    for number in range(10):
        agenda.put("pile", str(number), at(number))
    assert len(agenda.due(at(99), 4)) == 4
    assert len(agenda.due(at(99), 99)) == 6


deeds = st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 50))), max_size=40)


@given(deeds)
def test_an_agenda_is_a_table_of_newest_deadlines(story: list[tuple[str, int | None]]) -> None:
    agenda, table = Agenda(), dict[str, int]()
    for id, when in story:
        agenda.put("x", id, None if when is None else at(when))
        if when is None:
            table.pop(id, None)
        else:
            table[id] = when
    assert agenda.next() == (at(min(table.values())) if table else None)
    found = agenda.due(at(25), 99)
    assert {id for _, id in found} == {id for id, when in table.items() if when <= 25}
    assert len(found) == len({id for _, id in found})


def test_strangers_are_bounded_and_the_oldest_goes() -> None:
    state = State(Policy().faster())
    for number in range(UNREGISTERED_KEPT + 5):
        assert state.note_unregistered("S1", f"X{number}", at(number))
    assert len(state.unregistered) == UNREGISTERED_KEPT
    assert ("S1", "X0") not in state.unregistered
    assert not state.note_unregistered("S1", "X900", at(9999))


def reset_pile(number: int, *moments: datetime) -> Pile:
    return Pile(registration=pile(number), resets=moments)


def test_sends_are_counted_once_and_over_a_restart() -> None:
    state = State(Policy().faster())
    known = reset_pile(1)
    state.apply(Changes(piles={"P1": known}))
    for seconds in (0, 700, 1400):
        known = replace(known, resets=(*known.resets, at(seconds)))
        state.apply(Changes(piles={"P1": known}))
        state.apply(Changes(piles={"P1": replace(known)}))
    assert [entry[0] for entry in state.sends_since(at(-1))] == [at(1400), at(700), at(0)]
    assert len(state.sends_since(at(700))) == 1
    again = State(Policy().faster())
    again.restore(Snapshot(piles=[known, reset_pile(2, at(30))]))
    assert len(again.sends_since(at(-1))) == 4


def test_our_links_are_up_since_the_last_of_them() -> None:
    state = State(Policy().faster())
    state.started_at = at(0)
    assert state.listening_since() == at(0)
    state.listening = {"mqtt": at(5), "modbus": at(9)}
    assert state.listening_since() == at(9)
    state.listening["mqtt"] = None
    assert state.listening_since() is None


def test_a_pile_that_moves_leaves_its_old_site() -> None:
    film = Film([pile(1), pile(2)])
    film.engine.enrol([pile(1, site="S9"), pile(2)])
    assert film.engine.state.sites["S9"] == {"P1"}
    assert film.engine.state.sites["S1"] == {"P2"}


def test_closed_things_are_forgotten_in_time() -> None:
    film = Film(1)
    film.pile().back()
    film.run(300)
    film.pile().claim("InternalError")
    film.complain("it does not start", who="1")
    film.run(100 * 3600)
    state = film.engine.state
    assert state.incidents == {}
    assert state.by_pile == {}
    film.run(30 * 3600)
    assert state.complaints == {}
    assert state.outbox == {}


def test_the_history_samples_every_pile_that_speaks() -> None:
    film = Film(3)
    film.pile("P1").back()
    film.pile("P2").back()
    film.pile("P3").talks = False
    film.run(3600)
    samples = [moment for each in film.decisions for moment in each.changes.moments if moment.cause == "sample"]
    assert {moment.pile for moment in samples} == {"P1", "P2"}
    assert 3 <= sum(moment.pile == "P1" for moment in samples) <= 5
    assert all(moment.at > START for moment in samples)
