"""What a condition asks of a value, and that a value nobody knows proves nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.drivers.profiles.making import condition
from triage.drivers.profiles.conditions import holds, prepare, why_not
from triage.drivers.profiles.values import Value

TESTS: list[dict[str, Any]] = [
    {"eq": 9},
    {"ne": 9},
    {"lt": 9},
    {"le": 9},
    {"gt": 9},
    {"ge": 9},
    {"one_of": [9]},
    {"none_of": [9]},
    {"any_bit": 9},
    {"no_bit": 9},
    {"matches": ".*"},
    {"before": "9"},
    {"since": "9"},
    {"known": True},
]


@pytest.mark.parametrize(
    ("asked", "value", "answer"),
    [
        (9, 9, True),
        (9, 9.0, True),
        (9, "9", True),
        (9, "09", False),
        (9, 8, False),
        ("9", 9, True),
        ("9", 9.0, True),
        ("9.5", 9.5, True),
        ("C", "C", True),
        ("C", "c", False),
        (True, True, True),
        (True, 1, True),
        (True, "true", True),
        (True, "1", True),
        (True, 2, False),
        (False, 0, True),
        (False, "false", True),
        (1, True, True),
        ("true", True, True),
        ("0x10", 16, True),
        ({"eq": 9}, 9.0, True),
        ({"ne": 9}, 8, True),
        ({"ne": 9}, 9, False),
        ({"lt": 9}, 8.9, True),
        ({"lt": 9}, 9, False),
        ({"lt": 9}, "8", True),
        ({"lt": 9}, "low", False),
        ({"le": 9}, 9, True),
        ({"gt": 9}, 9, False),
        ({"gt": 9}, 10, True),
        ({"ge": 9}, 9, True),
        ({"ge": 9}, "nan", False),
        ({"gt": 1, "lt": 3}, 2, True),
        ({"gt": 1, "lt": 3}, 3, False),
        ({"one_of": [1, "B", 3]}, "B", True),
        ({"one_of": [1, "B", 3]}, 2, False),
        ({"none_of": [1, 2]}, 3, True),
        ({"none_of": [1, 2]}, 2.0, False),
        ({"any_bit": "0x0C"}, 4, True),
        ({"any_bit": "0x0C"}, 3, False),
        ({"any_bit": 1}, 1.5, False),
        ({"any_bit": 1}, "words", False),
        ({"no_bit": "0x0C"}, 3, True),
        ({"no_bit": "0x0C"}, 8, False),
        ({"no_bit": 1}, "words", False),
        ({"matches": "v[0-9]+"}, "v12", True),
        ({"matches": "v[0-9]+"}, "v12b", False),
        ({"matches": "1."}, 12, True),
        ({"before": "55.10"}, "055.5", True),
        ({"before": "55.5"}, "055.10", False),
        ({"before": "1.2.1"}, "1.2", True),
        ({"before": "1.2"}, "1.2.0", False),
        ({"since": "1.2"}, "1.2.0", True),
        ({"since": "1.2"}, "v1.10-beta", True),
        ({"since": "1.2"}, "1.1.9", False),
        ({"since": "1.2"}, "unknown", False),
        ({"before": "1.2"}, "unknown", False),
        ({"before": "2"}, 1, True),
        ({"since": "2.1", "before": "3"}, "2.5", True),
        ({"known": True}, 0, True),
        ({"known": True}, "", True),
        ({"known": False}, 0, False),
        ({"known": False}, None, True),
        ({"known": False, "eq": 3}, None, False),
    ],
)
def test_what_holds(asked: Any, value: Value, answer: bool) -> None:
    wanted = condition(a=asked)
    assert holds(wanted, {"a": value}) is answer
    assert prepare(wanted)({"a": value}) is answer
    assert (why_not(wanted, {"a": value}) is None) is answer


@pytest.mark.parametrize("asked", [*TESTS, 9, "9", False, 0, ""])
def test_the_unknown_proves_nothing(asked: Any) -> None:
    assert not holds(condition(a=asked), {"a": None})
    assert not holds(condition(a=asked), {})


def test_all_must_hold_and_nothing_always_does() -> None:
    both = condition(a=1, b={"gt": 2})
    assert holds(both, {"a": 1, "b": 3})
    assert not holds(both, {"a": 1, "b": 2})
    assert not prepare(both)({"a": 2, "b": 3})
    assert holds(condition(), {})
    assert prepare(condition())({})


@pytest.mark.parametrize(
    ("asked", "value", "words"),
    [
        ({"a": 1}, 2, "a is 2 and must be 1"),
        ({"a": "B"}, "C", "a is 'C' and must be 'B'"),
        ({"a": 1}, None, "a is unknown and must be 1"),
        ({"a": {"gt": 1, "lt": 3}}, 5, "a is 5 and must be less than 3 and more than 1"),
        ({"a": {"one_of": ["B", "C"]}}, "A", "a is 'A' and must be one of 'B', 'C'"),
        ({"a": {"since": "1.2"}}, "1.1", "a is '1.1' and must be version 1.2 or later"),
        ({"a": {"no_bit": 8}}, 9, "a is 9 and must be a number with no bit of 0x8"),
        ({"a": {"known": True}}, None, "a is unknown and must be known"),
        ({"a": {"known": False}}, 3.0, "a is 3 and must be unknown"),
    ],
)
def test_the_reason_names_what_was_seen(asked: Any, value: Value, words: str) -> None:
    assert why_not(condition(**asked), {"a": value}) == words


@given(
    st.sampled_from([*TESTS, {"known": False}]),
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
)
def test_any_value_gets_an_answer(asked: dict[str, Any], value: Value) -> None:
    assert holds(condition(a=asked), {"a": value}) in {True, False}
