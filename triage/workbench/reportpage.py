"""A report as text for a terminal; pure."""

from __future__ import annotations

from collections.abc import Iterator

from triage.drivers.profiles.values import text
from triage.workbench.report import Check, ConnectorRead, FaultRead, Report, ValueRead
from triage.workbench.wording import doubt, listed, restart, tabled

_MODBUS = ("name", "connector", "where", "on the wire", "raw", "value", "means", "")
_MQTT = ("name", "connector", "topic", "age", "retained", "payload", "value", "means", "")
_MADE = ("name", "connector", "value", "means")
_CONNECTOR = ("connector", "status", "session", "voltage", "current", "power", "meter", "temperature")
_FAULT = ("connector", "fault", "family", "restart", "meaning", "said")
_PAYLOAD_LIMIT = 60


def report(read: Report) -> Iterator[str]:
    """What a live device said."""
    yield f"{read.profile} at {read.endpoint}, {read.at}"
    heard = read.transport == "mqtt"
    rows = [_heard(each) if heard else _asked(each) for each in read.values]
    yield from tabled("Values", rows, _MQTT if heard else _MODBUS)
    made = [(each.name, _of(each.connector), _amount(each.value, each.unit), each.means) for each in read.derived]
    yield from tabled("Made of others", made, _MADE)
    yield from tabled("Connectors", [_connector(each) for each in read.connectors], _CONNECTOR)
    yield from tabled("Faults", [_fault(each) for each in read.faults], _FAULT)
    yield from listed("Device", list(_device(read)))
    yield from listed("Is it this model?", [_check(each) for each in read.identity] or ["nothing is checked"])
    yield from listed("Impossible", read.impossible)
    yield from listed("In no table: unknown, and never restarted", read.unlisted)
    yield from listed(f"Not verified ({len(read.unverified)})", read.unverified)
    yield ""
    yield read.verdict


def _asked(each: ValueRead) -> tuple[str, ...]:
    return (each.name, _of(each.connector), each.where, each.wire, each.raw or "-", *_tail(each))


def _heard(each: ValueRead) -> tuple[str, ...]:
    age = "-" if each.age_s is None else f"{each.age_s:.1f} s"
    kept = {None: "-", True: "yes", False: "no"}[each.retained]
    payload = each.payload or "-"
    shown = payload if len(payload) <= _PAYLOAD_LIMIT else payload[:_PAYLOAD_LIMIT] + "…"
    return (each.name, _of(each.connector), each.where, age, kept, shown, *_tail(each))


def _tail(each: ValueRead) -> tuple[str, str, str]:
    value = f"- ({each.error})" if each.error else _amount(each.value, each.unit)
    if each.type.startswith("bits") and isinstance(each.value, int) and each.value:
        bits = [str(bit) for bit in range(each.value.bit_length()) if each.value >> bit & 1]
        value = f"{each.value:#x}, bit{'s' if len(bits) > 1 else ''} {', '.join(bits)}"
    return (value, each.means, doubt(each.unverified))


def _amount(value: bool | float | str | None, unit: str) -> str:  # noqa: FBT001 -- a value of a device, not a flag
    if value is None:
        return "- (no value)"
    shown = f"{value:.10g}" if isinstance(value, float) else text(value)
    return f"{shown} {unit}".rstrip()


def _of(connector: int) -> str:
    return str(connector) if connector else "pile"


def _connector(each: ConnectorRead) -> tuple[str, ...]:
    measured = (
        (each.voltage_v, "V"),
        (each.current_a, "A"),
        (each.power_w, "W"),
        (each.energy_wh, "Wh"),
        (each.temperature_c, "degC"),
    )
    amounts = ("-" if value is None else _amount(value, unit) for value, unit in measured)
    return (str(each.connector), each.status, each.session, *amounts)


def _fault(each: FaultRead) -> tuple[str, ...]:
    meaning = f"{each.en} {each.zh}".strip()
    return (_of(each.connector), each.fault, each.family, restart(may=each.reset), meaning, each.info)


def _device(read: Report) -> Iterator[str]:
    told = {
        "model": read.model,
        "firmware": read.firmware,
        "serial": read.serial,
        "presence": read.presence,
        "uptime": None if read.uptime_s is None else f"{read.uptime_s:.10g} s",
        "start": read.boot_id,
        "reason of the start": read.boot_reason,
    }
    return (f"{name}: {value}" for name, value in told.items() if value is not None)


def _check(each: Check) -> str:
    return f"{'yes' if each.holds else 'NO'}: {each.expect}{f' ({each.seen})' if each.seen else ''}"
