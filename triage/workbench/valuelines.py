"""A profile's values: where each stands, how it is read, and what it is for."""

from __future__ import annotations

from collections.abc import Iterator

from triage.config.profile.file import Profile
from triage.config.profile.registers import Register
from triage.config.profile.topics import TopicValue
from triage.config.profile.units import sources
from triage.config.profile.words import Scalar
from triage.workbench import wording
from triage.workbench.lines import ValueLine
from triage.workbench.polling import on_wire, printed

_WORD = 0x1000


def value_lines(profile: Profile) -> Iterator[ValueLine]:
    """Every value that is read, then every value made of others."""
    used = uses(profile)
    yield from _values(profile, used)
    for name, made in profile.derived.items():
        yield ValueLine(
            name=name,
            of="-",
            where=wording.derived(made),
            type="made",
            unit=_unit(made.scale, 0.0, made.unit),
            possible=_range(made.range),
            used=used.get(name, ""),
        )


def _values(profile: Profile, used: dict[str, str]) -> Iterator[ValueLine]:
    for name, value in profile.values.items():
        if isinstance(value, TopicValue):
            where, sent, writes, note = " | ".join(_places(value)), "", "", ""
        elif profile.modbus is not None:
            where, sent, writes = printed(value), on_wire(value, profile.modbus), _writes(value)
            note = {"poll": "", "start": "once", "never": "not read"}["never" if value.access == "w" else value.read]
        yield ValueLine(
            name=name,
            of=value.of,
            where=where,
            wire=sent,
            type=_type(value),
            unit=_unit(value.scale, value.offset, value.unit),
            possible=_range(value.range),
            nothing=", ".join(map(_marker, value.invalid)),
            used=", ".join(filter(None, (used.get(name), note))),
            writes=writes,
            unverified=value.unverified or "",
        )


def _type(value: Register | TopicValue) -> str:
    if isinstance(value, TopicValue):
        return value.type
    bits = f" >>{value.shift}" if value.shift else ""
    bits += f" &{value.mask:#x}" if value.mask is not None else ""
    return f"{value.type}{f'[{value.words}]' if value.words else ''}{f' {value.byte}' if value.byte else ''}{bits}"


def _places(value: TopicValue) -> list[str]:
    return [f"{' or '.join(place.topics)}{f' {place.path}' if place.path else ''}" for place in (value, *value.also)]


def _unit(scale: float, offset: float, unit: str | None) -> str:
    shown = "" if scale == 1 else f"× {scale:.10g} "
    if offset:
        shown += f"{'+' if offset > 0 else '−'} {abs(offset):.10g} "
    return (shown + (unit or "")).strip()


def _range(pair: tuple[float, float] | None) -> str:
    return "" if pair is None else f"{pair[0]:.10g} to {pair[1]:.10g}"


def _marker(said: Scalar) -> str:
    """A marker as it is written in tables: in hexadecimal where it fills a register."""
    if isinstance(said, int) and not isinstance(said, bool) and said >= _WORD:
        return f"{said:#X}".replace("0X", "0x")
    return repr(said) if isinstance(said, str) else wording.scalar(said)


def uses(profile: Profile) -> dict[str, str]:
    """What each value is for, by name; those that are for nothing are missing."""
    used: dict[str, list[str]] = {}
    for section in (profile.readings, profile.identity, profile.boot):
        for key in type(section).model_fields if section is not None else ():
            if isinstance(name := getattr(section, key), str):
                used.setdefault(name, []).append(key)
    if profile.session is not None and profile.session.id:
        used.setdefault(profile.session.id, []).append("session")
    asked: dict[str, list[str | None]] = {
        "identity": [name for condition in profile.identity.expect for name in condition],
        "status": [name for rule in profile.status for name in (rule.from_, *rule.when)],
        "fault": [name for fault in profile.faults for name in (fault.from_, fault.info, *fault.when)],
    }
    for what, names in asked.items():
        for name in {name for name in names if name is not None}:
            used.setdefault(name, []).append(what)
    for made, derived in profile.derived.items():
        for name in sources(derived):
            used.setdefault(name, []).append(f"in {made}")
    return {name: ", ".join(dict.fromkeys(each)) for name, each in used.items()}


def _writes(register: Register) -> str:
    if register.access == "r":
        return ""
    parts = [{"rw": "writable", "w": "write only"}[register.access]]
    if register.allowed:
        parts.append("only " + ", ".join(map(wording.scalar, register.allowed)))
    if register.limits:
        parts.append(f"{register.limits[0]:g} to {register.limits[1]:g}")
    if register.forbidden:
        parts.append("never " + ", ".join(map(wording.scalar, register.forbidden)))
    return ", ".join(parts)
