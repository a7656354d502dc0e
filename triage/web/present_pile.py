"""Piles in the words of the API: each value with the moment it was learned. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from triage.core.fleet import Connector, Pile
from triage.core.means import Dialect
from triage.core.vocabulary import ConnectorStatus, Link

_METERS = ("voltage_v", "current_a", "power_w", "energy_wh", "temperature_c")
_IN_USE = frozenset(
    {
        ConnectorStatus.PREPARING,
        ConnectorStatus.CHARGING,
        ConnectorStatus.SUSPENDED_EV,
        ConnectorStatus.SUSPENDED_EVSE,
        ConnectorStatus.FINISHING,
        ConnectorStatus.RESERVED,
    }
)
STATES = ("hazard", "faulted", "in_use", "unavailable", "available", "unknown")
"""A pile's state in one word; the first that fits."""
MOST_SITES = 300
_TROUBLE = frozenset({"hazard", "faulted"})


def state(pile: Pile) -> str:
    """The pile in one word of :data:`STATES`."""
    shown = {connector.status for connector in pile.connectors}
    if pile.hazard is not None:
        return "hazard"
    if pile.faults or ConnectorStatus.FAULTED in shown:
        return "faulted"
    if not pile.seen_since_start or not shown - {None}:
        return "unknown"
    if shown & _IN_USE:
        return "in_use"
    return "unavailable" if ConnectorStatus.UNAVAILABLE in shown else "available"


def brief(pile: Pile) -> dict[str, Any]:
    """A pile as lists show it."""
    known = pile.registration
    return {
        "id": pile.id,
        "site": known.site,
        "region": known.region,
        "profile": known.profile,
        "model": pile.model or known.model,
        "firmware": pile.firmware,
        "team": known.team,
        "registered": True,
        "state": state(pile),
        "heard_at": pile.heard_at,
        "link": _learned(pile.link, pile.link_as_of),
        "hazard": _learned(pile.hazard, pile.hazard_at),
        "faults": _learned([_fault(each) for each in pile.faults], pile.heard_at),
        "connectors": [_connector(each) for each in pile.connectors],
    }


def profile(pile: Pile, dialect: Dialect | None) -> dict[str, Any]:
    """What the pile's profile can do, and which of its facts nobody has checked."""
    return {
        "name": pile.registration.profile,
        "driver": None if dialect is None else dialect.driver,
        "actions": [] if dialect is None else sorted(dialect.boots),
        "unverified": [] if dialect is None else list(dialect.doubts),
    }


def full(pile: Pile, dialect: Dialect | None = None) -> dict[str, Any]:
    """A pile with everything that is known of it."""
    known = pile.registration
    boot = {"id": pile.boot_id, "reason": pile.boot_reason, "at": pile.booted_at, "uptime_s": pile.uptime_s}
    return brief(pile) | {
        "dialect": profile(pile, dialect),
        "boot": _learned(boot, pile.booted_at or pile.heard_at),
        "registered_connectors": known.connectors,
        "power_switch": known.power_switch,
        "address": known.address,
        "latitude": known.latitude,
        "longitude": known.longitude,
        "tags": known.tags,
        "seen_since_start": pile.seen_since_start,
        "updating_until": pile.updating_until,
        "disruptive_commands_24_h": pile.resets,
        "symptoms": pile.symptoms,
    }


def stranger(site: str, id: str, heard_at: datetime) -> dict[str, Any]:
    """A pile that speaks but is not in the fleet; it is never commanded."""
    return {"id": id, "site": site, "registered": False, "state": "unknown", "heard_at": heard_at}


class Figures:
    """Counts over piles, taken in one pass: with thousands of piles this runs beside everything else in the loop."""

    def __init__(self) -> None:
        self._links: Counter[Link] = Counter()
        self._states: Counter[str] = Counter()
        self._trouble = 0
        self._heard_at: datetime | None = None

    def add(self, pile: Pile, state: str) -> None:
        """Count one pile."""
        self._links[pile.link] += 1
        self._states[state] += 1
        self._trouble += pile.link is Link.OFFLINE or state in _TROUBLE
        heard_at = pile.heard_at
        if heard_at is not None and (self._heard_at is None or heard_at > self._heard_at):
            self._heard_at = heard_at

    def shown(self) -> dict[str, Any]:
        """The outward form."""
        return {
            "piles": self._links.total(),
            "link": {link.value: self._links[link] for link in Link},
            "state": {name: self._states[name] for name in STATES},
            "trouble": self._trouble,
            "heard_at": self._heard_at,
        }


class Summary:
    """The fleet in figures, and one tile a site: those in trouble first."""

    def __init__(self) -> None:
        self._whole = Figures()
        self._sites: dict[tuple[str, str], Figures] = {}

    def add(self, pile: Pile) -> None:
        """Count one pile, for the fleet and for its site."""
        key = (pile.registration.region, pile.registration.site)
        figures = self._sites.get(key)
        if figures is None:
            figures = self._sites[key] = Figures()
        word = state(pile)
        figures.add(pile, word)
        self._whole.add(pile, word)

    def shown(self) -> dict[str, Any]:
        """The outward form."""
        tiles = [{"site": site, "region": region, **each.shown()} for (region, site), each in self._sites.items()]
        tiles.sort(key=lambda tile: (-tile["trouble"], tile["region"], tile["site"]))
        return {**self._whole.shown(), "sites_total": len(tiles), "sites": tiles[:MOST_SITES]}


def _learned(value: Any, as_of: datetime | None) -> dict[str, Any]:
    return {"value": value, "as_of": as_of}


def _fault(fault: Any) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in ("code", "connector", "name", "family", "since", "info", "safety")}


def _connector(connector: Connector) -> dict[str, Any]:
    as_of = connector.as_of
    session = {**_learned(connector.session, as_of), "known": connector.session_known}
    status = {**_learned(connector.status, as_of), "since": connector.status_since}
    meters = {name: _learned(getattr(connector, name), as_of) for name in _METERS}
    return {"connector": connector.number, "status": status, "session": session, **meters}
