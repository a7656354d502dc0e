"""The parser of ordinary messages against paho's own reading of the same bytes, however they are cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTErrorCode

from triage.drivers.mqtt.connection import Connection
from triage.drivers.mqtt.counters import Counters
from triage.drivers.mqtt.options import broker_options
from triage.drivers.mqtt.packets import Received, acknowledgements, span, take
from triage.drivers.mqtt.pipe import Machine, Pipe
from triage.drivers.mqtt.window import Window

OPTIONS = broker_options("mqtt://broker.example", client_id="d")
WELCOME = b"\x20\x02\x00\x00"
LIMIT = 500


def length(size: int, digits: int = 1) -> bytes:
    """A remaining length, written with at least so many digits."""
    said = bytearray()
    while size or len(said) < digits:
        size, digit = divmod(size, 128)
        said.append(digit | 0x80)
    said[-1] &= 0x7F
    return bytes(said)


def publish(topic: bytes, payload: bytes, head: int = 0x30, number: int = 7, digits: int = 1) -> bytes:
    body = len(topic).to_bytes(2) + topic + (number.to_bytes(2) if head & 0x06 else b"") + payload
    return bytes([head]) + length(len(body), digits) + body


def taken(chunk: bytes, at: int = 0, limit: int = LIMIT) -> tuple[int, list[Received], list[bytes]]:
    messages: list[Received] = []
    ids: list[bytes] = []
    return take(chunk, at, limit, messages, ids), messages, ids


def test_messages_of_both_kinds_are_read_to_the_end() -> None:
    chunk = publish(b"a", b"1") + publish(b"b/c", b"", 0x33, 258) + publish("桩".encode(), b"x" * 16_000, 0x3A, 65_535)
    assert taken(b"??" + chunk, 2) == (
        2 + len(chunk),
        [Received("a", b"1", False), Received("b/c", b"", True), Received("桩", b"x" * 16_000, False)],
        [b"\x01\x02", b"\xff\xff"],
    )


def test_no_more_is_read_than_there_is_room_for() -> None:
    one = publish(b"t", b"{}")
    messages = [Received("earlier", b"", False)]
    assert take(one * 5, 0, 3, messages, []) == 2 * len(one)
    assert len(messages) == 3
    assert take(one * 5, 0, 3, messages, []) == 0


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x00",
        b"\x30\x01\x00",
        b"\x30\x02\x00\x00",  # no topic
        b"\x30\x03\x00\x02a",  # a topic longer than the packet
        b"\x32\x04\x00\x01a\x00",  # half a packet id
        b"\x30\xff\xff\xff\xff\x7f",
        b"\xd0\x00",
        b"\x40\x02\x00\x01",
        publish(b"t", b"{}")[:-1],
        publish(b"\xff\xfe", b"{}"),
        publish(b"t", b"x" * 20_000),
        publish(b"t", b"{}", digits=3),
        publish(b"t", b"{}", 0x34),  # QoS 2
        publish(b"t", b"{}", 0x36),  # no QoS at all
        publish(b"t", b"{}", 0x38),  # the repetition of what is never repeated
        publish(b"t", b"{}", 0x32, 0),  # no packet id at all
    ],
)
def test_whatever_is_not_ordinary_is_left_alone(other: bytes) -> None:
    good = publish(b"t", b"{}", 0x32, 1)
    assert taken(good + other) == (len(good), [Received("t", b"{}", False)], [b"\x00\x01"])


def test_what_follows_a_packet_that_was_left_is_left_too() -> None:
    assert taken(b"\xd0\x00" + publish(b"t", b"{}")) == (0, [], [])


@given(size=st.integers(0, 2**28 - 1), digits=st.integers(1, 4), head=st.integers(0, 255), cut=st.integers(0, 5))
def test_the_span_of_a_packet_is_known_as_soon_as_its_length_is(size: int, digits: int, head: int, cut: int) -> None:
    whole = bytes([head]) + length(size, digits)
    assert span(b"?" + whole[:cut], 1) == (len(whole) + size if cut >= len(whole) else 0)


@given(st.binary(max_size=40), st.integers(0, 45))
def test_no_bytes_break_the_parser(chunk: bytes, at: int) -> None:
    stopped, messages, ids = taken(chunk, at)
    assert at <= stopped <= max(at, len(chunk))
    assert len(ids) <= len(messages)
    assert bool(messages) == (stopped > at)
    assert span(chunk, at) >= 0


def test_acknowledgements_are_one_run_of_packets() -> None:
    assert acknowledgements([]) == b""
    assert acknowledgements([b"\x01\x02", b"\x00\x03"]) == b"\x40\x02\x01\x02\x40\x02\x00\x03"


class Wire(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        raise AssertionError("acknowledged at once, nothing can wait")


Heard = tuple[list[Received], bytes, bool]
"""The messages, what was written after the handshake, and whether the connection was given up."""


class Ear:
    """Hears everything and acknowledges at once."""

    def __init__(self) -> None:
        self.messages: list[Received] = []

    def up(self, *, resumed: bool) -> None:
        assert not resumed

    def receive(self, messages: Sequence[Received], ack: Callable[[], None]) -> None:
        self.messages += messages
        ack()


class Open(Pipe):
    """A pipe that shows everything, as a socket does."""

    unread = b""

    def recv(self, size: int) -> bytes:
        if not self.unread:
            raise BlockingIOError
        data, self.unread = self.unread[:size], self.unread[size:]
        return data


async def by_us(chunks: Iterable[bytes], commands: int) -> Heard:
    wire, ear, counters = Wire(), Ear(), Counters()
    connection = Connection(OPTIONS, ear, counters, Window(counters))
    connection.connection_made(wire)
    connection.data_received(WELCOME)
    for _ in range(commands):
        await connection.publish("c", b"", 1.0)
    wire.written.clear()
    for chunk in chunks:
        if not wire.closed:
            connection.data_received(chunk)
    return ear.messages, bytes(wire.written), wire.closed


def by_paho(data: bytes, commands: int) -> Heard:
    """What the library alone reads, everything at once; its own acknowledgement answers each message."""
    wire = Wire()
    pipe = Open(wire)
    machine = Machine(OPTIONS, pipe)
    messages: list[Received] = []

    def hear(_client: Any, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = bytes(message._topic).decode(errors="backslashreplace")
        messages.append(Received(topic, bytes(message.payload), message.retain))
        machine.ack(message.mid, message.qos)

    machine.on_message = hear
    machine.on_socket_register_write = lambda *_: None
    machine.reconnect()
    pipe.unread = WELCOME
    machine.loop_read()
    for _ in range(commands):
        machine.publish("c", b"", qos=1)
    machine.loop_write()
    pipe.flush()
    wire.written.clear()
    pipe.unread = data
    while pipe.unread:
        if machine.loop_read() is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            wire.close()
            break
    machine.loop_write()
    pipe.flush()
    return messages, bytes(wire.written), wire.closed


TOPICS = st.one_of(
    st.sampled_from([b"pile/v1/north/p-1/telemetry", b"t", "桩/一".encode(), b"\xed\xa0\x80", b"a\x00b", b""]),
    st.binary(max_size=6),
)
PAYLOADS = st.one_of(st.binary(max_size=200), st.sampled_from([0, 115, 16_370, 16_400, 70_000]).map(bytes))
ORDINARY = st.builds(
    publish,
    st.sampled_from([b"pile/v1/north/p-1/telemetry", "桩/一".encode()]),
    PAYLOADS,
    st.sampled_from([0x30, 0x31, 0x32, 0x33, 0x3A, 0x3B]),
    st.integers(1, 65_535),
)
ODD = st.one_of(
    st.builds(publish, TOPICS, PAYLOADS, st.integers(0x30, 0x3F), st.integers(0, 65_535), st.integers(1, 4)),
    st.sampled_from([b"\xd0\x00", b"\x40\x02\x00\x09", b"\x90\x03\x00\x01\x01", b"\x50\x02\x00\x01", b"\xc0\x00"]),
)
STREAMS = st.lists(st.one_of(ORDINARY, ORDINARY, ODD), max_size=12).map(b"".join)
GARBAGE = st.one_of(st.just(b""), st.just(b""), st.binary(max_size=30))


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """``data`` in pieces of these sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        pieces.append(data[at : at + sizes[turn % len(sizes)]])
        at += len(pieces[-1])
        turn += 1
    return pieces


@given(
    stream=STREAMS,
    rest=GARBAGE,
    sizes=st.lists(st.integers(1, 5_000), min_size=1, max_size=6),
    commands=st.integers(0, 3),
)
@example(stream=publish(b"t", b"{}", 0x32, 0), rest=b"", sizes=[1], commands=0)
@example(stream=publish(b"t", b"{}", 0x32, 1) * 3, rest=b"\x30\xff\xff\xff\xff\x7f", sizes=[1], commands=0)
@example(stream=b"\xd0\x00" + publish(b"t", b"{}", 0x32, 1) * 2, rest=b"", sizes=[16, 7], commands=2)
def test_the_same_bytes_say_the_same_to_us_and_to_paho(
    stream: bytes, rest: bytes, sizes: list[int], commands: int
) -> None:
    """With ``commands`` unanswered, the library reads several packets at a time."""
    messages, answers, given_up = asyncio.run(by_us(cut(stream + rest, sizes), commands))
    expected, acks, failed = by_paho(stream + rest, commands)
    assert messages == expected
    assert given_up == failed
    if not failed:  # what is written then is no longer sent
        assert sorted(packets(answers)) == sorted(packets(acks))


def packets(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        found.append(data[at : at + span(data, at)])
        at += span(data, at)
    return found
