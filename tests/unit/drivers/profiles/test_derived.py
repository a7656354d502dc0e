"""Values made of others, and what becomes of their units."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.drivers.profiles.making import profile
from triage.drivers.profiles.derived import derivations, own_names, units
from triage.drivers.profiles.interpreter import Interpreter
from triage.drivers.profiles.values import Value, Values


def derived(told: dict[str, Any], said: dict[str, Value], **of_units: str) -> tuple[Value, str | None]:
    """The value of ``d``, which is as ``told``, and its unit."""
    made = profile(values={name: {"unit": of_units.get(name)} for name in said}, derived={"d": told})
    return Interpreter(made, 1).views(Values(pile=dict(said)))[0]["d"], units(made)["d"]


@pytest.mark.parametrize(
    ("told", "said", "result"),
    [
        ({"sum": ["a", "b"]}, {"a": 1, "b": 2}, 3),
        ({"sum": ["a", "b"]}, {"a": 0.1, "b": 0.2}, 0.3),
        ({"sum": ["a", "b"]}, {"a": 1, "b": None}, None),
        ({"sum": ["a", "b"]}, {"a": 1, "b": "words"}, None),
        ({"sum": ["a"], "scale": 0.1}, {"a": 3}, 0.3),
        ({"product": ["a", "b"]}, {"a": 230.1, "b": 10}, 2301.0),
        ({"product": ["a", "b"]}, {"a": 230, "b": None}, None),
        ({"product": ["a", "b"]}, {"a": 1e200, "b": 1e200}, None),
        ({"power_of_ten": ["a", "b"]}, {"a": 2301, "b": -1}, 230.1),
        ({"power_of_ten": ["a", "b"]}, {"a": 12, "b": 2}, 1200.0),
        ({"power_of_ten": ["a", "b"], "scale": 2}, {"a": 5, "b": 0}, 10.0),
        ({"power_of_ten": ["a", "b"]}, {"a": 12, "b": -32_768}, None),
        ({"power_of_ten": ["a", "b"]}, {"a": 12, "b": 0.5}, None),
        ({"power_of_ten": ["a", "b"]}, {"a": 12, "b": None}, None),
        ({"most": ["a", "b"]}, {"a": 1, "b": 2}, 2),
        ({"most": ["a", "b"]}, {"a": 1, "b": None}, 1),
        ({"most": ["a", "b"]}, {"a": None, "b": None}, None),
        ({"least": ["a", "b"]}, {"a": 1, "b": 2}, 1),
        ({"first": ["a", "b"]}, {"a": None, "b": "x"}, "x"),
        ({"first": ["a", "b"]}, {"a": 0, "b": 1}, 0),
        ({"first": ["a"], "scale": 10}, {"a": 4}, 40.0),
        ({"join": ["a", "b"]}, {"a": 1, "b": 20.0}, "1.20"),
        ({"join": ["a", "b"], "separator": ":"}, {"a": "E", "b": 7}, "E:7"),
        ({"join": ["a", "b"], "separator": ":", "hex": True}, {"a": 10, "b": 16}, "a:10"),
        ({"join": ["a", "b"], "hex": True}, {"a": "E", "b": True}, "E.true"),
        ({"join": ["a", "b"]}, {"a": 1, "b": None}, None),
        ({"cases": [{"when": {"a": 1}, "value": "B"}, {"when": {}, "value": "A"}]}, {"a": 1}, "B"),
        ({"cases": [{"when": {"a": 1}, "value": "B"}, {"when": {}, "value": "A"}]}, {"a": 2}, "A"),
        ({"cases": [{"when": {"a": 1}, "value": "B"}]}, {"a": 2}, None),
        ({"cases": [{"when": {"a": 1}, "of": "b"}]}, {"a": 1, "b": 7.5}, 7.5),
    ],
)
def test_each_way(told: dict[str, Any], said: dict[str, Value], result: Value) -> None:
    value, _ = derived(told, said)
    assert value == result
    assert type(value) is type(result)


@pytest.mark.parametrize(
    ("told", "said", "of_units", "result", "unit"),
    [
        ({"product": ["u", "i"]}, {"u": 230, "i": 16}, {"u": "V", "i": "A"}, 3680, "W"),
        ({"power_of_ten": ["p", "f"]}, {"p": 11, "f": 3}, {"p": "W"}, 11_000.0, "W"),
        ({"power_of_ten": ["p", "f"], "unit": "W"}, {"p": 11, "f": 0}, {"p": "kW"}, 11_000.0, "W"),
        ({"product": ["u", "i"]}, {"u": 230, "i": 16_000}, {"u": "V", "i": "mA"}, 3680.0, "W"),
        ({"product": ["u", "i"], "unit": "kW"}, {"u": 230, "i": 16}, {"u": "V", "i": "A"}, 3.68, "kW"),
        ({"product": ["u", "i", "n"]}, {"u": 230, "i": 16, "n": 3}, {"u": "V", "i": "A"}, 11_040, "W"),
        ({"product": ["u", "i"], "scale": 0.001, "unit": "kW"}, {"u": 230, "i": 16}, {"u": "V", "i": "A"}, 3.68, "kW"),
        ({"product": ["p", "n"]}, {"p": 2, "n": 3}, {"p": "kW"}, 6000.0, "W"),
        ({"sum": ["p", "q"]}, {"p": 1.5, "q": 200}, {"p": "kW", "q": "W"}, 1700.0, "W"),
        ({"sum": ["p", "q"]}, {"p": 1.5, "q": 2}, {"p": "kW", "q": "kW"}, 3.5, "kW"),
        ({"sum": ["p", "q"], "unit": "W"}, {"p": 1.5, "q": 2}, {"p": "kW", "q": "kW"}, 3500.0, "W"),
        ({"sum": ["p", "q"], "unit": "kW"}, {"p": 1.5, "q": 200}, {"p": "kW", "q": "W"}, 1.7, "kW"),
        ({"sum": ["p"], "scale": 3, "unit": "W"}, {"p": 700}, {"p": "W"}, 2100.0, "W"),
        ({"most": ["i", "j"]}, {"i": 6, "j": 16_000}, {"i": "A", "j": "mA"}, 16.0, "A"),
        ({"first": ["e", "f"]}, {"e": None, "f": 2}, {"e": "Wh", "f": "kWh"}, 2000.0, "Wh"),
        ({"first": ["e", "f"]}, {"e": 5, "f": 2}, {"e": "Wh", "f": "kWh"}, 5, "Wh"),
        ({"sum": ["m", "s"]}, {"m": 1, "s": 30}, {"m": "min", "s": "s"}, 90.0, "s"),
        ({"sum": ["a", "b"], "unit": "W"}, {"a": 1, "b": 2}, {}, 3, "W"),
        ({"cases": [{"when": {}, "of": "e"}], "unit": "Wh"}, {"e": 2}, {"e": "kWh"}, 2000.0, "Wh"),
    ],
)
def test_units_are_reconciled(
    told: dict[str, Any], said: dict[str, Value], of_units: dict[str, str], result: Value, unit: str
) -> None:
    assert derived(told, said, **of_units) == (result, unit)


def test_each_comes_after_what_it_is_made_of() -> None:
    made = profile(
        values={"a": {}, "b": {}},
        derived={"z": {"sum": ["y", "a"]}, "y": {"product": ["x", "b"]}, "x": {"sum": ["a", "b"]}},
    )
    assert [each.name for each in derivations(made)] == ["x", "y", "z"]
    assert Interpreter(made, 1).views(Values(pile={"a": 2, "b": 3}))[0]["z"] == 17


def test_a_circle_is_left_out() -> None:
    made = profile(values={"a": {}}, derived={"x": {"sum": ["y", "a"]}, "y": {"sum": ["x"]}, "z": {"sum": ["a"]}})
    assert [each.name for each in derivations(made)] == ["z"]


def test_what_depends_on_a_connector_is_the_connectors() -> None:
    made = profile(
        values={"factor": {}, "u": {"of": "connector"}},
        derived={"v": {"product": ["u", "factor"]}, "w": {"sum": ["v"]}, "f": {"sum": ["factor"]}},
    )
    assert own_names(made) == {"u", "v", "w"}
    views = Interpreter(made, 2).views(Values(pile={"factor": 10}, connectors={1: {"u": 1}, 2: {"u": 2}}))
    assert (views[1]["w"], views[2]["w"]) == (10, 20)
    assert views[0] == {"factor": 10, "f": 10}
