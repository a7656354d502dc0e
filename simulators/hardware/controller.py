"""The controller of a pile: it starts, restarts, loses power, and sometimes does not come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.faults import KINDS
from simulators.hardware.troubles import Troubles
from simulators.words import Action, BootReason, Status

if TYPE_CHECKING:
    from simulators.hardware.device import ActiveFault, Device
    from simulators.hardware.sessions import Sessions

DAY_S = 86400.0
BRICKED_BY_RESET_WHILE_UPDATING = 0.3


class Controller:
    """Starts and stops of one device."""

    def __init__(self, device: Device, sessions: Sessions, now: float) -> None:
        """Take over a running device; some restart by themselves now and then."""
        self._device = device
        self._sessions = sessions
        self._boots = 0
        self.troubles = Troubles(device, sessions, now, self._updated)
        self._await_own_reboot(now)

    def _await_own_reboot(self, now: float) -> None:
        rate = self._device.nature.temperament.reboots_per_day
        if rate > 0:
            self._device.agenda.add(now + self._device.rng.expovariate(rate / DAY_S), self._reboot_itself)

    def _reboot_itself(self, now: float) -> None:
        self._await_own_reboot(now)
        device = self._device
        live = any(connector.session is not None for connector in device.connectors)
        if device.powered and device.up and not device.dead and not live and device.updating is None:
            self.go_down(now, BootReason.WATCHDOG, Action.RESET_HARD)

    def _updated(self, now: float) -> None:
        self._device.firmware = f"{self._device.firmware.split('+')[0]}+{self._device.boot}"
        self.go_down(now, BootReason.FIRMWARE_UPDATE, None)

    def restart(self, now: float, action: Action) -> None:
        """Carry out a remote restart: go down in a moment, and come up cured or not."""
        reason = BootReason.POWER_UP if action is Action.POWER_CYCLE else BootReason.REMOTE_RESET
        wait_s = self._device.rng.uniform(0.3, 3.0)
        boots = self._boots
        self._device.agenda.add(
            now + wait_s, lambda at: self.go_down(at, reason, action) if boots == self._boots else None
        )

    def go_down(self, now: float, reason: BootReason, action: Action | None) -> None:
        """Stop everything and start again; ``action`` is the one whose cures apply (``None``: none do)."""
        device = self._device
        if not device.powered or device.dead:
            return
        device.up = False
        self._boots += 1
        self._stop_sessions(now)
        device.review(now, goodbye=device.nature.model.says_goodbye and action is Action.RESET_SOFT)
        cured = self._draw_cured(action)
        self._come_up_later(now, reason, action, cured)

    def _stop_sessions(self, now: float) -> None:
        for connector in self._device.connectors:
            self._sessions.abort(now, connector)

    def _draw_cured(self, action: Action | None) -> list[ActiveFault]:
        device = self._device
        cured = self.troubles.draw_cured(action, 0) if action is not None else []
        updating = device.updating
        if updating is not None:
            device.dead = device.dead or device.rng.random() < BRICKED_BY_RESET_WHILE_UPDATING
            cured.append(updating)
        return cured

    def _come_up_later(self, now: float, reason: BootReason, action: Action | None, cured: list[ActiveFault]) -> None:
        device = self._device
        temperament = device.nature.temperament
        boots = self._boots
        # A technician does not leave before the pile has come up; an update's restart is its own affair.
        watched = action is None
        device.dead = device.dead or (not watched and device.rng.random() < temperament.never_returns)
        faulty = not watched and device.rng.random() < temperament.returns_faulty
        length_s = device.rng.uniform(*device.nature.model.boot_s) * (0.5 if action is Action.RESET_SOFT else 1.0)

        def come_up(at: float) -> None:
            if boots != self._boots or not device.powered:
                return
            for fault in cured:
                if fault in device.faults:
                    self.troubles.end(at, fault, str(action or reason))
            self._come_up(at, reason)
            if faulty:
                self.troubles.strike(at, KINDS["controller_error"])

        device.agenda.add(now + length_s, come_up)

    def _come_up(self, now: float, reason: BootReason) -> None:
        device = self._device
        device.up = True
        device.boot += 1
        device.boot_reason = reason
        device.booted_at = now
        if device.nature.temperament.seq_restarts:
            device.seq = 0
        if device.nature.temperament.forgets_ids:
            device.heard.clear()
        device.truth.boots.append((now, reason))
        for connector in device.connectors:
            connector.phase = Status.AVAILABLE
            connector.shown = device.status(connector)
        device.review(now)

    def power(self, now: float, *, on: bool) -> None:
        """Mains go or come back."""
        device = self._device
        if on == device.powered:
            return
        if on:
            device.powered = True
            device.up = False
            self._boots += 1
            self._come_up_later(now, BootReason.POWER_UP, Action.POWER_CYCLE, self._draw_cured(Action.POWER_CYCLE))
            return
        self._boots += 1
        self._stop_sessions(now)
        device.powered = False
        device.review(now)

    def repair(self, now: float, *, fixed: bool) -> None:
        """A technician worked here: everything is mended and safe (if ``fixed``), and the controller was restarted."""
        device = self._device
        if fixed:
            device.dead = False
            for fault in list(device.faults):
                self.troubles.end(now, fault, "visit")
            for connector in device.connectors:
                connector.operative = True
        if not device.dead:
            self.go_down(now, BootReason.LOCAL_RESET, None)
