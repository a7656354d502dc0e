"""One mistake is one fault, also where several shapes are allowed."""

from __future__ import annotations

import json

import pytest
from pydantic import Field

from triage.config.schema import Strict, validate
from triage.config.yamlfile import parse_document
from triage.errors import InputError


class Inner(Strict):
    """A thing with two keys."""

    name: str
    count: int = 0


class Outer(Strict):
    """Things of several shapes."""

    things: dict[str, Inner | str | int] = Field(default_factory=dict)
    plain: list[int] = Field(default_factory=list)
    pair: tuple[int, ...] = Field((1, 2), min_length=2, max_length=3)
    some: dict[str, int] = Field(default_factory=dict, max_length=1)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"things": {"a": {"nam": "x"}}}, [("things.a.name", "required"), ("things.a.nam", "unknown key")]),
        ({"things": {"a": {"name": 7}}}, [("things.a.name", "string")]),
        ({"things": {"a": [1]}}, [("things.a", "must be a mapping or a text or a whole number")]),
        ({"things": {"a": True}}, [("things.a", "must be a mapping or a text or a whole number")]),
        ({"things": {"a": {"name": "x"}, "b": "text", "c": 3}}, []),
        ({"plain": [1, "2"]}, [("plain[1]", "integer")]),
        ({"plain": 5}, [("plain", "array")]),
        ({"pair": [1]}, [("pair", "needs at least 2 entries")]),
        ({"pair": [1, 2, 3, 4]}, [("pair", "needs at most 3 entries")]),
        ({"some": {"a": 1, "b": 2}}, [("some", "needs at most 1 entry")]),
    ],
)
def test_each_mistake_is_told_once_and_where_it_stands(data: object, told: list[tuple[str, str]]) -> None:
    document = parse_document(json.dumps(data, indent=1).encode(), "f.yaml")
    faults = []
    try:
        validate(document, Outer)
    except InputError as error:
        faults = error.faults
    assert len(faults) == len(told), [str(fault) for fault in faults]
    for fault, (field, words) in zip(faults, told, strict=True):
        assert fault.field == field
        assert words in fault.problem
        assert fault.line
