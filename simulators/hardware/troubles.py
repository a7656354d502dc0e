"""A pile's faults: they begin, flap, clear by themselves, and are cured or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.faults import draw_kind, total_per_day
from simulators.hardware.device import ActiveFault
from simulators.truth import FaultRecord
from simulators.words import Shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.hardware.device import Device
    from simulators.hardware.sessions import Sessions
    from simulators.kinds import FaultKind
    from simulators.words import Action

DAY_S = 86400.0
AT_ONCE = 3
"""Faults a pile has at the same time, at most."""
INTERRUPTING = (
    Shown.FAULTED,
    Shown.FLAPPING,
    Shown.STUCK_PREPARING,
    Shown.STUCK_FINISHING,
    Shown.UPDATING,
)


class Troubles:
    """The faults of one device. ``updated`` is called when an update is through and the device has to restart."""

    def __init__(self, device: Device, sessions: Sessions, now: float, updated: Callable[[float], None]) -> None:
        """Enter the first onset in the agenda."""
        self._device = device
        self._sessions = sessions
        self._updated = updated
        self._await_onset(now + device.nature.first_fault_after_s)

    def _await_onset(self, now: float) -> None:
        rate = total_per_day(self._device.nature.fault_rate)
        if rate > 0:
            self._device.agenda.add(now + self._device.rng.expovariate(rate / DAY_S), self._onset)

    def _onset(self, now: float) -> None:
        self._await_onset(now)
        self.strike(now, draw_kind(self._device.rng))

    def strike(self, now: float, kind: FaultKind, connector: int | None = None) -> ActiveFault | None:
        """Let a fault begin; ``None`` when the device already has it, or too many.

        Without ``connector`` a fault of a single connector picks one by chance.
        """
        device = self._device
        if len(device.faults) >= AT_ONCE or any(fault.kind is kind for fault in device.faults):
            return None
        number = 0 if kind.whole else (connector or device.rng.randint(1, len(device.connectors)))
        record = FaultRecord(kind=kind.name, connector=number, since=now, danger=kind.danger)
        fault = ActiveFault(kind=kind, connector=number, record=record, claim=self._claim(kind, number))
        device.truth.faults.append(record)
        device.faults.append(fault)
        self._plan_clearing(now, fault)
        self._take_effect(now, fault)
        if kind.shown in {Shown.FLAPPING, Shown.FLAPPING_LINK}:
            self._await_toggle(now, fault)
        return fault

    def _claim(self, kind: FaultKind, connector: int) -> dict[str, object] | None:
        if kind.code is None:
            return None
        code = self._device.nature.model.codes.get(kind.code, kind.code)
        return {"code": code, "connector": connector, "info": kind.info}

    def _plan_clearing(self, now: float, fault: ActiveFault) -> None:
        rng = self._device.rng
        if rng.random() < fault.kind.clears:
            after_s = rng.uniform(*fault.kind.clears_after_s)
            self._device.agenda.add(now + after_s, lambda at: self._clear_by_itself(at, fault))

    def _clear_by_itself(self, now: float, fault: ActiveFault) -> None:
        if fault not in self._device.faults:
            return
        self.end(now, fault, "self")
        if fault.kind.shown is Shown.UPDATING:
            self._updated(now)

    def _take_effect(self, now: float, fault: ActiveFault) -> None:
        device = self._device
        if fault.kind.shown in INTERRUPTING and fault.on:
            for connector in device.connectors:
                if fault.covers(connector.number) and (connector.occupied or connector.session is not None):
                    self._sessions.abort(now, connector, fault)
        self._refresh(now)

    def _refresh(self, now: float) -> None:
        device = self._device
        device.derate = min((fault.kind.slows for fault in device.faults), default=1.0)
        sent = len(device.out)
        device.review(now)
        device.show_all(now)
        if len(device.out) == sent and device.reachable:
            device.tell(now)

    def _await_toggle(self, now: float, fault: ActiveFault) -> None:
        self._device.agenda.add(now + self._device.rng.uniform(40.0, 400.0), lambda at: self._toggle(at, fault))

    def _toggle(self, now: float, fault: ActiveFault) -> None:
        if fault in self._device.faults:
            fault.on = not fault.on
            self._take_effect(now, fault)
            self._await_toggle(now, fault)

    def end(self, now: float, fault: ActiveFault, by: str) -> None:
        """This fault is over; ``by`` says what ended it."""
        fault.record.until = now
        fault.record.ended_by = by
        self._device.faults.remove(fault)
        self._refresh(now)

    def draw_cured(self, action: Action, connector: int) -> list[ActiveFault]:
        """Which faults this action would cure, by chance; connector 0 is the whole pile."""
        rng = self._device.rng
        return [
            fault
            for fault in self._device.faults
            if (connector == 0 or fault.covers(connector)) and rng.random() < fault.kind.cures.get(action, 0.0)
        ]

    def cure(self, now: float, action: Action, connector: int) -> None:
        """Carry out the curing effect of an action that works at once."""
        for fault in self.draw_cured(action, connector):
            self.end(now, fault, action)
