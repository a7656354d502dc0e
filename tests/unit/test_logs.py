"""Logs: one line a record, whatever a stranger wrote, and nobody's number in it."""

from __future__ import annotations

import io
import json
import logging
import unicodedata
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from triage import logs

ANYTHING = st.text(alphabet=st.characters(), max_size=200)
MOBILES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
SEPARATORS = st.sampled_from(["", " ", "：", ",", "\n", "电话", "tel:", "(", "“"])


@pytest.fixture(autouse=True)
def _own_configuration() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def written(*, json_lines: bool, level: str = "info", event: str = "said", **values: object) -> str:
    stream = io.StringIO()
    logs.configure(level, json=json_lines, stream=stream)
    structlog.get_logger().info(event, **values)
    return stream.getvalue()


def fail(text: str) -> None:
    raise RuntimeError(text)


def controls(line: str) -> set[str]:
    return {each for each in line if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"}}


@given(ANYTHING, st.booleans())
@example("\x1b[31mred\r\n2030-01-01T00:00:00Z [info] forged", False)
@example("\ud800 lone", True)
@example("a\u2028b\u0085c\u202ed", False)
def test_a_record_is_one_line_without_control_characters(text: str, json_lines: bool) -> None:
    line = written(json_lines=json_lines, event=text, said=text, nested={"deep": [text, {text: text}]})
    assert line.endswith("\n")
    assert not controls(line[:-1])
    line.encode("utf-8")


@given(ANYTHING)
def test_json_records_are_json(text: str) -> None:
    record = json.loads(written(json_lines=True, said=text, count=3, share=0.5, nothing=None, yes=True))
    assert {"event", "level", "timestamp", "said"} <= set(record)
    assert (record["count"], record["share"], record["nothing"], record["yes"]) == (3, 0.5, None, True)


@given(MOBILES, SEPARATORS, SEPARATORS, st.booleans())
def test_no_mobile_number_is_ever_written(number: str, before: str, after: str, json_lines: bool) -> None:
    text = f"{before}{number}{after}"
    line = written(
        json_lines=json_lines,
        event=text,
        said=text,
        deep={"list": [text, (text,)], text: {"n": text.encode()}},
        number=int(number),
    )
    assert number not in line
    assert f"{number[:3]}****{number[-4:]}" in line


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call +86 138 1234 5678 now", "call 138****5678 now"),
        ("call 138-1234-5678", "call 138****5678"),
        ("desk 010-12345678", "desk 010****5678"),
        ("desk 0571 8765432", "desk 057****5432"),
        ("UK +44 20 7946 0958", "UK 420****0958"),
        ("mail li.wei+ev@mail.example.com.", "mail l***@mail.example.com."),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ("postgresql://triage:hunter2@db:5432/x", "postgresql://triage:***@db:5432/x"),
        ("mqtts://:hunter2@broker", "mqtts://:***@broker"),
        ("GET /x?token=abc123&a=1", "GET /x?token=***&a=1"),
        ('{"password": "a b c", "user": "u"}', '{"password": ***, "user": "u"}'),
        ("MQTT_PASSWORD=hunter2", "MQTT_PASSWORD=***"),
    ],
)
def test_personal_data_and_secrets_are_masked(text: str, masked: str) -> None:
    assert logs.mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "pile P-0042 at 2026-03-01T10:00:00.123456+00:00",
        "seq 1234567890123",
        "meter 20260301123456",
        "10.0.0.1:8080",
        "pile/v1/S01/P0001/telemetry",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_what_is_no_personal_data_is_left_alone(text: str) -> None:
    assert logs.mask(text) == text


@pytest.mark.parametrize("key", ["password", "api_key", "apikey", "Authorization", "session_token", "client_secret"])
def test_a_key_alone_makes_a_secret(key: str) -> None:
    assert json.loads(written(json_lines=True, **{key: "hunter2"}))[key] == "***"
    assert "hunter2" not in written(json_lines=False, settings={key: ["hunter2"]})


def test_a_record_is_bounded() -> None:
    deep: object = "bottom"
    for _ in range(100):
        deep = {"next": deep}
    line = written(json_lines=True, said="x" * 1_000_000, many=list(range(100_000)), deep=deep)
    assert len(line) < 10_000
    assert "(1000000 characters)" in line


def test_an_exceptions_text_can_not_forge_a_record() -> None:
    stream = io.StringIO()
    logs.configure("info", json=False, stream=stream)
    try:
        fail("call 13812345678\n2030-01-01T00:00:00Z [error] forged\x1b[2J")
    except RuntimeError:
        structlog.get_logger().exception("failed")
    first, *rest = stream.getvalue().rstrip("\n").split("\n")
    assert "failed" in first
    assert rest
    assert all(line.startswith("    ") for line in rest)
    assert "13812345678" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_the_level_holds_back_what_is_below_it() -> None:
    assert written(json_lines=True, level="warning") == ""
    assert written(json_lines=True, level="debug") != ""


def test_an_unknown_level_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="'loud' is unknown; use one of debug, info, warning, error"):
        logs.configure("loud")


@pytest.mark.parametrize("json_lines", [True, False])
def test_other_libraries_records_get_the_same_treatment(json_lines: bool) -> None:
    stream = io.StringIO()
    logger = logging.getLogger("somebody.else")
    handler = logs.bridge(json=json_lines, stream=stream)
    logger.addHandler(handler)
    try:
        logger.warning("from %s\r\nforged", "13812345678")
    finally:
        logger.removeHandler(handler)
    line = stream.getvalue()
    assert "138****5678" in line
    assert r"\r\nforged" in (json.loads(line)["event"] if json_lines else line)
    assert not controls(line.removesuffix("\n"))
    assert "warning" in line
    assert "somebody.else" in line
