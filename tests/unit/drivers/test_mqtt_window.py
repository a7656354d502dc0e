"""The bound on messages inside the daemon."""

from __future__ import annotations

from triage.drivers.mqtt.counters import Counters
from triage.drivers.mqtt.window import LEAST, MOST, Window


def test_it_is_full_at_its_most_and_calls_once_at_its_least() -> None:
    counters, calls = Counters(), []
    window = Window(counters)
    full = []
    for count in (MOST - 1, 1):
        window.take(count)
        full.append(window.full)
    assert full == [False, True]
    window.wait(lambda: calls.append(window.outstanding))
    window.settle(MOST - LEAST - 1)
    assert not calls
    window.settle(1)
    assert calls == [LEAST]
    window.settle(LEAST)
    assert (calls, window.outstanding) == ([LEAST], 0)
    assert counters.totals["pauses"] == 1


def test_only_the_latest_connection_waits() -> None:
    calls: list[str] = []
    window = Window(Counters(), most=4, least=2)
    window.take(5)
    window.wait(lambda: calls.append("lost"))
    window.wait(lambda: calls.append("present"))
    window.settle(5)
    assert calls == ["present"]


def test_whoever_is_called_may_fill_it_again() -> None:
    window, rounds = Window(Counters(), most=4, least=2), []

    def again() -> None:
        rounds.append(window.outstanding)
        window.take(4)
        window.wait(again)

    window.take(4)
    window.wait(again)
    for _ in range(10):
        window.settle(4)
    assert rounds == [0] * 10
