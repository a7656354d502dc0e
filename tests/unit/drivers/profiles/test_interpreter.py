"""A look at a device becomes a sighting: status, session, measurements, who it is, when it started."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.drivers.profiles.making import condition, profile
from triage.config.profile.file import Profile
from triage.core.vocabulary import BootReason, ConnectorStatus
from triage.drivers.profiles.interpreter import Interpreter, Sighting
from triage.drivers.profiles.values import Value, Values

MAP = {"0": "available", "1": "preparing", "2": "charging", "9": "unknown", "B": "suspended_ev", "true": "faulted"}


def see(made: Profile, **pile: Value) -> Sighting:
    return Interpreter(made, 1).see(Values(pile=pile))


# --- status ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (0, "available"),
        (0.0, "available"),
        ("0", "available"),
        (2, "charging"),
        ("B", "suspended_ev"),
        (True, "faulted"),
        (False, "available"),
        (9, None),
        (3, None),
        ("b", None),
        (2.5, None),
        (None, None),
    ],
)
def test_a_map_tells_the_status(said: Value, status: str | None) -> None:
    sighting = see(profile(status=[{"from": "a", "map": MAP}]), a=said)
    assert sighting.readings[0].status == status
    assert sighting.unlisted == ((f"a {said}",) if said in {3, "b", 2.5} else ())
    assert sighting.wrong == ()


def test_the_first_rule_that_says_something_decides() -> None:
    made = profile(
        values={"a": {}, "b": {}},
        status=[
            {"when": {"b": {"gt": 0}}, "is": "faulted"},
            {"when": {"b": 0}, "from": "a", "map": {"1": "charging", "2": "unknown"}},
            {"is": "unavailable"},
        ],
    )
    asked: list[dict[str, Value]] = [
        {"a": 1, "b": 3},
        {"a": 1, "b": 0},
        {"a": 2, "b": 0},
        {"a": 7, "b": 0},
        {"a": None, "b": 0},
        {"a": 1, "b": None},
    ]
    found = [see(made, **each).readings[0].status for each in asked]
    assert found == ["faulted", "charging", None, None, "unavailable", "unavailable"]


def test_each_connector_has_its_own() -> None:
    made = profile(
        values={"a": {"of": "connector"}, "b": {}},
        status=[{"when": {"b": 1}, "is": "unavailable"}, {"from": "a", "map": MAP}],
    )
    sighting = Interpreter(made, 3).see(Values(pile={"b": 0}, connectors={1: {"a": 0}, 2: {"a": 2}}))
    assert [each.connector for each in sighting.readings] == [1, 2, 3]
    assert [each.status for each in sighting.readings] == [ConnectorStatus.AVAILABLE, ConnectorStatus.CHARGING, None]
    out = Interpreter(made, 2).see(Values(pile={"b": 1}, connectors={1: {"a": 0}, 2: {"a": 2}}))
    assert [each.status for each in out.readings] == [ConnectorStatus.UNAVAILABLE] * 2


# --- measurements ----------------------------------------------------------------------------------------------------

READINGS = {"voltage_v": "u", "current_a": "i", "power_w": "p", "energy_wh": "e", "temperature_c": "t"}
UNITS = {"u": {"unit": "mV"}, "i": {"unit": "mA"}, "p": {"unit": "kW"}, "e": {"unit": "kWh"}, "t": {"unit": "degC"}}
METER: dict[str, Any] = {"values": UNITS, "readings": READINGS}


def test_units_are_converted() -> None:
    reading = see(profile(**METER), u=230_100, i=16_000, p=3.68, e=12.5, t=-3.5).readings[0]
    assert reading.voltage_v == pytest.approx(230.1)
    assert (reading.current_a, reading.power_w) == (16.0, 3680.0)
    assert (reading.energy_wh, reading.temperature_c) == (12_500.0, -3.5)


def test_what_is_not_known_is_not_zero() -> None:
    reading = see(profile(**METER), u=None, i="off", p=float("nan")).readings[0]
    assert (reading.voltage_v, reading.current_a, reading.power_w, reading.energy_wh) == (None, None, None, None)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"u": 2_000_001}, "voltage_v (u) says 2000.001 V; possible is -10 to 2000 V"),
        ({"i": -1_000_001}, "current_a (i) says -1000.001 A; possible is -1000 to 2000 A"),
        ({"p": 4_294_967.295}, "power_w (p) says 4294967295 W; possible is -2000000 to 2000000 W"),
        ({"e": -1}, "energy_wh (e) says -1000 Wh; possible is 0 or more Wh"),
        ({"t": -256}, "temperature_c (t) says -256 degC; possible is -60 to 250 degC"),
        ({"t": 251}, "temperature_c (t) says 251 degC; possible is -60 to 250 degC"),
    ],
)
def test_what_no_device_can_say_is_wrong(said: dict[str, Value], wrong: str) -> None:
    assert see(profile(**METER), **said).wrong == (wrong,)


@pytest.mark.parametrize("said", [{"u": 2_000_000}, {"u": -10_000}, {"p": 2000}, {"e": 0}, {"t": -60}, {"t": 250}])
def test_the_edge_is_possible(said: dict[str, Value]) -> None:
    assert see(profile(**METER), **said).wrong == ()


def test_a_meter_beyond_the_rated_power_talks_nonsense() -> None:
    made = profile(rated_power_w=22_000, **METER)
    assert see(made, p=28.6).wrong == ()
    assert see(made, p=28.7).wrong == ("power_w (p) says 28700 W; possible is -28600 to 28600 W",)
    assert see(made, p=-28.7).wrong != ()


def test_an_impossible_value_is_told_once() -> None:
    made = profile(values={"t": {"unit": "degC"}}, readings={"temperature_c": "t"})
    values = Values(pile={"t": 999}, impossible=["u says 999"])
    wrong = Interpreter(made, 4).see(values).wrong
    assert wrong == ("u says 999", "temperature_c (t) says 999 degC; possible is -60 to 250 degC")


def test_what_is_made_beyond_its_range_is_wrong() -> None:
    made = profile(
        values={"u": {"unit": "V"}, "i": {"unit": "mA", "of": "connector", "stride": 1}},
        derived={
            "load": {"product": ["u", "i"], "unit": "kW", "range": [0, 22]},
            "double": {"sum": ["load", "load"]},
            "half": {"first": ["u"], "range": [-10, 300]},
        },
        readings={"power_w": "double"},
    )
    interpreter = Interpreter(made, 2)
    sighting = interpreter.see(Values(pile={"u": 300}, connectors={1: {"i": 73_000}, 2: {"i": 74_000}}))
    assert sighting.wrong == ("load of connector 2 is 22.2 kW; possible is 0 to 22 kW",)
    assert [reading.power_w for reading in sighting.readings] == [43_800, None]
    assert interpreter.views(Values(pile={"u": 301}))[0]["half"] is None
    assert interpreter.see(Values(pile={"u": 301})).wrong == ("half is 301 V; possible is -10 to 300 V",)
    assert interpreter.see(Values(pile={"u": None})).wrong == ()


# --- session ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "measured", "session"),
    [
        ("available", {}, (None, True)),
        ("available", {"i": 16_000}, (None, True)),
        ("preparing", {}, ("live", True)),
        ("charging", {}, ("live", True)),
        ("suspended_ev", {"i": 0}, ("live", True)),
        ("suspended_evse", {}, ("live", True)),
        ("finishing", {}, ("live", True)),
        ("faulted", {}, (None, False)),
        ("faulted", {"i": 0}, (None, True)),
        ("faulted", {"p": 0}, (None, True)),
        ("faulted", {"p": 0, "i": 16_000}, (None, False)),
        ("faulted", {"p": 3.6}, (None, False)),
        ("faulted", {"i": None, "u": 230_000}, (None, False)),
        ("unavailable", {"i": 400}, (None, True)),
        ("reserved", {"p": 0.049}, (None, True)),
        ("reserved", {}, (None, False)),
        ("unknown", {"i": 0, "p": 0}, (None, False)),
    ],
)
def test_the_status_tells_the_session_where_nothing_else_does(
    status: str, measured: dict[str, Value], session: tuple[str | None, bool]
) -> None:
    reading = see(profile(status=[{"is": status}], **METER), **measured).readings[0]
    assert (reading.session, reading.session_known) == session


@pytest.mark.parametrize(
    ("told", "said", "session"),
    [
        ({"id": "s"}, {"s": "A-17"}, ("A-17", True)),
        ({"id": "s"}, {"s": 17}, ("17", True)),
        ({"id": "s"}, {"s": 0}, (None, True)),
        ({"id": "s"}, {"s": ""}, (None, True)),
        ({"id": "s"}, {"s": "00000000"}, (None, True)),
        ({"id": "s"}, {"s": False}, (None, True)),
        ({"id": "s"}, {"s": None}, (None, True)),
        ({"id": "s"}, {}, (None, False)),
        ({"id": "s", "live": [{"a": 2}]}, {"s": None, "a": 2}, ("live", True)),
        ({"id": "made"}, {"s": None}, (None, False)),
        ({"id": "made"}, {"s": ""}, (None, True)),
        ({"id": "s"}, {"s": "x" * 300}, ("x" * 100, True)),
        ({"live": [{"s": 1}], "none": [{"s": 0}]}, {"s": 1}, ("live", True)),
        ({"live": [{"s": 1}], "none": [{"s": 0}]}, {"s": 0}, (None, True)),
        ({"live": [{"s": 1}], "none": [{"s": 0}]}, {"s": 2}, (None, False)),
        ({"live": [{"s": 1}], "none": [{"s": 0}]}, {"s": None}, (None, False)),
        ({"live": [{"s": 1}, {"a": 2}], "none": [{"s": 0}]}, {"s": 0, "a": 2}, ("live", True)),
        ({"id": "s", "none": [{"a": 0}]}, {"s": "A-17", "a": 0}, ("A-17", True)),
        ({"id": "s", "live": [{"a": 2}]}, {"s": "", "a": 2}, ("live", True)),
        ({"live": [{"connector_status": "charging"}]}, {"a": 2}, ("live", True)),
        ({"none": [{"connector_status": {"none_of": ["charging"]}}]}, {"a": 0}, (None, True)),
        ({"none": [{"connector_status": {"none_of": ["charging"]}}]}, {"a": 7}, (None, False)),
    ],
)
def test_the_profile_tells_the_session(
    told: dict[str, Any], said: dict[str, Value], session: tuple[str | None, bool]
) -> None:
    derived = {"made": {"first": ["s"]}}
    made = profile(values={"a": {}, "s": {}}, derived=derived, status=[{"from": "a", "map": MAP}], session=told)
    reading = see(made, **said).readings[0]
    assert (reading.session, reading.session_known) == session


# --- identity and boot -----------------------------------------------------------------------------------------------


def test_who_it_is() -> None:
    made = profile(values={"f": {}, "m": {}, "s": {}}, identity={"firmware": "f", "model": "m", "serial": "s"})
    sighting = see(made, f="1.2\x07", m=15, s="")
    assert (sighting.firmware, sighting.model, sighting.serial) == ("1.2�", "15", None)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"m": "EVE", "f": "1.3"}, ()),
        ({"m": "ICU", "f": "1.3"}, ("m is 'ICU' and must be like EVE.*",)),
        ({"m": "EVE", "f": "1.1"}, ("f is '1.1' and must be version 1.2 or later",)),
        ({"m": None, "f": "1.3"}, ("m is unknown and must be like EVE.*",)),
    ],
)
def test_another_model_is_left_alone(said: dict[str, Value], wrong: tuple[str, ...]) -> None:
    expect = [{"m": {"matches": "EVE.*"}}, {"f": {"since": "1.2"}}]
    assert see(profile(values={"f": {}, "m": {}}, identity={"expect": expect}), **said).wrong == wrong


def test_identity_may_ask_every_connector() -> None:
    made = profile(values={"m": {"of": "connector"}}, identity={"model": "m", "expect": [{"m": 7}]})
    sighting = Interpreter(made, 2).see(Values(connectors={1: {"m": 7}, 2: {"m": 8}}))
    assert sighting.model == "7"
    assert sighting.wrong == ("m is 8 and must be 7",)


@pytest.mark.parametrize(("unit", "said", "uptime_s"), [("s", 90, 90.0), ("ms", 90_500, 90.5), ("min", 2, 120.0)])
def test_the_uptime_is_in_seconds(unit: str, said: Value, uptime_s: float) -> None:
    assert see(profile(values={"up": {"unit": unit}}, boot={"uptime": "up"}), up=said).uptime_s == uptime_s


@pytest.mark.parametrize("said", [None, -1, "soon"])
def test_an_uptime_that_is_none(said: Value) -> None:
    assert see(profile(values={"up": {"unit": "h"}}, boot={"uptime": "up"}), up=said).uptime_s is None


def test_a_counter_is_the_boots_name() -> None:
    made = profile(
        values={"n": {}, "r": {}},
        boot={"counter": "n", "reason": "r", "reasons": {"1": "power_up", "0x0A": "watchdog"}},
    )
    found = [see(made, n=each, r=why) for each, why in ((17, 1), (18.0, 10), (19, 5), (None, None))]
    assert [each.boot_id for each in found] == ["17", "18", "19", None]
    reasons = [BootReason.POWER_UP, BootReason.WATCHDOG, BootReason.UNKNOWN, None]
    assert [each.boot_reason for each in found] == reasons
    assert not any(each.starting for each in found)


def test_a_start_is_seen_while_it_lasts() -> None:
    made = profile(boot={"starting": {"a": 0}})
    assert [see(made, a=each).starting for each in (0, 1, None)] == [True, False, False]
    own = profile(values={"a": {"of": "connector"}}, boot={"starting": {"a": 0}})
    assert Interpreter(own, 2).see(Values(connectors={1: {"a": 3}, 2: {"a": 0}})).starting


# --- what drivers ask ------------------------------------------------------------------------------------------------


def test_a_view_knows_derived_and_reserved_names() -> None:
    made = profile(
        values={"a": {"of": "connector"}, "b": {}},
        derived={"c": {"sum": ["a", "b"]}},
        status=[{"from": "a", "map": MAP}],
    )
    views = Interpreter(made, 2).views(Values(pile={"b": 1}, connectors={1: {"a": 0}, 2: {"a": 7}}))
    assert views[0] == {"b": 1}
    assert views[1] == {"a": 0, "b": 1, "c": 1, "connector_status": "available", "session_live": False}
    assert views[2] == {"a": 7, "b": 1, "c": 8, "connector_status": None, "session_live": None}


def test_what_is_required_of_a_connector_and_of_all() -> None:
    made = profile(values={"a": {"of": "connector"}, "b": {}}, status=[{"from": "a", "map": MAP}])
    interpreter = Interpreter(made, 2)
    values = Values(pile={"b": 1}, connectors={1: {"a": 0}, 2: {"a": 2}})
    idle = condition(session_live=False)
    assert interpreter.unmet(idle, values, 1) is None
    assert interpreter.unmet(idle, values, 2) == "session_live is true and must be false"
    assert interpreter.unmet(idle, values, 0) == "connector 2: session_live is true and must be false"
    assert interpreter.unmet(condition(b=1), values, 0) is None
    assert interpreter.unmet(condition(b=2), values, 0) == "b is 1 and must be 2"
    assert interpreter.unmet(condition(a=0), values, 3) == "a is unknown and must be 0"
    assert interpreter.unmet(condition(), values, 0) is None


# --- totality --------------------------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["0", "1"]),
)
WHOLE = profile(
    values={**{name: {**told, "of": "connector"} for name, told in UNITS.items()}, "a": {}, "m": {}, "s": {}},
    rated_power_w=22_000,
    derived={
        "w": {"product": ["u", "i"]},
        "most": {"most": ["p", "w"]},
        "both": {"sum": ["e", "e"], "unit": "Wh"},
        "name": {"join": ["m", "s"], "hex": True},
        "kind": {
            "cases": [{"when": {"a": {"any_bit": 1}}, "of": "p"}, {"when": {"m": {"since": "1.2"}}, "value": "x"}]
        },
        "one": {"first": ["m", "a", "t"]},
    },
    status=[{"when": {"most": {"gt": 100}}, "is": "charging"}, {"from": "a", "map": MAP}],
    faults=[
        {"from": "a", "codes": {"1": "GroundFailure"}, "info": "s"},
        {"from": "t", "bits": {"1": "RcdTripped"}},
        {"when": {"m": {"matches": "1.*"}}, "is": "unknown"},
    ],
    readings={**READINGS, "power_w": "w"},
    session={"id": "s", "live": [{"connector_status": "charging"}], "none": [{"a": 0}]},
    identity={"firmware": "m", "serial": "name", "expect": [{"m": {"before": "9"}}]},
    boot={"uptime": "t", "counter": "a", "reason": "m", "reasons": {"1": "watchdog"}, "starting": {"a": 0}},
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*WHOLE.values]), VALUES),
    st.dictionaries(st.integers(0, 4), st.dictionaries(st.sampled_from([*WHOLE.values]), VALUES)),
    st.lists(st.text(max_size=5), max_size=2),
)
def test_any_values_give_a_sighting(
    pile: dict[str, Value], connectors: dict[int, dict[str, Value]], impossible: list[str]
) -> None:
    sighting = Interpreter(WHOLE, 3).see(Values(pile, connectors, impossible))
    assert [each.connector for each in sighting.readings] == [1, 2, 3]
    assert set(impossible) <= set(sighting.wrong)
    for reading in sighting.readings:
        if reading.session is not None:
            assert reading.session_known
        for measured in (reading.voltage_v, reading.current_a, reading.power_w, reading.temperature_c):
            assert measured is None or -2e6 <= measured <= 2e6
    for claim in sighting.faults:
        assert claim.code
        assert 0 <= claim.connector <= 3
        assert len(claim.info) <= 400


def test_an_uptime_tells_of_a_restart_better_than_a_state_that_looks_like_one() -> None:
    made = profile(values={"up": {"unit": "s"}}, boot={"starting": {"a": 0}, "uptime": "up"})
    assert [see(made, a=0, up=up).starting for up in (90_000, 3, None)] == [False, False, True]
