"""What may be written to a register, and the raw number it takes. The last word before a value leaves for a device."""

from __future__ import annotations

import math
import struct

from triage.config.profile.registers import Register
from triage.config.profile.scaling import Scaling
from triage.errors import TriageError

BITS: dict[str, int] = {
    "u8": 8, "i8": 8, "u16": 16, "i16": 16, "bits16": 16, "bcd16": 16, "u32": 32, "i32": 32, "bits32": 32,
    "bcd32": 32, "u64": 64, "i64": 64, "bits64": 64,
}  # fmt: skip
"""Width of the whole numbers."""

SIGNED = frozenset({"i8", "i16", "i32", "i64"})
FLOATS = frozenset({"f32", "f64"})
CODECS = {"ascii": "ascii", "utf-8": "utf-8", "utf-16": "utf-16-be", "gb18030": "gb18030"}
"""How Python calls the encodings, once the bytes stand in order."""

Raw = bool | int | float | str
_NEAR = 1e-6


class UnwritableError(TriageError):
    """A value must not or cannot be written to a register; the text says why."""


def markers(register: Register) -> frozenset[float]:
    """The raw numbers that mean "no value", as the type reads them: 0xFFFF is -1 in an ``i16``."""
    bits = BITS.get(register.type)
    if bits is None or register.type.startswith("bcd"):
        held = (_kept(each) for each in register.invalid) if register.type == "f32" else ()
        return frozenset((*register.invalid, *held))
    found: set[float] = set()
    for each in register.invalid:
        folded = each
        if isinstance(each, int) and register.mask is None:
            folded = each & ((1 << bits) - 1)
            if register.type in SIGNED and folded >> (bits - 1):
                folded -= 1 << bits
        found.add(folded)
    return frozenset(found)


def span(register: Register) -> tuple[int, int]:
    """The least and the greatest raw number a whole-number register can hold, bits shifted out and masked."""
    bits = BITS[register.type]
    if register.type.startswith("bcd"):
        return 0, 10 ** (bits // 4) - 1
    if register.mask is not None:
        return 0, ((1 << bits) - 1) >> register.shift & register.mask
    if register.type in SIGNED:
        return -(1 << (bits - 1)) >> register.shift, ((1 << (bits - 1)) - 1) >> register.shift
    return 0, ((1 << bits) - 1) >> register.shift


def never_read(register: Register, marker: float) -> str:
    """Why no words of ``register`` ever read as ``marker``, an entry of its ``invalid``; empty when some do."""
    if register.type in FLOATS:
        return "no f32 holds it" if register.type == "f32" and not _fits_f32(marker) else ""
    if register.type not in BITS:
        return ""
    if marker != int(marker):
        return f"the raw number of a {register.type} is a whole one"
    least, most = span(register)
    if register.mask is None and not register.shift and not register.type.startswith("bcd"):
        least, most = -(1 << (BITS[register.type] - 1)), (1 << BITS[register.type]) - 1  # either way of writing a word
    return "" if least <= marker <= most else f"the raw number is {least} to {most}"


def writes_whole_words(register: Register) -> bool:
    """Whether writing the value leaves no other bit of its registers to chance."""
    return register.mask is None and not register.shift and register.byte is None


def raw_for(register: Register, value: Raw) -> Raw:
    """The raw number, text or truth value that stands for ``value``.

    Raises:
        UnwritableError: it is read-only, forbidden, not allowed, outside the limits, or cannot be represented.
    """
    if register.access == "r":
        raise UnwritableError("it is read-only (`access: r`)")
    if register.type in {"text", "char"}:
        return _text(register, value)
    if isinstance(value, str) or (isinstance(value, bool) and register.type != "bool"):
        raise UnwritableError(f"{value!r} is no number")
    _permitted(register, value)
    if register.type == "bool":
        if value not in {0, 1}:
            raise UnwritableError(f"{value!r} is neither true nor false")
        return bool(value)
    raw = _float(register, value) if register.type in FLOATS else _whole(register, value)
    if raw in markers(register):
        raise UnwritableError(f"{_shown(value)} would be read as 'no value' (`invalid`)")
    return raw


def _permitted(register: Register, value: float) -> None:
    if not math.isfinite(value):
        raise UnwritableError(f"{value!r} is no finite number")
    if any(_same(value, each) for each in register.forbidden):
        raise UnwritableError(f"{_shown(value)} must never be written (`forbidden`)")
    if register.allowed and not any(_same(value, each) for each in register.allowed):
        allowed = ", ".join(_shown(each) for each in register.allowed)
        raise UnwritableError(f"{_shown(value)} is not one of the values allowed: {allowed}")
    for name, pair in (("limits", register.limits), ("range", register.range)):
        if pair is not None and not pair[0] <= value <= pair[1]:
            raise UnwritableError(f"{_shown(value)} is outside {_shown(pair[0])} to {_shown(pair[1])} (`{name}`)")


def _float(register: Register, value: float) -> float:
    try:
        raw = float(Scaling(register.scale, register.offset).undo(value))
        return _float32(raw) if register.type == "f32" else raw
    except (ValueError, OverflowError):
        raise UnwritableError(f"{_shown(value)} does not fit {register.type}") from None


def _whole(register: Register, value: float) -> int:
    try:
        exact = Scaling(register.scale, register.offset).undo(value)
    except ValueError:
        raise UnwritableError(f"{_shown(value)} cannot be reached with scale {register.scale}") from None
    raw = round(exact)
    if abs(exact - raw) > _NEAR:
        raise UnwritableError(f"{_shown(value)} is between two steps of {_shown(register.scale)}")
    if not _fits(register, raw):
        raise UnwritableError(f"{_shown(value)} (raw {raw}) does not fit {register.type}")
    return raw


def _fits(register: Register, raw: int) -> bool:
    bits = BITS[register.type]
    if register.type.startswith("bcd"):
        if raw < 0:
            return False
        pattern = int(str(raw), 16)
        return _unmasked(register, pattern) and pattern << register.shift < 1 << bits
    if register.mask is not None:
        return raw >= 0 and _unmasked(register, raw) and raw << register.shift < 1 << bits
    least = -(1 << (bits - 1)) if register.type in SIGNED else 0
    return least <= raw << register.shift < least + (1 << bits)


def _unmasked(register: Register, pattern: int) -> bool:
    return register.mask is None or pattern & register.mask == pattern


def _text(register: Register, value: Raw) -> str:
    if not isinstance(value, str):
        raise UnwritableError(f"{value!r} is no text")
    if register.type == "char":
        if len(value) != 1 or not value.isascii() or not value.isprintable():
            raise UnwritableError(f"{value!r} is not one printable ASCII character")
        return value
    try:
        size = len(value.encode(CODECS[register.encoding]))
    except UnicodeEncodeError:
        raise UnwritableError(f"{value!r} cannot be written in {register.encoding}") from None
    if size > 2 * register.size:
        raise UnwritableError(f"{value!r} takes {size} bytes, and there is room for {2 * register.size}")
    return value


def _float32(number: float) -> float:
    """``number`` as four bytes hold it; infinite where they cannot.

    Raises:
        OverflowError: it is too great.
    """
    return float(struct.unpack(">f", struct.pack(">f", number))[0])


def _kept(number: float) -> float:
    """``number`` as an ``f32`` would read it; one that none can hold is itself, and marks nothing."""
    try:
        return _float32(number)
    except OverflowError:
        return number


def _fits_f32(number: float) -> bool:
    try:
        _float32(number)
    except OverflowError:
        return False
    return True


def _same(value: float, other: float) -> bool:
    return math.isclose(value, other, rel_tol=1e-9, abs_tol=1e-12)


def _shown(number: float) -> str:
    return repr(number).removesuffix(".0")
