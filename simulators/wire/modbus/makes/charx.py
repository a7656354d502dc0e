"""Phoenix Contact CHARX: several charging points behind one server, each a thousand registers further."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simulators.models import Model
from simulators.wire.modbus.device import Device, Kept
from simulators.wire.modbus.image import Value
from simulators.wire.modbus.words import i32, text, u16, u32, u64
from simulators.words import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from simulators.hardware.look import Look, Reading
    from simulators.wire.modbus.words import Words

POINT = 1000
MILLI = 1000.0
LETTERS = {
    **dict.fromkeys(Status, "A"),
    Status.PREPARING: "B",
    Status.FINISHING: "B",
    Status.SUSPENDED_EV: "B",
    Status.SUSPENDED_EVSE: "B",
    Status.CHARGING: "C",
    Status.FAULTED: "F",
}
SOC_UNKNOWN = 0xFFFF


class Charx(Device):
    """Two connectors, 22 kW each."""

    profile = "phoenix_charx"
    model = Model(
        name="CHARX SEC-3100",
        firmwares=("1.5.0", "1.6.3"),
        connectors=2,
        voltage_v=400.0,
        power_w=22_000.0,
        actions=(),
        boot_s=(40.0, 120.0),
    )
    settings: ClassVar[Mapping[int, Kept]] = {
        POINT * point + offset: kept
        for point in (1, 2)
        for offset, kept in ((300, Kept(1, 0, 1)), (301, Kept(32, 0, 80)))
    }

    def values(self, now: float, unit: int, look: Look) -> Iterable[Value]:
        """All values; input registers repeat the holding registers."""
        del now, unit
        places: list[tuple[int, Words]] = [
            (100, text("CHARX SEC-3100", 10)),
            (110, text(look.firmware.partition("+")[0], 4)),
            (114, u16(int(self.identity(str(len(look.connectors)), "0")))),
        ]
        for number, reading in enumerate(look.connectors, 1):
            places += [(POINT * number + offset, words) for offset, words in _point(reading)]
        for address, words in places:
            yield Value("holding", address, words)
            yield Value("input", address, words)
        for address, value in self.kept.items():
            yield Value("input", address, [value])


def _point(reading: Reading) -> Iterator[tuple[int, Words]]:
    for phase in range(3):
        yield 232 + 2 * phase, i32(230.0 * MILLI)
        yield 238 + 2 * phase, i32(reading.power_w / 3.0 / 230.0 * MILLI)
    yield 244, i32(reading.power_w * MILLI)
    yield 250, u64(reading.energy_wh)
    yield 264, u16(SOC_UNKNOWN)
    yield 285, u32(0)
    yield 287, u32(0)
    yield 289, u32(0)
    yield 299, [ord(LETTERS[reading.status]) << 8]
