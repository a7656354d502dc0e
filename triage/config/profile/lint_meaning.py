"""What values are taken to mean: faults no table knows, units that do not fit, rules and keys that never speak."""

from __future__ import annotations

from collections.abc import Collection

from triage.config.profile.lint_keys import lint_keys
from triage.config.profile.lint_names import fault_places
from triage.config.profile.meaning import StatusRule
from triage.config.profile.units import conversion, sources
from triage.config.profile.uses import Findings, near_fault
from triage.config.profile.words import FACTORS
from triage.config.yamlfile import Place

UNKNOWN = "unknown"
_QUANTITIES = {"voltage_v": "V", "current_a": "A", "power_w": "W", "energy_wh": "Wh", "temperature_c": "degC"}


def lint_meaning(findings: Findings, faults: Collection[str] | None) -> None:
    """Names of faults, units of readings, tables and the order of rules; ``faults`` None: not known here."""
    if faults is not None:
        for at, name in fault_places(findings):
            if name not in faults and name != UNKNOWN:
                findings.add(
                    at, f"no fault table knows {name!r}", f"{near_fault(name, faults)} `unknown` is always right"
                )
    _units(findings)
    lint_keys(findings)
    _hidden(findings)


def _units(findings: Findings) -> None:
    profile = findings.profile
    for measure, quantity in _QUANTITIES.items():
        _fits(findings, ("readings", measure), getattr(profile.readings, measure), quantity)
    if profile.boot is not None:
        _fits(findings, ("boot", "uptime"), profile.boot.uptime, "s")
    if profile.switching is not None:
        _fits(findings, ("switching", "load_w"), profile.switching.load_w, "W")
        _fits(findings, ("switching", "load_a"), profile.switching.load_a, "A")
    for name, derived in profile.derived.items():
        if derived.hex and not derived.join:
            findings.add(("derived", name, "hex"), "`hex` is for `join`", "leave it out")
        if not findings.sound(name):
            continue
        problem = conversion(derived, [findings.units.get(each) for each in sources(derived)]).problem
        if problem:
            findings.add(("derived", name), problem, "give every value its unit, and let units convert by themselves")


def _fits(findings: Findings, at: Place, name: str | None, quantity: str) -> None:
    if name is None or not findings.sound(name):
        return
    unit = findings.units.get(name)
    allowed = " or ".join(each for each, (canonical, _) in FACTORS.items() if canonical == quantity)
    if unit is None:
        findings.add(at, f"{name} has no unit", f"give {name} its `unit`: {allowed}")
    elif FACTORS[unit][0] != quantity:
        findings.add(at, f"{name} is in {unit}", f"take a value in {allowed}")


def _hidden(findings: Findings) -> None:
    """Rules for the status that can never speak, because an earlier one always does."""
    rules = findings.profile.status
    for index, rule in enumerate(rules):
        for earlier in rules[:index]:
            if _hides(earlier, rule):
                remedy = "put the rule that asks more before the one that asks less"
                findings.add(("status", index), "never speaks: an earlier rule always does", remedy)
                break


def _hides(earlier: StatusRule, later: StatusRule) -> bool:
    if earlier.is_ is None and earlier.from_ != later.from_:
        return False
    return all(later.when.get(name) == wanted for name, wanted in earlier.when.items())
