"""What the values of a device mean: its connectors' status, its faults, its readings, who it is and when it started."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from triage.config.profile.words import Name, Prose, Scalar, Text, Unit, Whole
from triage.config.schema import Strict
from triage.core.vocabulary import BootReason, ConnectorStatus

Status = Literal[
    "available", "preparing", "charging", "suspended_ev", "suspended_evse", "finishing", "reserved", "unavailable",
    "faulted", "unknown",
]  # fmt: skip
STATUSES = (*(status.value for status in ConnectorStatus), "unknown")
Reason = Literal["power_up", "remote_reset", "local_reset", "watchdog", "firmware_update", "unknown"]
REASONS = tuple(reason.value for reason in BootReason)


class Test(Strict):
    """A question to one value; all keys must hold. A value nobody knows answers none of them but ``known: false``."""

    eq: Scalar | None = Field(None, description="equal to")
    ne: Scalar | None = Field(None, description="known, and not equal to")
    lt: float | None = Field(None, description="less than")
    le: float | None = Field(None, description="at most")
    gt: float | None = Field(None, description="more than")
    ge: float | None = Field(None, description="at least")
    one_of: tuple[Scalar, ...] | None = Field(None, description="one of these")
    none_of: tuple[Scalar, ...] | None = Field(None, description="known, and none of these")
    any_bit: Whole | None = Field(None, ge=1, description="at least one bit of this mask is set")
    no_bit: Whole | None = Field(None, ge=1, description="no bit of this mask is set")
    matches: Text | None = Field(None, description="regular expression that the whole text matches")
    before: Text | None = Field(None, description="a version earlier than this (numbers are compared as numbers)")
    since: Text | None = Field(None, description="this version or a later one")
    known: bool | None = Field(None, description="whether there is a value at all")

    @field_validator("matches")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"is not a regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("asks nothing; give at least one test")
        return self


Condition = dict[Name, Test | Scalar]
"""Value names and what must hold for each; a plain value means equal. All must hold; an empty one always holds."""


class Case(Strict):
    """One branch: when the condition holds, the value."""

    when: Condition = Field(description="what must hold")
    value: Scalar | None = Field(None, description="the value then")
    of: Name | None = Field(None, description="or the name of the value to take")


WAYS = ("sum", "product", "power_of_ten", "most", "least", "first", "join")
"""The ways of making a value of others that name them in a list."""


class Derived(Strict):
    """A value made of others; exactly one of the ways."""

    sum: tuple[Name, ...] | None = Field(None, description="the sum; unknown when one is")
    product: tuple[Name, ...] | None = Field(None, description="the product; unknown when one is")
    power_of_ten: Annotated[tuple[Name, ...], Field(min_length=2, max_length=2)] | None = Field(
        None, description="[value, exponent]: the value times ten to the exponent, as where scale factors are registers"
    )
    most: tuple[Name, ...] | None = Field(None, description="the greatest of those known")
    least: tuple[Name, ...] | None = Field(None, description="the smallest of those known")
    first: tuple[Name, ...] | None = Field(None, description="the first that is known")
    join: tuple[Name, ...] | None = Field(None, description="as texts, with `separator` between")
    cases: tuple[Case, ...] | None = Field(None, description="the first branch that holds")
    separator: str = Field(".", max_length=8, description="for `join`")
    hex: bool = Field(False, description="whole numbers of a `join` are written in hexadecimal, as in 4:a0")
    scale: float = Field(1.0, description="the number is multiplied by it")
    unit: Unit | None = Field(None, description="unit of the result")
    range: tuple[float, float] | None = Field(None, description="[least, most] of the result; beyond is nonsense")
    note: Prose | None = Field(None, description="what a reader of this file should know")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in (*WAYS, "cases") if getattr(self, name)]
        if len(ways) != 1:
            raise ValueError(f"give exactly one of {', '.join(WAYS)}, cases")
        return self


class StatusRule(Strict):
    """One rule for a connector's status; the first that says something decides."""

    when: Condition = Field(default_factory=dict, description="what must hold; left out: always")
    is_: Status | None = Field(None, alias="is", description="the status then")
    from_: Name | None = Field(None, alias="from", description="or the value whose enumeration says it")
    map: dict[str, Status] = Field(default_factory=dict, description="value to status; what is missing is unknown")
    unverified: tuple[str, ...] = Field((), description="keys of the map that nobody has checked")
    note: Prose | None = Field(None, description="what a reader of this file should know")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.is_ is None) == (self.from_ is None):
            raise ValueError("give either `is`, or `from` with `map`")
        if (self.from_ is None) == bool(self.map):
            raise ValueError("`from` and `map` go together")
        strange = [key for key in self.unverified if key not in self.map]
        if strange:
            raise ValueError(f"unverified key {strange[0]!r} is not in the map")
        return self


class FaultMeaning(Strict):
    """What a code or bit means."""

    is_: Text = Field(alias="is", description="canonical name out of the fault tables, or `unknown`")
    text: Text | None = Field(None, description="the vendor's words, shown beside it")
    unverified: bool = Field(False, description="nobody has checked this meaning")


Meaning = FaultMeaning | Text


class FaultRule(Strict):
    """One source of faults; all rules speak. What no rule explains is a fault of unknown meaning, never reset."""

    when: Condition = Field(default_factory=dict, description="what must hold; left out: always")
    is_: Text | None = Field(None, alias="is", description="the fault while it holds: canonical name, or `unknown`")
    from_: Name | None = Field(None, alias="from", description="or the value that holds a code or a bit mask")
    none: tuple[Scalar, ...] = Field((0, "", False), description="values of a code that mean no fault")
    codes: dict[str, Meaning] = Field(default_factory=dict, description="code to fault")
    ignore: tuple[Scalar, ...] = Field((), description="codes or bits that are states, not faults")
    bits: dict[str, Meaning] = Field(default_factory=dict, description="bit number, from 0, to fault")
    is_mask: bool = Field(False, description="the value is a bit mask even though no bit is known")
    text: Text | None = Field(None, description="words shown beside the fault")
    info: Name | None = Field(None, description="value whose text is shown, and read for words of danger")
    connector: Literal["own", "pile"] = Field("own", description="own: where the value stands; pile: the whole pile")
    note: Prose | None = Field(None, description="what a reader of this file should know")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.is_ is None) == (self.from_ is None):
            raise ValueError("give either `is` (with `when`), or `from` with `codes` or `bits`")
        if self.is_ is not None and (self.codes or self.bits or self.is_mask):
            raise ValueError("`codes` and `bits` need `from`")
        if self.is_ is not None and not self.when:
            raise ValueError("`is` without `when` would claim the fault for ever")
        if self.codes and (self.bits or self.is_mask):
            raise ValueError("a value is either a code or a bit mask: give `codes` or `bits`")
        for key in self.bits:
            if not key.isdigit() or int(key) > 63:  # noqa: PLR2004 -- the widest mask has 64 bits
                raise ValueError(f"bit {key!r} is none; bits are numbered from 0 to 63")
        return self


class Readings(Strict):
    """Which value is which reading of a connector; units are converted."""

    voltage_v: Name | None = Field(None, description="voltage")
    current_a: Name | None = Field(None, description="current; the greatest of the phases")
    power_w: Name | None = Field(None, description="power")
    energy_wh: Name | None = Field(None, description="the meter's lifetime energy")
    temperature_c: Name | None = Field(None, description="temperature")


class Session(Strict):
    """Whether somebody charges. What neither rule decides is unknown, and unknown never permits a reset.

    Left out altogether: a session is live while the status is charging, suspended, preparing or finishing; there is
    none while it is available; and while it is faulted, unavailable or reserved there is none only when a measured
    current or power shows that nothing flows.
    """

    id: Name | None = Field(
        None, description="value that holds the session's id; empty, 0 or JSON null: none; `invalid`: unknown"
    )
    live: tuple[Condition, ...] = Field((), description="a session is live when one of these holds")
    none: tuple[Condition, ...] = Field((), description="there is none when one of these holds, and no live one does")


class Identity(Strict):
    """Who the device says it is."""

    firmware: Name | None = Field(None, description="its firmware")
    model: Name | None = Field(None, description="its model")
    serial: Name | None = Field(None, description="its serial number")
    expect: tuple[Condition, ...] = Field((), description="each must hold, or it is not this model and is left alone")


class Boot(Strict):
    """How a restart is seen."""

    uptime: Name | None = Field(None, description="time since it started; give its unit")
    counter: Name | None = Field(None, description="a number that changes with every start")
    reason: Name | None = Field(None, description="why it started")
    reasons: dict[str, Reason] = Field(default_factory=dict, description="value to reason; others are unknown")
    starting: Condition = Field(default_factory=dict, description="holds while it starts: each beginning is a restart")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.uptime is None and self.counter is None and not self.starting:
            raise ValueError("give uptime, counter or starting, or leave the section out")
        return self


Texts = Annotated[dict[Literal["en", "zh"], Text], Field(min_length=2)]
"""A text in both languages."""
