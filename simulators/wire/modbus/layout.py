"""Which piles of a fleet speak Modbus, what they are, and at which port and unit each of them lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulators.fleet import Entry, Fleet
from simulators.wire.modbus.catalogue import BY_PROFILE, MAKES

if TYPE_CHECKING:
    from simulators.wire.modbus.device import Device

EVERY = 4
"""One pile of so many speaks Modbus, and of small fleets as many as there are makes."""
UNITS = 247
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Lying:
    """Where a device lies; behind a gateway ``unit`` is not its own."""

    pile: str
    make: type[Device]
    port: int
    unit: int


def berthed(fleet: Fleet, port: int, *, apart: bool = False) -> Fleet:
    """``fleet`` with a share of its piles on Modbus, from ``port`` upwards; the other piles stay as they are.

    Makes with one unit id share a port as behind a gateway, 247 to a port; those with several, and with ``apart`` all
    of them, have a port each.

    Raises:
        ValueError: there are not enough ports above ``port``.
    """
    count = len(fleet.entries)
    chosen = min(count, max(count // EVERY, len(MAKES)))
    places = {turn * count // chosen: MAKES[turn % len(MAKES)] for turn in range(chosen)}
    gateway, gateways, taken = port, 1, 0
    alone = port if apart else port + -(-sum(not make.others for make in places.values()) // UNITS)
    entries = list(fleet.entries)
    for place, make in places.items():
        if apart or make.others:
            entries[place] = _entry(entries[place], make, alone, make.own_unit)
            alone += 1
            continue
        if taken == UNITS:
            gateways, taken = gateways + 1, 0
        taken += 1
        gateway = port + gateways - 1
        entries[place] = _entry(entries[place], make, gateway, taken)
    last = max(alone - 1, gateway)
    if last > 0xFFFF:  # noqa: PLR2004 - the greatest port there is
        raise ValueError(f"ports up to {last} would be needed; begin lower than {port}")
    return replace(fleet, entries=tuple(entries))


def lying(fleet: Fleet) -> list[Lying]:
    """Where each Modbus pile of ``fleet`` lies."""
    found = []
    for entry in fleet.entries:
        make = BY_PROFILE.get(entry.profile)
        if make is not None and entry.unit is not None:
            port = int(entry.endpoint.rpartition(":")[2])
            found.append(Lying(entry.nature.pile, make, port, entry.unit))
    return found


def _entry(entry: Entry, make: type[Device], port: int, unit: int) -> Entry:
    nature = replace(entry.nature, model=make.model, connectors=make.model.connectors, polled=True)
    return replace(entry, nature=nature, profile=make.profile, endpoint=f"{HOST}:{port}", unit=unit)
