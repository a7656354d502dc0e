"""Conditions, steps and tables as a person reads them; pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from triage.config.profile.actions import Step
from triage.config.profile.meaning import WAYS, Condition, Derived, Test
from triage.config.profile.words import Scalar

_SIGNS = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}
_WORDS = {"matches": "matches", "before": "is before version", "since": "is version", "any_bit": "has a bit of"}
_WIDE = frozenset({"W", "F"})


def condition(asked: Condition) -> str:
    """``{a: 1, b: {gt: 5}}`` as ``a = 1 and b > 5``; an empty one as ``always``."""
    return " and ".join(part for name, test in asked.items() for part in _asked(name, test)) or "always"


def scalar(value: Scalar | None) -> str:
    """A value as YAML would write it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)


def step(done: Step) -> str:
    """One step of an action, in one line."""
    if done.write is not None:
        return "write " + ", ".join(f"{name} = {scalar(value)}" for name, value in done.write.items())
    if done.publish is not None:
        return f"publish {done.publish.topic} {done.publish.payload!r}"
    if done.wait_s is not None:
        return f"wait {done.wait_s:g} s"
    return f"read back within {done.within_s:g} s: {condition(done.expect or {})}"


def derived(made: Derived) -> str:
    """How a value is made of others."""
    if made.cases:
        return "; ".join(f"{case.of or scalar(case.value)} if {condition(case.when)}" for case in made.cases)
    way = next(way for way in WAYS if getattr(made, way))
    if made.power_of_ten:
        return "{} × 10^{}".format(*made.power_of_ten)
    return f"{way} of {', '.join(getattr(made, way))}"


def _asked(name: str, test: Test | Scalar) -> Iterator[str]:
    if not isinstance(test, Test):
        yield f"{name} = {scalar(test)}"
        return
    for key in type(test).model_fields:
        given = getattr(test, key)
        if given is None:
            continue
        if key in _SIGNS:
            yield f"{name} {_SIGNS[key]} {scalar(given)}"
        elif key in {"one_of", "none_of"}:
            yield f"{name} {'in' if key == 'one_of' else 'not in'} [{', '.join(map(scalar, given))}]"
        elif key == "no_bit":
            yield f"{name} has no bit of {given:#x}"
        elif key == "known":
            yield f"{name} is {'known' if given else 'unknown'}"
        else:
            shown = f"{given:#x}" if key == "any_bit" else given
            yield f"{name} {_WORDS[key]} {shown}{' or later' if key == 'since' else ''}"


def columns(rows: Sequence[Sequence[str]], indent: str = "  ") -> Iterator[str]:
    """Rows under each other; a Chinese character is as wide as two others."""
    widths = [max(_width(row[at]) for row in rows) for at in range(max(map(len, rows), default=0))]
    for row in rows:
        cells = [cell + " " * (widths[at] - _width(cell)) for at, cell in enumerate(row)]
        yield (indent + "  ".join(cells)).rstrip()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in _WIDE else 1 for char in text)


def tabled(title: str, rows: Sequence[Sequence[str]], head: Sequence[str]) -> Iterator[str]:
    """A titled table; nothing at all when there are no rows. Columns that are empty throughout are left out."""
    if not rows:
        return
    kept = [at for at in range(len(head)) if any(row[at] for row in rows)]
    yield from ("", title)
    yield from columns([[row[at] for at in kept] for row in (head, *rows)])


def listed(title: str, lines: Sequence[str]) -> Iterator[str]:
    """A titled list; nothing at all when it is empty."""
    if lines:
        yield from ("", title, *(f"  {line}" for line in lines))


def doubt(why: str) -> str:
    """The mark of what nobody has checked; empty when there is no doubt."""
    return f"UNVERIFIED: {why}" if why else ""


def restart(*, may: bool) -> str:
    """Whether a restart may ever follow a fault."""
    return "may" if may else "never"
