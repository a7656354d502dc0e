"""What a kind of fault is; the catalogue of them is in :mod:`simulators.faults`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulators.words import Action, Shown, Symptom

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """One kind of fault.

    ``code`` is what telemetry claims (``None``: no claim). ``clears`` is the chance to clear by itself, after a time
    drawn evenly from ``clears_after_s``. ``cures`` gives each remote action's chance to cure; a visit is the
    technician's business. ``danger`` says that nothing may be energised again before a person has looked. ``whole``
    faults sit on the pile (connector 0), others on one connector. ``slows`` multiplies charging power.
    """

    name: str
    shown: Shown
    per_day: float
    code: str | None = None
    info: str = ""
    whole: bool = False
    blocks: bool = True
    danger: bool = False
    hot: bool = False
    slows: float = 1.0
    clears: float = 0.0
    clears_after_s: tuple[float, float] = (5 * MINUTE_S, HOUR_S)
    cures: Mapping[Action, float] = field(default_factory=dict)
    deaf_to: tuple[Action, ...] = ()
    symptom: Symptom = Symptom.WONT_START
    parts: tuple[str, ...] = ()


def reboot_cures(soft: float, hard: float, power: float) -> dict[Action, float]:
    """Chances of a soft reset, a hard reset and a power cycle."""
    return {Action.RESET_SOFT: soft, Action.RESET_HARD: hard, Action.POWER_CYCLE: power}
