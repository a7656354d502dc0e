"""Words of a Modbus device to values and back. Total: any words give a value, no value, or an impossible one."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence

from triage.config.profile.addresses import AddressError, wire_address, wire_unit
from triage.config.profile.registers import Modbus, Register
from triage.config.profile.scaling import Scaling
from triage.config.profile.writing import BITS, CODECS, FLOATS, SIGNED, UnwritableError, markers, raw_for
from triage.drivers.profiles.values import ImpossibleError, Value, text, visible

__all__ = ["AddressError", "Decoder", "UnwritableError", "address", "compile", "decode", "encode", "unit_id"]

Decoder = Callable[[Sequence[int]], Value]
"""Words, as they came, to a value; raises ImpossibleError beyond the register's ``range``."""

Number = Callable[[Sequence[int]], float | None]

address = wire_address
unit_id = wire_unit

_BYTE = 8
_LOW = 0xFF
_DIGIT = 9


def decode(register: Register, words: Sequence[int], device: Modbus) -> Value:
    """The scaled value of ``words``; None where they hold none.

    Raises:
        ImpossibleError: beyond the register's ``range``.
    """
    return compile(register, device)(words)


def compile(register: Register, device: Modbus) -> Decoder:  # noqa: A001 -- what it does; nobody compiles Python here
    """The decoder of ``register``, made once for many looks."""
    size = register.size
    inner = _decoder(register, device)

    def decoded(words: Sequence[int]) -> Value:
        return inner(words) if len(words) == size else None

    return decoded


def encode(register: Register, value: bool | float | str, device: Modbus) -> tuple[int, ...]:  # noqa: FBT001 -- data
    """The words that say ``value``; the same words read as the same value again.

    Raises:
        UnwritableError: read-only, forbidden, not allowed, outside the limits, or not representable.
    """
    words = _words(register, raw_for(register, value), device)
    try:
        again = decode(register, words, device)
    except ImpossibleError as error:
        raise UnwritableError(f"{text(value)} would be read as nonsense: {error}") from None
    if not _alike(again, value):
        raise UnwritableError(f"{text(value)} would be read as {text(again) or 'no value'}")
    return words


def _decoder(register: Register, device: Modbus) -> Decoder:
    if register.type == "bool":
        return lambda words: bool(words[0])
    ordered = _ordered(register, device)
    if register.type == "text":
        return _text(register, ordered)
    if register.type == "char":
        return _char(ordered, high=register.byte == "high")
    raw = _float(register, ordered) if register.type in FLOATS else _whole(register, ordered)
    return _scaled(register, raw)


def _scaled(register: Register, raw: Number) -> Decoder:
    nothing = markers(register)
    apply = Scaling(register.scale, register.offset).apply
    least, most = register.range or (-math.inf, math.inf)
    unit = f" {register.unit}" if register.unit else ""

    def decoded(words: Sequence[int]) -> Value:
        found = raw(words)
        if found is None or found in nothing:
            return None
        try:
            value = apply(found)
        except OverflowError:
            raise ImpossibleError(f"says {found} before scaling, which no number can hold afterwards") from None
        if not least <= value <= most:
            raise ImpossibleError(f"says {value:.10g}{unit}; possible is {least:.10g} to {most:.10g}{unit}")
        return value

    return decoded


def _ordered(register: Register, device: Modbus) -> Callable[[Sequence[int]], Sequence[int]]:
    """Words in the order in which they are written on paper: the most significant first, bytes alike."""
    backwards = register.type != "text" and (register.word_order or device.word_order) == "lsw_first"
    swapped = (register.byte_order or device.byte_order) == "little"
    if not swapped:
        return (lambda words: words[::-1]) if backwards else (lambda words: words)
    if backwards:
        return lambda words: [_swap(word) for word in reversed(words)]
    return lambda words: [_swap(word) for word in words]


def _swap(word: int) -> int:
    return (word & _LOW) << _BYTE | word >> _BYTE


def _joined(words: Sequence[int]) -> int:
    joined = 0
    for word in words:
        joined = joined << 16 | word
    return joined


def _whole(register: Register, ordered: Callable[[Sequence[int]], Sequence[int]]) -> Number:
    bits = BITS[register.type]
    every = (1 << bits) - 1
    down = _BYTE if register.byte == "high" else 0
    shift, mask = register.shift, register.mask
    sign = 1 << (bits - 1) if register.type in SIGNED and mask is None else 0
    kept = every if mask is None else mask
    decimal = register.type.startswith("bcd")

    def number(words: Sequence[int]) -> int | None:
        pattern = _joined(ordered(words)) >> down & every
        if sign and pattern & sign:
            return (pattern - every - 1) >> shift
        pattern = pattern >> shift & kept
        return _decimal(pattern) if decimal else pattern

    return number


def _decimal(pattern: int) -> int | None:
    """Four bits a digit; a digit beyond nine is none, and then there is no number."""
    digits = f"{pattern:x}"
    return int(digits) if digits.isdecimal() else None


def _float(register: Register, ordered: Callable[[Sequence[int]], Sequence[int]]) -> Number:
    size, form = (4, ">f") if register.type == "f32" else (8, ">d")
    short = register.type == "f32"

    def number(words: Sequence[int]) -> float | None:
        found: float = struct.unpack(form, _joined(ordered(words)).to_bytes(size, "big"))[0]
        if not math.isfinite(found):
            return None
        return _short(found) if short else found

    return number


def _short(number: float) -> float:
    """The shortest decimal that four bytes hold as the same number: 230.1, not 230.10000610351562."""
    if number.is_integer():
        return number
    near = float(f"{number:.7g}")
    try:
        return near if struct.unpack(">f", struct.pack(">f", near))[0] == number else number
    except OverflowError:
        return number


def _char(ordered: Callable[[Sequence[int]], Sequence[int]], *, high: bool) -> Decoder:
    def decoded(words: Sequence[int]) -> Value:
        word = ordered(words)[0]
        letter = chr(word >> _BYTE if high else word & _LOW)
        return letter if letter.isascii() and letter.isprintable() else None

    return decoded


def _text(register: Register, ordered: Callable[[Sequence[int]], Sequence[int]]) -> Decoder:
    codec = CODECS[register.encoding]

    def decoded(words: Sequence[int]) -> Value:
        said = b"".join(word.to_bytes(2, "big") for word in ordered(words))
        if said.count(_LOW) == len(said):
            return None
        letters = said.decode(codec, "replace").lstrip("\x00 \ufeff")
        return visible(letters.partition("\x00")[0].strip(" "))

    return decoded


def _words(register: Register, raw: bool | float | str, device: Modbus) -> tuple[int, ...]:  # noqa: FBT001 -- data
    if register.type == "bool":
        return (int(raw),)
    said = _bytes(register, raw)
    words = [said[at] << _BYTE | said[at + 1] for at in range(0, len(said), 2)]
    return tuple(_ordered(register, device)(words))


def _bytes(register: Register, raw: bool | float | str) -> bytes:  # noqa: FBT001 -- data
    """What the registers hold, the most significant byte first."""
    if isinstance(raw, str):
        if register.type == "char":
            return raw.encode("ascii") + b"\x00" if register.byte == "high" else b"\x00" + raw.encode("ascii")
        return raw.encode(CODECS[register.encoding]).ljust(2 * register.size, b"\x00")
    if register.type in FLOATS:
        return struct.pack(">f" if register.type == "f32" else ">d", raw)
    pattern = int(str(int(raw)), 16) if register.type.startswith("bcd") else int(raw)
    pattern = (pattern << register.shift) & ((1 << BITS[register.type]) - 1)
    if register.byte == "high":
        pattern <<= _BYTE
    return pattern.to_bytes(2 * register.size, "big")


def _alike(again: Value, value: bool | float | str) -> bool:  # noqa: FBT001 -- data
    if isinstance(again, (int, float)) and not isinstance(value, str):
        return math.isclose(again, value, rel_tol=1e-6, abs_tol=1e-9)
    return again == value
