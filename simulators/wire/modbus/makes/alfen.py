"""Alfen Eve Double: the station is unit 200, its sockets are 1 and 2, and a meter without a value says NaN."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, ClassVar

from simulators.models import Model
from simulators.wire.modbus.device import Device
from simulators.wire.modbus.image import Table, Value
from simulators.wire.modbus.protocol import Code, Refusal
from simulators.wire.modbus.words import f32, f64, text, u16, u32, u64
from simulators.words import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.hardware.look import Look, Reading
    from simulators.pile import Pile
    from simulators.wire.modbus.troubles import Troubles
    from simulators.wire.modbus.words import Words

STATION = 200
CURRENT, PHASES = 1210, 1215
VALID_S = 60
MILLI = 1000.0
MODES = {
    **dict.fromkeys(Status, "A"),
    Status.PREPARING: "B1",
    Status.FINISHING: "B1",
    Status.SUSPENDED_EV: "B2",
    Status.SUSPENDED_EVSE: "C1",
    Status.CHARGING: "C2",
    Status.FAULTED: "F",
}


class Alfen(Device):
    """Two sockets, 22 kW each."""

    profile = "alfen_eve"
    own_unit = 1
    others: ClassVar[tuple[int, ...]] = (2, STATION)
    model = Model(
        name="Eve Double Pro-line",
        firmwares=("6.4.0-4210", "7.1.0-4300"),
        connectors=2,
        voltage_v=400.0,
        power_w=22_000.0,
        actions=(),
        boot_s=(30.0, 90.0),
    )

    def __init__(self, pile: Pile, troubles: Troubles | None = None) -> None:
        """Setpoints at 16 A, three phases."""
        super().__init__(pile, troubles)
        self._current = dict.fromkeys((1, 2), f32(16.0))
        self._phases = dict.fromkeys((1, 2), 3)

    def values(self, now: float, unit: int, look: Look) -> Iterable[Value]:
        """All values of the station or of a socket."""
        del now
        if unit == STATION:
            return self._station(look)
        return self._socket(unit, look)

    def _station(self, look: Look) -> Iterable[Value]:
        yield Value("holding", 100, text("ALF_0001234", 17))
        yield Value("holding", 123, text(look.firmware.partition("+")[0], 17))
        yield Value("holding", 174, u64(look.uptime_s * MILLI))
        yield Value("holding", 1100, f32(32.0))
        yield Value("holding", 1102, f32(max(each.temperature_c for each in look.connectors)))
        yield Value("holding", 1104, u16(1))
        yield Value("holding", 1105, u16(int(self.identity(str(len(look.connectors)), "77"))))

    def _socket(self, unit: int, look: Look) -> Iterable[Value]:
        reading = look.connectors[unit - 1]
        deaf = any(kind == "meter_failure" and number in {0, unit} for kind, number in look.faults)
        yield from _meter(reading, nan if deaf else 1.0)
        yield Value("holding", 1200, u16(reading.status is not Status.UNAVAILABLE))
        yield Value("holding", 1201, text(MODES[reading.status], 5))
        yield Value("holding", 1206, self._current[unit])
        yield Value("holding", 1208, u32(VALID_S))
        yield Value("holding", CURRENT, self._current[unit])
        yield Value("holding", 1212, f32(16.0))
        yield Value("holding", 1214, u16(1))
        yield Value("holding", PHASES, u16(self._phases[unit]))

    def take(self, now: float, unit: int, table: Table, address: int, words: Words) -> None:
        """The current's setpoint, and the number of phases."""
        if unit == STATION or table != "holding":
            super().take(now, unit, table, address, words)
        elif address == CURRENT and len(words) == len(self._current[unit]):
            self._current[unit] = words
        elif address == PHASES and len(words) == 1:
            if words[0] not in {1, 3}:
                raise Refusal(Code.VALUE)
            self._phases[unit] = words[0]
        else:
            super().take(now, unit, table, address, words)


def _meter(reading: Reading, sound: float) -> Iterable[Value]:
    yield Value("holding", 300, u16(3))
    for phase in range(3):
        yield Value("holding", 306 + 2 * phase, f32(230.0 * sound))
        yield Value("holding", 320 + 2 * phase, f32(reading.power_w / 3.0 / 230.0 * sound))
    yield Value("holding", 344, f32(reading.power_w * sound))
    yield Value("holding", 374, f64(reading.energy_wh * sound))
