"""How values become text a database keeps, and come back as they were.

Two things need care. PostgreSQL text refuses NUL, and no UTF-8 holds a lone surrogate; people and devices send both. In
JSON documents both are escapes anyway; in plain columns a backslash announces them (:func:`escape`).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

FOREVER = 2**63 - 1
"""The moment, in microseconds, of what has no end."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENCODER = msgspec.json.Encoder()
_SORTED = msgspec.json.Encoder(order="sorted")
_UNSAFE = re.compile("[\\\\\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(\\|0|u[0-9a-f]{4})")


class UndecodableError(ValueError):
    """A stored document cannot be understood: corrupt, or written by a newer version."""


def micros(at: datetime) -> int:
    """``at`` (aware) as microseconds since 1970, exact, so that both databases compare and keep it alike."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at_us: int) -> datetime:
    """The UTC datetime of :func:`micros`."""
    return _EPOCH + at_us * _MICROSECOND


def encode(value: Any) -> str:
    """``value`` as JSON text.

    Raises:
        TypeError: ``value`` holds something JSON has no place for.
    """
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError:
        return _dump(_plain(value))


def canonical(value: Any) -> str:
    """``value`` as JSON text with sorted keys: equal for equal values, before storing and after reading back."""
    try:
        return _SORTED.encode(value).decode()
    except (UnicodeEncodeError, TypeError):
        plain = _plain(value)
    try:
        return _SORTED.encode(plain).decode()
    except UnicodeEncodeError:
        return _dump(plain)


def decode(text: str, kind: type[T]) -> T:
    """The value of :func:`encode`.

    Raises:
        UndecodableError: ``text`` is no JSON, or not of ``kind``; the message holds no content of it.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UndecodableError(str(error)) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        if not text.isascii() or "\\u" not in text:
            raise UndecodableError(str(error)) from None
    return _decode_surrogates(text, kind)


def _decode_surrogates(text: str, kind: type[T]) -> T:
    try:
        return msgspec.convert(json.loads(text), type=kind)
    except (ValueError, RecursionError) as error:
        raise UndecodableError(str(error)) from None


def _plain(value: Any) -> Any:
    # Through JSON once, so that what is hashed now equals what is read back later: keys are text, no number is NaN,
    # and a surrogate pair written as two halves has become the one character it means.
    dumped = json.dumps(msgspec.to_builtins(value, str_keys=True))
    return json.loads(dumped, parse_constant=lambda _: None)


def _dump(plain: Any) -> str:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def escape(text: str) -> str:
    """``text`` for a plain column: backslash, NUL and lone surrogates written as escapes."""
    if text.isascii() and "\\" not in text and "\x00" not in text:
        return text
    return _UNSAFE.sub(_escaped, text)


def unescape(text: str) -> str:
    """The text of :func:`escape`."""
    return _ESCAPED.sub(_unescaped, text) if "\\" in text else text


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    if char == "\\":
        return "\\\\"
    return "\\0" if char == "\x00" else f"\\u{ord(char):04x}"


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code == "\\":
        return "\\"
    return "\x00" if code == "0" else chr(int(code[1:], 16))
