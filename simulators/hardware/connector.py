"""One connector: what it shows, what it measures, and which way its status may go."""

from __future__ import annotations

from simulators.hardware.look import Reading
from simulators.words import Status

_NEXT: dict[Status, str] = {
    Status.AVAILABLE: "preparing charging suspended_ev suspended_evse reserved unavailable faulted",
    Status.PREPARING: "available charging suspended_ev suspended_evse finishing faulted",
    Status.CHARGING: "available suspended_ev suspended_evse finishing unavailable faulted",
    Status.SUSPENDED_EV: "available charging suspended_evse finishing unavailable faulted",
    Status.SUSPENDED_EVSE: "available charging suspended_ev finishing unavailable faulted",
    Status.FINISHING: "available preparing unavailable faulted",
    Status.RESERVED: "available preparing unavailable faulted",
    Status.UNAVAILABLE: "available preparing charging suspended_ev suspended_evse faulted",
    Status.FAULTED: "available preparing charging suspended_ev suspended_evse finishing reserved unavailable",
}
LEGAL: dict[Status, tuple[Status, ...]] = {
    status: tuple(Status(name) for name in names.split()) for status, names in _NEXT.items()
}
"""Transitions OCPP 1.6 allows; the rest never leaves a pile."""


def route(now: Status, then: Status) -> tuple[Status, ...]:
    """The legal steps from one status to another; every status may fall back to available."""
    if now is then:
        return ()
    if then in LEGAL[now]:
        return (then,)
    if now is not Status.AVAILABLE:
        return (Status.AVAILABLE, *route(Status.AVAILABLE, then))
    return (Status.PREPARING, then)


IDLE_C = 24.0
TAPER_FROM = 0.7
"""Share of a session after which a battery takes less and less."""


class Connector:
    """State of one connector.

    ``phase`` is where the session stands; ``shown`` is what the pile tells, which a fault, an update or an operator's
    block may overlay. ``occupied`` means that a car stands there. ``meter_wh`` counts up for life.
    """

    __slots__ = (
        "_metered_at",
        "_peak_w",
        "_started_at",
        "_until",
        "_voltage_v",
        "current_a",
        "generation",
        "meter_wh",
        "number",
        "occupied",
        "operative",
        "phase",
        "power_w",
        "session",
        "session_told_at",
        "shown",
        "temperature_c",
    )

    def __init__(self, number: int, voltage_v: float, meter_wh: float) -> None:
        """An idle connector whose meter stands at ``meter_wh``."""
        self.number = number
        self.phase = Status.AVAILABLE
        self.shown = Status.AVAILABLE
        self.session: str | None = None
        self.session_told_at: float | None = None
        self.generation = 0
        self.occupied = False
        self.operative = True
        self.meter_wh = meter_wh
        self.power_w = 0.0
        self.current_a = 0.0
        self.temperature_c = IDLE_C
        self._voltage_v = voltage_v
        self._peak_w = 0.0
        self._started_at = 0.0
        self._until = 0.0
        self._metered_at = 0.0

    def begin(self, now: float, session: str, peak_w: float, until: float) -> None:
        """A session starts to draw up to ``peak_w`` and is meant to end at ``until``."""
        self.session = session
        self.session_told_at = None
        self._peak_w = peak_w
        self._started_at = self._metered_at = now
        self._until = until
        self.power_w = peak_w

    def end(self, now: float) -> None:
        """The session is over; what was drawn since the last reading is counted."""
        if self.session is not None:
            self.measure(now, 1.0)
        self.session = None
        self.session_told_at = None
        self.power_w = self.current_a = 0.0

    def measure(self, now: float, derate: float) -> None:
        """Bring meter, power and temperature of a live session up to ``now``."""
        share = (now - self._started_at) / max(self._until - self._started_at, 1.0)
        power_w = 0.0
        if self.phase is Status.CHARGING:
            taper = 1.0 if share < TAPER_FROM else max(0.1, 1.0 - (share - TAPER_FROM) / (1.0 - TAPER_FROM) * 0.7)
            power_w = self._peak_w * taper * derate
        self.meter_wh += (self.power_w + power_w) / 2.0 * (now - self._metered_at) / 3600.0
        self._metered_at = now
        self.power_w = power_w
        self.current_a = power_w / self._voltage_v
        self.temperature_c = IDLE_C + min(share, 1.0) * self.current_a * 0.15

    def seen(self, now: float, derate: float) -> Reading:
        """This connector as somebody who reads the pile sees it."""
        if self.session is not None:
            self.measure(now, derate)
            self.session_told_at = now if self.session_told_at is None else self.session_told_at
        return Reading(
            status=self.shown,
            voltage_v=self._voltage_v,
            current_a=self.current_a,
            power_w=self.power_w,
            energy_wh=self.meter_wh,
            temperature_c=IDLE_C if self.session is None else self.temperature_c,
            session=self.session,
            plugged=self.occupied,
        )

    def reading(self, now: float, derate: float) -> dict[str, object]:
        """This connector's part of a telemetry message."""
        session = self.session
        if session is None:
            return self._idle_reading()
        self.measure(now, derate)
        if self.session_told_at is None:
            self.session_told_at = now
        return {
            "id": self.number,
            "status": self.shown,
            "voltage_v": self._voltage_v,
            "current_a": round(self.current_a, 2),
            "power_w": int(self.power_w),
            "energy_wh": int(self.meter_wh),
            "temperature_c": round(self.temperature_c, 1),
            "session": session,
        }

    def _idle_reading(self) -> dict[str, object]:
        return {
            "id": self.number,
            "status": self.shown,
            "voltage_v": self._voltage_v,
            "current_a": 0.0,
            "power_w": 0,
            "energy_wh": int(self.meter_wh),
            "temperature_c": IDLE_C,
            "session": None,
        }
