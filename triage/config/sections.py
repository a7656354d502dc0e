"""The sections of the settings file: every key, its default, its range and its meaning.

The descriptions are the source of the operators' key table (see ``triage.config.describe``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import structs
from pydantic import BaseModel, Field, create_model, field_validator

from triage.config.schema import Strict
from triage.core.policy import Policy
from triage.core.vocabulary import Family, Mode

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Host names that only this machine can reach."""

LONGEST_S = 10 * 366 * 86_400.0
"""Longest duration a setting may hold: ten years."""

Port = Annotated[int, Field(ge=1, le=65_535)]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class Role(StrEnum):
    """What the bearer of a token may do; each includes the ones before it."""

    VIEWER = "viewer"
    AGENT = "agent"
    DISPATCHER = "dispatcher"
    OPERATOR = "operator"
    ADMIN = "admin"


def _checked_url(value: str, schemes: tuple[str, ...], example: str) -> str:
    try:
        parts = urlsplit(value)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        port_ok = False
    if not port_ok or parts.scheme not in schemes:
        raise ValueError(f"must be a URL beginning with {' or '.join(f'{name}:' for name in schemes)}, as in {example}")
    return value


class Database(Strict):
    """Where the record is kept."""

    url: Text = Field("sqlite:///triage.db", description="`sqlite:///FILE` or `postgresql://USER@HOST/NAME`")
    url_file: str | None = Field(None, description="file that holds the URL, when it carries a password")

    @field_validator("url")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        return _checked_url(value, ("sqlite", "postgresql"), "sqlite:///triage.db")


class Mqtt(Strict):
    """The way to the piles."""

    url: Text = Field(
        "embedded", description="`mqtt://HOST:PORT`, `mqtts://HOST:PORT`, or `embedded` for the broker of our own"
    )
    port: Port = Field(1883, description="port the embedded broker listens on, on the loopback address only")
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = Field(
        "triage", description="our client id; it must stay the same so that the broker keeps our session"
    )
    username: str | None = Field(None, description="user name at the broker")
    password: str | None = Field(None, description="password at the broker; prefer `password_file`")
    password_file: str | None = Field(None, description="file that holds the password")
    ca_file: str | None = Field(None, description="certificates that vouch for the broker (mqtts)")
    cert_file: str | None = Field(None, description="our own certificate (mqtts)")
    key_file: str | None = Field(None, description="the key of our own certificate (mqtts)")
    keepalive_s: Annotated[int, Field(ge=2, le=3600)] = Field(
        15, description="keepalive in seconds; a dead broker is noticed within twice this time"
    )

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        return value if value == "embedded" else _checked_url(value, ("mqtt", "mqtts"), "mqtt://broker:1883")


class Http(Strict):
    """Where the console and the API are served."""

    host: Text = Field("127.0.0.1", description="address to listen on; anything but loopback needs `auth.mode: token`")
    port: Port = Field(8080, description="port to listen on")


class LocalDesk(Strict):
    """Work orders stay in this product's own technician pages."""

    kind: Literal["local"]
    name: Text = Field("local", description="name of the desk, as shown on the record")


class WebhookDesk(Strict):
    """Work orders are handed to another system as signed CloudEvents."""

    kind: Literal["webhook"]
    name: Text = Field("webhook", description="name of the desk, as shown on the record")
    url: Text = Field(description="receiver; https, or http on this machine alone")
    secret: str | None = Field(None, description="signing secret; prefer `secret_file`")
    secret_file: str | None = Field(None, description="file that holds the signing secret")
    timeout_s: Annotated[float, Field(gt=0, le=60)] = Field(5.0, description="how long the receiver may take")

    @field_validator("url")
    @classmethod
    def _safe_target(cls, value: str) -> str:
        _checked_url(value, ("https", "http"), "https://desk.example.com/hook")
        parts = urlsplit(value)
        if not parts.hostname:
            raise ValueError("must name a host")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("must be https: work orders carry addresses and telephone numbers")
        return value


Desk = Annotated[LocalDesk | WebhookDesk, Field(discriminator="kind")]


class Token(Strict):
    """One bearer token; only its digest is kept."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@-]{1,64}$")] = Field(
        description="whose token it is; written into the journal as the actor"
    )
    role: Role = Field(description="viewer, agent, dispatcher, operator or admin")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the token in lower-case hex; `printf %s TOKEN | sha256sum` prints it"
    )


class Auth(Strict):
    """Who may come in."""

    mode: Literal["none", "token"] = Field("none", description="`none` (loopback only) or `token`")
    tokens: tuple[Token, ...] = Field((), description="the tokens that are let in")


class Notify(Strict):
    """Messages to people; nothing to set yet, the section may stand empty."""


_POLICY_NOTES: dict[str, str] = {
    "mode": "ceiling over all plans: `disabled`, `shadow` (decide and record, send nothing), `approve` or `live`",
    "speed": "runs every hold, timeout, soak, window and clock this many times as fast; for demo, drills and tests",
    "hold_s": "per fault family: how long a condition must last before it is acted on; families left out keep their "
    "defaults",
    "heartbeat_s": "how often a healthy pile is expected to report",
    "silent_after_s": "no message for this long makes a pile silent",
    "fresh_s": "a reading older than this is not evidence",
    "stuck_after_s": "preparing or finishing without a session for this long is stuck",
    "flap_window_s": "window in which onsets are counted for flapping",
    "flap_count": "onsets in the window that make it flapping",
    "sample_interval_s": "how often an unchanged state is written to the history",
    "history_keep_s": "how long the state history is kept",
    "command_ttl_s": "a command older than this is not carried out",
    "boot_window_s": "time a pile may need to start; nothing is asked of it meanwhile",
    "soak_s": "how long evidence of recovery must stay good, where the plan does not say",
    "reopen_s": "the same trouble within this time after closing reopens the incident",
    "approval_s": "how long an approval is waited for, and stays valid",
    "held_max_s": "a refused step is held at most this long before a person must decide",
    "retry_look_s": "how soon a refused or waiting step is looked at again",
    "cool_s": "how long after the last over-temperature claim a reset stays forbidden",
    "spacing_s": "least time between two disruptive commands to one pile",
    "resets_per_incident": "most disruptive commands in one incident",
    "resets_per_pile_day": "most disruptive commands to one pile in a day",
    "day_s": "length of the day in which they are counted",
    "site_parallel_share": "share of a site's piles that may restart at once (at least one)",
    "fleet_per_window": "most disruptive commands in the fleet within the window",
    "fleet_window_s": "that window",
    "fleet_hour_share": "most disruptive commands in an hour, as a share of the fleet",
    "fleet_hour_floor": "the least that share ever allows",
    "hour_s": "length of that hour",
    "minimum_available": "connectors of a site that must stay usable while one restarts",
    "outage_share": "share of a site's piles failing alike that makes one outage",
    "outage_least": "fewest piles that make an outage",
    "outage_window_s": "window in which their failures must begin",
    "breaker_window_s": "window in which recoveries of one model and firmware are judged",
    "breaker_least": "fewest judged recoveries before the breaker may open",
    "breaker_failed_share": "share of failed recoveries that opens it",
    "desk_s": "how long a case may wait for a person before it is escalated",
    "callback_s": "how long a reporter's answer is waited for",
    "callback_reminders": "reminders before silence closes the case",
    "complaint_window_s": "complaints this close together speak of the same trouble",
    "independent_complaints": "different reporters that overrule a healthy-looking pile",
    "accept_s": "time a team has to accept an order",
    "accept_emergency_s": "the same for an emergency",
    "on_site_s": "time until somebody must be on site",
    "on_site_emergency_s": "the same for an emergency",
    "proof_s": "how long proof of a repair is waited for",
}

_MAY_BE_ZERO = frozenset({"minimum_available", "callback_reminders"})


def _policy_field(name: str, default: Any) -> tuple[Any, Any]:
    note = _POLICY_NOTES.get(name, "")
    if name == "mode":
        return Mode, Field(default, description=note)
    if name == "hold_s":
        seconds = Annotated[float, Field(ge=0, le=LONGEST_S)]
        return dict[Family, seconds], Field(default_factory=dict, description=note)
    if name == "speed":
        return float, Field(default, ge=0.1, le=1000, description=note)
    if name.endswith("_share"):
        return float, Field(default, ge=0, le=1, description=note)
    if name.endswith("_s"):
        return float, Field(float(default), gt=0, le=LONGEST_S, description=f"{note} (seconds)")
    least = 0 if name in _MAY_BE_ZERO else 1
    return int, Field(default, ge=least, le=1_000_000, description=note)


def _policy_model() -> type[BaseModel]:
    """The policy's schema, made from the policy itself so that the two cannot drift apart."""
    fields: dict[str, Any] = {info.name: _policy_field(info.name, info.default) for info in structs.fields(Policy)}
    model: type[BaseModel] = create_model("PolicySection", __base__=Strict, **fields)
    model.__doc__ = "Thresholds, holds, budgets and clocks."
    return model


PolicySection = _policy_model()
