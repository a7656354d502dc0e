"""Units of values and of what is made of them: when numbers are converted, and when they are taken as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from triage.config.profile.meaning import WAYS, Derived
from triage.config.profile.words import FACTORS


class Conversion(Struct, frozen=True):
    """What is done to the parts of a derived value: a factor for each, one for the result, and the result's unit.

    ``problem`` says why the units do not go together; the numbers are then taken as they are.
    """

    parts: tuple[float, ...]
    result: float
    unit: str | None
    problem: str = ""


def sources(derived: Derived) -> tuple[str, ...]:
    """The names of the values ``derived`` computes with (conditions apart)."""
    for way in WAYS:
        names: tuple[str, ...] | None = getattr(derived, way)
        if names:
            return names
    return tuple(case.of for case in derived.cases or () if case.of is not None)


def conversion(derived: Derived, units: Sequence[str | None]) -> Conversion:
    """How the parts of ``derived``, whose units are ``units``, become its result.

    A ``scale`` other than 1 says that the author converts: then nothing is converted here.
    """
    plain = (1.0,) * len(units)
    if derived.join:
        return Conversion(plain, 1.0, derived.unit)
    parts, unit, problem = _product(units) if derived.product or derived.power_of_ten else _alike(units)
    if derived.scale != 1.0:
        if any(factor != 1.0 for factor in parts):
            problem = f"`scale` beside {_listed(units)}: both would convert"
        return Conversion(plain, derived.scale, derived.unit, problem)
    if derived.unit is None or unit is None or derived.unit == unit:
        return Conversion(parts, 1.0, derived.unit or unit, problem)
    mine, theirs = FACTORS[derived.unit], FACTORS[unit]
    if mine[0] != theirs[0]:
        return Conversion(plain, 1.0, derived.unit, f"{unit} cannot become {derived.unit}")
    return Conversion(parts, theirs[1] / mine[1], derived.unit, problem)


def derived_units(derived: Mapping[str, Derived], known: Mapping[str, str | None]) -> dict[str, str | None]:
    """The unit of every value, of ``known`` ones and derived ones; None where there is none, or in a circle."""
    found = dict(known)
    for _ in derived:
        missing = [name for name in derived if name not in found]
        ready = [name for name in missing if not set(sources(derived[name])) & set(missing)]
        for name in ready:
            found[name] = conversion(derived[name], [found.get(each) for each in sources(derived[name])]).unit
        if not ready:
            break
    return found | {name: None for name in derived if name not in found}


def _alike(units: Sequence[str | None]) -> tuple[tuple[float, ...], str | None, str]:
    """For sums and choices: the same unit as it is, the same quantity in its canonical unit."""
    plain = (1.0,) * len(units)
    kinds = {unit for unit in units if unit is not None}
    if len(kinds) == 1 and None not in units:
        return plain, kinds.pop(), ""
    canonical = {FACTORS[unit][0] for unit in kinds}
    if len(canonical) > 1:
        return plain, None, f"{_listed(units)} do not go together"
    if None in units:
        return plain, None, "some have a unit and some have none" if kinds else ""
    factors = tuple(FACTORS[unit][1] if unit is not None else 1.0 for unit in units)
    return factors, (canonical.pop() if canonical else None), ""


def _product(units: Sequence[str | None]) -> tuple[tuple[float, ...], str | None, str]:
    """For products: V times A is W; numbers without a unit and per cents change nothing."""
    factors = tuple(1.0 if unit is None else FACTORS[unit][1] for unit in units)
    left = sorted(FACTORS[unit][0] for unit in units if unit not in {None, "%"} and unit is not None)
    if left == ["A", "V"]:
        return factors, "W", ""
    if len(left) == 1:
        return factors, left[0], ""
    return (1.0,) * len(units), None, f"the product of {_listed(units)} has no unit here" if left else ""


def _listed(units: Sequence[str | None]) -> str:
    return " and ".join(dict.fromkeys(unit or "no unit" for unit in units))
