"""What goes wrong with piles, as data.

``CATALOGUE`` lists the kinds of faults. Each has a hazard (``per_day``: onsets per pile and day, to be multiplied at
will), the way it shows, the chance and time to clear by itself, and the chance that each remote action cures it. The
shares follow published field studies: about a third of the faults that keep drivers from charging sit on piles that
look healthy, most protective trips hold until somebody comes, and many communication faults heal within minutes.

``draw_kind(rng)`` draws one by hazard, ``KINDS[name]`` names one, ``total_per_day(x)`` adds their hazards up.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from simulators.kinds import HOUR_S, MINUTE_S, FaultKind, reboot_cures
from simulators.words import Action, Shown, Symptom

if TYPE_CHECKING:
    from random import Random

DEAF_APPLICATION = tuple(each for each in Action if each not in {Action.RESET_HARD, Action.POWER_CYCLE})
"""What a hung application no longer hears; the board controller below it still takes a hard reset."""


DANGERS = (
    FaultKind(
        name="ground_fault",
        shown=Shown.FAULTED,
        per_day=0.004,
        code="GroundFailure",
        info="residual current device tripped",
        danger=True,
        clears=0.2,
        clears_after_s=(15 * MINUTE_S, HOUR_S),
        cures=reboot_cures(0.3, 0.4, 0.4),
        symptom=Symptom.STOPS_MIDWAY,
        parts=("residual current device",),
    ),
    FaultKind(
        name="emergency_stop",
        shown=Shown.FAULTED,
        per_day=0.004,
        code="CX008",
        info="emergency stop pressed",
        whole=True,
        danger=True,
    ),
    FaultKind(
        name="contactor_weld",
        shown=Shown.FAULTED,
        per_day=0.002,
        code="CX017",
        info="contactor does not open",
        danger=True,
        cures=reboot_cures(0.0, 0.05, 0.05),
        parts=("contactor",),
    ),
    FaultKind(
        name="insulation_fault",
        shown=Shown.FAULTED,
        per_day=0.004,
        code="CX022",
        info="insulation resistance too low",
        danger=True,
        cures=reboot_cures(0.3, 0.3, 0.3),
        symptom=Symptom.STOPS_MIDWAY,
        parts=("charging cable",),
    ),
    FaultKind(
        name="cable_over_temperature",
        shown=Shown.FAULTED,
        per_day=0.004,
        code="CX019",
        info="connector above temperature limit",
        danger=True,
        hot=True,
        clears=0.6,
        clears_after_s=(20 * MINUTE_S, 2 * HOUR_S),
        symptom=Symptom.SMOKE,
        parts=("charging connector",),
    ),
    FaultKind(
        name="water_ingress",
        shown=Shown.FAULTED,
        per_day=0.0015,
        code="WaterIngressDetected",
        info="moisture sensor in cabinet",
        whole=True,
        danger=True,
        parts=("door seal",),
    ),
    FaultKind(
        name="door_open",
        shown=Shown.FAULTED,
        per_day=0.003,
        code="EnclosureOpen",
        info="cabinet door contact",
        whole=True,
        danger=True,
        clears=0.3,
        clears_after_s=(10 * MINUTE_S, 3 * HOUR_S),
        symptom=Symptom.DAMAGE,
        parts=("door lock",),
    ),
    FaultKind(
        name="smouldering_plug",
        shown=Shown.HIDDEN,
        per_day=0.001,
        danger=True,
        symptom=Symptom.SMOKE,
        parts=("charging connector",),
    ),
    FaultKind(
        name="live_housing",
        shown=Shown.HIDDEN,
        per_day=0.0005,
        danger=True,
        symptom=Symptom.SHOCK,
        parts=("protective conductor",),
    ),
)
"""Where a reset is never right."""

INTERNAL = (
    FaultKind(
        name="controller_error",
        shown=Shown.FAULTED,
        per_day=0.030,
        code="InternalError",
        info="charge controller exception",
        whole=True,
        clears=0.25,
        clears_after_s=(MINUTE_S, 20 * MINUTE_S),
        cures=reboot_cures(0.65, 0.85, 0.9),
        symptom=Symptom.SCREEN,
    ),
    FaultKind(
        name="reader_failure",
        shown=Shown.FAULTED,
        per_day=0.012,
        code="ReaderFailure",
        info="card reader not answering",
        whole=True,
        cures=reboot_cures(0.45, 0.65, 0.7),
        symptom=Symptom.PAYMENT,
        parts=("card reader",),
    ),
    FaultKind(
        name="meter_failure",
        shown=Shown.FAULTED,
        per_day=0.008,
        code="PowerMeterFailure",
        info="no reading from meter",
        cures=reboot_cures(0.4, 0.6, 0.6),
        parts=("energy meter",),
    ),
    FaultKind(
        name="isolation_test_failed",
        shown=Shown.FAULTED,
        per_day=0.008,
        code="CX011",
        info="cable check not passed",
        clears=0.5,
        clears_after_s=(MINUTE_S, 10 * MINUTE_S),
        cures=reboot_cures(0.4, 0.5, 0.5),
    ),
    FaultKind(
        name="module_failed",
        shown=Shown.FAULTED,
        per_day=0.006,
        code="CX012",
        info="power module not ready",
        whole=True,
        cures=reboot_cures(0.02, 0.05, 0.1),
        parts=("power module",),
    ),
    FaultKind(
        name="lock_jammed",
        shown=Shown.FAULTED,
        per_day=0.016,
        code="ConnectorLockFailure",
        info="lock motor position unknown",
        cures={Action.UNLOCK: 0.7, Action.RESET_SOFT: 0.2, Action.RESET_HARD: 0.35, Action.POWER_CYCLE: 0.35},
        symptom=Symptom.STUCK,
        parts=("lock actuator",),
    ),
    FaultKind(
        name="latch_broken",
        shown=Shown.FAULTED,
        per_day=0.002,
        code="CX025",
        info="latch does not close",
        danger=True,
        symptom=Symptom.DAMAGE,
        parts=("charging connector",),
    ),
    FaultKind(
        name="controller_flapping",
        shown=Shown.FLAPPING,
        per_day=0.006,
        code="InternalError",
        info="controller restarts its task",
        whole=True,
        clears=0.2,
        clears_after_s=(HOUR_S, 6 * HOUR_S),
        cures=reboot_cures(0.2, 0.4, 0.5),
        symptom=Symptom.STOPS_MIDWAY,
        parts=("communication board",),
    ),
    FaultKind(
        name="vendor_error",
        shown=Shown.FAULTED,
        per_day=0.006,
        code="vendor:internal",
        whole=True,
        clears=0.3,
        clears_after_s=(MINUTE_S, 30 * MINUTE_S),
        cures=reboot_cures(0.5, 0.8, 0.8),
    ),
)
"""Controller, reader, meter, lock: where a reset may help, and often enough does not."""

COMMUNICATION = (
    FaultKind(
        name="link_lost",
        shown=Shown.OFFLINE,
        per_day=0.045,
        whole=True,
        clears=0.75,
        clears_after_s=(MINUTE_S, 40 * MINUTE_S),
        cures={Action.POWER_CYCLE: 0.6},
        symptom=Symptom.OFFLINE,
        parts=("cellular modem",),
    ),
    FaultKind(
        name="link_flapping",
        shown=Shown.FLAPPING_LINK,
        per_day=0.006,
        whole=True,
        blocks=False,
        clears=0.5,
        clears_after_s=(HOUR_S, 8 * HOUR_S),
        cures=reboot_cures(0.1, 0.3, 0.4),
        symptom=Symptom.OFFLINE,
        parts=("antenna cable",),
    ),
    FaultKind(
        name="telemetry_stalled",
        shown=Shown.SILENT,
        per_day=0.012,
        whole=True,
        clears=0.2,
        clears_after_s=(5 * MINUTE_S, 3 * HOUR_S),
        cures=reboot_cures(0.7, 0.9, 0.95),
        deaf_to=(Action.REPORT, Action.PULL_LOG),
        symptom=Symptom.SCREEN,
    ),
    FaultKind(
        name="application_hung",
        shown=Shown.SILENT,
        per_day=0.010,
        whole=True,
        cures=reboot_cures(0.0, 0.85, 0.95),
        deaf_to=DEAF_APPLICATION,
        symptom=Symptom.SCREEN,
    ),
    FaultKind(
        name="weak_signal",
        shown=Shown.WARNING,
        per_day=0.006,
        code="WeakSignal",
        whole=True,
        blocks=False,
        clears=0.95,
        clears_after_s=(10 * MINUTE_S, 4 * HOUR_S),
        symptom=Symptom.OFFLINE,
    ),
    FaultKind(
        name="firmware_update",
        shown=Shown.UPDATING,
        per_day=0.010,
        whole=True,
        clears=1.0,
        clears_after_s=(5 * MINUTE_S, 25 * MINUTE_S),
    ),
)
"""The way to the pile, and its application."""

QUIET = (
    FaultKind(
        name="start_ignored",
        shown=Shown.HIDDEN,
        per_day=0.050,
        clears=0.15,
        clears_after_s=(HOUR_S, 12 * HOUR_S),
        cures=reboot_cures(0.6, 0.75, 0.8),
    ),
    FaultKind(
        name="payment_terminal_frozen",
        shown=Shown.HIDDEN,
        per_day=0.024,
        whole=True,
        cures=reboot_cures(0.5, 0.75, 0.85),
        symptom=Symptom.PAYMENT,
        parts=("payment terminal",),
    ),
    FaultKind(
        name="screen_dark",
        shown=Shown.HIDDEN,
        per_day=0.018,
        whole=True,
        cures=reboot_cures(0.35, 0.5, 0.55),
        symptom=Symptom.SCREEN,
        parts=("display",),
    ),
    FaultKind(
        name="plug_bent",
        shown=Shown.HIDDEN,
        per_day=0.008,
        symptom=Symptom.DAMAGE,
        parts=("charging connector",),
    ),
    FaultKind(
        name="stuck_preparing",
        shown=Shown.STUCK_PREPARING,
        per_day=0.014,
        clears=0.3,
        clears_after_s=(5 * MINUTE_S, HOUR_S),
        cures=reboot_cures(0.75, 0.9, 0.95)
        | {Action.STOP_SESSION: 0.4, Action.UNLOCK: 0.3, Action.SET_AVAILABILITY: 0.3},
    ),
    FaultKind(
        name="stuck_finishing",
        shown=Shown.STUCK_FINISHING,
        per_day=0.014,
        clears=0.3,
        clears_after_s=(10 * MINUTE_S, 2 * HOUR_S),
        cures=reboot_cures(0.75, 0.9, 0.95)
        | {Action.STOP_SESSION: 0.5, Action.UNLOCK: 0.5, Action.SET_AVAILABILITY: 0.3},
        symptom=Symptom.STUCK,
    ),
)
"""What the device does not admit."""

ENVIRONMENT = (
    FaultKind(
        name="cabinet_hot",
        shown=Shown.WARNING,
        per_day=0.010,
        code="HighTemperature",
        info="derating",
        whole=True,
        blocks=False,
        hot=True,
        slows=0.4,
        clears=0.98,
        clears_after_s=(20 * MINUTE_S, 4 * HOUR_S),
        symptom=Symptom.SLOW,
        parts=("fan filter",),
    ),
    FaultKind(
        name="supply_low",
        shown=Shown.FAULTED,
        per_day=0.005,
        code="UnderVoltage",
        info="mains below limit",
        whole=True,
        clears=0.97,
        clears_after_s=(2 * MINUTE_S, HOUR_S),
    ),
    FaultKind(
        name="vehicle_communication",
        shown=Shown.WARNING,
        per_day=0.012,
        code="CX010",
        info="vehicle refused to charge",
        blocks=False,
        clears=1.0,
        clears_after_s=(2 * MINUTE_S, 15 * MINUTE_S),
    ),
)
"""Weather, mains and vehicles: to be waited for, or not ours."""

CATALOGUE: tuple[FaultKind, ...] = DANGERS + INTERNAL + COMMUNICATION + QUIET + ENVIRONMENT
KINDS: dict[str, FaultKind] = {kind.name: kind for kind in CATALOGUE}
_STEPS: tuple[float, ...] = tuple(accumulate(kind.per_day for kind in CATALOGUE))


def total_per_day(multiplier: float = 1.0) -> float:
    """Onsets per pile and day over the whole catalogue."""
    return _STEPS[-1] * multiplier


def draw_kind(rng: Random) -> FaultKind:
    """A kind of fault, each as often as its hazard says."""
    return CATALOGUE[bisect_left(_STEPS, rng.random() * _STEPS[-1])]
