"""Values as a device gave them, and the few ways in which one is compared with what a profile says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct, field

from triage.config.profile.tables import plain_key
from triage.errors import TriageError

Value = bool | int | float | str | None
"""What a device said, scaled; None: it said nothing, or that it does not know."""

TEXT_LIMIT = 500
"""Longest text that is kept of a value."""

_TRUE, _FALSE = ("true", "1"), ("false", "0")
_CONTROL = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\N{REPLACEMENT CHARACTER}")


class ImpossibleError(TriageError):
    """A value no such device can have; the text says what was said and what is possible."""


class Values(Struct):
    """One whole look at a device. ``impossible`` tells which value said what, and what would be possible.

    A value that is there and None was said to be none; one that was never said, or that the device has not, is missing.
    """

    pile: dict[str, Value] = field(default_factory=dict)
    connectors: dict[int, dict[str, Value]] = field(default_factory=dict)
    impossible: list[str] = field(default_factory=list)

    def of(self, connector: int) -> dict[str, Value]:
        """The connector's own values over the pile's; 0: the pile's alone."""
        own = self.connectors.get(connector) if connector else None
        return {**self.pile, **own} if own else dict(self.pile)


def number(value: Value) -> float | None:
    """``value`` as a finite number; a truth value is 0 or 1, a text counts when it reads as a number."""
    if isinstance(value, str):
        try:
            value = float(value) if len(value) <= TEXT_LIMIT and "_" not in value else None
        except ValueError:
            return None
    if value is None:
        return None
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if -(1 << 64) < value < 1 << 64 else None
    return value if math.isfinite(value) else None


def text(value: Value) -> str:
    """``value`` as people and tables write it: 3.0 is "3", a truth value is a small word, nothing is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 -- where floats are exact
        return str(int(value))
    return str(value)[:TEXT_LIMIT]


def keys(value: Value) -> tuple[str, ...]:
    """The keys of a table under which ``value`` may stand."""
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    return () if value is None else (text(value),)


def same(value: Value, wanted: Value) -> bool:
    """Whether ``value`` is what a profile calls ``wanted``: 9 is 9.0 and "9", true is 1 and "true"."""
    if isinstance(value, str) == isinstance(wanted, str):
        return value == wanted
    if value is None or wanted is None:
        return False
    if isinstance(value, str):
        return value in keys(wanted)
    return wanted in keys(value)


def visible(words: str) -> str:
    """``words`` with every control character made visible, so that they harm no screen and no database."""
    return words if words.isprintable() else words.translate(_CONTROL)


Entry = TypeVar("Entry")


def table(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """``entries`` by every way in which a value may be written that matches them."""
    return {plain_key(key): entry for key, entry in entries.items()} | dict(entries)


def find(entries: Mapping[str, Entry], value: Value) -> Entry | None:
    """The entry of a :func:`table` that ``value`` matches."""
    for key in keys(value):
        if key in entries:
            return entries[key]
    return None
