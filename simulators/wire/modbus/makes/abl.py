"""ABL eMH1: one status byte, an outlet that can be disabled and enabled, and a first request that is often lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simulators.models import Model
from simulators.wire.modbus.device import Device, Kept, code_of, state_of
from simulators.wire.modbus.image import Table, Value
from simulators.wire.modbus.protocol import Code, Refusal
from simulators.wire.modbus.words import u16, u32
from simulators.words import Action, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulators.hardware.look import Look
    from simulators.pile import Pile
    from simulators.wire.modbus.troubles import Troubles
    from simulators.wire.modbus.words import Words

FIRMWARE = 0x0102_0020
"""Version, and the bit that says it has a current sensor."""

MODIFY, CURRENT = 5, 20
DISABLE, ENABLE = 0xE0E0, 0xA1A1
DOZES_AFTER_S = 900.0
STATES = {
    Status.AVAILABLE: 0xA1,
    Status.RESERVED: 0xA1,
    Status.PREPARING: 0xB1,
    Status.FINISHING: 0xB2,
    Status.SUSPENDED_EV: 0xB2,
    Status.SUSPENDED_EVSE: 0xB2,
    Status.CHARGING: 0xC2,
    Status.UNAVAILABLE: 0xE0,
    Status.FAULTED: 0xF2,
}
FAULTS = {
    "contactor_weld": 0xF1,
    "ground_fault": 0xF3,
    "insulation_fault": 0xF3,
    "water_ingress": 0xF3,
    "emergency_stop": 0xFB,
    "door_open": 0xFB,
    "latch_broken": 0xF5,
    "lock_jammed": 0xF5,
    "cable_over_temperature": 0xFA,
    "supply_low": 0xF6,
    "isolation_test_failed": 0xF8,
}
INTERNAL = 0xF2
REDUCED = 0xC3


class Abl(Device):
    """One connector, 11 kW."""

    profile = "abl_emh1"
    model = Model(
        name="eMH1",
        firmwares=("1.2",),
        connectors=1,
        voltage_v=230.0,
        power_w=11_000.0,
        actions=(Action.SET_AVAILABILITY,),
        boot_s=(5.0, 15.0),
    )
    settings: ClassVar[Mapping[int, Kept]] = {CURRENT: Kept(266, 80, 1000)}
    gap = 0

    def __init__(self, pile: Pile, troubles: Troubles | None = None) -> None:
        """Awake until nobody asks for a while."""
        super().__init__(pile, troubles)
        self._asked_at: float | None = None
        self._enabled = True

    def hears(self, now: float) -> bool:
        """The first request after a silence is lost."""
        before, self._asked_at = self._asked_at, now
        return before is None or now - before <= DOZES_AFTER_S

    def values(self, now: float, unit: int, look: Look) -> Iterable[Value]:
        """All values."""
        del now, unit
        reading = look.connectors[0]
        tenths = round(reading.current_a / 3.0 * 10.0)
        yield Value("holding", 1, u32(int(self.identity(str(FIRMWARE), "0"))))
        yield Value("holding", 4, u16(self._state(look)))
        yield Value("holding", 15, u16(self._enabled))
        yield Value("holding", 46, [self._state(look), 0, tenths, tenths, tenths])

    def _state(self, look: Look) -> int:
        reading = look.connectors[0]
        if reading.status is Status.FAULTED:
            return code_of(look, 1, FAULTS, INTERNAL) or INTERNAL
        hot = any(kind == "cabinet_hot" for kind, _ in look.faults)
        return REDUCED if hot and reading.status is Status.CHARGING else state_of(reading, STATES)

    def take(self, now: float, unit: int, table: Table, address: int, words: Words) -> None:
        """Disable the outlet, or let it wait for a car again; every other number is refused."""
        if (table, address) != ("holding", MODIFY):
            super().take(now, unit, table, address, words)
        elif words not in ([DISABLE], [ENABLE]):
            raise Refusal(Code.VALUE)
        else:
            self._enabled = words == [ENABLE]
            self.order(now, Action.SET_AVAILABILITY, operative=self._enabled)
