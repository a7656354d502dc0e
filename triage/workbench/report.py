"""What a live device said, value by value, and what the core would make of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from triage.config.profile.file import Profile
from triage.config.profile.meaning import Condition
from triage.core.events import FaultClaim, Reading
from triage.core.faults import FaultTable
from triage.drivers.profiles.derived import own_names, units
from triage.drivers.profiles.interpreter import Interpreter, Sighting
from triage.drivers.profiles.values import Value, Values, text, visible
from triage.workbench import wording
from triage.workbench.valuelines import uses

GOOD = "understood"
_SAID_CHARS = 64
"""How much of a value a fault's text repeats."""


class ValueRead(Struct, kw_only=True):
    """One value: where it stood, what came, what it is. ``error`` says why there is none."""

    name: str
    connector: int
    where: str
    type: str = ""
    wire: str = ""
    raw: str = ""
    words: list[int] = []
    payload: str | None = None
    age_s: float | None = None
    retained: bool | None = None
    value: Value = None
    unit: str = ""
    means: str = ""
    error: str = ""
    unverified: str = ""


class DerivedValue(Struct, kw_only=True):
    """A value made of others."""

    name: str
    connector: int
    value: Value
    unit: str = ""
    means: str = ""


class ConnectorRead(Struct, kw_only=True):
    """A connector as the core would see it; None and ``unknown`` are what it does not know."""

    connector: int
    status: str
    session: str
    voltage_v: float | None = None
    current_a: float | None = None
    power_w: float | None = None
    energy_wh: float | None = None
    temperature_c: float | None = None


class FaultRead(Struct, kw_only=True):
    """A fault as the core would take it up."""

    connector: int
    fault: str
    info: str
    family: str = "?"
    reset: bool = False
    en: str = ""
    zh: str = ""


class Check(Struct, kw_only=True):
    """A condition of the identity, and whether it holds; if not, what was seen."""

    expect: str
    holds: bool
    seen: str = ""


class Report(Struct, kw_only=True):
    """One look at a live device. ``ok`` is what the exit code says."""

    profile: str
    transport: str
    endpoint: str
    at: str
    ok: bool
    verdict: str
    values: list[ValueRead]
    derived: list[DerivedValue] = []
    connectors: list[ConnectorRead] = []
    faults: list[FaultRead] = []
    firmware: str | None = None
    model: str | None = None
    serial: str | None = None
    presence: str | None = None
    uptime_s: float | None = None
    boot_id: str | None = None
    boot_reason: str | None = None
    identity: list[Check] = []
    impossible: list[str] = []
    unlisted: list[str] = []
    unverified: list[str] = []


class Judge:
    """Turns what was read into a report, by the same rules as the daemon."""

    def __init__(self, profile: Profile, connectors: int, table: FaultTable | None) -> None:
        """``table`` tells a fault's family; without one that stays open."""
        self._profile = profile
        self._connectors = connectors
        self._table = table
        self._interpreter = Interpreter(profile, connectors)

    def report(
        self, endpoint: str, at: str, read: list[ValueRead], values: Values, claims: Sequence[FaultClaim] = ()
    ) -> Report:
        """What ``values`` mean, beside ``claims`` that came as events; ``read`` is how they came, and is annotated."""
        sighting = self._interpreter.see(values)
        faults = [self._fault(claim) for claim in (*sighting.faults, *claims)]
        derived = self._derived(values)
        self._explain([*read, *derived], sighting, faults)
        checks = [self._check(condition, values) for condition in self._profile.identity.expect]
        impossible = [each for each in sighting.wrong if not any(each in check.seen for check in checks)]
        verdict = _verdict(read, checks, impossible)
        return Report(
            profile=self._profile.profile,
            transport=self._profile.transport,
            endpoint=endpoint,
            at=at,
            ok=verdict == GOOD,
            verdict=verdict,
            values=read,
            derived=derived,
            connectors=[_connector(reading) for reading in sighting.readings],
            faults=faults,
            firmware=sighting.firmware,
            model=sighting.model,
            serial=sighting.serial,
            uptime_s=sighting.uptime_s,
            boot_id=sighting.boot_id,
            boot_reason=sighting.boot_reason.value if sighting.boot_reason is not None else None,
            identity=checks,
            impossible=impossible,
            unlisted=list(sighting.unlisted),
            unverified=list(self._profile.doubts()),
        )

    def _fault(self, claim: FaultClaim) -> FaultRead:
        read = FaultRead(connector=claim.connector, fault=claim.code, info=claim.info)
        if self._table is not None:
            entry = self._table.lookup(claim.code, claim.info)
            read.family, read.reset = entry.family.value, entry.reset_allowed
            read.en, read.zh = entry.description_en, entry.description_zh
        return read

    def _derived(self, values: Values) -> list[DerivedValue]:
        """Values made of others, for the pile and, where they differ there, for each connector."""
        views, own, known = self._interpreter.views(values), own_names(self._profile), units(self._profile)
        return [
            DerivedValue(name=name, connector=connector, value=view.get(name), unit=known.get(name) or "")
            for name in self._profile.derived
            for connector, view in views.items()
            if (connector > 0) == (name in own)
        ]

    def _explain(
        self, read: Sequence[ValueRead | DerivedValue], sighting: Sighting, faults: Sequence[FaultRead]
    ) -> None:
        """Write beside each value what it came to mean."""
        used = uses(self._profile)
        statuses = {reading.connector: _status(reading) for reading in sighting.readings}
        for each in read:
            meant = [part for part in used.get(each.name, "").split(", ") if part and part not in {"fault", "status"}]
            if "status" in used.get(each.name, "").split(", "):
                meant.append(f"status {statuses.get(each.connector or 1, 'unknown')}")
            meant += [fault.fault for fault in faults if _tells(each, fault)]
            each.means = ", ".join(meant)

    def _check(self, condition: Condition, values: Values) -> Check:
        strange = self._interpreter.unmet(condition, values, 0)
        return Check(expect=wording.condition(condition), holds=strange is None, seen=strange or "")


def _tells(value: ValueRead | DerivedValue, fault: FaultRead) -> bool:
    """Whether ``value`` is what ``fault`` was read from; of another outlet's value it is not."""
    if value.connector and fault.connector not in {0, value.connector}:
        return False
    said = f"{value.name} {visible(text(value.value))[:_SAID_CHARS]}"
    for part in (fault.fault, *fault.info.split("; ")):
        if part == said or part.startswith((f"{said}:", f"{said} ")):
            return True
        bit = re.match(rf"{value.name} bit (\d+)\b", part)
        if bit is not None and isinstance(value.value, (int, float)) and int(value.value) >> int(bit[1]) & 1:
            return True
    return False


def _verdict(read: Sequence[ValueRead], checks: Sequence[Check], impossible: Sequence[str]) -> str:
    if read and all(each.error for each in read):
        return "nothing could be read"
    wrong = [check.seen for check in checks if not check.holds]
    if wrong:
        return f"this is not the model of the profile: {'; '.join(wrong)}"
    if impossible:
        return f"it says what cannot be, and would not be believed: {'; '.join(impossible)}"
    return GOOD


def _status(reading: Reading) -> str:
    return "unknown" if reading.status is None else reading.status.value


def _connector(reading: Reading) -> ConnectorRead:
    session = reading.session if reading.session_known else "unknown"
    return ConnectorRead(
        connector=reading.connector,
        status=_status(reading),
        session=session or "none",
        voltage_v=reading.voltage_v,
        current_a=reading.current_a,
        power_w=reading.power_w,
        energy_wh=reading.energy_wh,
        temperature_c=reading.temperature_c,
    )
