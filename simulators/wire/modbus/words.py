"""How numbers and texts lie in 16-bit registers, high word first; what does not fit is held at the type's bounds."""

from __future__ import annotations

import struct

Words = list[int]


def u16(value: float) -> Words:
    """An unsigned register."""
    return [_held(value, 0, 0xFFFF)]


def i16(value: float) -> Words:
    """A signed register."""
    return [_held(value, -0x8000, 0x7FFF) & 0xFFFF]


def u32(value: float) -> Words:
    """Two registers, high word first."""
    whole = _held(value, 0, 0xFFFF_FFFF)
    return [whole >> 16, whole & 0xFFFF]


def i32(value: float) -> Words:
    """Two registers, signed, high word first."""
    return u32(_held(value, -0x8000_0000, 0x7FFF_FFFF) & 0xFFFF_FFFF)


def u64(value: float) -> Words:
    """Four registers, high word first."""
    whole = _held(value, 0, (1 << 64) - 1)
    return [whole >> 48 & 0xFFFF, whole >> 32 & 0xFFFF, whole >> 16 & 0xFFFF, whole & 0xFFFF]


def f32(value: float) -> Words:
    """An IEEE 754 single, high word first."""
    return list(struct.unpack(">2H", struct.pack(">f", value)))


def f64(value: float) -> Words:
    """An IEEE 754 double, high word first."""
    return list(struct.unpack(">4H", struct.pack(">d", value)))


def text(value: str, words: int) -> Words:
    """ASCII, two characters a register, the rest filled with zeros."""
    data = value.encode("ascii", "replace")[: 2 * words].ljust(2 * words, b"\0")
    return list(struct.unpack(f">{words}H", data))


def low_first(words: Words) -> Words:
    """The same value with its low word first."""
    return words[::-1]


def _held(value: float, least: int, most: int) -> int:
    return max(least, min(most, round(value)))
