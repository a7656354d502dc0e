"""How the fleet file's cells name a device: its endpoint, and the switch that feeds it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from triage.config.profile.addresses import LAST_UNIT, AddressError, wire_address, wire_unit
from triage.config.profile.file import NATIVE, Profile
from triage.config.profile.registers import Modbus
from triage.config.profile.topics import Mqtt
from triage.core.events import Registration
from triage.core.vocabulary import REBOOTS

_HOST = re.compile(
    r"(?:(?:modbus|tcp)://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::(?P<port>[0-9]{1,5}))?\Z"
)
_SWITCH = re.compile(r"(?P<profile>[A-Za-z0-9._/-]{1,129})@(?P<endpoint>[^#@\s]{1,300})(?:#(?P<channel>[0-9]{1,3}))?\Z")
_UNIT = re.compile(r"(?P<endpoint>.*?)(?:/(?P<unit>[0-9]{1,3}))?\Z")
LAST_PORT = 65_535
LONGEST_DEVICE = 256
SWITCH_SHAPE = "write PROFILE@ENDPOINT#CHANNEL, as in shelly_gen2_switch@shellyplus1-a1b2c3#1"


class Switch(Struct, frozen=True, kw_only=True):
    """The channel of a switch that feeds a pile; several piles may name the same one."""

    profile: str
    endpoint: str
    channel: int = 1
    unit: int | None = None

    @property
    def device(self) -> str:
        """What names the switch itself, whatever the channel."""
        unit = "" if self.unit is None else f"/{self.unit}"
        return f"{self.profile}@{self.endpoint}{unit}"

    @property
    def name(self) -> str:
        """The one spelling of this channel, however the fleet file writes it: who shares it must be seen to."""
        return f"{self.device}#{self.channel}"


def host_and_port(endpoint: str, default_port: int) -> tuple[str, int]:
    """The host and port in ``HOST`` or ``HOST:PORT``.

    Raises:
        ValueError: it is neither.
    """
    found = _HOST.match(endpoint.strip())
    port = int(found["port"] or default_port) if found else 0
    if found is None or not 0 < port <= LAST_PORT:
        raise ValueError(f"{endpoint!r} is no HOST or HOST:PORT")
    return found["host"].strip("[]"), port


def switch_of(text: str, profiles: Mapping[str, Profile]) -> Switch:
    """The switch that a fleet row's ``power_switch`` names; of two spellings of one channel both give the same.

    Raises:
        ValueError: what is wrong with it.
    """
    found = _SWITCH.match(text.strip())
    if found is None:
        raise ValueError(f"{text!r} names no switch; {SWITCH_SHAPE}")
    profile = profiles.get(found["profile"])
    if profile is None or profile.switching is None:
        known = ", ".join(sorted(name for name, each in profiles.items() if each.switching is not None)) or "none"
        raise ValueError(f"{found['profile']!r} is no profile of a switch; switches there are: {known}")
    channel, endpoint, unit = int(found["channel"] or 1), found["endpoint"], None
    if channel < 1 or (profile.connectors is not None and channel > profile.connectors):
        raise ValueError(f"channel {channel} is none of its {profile.connectors or 'channels, counted from 1'}")
    if profile.modbus is not None:
        parts = _UNIT.match(endpoint)
        assert parts is not None  # noqa: S101 - the pattern matches any text
        host, port = host_and_port(parts["endpoint"], profile.modbus.port)
        endpoint = f"[{host.lower()}]:{port}" if ":" in host else f"{host.lower()}:{port}"
        unit = profile.modbus.unit_id if parts["unit"] is None else int(parts["unit"])
        if unit > LAST_UNIT:
            raise ValueError(f"unit {unit} is beyond {LAST_UNIT}")
    elif profile.mqtt is not None and not _names_device(endpoint, profile.mqtt):
        example = profile.mqtt.device_example or profile.mqtt.device
        raise ValueError(f"{endpoint!r} cannot be a device of {profile.profile}; write it as in {example}")
    return Switch(profile=profile.profile, endpoint=endpoint, channel=channel, unit=unit)


def misfits(row: Registration, profiles: Mapping[str, Profile]) -> Iterator[tuple[str, str, str]]:
    """What of a fleet row does not fit its profile: (column, problem, remedy)."""
    if row.power_switch:
        try:
            switch_of(row.power_switch, profiles)
        except ValueError as error:
            yield "power_switch", str(error), SWITCH_SHAPE
    if row.profile == NATIVE:
        return
    profile = profiles.get(row.profile)
    if profile is None:
        known = ", ".join([NATIVE, *sorted(name for name, each in profiles.items() if each.kind == "charger")])
        yield "profile", f"no profile is called {row.profile!r}", f"known: {known}"
        return
    if profile.kind != "charger":
        yield "profile", f"{row.profile} is a switch, not a pile", "name it in the column power_switch"
    most = profile.connectors
    if most is not None and row.connectors > most:
        yield "connectors", f"{row.connectors}, but {row.profile} has at most {most}", "mend the number"
    if most is not None and row.connectors < most and (row.power_switch or _restarts(profile)):
        # Who charges at a connector nobody registered would be interrupted unseen.
        problem = f"{row.connectors}, but {row.profile} has {most}, and a restart concerns them all"
        yield "connectors", problem, f"write {most}, or copy the profile for a model with fewer"
    yield from _endpoint_misfits(row, profile)


def _restarts(profile: Profile) -> bool:
    return any(action in REBOOTS for action in profile.actions.given())


def device_of(row: Registration, profile: Profile) -> str:
    """What names the very device of a row that fits its profile: two piles must not be one device."""
    if profile.modbus is None:
        number = "" if row.unit is None else f" from connector {row.unit} on"
        return f"{profile.profile} {row.endpoint or row.pile}{number}"
    host, port = host_and_port(row.endpoint, profile.modbus.port)
    return f"{host.lower()}:{port} unit {profile.modbus.unit_id if row.unit is None else row.unit}"


def _endpoint_misfits(row: Registration, profile: Profile) -> Iterator[tuple[str, str, str]]:
    if profile.modbus is not None:
        try:
            host_and_port(row.endpoint, profile.modbus.port)
        except ValueError:
            yield "endpoint", f"{row.endpoint!r} is no address of a Modbus device", "write HOST or HOST:PORT"
        yield from _wire_misfits(row, profile.modbus)
    elif profile.mqtt is not None:
        device = row.endpoint or row.pile
        if not _names_device(device, profile.mqtt):
            example = profile.mqtt.device_example or profile.mqtt.device
            yield "endpoint", f"{device!r} cannot be a device of {row.profile}", f"write it as in {example}"


def _names_device(device: str, mqtt: Mqtt) -> bool:
    """Whether ``device`` is one, and fit to stand in a topic."""
    return re.fullmatch(mqtt.device, device) is not None and all(device.split("/")) and len(device) <= LONGEST_DEVICE


def _wire_misfits(row: Registration, modbus: Modbus) -> Iterator[tuple[str, str, str]]:
    """The first register that a device with this unit and so many connectors would have nowhere."""
    if row.unit is None and row.connectors == 1:
        return  # as the profile itself was checked
    base = modbus.unit_id if row.unit is None else row.unit
    for name, register in modbus.registers.items():
        try:
            wire_address(register, modbus, row.connectors)
            wire_unit(register, modbus, base, row.connectors)
        except AddressError as error:
            yield "connectors", f"{name} of connector {row.connectors} has no place: {error}", "mend connectors or unit"
            return
