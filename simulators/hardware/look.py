"""What a pile shows to somebody who reads it instead of waiting for its messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.words import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One connector. ``plugged``: a car stands there. ``energy_wh`` counts up for life."""

    status: Status
    voltage_v: float
    current_a: float
    power_w: float
    energy_wh: float
    temperature_c: float
    session: str | None
    plugged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A whole pile. ``faults`` are (kind, connector) of what it admits; connector 0 is the whole pile."""

    uptime_s: float
    boot: int
    firmware: str
    faults: tuple[tuple[str, int], ...]
    connectors: tuple[Reading, ...]
