"""What the API takes, field by field. Strict: nothing is coerced, nothing unknown is passed over."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

EARLIEST_YEAR = 2000
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?")
_EXAMPLE = "write it like 2026-05-01T08:30:00Z or 2026-05-01T16:30:00+08:00"


def _moment(value: Any) -> datetime:
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError("moment", f"is not an RFC 3339 time: {_EXAMPLE}")
    if found[2] is None:
        raise PydanticCustomError("moment", f"has no time zone: {_EXAMPLE}")
    text = value.upper()
    if found[1]:
        text = text.replace(found[1], found[1][:7])  # a clock of nanoseconds is read to the microsecond
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("moment", f"is no moment of the calendar: {_EXAMPLE}") from None
    if moment.year < EARLIEST_YEAR:
        raise PydanticCustomError("moment", f"lies before the year {EARLIEST_YEAR}")
    return moment


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Words = Annotated[str, Field(min_length=1, max_length=200)]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]
Remark = Annotated[str, Field(max_length=2000)]
ConnectorNumber = Annotated[int, Field(ge=0, le=100)]


class Body(BaseModel):
    """Base of all bodies."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ReporterBody(Body):
    """Who complains, and how to reach them."""

    name: Annotated[str, Field(max_length=100)] | None = None
    phone: Annotated[str, Field(min_length=3, max_length=40)] | None = None
    email: Annotated[str, Field(min_length=3, max_length=254)] | None = None
    tier: Literal["ordinary", "vip"] | None = None


class ComplaintBody(Body):
    """A complaint. ``pile`` may be free text: whoever cannot name the pile is heard all the same."""

    channel: Literal["app", "hotline", "chat", "email", "partner", "social", "regulator", "qr", "csv", "mqtt", "rest"]
    text: Annotated[str, Field(min_length=1, max_length=16_384)]
    pile: Words | None = None
    connector: ConnectorNumber | None = None
    site: Words | None = None
    occurred_at: Moment | None = None
    reporter: ReporterBody | None = None
    expectation: Annotated[str, Field(max_length=2000)] | None = None
    reference: Words | None = None


class CallbackBody(Body):
    """What the reporter said when called back."""

    satisfied: bool
    score: Annotated[int, Field(ge=1, le=5)] | None = None
    comment: Remark | None = None


class ReasonBody(Body):
    """An act that needs nothing but a reason."""

    reason: Reason


class IncidentActionBody(Body):
    """What a person does with an incident."""

    action: Literal["retry", "hold", "release", "dispatch", "approve", "dismiss"]
    reason: Reason


class OrderEventBody(Body):
    """What a field team reports on its order."""

    event: Literal["accept", "depart", "arrive", "wait", "done", "return", "incomplete"]
    reason: Remark = ""
    cause: Remark = ""
    work: Remark = ""
    parts: Annotated[list[Words], Field(max_length=50)] = []
    no_fault_found: bool = False


class CommandBody(Body):
    """An action a person wants on a pile; the gates are asked as always."""

    action: Literal[
        "report", "pull_log", "set_availability", "stop_session", "unlock", "reset_soft", "reset_hard", "power_cycle"
    ]
    connector: ConnectorNumber = 0
    reason: Remark = ""


class SilenceBody(Body):
    """Maintenance on exactly one pile, site or region. Without ``starts_at`` it begins now."""

    ends_at: Moment
    reason: Reason
    starts_at: Moment | None = None
    pile: Id | None = None
    site: Id | None = None
    region: Id | None = None

    @model_validator(mode="after")
    def _one_target(self) -> SilenceBody:
        named = [name for name in ("pile", "site", "region") if getattr(self, name) is not None]
        if len(named) != 1:
            given = " and ".join(named) or "none of them"
            raise PydanticCustomError(
                "one_target",
                f"name exactly one of pile, site, region ({given} given)",
            )
        return self


class KillSwitchBody(Body):
    """Stop every changing command, or allow them again."""

    on: bool
    reason: Reason
