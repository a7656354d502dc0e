"""The devices of the fleet that speak dialects: checked, named, and grouped by how they are understood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from triage.config.profile.file import Profile
from triage.config.profile.topics import Mqtt
from triage.core.events import Registration
from triage.drivers.dialect.device import Device, Recall
from triage.drivers.dialect.routes import Routes
from triage.drivers.dialect.templates import EXACT_BELOW, filters, fit_for_topics
from triage.drivers.dialect.tongue import Tongue
from triage.errors import InputError, InputFault

Planned = Sequence[tuple[Registration, Profile]]
Filter = tuple[str, int]


class _Place(Struct, frozen=True):
    """What makes two devices understood alike."""

    profile: str
    first: int
    connectors: int


class Fleet:
    """Every device, by pile and by what topics say."""

    def __init__(self, recall: Recall, speed: float) -> None:
        """Nobody is there yet."""
        self.devices: dict[str, Device] = {}
        self.routes = Routes(())
        self._recall = recall
        self._speed = speed
        self._tongues: dict[_Place, Tongue] = {}

    def adopt(self, planned: Planned) -> list[Device]:
        """Take over a changed fleet; those whose devices are new or spoken to in another way now.

        Raises:
            InputError: devices that cannot be named in topics, or that are named twice; then nothing changes.
        """
        _check(planned)
        before, self.devices = self.devices, {}
        tongues, self._tongues = self._tongues, {}
        fresh: list[Device] = []
        for registration, profile in planned:
            tongue = self._tongue(registration, profile, tongues)
            device = before.get(registration.pile)
            if device is None or device.tongue is not tongue or device.name != name_of(registration):
                device = Device(registration, tongue, self._recall, self._speed)
                fresh.append(device)
            device.registration = registration
            self.devices[registration.pile] = device
        self.routes = Routes(self._by_tongue().items())
        return fresh

    def has(self, device: Device) -> bool:
        """Whether this very device is still one of the fleet's."""
        return self.devices.get(device.pile) is device

    def filters(self, among: Sequence[Device]) -> list[Filter]:
        """What to subscribe for the devices ``among`` this fleet's."""
        found: dict[str, int] = {}
        wanted = {device.tongue.profile.profile for device in among}
        by_tongue = self._by_tongue()
        names: dict[str, set[str]] = {}
        for tongue, devices in by_tongue.items():
            names.setdefault(tongue.profile.profile, set()).update(devices)
        for tongue, devices in by_tongue.items():
            profile = tongue.profile.profile
            if profile not in wanted:
                continue
            many = len(names[profile]) >= EXACT_BELOW
            for template in tongue.templates():
                for topic in filters(template, names[profile] if many else devices, tongue.numbers):
                    found[topic] = max(found.get(topic, 0), tongue.mqtt.qos)
        return list(found.items())

    def _by_tongue(self) -> Mapping[Tongue, dict[str, Device]]:
        found: dict[Tongue, dict[str, Device]] = {}
        for device in self.devices.values():
            found.setdefault(device.tongue, {})[device.name] = device
        return found

    def _tongue(self, registration: Registration, profile: Profile, before: Mapping[_Place, Tongue]) -> Tongue:
        mqtt = _numbered(profile, registration)
        place = _Place(profile.profile, mqtt.first_connector, max(1, registration.connectors))
        tongue = self._tongues.get(place)
        if tongue is None:
            tongue = before.get(place)
            if tongue is None or tongue.profile != profile:
                tongue = Tongue(profile, mqtt, place.connectors)
            self._tongues[place] = tongue
        return tongue


def name_of(registration: Registration) -> str:
    """What a device is called in its topics."""
    return registration.endpoint or registration.pile


def _numbered(profile: Profile, registration: Registration) -> Mqtt:
    """How the device numbers its connectors: by its own number in the fleet file, else as its model does."""
    if profile.mqtt is None:
        raise ValueError(f"profile {profile.profile} is not spoken over MQTT")
    if registration.unit is None:
        return profile.mqtt
    return profile.mqtt.model_copy(update={"first_connector": registration.unit})


def _check(planned: Planned) -> None:
    found = list(_faults(planned))
    if found:
        raise InputError(found)


def _faults(planned: Planned) -> Iterator[InputFault]:
    taken: dict[tuple[str, str, int | None], str] = {}
    for registration, profile in planned:
        name, mqtt = name_of(registration), profile.mqtt
        if mqtt is None:
            continue
        where = f"pile {registration.pile}: endpoint"
        example = f"such as {mqtt.device_example}" if mqtt.device_example else f"matching {mqtt.device}"
        if not fit_for_topics(name) or re.fullmatch(mqtt.device, name) is None:
            yield InputFault("fleet", None, where, f"{name!r} is no device of {profile.profile}", f"give one {example}")
            continue
        key = (profile.profile, name, registration.unit)
        other = taken.setdefault(key, registration.pile)
        if other != registration.pile:
            yield InputFault("fleet", None, where, f"{name!r} is pile {other} already", "give each device one row")
