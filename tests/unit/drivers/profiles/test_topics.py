"""Topics and payloads: where a value is said, what a payload says of it, and when it says nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.drivers.profiles.making import broker
from triage.drivers.profiles.topics import (
    NOT_SAID,
    Extractor,
    Path,
    UnreadableError,
    fill,
    our_number,
    own_number,
    read_payload,
    routes,
    scalar,
    topics_of,
    value_reader,
)
from triage.drivers.profiles.values import ImpossibleError, Value


def taken(payload_: bytes, /, **told: Any) -> Value:
    """What value ``v``, as ``told``, takes from ``payload``."""
    mqtt = broker(values={"v": {"topic": "x/{device}", **told}})
    return value_reader(mqtt.values["v"], mqtt, 1)(payload_)


@pytest.mark.parametrize(
    ("told", "payload", "value"),
    [
        ({}, b"5", 5),
        ({}, b"5.5", 5.5),
        ({}, b"true", True),
        ({}, b'" idle "', "idle"),
        ({}, b"null", None),
        ({"payload": "text"}, b" Online\n", "Online"),
        ({"payload": "text"}, b"", ""),
        ({"payload": "text", "type": "number"}, b"230.1", 230.1),
        ({"payload": "text", "type": "number"}, b"16", 16.0),
        ({"payload": "text", "type": "number", "invalid": ["n/a"]}, b"n/a", None),
        ({"payload": "text", "type": "bool"}, b"ON", True),
        ({"payload": "text", "type": "bool"}, b"off", False),
        ({"type": "number"}, b'"230.1"', 230.1),
        ({"type": "number"}, b"true", 1),
        ({"type": "text"}, b"5", "5"),
        ({"type": "text"}, b"null", None),
        ({"type": "bool"}, b"0", False),
        ({"type": "bool"}, b"1", True),
        ({"scale": 0.001, "unit": "A"}, b"16000", 16.0),
        ({"scale": 0.1, "offset": -50}, b"755", 25.5),
        ({"scale": 0.1}, b'"words"', "words"),
        ({"scale": 10}, b"true", True),
        ({"invalid": [-2560]}, b"-2560", None),
        ({"invalid": [-2560], "scale": 0.1}, b"-2560.0", None),
        ({"invalid": ["n/a"]}, b'"n/a"', None),
        ({"path": "a"}, b'{"a": 7}', 7),
        ({"path": "a"}, b'{"a": null}', None),
        ({"path": "a"}, b'{"b": 7}', NOT_SAID),
        ({"path": "a"}, b"7", NOT_SAID),
        ({"path": '"switch:0".output'}, b'{"switch:0": {"output": false}}', False),
        ({"path": "nrg[11]"}, b'{"nrg": [0,1,2,3,4,5,6,7,8,9,10,3680]}', 3680),
        ({"path": "nrg[11]"}, b'{"nrg": []}', NOT_SAID),
        ({"path": "[1]"}, b"[5, 6]", 6),
        ({"path": "@"}, b"6", 6),
        ({"path": "a[?b].c"}, b'{"a": [{"b": 0}]}', NOT_SAID),
        ({}, b'"' + b"x" * 900 + b'"', "x" * 500),
        ({}, b'"a\\u0000b"', "a�b"),
    ],
)
def test_what_is_taken(told: dict[str, Any], payload: bytes, value: Value) -> None:
    said = taken(payload, **told)
    assert said == value
    assert type(said) is type(value)


@pytest.mark.parametrize(
    ("told", "payload"),
    [
        ({}, b"idle"),
        ({}, b""),
        ({}, b"\xff"),
        ({}, b'{"a":'),
        ({"payload": "text"}, b"\xff\xfe"),
        ({}, b"[" * 5000),
        ({}, b"1e400"),
        ({}, b"1" * 400),
        ({}, b"[1]"),
        ({}, b'{"a": 1}'),
        ({"path": "a"}, b'{"a": [1]}'),
        ({"path": "max(a)"}, b'{"a": [1, null]}'),
        ({"path": "max(a)"}, b'{"a": {}}'),
        ({"payload": "text", "type": "number"}, b"n/a"),
        ({"payload": "text", "type": "bool"}, b"maybe"),
        ({"type": "number"}, b'"idle"'),
    ],
)
def test_what_cannot_be_read(told: dict[str, Any], payload: bytes) -> None:
    with pytest.raises(UnreadableError, match="is no"):
        taken(payload, **told)


def test_beyond_the_range_is_impossible() -> None:
    assert taken(b"300", range=[0, 300]) == 300
    with pytest.raises(ImpossibleError, match=r"says 300\.1 V; possible is 0 to 300 V"):
        taken(b"3001", range=[0, 300], scale=0.1, unit="V")


# --- nothing there, or nothing said ----------------------------------------------------------------------------------

BATCH = {"services": [{"id": "C1", "state": "idle"}, {"id": "C2", "state": None}], "params": {"n": None, "xs": []}}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("params.n", None),
        ("params.m", NOT_SAID),
        ("params.n.deeper", NOT_SAID),
        ("absent", NOT_SAID),
        ("params | n", None),
        ("params | m", NOT_SAID),
        ("services[?id=='C1'].state | [0]", "idle"),
        ("services[?id=='C9'].state | [0]", NOT_SAID),
        ("absent[?id=='C1'].state | [0]", NOT_SAID),
        ("services[0].state", "idle"),
        ("services[1].state", None),
        ("services[7].state", NOT_SAID),
        ("services[*].id", ["C1", "C2"]),
        ("params.m || 'none'", "none"),
        ("params.n || 'none'", "none"),
        ("params | m || 'none'", "none"),
        ("not_null(params.m, 'none')", "none"),
        ("params.m || params.n", None),
        ("params.m || params.o", NOT_SAID),
        ("params.m == 'on'", NOT_SAID),
        ("params.n == 'on'", False),
        ("services[0].state == 'idle'", True),
        ("!(params.m)", NOT_SAID),
        ("to_string(params.m)", NOT_SAID),
        ("to_number(services[0].state)", None),
        ("to_number(params.m)", NOT_SAID),
        ("length(params.xs)", 0),
        ("length(params.m)", NOT_SAID),
        ("length(params.n)", None),
        ("join(',', services[*].id)", "C1,C2"),
        ("`5`", 5),
        ("@.params.n", None),
        ("(absent || services)[0].id", "C1"),
        ("max(params.xs).n", NOT_SAID),
        ("max(params.xs)", None),
        ("max(params.n)", None),
        ("max(services[7:9])", NOT_SAID),
        ("[@][?to_string(params.id) == '1'].n | [0]", NOT_SAID),
        ("max(absent).n", NOT_SAID),
        ("[params.n, params.m]", [None, None]),
        ("[params.o, params.m]", NOT_SAID),
    ],
)
def test_a_path_knows_nothing_there_from_nothing_said(expression: str, found: Any) -> None:
    assert Path(expression).find(BATCH) == found


OUTLETS = {
    "ch": [{"n": 3, "err": None, "ses": None, "on": True, "in": {"t": None, "xs": [None]}}, {"n": 4, "err": "comm"}],
    "by": {"a": {"v": None}},
    "groups": [{"g": 1, "ch": [{"n": 3, "err": None}]}],
}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("ch[?n==`3`] | [0].err", None),
        ("ch[?n==`3`].err | [0]", None),
        ("ch[?n==`3`].err[] | [0]", None),
        ("ch[?n==`3`] | [0].ses", None),
        ("ch[?n==`3`] | [0] | err", None),
        ("ch[?n==`3`] | [-1].err", None),
        ("(ch[?n==`3`])[0].err", None),
        ("ch[?n==`3`].in.t | [0]", None),
        ("ch[?n==`3`].in | [0].t", None),
        ("ch[?n==`3`].in.xs[0] | [0]", None),
        ("ch[?n==`3`].in.xs[] | [0]", None),
        ("(ch[?n==`3`] | [0].err) || (ch[?n==`3`] | [0].error)", None),
        ("groups[?g==`1`].ch[] | [?n==`3`].err | [0]", None),
        ("groups[*].ch[?n==`3`].err | [] | [0]", None),
        ("ch[*].err | [0]", "comm"),
        ("by.*.v | [0]", None),
        ("ch[?n==`3`].[err, ses] | [0][1]", None),
        ("ch[?n==`3`].{e: err} | [0].e", None),
        ("max(ch[?n==`3`].err)", None),
        ("to_number(ch[?n==`3`] | [0].err)", None),
        ("abs(ch[?n==`3`] | [0].err)", None),
        ("not_null(ch[?n==`3`] | [0].err)", None),
        ("ch[?n==`4`] | [0].err", "comm"),
        ("ch[?n==`4`] | [0].ses", NOT_SAID),
        ("ch[?n==`9`] | [0].err", NOT_SAID),
        ("ch[?n==`9`].err | [0]", NOT_SAID),
        ("ch[?n=='3'] | [0].err", NOT_SAID),
        ("ch[?err].err | [0]", "comm"),
        ("ch[?n==`3` && err].err | [0]", NOT_SAID),
        ("ch[?!err].err | [0]", None),
        ("ch[?err==`null`].ses | [0]", None),
        ("ch[?n==`3`] | [0].nope", NOT_SAID),
        ("ch[?n==`3`] | [0].err.deeper", NOT_SAID),
        ("ch[?n==`3`] | [1].err", NOT_SAID),
        ("groups[?g==`2`].ch[] | [?n==`3`].err | [0]", NOT_SAID),
        ("groups[?g==`1`].ch[] | [?n==`4`].err | [0]", NOT_SAID),
        ("max(ch[?n==`9`].err)", NOT_SAID),
        ("abs(ch[?n==`9`] | [0].err)", NOT_SAID),
        ("nope[?n==`3`] | [0].err", NOT_SAID),
        ("err[?n==`3`] | [0].err", NOT_SAID),
    ],
)
def test_a_null_behind_a_filter_is_said(expression: str, found: Any) -> None:
    assert Path(expression).find(OUTLETS) == found


def test_what_a_function_cannot_take_is_still_refused() -> None:
    with pytest.raises(UnreadableError, match="is not what its path takes"):
        Path("abs(ch[?n==`4`] | [0].err)").find(OUTLETS)


def test_a_fault_that_is_said_and_then_null_is_gone() -> None:
    told = {"topic": "x/{device}", "path": "ch[?n==`{connector}`] | [0].err", "of": "connector"}
    mqtt = broker(values={"err": told}, first_connector=3)
    source = routes(mqtt, "box-1", 1)["x/box-1"][0]
    messages = (b'{"ch": [{"n": 3, "err": "comm"}]}', b'{"ch": [{"n": 4}]}', b'{"ch": [{"n": 3, "err": null}]}')
    assert [source.take(each) for each in messages] == ["comm", NOT_SAID, None]


@pytest.mark.parametrize("document", [None, 5, "text", [], {}])
def test_a_path_takes_any_document(document: Any) -> None:
    assert Path("params.n").find(document) is NOT_SAID
    assert Path("max(params.xs)").find(document) is NOT_SAID
    assert Path("ch[?n==`3`] | [0].err").find(document) is NOT_SAID


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "c"]), inner)),
    max_leaves=8,
)
PATHS = (
    "a",
    "a.b",
    "a[0]",
    "a[?b].c | [0]",
    "max(a)",
    "a == 'x'",
    "a || b",
    "sum(a[*].b)",
    "a[?b].c.b | [0].a",
    "a[*].b[] | [0]",
    "to_number(a)",
    "keys(a)",
)


@settings(max_examples=300, deadline=None)
@given(JSON, st.sampled_from(PATHS), st.sampled_from(["any", "number", "text", "bool"]))
def test_any_document_gives_a_value(document: Any, path: str, kind: str) -> None:
    payload = json.dumps(document).encode()
    try:
        said = taken(payload, path=path, type=kind, scale=0.1, invalid=[0, ""])
    except UnreadableError:
        return
    assert said is None or isinstance(said, (bool, int, float, str))


@given(st.binary(max_size=40), st.sampled_from(["json", "text"]))
def test_any_bytes_give_a_value_or_are_refused(payload: bytes, kind: str) -> None:
    try:
        said = taken(payload, payload=kind, path="a" if kind == "json" else None)
    except UnreadableError:
        return
    assert said is None or isinstance(said, (bool, int, float, str))


# --- topics ----------------------------------------------------------------------------------------------------------


def test_places_are_filled_and_other_braces_stay() -> None:
    template = '{"id":"{id}","c":{connector},"t":{now_ms},"d":"{device}","x":{"y":"{z}"}}'
    said = fill(template, "box-1", 3, id="a{device}", now_ms=17)
    assert said == '{"id":"a{device}","c":3,"t":17,"d":"box-1","x":{"y":"{z}"}}'
    assert fill("x/{connector}/y", "box-1") == "x//y"


def test_the_devices_own_numbers() -> None:
    zero = broker(first_connector=0)
    assert [own_number(zero, each) for each in (1, 2)] == [0, 1]
    said: list[Value] = [0, 1, "1", 2, -1, 1.5, None, "x"]
    assert [our_number(zero, each, 2) for each in said] == [1, 2, 2, 0, 0, 0, 0, 0]


def test_every_topic_leads_to_its_values() -> None:
    mqtt = broker(
        first_connector=0,
        values={
            "firmware": {"topic": "x/{device}/info", "path": "fw"},
            "model": {"topic": ["x/{device}/info", "/x/{device}/info"], "path": "model"},
            "state": {"topic": "x/{device}/{connector}/state", "of": "connector"},
            "power": {"topic": "x/{device}/meters", "path": "m[{connector}].p", "of": "connector"},
            "output": {
                "topic": "x/{device}/note", "path": "o{connector}", "of": "connector",
                "also": [{"topic": "x/{device}/POWER{connector}", "payload": "text"}],
            },
        },
    )  # fmt: skip
    found = routes(mqtt, "box-1", 2)
    told = {topic: [(source.name, source.connector) for source in sources] for topic, sources in found.items()}
    assert told == {
        "x/box-1/info": [("firmware", 0), ("model", 0)],
        "/x/box-1/info": [("model", 0)],
        "x/box-1/0/state": [("state", 1)],
        "x/box-1/1/state": [("state", 2)],
        "x/box-1/meters": [("power", 1), ("power", 2)],
        "x/box-1/note": [("output", 1), ("output", 2)],
        "x/box-1/POWER0": [("output", 1)],
        "x/box-1/POWER1": [("output", 2)],
    }
    meters = b'{"m": [{"p": 10}, {"p": 20}]}'
    assert [source.take(meters) for source in found["x/box-1/meters"]] == [10, 20]
    assert [source.take(b'{"o1": true}') for source in found["x/box-1/note"]] == [NOT_SAID, True]
    assert found["x/box-1/POWER1"][0].take(b"ON") == "ON"


def test_topics_of_an_answer_hold_the_commands_id() -> None:
    mqtt = broker(presence={"topic": "x/{device}/will", "offline": ["gone"]})
    assert mqtt.presence is not None
    assert topics_of(mqtt.presence, mqtt, "box-1", 0) == ("x/box-1/will",)
    told = mqtt.presence.model_copy(update={"topic": ("x/{device}/re/{id}",)})
    assert topics_of(told, mqtt, "box-1", 0, id="a-7") == ("x/box-1/re/a-7",)


def test_an_extractor_gives_the_part_as_it_is() -> None:
    mqtt = broker(presence={"topic": "x/{device}/will", "path": "params.{connector}", "online": [True]})
    assert mqtt.presence is not None
    with pytest.raises(ValueError, match="Parse error"):
        Extractor(mqtt.presence, 1)
    named = mqtt.presence.model_copy(update={"path": 'params."{connector}"'})
    assert Extractor(named, 1).take(b'{"params": {"1": [1, {"a": 2}]}}') == [1, {"a": 2}]
    assert read_payload(b'{"a": [1]}', "json") == {"a": [1]}


def test_a_scalar_is_plain() -> None:
    assert scalar({"a": 1}) is None
    assert scalar(float("nan")) is None
    assert scalar(True, "number") == 1
    assert scalar("Off", "bool") is False
