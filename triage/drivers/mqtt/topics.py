"""Topics of the native dialect: the kind of message, and of which pile. Identity is here, never in a payload."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

PREFIX = "pile/v1/"
COMPLAINTS = "pile/v1/complaints"
SUBSCRIPTIONS: tuple[tuple[str, int], ...] = (
    ("pile/v1/+/+/telemetry", 1),
    ("pile/v1/+/+/status", 1),
    ("pile/v1/+/+/command/ack", 1),
    (COMPLAINTS, 1),
    # Only to notice retained commands; our own come back as echoes and are not worth an acknowledgement.
    ("pile/v1/+/+/command", 0),
)
"""What the driver asks the broker for: (filter, QoS)."""

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CACHE_LIMIT = 262_144  # three topics of some 87,000 piles


class Kind(StrEnum):
    """The kinds of messages of the dialect."""

    TELEMETRY = "telemetry"
    STATUS = "status"
    ANSWER = "command/ack"
    COMMAND = "command"
    COMPLAINT = "complaints"


class Address(NamedTuple):
    """What a topic says: the kind of message and, but for complaints, the pile it is about."""

    kind: Kind
    site: str
    pile: str


class BadTopicError(ValueError):
    """The topic has the dialect's shape but a malformed id."""


class UnknownTopicError(ValueError):
    """The topic is none of the dialect's."""


_TAILS = {kind.value: kind for kind in (Kind.TELEMETRY, Kind.STATUS, Kind.ANSWER, Kind.COMMAND)}


def is_id(text: str) -> bool:
    """Whether ``text`` may stand as a site's or a pile's id: 1 to 64 of ``A-Z a-z 0-9 . _ -``, not ``.`` or ``..``."""
    return _ID.fullmatch(text) is not None and text not in {".", ".."}


def parse(topic: str) -> Address:
    """Read a topic.

    Raises:
        UnknownTopicError: it is none of the dialect's.
        BadTopicError: an id in it is malformed.
    """
    if topic == COMPLAINTS:
        return Address(Kind.COMPLAINT, "", "")
    if not topic.startswith(PREFIX):
        raise UnknownTopicError(topic)
    site, _, rest = topic[len(PREFIX) :].partition("/")
    pile, _, tail = rest.partition("/")
    kind = _TAILS.get(tail)
    if kind is None:
        raise UnknownTopicError(topic)
    if not (is_id(site) and is_id(pile)):
        raise BadTopicError(topic)
    return Address(kind, site, pile)


def command_topic(site: str, pile: str) -> str:
    """Where commands for a pile go.

    Raises:
        BadTopicError: an id is malformed; a topic made of it could reach other piles or none.
    """
    if not (is_id(site) and is_id(pile)):
        raise BadTopicError(f"{site}/{pile}")
    return f"{PREFIX}{site}/{pile}/command"


class TopicBook:
    """Topics already read, so that a pile's second message costs one dict look-up. Bounded; bad topics are not kept."""

    def __init__(self, limit: int = _CACHE_LIMIT) -> None:
        """Keep at most ``limit`` topics."""
        self._limit = limit
        self._known: dict[str, Address] = {}

    def read(self, topic: str) -> Address:
        """Read a topic; raises what :func:`parse` raises."""
        address = self._known.get(topic)
        if address is None:
            address = parse(topic)
            if len(self._known) >= self._limit:
                self._known.clear()
            self._known[topic] = address
        return address
