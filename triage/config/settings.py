"""The settings of one installation: parsed once, every fault told at once, paths and secrets resolved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from triage.config.environment import overridden
from triage.config.schema import Strict, validate
from triage.config.sections import (
    LOOPBACK,
    Auth,
    Database,
    Desk,
    Http,
    LocalDesk,
    Mqtt,
    Notify,
    PolicySection,
    WebhookDesk,
)
from triage.config.yamlfile import Document, Place, read_bytes, read_document
from triage.core.policy import Policy
from triage.errors import InputError, InputFault

Section = TypeVar("Section", bound=BaseModel)

SECRET_BYTES = 65_536
"""Largest secret file that is read."""


class Settings(Strict):
    """Everything the file and the environment say; paths are absolute or relative to the working directory."""

    database: Database = Field(Database(), description="where the record is kept")
    mqtt: Mqtt = Field(Mqtt(), description="the way to the piles")
    http: Http = Field(Http(), description="where the console and the API are served")
    fleet: str = Field("fleet.csv", description="the fleet: CSV, one row a pile")
    teams: str | None = Field(None, description="the field teams: CSV; `teams.csv` beside the fleet when left out")
    plans: str = Field("plans", description="folder of the recovery plans")
    profiles: str = Field("profiles", description="folder of the device dialects")
    lexicon: str = Field("lexicon", description="folder of the words complaints are read by")
    faults: str = Field("faults", description="folder of the fault tables")
    policy: PolicySection = Field(PolicySection(), description="thresholds, holds, budgets and clocks")  # type: ignore[valid-type]
    notify: Notify = Field(Notify(), description="messages to people")
    desks: tuple[Desk, ...] = Field((LocalDesk(kind="local"),), description="where work orders go")
    auth: Auth = Field(Auth(), description="who may come in")

    @property
    def fleet_path(self) -> Path:
        """The fleet file."""
        return Path(self.fleet)

    @property
    def teams_path(self) -> Path:
        """The teams file, named or beside the fleet."""
        return Path(self.teams) if self.teams else self.fleet_path.with_name("teams.csv")

    @property
    def plans_path(self) -> Path:
        """The folder of the recovery plans."""
        return Path(self.plans)

    @property
    def profiles_path(self) -> Path:
        """The folder of the device dialects."""
        return Path(self.profiles)

    @property
    def lexicon_path(self) -> Path:
        """The folder of the lexicon."""
        return Path(self.lexicon)

    @property
    def faults_path(self) -> Path:
        """The folder of the fault tables."""
        return Path(self.faults)

    def policy_as_written(self) -> Policy:
        """The policy with its durations as the operator wrote them."""
        section: BaseModel = self.policy
        return Policy(**{name: getattr(section, name) for name in type(section).model_fields})

    def policy_in_force(self) -> Policy:
        """The policy with every duration divided by its speed, holds filled in."""
        return self.policy_as_written().faster()


FILES = ("fleet", "teams", "plans", "profiles", "lexicon", "faults")
"""Settings that name a file or folder, relative to the settings file."""


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read the settings at ``path`` under the environment ``environ``.

    Raises:
        InputError: every fault of the file, of the environment and of the secret files.
    """
    document, faults = overridden(read_document(path), Settings, environ)
    try:
        settings = validate(document, Settings)
    except InputError as error:
        raise InputError(faults + error.faults) from error
    base = path.parent
    settings = settings.model_copy(update=placed(settings.model_dump(include=set(FILES)), base))
    settings = _with_secrets(settings, document, base, faults)
    faults.extend(_cross_faults(settings, document))
    if faults:
        raise InputError(faults)
    return settings


def placed(files: Mapping[str, Any], base: Path) -> dict[str, str]:
    """The paths of ``files``, those that are relative taken from ``base``; what is no path is left out."""
    return {name: str(base / value) for name, value in files.items() if isinstance(value, str) and value}


def _with_secrets(settings: Settings, document: Document, base: Path, faults: list[InputFault]) -> Settings:
    """The settings with the contents of secret files in place of their names."""

    def reveal(section: Section, name: str, at: Place) -> Section:
        try:
            return _revealed(section, name, base)
        except ValueError as error:
            file = getattr(section, f"{name}_file")
            faults.append(document.fault((*at, f"{name}_file"), f"{file}: {error}", "mend the file, or name another"))
            return section

    desks = tuple(
        reveal(desk, "secret", ("desks", index)) if isinstance(desk, WebhookDesk) else desk
        for index, desk in enumerate(settings.desks)
    )
    database = reveal(settings.database, "url", ("database",))
    mqtt = reveal(settings.mqtt, "password", ("mqtt",))
    return settings.model_copy(update={"database": database, "mqtt": mqtt, "desks": desks})


def _revealed(section: Section, name: str, base: Path) -> Section:
    """The section with the secret itself; raises ``ValueError`` with a reason that does not repeat the secret."""
    file = getattr(section, f"{name}_file")
    if file is None:
        return section
    if name in section.model_fields_set and getattr(section, name) is not None:
        raise ValueError(f"{name} is given as well, keep one of the two")
    try:
        secret = read_bytes(base / file, SECRET_BYTES).decode("utf-8").strip()
    except InputError as error:
        raise ValueError(error.faults[0].problem) from error
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8") from error
    if not secret:
        raise ValueError("is empty")
    try:
        return type(section).model_validate({**section.model_dump(), name: secret, f"{name}_file": None}, strict=False)
    except ValidationError as error:
        raise ValueError(f"what it holds {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def _cross_faults(settings: Settings, document: Document) -> list[InputFault]:
    """Faults that lie between two keys."""
    return [*_auth_faults(settings, document), *_desk_faults(settings, document), *_mqtt_faults(settings, document)]


def _auth_faults(settings: Settings, document: Document) -> list[InputFault]:
    faults: list[InputFault] = []
    auth, host = settings.auth, settings.http.host
    if auth.mode == "none" and host not in LOOPBACK:
        problem = f"mode none lets everybody in, and http.host {host} can be reached from outside"
        faults.append(document.fault(("auth", "mode"), problem, "set auth.mode: token, or http.host: 127.0.0.1"))
    if auth.mode == "token" and not auth.tokens:
        faults.append(document.fault(("auth", "tokens"), "mode token without any token lets nobody in", "add a token"))
    for key in ("name", "sha256"):
        seen: set[str] = set()
        for index, token in enumerate(auth.tokens):
            value = getattr(token, key)
            if value in seen:
                faults.append(
                    document.fault(("auth", "tokens", index, key), "is used by an earlier token", "change it")
                )
            seen.add(value)
    return faults


def _desk_faults(settings: Settings, document: Document) -> list[InputFault]:
    faults: list[InputFault] = []
    seen: set[str] = set()
    for index, desk in enumerate(settings.desks):
        if desk.name in seen:
            remedy = "give every desk a name of its own"
            faults.append(document.fault(("desks", index, "name"), f"a second desk is called {desk.name!r}", remedy))
        seen.add(desk.name)
        if desk.kind == "webhook" and not desk.secret and not desk.secret_file:
            remedy = "name a secret_file: the receiver tells our messages from others by the signature"
            faults.append(document.fault(("desks", index), "a webhook needs a signing secret", remedy))
    return faults


def _mqtt_faults(settings: Settings, document: Document) -> list[InputFault]:
    mqtt = settings.mqtt
    faults: list[InputFault] = []
    if (mqtt.cert_file is None) != (mqtt.key_file is None):
        at = ("mqtt", "cert_file" if mqtt.key_file is None else "key_file")
        faults.append(document.fault(at, "certificate and key go together", "give both cert_file and key_file"))
    if mqtt.ca_file and not mqtt.url.startswith("mqtts:"):
        faults.append(document.fault(("mqtt", "ca_file"), "only mqtts:// uses certificates", "use an mqtts:// url"))
    return faults
