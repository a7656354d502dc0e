from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given

from tests.unit.storage import values
from triage.storage.documents import UndecodableError, canonical, decode, encode, escape, micros, moment, unescape


@given(values.TEXT)
def test_escaped_text_comes_back_and_every_database_takes_it(text: str) -> None:
    escaped = escape(text)
    assert unescape(escaped) == text
    assert "\x00" not in escaped
    escaped.encode()  # no lone surrogate is left


@given(values.TEXT, values.TEXT)
def test_escaping_keeps_different_texts_apart(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)


@given(values.JSON)
def test_documents_come_back_and_every_database_takes_them(value: object) -> None:
    text = encode(value)
    assert decode(text, object) == value
    assert "\x00" not in text
    text.encode()


@given(values.JSON)
def test_canonical_text_is_the_same_before_and_after_storing(value: object) -> None:
    assert canonical(decode(encode(value), object)) == canonical(value)


def test_canonical_text_knows_no_order_of_keys_and_no_halves() -> None:
    assert canonical({"b": 1, "a": {"d": 2, "c": 3}}) == canonical({"a": {"c": 3, "d": 2}, "b": 1})
    assert canonical({2: "x"}) == canonical({"2": "x"})
    halves = "\ud83d" + "\ude00"
    assert canonical([halves]) == canonical(["😀"])
    assert canonical([halves + "\ud800", float("nan")]) == canonical(["😀\ud800", None])


@given(values.MOMENTS)
def test_moments_are_exact(at: datetime) -> None:
    assert moment(micros(at)) == at


def test_order_of_moments_holds_before_1970() -> None:
    assert micros(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


@pytest.mark.parametrize("text", ["", "{", '"\\ud800', "[1,]", '{"a": \\u0000}', "\udcff", "[" * 100_000])
def test_broken_documents_are_told_apart_from_all_others(text: str) -> None:
    with pytest.raises(UndecodableError):
        decode(text, object)


def test_a_document_of_another_kind_is_undecodable() -> None:
    with pytest.raises(UndecodableError):
        decode('{"a": "\\ud800"}', dict[str, int])
    with pytest.raises(UndecodableError):
        decode('{"a": "x"}', dict[str, int])


def test_what_json_has_no_place_for_is_a_fault_of_the_caller() -> None:
    with pytest.raises(TypeError):
        encode({"a": object()})


def test_numbers_without_bound() -> None:
    assert decode(encode([2**80]), list[int]) == [2**80]
    assert msgspec.json.decode(encode(float("inf"))) is None
