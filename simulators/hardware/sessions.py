"""Drivers at a pile: they arrive, plug in, charge, are interrupted, and leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.truth import Encounter
from simulators.words import Shown, Status, Symptom

if TYPE_CHECKING:
    from simulators.hardware.connector import Connector
    from simulators.hardware.device import ActiveFault, Device

DAY_S = 86400.0
RESERVING = 0.03
IDLE_AT_END = 0.2
"""Shares of drivers who reserve first, and whose car stops drawing before they come back."""


class Sessions:
    """Everything that comes of drivers. A ``generation`` per connector makes steps of an ended visit harmless."""

    def __init__(self, device: Device, now: float) -> None:
        """Enter the first arrivals in the agenda."""
        self._device = device
        for connector in device.connectors:
            self._await_driver(now, connector)

    def _await_driver(self, now: float, connector: Connector) -> None:
        rate = self._device.nature.sessions_per_day
        if rate > 0:
            wait_s = self._device.rng.expovariate(rate / DAY_S)
            self._device.agenda.add(now + wait_s, lambda at: self.arrive(at, connector))

    def arrive(self, now: float, connector: Connector) -> None:
        """A driver comes by chance, and the next one will."""
        self._await_driver(now, connector)
        self.visit(now, connector)

    def visit(self, now: float, connector: Connector) -> None:
        """A driver comes to this connector; if it is taken, they drive on."""
        if connector.occupied:
            return
        device = self._device
        fault = blocking(device, connector)
        if fault is not None:
            self._meet(now, connector, fault=fault)
            if fault.kind.shown is Shown.HIDDEN:
                self._try_in_vain(now, connector)
        elif not chargeable(device, connector):
            dark = not device.powered or not device.up or device.dead
            self._meet(now, connector, symptom=Symptom.SCREEN if dark else Symptom.OFFLINE)
        else:
            self._reserve_or_plug(now, connector)

    def _reserve_or_plug(self, now: float, connector: Connector) -> None:
        connector.occupied = True
        connector.generation += 1
        if self._device.rng.random() < RESERVING:
            self._move(now, connector, Status.RESERVED)
            self._later(now, connector, (60.0, 600.0), self._plug)
        else:
            self._plug(now, connector)

    def _plug(self, now: float, connector: Connector) -> None:
        self._move(now, connector, Status.PREPARING)
        self._later(now, connector, (10.0, 80.0), self._start)

    def _try_in_vain(self, now: float, connector: Connector) -> None:
        connector.occupied = True
        connector.generation += 1
        self._move(now, connector, Status.PREPARING)
        self._later(now, connector, (30.0, 120.0), self._leave)

    def _start(self, now: float, connector: Connector) -> None:
        device = self._device
        fault = blocking(device, connector)
        if fault is not None:
            self._meet(now, connector, fault=fault)
            self._leave(now, connector)
            return
        device.truth.sessions += 1
        length_s = device.rng.uniform(8 * 60.0, 70 * 60.0)
        peak_w = device.nature.model.power_w * device.rng.uniform(0.35, 1.0)
        session = f"{device.nature.pile}-s{device.boot}-{device.truth.sessions}"
        connector.begin(now, session, peak_w, now + length_s)
        self._move(now, connector, Status.CHARGING)
        idles = device.rng.random() < IDLE_AT_END
        self._later(now, connector, (length_s, length_s), self._suspend if idles else self.finish)

    def _suspend(self, now: float, connector: Connector) -> None:
        self._move(now, connector, Status.SUSPENDED_EV)
        self._later(now, connector, (60.0, 900.0), self.finish)

    def finish(self, now: float, connector: Connector) -> None:
        """The session ends properly; the car stays for a few minutes."""
        slow = [fault for fault in self._device.faults if fault.kind.slows < 1.0]
        connector.end(now)
        connector.generation += 1
        self._move(now, connector, Status.FINISHING)
        self._later(now, connector, (30.0, 300.0), self._leave)
        if slow:
            self._meet(now, connector, fault=slow[0], charged=True)
        else:
            self._meet(now, connector, charged=True)

    def _leave(self, now: float, connector: Connector) -> None:
        connector.occupied = False
        connector.generation += 1
        self._move(now, connector, Status.AVAILABLE)

    def abort(self, now: float, connector: Connector, fault: ActiveFault | None = None) -> None:
        """Whatever went on here is over at once, because of a fault, a restart or a power cut."""
        was_live = connector.session is not None
        was_there = connector.occupied
        connector.end(now)
        connector.generation += 1
        connector.occupied = False
        connector.phase = Status.AVAILABLE
        if was_live:
            self._meet(now, connector, fault=fault, symptom=Symptom.STOPS_MIDWAY)
        elif was_there:
            self._meet(now, connector, fault=fault, symptom=Symptom.WONT_START)

    def _move(self, now: float, connector: Connector, phase: Status) -> None:
        connector.phase = phase
        self._device.show(now, connector)

    def _later(self, now: float, connector: Connector, wait_s: tuple[float, float], step: Step) -> None:
        generation = connector.generation

        def go_on(at: float) -> None:
            if connector.generation == generation:
                step(at, connector)

        self._device.agenda.add(now + self._device.rng.uniform(*wait_s), go_on)

    def _meet(
        self,
        now: float,
        connector: Connector,
        *,
        charged: bool = False,
        fault: ActiveFault | None = None,
        symptom: Symptom | None = None,
    ) -> None:
        nature = self._device.nature
        kind = fault.kind if fault is not None else None
        self._device.truth.encounters.append(
            Encounter(
                at=now,
                pile=nature.pile,
                site=nature.site,
                connector=connector.number,
                charged=charged,
                symptom=symptom or (kind.symptom if kind else None),
                fault=kind.name if kind else None,
                danger=kind.danger if kind else False,
            )
        )


if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[float, Connector], None]


def blocking(device: Device, connector: Connector) -> ActiveFault | None:
    """The fault that keeps drivers from charging here, if there is one."""
    for fault in device.faults:
        if fault.kind.blocks and fault.covers(connector.number):
            return fault
    return None


def chargeable(device: Device, connector: Connector) -> bool:
    """Whether a driver who came now, with a free bay, would really charge."""
    running = device.powered and device.up and not device.dead
    return running and connector.operative and blocking(device, connector) is None
