"""The registers of a Modbus device: where each value stands, how its bits are read, and what may be written."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from triage.config.profile.words import Name, Number, Prose, Seconds, Text, Unit, Whole
from triage.config.schema import Strict

Table = Literal["coil", "discrete", "input", "holding"]
WordOrder = Literal["msw_first", "lsw_first"]
ByteOrder = Literal["big", "little"]
Type = Literal[
    "bool", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "bcd16", "bcd32", "bits16", "bits32",
    "bits64", "char", "text",
]  # fmt: skip

WORDS: dict[str, int] = {
    "bool": 1, "u8": 1, "i8": 1, "u16": 1, "i16": 1, "bcd16": 1, "bits16": 1, "char": 1,
    "u32": 2, "i32": 2, "f32": 2, "bcd32": 2, "bits32": 2,
    "u64": 4, "i64": 4, "f64": 4, "bits64": 4,
}  # fmt: skip
"""Registers each type takes; ``text`` says it by ``words``."""

MODICON = {0: "coil", 1: "discrete", 3: "input", 4: "holding"}
"""Leading digit of the five- and six-digit notation, and the table it means."""

LAST_ADDRESS = 0xFFFF


class Register(Strict):
    """One value of the device. ``address`` is that of connector 1 where the value belongs to a connector."""

    table: Table = Field(description="coil (FC01/05), discrete (FC02), input (FC04) or holding (FC03/06/16)")
    address: Whole = Field(ge=0, le=499_999, description="as the vendor prints it; see `numbering`")
    type: Type = Field(description="how the bits are read")
    words: Annotated[int, Field(ge=1, le=125)] | None = Field(None, description="registers of a `text`")
    byte: Literal["high", "low"] | None = Field(None, description="which byte holds a `u8`, `i8` or `char`")
    word_order: WordOrder | None = Field(None, description="when it differs from the device's")
    byte_order: ByteOrder | None = Field(None, description="when it differs from the device's")
    encoding: Literal["ascii", "utf-8", "utf-16", "gb18030"] = Field("ascii", description="of a `text`")
    shift: Annotated[int, Field(ge=0, le=63)] = Field(0, description="bits the raw number is shifted right first")
    mask: Whole | None = Field(None, gt=0, description="bits that are kept after the shift")
    invalid: tuple[Number, ...] = Field((), description="raw numbers that mean 'no value'; NaN always does")
    scale: float = Field(1.0, description="the raw number is multiplied by it")
    offset: float = Field(0.0, description="and this is added then")
    unit: Unit | None = Field(None, description="unit after scale and offset; readings are converted from it")
    range: tuple[float, float] | None = Field(None, description="[least, most] after scaling; beyond is nonsense")
    of: Literal["pile", "connector"] = Field("pile", description="whose value it is")
    stride: Whole | None = Field(None, ge=0, description="addresses to the next connector, when not the device's")
    unit_id: Annotated[int, Field(ge=0, le=255)] | None = Field(None, description="when another unit answers for it")
    read: Literal["poll", "start", "never"] = Field("poll", description="every poll, at connecting, or never")
    access: Literal["r", "rw", "w"] = Field("r", description="what the device allows; `w` is never read")
    allowed: tuple[Number, ...] = Field((), description="the only scaled values that may ever be written")
    limits: tuple[float, float] | None = Field(None, description="[least, most] scaled value that may be written")
    forbidden: tuple[Number, ...] = Field((), description="scaled values that must never be written")
    unverified: Prose | None = Field(None, description="what nobody has checked about it; shown to the operator")
    note: Prose | None = Field(None, description="what a reader of this file should know")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.type == "text" and self.words is None:
            raise ValueError("a text needs `words`, the number of its registers")
        if self.type != "text" and self.words is not None:
            raise ValueError(f"`words` is for texts; {self.type} takes {WORDS[self.type]}")
        if self.type in {"u8", "i8", "char"} and self.byte is None:
            raise ValueError(f"a {self.type} needs `byte`: high or low")
        if self.byte is not None and self.type not in {"u8", "i8", "char"}:
            raise ValueError("`byte` is for u8, i8 and char")
        bits = self.table in {"coil", "discrete"}
        if bits != (self.type == "bool"):
            raise ValueError("coils and discrete inputs are `bool`, and nothing else is; use `mask` for bits of a word")
        if self.table in {"discrete", "input"} and self.access != "r":
            raise ValueError(f"a {self.table} register cannot be written; `access` must be r")
        if self.type in {"text", "char", "bool", "f32", "f64"} and (self.mask is not None or self.shift):
            raise ValueError("`shift` and `mask` are for whole numbers")
        for name in ("range", "limits"):
            pair = getattr(self, name)
            if pair is not None and pair[0] >= pair[1]:
                raise ValueError(f"`{name}` is [least, most]")
        return self

    @property
    def size(self) -> int:
        """Registers (or bits) it takes."""
        return self.words or WORDS[self.type]


class Connectors(Strict):
    """How the values of the second and further connectors are found."""

    stride: Whole = Field(0, ge=0, description="addresses from one connector to the next")
    bases: tuple[Whole, ...] = Field((), description="offset of each connector's block, when the steps are uneven")
    unit_stride: Annotated[int, Field(ge=0, le=246)] = Field(0, description="unit ids from one connector to the next")


class Modbus(Strict):
    """How the device is spoken to, and its registers."""

    port: Annotated[int, Field(ge=1, le=65_535)] = Field(502, description="when the fleet's endpoint names none")
    unit_id: Annotated[int, Field(ge=0, le=255)] = Field(1, description="when the fleet's column `unit` is empty")
    framing: Literal["tcp", "rtu", "ascii"] = Field("tcp", description="tcp, or serial frames through a gateway")
    numbering: Literal["protocol", "one_based", "modicon"] = Field(
        "protocol",
        description="protocol: as sent, from 0. one_based: the vendor counts from 1. modicon: 40001, 30001 and so on",
    )
    word_order: WordOrder = Field("msw_first", description="of values that take several registers")
    byte_order: ByteOrder = Field("big", description="inside a register")
    connectors: Connectors = Field(Connectors(), description="how further connectors are found")
    registers_per_read: Annotated[int, Field(ge=1, le=125)] = Field(100, description="most registers of one request")
    gap: Annotated[int, Field(ge=0, le=100)] = Field(8, description="unused registers read along to save a request")
    one_value_per_read: bool = Field(False, description="the device answers no request across values")
    write_function: Literal["auto", "single", "multiple"] = Field(
        "auto", description="auto: FC06 for one register and FC16 for several; single: FC06 only; multiple: FC16 only"
    )
    poll_s: Seconds = Field(5.0, description="time from one reading to the next")
    timeout_s: Annotated[float, Field(ge=0.1, le=30)] = Field(2.0, description="time the device gets to answer")
    retries: Annotated[int, Field(ge=0, le=5)] = Field(1, description="reads asked again before the reading fails")
    spacing_s: Annotated[float, Field(ge=0, le=10)] = Field(0.0, description="pause between two requests")
    registers: dict[Name, Register] = Field(min_length=1, max_length=500, description="the values, by name")
    note: Text | None = Field(None, description="what a reader of this file should know")
