"""Words to values and back, for every type and every order of words and bytes."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.unit.drivers.profiles.making import device, register
from triage.config.profile.registers import WORDS, Register
from triage.drivers.profiles import registers
from triage.drivers.profiles.registers import (
    AddressError,
    UnwritableError,
    address,
    decode,
    encode,
    unit_id,
)
from triage.drivers.profiles.values import ImpossibleError

DEVICE = device()
WHOLE = {
    "u8": 8, "i8": 8, "u16": 16, "i16": 16, "bits16": 16, "bcd16": 16, "u32": 32, "i32": 32, "bits32": 32,
    "bcd32": 32, "u64": 64, "i64": 64, "bits64": 64,
}  # fmt: skip
SCALES = (1.0, 0.1, 0.01, 0.001, 0.5, 2.0, 10.0, 0.25)
ORDERS = {"word_order": st.sampled_from(["msw_first", "lsw_first"]), "byte_order": st.sampled_from(["big", "little"])}


def laid(number: int, words: int, word_order: str, byte_order: str) -> tuple[int, ...]:
    """The words of ``number``, put down by hand."""
    said = number.to_bytes(2 * words, "big")
    each = [
        struct.unpack("<H" if byte_order == "little" else ">H", said[at : at + 2])[0] for at in range(0, len(said), 2)
    ]
    return tuple(reversed(each)) if word_order == "lsw_first" else tuple(each)


@st.composite
def whole_registers(draw: st.DrawFn) -> Register:
    kind = draw(st.sampled_from(sorted(WHOLE)))
    told: dict[str, Any] = {name: draw(strategy) for name, strategy in ORDERS.items()}
    told |= {"type": kind, "access": "rw", "scale": draw(st.sampled_from(SCALES))}
    told["offset"] = draw(st.sampled_from([0.0, -50.0, 0.5]))
    if kind in {"u8", "i8"}:
        told["byte"] = draw(st.sampled_from(["high", "low"]))
    if draw(st.booleans()):
        told["shift"] = draw(st.integers(0, WHOLE[kind] - 1))
        told["mask"] = draw(st.integers(1, (1 << WHOLE[kind]) - 1))
    return register(**told)


def words_of(each: Register) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 0xFFFF), min_size=each.size, max_size=each.size)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_what_was_read_can_be_written_and_reads_the_same(data: st.DataObject) -> None:
    each = data.draw(whole_registers())
    words = data.draw(words_of(each))
    value = decode(each, words, DEVICE)
    if each.type.startswith("bcd") and value is None:
        return
    assert isinstance(value, (int, float))
    assume(abs(value) < min(1, each.scale) * 2**50)  # beyond, a float's steps are wider than those of the register
    again = encode(each, value, DEVICE)
    assert len(again) == each.size
    assert decode(each, again, DEVICE) == value
    if each.mask is None and each.byte is None and not each.type.startswith("bcd"):
        assert again == tuple(words)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(set(WHOLE) - {"u8", "i8", "bcd16", "bcd32"})),
    ORDERS["word_order"],
    ORDERS["byte_order"],
    st.integers(0, 2**64 - 1),
)
def test_whole_numbers_stand_as_laid_by_hand(kind: str, word_order: str, byte_order: str, number: int) -> None:
    bits = WHOLE[kind]
    number %= 1 << bits
    each = register(type=kind, word_order=word_order, byte_order=byte_order)
    said = decode(each, laid(number, WORDS[kind], word_order, byte_order), DEVICE)
    signed = kind.startswith("i") and number >= 1 << (bits - 1)
    assert said == (number - (1 << bits) if signed else number)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["f32", "f64"]), ORDERS["word_order"], ORDERS["byte_order"], st.integers(0, 2**64 - 1))
@example("f32", "msw_first", "big", 0x7FC00000)
@example("f32", "msw_first", "big", 0xFF800000)
@example("f64", "lsw_first", "little", 0x7FF8000000000000)
@example("f32", "lsw_first", "big", 0x7F7FFFFF)
def test_floats_stand_as_laid_by_hand(kind: str, word_order: str, byte_order: str, pattern: int) -> None:
    size = 2 * WORDS[kind]
    pattern %= 1 << (8 * size)
    number = struct.unpack(">f" if kind == "f32" else ">d", pattern.to_bytes(size, "big"))[0]
    each = register(type=kind, word_order=word_order, byte_order=byte_order, access="rw")
    words = laid(pattern, WORDS[kind], word_order, byte_order)
    said = decode(each, words, DEVICE)
    if not math.isfinite(number):
        assert said is None
        return
    assert isinstance(said, float)
    if kind == "f64":
        assert said == number
    else:
        assert struct.pack(">f", said) == struct.pack(">f", number)
    assert encode(each, said, DEVICE) == words


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["ascii", "utf-8", "utf-16", "gb18030"]),
    ORDERS["byte_order"],
    st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8),
)
def test_texts_come_back(encoding: str, byte_order: str, text: str) -> None:
    each = register(type="text", words=16, encoding=encoding, byte_order=byte_order, access="rw")
    try:
        words = encode(each, text, DEVICE)
    except UnwritableError:
        assert encoding == "ascii"
        assert not text.isascii()
        return
    assert len(words) == 16
    assert decode(each, words, DEVICE) == text


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_words_give_a_value_or_none(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([*WORDS, "text"]))
    told: dict[str, Any] = {
        "type": kind,
        "invalid": [0, 0xFFFF],
        "scale": data.draw(st.sampled_from([1e-12, 0.1, 1e12])),
    }
    if kind == "bool":
        told["table"] = "coil"
    if kind in {"u8", "i8", "char"}:
        told["byte"] = data.draw(st.sampled_from(["high", "low"]))
    if kind == "text":
        told |= {"words": 6, "encoding": data.draw(st.sampled_from(["ascii", "utf-8", "utf-16", "gb18030"]))}
    each = register(**told)
    words = data.draw(st.lists(st.integers(0, 0xFFFF), max_size=8))
    said = registers.compile(each, DEVICE)(words)
    assert said is None or isinstance(said, (bool, int, float, str))
    if isinstance(said, str):
        assert said.isprintable() or not any(ord(letter) < 32 for letter in said)
    if len(words) != each.size:
        assert said is None


# --- by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "words", "value"),
    [
        ({"type": "u16"}, (235,), 235),
        ({"type": "u16", "scale": 0.1}, (235,), 23.5),
        ({"type": "u16", "scale": 0.1}, (3,), 0.3),
        ({"type": "u16", "scale": 10.0}, (3,), 30),
        ({"type": "u16", "scale": 0.1, "offset": -50.0}, (755,), 25.5),
        ({"type": "u16", "offset": -50.0}, (75,), 25),
        ({"type": "i16"}, (0xFFFF,), -1),
        ({"type": "i16", "scale": 0.1}, (0xFF9C,), -10.0),
        ({"type": "u8", "byte": "high"}, (0x4142,), 0x41),
        ({"type": "u8", "byte": "low"}, (0x4142,), 0x42),
        ({"type": "i8", "byte": "low"}, (0x41FE,), -2),
        ({"type": "u8", "byte": "high", "byte_order": "little"}, (0x4142,), 0x42),
        ({"type": "u32"}, (0x0001, 0x86A0), 100_000),
        ({"type": "u32", "word_order": "lsw_first"}, (0x86A0, 0x0001), 100_000),
        ({"type": "u32", "byte_order": "little"}, (0x0100, 0xA086), 100_000),
        ({"type": "u32", "word_order": "lsw_first", "byte_order": "little"}, (0xA086, 0x0100), 100_000),
        ({"type": "i32", "scale": 0.001}, (0xFFFF, 0xFC18), -1.0),
        ({"type": "i64"}, (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE), -2),
        ({"type": "u64", "scale": 0.001}, (0, 0, 0x0001, 0xE240), 123.456),
        ({"type": "f32"}, (0x4366, 0x199A), 230.1),
        ({"type": "f32"}, (0x7FC0, 0x0000), None),
        ({"type": "f32"}, (0x7F80, 0x0000), None),
        ({"type": "f32"}, (0x4B7F, 0xFFFF), 16_777_215.0),
        ({"type": "f32", "scale": 1000.0}, (0x4366, 0x199A), 230_100.0),
        ({"type": "f64"}, (0x406C, 0xC333, 0x3333, 0x3333), 230.1),
        ({"type": "bcd16"}, (0x1234,), 1234),
        ({"type": "bcd16", "scale": 0.1}, (0x0235,), 23.5),
        ({"type": "bcd16"}, (0x123A,), None),
        ({"type": "bcd16"}, (0xFFFF,), None),
        ({"type": "bcd32"}, (0x1234, 0x5678), 12_345_678),
        ({"type": "bcd16", "invalid": [9999]}, (0x9999,), None),
        ({"type": "bits16"}, (0x8001,), 0x8001),
        ({"type": "bits32"}, (0x8000, 0x0001), 0x80000001),
        ({"type": "u16", "shift": 8, "mask": 0x7F}, (0xC210,), 0x42),
        ({"type": "i16", "shift": 4}, (0xFFF0,), -1),
        ({"type": "i16", "mask": 0xFF}, (0xFFF0,), 0xF0),
        ({"type": "u32", "shift": 8, "mask": "0x7F"}, (0x0000, 0x8200), 2),
        ({"type": "char", "byte": "high"}, (0x4300,), "C"),
        ({"type": "char", "byte": "low"}, (0x0042,), "B"),
        ({"type": "char", "byte": "low"}, (0x0007,), None),
        ({"type": "char", "byte": "low"}, (0x0000,), None),
        ({"type": "char", "byte": "high"}, (0xC300,), None),
        ({"type": "text", "words": 3}, (0x4142, 0x4320, 0x0000), "ABC"),
        ({"type": "text", "words": 3, "byte_order": "little"}, (0x4241, 0x0043, 0x0000), "ABC"),
        ({"type": "text", "words": 3}, (0x0020, 0x4100, 0x4242), "A"),
        ({"type": "text", "words": 2}, (0x4107, 0x421B), "A�B�"),
        ({"type": "text", "words": 2}, (0x0000, 0x0000), ""),
        ({"type": "text", "words": 2}, (0xFFFF, 0xFFFF), None),
        ({"type": "text", "words": 2, "encoding": "utf-16"}, (0x6F4F, 0x7535), "潏电"),
        ({"type": "text", "words": 2, "encoding": "utf-16", "byte_order": "little"}, (0x3575, 0x0000), "电"),
        ({"type": "text", "words": 2, "encoding": "gb18030"}, (0xB5E7, 0x0000), "电"),
        ({"type": "text", "words": 2, "encoding": "utf-8"}, (0xE794, 0xB500), "电"),
        ({"type": "bool", "table": "coil"}, (1,), True),
        ({"type": "bool", "table": "discrete"}, (0,), False),
        ({"type": "u16", "invalid": ["0xFFFF"]}, (0xFFFF,), None),
        ({"type": "i16", "invalid": ["0x8000"]}, (0x8000,), None),
        ({"type": "i16", "invalid": [-1]}, (0xFFFF,), None),
        ({"type": "u32", "invalid": ["0xFFFFFFFF"], "scale": 0.1}, (0xFFFF, 0xFFFF), None),
        ({"type": "u16", "shift": 8, "invalid": [255]}, (0xFF12,), None),
        ({"type": "u16", "mask": 0x0F, "invalid": [15]}, (0x12,), 2),
        ({"type": "f32", "invalid": [-999.9]}, (0xC479, 0xF99A), None),
        ({"type": "u16"}, (), None),
        ({"type": "u32"}, (1,), None),
    ],
)
def test_known_words(told: dict[str, Any], words: tuple[int, ...], value: object) -> None:
    said = decode(register(**told), words, DEVICE)
    assert said == value
    assert type(said) is type(value)


def test_the_devices_orders_hold_where_the_register_says_nothing() -> None:
    mixed = device(word_order="lsw_first", byte_order="little")
    assert decode(register(type="u32"), (0xA086, 0x0100), mixed) == 100_000
    assert decode(register(type="u32", word_order="msw_first", byte_order="big"), (1, 0x86A0), mixed) == 100_000
    assert decode(register(type="text", words=2), (0x4241, 0x4443), mixed) == "ABCD"  # words of a text are in order


@pytest.mark.parametrize(
    ("told", "words", "said"),
    [
        ({"type": "u16", "range": [0, 300], "unit": "V"}, (301,), "says 301 V; possible is 0 to 300 V"),
        ({"type": "i16", "scale": 0.1, "range": [-40, 125]}, (0x8000,), "says -3276.8; possible is -40 to 125"),
        ({"type": "u32", "range": [0, 22000], "unit": "W"}, (0xFFFF, 0xFFFF), "says 4294967295 W"),
    ],
)
def test_beyond_the_range_is_impossible(told: dict[str, Any], words: tuple[int, ...], said: str) -> None:
    with pytest.raises(ImpossibleError, match=said):
        decode(register(**told), words, DEVICE)


def test_the_range_counts_after_scaling() -> None:
    assert decode(register(type="u16", scale=0.1, range=[0, 300]), (2300,), DEVICE) == 230.0


# --- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "value", "words"),
    [
        ({"type": "u16", "scale": 0.1}, 16.1, (161,)),
        ({"type": "u16", "scale": 0.1}, 16, (160,)),
        ({"type": "i16"}, -1, (0xFFFF,)),
        ({"type": "u32", "word_order": "lsw_first"}, 100_000, (0x86A0, 0x0001)),
        ({"type": "u32", "access": "w"}, "0x012EB007", (0x012E, 0xB007)),
        ({"type": "f32"}, 16.1, (0x4180, 0xCCCD)),
        ({"type": "bcd16"}, 1234, (0x1234,)),
        ({"type": "bool", "table": "coil"}, True, (1,)),
        ({"type": "bool", "table": "coil"}, 0, (0,)),
        ({"type": "text", "words": 2}, "ABC", (0x4142, 0x4300)),
        ({"type": "char", "byte": "high"}, "C", (0x4300,)),
        ({"type": "u16", "shift": 8, "mask": 0x7F}, 0x42, (0x4200,)),
    ],
)
def test_known_writes(told: dict[str, Any], value: Any, words: tuple[int, ...]) -> None:
    each = register(**{"access": "rw", **told})
    if told.get("access") == "w":
        value = int(value, 16)
    assert encode(each, value, DEVICE) == words


@pytest.mark.parametrize(
    ("told", "value", "why"),
    [
        ({"type": "u16", "access": "r"}, 1, "read-only"),
        ({"type": "u16", "forbidden": [0]}, 0, "must never be written"),
        ({"type": "u16", "scale": 0.1, "forbidden": [0]}, 0.0, "must never be written"),
        ({"type": "u16", "allowed": [1, 2]}, 3, "not one of the values allowed: 1, 2"),
        ({"type": "u16", "limits": [6, 32]}, 5, "outside 6 to 32 .`limits`"),
        ({"type": "u16", "limits": [6, 32]}, 33, "outside 6 to 32"),
        ({"type": "u16", "range": [0, 100]}, 101, "`range`"),
        ({"type": "u16"}, 65_536, "does not fit u16"),
        ({"type": "u16"}, -1, "does not fit u16"),
        ({"type": "i8", "byte": "low"}, 128, "does not fit i8"),
        ({"type": "u16", "scale": 0.1}, 16.15, "between two steps"),
        ({"type": "u16"}, 1.5, "between two steps"),
        ({"type": "u16"}, "ON", "is no number"),
        ({"type": "u16"}, True, "is no number"),
        ({"type": "u16"}, math.nan, "no finite number"),
        ({"type": "f32"}, 1e39, "does not fit f32"),
        ({"type": "f64"}, math.inf, "no finite number"),
        ({"type": "u16", "invalid": ["0xFFFF"]}, 0xFFFF, "no value"),
        ({"type": "i16", "invalid": ["0xFFFF"]}, -1, "no value"),
        ({"type": "bcd16"}, 10_000, "does not fit bcd16"),
        ({"type": "bcd16"}, -1, "does not fit bcd16"),
        ({"type": "u16", "mask": 0x0F}, 0x10, "does not fit u16"),
        ({"type": "u16", "shift": 12}, 16, "does not fit u16"),
        ({"type": "text", "words": 1}, "ABC", "room for 2"),
        ({"type": "text", "words": 2}, "电", "cannot be written in ascii"),
        ({"type": "text", "words": 2}, " A", "would be read as A"),
        ({"type": "text", "words": 2}, 5, "is no text"),
        ({"type": "char", "byte": "low"}, "AB", "one printable ASCII"),
        ({"type": "char", "byte": "low"}, "\n", "one printable ASCII"),
        ({"type": "bool", "table": "coil"}, 2, "neither true nor false"),
        ({"type": "bool", "table": "coil"}, "on", "is no number"),
    ],
)
def test_what_must_not_be_written_is_refused(told: dict[str, Any], value: Any, why: str) -> None:
    with pytest.raises(UnwritableError, match=why):
        encode(register(**{"access": "rw", **told}), value, DEVICE)


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbering", "table", "printed", "sent"),
    [
        ("protocol", "holding", 0, 0),
        ("protocol", "input", 40_001, 40_001),
        ("one_based", "holding", 1, 0),
        ("one_based", "holding", 65_536, 65_535),
        ("modicon", "holding", 40_001, 0),
        ("modicon", "holding", 49_999, 9_998),
        ("modicon", "holding", 400_001, 0),
        ("modicon", "holding", 465_536, 65_535),
        ("modicon", "input", 30_101, 100),
        ("modicon", "input", 365_536, 65_535),
        ("modicon", "coil", 401, 400),
        ("modicon", "discrete", 10_021, 20),
    ],
)
def test_printed_addresses(numbering: str, table: str, printed: int, sent: int) -> None:
    kind = "bool" if table in {"coil", "discrete"} else "u16"
    assert address(register(table=table, type=kind, address=printed), device(numbering=numbering), 1) == sent


@pytest.mark.parametrize(
    ("numbering", "table", "printed", "why"),
    [
        ("one_based", "holding", 0, "counting starts at 1"),
        ("modicon", "holding", 40_000, "no address of the five"),
        ("modicon", "holding", 20_001, "no address of the five"),
        ("modicon", "holding", 30_001, "means input, and `table` says holding"),
        ("modicon", "input", 400_001, "means holding"),
        ("protocol", "holding", 65_536, "outside 0 to 65535"),
        ("modicon", "holding", 465_537, "outside 0 to 65535"),
    ],
)
def test_addresses_that_are_none(numbering: str, table: str, printed: int, why: str) -> None:
    with pytest.raises(AddressError, match=why):
        address(register(table=table, type="u16", address=printed), device(numbering=numbering), 1)


def test_a_value_must_end_within_the_addresses() -> None:
    with pytest.raises(AddressError, match="65535 with 2 word"):
        address(register(type="u32", address=65_535), DEVICE, 1)


def test_connectors_stand_a_stride_apart() -> None:
    own = register(type="u16", address=1232, of="connector")
    assert [address(own, device(connectors={"stride": 1000}), each) for each in (1, 2, 3)] == [1232, 2232, 3232]
    uneven = device(connectors={"bases": [0, 100, 350]})
    assert [address(own, uneven, each) for each in (1, 2, 3)] == [1232, 1332, 1582]
    with pytest.raises(AddressError, match="no entry for connector 4"):
        address(own, uneven, 4)
    wider = register(type="u16", address=1232, of="connector", stride=2)
    assert address(wider, uneven, 3) == 1236
    pile = register(type="u16", address=100)
    assert address(pile, device(connectors={"stride": 1000}), 3) == 100
    assert address(own, device(connectors={"stride": 1000}), 0) == 1232


def test_units_of_connectors() -> None:
    several = device(connectors={"unit_stride": 1})
    own, pile = register(type="u16", of="connector"), register(type="u16")
    assert [unit_id(own, several, 1, each) for each in (1, 2, 3)] == [1, 2, 3]
    assert unit_id(pile, several, 5, 3) == 5
    assert unit_id(register(type="u16", unit_id=200), several, 1, 2) == 200
    with pytest.raises(AddressError, match="beyond 255"):
        unit_id(own, several, 255, 2)
