"""A `Plate`: the registers of one device as a test lays them out, read through its profile and nothing else.

Tests write words at literal addresses, as the device's maker prints them, and ask what is seen. Where no word was laid,
there is no register: its value is unknown. Nothing here is worked out with the code under test but what is asked of it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import yaml

from triage.config.profile.file import Profile, load_profile
from triage.config.profile.registers import Modbus, Register
from triage.core.events import FaultClaim, Reading
from triage.core.vocabulary import Action
from triage.drivers.profiles.interpreter import Interpreter, Sighting
from triage.drivers.profiles.registers import address, decode, encode, unit_id
from triage.drivers.profiles.values import ImpossibleError, Value, Values

CONFIG = Path(__file__).parents[3] / "config"
PROFILES = CONFIG / "profiles"

Write = tuple[int, str, int, tuple[int, ...]]
"""What must go over the wire: unit id, table, address, words."""


@cache
def fault_names() -> frozenset[str]:
    """The canonical names of all faults."""
    document = yaml.safe_load((CONFIG / "faults" / "canonical.yaml").read_text("utf-8"))
    return frozenset(document["faults"])


@cache
def profile_of(name: str) -> Profile:
    """The shipped profile, with every check there is."""
    return load_profile(PROFILES / f"{name}.yaml", fault_names())


def ascii_words(text: str, words: int) -> tuple[int, ...]:
    """``text`` as most devices hold it: two letters a register, the first in the high byte, zeros behind."""
    held = text.encode("ascii").ljust(2 * words, b"\0")
    return tuple(held[index] << 8 | held[index + 1] for index in range(0, 2 * words, 2))


def facts_of(file: str) -> list[dict[str, str]]:
    """The rows of a table of facts beside this module."""
    with (Path(__file__).parent / file).open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


class Plate:
    """One device's registers."""

    def __init__(self, name: str, connectors: int = 1, unit: int | None = None) -> None:
        """The profile called ``name``; ``unit`` is the fleet's, None takes the profile's."""
        self.profile = profile_of(name)
        self.connectors = connectors
        device = self.profile.modbus
        assert device is not None, f"{name} is no Modbus profile"
        self.device: Modbus = device
        self.base = device.unit_id if unit is None else unit
        self.memory: dict[tuple[int, str, int], int] = {}

    def put(self, table: str, start: int, *words: int, unit: int | None = None) -> Plate:
        """Lay ``words`` from wire address ``start`` on; bits are 0 and 1. Returns the plate itself."""
        for offset, word in enumerate(words):
            assert 0 <= word <= 0xFFFF, f"{word:#x} is no word"
            self.memory[self.base if unit is None else unit, table, start + offset] = word
        return self

    def take(self, table: str, start: int, words: int = 1, unit: int | None = None) -> Plate:
        """Remove words, as if the device did not know them."""
        for offset in range(words):
            self.memory.pop((self.base if unit is None else unit, table, start + offset), None)
        return self

    def register(self, name: str) -> Register:
        """The register called ``name``."""
        return self.device.registers[name]

    def where(self, name: str, connector: int = 1) -> tuple[int, str, int]:
        """Unit id, table and wire address of the register called ``name``."""
        register = self.register(name)
        unit = unit_id(register, self.device, self.base, connector)
        return unit, register.table, address(register, self.device, connector)

    def value(self, name: str, connector: int = 1) -> Value:
        """What the profile reads in the register called ``name``; unknown where no words lie."""
        unit, table, start = self.where(name, connector)
        register = self.register(name)
        words = [self.memory.get((unit, table, start + offset)) for offset in range(register.size)]
        known = [word for word in words if word is not None]
        return decode(register, known, self.device) if len(known) == len(words) else None

    def values(self) -> Values:
        """Everything the driver would read: at the start and at a poll."""
        found = Values(connectors={index: {} for index in range(1, self.connectors + 1)})
        for name, register in self.device.registers.items():
            if register.read == "never" or register.access == "w":
                continue
            for index, own in ((0, found.pile),) if register.of == "pile" else found.connectors.items():
                try:
                    own[name] = self.value(name, index)
                except ImpossibleError as error:
                    found.impossible.append(f"{name} {error}")
        return found

    def see(self) -> Sighting:
        """What the interpreter makes of it all."""
        return Interpreter(self.profile, self.connectors).see(self.values())

    def reading(self, connector: int = 1) -> Reading:
        """The reading of one connector."""
        (found,) = [reading for reading in self.see().readings if reading.connector == connector]
        return found

    def status(self, connector: int = 1) -> str | None:
        """The status of one connector, as text."""
        status = self.reading(connector).status
        return None if status is None else status.value

    def faults(self) -> tuple[FaultClaim, ...]:
        """All faults claimed."""
        return self.see().faults

    def codes(self) -> list[tuple[int, str]]:
        """Connector and code of all faults claimed, in order."""
        return sorted((fault.connector, fault.code) for fault in self.faults())

    def refusal(self, action: Action, connector: int = 1) -> str | None:
        """Why ``require`` forbids ``action`` now, or None where it does not."""
        spec = self.profile.spec(action)
        assert spec is not None, f"no {action}"
        return Interpreter(self.profile, self.connectors).unmet(spec.require, self.values(), connector)

    def steps(self, action: Action, connector: int = 1) -> list[object]:
        """The steps of ``action``: a `Write`, seconds to wait, or a mapping of what must be read back."""
        spec = self.profile.spec(action)
        assert spec is not None, f"no {action}"
        found: list[object] = []
        for step in spec.steps:
            if step.write is not None:
                found.extend(self.write_of(name, value, connector) for name, value in step.write.items())
            elif step.wait_s is not None:
                found.append(step.wait_s)
            else:
                found.append(plain(step.expect or {}))
        return found

    def write_of(self, name: str, value: bool | float | str, connector: int = 1) -> Write:
        """What writing ``value`` to the register called ``name`` puts on the wire."""
        return (*self.where(name, connector), encode(self.register(name), value, self.device))


def plain(condition: Mapping[str, object]) -> dict[str, object]:
    """A condition as its file says it: tests as mappings of what they ask."""
    return {name: _asked(test) for name, test in condition.items()}


def _asked(test: object) -> object:
    dump = getattr(test, "model_dump", None)
    return dump(exclude_unset=True) if dump is not None else test


def lacking(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Every fact that its profile lacks or contradicts, in words.

    Columns: map, register, table, address (on the wire, of connector 1), type, words, scale, unit, unit_id. A scale or
    unit left empty is not known; a unit id left empty is the device's own.
    """
    for row in rows:
        plate = Plate(row["map"])
        unit = int(row["unit_id"]) if row["unit_id"] else plate.base
        there = (unit, row["table"], int(row["address"]))
        found = [name for name in plate.device.registers if plate.where(name) == there]
        where = f"{row['map']}: {row['register']} ({row['table']} {row['address']})"
        if not found:
            yield f"{where}: no register there"
        elif not any(_fits(plate.register(name), row) for name in found):
            wanted = f"{row['type']} of {row['words']} words in {row['scale']} {row['unit']}"
            yield f"{where}: {', '.join(found)} is not {wanted}"


_ALIKE = {
    "bits16": {"u16", "bits16"},
    "bits32": {"u32", "bits32"},
    "char": {"char"},
    "coil": {"bool"},
    "discrete": {"bool"},
    "enum16": {"u16", "bits16"},
    "str": {"text"},
}
_IN_BASE = {"kWh": ("Wh", 1000.0), "kW": ("W", 1000.0), "mA": ("A", 0.001), "mV": ("V", 0.001), "ms": ("s", 0.001)}


def _fits(register: Register, row: Mapping[str, str]) -> bool:
    if register.type not in _ALIKE.get(row["type"], {row["type"]}) or register.size != int(row["words"]):
        return False
    if not row["unit"]:
        return not row["scale"] or abs(register.scale - float(row["scale"])) < 1e-12
    wanted, factor = _IN_BASE.get(row["unit"], (row["unit"], 1.0))
    unit, own = _IN_BASE.get(register.unit or "", (register.unit, 1.0))
    scale = float(row["scale"] or 1.0)
    return unit == wanted and abs(register.scale * own - scale * factor) < 1e-9
