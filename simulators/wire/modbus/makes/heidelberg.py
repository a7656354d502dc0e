"""Heidelberg Energy Control: a remote lock, and a standby in which it does not notice the first request."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simulators.models import Model
from simulators.wire.modbus.device import Device, Kept, code_of, state_of
from simulators.wire.modbus.image import Table, Value
from simulators.wire.modbus.words import i16, u16, u32
from simulators.words import Action, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulators.hardware.look import Look
    from simulators.pile import Pile
    from simulators.wire.modbus.troubles import Troubles
    from simulators.wire.modbus.words import Words

LAYOUT = 0x0108
WATCHDOG, STANDBY, LOCK, MOST_CURRENT, FAILSAFE = 257, 258, 259, 261, 262
AWAKE = 4
SLEEPS_AFTER_S = 720.0
LOCKED_AT_LEAST_S = 10.0
STATE_F_AFTER_S = 10.0
"""How long it still shows state F after the lock is opened."""
FREE, DERATING, STATE_E, STATE_F, ERROR = 2, 8, 9, 10, 11
STATES = {
    **dict.fromkeys(Status, FREE),
    Status.PREPARING: 4,
    Status.FINISHING: 4,
    Status.SUSPENDED_EVSE: 4,
    Status.SUSPENDED_EV: 5,
    Status.CHARGING: 7,
}
FAULTS = {"supply_low": STATE_E}


class Heidelberg(Device):
    """One connector, 11 kW."""

    profile = "heidelberg_energy_control"
    model = Model(
        name="Energy Control",
        firmwares=("1.0.8",),
        connectors=1,
        voltage_v=230.0,
        power_w=11_000.0,
        actions=(Action.SET_AVAILABILITY,),
        boot_s=(5.0, 15.0),
    )
    settings: ClassVar[Mapping[int, Kept]] = {
        WATCHDOG: Kept(15_000),
        STANDBY: Kept(0, 0, AWAKE),
        MOST_CURRENT: Kept(160, 0, 160),
        FAILSAFE: Kept(0, 0, 160),
    }

    def __init__(self, pile: Pile, troubles: Troubles | None = None) -> None:
        """Unlocked, and awake until nobody asks for a while."""
        super().__init__(pile, troubles)
        self._locked_at: float | None = None
        self._opened_at = -STATE_F_AFTER_S
        self._asked_at: float | None = None

    def hears(self, now: float) -> bool:
        """The first request after a long silence wakes it and is lost."""
        before, self._asked_at = self._asked_at, now
        slept = before is not None and now - before > SLEEPS_AFTER_S
        return not slept or self.kept[STANDBY] == AWAKE or self.pile.look(now).connectors[0].plugged

    def values(self, now: float, unit: int, look: Look) -> Iterable[Value]:
        """All values."""
        del unit
        reading = look.connectors[0]
        yield Value("input", 4, u16(int(self.identity(str(LAYOUT), "1"))))
        yield Value("input", 5, u16(self._state(now, look)))
        for phase in range(3):
            yield Value("input", 6 + phase, u16(reading.current_a / 3.0 * 10.0))
            yield Value("input", 10 + phase, u16(reading.voltage_v))
        yield Value("input", 9, i16(reading.temperature_c * 10.0))
        yield Value("input", 13, u16(1))
        yield Value("input", 14, u16(reading.power_w))
        yield Value("input", 17, u32(reading.energy_wh))
        yield Value("holding", LOCK, [int(self._locked_at is None)])

    def _state(self, now: float, look: Look) -> int:
        reading = look.connectors[0]
        if reading.status is Status.FAULTED:
            return code_of(look, 1, FAULTS, ERROR) or ERROR
        if self._locked_at is not None or now - self._opened_at < STATE_F_AFTER_S:
            return STATE_F
        hot = any(kind == "cabinet_hot" for kind, _ in look.faults)
        return DERATING if hot and reading.status is Status.CHARGING else state_of(reading, STATES)

    def take(self, now: float, unit: int, table: Table, address: int, words: Words) -> None:
        """The lock: closed it shows state F; opened after ten seconds it has done what it can do against a fault."""
        if (table, address) != ("holding", LOCK) or words not in ([0], [1]):
            super().take(now, unit, table, address, words)
        elif words == [0] and self._locked_at is None:
            self._locked_at = now
            self.order(now, Action.SET_AVAILABILITY, operative=False)
        elif words == [1] and self._locked_at is not None:
            if now - self._locked_at >= LOCKED_AT_LEAST_S:
                self.order(now, Action.SET_AVAILABILITY, operative=True)
                self._opened_at = now
            self._locked_at = None
