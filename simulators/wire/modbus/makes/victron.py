"""Victron EV Charging Station, spoken to directly: one status that tells faults too, 8 to 14."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simulators.models import Model
from simulators.wire.modbus.device import Device, Kept, code_of, state_of
from simulators.wire.modbus.image import Value
from simulators.wire.modbus.words import u16
from simulators.words import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulators.hardware.look import Look

HUNDREDTHS_OF_KWH = 10.0
STATES = {
    **dict.fromkeys(Status, 0),
    Status.SUSPENDED_EV: 1,
    Status.CHARGING: 2,
    Status.FINISHING: 3,
    Status.SUSPENDED_EVSE: 4,
    Status.PREPARING: 5,
}
GROUND_TEST, WELDED, PILOT_SHORTED, LEAKAGE, SUPPLY_LOW, HOT = 8, 9, 10, 11, 12, 14
FAULTS = {
    "contactor_weld": WELDED,
    "ground_fault": LEAKAGE,
    "water_ingress": LEAKAGE,
    "insulation_fault": GROUND_TEST,
    "emergency_stop": GROUND_TEST,
    "door_open": GROUND_TEST,
    "cable_over_temperature": HOT,
    "supply_low": SUPPLY_LOW,
    "latch_broken": PILOT_SHORTED,
    "lock_jammed": PILOT_SHORTED,
    "isolation_test_failed": GROUND_TEST,
}
NOTHING_TO_SAY = 0
"""What has no number of its own looks like a free charger."""


class Victron(Device):
    """One connector, 22 kW."""

    profile = "victron_evcs"
    own_unit = 0
    model = Model(
        name="EVCS NS",
        firmwares=("1.29", "2.03"),
        connectors=1,
        voltage_v=230.0,
        power_w=22_000.0,
        actions=(),
        boot_s=(10.0, 40.0),
    )
    settings: ClassVar[Mapping[int, Kept]] = {
        5009: Kept(0, 0, 2),
        5010: Kept(1, 0, 1),
        5016: Kept(32, 6, 32),
        5055: Kept(0, 0, 1),
    }

    def values(self, now: float, unit: int, look: Look) -> Iterable[Value]:
        """All values."""
        del now, unit
        reading = look.connectors[0]
        status = state_of(reading, STATES)
        if reading.status is Status.FAULTED:
            status = code_of(look, 1, FAULTS, NOTHING_TO_SAY)
        yield Value("holding", 5014, u16(reading.power_w))
        yield Value("holding", 5015, u16(int(self.identity(str(status), "9999"))))
        yield Value("holding", 5021, u16(reading.energy_wh / HUNDREDTHS_OF_KWH % 0x1_0000))
