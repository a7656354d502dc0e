"""Conditions and steps in words, and columns that stand under each other."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from pydantic import TypeAdapter

from triage.config.profile.actions import Step
from triage.config.profile.meaning import Condition, Derived
from triage.workbench import wording

CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "always"),
        ({"state": 5}, "state = 5"),
        ({"free": True, "name": "A"}, "free = true and name = A"),
        ({"power": {"ge": 10, "lt": 50.5}}, "power < 50.5 and power ≥ 10"),
        ({"state": {"one_of": [1, 2]}, "code": {"none_of": ["a"]}}, "state in [1, 2] and code not in [a]"),
        ({"mask": {"any_bit": 6}, "other": {"no_bit": 1}}, "mask has a bit of 0x6 and other has no bit of 0x1"),
        ({"v": {"since": "1.10"}, "w": {"before": "2"}}, "v is version 1.10 or later and w is before version 2"),
        ({"x": {"known": False}, "y": {"known": True}}, "x is unknown and y is known"),
        ({"model": {"matches": "B.*"}}, "model matches B.*"),
        ({"a": {"eq": 0}, "b": {"ne": False}}, "a = 0 and b ≠ false"),
    ],
)
def test_a_condition_reads_as_a_sentence(asked: dict[str, Any], said: str) -> None:
    assert wording.condition(CONDITION.validate_json(json.dumps(asked))) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"write": {"command": 1}}, "write command = 1"),
        ({"wait_s": 2.5}, "wait 2.5 s"),
        ({"expect": {"lock": 1}, "within_s": 15}, "read back within 15 s: lock = 1"),
        ({"publish": {"topic": "a/{device}", "payload": "1"}}, "publish a/{device} '1'"),
    ],
)
def test_a_step_reads_as_an_order(written: dict[str, Any], said: str) -> None:
    assert wording.step(Step.model_validate(written, strict=False)) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"most": ("a", "b")}, "most of a, b"),
        ({"join": ("a", "b")}, "join of a, b"),
        ({"cases": ({"when": {"x": 1}, "value": True}, {"when": {}, "of": "y"})}, "true if x = 1; y if always"),
    ],
)
def test_a_derived_value_tells_what_it_is_made_of(written: dict[str, Any], said: str) -> None:
    assert wording.derived(Derived.model_validate(written, strict=False)) == said


def test_columns_stand_under_each_other_in_chinese_too() -> None:
    lines = list(wording.columns([("漏电", "x"), ("a", "y")], ""))
    width = [
        sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line[: line.index(last)])
        for line, last in zip(lines, "xy", strict=True)
    ]
    assert width == [6, 6]


def test_a_column_that_is_empty_throughout_is_left_out() -> None:
    assert list(wording.tabled("T", [("a", "", "b")], ("one", "two", "three"))) == ["", "T", "  one  three", "  a    b"]
    assert list(wording.tabled("T", [], ("one",))) == []
