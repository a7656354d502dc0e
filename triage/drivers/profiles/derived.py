"""Values made of other values, in the order in which they can be computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from triage.config.profile.file import Profile
from triage.config.profile.meaning import Case, Derived
from triage.config.profile.scaling import clean
from triage.config.profile.units import Conversion, conversion, derived_units, sources
from triage.drivers.profiles.conditions import prepare
from triage.drivers.profiles.values import TEXT_LIMIT, ImpossibleError, Value, number, text

Compute = Callable[[Mapping[str, Value]], Value]
"""Values to one made of them; raises ImpossibleError beyond its ``range``."""

EXPONENT_MOST = 10
"""Largest exponent that is believed; SunSpec's "not implemented" is far beyond."""

Numbers = Callable[[Mapping[str, Value]], list[float | None]]


class Derivation(Struct, frozen=True):
    """One derived value; ``own`` when it depends on a connector's values."""

    name: str
    own: bool
    compute: Compute


def own_names(profile: Profile) -> frozenset[str]:
    """The values, read and derived, that belong to a connector."""
    found = {name for name, value in profile.values.items() if value.of == "connector"}
    for _ in profile.derived:
        found |= {name for name, derived in profile.derived.items() if _needs(derived) & found}
    return frozenset(found)


def units(profile: Profile) -> dict[str, str | None]:
    """The unit of every value, read and derived."""
    return derived_units(profile.derived, {name: value.unit for name, value in profile.values.items()})


def derivations(profile: Profile) -> tuple[Derivation, ...]:
    """The derived values of ``profile``, each after those it is made of; those in a circle are left out."""
    own, known = own_names(profile), units(profile)
    ordered: list[Derivation] = []
    left = dict(profile.derived)
    while ready := [name for name in left if not _needs(left[name]) & left.keys()]:
        for name in ready:
            derived = left.pop(name)
            parts = sources(derived)
            how = conversion(derived, [known.get(part) for part in parts])
            compute = _compute(derived, parts, how)
            if derived.range is not None:
                compute = _bounded(compute, derived.range, known.get(name))
            ordered.append(Derivation(name, name in own, compute))
    return tuple(ordered)


def _needs(derived: Derived) -> set[str]:
    return {*sources(derived), *(name for case in derived.cases or () for name in case.when)}


def _compute(derived: Derived, parts: tuple[str, ...], how: Conversion) -> Compute:
    if derived.join:
        return _join(parts, derived.separator, _hex if derived.hex else text)
    if derived.cases:
        return _cases(derived.cases, how)
    if derived.first:
        return _first(parts, how)
    numbers = _numbers(parts, how)
    if derived.most:
        return _result(lambda values: _of_known(numbers(values), max), how)
    if derived.least:
        return _result(lambda values: _of_known(numbers(values), min), how)
    if derived.power_of_ten:
        return _result(_power_of_ten(numbers), how)
    return _result(_sum(numbers) if derived.sum else _product(numbers), how)


def _bounded(compute: Compute, possible: tuple[float, float], unit: str | None) -> Compute:
    least, most = possible
    of = f" {unit}" if unit else ""

    def computed(values: Mapping[str, Value]) -> Value:
        value = compute(values)
        found = number(value)
        if found is not None and not least <= found <= most:
            raise ImpossibleError(f"is {found:.10g}{of}; possible is {least:.10g} to {most:.10g}{of}")
        return value

    return computed


def _numbers(parts: tuple[str, ...], how: Conversion) -> Numbers:
    if all(factor == 1.0 for factor in how.parts):
        return lambda values: [number(values.get(name)) for name in parts]
    pairs = list(zip(parts, how.parts, strict=True))
    return lambda values: [_times(number(values.get(name)), factor) for name, factor in pairs]


def _times(value: float | None, factor: float) -> float | None:
    return value if value is None or factor == 1.0 else value * factor


def _of_known(numbers: Sequence[float | None], choose: Callable[[list[float]], float]) -> float | None:
    known = [each for each in numbers if each is not None]
    return choose(known) if known else None


def _sum(numbers: Numbers) -> Callable[[Mapping[str, Value]], float | None]:
    def computed(values: Mapping[str, Value]) -> float | None:
        total: float = 0
        for each in numbers(values):
            if each is None:
                return None
            total += each
        return total

    return computed


def _product(numbers: Numbers) -> Callable[[Mapping[str, Value]], float | None]:
    def computed(values: Mapping[str, Value]) -> float | None:
        total: float = 1
        for each in numbers(values):
            if each is None:
                return None
            total *= each
        return total

    return computed


def _power_of_ten(numbers: Numbers) -> Callable[[Mapping[str, Value]], float | None]:
    def computed(values: Mapping[str, Value]) -> float | None:
        value, exponent = numbers(values)
        if value is None or exponent is None or abs(exponent) > EXPONENT_MOST or exponent != int(exponent):
            return None
        return value * 10.0 ** int(exponent)

    return computed


def _result(compute: Callable[[Mapping[str, Value]], float | None], how: Conversion) -> Compute:
    def computed(values: Mapping[str, Value]) -> Value:
        return _tidy(_times(compute(values), how.result))

    return computed


def _tidy(value: float | None) -> Value:
    """A number without dust; one that no register could ever hold is no value."""
    found = number(value)
    return clean(found) if isinstance(found, float) else found


def _first(parts: tuple[str, ...], how: Conversion) -> Compute:
    factors = [factor * how.result for factor in how.parts]

    def computed(values: Mapping[str, Value]) -> Value:
        for name, factor in zip(parts, factors, strict=True):
            value = values.get(name)
            if value is not None:
                return _converted(value, factor)
        return None

    return computed


def _cases(cases: tuple[Case, ...], how: Conversion) -> Compute:
    factors = iter(how.parts)
    branches: list[tuple[Callable[[Mapping[str, Value]], bool], str | None, float, Value]] = []
    for case in cases:
        factor = next(factors) * how.result if case.of is not None else 1.0
        branches.append((prepare(case.when), case.of, factor, case.value))

    def computed(values: Mapping[str, Value]) -> Value:
        for holds, name, factor, value in branches:
            if holds(values):
                return value if name is None else _converted(values.get(name), factor)
        return None

    return computed


def _converted(value: Value, factor: float) -> Value:
    if factor == 1.0:
        return value
    found = number(value)
    return None if found is None else _tidy(found * factor)


def _join(parts: tuple[str, ...], separator: str, write: Callable[[Value], str]) -> Compute:
    def computed(values: Mapping[str, Value]) -> Value:
        said = [values.get(name) for name in parts]
        return None if None in said else separator.join(write(each) for each in said)[:TEXT_LIMIT]

    return computed


def _hex(value: Value) -> str:
    """A whole number as vendors print groups of codes: 160 is a0."""
    return f"{value:x}" if isinstance(value, int) and not isinstance(value, bool) else text(value)
