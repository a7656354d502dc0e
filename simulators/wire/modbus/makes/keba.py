"""KEBA KeContact: one value a request, and error codes whose meaning only the maker knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.models import Model
from simulators.wire.modbus.device import Device, code_of, state_of
from simulators.wire.modbus.image import Table, Value
from simulators.wire.modbus.protocol import Code, Refusal
from simulators.wire.modbus.words import u32
from simulators.words import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.hardware.look import Look
    from simulators.wire.modbus.words import Words

PRODUCT = 314_021
FIRMWARE = 0x030A_1D00
SERIAL = 21_345_678
WRITABLE = {5004: (0, 32_000), 5014: (0, 1), 5018: (0, 600), 5052: (0, 1)}
ENERGY_STEPS = 10.0
MILLI = 1000.0
STATES = {
    **dict.fromkeys(Status, 1),
    Status.PREPARING: 2,
    Status.FINISHING: 2,
    Status.SUSPENDED_EV: 2,
    Status.CHARGING: 3,
    Status.FAULTED: 4,
    Status.SUSPENDED_EVSE: 5,
}
NO_CABLE, LOCKED = 1, 7
VENDOR_ERRORS = {"contactor_weld": 0x0008_0001, "ground_fault": 0x0002_0003, "insulation_fault": 0x0002_0004}
OTHER_ERROR = 0x0004_0000


class Keba(Device):
    """One connector, 22 kW."""

    profile = "keba_p30_p40"
    own_unit = 255
    gap = -1
    model = Model(
        name="KeContact P30",
        firmwares=("3.10.29",),
        connectors=1,
        voltage_v=230.0,
        power_w=22_000.0,
        actions=(),
        boot_s=(20.0, 60.0),
    )

    def values(self, now: float, unit: int, look: Look) -> Iterable[Value]:
        """All values, two registers each."""
        del now, unit
        reading = look.connectors[0]
        faulted = reading.status is Status.FAULTED
        for address, value in {
            1000: state_of(reading, STATES),
            1004: LOCKED if reading.plugged else NO_CABLE,
            1006: code_of(look, 1, VENDOR_ERRORS, OTHER_ERROR) if faulted else 0,
            1008: reading.current_a / 3.0 * MILLI,
            1010: reading.current_a / 3.0 * MILLI,
            1012: reading.current_a / 3.0 * MILLI,
            1014: SERIAL,
            1016: int(self.identity(str(PRODUCT), "0")),
            1018: FIRMWARE,
            1020: reading.power_w * MILLI,
            1036: reading.energy_wh * ENERGY_STEPS,
            1040: reading.voltage_v,
            1042: reading.voltage_v,
            1044: reading.voltage_v,
            1500: 0,
            1502: 0,
            1550: 0,
            1552: 1,
            1602: 0,
        }.items():
            yield Value("holding", address, u32(value))

    def take(self, now: float, unit: int, table: Table, address: int, words: Words) -> None:
        """Settings that cannot be read back."""
        bounds = WRITABLE.get(address)
        if table != "holding" or bounds is None or len(words) != 1:
            super().take(now, unit, table, address, words)
        elif not bounds[0] <= words[0] <= bounds[1]:
            raise Refusal(Code.VALUE)
