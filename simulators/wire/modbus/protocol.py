"""Modbus requests and answers without header and transport, after the application protocol V1.1b3."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from simulators.wire.modbus.image import Table
    from simulators.wire.modbus.words import Words

MOST_WORDS = 125
MOST_BITS = 2000
MOST_WORDS_WRITTEN = 123
MOST_BITS_WRITTEN = 1968
ERROR = 0x80
ON, OFF = 0xFF00, 0x0000
MULTIPLE_HEAD = 6
READS: dict[int, Table] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
BITS = (1, 2)
SINGLE: dict[int, Table] = {5: "coil", 6: "holding"}
MULTIPLE: dict[int, Table] = {15: "coil", 16: "holding"}


class Code(IntEnum):
    """Exception codes."""

    FUNCTION = 1
    ADDRESS = 2
    VALUE = 3
    FAILURE = 4
    BUSY = 6
    NO_ANSWER_BEHIND = 11


class Refusal(Exception):  # noqa: N818 - an answer of the protocol, and no error of the program
    """The request is answered with an exception."""

    def __init__(self, code: Code) -> None:
        """``code`` is what the other side is told."""
        super().__init__(f"exception {code}")
        self.code = code


class Registers(Protocol):
    """What requests are put to."""

    def read(self, table: Table, address: int, count: int) -> Words:
        """Registers or bits as they are now."""

    def write(self, table: Table, address: int, words: Words) -> None:
        """Change registers or bits."""


def answer(request: bytes, registers: Registers) -> bytes:
    """Carry out one request; what it gets wrong is answered with an exception."""
    function = request[0]
    try:
        return _carried_out(function, request, registers)
    except Refusal as refusal:
        return refused(function, refusal.code)
    except struct.error:
        return refused(function, Code.VALUE)


def refused(function: int, code: Code) -> bytes:
    """The answer with an exception."""
    return bytes([function | ERROR, code])


def _carried_out(function: int, request: bytes, registers: Registers) -> bytes:
    if function in READS:
        return _read(function, request, registers)
    if function in SINGLE:
        address, value = struct.unpack(">HH", request[1:])
        if SINGLE[function] == "coil" and value not in {ON, OFF}:
            raise Refusal(Code.VALUE)
        registers.write(SINGLE[function], address, [int(value == ON) if SINGLE[function] == "coil" else value])
        return request
    if function in MULTIPLE:
        address, words = _several(function, request)
        registers.write(MULTIPLE[function], address, words)
        return request[:5]
    raise Refusal(Code.FUNCTION)


def _read(function: int, request: bytes, registers: Registers) -> bytes:
    address, count = struct.unpack(">HH", request[1:])
    bits = function in BITS
    if not 1 <= count <= (MOST_BITS if bits else MOST_WORDS):
        raise Refusal(Code.VALUE)
    if address + count > 1 << 16:
        raise Refusal(Code.ADDRESS)
    words = registers.read(READS[function], address, count)
    data = _packed(words) if bits else struct.pack(f">{count}H", *words)
    return bytes([function, len(data)]) + data


def _several(function: int, request: bytes) -> tuple[int, Words]:
    address, count, size = struct.unpack(">HHB", request[1:MULTIPLE_HEAD])
    data = request[MULTIPLE_HEAD:]
    bits = MULTIPLE[function] == "coil"
    most = MOST_BITS_WRITTEN if bits else MOST_WORDS_WRITTEN
    if not 1 <= count <= most or size != len(data) or size != ((count + 7) // 8 if bits else 2 * count):
        raise Refusal(Code.VALUE)
    if address + count > 1 << 16:
        raise Refusal(Code.ADDRESS)
    if bits:
        return address, [data[place // 8] >> place % 8 & 1 for place in range(count)]
    return address, list(struct.unpack(f">{count}H", data))


def _packed(bits: Words) -> bytes:
    packed = bytearray((len(bits) + 7) // 8)
    for place, bit in enumerate(bits):
        packed[place // 8] |= bool(bit) << place % 8
    return bytes(packed)
