"""Vestel EVC04: status from cable and charging state, a fault word of unknown bits, and a sign of life it wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simulators.models import Model
from simulators.wire.modbus.device import Device, Kept, code_of, state_of
from simulators.wire.modbus.image import Table, Value
from simulators.wire.modbus.protocol import Code, Refusal
from simulators.wire.modbus.words import text, u16, u32
from simulators.words import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulators.hardware.look import Look
    from simulators.wire.modbus.words import Words

ALIVE = 6000
POINT = {
    Status.AVAILABLE: 0,
    Status.PREPARING: 1,
    Status.CHARGING: 2,
    Status.SUSPENDED_EVSE: 3,
    Status.SUSPENDED_EV: 4,
    Status.FINISHING: 5,
    Status.RESERVED: 6,
    Status.UNAVAILABLE: 7,
    Status.FAULTED: 8,
}
NO_CABLE, PLUGGED, PLUGGED_AND_LOCKED = 0, 2, 3
EQUIPMENT_WELL, EQUIPMENT_FAULTY = 1, 2
BITS = {"contactor_weld": 1 << 0, "ground_fault": 1 << 17, "insulation_fault": 1 << 18}
OTHER_BIT = 1 << 20
MILLI = 1000.0
TENTHS_OF_KWH = 100.0


class Vestel(Device):
    """One connector, 22 kW."""

    profile = "vestel_evc04"
    own_unit = 255
    model = Model(
        name="EVC04",
        firmwares=("3.187.0", "3.201.0"),
        connectors=1,
        voltage_v=230.0,
        power_w=22_000.0,
        actions=(),
        boot_s=(30.0, 90.0),
    )
    settings: ClassVar[Mapping[int, Kept]] = {
        405: Kept(1, 0, 1),
        2000: Kept(0, 0, 32),
        2002: Kept(20, 0, 3600),
        5004: Kept(32, 0, 32),
    }

    def values(self, now: float, unit: int, look: Look) -> Iterable[Value]:
        """All values; phase currents and voltages are single registers two apart."""
        del now, unit
        reading = look.connectors[0]
        faulted = reading.status is Status.FAULTED
        cable = PLUGGED_AND_LOCKED if reading.session else PLUGGED if reading.plugged else NO_CABLE
        yield Value("input", 100, text("EVC04-220143", 25))
        yield Value("input", 190, text(self.identity("Vestel", ""), 10))
        yield Value("input", 210, text("EVC04", 5))
        yield Value("input", 230, text(look.firmware.partition("+")[0], 50))
        yield Value("input", 404, u16(1))
        yield Value("input", 1000, u16(state_of(reading, POINT)))
        yield Value("input", 1001, u16(reading.status is Status.CHARGING))
        yield Value("input", 1002, u16(EQUIPMENT_FAULTY if faulted else EQUIPMENT_WELL))
        yield Value("input", 1004, u16(cable))
        yield Value("input", 1006, u32(code_of(look, 1, BITS, OTHER_BIT) if faulted else 0))
        for phase in range(3):
            yield Value("input", 1008 + 2 * phase, u16(reading.current_a / 3.0 * MILLI))
            yield Value("input", 1014 + 2 * phase, u16(reading.voltage_v))
        yield Value("input", 1020, u32(reading.power_w))
        yield Value("input", 1036, u32(reading.energy_wh / TENTHS_OF_KWH))
        yield Value("input", 1502, u32(0))
        yield Value("input", 1508, u32(0))
        yield Value("input", 1516, text("", 15))
        yield Value("holding", ALIVE, [0])

    def take(self, now: float, unit: int, table: Table, address: int, words: Words) -> None:
        """The sign of life, which the device clears again."""
        if (table, address) != ("holding", ALIVE):
            super().take(now, unit, table, address, words)
        elif words != [1]:
            raise Refusal(Code.VALUE)
