"""Whether a condition of a profile holds for what a device said. A value nobody knows proves nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import zip_longest

from msgspec import Struct

from triage.config.profile.meaning import Condition, Test
from triage.config.profile.words import Scalar
from triage.drivers.profiles.values import Value, number, same, text

Holds = Callable[[Mapping[str, Value]], bool]
_PART = re.compile(r"\d{1,18}")


class Check(Struct, frozen=True):
    """One value's part of a condition, ready to be asked, and in words."""

    name: str
    holds: Callable[[Value], bool]
    wanted: str


def holds(condition: Condition, values: Mapping[str, Value]) -> bool:
    """Whether all of ``condition`` holds; an empty one always does."""
    return why_not(condition, values) is None


def why_not(condition: Condition, values: Mapping[str, Value]) -> str | None:
    """The first thing that does not hold, with the value seen; None when all does."""
    for check in checks(condition):
        seen = values.get(check.name)
        if not check.holds(seen):
            return f"{check.name} is {shown(seen)} and must be {check.wanted}"
    return None


def prepare(condition: Condition) -> Holds:
    """``condition`` as a function, made once for many looks."""
    asked = [(check.name, check.holds) for check in checks(condition)]
    if not asked:
        return lambda _: True
    if len(asked) == 1:
        [(name, test)] = asked
        return lambda values: test(values.get(name))
    return lambda values: all(test(values.get(name)) for name, test in asked)


def checks(condition: Condition) -> list[Check]:
    """What ``condition`` asks, value by value."""
    return [_check(name, wanted) for name, wanted in condition.items()]


def shown(value: Value) -> str:
    """``value`` in a sentence."""
    if value is None:
        return "unknown"
    return repr(value) if isinstance(value, str) else text(value)


def version(words: str) -> tuple[int, ...]:
    """The numbers of a version: ``055.5`` is 55 and 5."""
    return tuple(int(part) for part in _PART.findall(words))


def _check(name: str, wanted: Test | Scalar) -> Check:
    if not isinstance(wanted, Test):
        return Check(name, lambda value: value is not None and same(value, wanted), shown(wanted))
    if wanted.known is False:
        alone = len(wanted.model_fields_set) == 1
        return Check(name, lambda value: alone and value is None, "unknown")
    asked = _questions(wanted)
    words = " and ".join(words for words, _ in asked) or "known"
    if len(asked) == 1:
        question = asked[0][1]
        return Check(name, lambda value: value is not None and question(value), words)
    questions = [question for _, question in asked]
    return Check(name, lambda value: value is not None and all(ask(value) for ask in questions), words)


def _questions(test: Test) -> list[tuple[str, Callable[[Value], bool]]]:
    return _equalities(test) + _orders(test) + _patterns(test)


def _equalities(test: Test) -> list[tuple[str, Callable[[Value], bool]]]:
    found: list[tuple[str, Callable[[Value], bool]]] = []
    if (eq := test.eq) is not None:
        found.append((shown(eq), lambda value: same(value, eq)))
    if (ne := test.ne) is not None:
        found.append((f"other than {shown(ne)}", lambda value: not same(value, ne)))
    if (some := test.one_of) is not None:
        found.append((f"one of {_listed(some)}", lambda value: any(same(value, each) for each in some)))
    if (none := test.none_of) is not None:
        found.append((f"none of {_listed(none)}", lambda value: not any(same(value, each) for each in none)))
    return found


def _orders(test: Test) -> list[tuple[str, Callable[[Value], bool]]]:
    found: list[tuple[str, Callable[[Value], bool]]] = []
    if (lt := test.lt) is not None:
        found.append((f"less than {text(lt)}", lambda value: (it := number(value)) is not None and it < lt))
    if (le := test.le) is not None:
        found.append((f"at most {text(le)}", lambda value: (it := number(value)) is not None and it <= le))
    if (gt := test.gt) is not None:
        found.append((f"more than {text(gt)}", lambda value: (it := number(value)) is not None and it > gt))
    if (ge := test.ge) is not None:
        found.append((f"at least {text(ge)}", lambda value: (it := number(value)) is not None and it >= ge))
    return found


def _patterns(test: Test) -> list[tuple[str, Callable[[Value], bool]]]:
    found: list[tuple[str, Callable[[Value], bool]]] = []
    if (some := test.any_bit) is not None:
        found.append((f"a number with a bit of {some:#x}", lambda value: _bits(value, some) > 0))
    if (none := test.no_bit) is not None:
        found.append((f"a number with no bit of {none:#x}", lambda value: _bits(value, none) == 0))
    if test.matches is not None:
        expression = re.compile(test.matches)
        found.append((f"like {test.matches}", lambda value: expression.fullmatch(text(value)) is not None))
    if (before := test.before) is not None:
        found.append((f"a version before {before}", lambda value: _order(value, before) < 0))
    if (since := test.since) is not None:
        found.append((f"version {since} or later", lambda value: _order(value, since) in {0, 1}))
    return found


def _bits(value: Value, mask: int) -> int:
    """The bits of ``mask`` that are set; -1 when ``value`` is no whole number."""
    found = number(value)
    if found is None or found != int(found):
        return -1
    return int(found) & mask


def _order(value: Value, wanted: str) -> float:
    """-1, 0 or 1 as the version is earlier, the same or later; NaN when it is none."""
    mine, theirs = version(text(value)), version(wanted)
    if not mine or not theirs:
        return float("nan")
    for left, right in zip_longest(mine, theirs, fillvalue=0):
        if left != right:
            return -1 if left < right else 1
    return 0


def _listed(values: tuple[Scalar, ...]) -> str:
    return ", ".join(shown(each) for each in values)
