"""YAML files: lines are kept, surprises and bombs are refused."""

from pathlib import Path

import pytest

from triage.config.yamlfile import MAX_BYTES, parse_document, parse_scalar, read_document
from triage.errors import InputError, InputFault


def refused(raw: bytes) -> list[InputFault]:
    with pytest.raises(InputError) as caught:
        parse_document(raw, "a.yaml")
    return caught.value.faults


def test_every_key_and_item_knows_its_line() -> None:
    document = parse_document(b"a:\n  - x: 1\n  - y: 2\nb: 3\n", "a.yaml")
    assert document.line(("a", 1, "y")) == 3
    assert document.line(("b",)) == 4
    assert document.line(("a", 1, "missing")) == 3
    assert document.data == {"a": [{"x": 1}, {"y": 2}], "b": 3}


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse_document("\ufeffa: 1\n".encode(), "a.yaml").data == {"a": 1}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2027-01-01", "2027-01-01"),
        ("0081", "0081"),
        ("1_000", "1_000"),
        (".nan", ".nan"),
        ("true", True),
        ("~", None),
        ("-3", -3),
        ("1e3", 1000.0),
    ],
)
def test_plain_words_mean_what_they_look_like(word: str, value: object) -> None:
    assert parse_scalar(word) == value
    assert parse_document(f"k: {word}".encode(), "a.yaml").data == {"k": value}


def test_quoted_numbers_stay_text() -> None:
    assert parse_document(b"k: '5'\n", "a.yaml").data == {"k": "5"}


def test_duplicate_keys_are_refused_with_both_lines() -> None:
    (fault,) = refused(b"a: 1\nb: 2\na: 3\n")
    assert (fault.line, fault.field) == (3, "a")
    assert "already given on line 1" in fault.problem


def test_aliases_are_refused_before_they_can_grow() -> None:
    (fault,) = refused(b"a: &x [1]\nb: *x\n")
    assert fault.line == 2
    assert "aliases" in fault.problem


def test_deep_nesting_is_refused() -> None:
    assert "nested deeper" in refused(b"[" * 200)[0].problem


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"a: !!python/object:os.system x\n", "is not allowed"),
        (b"a: !mine x\n", "is not allowed"),
        (b"a: !!binary aGk=\n", "is not allowed"),
        (b"? [a, b]\n: 1\n", "a key must be a plain word"),
        (b"<<: {a: 1}\n", "a key must be a plain word"),
        (b"a: [1,\nb: 2\n", "is not YAML"),
        (b"a: 1\n--- \nb: 2\n", "is not YAML"),
        (b"a: \x01\n", "is not YAML"),
        (b"a: 1\nb: \xff\n", "is not UTF-8"),
    ],
)
def test_what_could_surprise_is_refused(raw: bytes, problem: str) -> None:
    faults = refused(raw)
    assert problem in faults[0].problem
    assert faults[0].remedy


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(InputError, match="larger than"):
        read_document(path)


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_document(tmp_path / name)
