"""Counts of remedies and what may be concluded from them; the numbers are worked by hand or from the papers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.core.remedies import (
    Book,
    Interval,
    Key,
    Remedies,
    difference,
    drawn,
    key_of,
    place_of,
    setting,
    wilson,
)
from triage.core.vocabulary import Action, Result

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = ("AC-7", "1.0", "InternalError")


def record(fault: str = "InternalError", seconds: float = 0, **changes: Any) -> Remedies:
    return Remedies(model="AC-7", firmware="1.0", fault=fault, at=NOW + timedelta(seconds=seconds), **changes)


def close(found: Interval, low: float, high: float) -> bool:
    return found.low == pytest.approx(low, abs=6e-5) and found.high == pytest.approx(high, abs=6e-5)


@pytest.mark.parametrize(
    ("hits", "tries", "low", "high"),
    [
        # With no hit the bound is z² / (n + z²): 3.8416 / 17.8416.
        (0, 14, 0.0, 0.2153),
        (0, 10, 0.0, 0.2775),
        (0, 12, 0.0, 0.2425),
        (14, 14, 0.7847, 1.0),
        # (0.5 + 3.8416/28) / 1.2744 ± 1.96 √(0.25/14 + 3.8416/784) / 1.2744
        (7, 14, 0.2680, 0.7320),
        # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_score_interval_is_the_one_of_the_paper(hits: int, tries: int, low: float, high: float) -> None:
    found = wilson(hits, tries)
    assert found.rate == pytest.approx(hits / tries)
    assert close(found, low, high)


def test_of_what_was_never_tried_everything_is_possible() -> None:
    assert wilson(0, 0) == Interval(None, 0.0, 1.0)
    assert difference(wilson(0, 0), wilson(3, 9)) == Interval(None, -1.0, 1.0)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        # Newcombe 1998, "Interval estimation for the difference between independent proportions", table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((0, 10), (0, 10), -0.2775, 0.2775),
    ],
)
def test_the_net_rate_has_the_interval_of_the_paper(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    assert close(difference(wilson(*one), wilson(*other)), low, high)


def test_nothing_is_taken_off_for_healing_that_nobody_measured() -> None:
    cures = wilson(6, 10)
    found = difference(cures, wilson(0, 0))
    assert (found.rate, found.high) == (None, cures.high)
    assert found.low == cures.low - 1.0


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 60), st.integers(1, 60))
def test_a_rate_lies_within_its_interval_and_a_difference_too(a: int, m: int, b: int, n: int) -> None:
    one, other = wilson(min(a, m), m), wilson(min(b, n), n)
    net = difference(one, other)
    for found, least in ((one, 0.0), (other, 0.0), (net, -1.0)):
        assert found.rate is not None
        assert least <= found.low <= found.rate + 1e-12
        assert found.rate - 1e-12 <= found.high <= 1.0


def test_tries_are_counted_exactly_and_a_refusal_is_none() -> None:
    found = record()
    for result in (Result.PASSED, Result.FAILED, Result.FAILED, Result.UNKNOWN, Result.REFUSED):
        found = found.tried(Action.RESET_HARD, result, NOW)
    found = found.tried(Action.UNLOCK, Result.PASSED, NOW)
    hard = found.of(Action.RESET_HARD)
    assert (hard.passed, hard.failed, hard.unknown, hard.judged) == (1, 2, 1, 3)
    assert hard.cures == wilson(1, 3)
    assert [each.action for each in found.tries] == [Action.UNLOCK, Action.RESET_HARD]
    assert found.of(Action.RESET_SOFT).judged == 0
    assert found.tried(Action.UNLOCK, Result.REFUSED, NOW) is found


def test_what_heals_by_itself_is_taken_off_the_cure_rate() -> None:
    found = record(held_back=9, held_back_healed=2)
    for result in (Result.PASSED, Result.PASSED, Result.FAILED):
        found = found.tried(Action.RESET_SOFT, result, NOW)
    found = found.watched(back=True, healed=True, at=NOW)
    assert (found.held_back, found.held_back_healed, found.observed) == (10, 3, 0)
    assert found.net(Action.RESET_SOFT).rate == pytest.approx(2 / 3 - 3 / 10)
    found = found.watched(back=False, healed=False, at=NOW).watched(back=False, healed=True, at=NOW)
    assert (found.observed, found.healed, found.held_back) == (2, 1, 10)
    assert found.in_the_window == wilson(1, 2)


def test_the_lot_is_always_the_same_and_fair() -> None:
    ids = [f"I20260302-{number:06d}" for number in range(20_000)]
    chosen = {id for id in ids if drawn(id, 0.05)}
    assert chosen == {id for id in ids if drawn(id, 0.05)}
    assert len(chosen) == pytest.approx(1000, abs=120)
    assert chosen < {id for id in ids if drawn(id, 0.2)}, "a larger share only adds to it"
    assert not any(drawn(id, 0.0) for id in ids)
    assert all(drawn(id, 1.0) for id in ids)


def kept(book: Book, found: Remedies) -> int:
    place = book.place_for(found.key, {})
    book.keep(*setting(place, found))
    return place


def test_a_record_comes_back_from_its_setting() -> None:
    book, found = Book(), record(observed=3, healed=1).tried(Action.UNLOCK, Result.FAILED, NOW)
    kept(book, found)
    assert book.get(KEY) == found
    assert list(book) == [found]
    kept(book, newer := found.tried(Action.UNLOCK, Result.PASSED, NOW))
    assert (len(book), book.get(KEY)) == (1, newer)


def test_the_book_is_bounded_and_the_longest_silent_gives_way() -> None:
    book = Book(most=3)
    for number in range(3):
        kept(book, record(f"F{number}", seconds=number))
    kept(book, record("F0", seconds=10))
    place = kept(book, record("F3", seconds=11))
    assert place == 1
    assert [each.fault for each in book] == ["F0", "F2", "F3"]
    assert book.get(("AC-7", "1.0", "F1")) is None


def test_places_given_away_in_one_decision_differ() -> None:
    book, taken = Book(most=3), dict[Key, int]()
    for number in range(3):
        key = ("m", "f", str(number))
        taken[key] = book.place_for(key, taken)
    assert sorted(taken.values()) == [0, 1, 2]
    assert book.place_for(("m", "f", "1"), taken) == taken["m", "f", "1"]


@pytest.mark.parametrize("text", ["", "{", "null", '{"model": 1}', "[]"])
def test_what_cannot_be_read_leaves_its_place_empty(text: str) -> None:
    book = Book()
    kept(book, record())
    book.keep("remedy.0000", text)
    assert len(book) == 0
    assert book.get(KEY) is None
    assert kept(book, record()) == 0


@pytest.mark.parametrize("name", ["remedy.", "remedy.1", "remedy.00001", "remedy.-001", "remedy.abcd", "kill_switch"])
def test_other_settings_are_none_of_the_books(name: str) -> None:
    assert place_of(name) is None
    book = Book()
    book.keep(name, setting(0, record())[1])
    assert len(book) == 0


def test_names_are_cut_and_writable_whatever_a_device_claims() -> None:
    key = key_of("m" * 500, "\ud800", "F")
    assert len(key[0]) == 120
    found = Remedies(model=key[0], firmware=key[1], fault=key[2], at=NOW)
    book = Book()
    kept(book, found)
    assert book.get(key) == found
    assert key_of(None, None, "F") == ("", "", "F")
