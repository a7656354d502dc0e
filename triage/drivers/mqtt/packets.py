"""The packets that come by the thousand, read straight from the received bytes; pure.

Only whole PUBLISH packets of MQTT 3.1.1 in their ordinary form are read here. Everything else, be it another type, cut
in two by the end of the chunk, longer than 16 KiB or malformed, is left for paho, which knows the whole protocol.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_QOS_1 = 0x02
_RETAINED = 0x01
_ORDINARY = frozenset({0x30, 0x31, 0x32, 0x33, 0x3A, 0x3B})
"""PUBLISH of QoS 0, and of QoS 1 with or without the mark of a repetition; each retained or not."""

_MORE = 0x80  # set in every digit of a length but the last
_LENGTH_DIGITS = 4
_NO_ID = b"\x00\x00"
_PUBACK = b"\x40\x02"


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message as it came; a topic that is no UTF-8 is shown escaped, and so is none of ours."""

    topic: str
    payload: bytes
    retained: bool


def take(chunk: bytes, at: int, limit: int, messages: list[Received], ids: list[bytes]) -> int:
    """Read packets from ``at`` on until ``messages`` holds ``limit`` or one is not ordinary; where it stopped.

    ``ids`` receives the packet id of every QoS 1 message, as :func:`acknowledgements` wants it.
    """
    end = len(chunk)
    room = limit - len(messages)
    while room > 0 and at + 2 < end:
        head = chunk[at]
        size = chunk[at + 1]
        start = at + 2
        if size >= _MORE:
            more = chunk[start]
            if more >= _MORE:
                break
            size += (more << 7) - _MORE
            start += 1
        stop = start + size
        if head not in _ORDINARY or stop > end or size < 2:  # noqa: PLR2004 -- the length of the topic's length
            break
        start += 2
        body = start + (chunk[start - 2] << 8 | chunk[start - 1])
        name = chunk[start:body]
        if head & _QOS_1:
            body += 2
        if body > stop or not name:
            break
        try:
            topic = name.decode()
        except UnicodeDecodeError:
            break
        if head & _QOS_1:
            number = chunk[body - 2 : body]
            if number == _NO_ID:
                break
            ids.append(number)
        messages.append(Received(topic, chunk[body:stop], head & _RETAINED == _RETAINED))
        room -= 1
        at = stop
    return at


def span(chunk: bytes, at: int) -> int:
    """How many bytes the packet at ``at`` has in all, whatever its type; 0 while too few are there to tell."""
    size = 0
    for digit, place in enumerate(range(at + 1, at + 1 + _LENGTH_DIGITS)):
        if place >= len(chunk):
            return 0
        value = chunk[place]
        size |= (value & ~_MORE) << 7 * digit
        if value < _MORE:
            return 2 + digit + size
    return 2 + _LENGTH_DIGITS  # malformed: paho reads one digit more than there may be, and refuses


def acknowledgements(ids: Sequence[bytes]) -> bytes:
    """A PUBACK for each of ``ids``, as one run of bytes."""
    return b"".join([_PUBACK + number for number in ids])
