"""What all devices of the driver share, and what they are made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from msgspec import Struct

from triage.config.profile.addresses import AddressError
from triage.config.profile.file import Profile
from triage.config.profile.registers import Modbus
from triage.core.events import Event, FaultClaim, Registration
from triage.drivers.modbus.counters import Counters
from triage.drivers.modbus.endpoint import Address, address_of
from triage.drivers.modbus.reader import Layout, layout
from triage.drivers.profiles.interpreter import Interpreter
from triage.drivers.second_look import SecondLook
from triage.errors import InputError, InputFault
from triage.interfaces import Clock

DRIVER = "modbus"


class Room(Struct):
    """The driver's own things, as its devices see them.

    ``offer`` hands events over; ``recall`` tells the faults the core knows of a pile; ``excused`` tells whether silence
    says nothing now, because our own network is down.
    """

    clock: Clock
    counters: Counters
    look: SecondLook
    speed: float
    offer: Callable[[Sequence[Event]], None]
    excused: Callable[[], bool]
    recall: Callable[[str], Sequence[FaultClaim]]
    chance: random.Random


class Kind(Struct, frozen=True, eq=False):
    """A profile prepared for a unit with so many connectors; shared by all devices alike."""

    profile: Profile
    modbus: Modbus
    layout: Layout
    interpreter: Interpreter


class Planned(Struct, frozen=True, eq=False):
    """A device of the fleet, where it is and what it is."""

    registration: Registration
    address: Address
    kind: Kind

    def same(self, other: Planned) -> bool:
        """Whether a device made for ``other`` may go on as it is."""
        mine, theirs = self.registration, other.registration
        return (
            (mine.site, mine.pile, mine.unit, mine.connectors)
            == (theirs.site, theirs.pile, theirs.unit, theirs.connectors)
            and self.address == other.address
            and (self.kind.profile is other.kind.profile or self.kind.profile == other.kind.profile)
        )


def plan(devices: Sequence[tuple[Registration, Profile]]) -> dict[str, Planned]:
    """Every device by its pile's id.

    Raises:
        InputError: endpoints or addresses that cannot be used, all of them.
    """
    kinds: dict[tuple[int, int | None, int], Kind] = {}
    planned: dict[str, Planned] = {}
    faults: list[InputFault] = []
    for registration, profile in devices:
        try:
            planned[registration.pile] = _planned(registration, profile, kinds)
        except (ValueError, AddressError) as error:
            remedy = "mend the pile's endpoint, unit or connectors in the fleet file, or its profile"
            faults.append(InputFault("fleet", None, registration.pile, str(error), remedy))
    if faults:
        raise InputError(faults)
    return planned


def _planned(registration: Registration, profile: Profile, kinds: dict[tuple[int, int | None, int], Kind]) -> Planned:
    modbus = profile.modbus
    if modbus is None:
        raise ValueError(f"profile {profile.profile} does not speak Modbus")
    key = (id(profile), registration.unit, registration.connectors)
    kind = kinds.get(key)
    if kind is None:
        places = layout(modbus, registration.unit, registration.connectors)
        kind = kinds[key] = Kind(profile, modbus, places, Interpreter(profile, registration.connectors))
    return Planned(registration, address_of(registration.endpoint, modbus.port, modbus.framing), kind)
