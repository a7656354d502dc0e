"""A connector's status, session and measurements, out of its values."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from triage.config.profile.file import Profile
from triage.config.profile.meaning import Condition, Session, StatusRule
from triage.config.profile.words import FACTORS
from triage.core.vocabulary import ConnectorStatus
from triage.drivers.profiles.conditions import prepare
from triage.drivers.profiles.values import Value, find, number, table, text, visible

View = Mapping[str, Value]
Known = tuple[str | None, bool]
"""A session's id or None, and whether that is known."""

LIVE = "live"
"""A session without an id of its own."""

IDLE_A = 0.5
IDLE_W = 50.0
"""Below these nobody draws power."""

MEASURES = ("voltage_v", "current_a", "power_w", "energy_wh", "temperature_c")
OVERLOAD = 1.3
"""Beyond this many times the rated power a meter talks nonsense."""

_BOUNDS: dict[str, tuple[float, float, str]] = {
    "voltage_v": (-10.0, 2_000.0, "V"),
    "current_a": (-1_000.0, 2_000.0, "A"),
    "power_w": (-2e6, 2e6, "W"),
    "energy_wh": (0.0, math.inf, "Wh"),
    "temperature_c": (-60.0, 250.0, "degC"),
}
_SESSION_LIMIT = 100
_BUSY = frozenset(
    {
        ConnectorStatus.CHARGING,
        ConnectorStatus.SUSPENDED_EV,
        ConnectorStatus.SUSPENDED_EVSE,
        ConnectorStatus.PREPARING,
        ConnectorStatus.FINISHING,
    }
)
_RESTING = frozenset({ConnectorStatus.FAULTED, ConnectorStatus.UNAVAILABLE, ConnectorStatus.RESERVED})


class StatusReader:
    """The status rules; the first that says something decides."""

    def __init__(self, rules: tuple[StatusRule, ...]) -> None:
        self._rules = [(prepare(rule.when), rule.is_, rule.from_, table(rule.map)) for rule in rules]

    def read(self, view: View, unlisted: list[str]) -> ConnectorStatus | None:
        """The status, None for unknown; a value that its table does not list is added to ``unlisted``."""
        for holds, plain, name, entries in self._rules:
            if not holds(view):
                continue
            said: str | None = plain
            if name is not None:
                value = view.get(name)
                if value is None:
                    continue
                said = find(entries, value)
                if said is None:
                    unlisted.append(f"{name} {visible(text(value))[:64]}")
            return None if said is None or said == "unknown" else ConnectorStatus(said)
        return None


class Meter:
    """The measurements, each in its own unit and within what is possible."""

    def __init__(self, profile: Profile, units: Mapping[str, str | None]) -> None:
        self._of: list[tuple[str, str, float, tuple[float, float, str]]] = []
        for measure in MEASURES:
            name = getattr(profile.readings, measure)
            if name is not None:
                self._of.append((measure, name, factor(units.get(name)), _bounds(measure, profile.rated_power_w)))

    def read(self, view: View, wrong: list[str]) -> dict[str, float]:
        """What is known; a measurement no such device can have is added to ``wrong``."""
        found: dict[str, float] = {}
        for measure, name, times, (least, most, unit) in self._of:
            value = number(view.get(name))
            if value is None:
                continue
            value = float(value) if times == 1.0 else value * times
            if least <= value <= most:
                found[measure] = value
            else:
                wrong.append(f"{measure} ({name}) says {value:.10g} {unit}; possible is {_span(least, most)} {unit}")
        return found


class SessionReader:
    """Whether somebody charges: as the profile says, or by the status where it says nothing."""

    def __init__(self, session: Session | None, read: Collection[str]) -> None:
        """``read`` are the values the device itself says, those made of others apart."""
        self._session = session
        self._id = None if session is None else session.id
        self._said_by_itself = self._id is not None and self._id in read
        self._live = [prepare(each) for each in _conditions(session, "live")]
        self._none = [prepare(each) for each in _conditions(session, "none")]

    def read(self, view: View, status: ConnectorStatus | None, measured: Mapping[str, float]) -> Known:
        """The session, and whether that is known. What nothing decides is unknown."""
        if self._session is None:
            return _by_status(status, measured)
        told = view.get(self._id) if self._id is not None else None
        name = visible(text(told).strip())[:_SESSION_LIMIT]
        if name.strip("0") and told is not False:
            return name, True
        if any(holds(view) for holds in self._live):
            return LIVE, True
        # A value that is there and None was said to be none; one that was never said is not there at all.
        said = told is not None or (self._said_by_itself and self._id in view)
        return None, said or any(holds(view) for holds in self._none)


def factor(unit: str | None) -> float:
    """What a number in ``unit`` is multiplied by to be in its canonical one."""
    return 1.0 if unit is None else FACTORS[unit][1]


def _conditions(session: Session | None, kind: str) -> tuple[Condition, ...]:
    return () if session is None else session.live if kind == LIVE else session.none


def _by_status(status: ConnectorStatus | None, measured: Mapping[str, float]) -> Known:
    if status in _BUSY:
        return LIVE, True
    if status is ConnectorStatus.AVAILABLE:
        return None, True
    return None, status in _RESTING and _nothing_flows(measured)


def _nothing_flows(measured: Mapping[str, float]) -> bool:
    """Whether current or power was measured, and whatever was measured is next to nothing."""
    flows = [
        abs(measured[name]) < idle for name, idle in (("current_a", IDLE_A), ("power_w", IDLE_W)) if name in measured
    ]
    return bool(flows) and all(flows)


def _bounds(measure: str, rated_w: float | None) -> tuple[float, float, str]:
    least, most, unit = _BOUNDS[measure]
    if measure != "power_w" or rated_w is None:
        return least, most, unit
    return max(least, -OVERLOAD * rated_w), min(most, OVERLOAD * rated_w), unit


def _span(least: float, most: float) -> str:
    return f"{least:.10g} or more" if math.isinf(most) else f"{least:.10g} to {most:.10g}"
