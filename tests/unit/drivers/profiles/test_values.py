"""Values compared with what a profile writes."""

from __future__ import annotations

import pytest

from triage.drivers.profiles.values import Value, Values, find, keys, number, same, table, text, visible


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (3, 3),
        (3.5, 3.5),
        (True, 1),
        ("3.5", 3.5),
        (" 4 ", 4.0),
        ("1_000", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        (float("inf"), None),
        (1 << 64, None),
        ("9" * 600, None),
        (None, None),
    ],
)
def test_numbers(value: Value, result: float | None) -> None:
    assert number(value) == result


@pytest.mark.parametrize(
    ("value", "result"),
    [(3, "3"), (3.0, "3"), (3.5, "3.5"), (True, "true"), (False, "false"), (None, ""), ("x", "x"), (1e300, "1e+300")],
)
def test_texts(value: Value, result: str) -> None:
    assert text(value) == result


def test_keys_of_tables() -> None:
    assert keys(True) == ("true", "1")
    assert keys(None) == ()
    entries = table({"0x10": "a", "1": "b", "B": "c", "false": "d"})
    said: list[Value] = [16, "0x10", 1, True, "B", False, 0, None, "b"]
    assert [find(entries, each) for each in said] == ["a", "a", "b", "b", "c", "d", None, None, None]


@pytest.mark.parametrize(
    ("value", "wanted", "answer"),
    [(None, 0, False), (0, None, False), ("", 0, False), (0, "", False), (1, True, True), ("true", True, True)],
)
def test_what_is_the_same(value: Value, wanted: Value, answer: bool) -> None:
    assert same(value, wanted) is answer


def test_a_connectors_values_lie_over_the_piles() -> None:
    values = Values(pile={"a": 1, "b": 2}, connectors={1: {"b": 3}})
    assert values.of(0) == {"a": 1, "b": 2}
    assert values.of(1) == {"a": 1, "b": 3}
    assert values.of(2) == {"a": 1, "b": 2}
    values.of(2)["a"] = 9
    assert values.pile["a"] == 1


def test_control_characters_are_made_visible() -> None:
    assert visible("a\x00b\x1b[1mc\x9f") == "a�b�[1mc�"
    assert visible("电流 ok") == "电流 ok"
