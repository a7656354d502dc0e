"""A profile as its file says it: a model's dialect, strictly checked, every fault told with its line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from triage.config.profile.actions import Actions, ActionSpec, KeepAlive, Switching
from triage.config.profile.lint import lint
from triage.config.profile.meaning import Boot, Derived, FaultRule, Identity, Readings, Session, StatusRule, Texts
from triage.config.profile.registers import Modbus, Register
from triage.config.profile.topics import Mqtt, TopicValue
from triage.config.profile.words import Name, ProfileId, Prose, Text
from triage.config.schema import Strict, validate
from triage.config.yamlfile import Document, read_document
from triage.core.vocabulary import Action
from triage.errors import InputError, InputFault

NATIVE = "pile/v1"
"""The dialect that needs no file."""


class Profile(Strict):
    """How one model speaks, what its words mean, and what it can be told to do."""

    profile: ProfileId = Field(description="the name the fleet file uses; the file is called the same")
    title: Texts = Field(description="what people read")
    vendor: Text = Field(description="who makes it")
    models: tuple[Text, ...] = Field(min_length=1, description="the models it is for")
    kind: Literal["charger", "switch"] = Field("charger", description="a pile, or a switch that can cut its power")
    sources: tuple[Text, ...] = Field(min_length=1, description="where the facts are from")
    verified: Text = Field(description="how far they can be trusted")
    unverified: tuple[Prose, ...] = Field((), description="what nobody has checked; shown to the operator")
    quirks: tuple[Prose, ...] = Field((), description="oddities a technician should know")
    connectors: int | None = Field(None, ge=1, le=64, description="most connectors it has; left out: as the fleet says")
    rated_power_w: float | None = Field(None, gt=0, description="most it can deliver; beyond its meter is nonsense")
    modbus: Modbus | None = Field(None, description="how it is spoken to over Modbus TCP")
    mqtt: Mqtt | None = Field(None, description="how it is understood over MQTT")
    derived: dict[Name, Derived] = Field(default_factory=dict, max_length=200, description="values made of others")
    status: tuple[StatusRule, ...] = Field((), description="a connector's status; the first rule that speaks decides")
    faults: tuple[FaultRule, ...] = Field((), description="what it claims to be wrong")
    readings: Readings = Field(Readings(), description="which value is which reading")
    session: Session | None = Field(None, description="whether somebody charges")
    identity: Identity = Field(Identity(), description="who it says it is")
    boot: Boot | None = Field(None, description="how a restart is seen; left out: it cannot be seen")
    actions: Actions = Field(Actions(), description="what it can be told to do")
    keepalive: KeepAlive | None = Field(None, description="what it wants written again and again")
    switching: Switching | None = Field(None, description="how a switch switches")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.modbus is None) == (self.mqtt is None):
            raise ValueError("give exactly one of modbus and mqtt")
        if (self.kind == "switch") != (self.switching is not None):
            raise ValueError("a switch needs `switching`, and nothing else has it")
        if self.kind == "charger" and not self.status:
            raise ValueError("a charger needs `status`, or nobody knows whether it charges")
        return self

    @property
    def transport(self) -> str:
        """``modbus`` or ``mqtt``."""
        return "mqtt" if self.modbus is None else "modbus"

    @property
    def values(self) -> Mapping[str, Register | TopicValue]:
        """The values it reads, by name."""
        if self.modbus is not None:
            return self.modbus.registers
        return self.mqtt.values if self.mqtt is not None else {}

    def spec(self, action: Action) -> ActionSpec | None:
        """What ``action`` is on this model, or None where it has none."""
        return self.actions.given().get(action)

    def doubts(self) -> tuple[str, ...]:
        """Everything nobody has checked, in one list, for the operator."""
        found = list(self.unverified)
        found.extend(f"{name}: {value.unverified}" for name, value in self.values.items() if value.unverified)
        for rule in self.status:
            found.extend(f"status {rule.from_} = {key}: {rule.map[key]}" for key in rule.unverified)
        for fault in self.faults:
            for kind, meanings in (("code", fault.codes), ("bit", fault.bits)):
                found.extend(
                    f"{fault.from_} {kind} {key}: {meaning.is_}"
                    for key, meaning in meanings.items()
                    if not isinstance(meaning, str) and meaning.unverified
                )
        found.extend(f"{action}: {spec.unverified}" for action, spec in self.actions.given().items() if spec.unverified)
        return tuple(found)


def load_profile(path: Path, faults: Collection[str] | None = None) -> Profile:
    """The profile in the file at ``path``, linted; ``faults`` are the canonical names there are.

    Raises:
        InputError: every fault of schema and lint, with its line.
    """
    profile, found = _read(read_document(path), path.stem, faults)
    if found:
        raise InputError(found)
    return profile


def load_profiles(folder: Path, faults: Collection[str] | None = None) -> dict[str, Profile]:
    """All profiles (``*.yaml``) of ``folder`` by the name the fleet file uses.

    Raises:
        InputError: every fault of every file.
    """
    if not folder.is_dir():
        raise InputError([InputFault(str(folder), None, "", "is not a folder", "name the folder with the profiles")])
    profiles: dict[str, Profile] = {}
    found: list[InputFault] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            profile, faulty = _read(read_document(path), path.stem, faults)
        except InputError as error:
            found.extend(error.faults)
            continue
        found.extend(faulty)
        profiles[profile.profile] = profile
    if found:
        raise InputError(found)
    return profiles


def _read(document: Document, stem: str, faults: Collection[str] | None) -> tuple[Profile, list[InputFault]]:
    profile = validate(document, Profile)
    found = lint(profile, document, faults)
    if profile.profile.replace("/", "_") != stem:
        remedy = "give file and profile the same name (a slash in the profile is an underscore in the file)"
        found.append(document.fault(("profile",), f"the file is called {stem}.yaml", remedy))
    if profile.profile == NATIVE:
        found.append(document.fault(("profile",), "is the native dialect, which needs no file", "choose another name"))
    return profile, found
