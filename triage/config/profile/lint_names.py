"""Names that lead nowhere, in a circle, or to what is never read."""

from __future__ import annotations

from collections.abc import Iterator

from triage.config.profile.registers import Register
from triage.config.profile.units import sources
from triage.config.profile.uses import RESERVED, Findings, conditions, near, uses
from triage.config.yamlfile import Place


def lint_names(findings: Findings) -> None:
    """Every name must be that of a value which is read."""
    _given(findings)
    _circles(findings)
    for use in uses(findings.profile):
        if use.name in RESERVED:
            where = "in `session`, `require` and `expect`"
            findings.add(use.at, f"{use.name} is known only {where}", "take the value it is made of")
        else:
            _known(findings, use.at, use.name, fresh=use.fresh)
    for asked in conditions(findings.profile):
        for name in asked.condition:
            if name in asked.reserved:
                continue
            if name in RESERVED:
                findings.add((*asked.at, name), f"{name} is not known yet when this is asked", "ask the value itself")
            else:
                _known(findings, (*asked.at, name), name, fresh=asked.fresh, also=asked.reserved)


def _given(findings: Findings) -> None:
    profile = findings.profile
    at: Place = ("modbus", "registers") if profile.modbus is not None else ("mqtt", "values")
    for name in (*profile.values, *profile.derived):
        if name in RESERVED:
            where = at if name in profile.values else ("derived",)
            findings.add((*where, name), f"{name} is a name of our own", "choose another name")
    for name in profile.derived:
        if name in profile.values:
            findings.add(("derived", name), "is also the name of a value that is read", "choose another name")


def _known(findings: Findings, at: Place, name: str, *, fresh: bool, also: frozenset[str] = frozenset()) -> None:
    if name not in findings.names:
        findings.add(at, f"no value is called {name!r}", near(name, findings.names | also))
        return
    value = findings.profile.values.get(name)
    if not isinstance(value, Register):
        return
    if value.access == "w" or value.read == "never":
        why = "`access: w`" if value.access == "w" else "`read: never`"
        findings.add(at, f"{name} is never read ({why})", "take a value that is read")
    elif fresh and value.read == "start":
        findings.add(at, f"{name} is read only at connecting (`read: start`)", "read it with every poll")


def _circles(findings: Findings) -> None:
    derived = findings.profile.derived
    needs = {
        name: {*sources(each), *(key for case in each.cases or () for key in case.when)} & derived.keys()
        for name, each in derived.items()
    }
    for name in needs:
        if name in _reached(needs, name):
            findings.add(("derived", name), "is made of itself, in a circle", "break the circle")


def _reached(needs: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    left = list(needs[start])
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left.extend(needs[name])
    return found


def fault_places(findings: Findings) -> Iterator[tuple[Place, str]]:
    """Every place that names a canonical fault."""
    profile = findings.profile
    for index, rule in enumerate(profile.faults):
        if rule.is_ is not None:
            yield ("faults", index, "is"), rule.is_
        for table, meanings in (("codes", rule.codes), ("bits", rule.bits)):
            for key, meaning in meanings.items():
                at: Place = ("faults", index, table, key)
                yield (at, meaning) if isinstance(meaning, str) else ((*at, "is"), meaning.is_)
    for index, event in enumerate(profile.mqtt.events if profile.mqtt is not None else ()):
        for key, name in event.codes.items():
            yield ("mqtt", "events", index, "codes", key), name
