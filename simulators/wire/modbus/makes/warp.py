"""Tinkerforge WARP chargers: every number takes two registers, and a magic number restarts the charger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.models import Model
from simulators.wire.modbus.device import Device, state_of
from simulators.wire.modbus.image import Table, Value
from simulators.wire.modbus.protocol import Code, Refusal
from simulators.wire.modbus.words import f32, u32
from simulators.words import Action, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.hardware.look import Look
    from simulators.wire.modbus.words import Words

TABLE_VERSION = 2
BUILT = 1_735_689_600
BOX = 4711
NOBODY = 0xFFFF_FFFF
RESTART = [0x012E, 0xB007]
CLEAR_METER = [0x3E12, 0xE5E7]
REBOOT, SETPOINT, METER, ENABLE = 0, 1002, 2000, 1000
IEC = {**dict.fromkeys(Status, 0), Status.PREPARING: 1, Status.FINISHING: 1, Status.SUSPENDED_EVSE: 1}
IEC |= {Status.SUSPENDED_EV: 1, Status.CHARGING: 2, Status.FAULTED: 4}
CHARGER = {**IEC, Status.SUSPENDED_EV: 2, Status.FINISHING: 2, Status.CHARGING: 3}


class Warp(Device):
    """One connector, 11 kW."""

    profile = "warp_charger"
    model = Model(
        name="WARP3 Charger",
        firmwares=("2.6.1", "2.6.6", "2.7.0"),
        connectors=1,
        voltage_v=230.0,
        power_w=11_000.0,
        actions=(Action.RESET_HARD,),
        boot_s=(6.0, 25.0),
    )
    _setpoint: Words = u32(16_000)
    _enabled: int = 1

    def values(self, now: float, unit: int, look: Look) -> Iterable[Value]:
        """All values; the setpoint is read back as it was written."""
        del now, unit
        reading = look.connectors[0]
        version = [*look.firmware.partition("+")[0].split("."), "0", "0"]
        yield Value("input", 0, u32(int(self.identity(str(TABLE_VERSION), "0"))))
        for place, part in enumerate(version[:3], 1):
            yield Value("input", 2 * place, u32(int(part)))
        yield Value("input", 8, u32(BUILT))
        yield Value("input", 10, u32(BOX))
        yield Value("input", 12, u32(look.uptime_s))
        yield Value("input", 1000, u32(state_of(reading, IEC)))
        yield Value("input", 1002, u32(state_of(reading, CHARGER)))
        yield Value("input", 1004, u32(0 if reading.session else NOBODY))
        yield Value("input", 1008, u32(0))
        yield Value("input", 1010, u32(16_000))
        yield Value("input", 2002, f32(reading.power_w))
        yield Value("input", 2004, f32(reading.energy_wh / 1000.0))
        yield Value("holding", SETPOINT, self._setpoint)
        yield Value("coil", ENABLE, [self._enabled])

    def take(self, now: float, unit: int, table: Table, address: int, words: Words) -> None:
        """Restart on the magic number, and refuse every other; set what can be set."""
        if (table, address) == ("holding", REBOOT) and words == RESTART:
            self.order(now, Action.RESET_HARD)
        elif (table, address, len(words)) == ("holding", SETPOINT, 2):
            self._setpoint = words
        elif (table, address, len(words)) == ("coil", ENABLE, 1):
            self._enabled = words[0]
        elif table == "holding" and address in {REBOOT, REBOOT + 1, METER, METER + 1}:
            if (address, words) != (METER, CLEAR_METER):
                raise Refusal(Code.VALUE)
        else:
            super().take(now, unit, table, address, words)
