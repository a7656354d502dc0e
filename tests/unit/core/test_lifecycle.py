"""The tables are total, every state can be left, and the engine takes no other edge."""

import pytest

from tests.unit.core.film import Film
from triage.core.draft import Draft, UndeclaredEdgeError
from triage.core.lifecycle import COMPLAINT_TABLE, ORDER_TABLE, TABLE, ComplaintAct, Ignore, OrderAct, Trigger
from triage.core.lifetables import BEGIN, END, put_into, render, write_into
from triage.core.vocabulary import CloseCode, ComplaintState, IncidentState, OrderState


@pytest.mark.parametrize("state", list(IncidentState))
@pytest.mark.parametrize("trigger", list(Trigger))
def test_every_pair_of_an_incident_has_an_entry(state: IncidentState, trigger: Trigger) -> None:
    entry = TABLE[state][trigger]
    if isinstance(entry, Ignore):
        assert len(entry) > 5, "an ignore tells its reason"
    else:
        assert entry
        assert all(isinstance(target, IncidentState) for target in entry)


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("act", list(OrderAct))
def test_every_pair_of_an_order_has_an_entry(state: OrderState, act: OrderAct) -> None:
    entry = ORDER_TABLE[state][act]
    assert isinstance(entry, OrderState) or len(entry) > 5


@pytest.mark.parametrize("state", list(ComplaintState))
@pytest.mark.parametrize("act", list(ComplaintAct))
def test_every_pair_of_a_complaint_has_an_entry(state: ComplaintState, act: ComplaintAct) -> None:
    entry = COMPLAINT_TABLE[state][act]
    assert isinstance(entry, ComplaintState) or len(entry) > 5


def reach(start: IncidentState) -> set[IncidentState]:
    found, fresh = {start}, [start]
    while fresh:
        for entry in TABLE[fresh.pop()].values():
            targets = () if isinstance(entry, Ignore) else entry
            fresh.extend(target for target in targets if target not in found)
            found.update(targets)
    return found


def test_every_state_is_reached_and_every_state_can_end() -> None:
    assert reach(IncidentState.OBSERVING) == set(IncidentState)
    for state in IncidentState:
        assert IncidentState.CLOSED in reach(state)


def test_danger_leads_to_a_person_from_every_open_state() -> None:
    for state in set(IncidentState) - {IncidentState.CLOSED, IncidentState.FIELD}:
        entry = TABLE[state][Trigger.DANGER]
        assert not isinstance(entry, Ignore)
        assert IncidentState.FIELD in entry
        assert IncidentState.RECOVERING not in entry


def test_nothing_is_sent_from_where_nothing_may_be() -> None:
    for state in (IncidentState.FIELD, IncidentState.CONFIRMING, IncidentState.CLOSED, IncidentState.PROBATION):
        assert isinstance(TABLE[state][Trigger.PERMIT], Ignore)


def test_a_team_that_has_departed_is_not_recalled() -> None:
    for state in (OrderState.EN_ROUTE, OrderState.ON_SITE, OrderState.WAITING, OrderState.DONE):
        assert isinstance(ORDER_TABLE[state][OrderAct.RECALL], Ignore)


def test_what_has_ended_stays_ended() -> None:
    for state in (OrderState.CLOSED, OrderState.RECALLED):
        assert all(isinstance(entry, Ignore) for entry in ORDER_TABLE[state].values())


def test_an_undeclared_edge_is_refused() -> None:
    film = Film(1)
    film.pile().back()
    film.pile().claim("InternalError")
    draft = Draft(film.engine.state, film.rules, film.now)
    incident = film.the_incident()
    with pytest.raises(UndeclaredEdgeError):
        draft.move(incident, Trigger.PASSED, IncidentState.CLOSED, "no")
    with pytest.raises(UndeclaredEdgeError):
        draft.move(incident, Trigger.PERMIT, IncidentState.FIELD, "no")
    assert draft.changes.incidents == {}


def test_every_move_has_a_cause_on_record() -> None:
    film = Film(1)
    film.pile().back()
    film.pile().claim("InternalError")
    film.run(1200)
    moves = [each for each in film.journal if each.kind == "moved"]
    at = IncidentState.OBSERVING
    for each in moves:
        assert each.data["from"] == at
        assert each.data["trigger"] in set(Trigger)
        at = IncidentState(each.data["to"])
        entry = TABLE[IncidentState(each.data["from"])][Trigger(each.data["trigger"])]
        assert at in entry
    assert at is IncidentState.CLOSED
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY


def test_the_drawn_tables_name_every_state_and_every_reason() -> None:
    drawn = render()
    for state in IncidentState:
        assert f"**{state.value}**" in drawn
    for table in (TABLE, ORDER_TABLE, COMPLAINT_TABLE):
        for row in table.values():
            for entry in row.values():
                if isinstance(entry, Ignore):
                    assert str(entry) in drawn


def test_drawing_twice_changes_nothing(tmp_path: object) -> None:
    document = f"# Design\n\n{BEGIN}\nold\n{END}\n\nThe rest stays.\n"
    once = put_into(document)
    assert put_into(once) == once
    assert once.startswith("# Design\n\n")
    assert once.endswith("\n\nThe rest stays.\n")
    assert "old\n" not in once.split(END, maxsplit=1)[0].splitlines()


def test_a_document_without_marks_is_refused(tmp_path: object) -> None:
    with pytest.raises(ValueError, match="marks"):
        put_into("# Design\n")


def test_a_document_is_drawn_in_place(tmp_path: object) -> None:
    from pathlib import Path  # noqa: PLC0415

    path = Path(str(tmp_path)) / "DESIGN.md"
    path.write_text(f"a\n{BEGIN}\n{END}\nb\n", encoding="utf-8")
    write_into(path)
    assert "### Work order" in path.read_text(encoding="utf-8")
