"""Keys of tables and values of conditions that a value can never take, and bits it does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from triage.config.profile.meaning import Condition, Derived, FaultRule, Test
from triage.config.profile.registers import Register
from triage.config.profile.tables import plain_key
from triage.config.profile.topics import TopicValue
from triage.config.profile.uses import RESERVED, Findings, conditions
from triage.config.profile.words import Scalar
from triage.config.profile.writing import BITS, FLOATS, markers, span
from triage.config.yamlfile import Place
from triage.core.vocabulary import ConnectorStatus

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?\Z")
_TRUTHS = frozenset({"true", "false", "1", "0"})
_WIDEST = 64
_REMEDY = "write the value as the device says it"

Source = Register | TopicValue | Derived
Entry = TypeVar("Entry")


def lint_keys(findings: Findings) -> None:
    """Tables, then conditions."""
    profile = findings.profile
    for index, rule in enumerate(profile.status):
        if rule.from_ is not None:
            _table(findings, ("status", index, "map"), rule.from_, rule.map)
    for index, fault in enumerate(profile.faults):
        if fault.from_ is not None:
            _table(findings, ("faults", index, "codes"), fault.from_, fault.codes)
            _swallowed(findings, ("faults", index, "codes"), fault)
            _bits(findings, ("faults", index), fault)
    if profile.boot is not None and profile.boot.reason is not None:
        _table(findings, ("boot", "reasons"), profile.boot.reason, profile.boot.reasons)
    for asked in conditions(profile):
        _condition(findings, asked.at, asked.condition)


def never(source: Source, key: str) -> str:
    """Why a value of ``source`` can never be ``key``; empty when it can."""
    if isinstance(source, Register):
        return _never_register(source, key)
    if isinstance(source, TopicValue):
        return _never_kind(source.type, key)
    if source.cases:
        if any(case.of is not None for case in source.cases):
            return ""
        said = {text for case in source.cases for text in _texts(case.value)}
        return "" if key in said else "no case gives it"
    return _never_kind("number", key) if not (source.join or source.first) else ""


def _never_register(register: Register, key: str) -> str:
    if register.type == "text":
        return ""
    if register.type == "char":
        return "" if len(key) == 1 and key.isascii() and key.isprintable() else "a char is one letter or sign"
    if register.type == "bool":
        return _never_kind("bool", key)
    if register.type in FLOATS or register.scale != 1.0 or register.offset:
        return _never_kind("number", key)
    if not _INTEGER.match(key):
        return f"{register.type} is a whole number"
    least, most = span(register)
    if not least <= int(key) <= most:
        return f"it is {least} to {most}"
    return "it means 'no value' (`invalid`)" if int(key) in markers(register) else ""


def _never_kind(kind: str, key: str) -> str:
    if kind == "number":
        return "" if _NUMBER.match(key) else "it is a number"
    if kind == "bool":
        return "" if key in _TRUTHS else "it is true or false"
    return ""


def _source(findings: Findings, name: str) -> Source | None:
    return findings.profile.values.get(name) or findings.profile.derived.get(name)


def _table(findings: Findings, at: Place, name: str, entries: dict[str, Entry]) -> None:
    source = _source(findings, name)
    seen: dict[str, str] = {}
    for key in entries:
        plain = plain_key(key)
        if plain in seen:
            findings.add((*at, key), f"means the same as {seen[plain]!r}", "keep one of them")
        seen[plain] = key
        problem = never(source, plain) if source is not None else ""
        if problem:
            findings.add((*at, key), f"{name} is never {key!r}: {problem}", _REMEDY)


def _swallowed(findings: Findings, at: Place, rule: FaultRule) -> None:
    quiet = {text: kind for kind in ("none", "ignore") for each in getattr(rule, kind) for text in _texts(each)}
    for key in rule.codes:
        kind = quiet.get(plain_key(key))
        if kind is not None:
            findings.add(
                (*at, key), f"is no fault: it stands in `{kind}`", f"give `{kind}` without it, or leave it out"
            )


def _bits(findings: Findings, at: Place, rule: FaultRule) -> None:
    source = _source(findings, rule.from_ or "")
    if not (rule.bits or rule.is_mask) or source is None:
        return
    width = _width(source)
    if width is None:
        findings.add((*at, "from"), f"{rule.from_} is no whole number, and has no bits", "take the raw number")
        return
    for key in rule.bits:
        if int(key) >= width:
            findings.add((*at, "bits", key), f"{rule.from_} has bits 0 to {width - 1}", "mend the bit or the type")
    for index, bit in enumerate(rule.ignore):
        if isinstance(bit, bool) or not isinstance(bit, int) or not 0 <= bit < width:
            findings.add((*at, "ignore", index), f"{rule.from_} has bits 0 to {width - 1}", "name a bit")
        elif str(bit) in rule.bits:
            findings.add((*at, "bits", str(bit)), "is no fault: it stands in `ignore`", "keep one of them")


def _width(source: Source) -> int | None:
    """Bits of a value; None when it has none."""
    if isinstance(source, TopicValue):
        return _WIDEST if source.type in {"any", "number"} and source.scale == 1.0 and not source.offset else None
    if isinstance(source, Derived):
        return None if source.join or source.product or source.power_of_ten or source.sum else _WIDEST
    if source.type not in BITS or source.type.startswith("bcd") or source.scale != 1.0 or source.offset:
        return None
    return BITS[source.type] - source.shift if source.mask is None else span(source)[1].bit_length()


def _condition(findings: Findings, at: Place, condition: Condition) -> None:
    for name, wanted in condition.items():
        source = _source(findings, name)
        here: Place = (*at, name)
        if isinstance(wanted, Test) and _asks_nothing(wanted):
            findings.add(here, "asks nothing", "`null` is no value; ask `known: false`")
        for place, value in _wanted(here, wanted):
            problem = _never_said(source, name, value)
            if problem:
                findings.add(place, f"{name} is never {value!r}: {problem}", _REMEDY)
        if isinstance(wanted, Test) and source is not None:
            _asked_bits(findings, here, name, wanted, source)


def _never_said(source: Source | None, name: str, value: Scalar) -> str:
    if name in RESERVED:
        told = {status.value for status in ConnectorStatus} if name == "connector_status" else _TRUTHS
        return "" if told & set(_texts(value)) else f"it is {', '.join(sorted(told - {'0', '1'}))}"
    if source is None:
        return ""
    problems = [never(source, text) for text in _texts(value)]
    return problems[0] if problems and all(problems) else ""


def _asked_bits(findings: Findings, at: Place, name: str, test: Test, source: Source) -> None:
    width = _width(source)
    for kind in ("any_bit", "no_bit"):
        mask = getattr(test, kind)
        if mask is None:
            continue
        if width is None:
            findings.add((*at, kind), f"{name} is no whole number, and has no bits", "take the raw number")
        elif mask.bit_length() > width:
            findings.add((*at, kind), f"{name} has bits 0 to {width - 1}", "mend the mask or the type")


def _asks_nothing(test: Test) -> bool:
    return all(getattr(test, field) is None for field in test.model_fields_set)


def _wanted(at: Place, wanted: Test | Scalar) -> Iterator[tuple[Place, Scalar]]:
    """The values a test wants to see, each with its place."""
    if not isinstance(wanted, Test):
        yield at, wanted
        return
    if wanted.eq is not None:
        yield (*at, "eq"), wanted.eq
    for index, value in enumerate(wanted.one_of or ()):
        yield (*at, "one_of", index), value


def _texts(value: Scalar | None) -> Iterable[str]:
    """How ``value`` may be written as a key."""
    if value is None:
        return ()
    if isinstance(value, bool):
        return ("true", "1") if value else ("false", "0")
    if isinstance(value, float) and value.is_integer():
        return (str(int(value)),)
    return (str(value),)
