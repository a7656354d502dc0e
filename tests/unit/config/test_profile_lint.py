"""What the lint of a profile finds: each wrong file is told with its line, its place and how to mend it."""

from __future__ import annotations

import pytest

from triage.config.profile.file import Profile
from triage.config.profile.lint import lint
from triage.config.schema import validate
from triage.config.yamlfile import parse_document
from triage.errors import InputFault

FAULTS = frozenset({"GroundFailure", "HighTemperature", "RcdTripped", "InternalError"})

HEAD = """\
profile: x
title: {en: X, zh: X}
vendor: X
models: [X]
sources: [a test]
verified: by nobody
"""
MODBUS = f"""\
{HEAD}modbus:
  registers:
    state: {{table: holding, address: 0, type: u16}}
    letter: {{table: holding, address: 1, type: char, byte: high}}
    error: {{table: holding, address: 2, type: u16, invalid: [0xFFFF]}}
    flags: {{table: holding, address: 3, type: bits16}}
    voltage: {{table: holding, address: 4, type: u16, scale: 0.1, unit: V}}
    current: {{table: holding, address: 5, type: u16, unit: mA}}
    power: {{table: holding, address: 6, type: u32, unit: W}}
    energy: {{table: holding, address: 8, type: f32, unit: kWh}}
    heat: {{table: holding, address: 10, type: i16, scale: 0.1, unit: degC}}
    uptime: {{table: holding, address: 11, type: u32, unit: s}}
    small: {{table: holding, address: 13, type: u8, byte: low}}
    model: {{table: holding, address: 20, type: text, words: 8, read: start}}
    limit: {{table: holding, address: 30, type: u16, access: rw, forbidden: [0], limits: [500, 22000], unit: W}}
    command: {{table: holding, address: 31, type: u16, access: w, allowed: [1, 2]}}
    mode: {{table: holding, address: 32, type: u16, mask: 0x0F, access: rw}}
    secret: {{table: holding, address: 33, type: u16, read: never}}
    relay: {{table: coil, address: 0, type: bool, access: rw}}
derived:
  load: {{product: [voltage, current], unit: W}}
  total: {{sum: [load, power]}}
  name: {{join: [model, state]}}
  kind: {{cases: [{{when: {{state: 1}}, value: A}}, {{when: {{}}, value: B}}]}}
status:
  - {{when: {{error: {{gt: 0}}}}, is: faulted}}
  - {{from: state, map: {{"0": available, "1": charging, "0x10": reserved}}}}
faults:
  - {{from: error, codes: {{"1": GroundFailure, "2": {{is: HighTemperature}}}}, ignore: [9], info: model}}
  - {{from: flags, bits: {{"0": RcdTripped, "15": unknown}}, ignore: [1]}}
  - {{when: {{state: 7}}, is: InternalError}}
readings: {{voltage_v: voltage, current_a: current, power_w: total, energy_wh: energy, temperature_c: heat}}
session:
  live: [{{connector_status: charging}}]
  none: [{{state: 0}}]
identity: {{model: model, expect: [{{model: {{matches: "X.*"}}}}]}}
boot: {{uptime: uptime, reason: small, reasons: {{"1": watchdog}}}}
actions:
  reset_soft:
    does: {{en: Restarts., zh: 重启。}}
    require: {{connector_status: {{ne: charging}}, session_live: false}}
    steps:
      - write: {{command: 1}}
      - wait_s: 5
      - expect: {{state: {{one_of: [0, 1]}}, connector_status: available}}
""".replace("info: model}", "info: letter}")

MQTT = f"""\
{HEAD}mqtt:
  device: "[^+#/]+"
  device_example: box-1
  values:
    state: {{topic: "x/{{device}}/state", type: number}}
    output: {{topic: "x/{{device}}/{{connector}}/out", path: "params.out", type: bool, of: connector}}
    word: {{topic: "x/{{device}}/word", payload: text}}
  presence: {{topic: "x/{{device}}/will", payload: text, online: [up], offline: [down]}}
  events:
    - {{topic: "x/{{device}}/event", does: raise, key: id, code: code, codes: {{"E1": GroundFailure}}}}
  ask:
    - {{topic: "x/{{device}}/ask", payload: '{{"id":"{{id}}","x":{{"y":1}}}}'}}
status:
  - {{from: state, map: {{"0": available, "1": charging}}}}
actions:
  reset_soft:
    does: {{en: Restarts., zh: 重启。}}
    steps:
      - publish: {{topic: "x/{{device}}/do", payload: '{{"do":"boot","n":{{connector}},"at":{{now_ms}}}}'}}
    answer: {{topic: "x/{{device}}/done", path: "result", accepted: [ok], id: id}}
"""


def found(text: str, faults: frozenset[str] | None = FAULTS) -> list[InputFault]:
    document = parse_document(text.encode(), "x.yaml")
    return lint(validate(document, Profile), document, faults)


def line_of(text: str, fragment: str) -> int:
    lines = [number for number, line in enumerate(text.split("\n"), 1) if fragment in line]
    assert len(lines) == 1, (fragment, lines)
    return lines[0]


def check(text: str, old: str, new: str, told: str) -> None:
    """``text`` with ``old`` made ``new`` has one fault: on the (last) line of ``new``, beginning as ``told``."""
    assert text.count(old) == 1, old
    wrong = text.replace(old, new)
    (fault,) = found(wrong)
    assert f"{fault.field}: {fault.problem} ({fault.remedy})".startswith(told)
    assert fault.remedy
    assert fault.line == line_of(wrong, new.strip("\n").split("\n")[-1])
    assert fault.file == "x.yaml"


def test_a_good_profile_has_no_fault() -> None:
    assert found(MODBUS) == []
    assert found(MQTT) == []


NAMES = [
    ("voltage_v: voltage,", "voltage_v: voltages,", "readings.voltage_v", "voltages", "voltage"),
    ("{when: {error: {gt", "{when: {eror: {gt", "status[0].when.eror", "eror", "error"),
    ("from: state, map", "from: stat, map", "status[1].from", "stat", "state"),
    ("from: error,", "from: erorr,", "faults[0].from", "erorr", "error"),
    ("info: letter", "info: leter", "faults[0].info", "leter", "letter"),
    ("{state: 7}", "{stat: 7}", "faults[2].when.stat", "stat", "state"),
    ("sum: [load, power]", "sum: [loud, power]", "derived.total.sum[0]", "loud", "load"),
    ("{state: 1}, value: A", "{stale: 1}, value: A", "derived.kind.cases[0].when.stale", "stale", "state"),
    ("none: [{state: 0}]", "none: [{states: 0}]", "session.none[0].states", "states", "state"),
    ("session:\n", "session:\n  id: modell\n", "session.id", "modell", "model"),
    ("model: model, expect", "serial: modell, expect", "identity.serial", "modell", "model"),
    ("[{model: {matches", "[{modal: {matches", "identity.expect[0].modal", "modal", "model"),
    ("boot: {uptime: uptime,", "boot: {uptime: uptimes,", "boot.uptime", "uptimes", "uptime"),
    ("boot: {uptime:", "boot: {counter: hart, uptime:", "boot.counter", "hart", "heat"),
    ("boot: {uptime:", "boot: {starting: {stat: 1}, uptime:", "boot.starting.stat", "stat", "state"),
    (
        "session_live: false}",
        "sesion_live: false}",
        "actions.reset_soft.require.sesion_live",
        "sesion_live",
        "session_live",
    ),
    ("expect: {state: {one", "expect: {stat: {one", "actions.reset_soft.steps[2].expect.stat", "stat", "state"),
]


@pytest.mark.parametrize(("old", "new", "place", "name", "meant"), NAMES)
def test_names_that_lead_nowhere(old: str, new: str, place: str, name: str, meant: str) -> None:
    check(MODBUS, old, new, f"{place}: no value is called {name!r} (did you mean {meant!r}?)")


ADDRESSES = [
    (
        "power: {table: holding, address: 6,",
        "power: {table: holding, address: 65535,",
        "modbus.registers.power.address: address 65535 with 2 word(s) is outside 0 to 65535 (see `numbering`)",
    ),
    (
        "heat: {table: holding, address: 10,",
        "heat: {table: holding, of: connector, stride: 2000, address: 10,",
        (
            "modbus.registers.heat.address: address 126010 with 1 word(s) is outside 0 to 65535 for connector 64 "
            "(say with `connectors` how many it has at most)"
        ),
    ),
    (
        "heat: {table: holding, address: 10,",
        "heat: {table: holding, of: connector, address: 10,",
        (
            "modbus.registers.heat: all connectors would read the same register "
            "(say `connectors: 1`, or give a stride, bases or a unit_stride)"
        ),
    ),
    (
        "power: {table: holding,",
        "power: {of: connector, stride: 1, table: holding,",
        (
            "modbus.registers.power: takes 2 registers, and the next connector's begins after 1 "
            "(mend the stride or the type)"
        ),
    ),
    (
        "energy: {table: holding, address: 8,",
        "energy: {table: holding, address: 7,",
        (
            "modbus.registers.energy.address: overlaps a part of power (holding) "
            "(mend an address or a type, or say in a `note` why both are right)"
        ),
    ),
    (
        "energy: {table: holding, address: 8, type: f32,",
        "energy: {table: holding, address: 7, type: i16,",
        (
            "modbus.registers.energy.address: overlaps a part of power (holding) "
            "(mend an address or a type, or say in a `note` why both are right)"
        ),
    ),
    (
        "energy: {table: holding, address: 8, type: f32,",
        "energy: {table: holding, address: 6, type: i16,",
        (
            "modbus.registers.energy.address: overlaps a part of power (holding) "
            "(mend an address or a type, or say in a `note` why both are right)"
        ),
    ),
    (
        "scale: 0.1, unit: V}",
        "scale: 0.1, unit: V, invalid: [0xFFFF, 6553.5]}",
        (
            "modbus.registers.voltage.invalid[1]: 6553.5 can never come: the raw number of a u16 is a whole one "
            "(write the raw number, before scale and offset)"
        ),
    ),
    (
        "scale: 0.1, unit: V}",
        "scale: 0.1, unit: V, invalid: [0xFFFFFFFF]}",
        "modbus.registers.voltage.invalid[0]: 4294967295 can never come: the raw number is -32768 to 65535 (write",
    ),
    (
        "small: {table: holding, address: 13, type: u8, byte: low}",
        "small: {table: holding, address: 13, type: u8, byte: low, invalid: [0xFFFF]}",
        "modbus.registers.small.invalid[0]: 65535 can never come: the raw number is -128 to 255 (write",
    ),
    (
        "type: u16, mask: 0x0F, access: rw}",
        "type: u16, mask: 0x0F, access: rw, invalid: [0xFFFF]}",
        (
            "modbus.registers.mode.invalid[0]: 65535 can never come: the raw number is 0 to 15 "
            "(write the raw number after shift and mask, before scale and offset)"
        ),
    ),
    (
        "type: f32, unit: kWh}",
        "type: f32, unit: kWh, invalid: [1.0e+39]}",
        "modbus.registers.energy.invalid[0]: 1e+39 can never come: no f32 holds it (write the raw number,",
    ),
    (
        "type: u32, unit: W}",
        "type: bcd32, unit: W, invalid: [0xFFFFFFFF]}",
        "modbus.registers.power.invalid[0]: 4294967295 can never come: the raw number is 0 to 99999999 (write",
    ),
    (
        "scale: 0.1, unit: V}",
        "scale: 0.0, unit: V}",
        "modbus.registers.voltage.scale: no device scales by 0.0 (give what one raw step is worth)",
    ),
    (
        "type: text, words: 8, read: start}",
        "type: text, words: 8, read: start, range: [0, 1]}",
        "modbus.registers.model.range: `range` is for numbers, and this is a text (leave it out)",
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), ADDRESSES)
def test_registers_that_stand_nowhere(old: str, new: str, told: str) -> None:
    check(MODBUS, old, new, told)


NUMBERING = (
    "modbus:\n  numbering: {}\n  registers:\n    a: {{table: {}, address: {}, type: u16}}\nstatus: [{{is: unknown}}]\n"
)


@pytest.mark.parametrize(
    ("numbering", "table", "address", "told"),
    [
        ("modicon", "holding", 30_001, "30001 means input, and `table` says holding (see `numbering`)"),
        ("modicon", "input", 400_001, "400001 means holding, and `table` says input (see `numbering`)"),
        ("modicon", "holding", 100, "00100 means coil, and `table` says holding (see `numbering`)"),
        ("modicon", "holding", 70_001, "70001 is no address of the five- or six-digit notation (see `numbering`)"),
        ("one_based", "holding", 0, "0 is no address where counting starts at 1 (see `numbering`)"),
        ("protocol", "holding", 65_536, "address 65536 with 1 word(s) is outside 0 to 65535 (see `numbering`)"),
    ],
)
def test_addresses_that_are_none_in_their_notation(numbering: str, table: str, address: int, told: str) -> None:
    (fault,) = found(HEAD + NUMBERING.format(numbering, table, address))
    assert str(fault) == f"x.yaml:10: modbus.registers.a.address: {told}"


def test_the_last_connector_counts() -> None:
    several = """modbus:
  connectors: {bases: [0, 100]}
  registers:
    a: {table: holding, address: 65400, type: u16, of: connector}
status: [{is: unknown}]
"""
    assert found(HEAD + several) == []
    (fault,) = found(HEAD + several.replace("65400", "65500"))
    assert "address 65600" in fault.problem
    (fault,) = found(HEAD + "connectors: 3\n" + several)
    assert fault.problem == "`bases` has no entry for connector 3 for connector 3"
    units = several.replace("bases: [0, 100]", "unit_stride: 5")
    (fault,) = found(HEAD + units)
    assert fault.problem == "unit id 316 of connector 64 is beyond 255 for connector 64"
    assert found(HEAD + "connectors: 4\n" + units) == []


def test_overlaps_that_are_meant() -> None:
    same = "energy: {table: holding, address: 6, type: u32, unit: Wh}"
    half = "energy: {table: holding, address: 7, type: u16, unit: Wh, note: The low word alone.}"
    bits = "energy: {table: holding, address: 7, type: u16, unit: Wh, mask: 0xF}"
    noted = "energy: {table: holding, address: 7, type: u32, unit: Wh, note: Two ways to read it.}"
    other = "energy: {table: input, address: 7, type: u32, unit: Wh}"
    unit = "energy: {table: holding, address: 7, type: u32, unit: Wh, unit_id: 9}"
    for instead in (same, half, bits, noted, other, unit):
        assert found(MODBUS.replace("energy: {table: holding, address: 8, type: f32, unit: kWh}", instead)) == []


MEANING = [
    (
        '"1": GroundFailure,',
        '"1": GroundFailur,',
        (
            "faults[0].codes.1: no fault table knows 'GroundFailur' "
            "(did you mean 'GroundFailure'? `unknown` is always right)"
        ),
    ),
    (
        "{is: HighTemperature}",
        "{is: HighTemprature}",
        (
            "faults[0].codes.2.is: no fault table knows 'HighTemprature' "
            "(did you mean 'HighTemperature'? `unknown` is always right)"
        ),
    ),
    (
        '"0": RcdTripped,',
        '"0": RcdTriped,',
        "faults[1].bits.0: no fault table knows 'RcdTriped' (did you mean 'RcdTripped'? `unknown` is always right)",
    ),
    (
        "is: InternalError}",
        "is: IntrnalError}",
        "faults[2].is: no fault table knows 'IntrnalError' (did you mean 'InternalError'? `unknown` is always right)",
    ),
    ("power_w: total,", "power_w: current,", "readings.power_w: current is in mA (take a value in W or kW or VA)"),
    (
        "current_a: current,",
        "current_a: state,",
        "readings.current_a: state has no unit (give state its `unit`: A or mA)",
    ),
    ("boot: {uptime: uptime,", "boot: {uptime: heat,", "boot.uptime: heat is in degC (take a value in s or"),
    (
        "load: {product: [voltage, current], unit: W}",
        "load: {product: [voltage, current], unit: W, scale: 3}",
        ("derived.load: `scale` beside V and mA: both would convert (give every value its unit,"),
    ),
    (
        "total: {sum: [load, power]}",
        "total: {sum: [load, power, heat], unit: W}",
        ("derived.total: W and degC do not go together (give every value its unit,"),
    ),
    (
        "total: {sum: [load, power]}",
        "total: {sum: [load, power, state], unit: W}",
        ("derived.total: some have a unit and some have none (give every value its unit,"),
    ),
    (
        "load: {product: [voltage, current], unit: W}",
        "load: {most: [current], unit: W}",
        "derived.load: mA cannot become W (give every value its unit, and let units convert by themselves)",
    ),
    (
        "total: {sum: [load, power]}",
        "total: {sum: [load, power], hex: true}",
        "derived.total.hex: `hex` is for `join` (leave it out)",
    ),
    (
        "  - {when: {error: {gt: 0}}, is: faulted}",
        "  - {when: {error: {gt: 0}}, is: faulted}\n  - {when: {error: {gt: 0}, state: 2}, is: charging}",
        "status[1]: never speaks: an earlier rule always does",
    ),
    (
        "  - {from: state, map",
        "  - {is: available}\n  - {from: state, map",
        "status[2]: never speaks: an earlier rule always does",
    ),
    (
        '"0x10": reserved}}',
        '"0x10": reserved}}\n  - {from: state, map: {"2": faulted}}',
        "status[2]: never speaks: an earlier rule always does",
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), MEANING)
def test_meanings_that_cannot_be(old: str, new: str, told: str) -> None:
    check(MODBUS, old, new, told)


def test_without_fault_tables_no_name_is_judged() -> None:
    assert found(MODBUS.replace("is: InternalError}", "is: Whatever}"), None) == []
    assert len(found(MODBUS.replace("is: InternalError}", "is: Whatever}"))) == 1


KEYS = [
    ("from: state, map", "from: letter, map", {"0x10": "a char is one letter or sign"}),
    ("from: state, map", "from: voltage, map", {}),
    ("from: state, map", "from: small, map", {}),
    ("from: state, map", "from: relay, map", {"0x10": "it is true or false"}),
    ("from: state, map", "from: name, map", {}),
    ("from: state, map", "from: kind, map", dict.fromkeys(["0", "1", "0x10"], "no case gives it")),
    ("from: state, map", "from: total, map", {}),
    ("from: state, map", "from: mode, map", {"0x10": "it is 0 to 15"}),
    ('"0x10": reserved}}', '"0x10000": reserved}}', {"0x10000": "it is 0 to 65535"}),
    ('"0x10": reserved}}', '"-1": reserved}}', {"-1": "it is 0 to 65535"}),
    ('"0x10": reserved}}', '"C": reserved}}', {"C": "u16 is a whole number"}),
    ('"0x10": reserved}}', '"01": reserved}}', {"01": "u16 is a whole number"}),
    ('"0x10": reserved}}', '"1.5": reserved}}', {"1.5": "u16 is a whole number"}),
]


@pytest.mark.parametrize(("old", "new", "never"), KEYS)
def test_keys_no_value_can_be(old: str, new: str, never: dict[str, str]) -> None:
    wrong = MODBUS.replace(old, new)
    assert wrong != MODBUS
    faults = [fault for fault in found(wrong) if fault.field.startswith("status[1].map")]
    assert {fault.field.removeprefix("status[1].map."): fault.problem.partition(": ")[2] for fault in faults} == never
    assert {fault.line for fault in faults} <= {line_of(wrong, "available, ")}


SPANS = [("u8, byte: low", 255), ("i8, byte: low", 127), ("i16", 32_767), ("bcd16", 9_999), ("u16, shift: 12", 15)]


@pytest.mark.parametrize(("kind", "most"), SPANS)
def test_keys_end_where_the_type_does(kind: str, most: int) -> None:
    for key, wrong in ((most, 0), (most + 1, 1)):
        text = MODBUS.replace(
            "small: {table: holding, address: 13, type: u8, byte: low}",
            f"small: {{table: holding, address: 13, type: {kind}}}",
        ).replace('{"1": watchdog}', f'{{"{key}": watchdog}}')
        faults = found(text)
        assert [fault.field for fault in faults] == [f"boot.reasons.{key}"] * wrong


TABLES = [
    (
        '"0x10": reserved}}',
        '"16": available, "0x10": reserved}}',
        "status[1].map.0x10: means the same as '16' (keep one of them)",
    ),
    (
        '"1": GroundFailure,',
        '"0": GroundFailure,',
        "faults[0].codes.0: is no fault: it stands in `none` (give `none` without it, or leave it out)",
    ),
    (
        '"1": GroundFailure,',
        '"9": GroundFailure,',
        "faults[0].codes.9: is no fault: it stands in `ignore` (give `ignore` without it, or leave it out)",
    ),
    (
        '"1": GroundFailure,',
        '"65535": GroundFailure,',
        (
            "faults[0].codes.65535: error is never '65535': it means 'no value' (`invalid`) "
            "(write the value as the device says it)"
        ),
    ),
    ('"15": unknown}', '"16": unknown}', "faults[1].bits.16: flags has bits 0 to 15 (mend the bit or the type)"),
    ("ignore: [1]}", "ignore: [16]}", "faults[1].ignore[0]: flags has bits 0 to 15 (name a bit)"),
    ("ignore: [1]}", "ignore: [15]}", "faults[1].bits.15: is no fault: it stands in `ignore` (keep one of them)"),
    (
        'from: flags, bits: {"0": RcdTripped, "15": unknown}, ignore: [1]',
        "from: letter, is_mask: true",
        "faults[1].from: letter is no whole number, and has no bits (take the raw number)",
    ),
    (
        'from: flags, bits: {"0": RcdTripped, "15": unknown}, ignore: [1]',
        "from: voltage, is_mask: true",
        "faults[1].from: voltage is no whole number, and has no bits (take the raw number)",
    ),
    (
        "{when: {state: 7}, is",
        "{when: {state: B}, is",
        "faults[2].when.state: state is never 'B': u16 is a whole number (write the value as the device says it)",
    ),
    (
        "{when: {state: 7}, is",
        "{when: {state: {one_of: [7, 65536]}}, is",
        (
            "faults[2].when.state.one_of[1]: state is never 65536: it is 0 to 65535 "
            "(write the value as the device says it)"
        ),
    ),
    (
        "{when: {state: 7}, is",
        "{when: {small: {any_bit: 0x100}}, is",
        "faults[2].when.small.any_bit: small has bits 0 to 7 (mend the mask or the type)",
    ),
    (
        "{when: {state: 7}, is",
        "{when: {letter: {no_bit: 1}}, is",
        "faults[2].when.letter.no_bit: letter is no whole number, and has no bits (take the raw number)",
    ),
    (
        "{when: {state: 7}, is",
        "{when: {state: {eq: null}}, is",
        "faults[2].when.state: asks nothing (`null` is no value; ask `known: false`)",
    ),
    (
        "live: [{connector_status: charging}]",
        "live: [{connector_status: loading}]",
        (
            "session.live[0].connector_status: connector_status is never 'loading': it is available, charging, "
            "faulted, "
            "finishing, preparing, reserved, suspended_ev, suspended_evse, unavailable "
            "(write the value as the device says it)"
        ),
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), TABLES)
def test_tables_and_bits_that_cannot_be(old: str, new: str, told: str) -> None:
    check(MODBUS, old, new, told)


READ = [
    ("voltage_v: voltage,", "voltage_v: command,", "readings.voltage_v: command is never read (`access: w`)"),
    ("from: error,", "from: secret,", "faults[0].from: secret is never read (`read: never`)"),
    ("from: state, map", "from: command, map", "status[1].from: command is never read (`access: w`)"),
    ("info: letter", "info: model", "faults[0].info: model is read only at connecting (`read: start`)"),
    (
        "expect: {state: {one_of: [0, 1]},",
        "expect: {command: 1,",
        "actions.reset_soft.steps[2].expect.command: command is never read (`access: w`)",
    ),
    (
        "expect: {state: {one_of: [0, 1]},",
        "expect: {model: X,",
        "actions.reset_soft.steps[2].expect.model: model is read only at connecting (`read: start`)",
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), READ)
def test_what_is_never_read_tells_nothing(old: str, new: str, told: str) -> None:
    wrong = MODBUS.replace(old, new)
    (fault, *_) = [fault for fault in found(wrong) if "read" in fault.problem]
    assert f"{fault.field}: {fault.problem}" == told
    assert fault.line == line_of(wrong, new)


RESERVED = [
    (
        "    relay: {",
        "    relay: {table: coil, address: 1, type: bool}\n    session_live: {",
        "modbus.registers.session_live: session_live is a name of our own (choose another name)",
    ),
    (
        "  name: {join: [model, state]}",
        "  name: {join: [model, state]}\n  connector_status: {sum: [state]}",
        "derived.connector_status: connector_status is a name of our own (choose another name)",
    ),
    (
        "  name: {join: [model, state]}",
        "  name: {join: [model, state]}\n  heat: {sum: [state]}",
        "derived.heat: is also the name of a value that is read (choose another name)",
    ),
    (
        "{when: {state: 7}, is",
        "{when: {connector_status: faulted}, is",
        "faults[2].when.connector_status: connector_status is not known yet when this is asked (ask the value itself)",
    ),
    (
        "live: [{connector_status: charging}]",
        "live: [{session_live: true}]",
        "session.live[0].session_live: session_live is not known yet when this is asked (ask the value itself)",
    ),
    (
        "info: letter",
        "info: connector_status",
        (
            "faults[0].info: connector_status is known only in `session`, `require` and `expect` "
            "(take the value it is made of)"
        ),
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), RESERVED)
def test_names_of_our_own(old: str, new: str, told: str) -> None:
    check(MODBUS, old, new, told)


def test_circles() -> None:
    wrong = MODBUS.replace("load: {product: [voltage, current], unit: W}", "load: {sum: [total], unit: W}")
    told = [(fault.line, fault.field, fault.problem) for fault in found(wrong)]
    problem = "is made of itself, in a circle"
    assert told == [
        (line_of(wrong, "load: {sum"), "derived.load", problem),
        (line_of(wrong, "total: {sum"), "derived.total", problem),
    ]


STEPS = [
    ("{command: 1}", "{comand: 1}", "comand: no register is called 'comand' (did you mean 'command'?)"),
    ("{command: 1}", "{load: 1}", "load: no register is called 'load' (there is: command, limit, mode, relay)"),
    ("{command: 1}", "{state: 1}", "state: cannot be written: it is read-only (`access: r`)"),
    ("{command: 1}", "{command: 3}", "command: cannot be written: 3 is not one of the values allowed: 1, 2"),
    ("{command: 1}", "{limit: 0}", "limit: cannot be written: 0 must never be written (`forbidden`)"),
    ("{command: 1}", "{limit: 400}", "limit: cannot be written: 400 is outside 500 to 22000 (`limits`)"),
    ("{command: 1}", "{limit: 500.5}", "limit: cannot be written: 500.5 is between two steps of 1"),
    ("{command: 1}", "{relay: on}", "relay: cannot be written: 'on' is no number"),
    ("{command: 1}", "{mode: 3}", "mode: writing a part of a register would clear its other bits"),
]


@pytest.mark.parametrize(("old", "new", "told"), STEPS)
def test_writes_that_cannot_be(old: str, new: str, told: str) -> None:
    check(MODBUS, f"write: {old}", f"write: {new}", f"actions.reset_soft.steps[0].write.{told}")


def test_each_transport_has_its_own_steps() -> None:
    check(
        MODBUS,
        "- write: {command: 1}",
        '- publish: {topic: "x/{device}", payload: go}',
        "actions.reset_soft.steps[0].publish: there is no broker over Modbus (use `write`)",
    )
    wrong = MODBUS.replace("    steps:\n", '    answer: {topic: "x/{device}", accepted: [1]}\n    steps:\n')
    (fault,) = found(wrong)
    assert (fault.field, fault.problem) == ("actions.reset_soft.answer", "Modbus answers no commands")
    assert fault.line == line_of(wrong, "answer:")
    step = MQTT[MQTT.index("      - publish") : MQTT.index("    answer")]
    (fault, *_) = found(MQTT.replace(step, "      - write: {state: 1}\n"))
    assert (fault.field, fault.problem) == ("actions.reset_soft.steps[0].write", "there are no registers over MQTT")


def test_an_action_must_tell_the_device_something() -> None:
    wrong = MODBUS.replace("- write: {command: 1}", "- wait_s: 1")
    (fault,) = found(wrong)
    assert str(fault).endswith("actions.reset_soft.steps: nothing is told to the device (add what is sent to it)")


@pytest.mark.parametrize(
    ("type_", "marker"),
    [("u16", -1), ("i16", 0xFFFF), ("i16", -32768), ("u32", 0xFFFFFFFF), ("bits16", 0xFFFF), ("f32", 3.4e38)],
)
def test_markers_may_be_written_as_words_or_as_numbers(type_: str, marker: float) -> None:
    one = f"modbus:\n  registers:\n    a: {{table: holding, address: 1, type: {type_}, invalid: [{marker:.10g}]}}\n"
    assert found(HEAD + one + "status: [{is: unknown}]\n") == []


MADE = [
    ("range: [5, 5]", "derived.load.range: `range` is [least, most] (put the lesser number first)"),
    ("range: [9, 5]", "derived.load.range: `range` is [least, most] (put the lesser number first)"),
]


@pytest.mark.parametrize(("range_", "told"), MADE)
def test_ranges_of_what_is_made(range_: str, told: str) -> None:
    load = "load: {product: [voltage, current], unit: W}"
    check(MODBUS, load, f"load: {{product: [voltage, current], unit: W, {range_}}}", told)
    assert found(MODBUS.replace(load, "load: {product: [voltage, current], unit: W, range: [0, 5]}")) == []


def test_a_text_has_no_range() -> None:
    told = "derived.name.range: `range` is for numbers, and this is a text (leave it out)"
    check(MODBUS, "name: {join: [model, state]}", "name: {join: [model, state], range: [0, 1]}", told)


STOP = """  stop_session:
    does: {en: Ends it., zh: 结束。}
    steps:
      - {step}
"""


@pytest.mark.parametrize(
    ("step", "fine"),
    [
        ('publish: {topic: "x/{device}/do", payload: stop}', False),
        ('publish: {topic: "x/{device}/{connector}/do", payload: stop}', True),
        ('publish: {topic: "x/{device}/do", payload: "stop {connector}"}', True),
    ],
)
@pytest.mark.parametrize("action", ["stop_session", "unlock"])
def test_what_is_meant_for_one_connector_over_mqtt_must_name_it(action: str, step: str, *, fine: bool) -> None:
    told = MQTT + STOP.replace("{step}", step).replace("stop_session", action)
    problems = [f"{fault.field}: {fault.problem} ({fault.remedy})" for fault in found(told)]
    wrong = (
        f"actions.{action}.steps: is told to the whole pile, and the model has several connectors "
        "(name {connector} in the topic or the payload, or say in a `note` why that is right)"
    )
    assert problems == ([] if fine else [wrong])
    assert found(told.replace("  " + action + ":\n", "  " + action + ":\n    note: It is so.\n")) == []
    assert found(told.replace("mqtt:\n", "connectors: 1\nmqtt:\n", 1).replace(action, "set_availability")) == []


def test_what_is_meant_for_one_connector_over_modbus_must_write_its_register() -> None:
    several = MODBUS.replace("modbus:\n", "connectors: 2\nmodbus:\n", 1)
    step = STOP.replace("{step}", "write: {command: 2}")
    (fault,) = found(several + step)
    assert (fault.field, fault.problem) == (
        "actions.stop_session.steps",
        "is told to the whole pile, and the model has several connectors",
    )
    assert fault.remedy == "write a register that is `of: connector`, or say in a `note` why that is right"
    assert found(MODBUS + step) == [], "whether it has several, nothing tells"
    assert found(several + step.replace("    steps", "    note: It has one socket a command.\n    steps")) == []
    own = several.replace("type: u16, access: w, allowed", "type: u16, of: connector, stride: 50, access: w, allowed")
    assert found(own + step) == []


PATHS = [
    (
        "ch[?n=={connector}] | [0].out",
        (
            "mqtt.values.output.path: is no JMESPath (column 8) "
            "(a number in a filter stands between backticks: [?n == `{connector}`])"
        ),
    ),
    (
        "ch[?n=='{connector}'] | [0].out",
        "mqtt.values.output.path: '{connector}' in quotes is a text, and no number is equal to it (write [?n == `",
    ),
    (
        "ch[?'{connector}' == n.id].out | [0]",
        "mqtt.values.output.path: '{connector}' in quotes is a text, and no number is equal to it (write [?n == `",
    ),
]


@pytest.mark.parametrize(("path", "told"), PATHS)
def test_a_number_in_a_filter_stands_between_backticks(path: str, told: str) -> None:
    check(MQTT, 'path: "params.out"', f'path: "{path}"', told)


@pytest.mark.parametrize(
    "path",
    [
        "ch[?n==`{connector}`] | [0].out",
        "ch[?to_string(n)=='{connector}'] | [0].out",
        "ch[?n=='C{connector}'] | [0].out",
        "ch[{connector}].out",
        "ch[0:{connector}] | [0].out",
    ],
)
def test_other_ways_of_naming_a_connector(path: str) -> None:
    assert found(MQTT.replace('path: "params.out"', f'path: "{path}"')) == []


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ('{"do":"boot","n":{connector},}', "is no JSON once its places are filled: "),
        (
            '{"do":boot}',
            "is no JSON once its places are filled: Expecting value: line 1 column 7 (char 6) (texts stand",
        ),
        ('{"id":{id}}', "is no JSON once its places are filled: "),
        ('[{"id":"{id}"}', "is no JSON once its places are filled: "),
        ("{do: boot}", "is no JSON once its places are filled: "),
    ],
)
def test_a_payload_that_looks_like_json_is_json(payload: str, told: str) -> None:
    old = '{"do":"boot","n":{connector},"at":{now_ms}}'
    check(MQTT, old, payload, f"actions.reset_soft.steps[0].publish.payload: {told}")
    asked = '{"id":"{id}","x":{"y":1}}'
    if "{connector}" not in payload:
        check(MQTT, asked, payload, f"mqtt.ask[0].payload: {told}")


@pytest.mark.parametrize("payload", ["boot", "", "{id},{connector}", "$FR", "5 {device}", "(1]"])
def test_any_other_payload_is_the_devices_own_affair(payload: str) -> None:
    assert found(MQTT.replace('{"do":"boot","n":{connector},"at":{now_ms}}', payload)) == []


def test_the_opposite_of_a_fault_is_no_suggestion() -> None:
    names = frozenset({"UnderTemperature", "GroundFailure", "HighTemperature", "RcdTripped", "InternalError"})
    for wrong, remedy in (
        ("OverTemperature", "`triage profile faults` lists them; `unknown` is always right"),
        ("undertemperature", "did you mean 'UnderTemperature'? `unknown` is always right"),
    ):
        (fault,) = found(MODBUS.replace('"1": GroundFailure,', f'"1": {wrong},'), names)
        assert fault.remedy == remedy


def test_a_switch_and_a_keepalive_are_looked_at_alike() -> None:
    switch = f"""{HEAD}kind: switch
modbus:
  registers:
    on: {{table: coil, address: 0, type: bool, access: rw}}
    power: {{table: holding, address: 0, type: u16, unit: A}}
switching:
  state: on
  load_w: power
  off: [{{write: {{on: 2}}}}]
  on: [{{write: {{off: true}}}}]
keepalive:
  does: {{en: Keeps it., zh: 保持。}}
  every_s: 10
  steps: [{{write: {{power: 1}}}}]
"""
    told = [(fault.line, fault.field, fault.problem) for fault in found(switch)]
    assert told == [
        (14, "switching.load_w", "power is in A"),
        (15, "switching.off[0].write.on", "cannot be written: 2 is neither true nor false"),
        (16, "switching.on[0].write.off", "no register is called 'off'"),
        (20, "keepalive.steps[0].write.power", "cannot be written: it is read-only (`access: r`)"),
    ]


TOPICS = [
    (
        'path: "params.out"',
        'path: "params..out"',
        'mqtt.values.output.path: is no JMESPath (column 8) (quote names with other signs: "switch:0".output)',
    ),
    (
        'path: "params.out"',
        'path: "maxx(params.out)"',
        "mqtt.values.output.path: JMESPath has no function 'maxx' (did you mean 'max'?)",
    ),
    (
        "payload: text}\n  presence",
        "payload: text, path: a}\n  presence",
        "mqtt.values.word.path: a bare text has no parts (use `payload: json`, or leave the path out)",
    ),
    (
        'output: {topic: "x/{device}/{connector}/out"',
        'output: {topic: "x/{device}/out"',
        (
            "mqtt.values.output: all connectors would get the same value "
            "(put {connector} into the topic or the path, or say `connectors: 1`)"
        ),
    ),
    (
        'state: {topic: "x/{device}/state"',
        'state: {topic: "x/{device}/{connector}/state"',
        "mqtt.values.state: {connector} without a connector (say `of: connector`, or leave it out)",
    ),
    (
        'device: "[^+#/]+"',
        'device: "[^+#/+"',
        (
            "mqtt.device: is no regular expression: unterminated character set at position 0 "
            "(mend it; [^+#/]+ is one level)"
        ),
    ),
    (
        "device_example: box-1",
        "device_example: box/1",
        "mqtt.device_example: the example 'box/1' does not match `device` (mend one of them)",
    ),
    (
        "offline: [down]",
        "offline: [down, up]",
        "mqtt.presence.offline[1]: 'up' also means online (keep one of them)",
    ),
    ("key: id, code: code", "key: id..x, code: code", "mqtt.events[0].key"),
    (
        "key: id, code: code",
        "key: id",
        "mqtt.events[0]: `raise` needs the fault's `code` (give the path to it; it may be that of the key)",
    ),
    (
        '{"E1": GroundFailure}',
        '{"E1": groundfailure}',
        (
            "mqtt.events[0].codes.E1: no fault table knows 'groundfailure' "
            "(did you mean 'GroundFailure'? `unknown` is always right)"
        ),
    ),
    ("id: id}", "id: '['}", "actions.reset_soft.answer.id"),
    (
        'publish: {topic: "x/{device}/do"',
        'publish: {topic: "x/{device}/{what}"',
        (
            "actions.reset_soft.steps[0].publish.topic: nothing fills {what} "
            "(known: {connector}, {device}, {id}, {now_ms})"
        ),
    ),
    (
        'publish: {topic: "x/{device}/do"',
        'publish: {topic: "x/do"',
        (
            "actions.reset_soft.steps[0].publish.topic: without {device} every device would hear it "
            "(name the device in the topic)"
        ),
    ),
    (
        'publish: {topic: "x/{device}/do"',
        'publish: {topic: "x/{device}/#"',
        "actions.reset_soft.steps[0].publish.topic: nothing can be published to a wildcard (write the topic out)",
    ),
    (
        '"at":{now_ms}',
        '"at":{now-ms}',
        (
            "actions.reset_soft.steps[0].publish.payload: nothing fills {now-ms} "
            "(known: {connector}, {device}, {id}, {now_ms})"
        ),
    ),
    (
        'topic: "x/{device}/ask"',
        'topic: "x/{device}/{connector}/ask"',
        "mqtt.ask[0].topic: nothing fills {connector} (known: {device}, {id}, {now_ms})",
    ),
    (
        '{"0": available',
        '{"idle": available',
        "status[0].map.idle: state is never 'idle': it is a number (write the value as the device says it)",
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), TOPICS)
def test_topics_and_payloads_that_cannot_be(old: str, new: str, told: str) -> None:
    wrong = MQTT.replace(old, new)
    assert wrong != MQTT
    (fault,) = found(wrong)
    assert f"{fault.field}: {fault.problem} ({fault.remedy})".startswith(told)
    assert fault.line == line_of(wrong, new.split("\n", maxsplit=1)[0])


def test_every_place_that_says_a_value_is_looked_at() -> None:
    also = 'also: [{topic: "x/{device}/more", path: "a..b"}], of: connector}'
    told = [fault.field for fault in found(MQTT.replace("of: connector}", also))]
    assert told == ["mqtt.values.output.also[0].path", "mqtt.values.output.also[0]"]


def test_one_connector_needs_no_telling_apart() -> None:
    alone = MQTT.replace('"x/{device}/{connector}/out"', '"x/{device}/out"')
    assert found(alone.replace("mqtt:\n", "connectors: 1\nmqtt:\n", 1)) == []


def test_faults_come_in_the_order_of_the_file() -> None:
    wrong = MODBUS.replace("voltage_v: voltage,", "voltage_v: nope,").replace("address: 65", "address: 1")
    wrong = wrong.replace("from: state, map", "from: nope, map").replace("write: {command: 1}", "write: {nope: 1}")
    lines = [fault.line or 0 for fault in found(wrong)]
    assert len(lines) == 3
    assert lines == sorted(lines)
