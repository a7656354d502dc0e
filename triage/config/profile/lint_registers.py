"""Registers that stand nowhere, in each other's way, or cannot be scaled."""

from __future__ import annotations

from triage.config.profile.addresses import AddressError, base_address, wire_address, wire_unit
from triage.config.profile.meaning import Derived
from triage.config.profile.registers import Modbus, Register
from triage.config.profile.scaling import SCALE_LIMITS
from triage.config.profile.topics import TopicValue
from triage.config.profile.uses import Findings
from triage.config.profile.writing import never_read
from triage.config.yamlfile import Place

MOST_CONNECTORS = 64
_AT: Place = ("modbus", "registers")
_NUMERIC = ("invalid", "scale", "offset", "range", "allowed", "limits", "forbidden")


def lint_registers(findings: Findings) -> None:
    """Addresses, steps between connectors, overlaps, and settings that fit no number."""
    device = findings.profile.modbus
    if device is not None:
        for name, register in device.registers.items():
            _numeric(findings, (*_AT, name), register)
            _markers(findings, (*_AT, name, "invalid"), register)
            _placed(findings, device, (*_AT, name), register)
        _stepped(findings, device)
        _overlaps(findings, device)
    _scales(findings)


def _most_connectors(findings: Findings, device: Modbus) -> int:
    return findings.profile.connectors or len(device.connectors.bases) or MOST_CONNECTORS


def _placed(findings: Findings, device: Modbus, at: Place, register: Register) -> None:
    most = _most_connectors(findings, device)
    for connector in (1, most) if register.of == "connector" and most > 1 else (1,):
        try:
            wire_address(register, device, connector)
            wire_unit(register, device, device.unit_id, connector)
        except AddressError as error:
            whose = f" for connector {connector}" if connector > 1 else ""
            remedy = "say with `connectors` how many it has at most" if connector > 1 else "see `numbering`"
            findings.add((*at, "address"), f"{error}{whose}", remedy)
            return


def _stepped(findings: Findings, device: Modbus) -> None:
    """Connectors must not read each other's registers."""
    steps = device.connectors
    if steps.unit_stride or _most_connectors(findings, device) == 1:
        return
    same: list[str] = []
    for name, register in device.registers.items():
        if register.of == "pile" or (steps.bases and register.stride is None):
            continue
        stride = steps.stride if register.stride is None else register.stride
        if stride == 0:
            same.append(name)
        elif stride < register.size:
            problem = f"takes {register.size} registers, and the next connector's begins after {stride}"
            findings.add((*_AT, name), problem, "mend the stride or the type")
    if same:
        more = f" (and {len(same) - 1} more)" if len(same) > 1 else ""
        remedy = "say `connectors: 1`, or give a stride, bases or a unit_stride"
        findings.add((*_AT, same[0]), f"all connectors would read the same register{more}", remedy)


def _overlaps(findings: Findings, device: Modbus) -> None:
    """Values that share some registers and differ in others: one is wrong. Parts by ``mask`` are meant."""
    placed: list[tuple[str, int, int, int, str, Register]] = []
    for name, register in device.registers.items():
        try:
            start = base_address(register, device)
        except AddressError:
            continue
        unit = -1 if register.unit_id is None else register.unit_id
        placed.append((register.table, unit, start, start + register.size, name, register))
    placed.sort(key=lambda each: each[:3])
    for index, (table, unit, _, end, name, register) in enumerate(placed):
        for other in placed[index + 1 :]:
            if other[:2] != (table, unit) or other[2] >= end:
                break
            partly = (placed[index][2], end) != other[2:4]
            bits = any(each.mask is not None or each.shift for each in (register, other[5]))
            if partly and not bits and register.note is None and other[5].note is None:
                remedy = "mend an address or a type, or say in a `note` why both are right"
                findings.add((*_AT, other[4], "address"), f"overlaps a part of {name} ({table})", remedy)


def _numeric(findings: Findings, at: Place, register: Register) -> None:
    if register.type not in {"text", "char", "bool"}:
        return
    for name in _NUMERIC:
        if name in register.model_fields_set and (register.type != "bool" or name not in {"allowed", "forbidden"}):
            findings.add((*at, name), f"`{name}` is for numbers, and this is a {register.type}", "leave it out")


def _markers(findings: Findings, at: Place, register: Register) -> None:
    """What means "no value" must be a raw number that can come; a scaled one would be taken for a value."""
    for index, marker in enumerate(register.invalid):
        problem = never_read(register, marker)
        if problem:
            remedy = "write the raw number, before scale and offset"
            if register.mask is not None or register.shift:
                remedy = "write the raw number after shift and mask, before scale and offset"
            findings.add((*at, index), f"{marker} can never come: {problem}", remedy)


def _scales(findings: Findings) -> None:
    profile = findings.profile
    inside: Place = ("mqtt", "values") if profile.modbus is None else _AT
    places: list[tuple[Place, float]] = [((*inside, name), value.scale) for name, value in profile.values.items()]
    places.extend((("derived", name), derived.scale) for name, derived in profile.derived.items())
    for at, scale in places:
        if not SCALE_LIMITS[0] <= abs(scale) <= SCALE_LIMITS[1]:
            findings.add((*at, "scale"), f"no device scales by {scale}", "give what one raw step is worth")
    bounded: list[tuple[Place, TopicValue | Derived]] = [
        ((*inside, name), value) for name, value in profile.values.items() if isinstance(value, TopicValue)
    ]
    bounded.extend((("derived", name), derived) for name, derived in profile.derived.items())
    for at, each in bounded:
        if each.range is not None and each.range[0] >= each.range[1]:
            findings.add((*at, "range"), "`range` is [least, most]", "put the lesser number first")
        if each.range is not None and isinstance(each, Derived) and each.join:
            findings.add((*at, "range"), "`range` is for numbers, and this is a text", "leave it out")
