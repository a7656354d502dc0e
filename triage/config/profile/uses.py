"""Every place of a profile that names a value, asks a condition or takes a step. The linters walk over them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from triage.config.profile.actions import Step
from triage.config.profile.meaning import WAYS, Condition, Derived, Readings
from triage.config.profile.units import derived_units, sources
from triage.config.yamlfile import Document, Place
from triage.errors import InputFault

if TYPE_CHECKING:
    from triage.config.profile.file import Profile

STATUS = "connector_status"
SESSION = "session_live"
RESERVED = frozenset({STATUS, SESSION})
"""Names a profile may ask for but not give: a connector's canonical status, and whether a session is live."""

_SHOWN = 8


class Findings:
    """The faults of one profile while they are gathered, and what every linter wants to know of it."""

    def __init__(self, profile: Profile, document: Document) -> None:
        self.profile = profile
        self.faults: list[InputFault] = []
        self.names = frozenset(profile.values) | frozenset(profile.derived)
        self.units = derived_units(profile.derived, {name: value.unit for name, value in profile.values.items()})
        self._document = document

    def sound(self, name: str) -> bool:
        """Whether ``name``, and all it is made of, leads to values that are read; what is not is told elsewhere."""
        left, seen = [name], {name}
        while left:
            each = left.pop()
            if each not in self.names:
                return False
            derived = self.profile.derived.get(each)
            for part in sources(derived) if derived is not None else ():
                if part == name:
                    return False
                if part not in seen:
                    seen.add(part)
                    left.append(part)
        return True

    def add(self, at: Place, problem: str, remedy: str = "") -> None:
        """Note a fault at ``at``."""
        self.faults.append(self._document.fault(at, problem, remedy))


class Use(NamedTuple):
    """A value's name where it stands; ``fresh`` when it must be read again and again to be of use there."""

    at: Place
    name: str
    fresh: bool


class Asked(NamedTuple):
    """A condition where it stands, and the reserved names it may ask for."""

    at: Place
    condition: Condition
    reserved: frozenset[str] = frozenset()
    fresh: bool = False


def near(name: str, known: Collection[str]) -> str:
    """A remedy: the known name that looks most like ``name``, or the first few there are."""
    if close := _like(name, known, 0.6):
        return f"did you mean {close!r}?"
    listed = ", ".join(sorted(known)[:_SHOWN])
    return f"there is: {listed}{', …' if len(known) > _SHOWN else ''}" if known else "there is none"


def near_fault(name: str, known: Collection[str]) -> str:
    """A remedy for a fault's name: only a slip of the pen is mended, for its opposite is spelt almost alike."""
    close = _like(name, known, 0.9)
    return f"did you mean {close!r}?" if close else "`triage profile faults` lists them;"


def _like(name: str, known: Collection[str], least: float) -> str:
    """The known name most like ``name``, large and small letters alike; empty when none is like enough."""
    plain = {each.lower(): each for each in sorted(known)}
    close = difflib.get_close_matches(name.lower(), plain, n=1, cutoff=least)
    return plain[close[0]] if close else ""


def uses(profile: Profile) -> Iterator[Use]:
    """Every value that is named, conditions and writes apart."""
    for name, derived in profile.derived.items():
        yield from _of_derived(("derived", name), derived)
    for index, rule in enumerate(profile.status):
        if rule.from_ is not None:
            yield Use(("status", index, "from"), rule.from_, fresh=True)
    for index, fault in enumerate(profile.faults):
        if fault.from_ is not None:
            yield Use(("faults", index, "from"), fault.from_, fresh=True)
        if fault.info is not None:
            yield Use(("faults", index, "info"), fault.info, fresh=True)
    yield from _of_section("readings", profile.readings, tuple(Readings.model_fields), fresh=True)
    yield from _of_section("session", profile.session, ("id",), fresh=True)
    yield from _of_section("identity", profile.identity, ("firmware", "model", "serial"), fresh=False)
    yield from _of_section("boot", profile.boot, ("uptime",), fresh=True)
    yield from _of_section("boot", profile.boot, ("counter", "reason"), fresh=False)
    yield from _of_section("switching", profile.switching, ("state", "load_w", "load_a"), fresh=True)


def conditions(profile: Profile) -> Iterator[Asked]:
    """Every condition."""
    for name, derived in profile.derived.items():
        for index, case in enumerate(derived.cases or ()):
            yield Asked(("derived", name, "cases", index, "when"), case.when)
    for index, rule in enumerate(profile.status):
        yield Asked(("status", index, "when"), rule.when)
    for index, fault in enumerate(profile.faults):
        yield Asked(("faults", index, "when"), fault.when)
    yield from _listed(("identity", "expect"), profile.identity.expect)
    if profile.session is not None:
        yield from _listed(("session", "live"), profile.session.live, frozenset({STATUS}))
        yield from _listed(("session", "none"), profile.session.none, frozenset({STATUS}))
    if profile.boot is not None:
        yield Asked(("boot", "starting"), profile.boot.starting, fresh=True)
    for action, spec in profile.actions.given().items():
        yield Asked(("actions", action.value, "require"), spec.require, RESERVED)
    for at, step in steps(profile):
        if step.expect is not None:
            yield Asked((*at, "expect"), step.expect, RESERVED, fresh=True)


def steps(profile: Profile) -> Iterator[tuple[Place, Step]]:
    """Every step of actions, of the keep-alive and of a switch."""
    for action, spec in profile.actions.given().items():
        yield from _numbered(("actions", action.value, "steps"), spec.steps)
    if profile.keepalive is not None:
        yield from _numbered(("keepalive", "steps"), profile.keepalive.steps)
    if profile.switching is not None:
        yield from _numbered(("switching", "off"), profile.switching.off)
        yield from _numbered(("switching", "on"), profile.switching.on)


def _listed(at: Place, listed: tuple[Condition, ...], reserved: frozenset[str] = frozenset()) -> Iterator[Asked]:
    for index, each in enumerate(listed):
        yield Asked((*at, index), each, reserved)


def _numbered(at: Place, listed: tuple[Step, ...]) -> Iterator[tuple[Place, Step]]:
    for index, step in enumerate(listed):
        yield (*at, index), step


def _of_derived(at: Place, derived: Derived) -> Iterator[Use]:
    for way in WAYS:
        for index, name in enumerate(getattr(derived, way) or ()):
            yield Use((*at, way, index), name, fresh=False)
    for index, case in enumerate(derived.cases or ()):
        if case.of is not None:
            yield Use((*at, "cases", index, "of"), case.of, fresh=False)


def _of_section(section: str, given: object, fields: tuple[str, ...], *, fresh: bool) -> Iterator[Use]:
    for field in fields:
        name = getattr(given, field, None)
        if name is not None:
            yield Use((section, field), name, fresh)
