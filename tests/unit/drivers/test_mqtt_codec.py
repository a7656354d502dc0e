"""The codec of the native dialect: total, bounded, never guessing."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.core.effects import Command
from triage.core.events import CommandAnswer, ComplaintReceived, Event, PileStatus, Quarantined, Telemetry
from triage.core.vocabulary import Action, AnswerResult, BootReason, Channel, ConnectorStatus, Tier
from triage.drivers.mqtt.codec import SAMPLE_LIMIT_BYTES, Codec, Rejection, encode
from triage.drivers.mqtt.topics import BadTopicError, TopicBook

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
TOPIC = "pile/v1/north/p-1/telemetry"


def decode(payload: bytes | dict[str, Any], topic: str = TOPIC, *, retained: bool = False) -> Event | None:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Codec().decode(topic, raw, retained=retained, received_at=NOW)


def telemetry(payload: bytes | dict[str, Any]) -> Telemetry:
    event = decode(payload)
    assert isinstance(event, Telemetry), event
    return event


def reason(payload: bytes | dict[str, Any], topic: str = TOPIC, *, retained: bool = False) -> str:
    event = decode(payload, topic, retained=retained)
    assert isinstance(event, Quarantined), event
    return event.reason


def test_a_full_reading() -> None:
    event = telemetry(
        {
            "ts": "2025-06-01T13:59:58.5+02:00",
            "seq": 7,
            "uptime_s": 12,
            "connectors": [{"id": 1, "status": "charging", "voltage_v": 398, "session": "s-1", "power_w": 7e3}],
            "faults": [{"code": "GroundFailure", "connector": 1, "info": "RCD"}],
            "something_new": {"kept": False},
        }
    )
    assert (event.site, event.pile, event.driver, event.received_at) == ("north", "p-1", "mqtt", NOW)
    assert (event.seq, event.uptime_s, event.device_at) == (7, 12, datetime(2025, 6, 1, 11, 59, 58, 500_000, UTC))
    (reading,) = event.readings
    assert (reading.connector, reading.status, reading.session) == (1, ConnectorStatus.CHARGING, "s-1")
    assert (reading.session_known, reading.voltage_v, reading.power_w) == (True, 398.0, 7000.0)
    assert reading.current_a is None
    (claim,) = event.faults
    assert (claim.code, claim.connector, claim.info) == ("GroundFailure", 1, "RCD")


def test_a_session_is_live_none_or_unknown() -> None:
    readings = telemetry(
        {"connectors": [{"id": 1, "session": "a"}, {"id": 2, "session": None}, {"id": 3, "status": "faulted"}]}
    ).readings
    assert [(r.session, r.session_known, r.status) for r in readings] == [
        ("a", True, None),
        (None, True, None),
        (None, False, ConnectorStatus.FAULTED),
    ]


def test_an_empty_object_is_a_reading_without_news() -> None:
    assert telemetry(b"{}") == Telemetry(received_at=NOW, site="north", pile="p-1")


@pytest.mark.parametrize(
    "ts",
    [
        '"2016-12-31T23:59:60Z"',
        '"yesterday"',
        '"2025-06-01T12:00:00"',
        "17",
        "1e999",
        "[[]]",
        '"' + "9" * 90 + '"',
        '"0001-01-01T00:00:00+14:00"',
        "null",
        '"\\ud83d\\ude00"',
        "9" * 400,
    ],
)
def test_a_clock_gone_wrong_spoils_no_reading(ts: str) -> None:
    assert telemetry(f'{{"ts":{ts},"seq":1}}'.encode()).device_at is None


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"{}{}", "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b'{"seq":NaN}', "not_json"),
        (b'{"uptime_s":Infinity}', "not_json"),
        (b'{"connectors":[{"id":1,"session":"\\ud800"}]}', "not_json"),
        (b"\x1f\x8b\x08\x00gzip", "not_utf8"),
        (b'{"connectors":[{"id":1,"session":"\xff"}]}', "not_utf8"),
        (b"null", "wrong_shape"),
        (b"[]", "wrong_shape"),
        (b'"text"', "wrong_shape"),
        (b"[" * 60_000, "wrong_shape"),
        (b'{"x":' + b"[" * 60_000, "wrong_shape"),
        (b'{"ts":' + b'{"a":' * 10_000, "wrong_shape"),
        (b'{"connectors":null}', "wrong_shape"),
        (b'{"connectors":[{}]}', "wrong_shape"),
        (b'{"connectors":[{"id":true}]}', "wrong_shape"),
        (b'{"connectors":[{"id":1.0}]}', "wrong_shape"),
        (b'{"connectors":[{"id":1,"voltage_v":true}]}', "wrong_shape"),
        (b'{"connectors":[{"id":1,"voltage_v":"230"}]}', "wrong_shape"),
        (b'{"connectors":[{"id":1,"status":"Charging"}]}', "wrong_shape"),
        (b'{"connectors":[{"id":1,"session":7}]}', "wrong_shape"),
        (b'{"connectors":[{"id":1,"session":"a\\u0000b"}]}', "wrong_shape"),
        (b'{"connectors":[{"id":1,"session":null},{"id":1,"session":"x"}]}', "wrong_shape"),
        (b'{"faults":[{"code":""}]}', "wrong_shape"),
        (b'{"faults":["GroundFailure"]}', "wrong_shape"),
        (b'{"seq":-1}', "out_of_range"),
        (b'{"seq":18446744073709551616}', "out_of_range"),
        (b'{"seq":' + b"9" * 5000 + b"}", "out_of_range"),
        (b'{"uptime_s":1e999}', "out_of_range"),
        (b'{"uptime_s":-1}', "out_of_range"),
        (b'{"uptime_s":3.1e9}', "out_of_range"),
        (b'{"connectors":[{"id":0}]}', "out_of_range"),
        (b'{"connectors":[{"id":1,"voltage_v":1500.1}]}', "out_of_range"),
        (b'{"connectors":[{"id":1,"voltage_v":-0.1}]}', "out_of_range"),
        (b'{"connectors":[{"id":1,"current_a":-1001}]}', "out_of_range"),
        (b'{"connectors":[{"id":1,"power_w":2000001}]}', "out_of_range"),
        (b'{"connectors":[{"id":1,"temperature_c":201}]}', "out_of_range"),
        (b'{"connectors":[{"id":1,"temperature_c":-61}]}', "out_of_range"),
        (b'{"connectors":[{"id":1,"energy_wh":1e13}]}', "out_of_range"),
        (b'{"pile":"p-2"}', "identity_mismatch"),
        (b'{"site":"south"}', "identity_mismatch"),
        (b'{"pile":["p-1"]}', "identity_mismatch"),
        (b" " * 65_537, "too_large"),
    ],
)
def test_what_is_no_reading_is_quarantined_with_its_reason(payload: bytes, expected: str) -> None:
    assert reason(payload) == expected


@pytest.mark.parametrize(
    "payload",
    [
        {"connectors": [{"id": n + 1} for n in range(65)]},
        {"faults": [{"code": "x"}] * 65},
        {"connectors": [{"id": 1, "session": "s" * 129}]},
        {"faults": [{"code": "c" * 65}]},
        {"faults": [{"code": "c", "info": "i" * 501}]},
    ],
)
def test_one_more_than_the_limit_is_too_many(payload: dict[str, Any]) -> None:
    assert reason(payload) == "wrong_shape"


def test_the_limits_themselves_are_allowed() -> None:
    event = telemetry(
        {
            "connectors": [{"id": n + 1, "session": "s" * 128, "voltage_v": 1500, "power_w": -2e6} for n in range(64)],
            "faults": [{"code": "c" * 64, "info": "i" * 400}] * 64,
            "uptime_s": 3e9,
            "pile": "p-1",
            "site": "north",
        }
    )
    assert (len(event.readings), len(event.faults)) == (64, 64)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("pile/v1/north/p 1/telemetry", "bad_topic"),
        ("pile/v1/../p-1/telemetry", "bad_topic"),
        ("pile/v1/north/./telemetry", "bad_topic"),
        ("pile/v1/north//telemetry", "bad_topic"),
        (f"pile/v1/north/{'p' * 65}/telemetry", "bad_topic"),
        ("pile/v1/north/p\x00/status", "bad_topic"),
        ("pile/v1/north/p-1\n/telemetry", "bad_topic"),
        ("pile/v1/north/桩/telemetry", "bad_topic"),
        ("pile/v1/north/+/telemetry", "bad_topic"),
        ("pile/v1/north/p-1/other", "unknown_topic"),
        ("pile/v1/north/p-1", "unknown_topic"),
        ("pile/v1/north/x/p-1/telemetry", "unknown_topic"),
        ("pile/v2/north/p-1/telemetry", "unknown_topic"),
        ("pile/v1/complaints/x", "unknown_topic"),
        ("$SYS/broker/uptime", "unknown_topic"),
        ("", "unknown_topic"),
        ("x" * 65_535, "unknown_topic"),
    ],
)
def test_identity_comes_from_a_well_formed_topic(topic: str, expected: str) -> None:
    event = decode(b"{}", topic)
    assert isinstance(event, Quarantined)
    assert (event.reason, event.pile) == (expected, None)
    assert len(event.topic) <= 256
    assert "\x00" not in event.topic


def test_a_sample_is_kept_and_the_whole_is_hashed() -> None:
    event = decode(b"x" * 70_000)
    assert isinstance(event, Quarantined)
    assert (event.size, len(event.sample), event.pile) == (70_000, SAMPLE_LIMIT_BYTES, "p-1")
    assert event.sha256 == hashlib.sha256(b"x" * 70_000).hexdigest()


def test_births_and_wills() -> None:
    topic = "pile/v1/north/p-1/status"
    birth = decode(
        {"online": True, "boot_id": 17, "boot_reason": "watchdog", "firmware": "1.2", "model": "M"},
        topic,
        retained=True,
    )
    assert birth == PileStatus(
        received_at=NOW,
        site="north",
        pile="p-1",
        online=True,
        boot_id="17",
        boot_reason=BootReason.WATCHDOG,
        firmware="1.2",
        model="M",
        retained=True,
    )
    assert decode({"online": False}, topic) == PileStatus(received_at=NOW, site="north", pile="p-1", online=False)
    odd = decode({"online": True, "boot_reason": "gremlins"}, topic)
    assert isinstance(odd, PileStatus)
    assert odd.boot_reason is BootReason.UNKNOWN
    assert reason({"online": 1}, topic) == "wrong_shape"
    assert reason({}, topic) == "wrong_shape"


def test_answers_to_commands() -> None:
    topic = "pile/v1/north/p-1/command/ack"
    assert decode({"id": "a-1", "result": "accepted"}, topic) == CommandAnswer(
        received_at=NOW, site="north", pile="p-1", command="a-1", result=AnswerResult.ACCEPTED
    )
    assert reason({"id": "a-1", "result": "done"}, topic) == "wrong_shape"
    assert reason({"result": "accepted"}, topic) == "wrong_shape"


def test_a_retained_command_is_an_alarm_and_a_live_one_is_our_own_echo() -> None:
    topic = "pile/v1/north/p-1/command"
    assert decode(b'{"id":"x"}', topic) is None
    assert reason(b'{"id":"x"}', topic, retained=True) == "retained_command"


def complaint(payload: dict[str, Any]) -> ComplaintReceived:
    event = decode(payload, "pile/v1/complaints")
    assert isinstance(event, ComplaintReceived), event
    return event


def test_a_complaint_carries_its_key_and_digest() -> None:
    event = complaint(
        {
            "id": "c-1",
            "text": "枪拔不出来\x00",
            "pile": "p-1",
            "connector": 2,
            "occurred_at": "2025-06-01T19:00:00+08:00",
            "reporter": {"phone": "123", "tier": "vip"},
        }
    )
    assert (event.key, event.scope, event.channel, event.actor) == ("c-1", "complaint", Channel.MQTT, "mqtt")
    assert (event.text, event.pile, event.connector) == ("枪拔不出来\N{REPLACEMENT CHARACTER}", "p-1", 2)
    assert event.occurred_at == datetime(2025, 6, 1, 11, tzinfo=UTC)
    assert (event.reporter.phone, event.reporter.tier) == ("123", Tier.VIP)
    assert len(event.digest) == 64


def test_the_digest_knows_the_body_and_not_the_order_of_its_keys() -> None:
    first = complaint({"id": "a", "text": "t", "pile": "p"}).digest
    assert complaint({"pile": "p", "text": "t", "id": "b"}).digest == first
    assert complaint({"id": "a", "text": "t!", "pile": "p"}).digest != first


def test_a_complaint_needs_an_id_a_text_and_bounds() -> None:
    topic = "pile/v1/complaints"
    assert reason({"text": "t"}, topic) == "wrong_shape"
    assert reason({"id": "a"}, topic) == "wrong_shape"
    assert reason({"id": "a", "text": ""}, topic) == "wrong_shape"
    assert reason({"id": "a", "text": "t" * 16_385}, topic) == "wrong_shape"
    assert reason({"id": "a", "text": "t", "channel": "pigeon"}, topic) == "wrong_shape"
    assert complaint({"id": "a", "text": "t" * 16_384}).pile is None


def command(**changes: Any) -> Command:
    fields: dict[str, Any] = {
        "id": "a-1",
        "site": "north",
        "pile": "p-1",
        "driver_profile": "pile/v1",
        "action": Action.RESET_SOFT,
        "connector": 0,
        "issued_at": NOW,
        "expires_at": datetime(2025, 6, 1, 14, 1, tzinfo=timezone(timedelta(hours=2))),
    }
    return Command(**(fields | changes))


def test_a_command_as_the_device_reads_it() -> None:
    topic, payload = encode(command(args={"silent_ok": "1", "available": True}))
    assert topic == "pile/v1/north/p-1/command"
    assert json.loads(payload) == {
        "id": "a-1",
        "action": "reset_soft",
        "connector": 0,
        "args": {"available": True},
        "expires_at": "2025-06-01T12:01:00Z",
    }


@pytest.mark.parametrize("pile", ["+", "#", "a/b", "", "..", "p\x00"])
def test_a_command_cannot_be_addressed_past_its_pile(pile: str) -> None:
    with pytest.raises(BadTopicError):
        encode(command(pile=pile))


def test_the_book_of_topics_is_bounded() -> None:
    book = TopicBook(limit=10)
    for number in range(100):
        assert book.read(f"pile/v1/s/p{number}/status").pile == f"p{number}"
        assert len(book._known) <= 10


SEGMENTS = st.sampled_from(
    ["pile", "v1", "north", "p-1", "telemetry", "status", "command", "ack", "complaints", "..", ""]
)
TOPICS = st.one_of(
    st.sampled_from([TOPIC, "pile/v1/north/p-1/status", "pile/v1/north/p-1/command/ack", "pile/v1/complaints"]),
    st.lists(SEGMENTS, max_size=8).map("/".join),
    st.text(max_size=80),
)
KEYS = st.sampled_from(
    [
        "ts",
        "seq",
        "uptime_s",
        "connectors",
        "faults",
        "id",
        "status",
        "session",
        "voltage_v",
        "code",
        "connector",
        "info",
        "online",
        "boot_id",
        "boot_reason",
        "result",
        "reason",
        "text",
        "pile",
        "site",
        "reporter",
        "channel",
        "occurred_at",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["available", "accepted", "p-1", "north", "2016-12-31T23:59:60Z", "9999-12-31T23:59:59-23:59"]),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=30
)
PAYLOADS = st.one_of(
    st.binary(max_size=300),
    VALUES.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    st.dictionaries(KEYS, VALUES, max_size=8).map(
        lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    ),
)
SHARED = Codec()


@given(topic=TOPICS, payload=PAYLOADS, retained=st.booleans())
def test_any_bytes_on_any_topic_are_an_event_or_quarantined(topic: str, payload: bytes, retained: bool) -> None:
    event = SHARED.decode(topic, payload, retained=retained, received_at=NOW)
    if event is None:
        assert topic.endswith("/command")
        return
    if isinstance(event, Quarantined):
        assert event.reason in set(Rejection)
        assert event.size == len(payload)
        assert event.sample == payload[:SAMPLE_LIMIT_BYTES]
        return
    assert isinstance(event, Telemetry | PileStatus | CommandAnswer | ComplaintReceived)
    assert not any("\x00" in value for value in msgspec.to_builtins(event).values() if isinstance(value, str))


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 65_536,
        b'{"a":' * 13_000,
        b'{"faults":[' + b"{}," * 20_000,
        b'{"seq":' + b"9" * 65_000 + b"}",
        b'{"x":"' + b"\\u0000" * 10_000 + b'"}',
        b"{" + b",".join(b'"k%d":1' % n for n in range(7_000)) + b"}",
    ],
)
def test_bombs_are_defused_quickly(payload: bytes) -> None:
    began_s = time.process_time()
    decode(payload)
    assert time.process_time() - began_s < 0.02
