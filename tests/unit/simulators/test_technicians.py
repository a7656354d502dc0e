from __future__ import annotations

from collections import Counter
from random import Random

from simulators.technicians import Act, FieldForce, Ways
from tests.unit.simulators.bench import START, Bench, make

KEYS = {"event", "reason", "cause", "work", "parts", "no_fault_found"}
WEEK_S = 7 * 86400.0


def force(bench: Bench, seed: int = 1, ways: Ways | None = None) -> FieldForce:
    return FieldForce(Random(f"{seed}"), lambda _, connector: bench.pile.condition(connector), ways)


def order(state: str = "issued", number: str = "W1") -> dict[str, object]:
    return {"id": number, "state": state, "pile": "HZ01-003", "connector": 1}


def events(acts: list[Act]) -> list[str]:
    return [act.body["event"] for act in acts]


STEADY = Ways(returns=0.0, waits=0.0, mends=1.0)


def test_an_order_is_taken_driven_to_and_done() -> None:
    bench = make()
    bench.inject("contactor_weld", 1)
    team = force(bench, ways=STEADY)
    team.consider(START, order())
    acts = team.advance(START + WEEK_S)
    assert events(acts) == ["accept", "depart", "arrive", "done"]
    assert [act.at for act in acts] == sorted(act.at for act in acts)
    last = acts[-1]
    assert (last.visits, last.fixed) == (True, True)
    assert last.body["cause"] == "contactor weld"
    assert last.body["parts"] == ["contactor"]
    assert all(set(act.body) <= KEYS for act in acts)
    assert len({act.key for act in acts}) == 4


def test_a_sound_pile_is_reported_as_no_fault_found() -> None:
    team = force(make(), ways=STEADY)
    team.consider(START, order())
    last = team.advance(START + WEEK_S)[-1]
    assert last.body["no_fault_found"] is True
    assert not last.visits
    assert team.tally.nothing_found == 1


def test_considering_an_order_again_does_not_start_a_second_visit() -> None:
    bench = make()
    bench.inject("lock_jammed", 1)
    team = force(bench, ways=STEADY)
    for minute in range(600):
        team.consider(START + minute * 60.0, order())
    assert events(team.advance(START + 600 * 60.0)).count("accept") <= 2
    assert team.tally.orders == 1


def test_an_order_recalled_in_time_is_dropped_and_a_later_one_is_finished() -> None:
    bench = make()
    early, late = force(bench), force(bench, ways=STEADY)
    early.consider(START, order())
    early.consider(START + 1.0, order("recalled"))
    assert early.advance(START + WEEK_S) == []
    late.consider(START, order("en_route"))
    late.consider(START + 1.0, order("recalled"))
    assert events(late.advance(START + WEEK_S)) == ["arrive", "done"]


def test_every_open_state_is_taken_up_where_it_stands() -> None:
    starts = {"issued": "accept", "returned": "accept", "accepted": "depart", "en_route": "arrive", "on_site": "done"}
    for state, first in starts.items():
        team = force(make(), ways=STEADY)
        team.consider(START, order(state))
        assert events(team.advance(START + WEEK_S))[0] == first
    for state in ("done", "closed", "recalled"):
        team = force(make())
        team.consider(START, order(state))
        assert team.advance(START + WEEK_S) == []


def test_over_many_orders_everything_happens() -> None:
    bench = make()
    bench.inject("contactor_weld", 1)
    team = force(bench)
    for number in range(400):
        team.consider(START, order(number=f"W{number}"))
    acts = team.advance(START + WEEK_S)
    seen = Counter(events(acts))
    assert set(seen) == {"accept", "depart", "arrive", "wait", "done", "return", "incomplete"}
    assert team.tally.mended / team.tally.visits > 0.85
    unfixed = [act for act in acts if act.visits and not act.fixed]
    assert {act.body["event"] for act in unfixed} == {"done", "incomplete"}
