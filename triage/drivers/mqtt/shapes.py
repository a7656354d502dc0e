"""Shapes of the native dialect's payloads, with their bounds; msgspec checks them while it decodes.

Physical ranges are wide enough for any real pile and narrow enough to refuse nonsense. Unknown keys are ignored, so
that devices may say more than is understood.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from triage.core.vocabulary import AnswerResult, Channel, ConnectorStatus, Tier

Number = Annotated[int, Meta(ge=1, le=9999)]
Scope = Annotated[int, Meta(ge=0, le=9999)]  # a connector's number, or 0 for the whole pile
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Uptime = Annotated[float, Meta(ge=0, le=3e9)]
Volt = Annotated[float, Meta(ge=0, le=1500)]
Ampere = Annotated[float, Meta(ge=-1000, le=1000)]
Watt = Annotated[float, Meta(ge=-2e6, le=2e6)]
WattHour = Annotated[float, Meta(ge=0, le=1e12)]
Celsius = Annotated[float, Meta(ge=-60, le=200)]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
Info = Annotated[str, Meta(max_length=500)]
Name = Annotated[str, Meta(max_length=128)]
Token = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(min_length=1, max_length=16_384)]

NOTHING = Raw(b"null")


class ConnectorShape(Struct, gc=False):
    """One connector of a telemetry message."""

    id: Number
    status: ConnectorStatus | None = None
    session: Name | UnsetType | None = UNSET
    voltage_v: Volt | None = None
    current_a: Ampere | None = None
    power_w: Watt | None = None
    energy_wh: WattHour | None = None
    temperature_c: Celsius | None = None


class FaultShape(Struct, gc=False):
    """One claimed fault of a telemetry message."""

    code: Code
    connector: Scope = 0
    info: Info | None = None


class TelemetryShape(Struct, gc=False):
    """A telemetry message. ``ts`` stays raw: a device's clock may be nonsense without spoiling the reading."""

    connectors: Annotated[list[ConnectorShape], Meta(max_length=64)] = []
    faults: Annotated[list[FaultShape], Meta(max_length=64)] = []
    ts: Raw = NOTHING
    seq: Count | None = None
    uptime_s: Uptime | None = None
    site: Any = None
    pile: Any = None


class StatusShape(Struct, gc=False):
    """A birth message or a last will."""

    online: bool
    boot_id: Name | int | None = None
    boot_reason: Name | None = None
    firmware: Name | None = None
    model: Name | None = None
    ts: Raw = NOTHING
    site: Any = None
    pile: Any = None


class AnswerShape(Struct, gc=False):
    """A device's answer to a command."""

    id: Token
    result: AnswerResult
    reason: Info | None = None
    site: Any = None
    pile: Any = None


class ReporterShape(Struct):
    """Who complains."""

    name: Name | None = None
    phone: Name | None = None
    email: Annotated[str, Meta(max_length=254)] | None = None
    tier: Tier | None = None


class ComplaintShape(Struct):
    """A complaint from another system; ``id`` makes its repetition harmless."""

    id: Token
    text: Text
    channel: Channel | None = None
    pile: Name | None = None
    connector: Scope | None = None
    site: Name | None = None
    occurred_at: Raw = NOTHING
    reporter: ReporterShape | None = None
    expectation: Annotated[str, Meta(max_length=2000)] | None = None
    reference: Name | None = None
