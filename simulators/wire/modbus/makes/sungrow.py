"""Sungrow AC011E: low word first, and a remote control that starts with 0 and stops with 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simulators.models import Model
from simulators.wire.modbus.device import Device, Kept, state_of
from simulators.wire.modbus.image import Value
from simulators.wire.modbus.words import low_first, u16, u32
from simulators.words import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulators.hardware.look import Look

STATES = {
    Status.AVAILABLE: 1,
    Status.PREPARING: 2,
    Status.CHARGING: 3,
    Status.SUSPENDED_EVSE: 4,
    Status.SUSPENDED_EV: 5,
    Status.FINISHING: 6,
    Status.RESERVED: 7,
    Status.UNAVAILABLE: 8,
    Status.FAULTED: 9,
}


class Sungrow(Device):
    """One connector, 11 kW."""

    profile = "sungrow_ac011e"
    own_unit = 248
    model = Model(
        name="AC011E-01",
        firmwares=("B000.V000.P002",),
        connectors=1,
        voltage_v=230.0,
        power_w=11_000.0,
        actions=(),
        boot_s=(10.0, 40.0),
    )
    settings: ClassVar[Mapping[int, Kept]] = {
        21202: Kept(1600, 600, 1600),
        21203: Kept(0, 0, 1),
        21210: Kept(1, 0, 1),
        21211: Kept(0, 0, 1),
    }

    def values(self, now: float, unit: int, look: Look) -> Iterable[Value]:
        """All values."""
        del now, unit
        reading = look.connectors[0]
        yield Value("input", 21224, u16(int(self.identity("3", "77"))))
        yield Value("input", 21262, u16(0))
        yield Value("input", 21267, u16(self.kept[21211]))
        yield Value("input", 21299, low_first(u32(reading.energy_wh)))
        yield Value("input", 21307, low_first(u32(reading.power_w)))
        yield Value("input", 21309, low_first(u32(0)))
        for address in (21313, 21314, 21315):
            yield Value("input", address, u16(1))
        yield Value("input", 21316, u16(state_of(reading, STATES)))
