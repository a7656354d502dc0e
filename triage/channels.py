"""The ways to the field: from fleet and profiles to the drivers that speak with each pile, also after a reload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from triage.config.profile.file import NATIVE, Profile
from triage.config.settings import Settings
from triage.core.events import FaultClaim, Registration
from triage.core.means import POWER_SWITCH, Dialect
from triage.core.vocabulary import REBOOTS, Action, Mode
from triage.drivers.dialect.driver import DialectDriver
from triage.drivers.modbus.driver import ModbusDriver
from triage.drivers.mqtt.driver import MqttDriver
from triage.drivers.power.driver import PowerSwitches, switch_registrations
from triage.interfaces import Clock, Driver

Recall = Callable[[str], Sequence[FaultClaim]]
"""The claims on record for a pile: what a driver of events is to know after a restart."""

Profiles = Mapping[str, Profile]


def dialects(profiles: Profiles) -> dict[str, Dialect]:
    """What the profiles mean for decisions."""
    native = Dialect(driver=MqttDriver.name, boots={action: action in REBOOTS for action in Action})
    return {NATIVE: native} | {
        name: _dialect(profile) for name, profile in profiles.items() if profile.kind == "charger"
    }


def _dialect(profile: Profile) -> Dialect:
    boots = {action: spec.seen_to_boot(action) for action, spec in profile.actions.given().items()}
    if profile.modbus is not None or (profile.mqtt is not None and profile.mqtt.ask):
        boots.setdefault(Action.REPORT, False)
    driver = ModbusDriver.name if profile.modbus is not None else DialectDriver.name
    return Dialect(driver=driver, boots=boots, restarts_seen=profile.boot is not None, doubts=profile.doubts())


class Channels:
    """All drivers of one daemon, made as the fleet needs them."""

    def __init__(self, settings: Settings, clock: Clock, broker_url: str, recall: Recall) -> None:
        """``broker_url`` is where the native dialect and the others over MQTT are heard."""
        self._settings, self._clock, self._url, self._recall = settings, clock, broker_url, recall
        self._policy = settings.policy_in_force()
        self._native = MqttDriver(broker_url, client_id=settings.mqtt.client_id, **self._common(), **self._broker())
        self._modbus: ModbusDriver | None = None
        self._dialect: DialectDriver | None = None
        self._power: PowerSwitches | None = None

    def adopt(self, registrations: Sequence[Registration], profiles: Profiles, mode: Mode) -> dict[str, Driver]:
        """The drivers by the profile they speak, for the fleet, the profiles and the policy's mode as they are now."""
        if mode is Mode.SHADOW:
            # Nothing is sent in shadow, not even what keeps a device under remote control.
            profiles = {name: each.model_copy(update={"keepalive": None}) for name, each in profiles.items()}
        devices = [(row, profiles[row.profile]) for row in registrations if row.profile != NATIVE]
        switches = switch_registrations(registrations, profiles)
        devices += [(row, profiles[row.profile]) for row in switches]
        if self._power is not None:
            named = {row.pile for row in switches}
            devices += [each for each in self._power.at_work() if each[0].pile not in named]
        speakers: dict[str, MqttDriver | ModbusDriver | DialectDriver] = {NATIVE: self._native}
        speakers.update(self._adopt_modbus([each for each in devices if each[1].modbus is not None]))
        speakers.update(self._adopt_dialects([each for each in devices if each[1].mqtt is not None]))
        drivers: dict[str, Driver] = dict(speakers)
        if switches and self._power is None:
            self._power = PowerSwitches(clock=self._clock, speed=self._policy.speed)
        if self._power is not None:
            hands = {
                name: self._modbus if profile.modbus is not None else self._dialect
                for name, profile in profiles.items()
                if profile.kind == "switch"
            }
            self._power.adopt(
                registrations,
                profiles,
                {name: hand for name, hand in hands.items() if hand is not None},
                speakers,
            )
            drivers[POWER_SWITCH] = self._power
        return drivers

    def trouble(self) -> dict[str, str]:
        """What is wrong with single devices, by driver, in one sentence each."""
        parts = {"modbus": self._modbus, "dialect": self._dialect, POWER_SWITCH: self._power}
        return {name: said for name, part in parts.items() if part is not None and (said := part.trouble())}

    def _adopt_modbus(self, devices: list[tuple[Registration, Profile]]) -> dict[str, ModbusDriver]:
        if self._modbus is None:
            if not devices:
                return {}
            self._modbus = ModbusDriver(devices, recall=self._recall, **self._common())
        else:
            self._modbus.adopt(devices)
        return {profile.profile: self._modbus for _, profile in devices}

    def _adopt_dialects(self, devices: list[tuple[Registration, Profile]]) -> dict[str, DialectDriver]:
        if self._dialect is None:
            if not devices:
                return {}
            self._dialect = DialectDriver(
                self._url,
                devices,
                client_id=self._settings.mqtt.client_id,
                recall=self._recall,
                **self._common(),
                **self._broker(),
            )
        else:
            self._dialect.adopt(devices)
        return {profile.profile: self._dialect for _, profile in devices}

    def _common(self) -> dict[str, Any]:
        return {"clock": self._clock, "fresh_s": self._policy.fresh_s, "speed": self._policy.speed}

    def _broker(self) -> dict[str, Any]:
        mqtt = self._settings.mqtt
        names = ("username", "password", "ca_file", "cert_file", "key_file", "keepalive_s")
        return {name: getattr(mqtt, name) for name in names}
