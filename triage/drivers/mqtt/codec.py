"""The native dialect ``pile/v1``: bytes to events and commands to bytes. Pure; total: any bytes give an event.

A payload that cannot be understood becomes a :class:`~triage.core.events.Quarantined` with one of the closed
:class:`Rejection` codes, never an exception, and never a guess.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import UNSET

from triage.core.effects import Command
from triage.core.events import (
    CommandAnswer,
    ComplaintReceived,
    Event,
    FaultClaim,
    PileStatus,
    Quarantined,
    Reading,
    Reporter,
    Telemetry,
)
from triage.core.vocabulary import BootReason, Channel, Tier
from triage.drivers.mqtt.shapes import (
    AnswerShape,
    ComplaintShape,
    ConnectorShape,
    FaultShape,
    ReporterShape,
    StatusShape,
    TelemetryShape,
)
from triage.drivers.mqtt.topics import Address, BadTopicError, Kind, TopicBook, UnknownTopicError, command_topic

DRIVER = "mqtt"
PAYLOAD_LIMIT_BYTES = 65_536
SAMPLE_LIMIT_BYTES = 4_096
TOPIC_SAMPLE_CHARS = 256
CORE_ARGS = frozenset({"silent_ok"})
"""Arguments the core addresses to the second look; they never go to a device."""

_TS_LIMIT_BYTES = 64
_BOOT_REASONS = frozenset(BootReason)
# What msgspec says of a number outside its bounds, against everything else that it says of a wrong shape.
_OUT_OF_RANGE = (
    "Expected `float` >= ",
    "Expected `float` <= ",
    "Expected `int` >= ",
    "Expected `int` <= ",
    "Number out of range",
    "Integer value out of range",
)


class Rejection(StrEnum):
    """Why a message was quarantined."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    OUT_OF_RANGE = "out_of_range"
    BAD_TOPIC = "bad_topic"
    IDENTITY_MISMATCH = "identity_mismatch"
    UNKNOWN_TOPIC = "unknown_topic"
    RETAINED_COMMAND = "retained_command"


class _RejectedError(Exception):
    """A payload is refused for ``reason``."""

    def __init__(self, reason: Rejection) -> None:
        self.reason = reason
        super().__init__(reason.value)


_TELEMETRY = msgspec.json.Decoder(TelemetryShape)
_STATUS = msgspec.json.Decoder(StatusShape)
_ANSWER = msgspec.json.Decoder(AnswerShape)
_COMPLAINT = msgspec.json.Decoder(ComplaintShape)
_ANYTHING = msgspec.json.Decoder()
_SORTED = msgspec.json.Encoder(order="sorted")
_COMMAND = msgspec.json.Encoder()


def _device_time(raw: msgspec.Raw) -> datetime | None:
    """A device's RFC 3339 time as UTC; None when it says none, or nonsense (a leap second included)."""
    text = bytes(raw)
    if not text.startswith(b'"') or len(text) > _TS_LIMIT_BYTES:
        return None
    try:
        moment = datetime.fromisoformat(text[1:-1].decode())
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _clean(text: str | None) -> str:
    """Free text without NUL, which PostgreSQL cannot keep."""
    if not text:
        return ""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}") if "\x00" in text else text


def _token(text: str) -> str:
    """An identifier as it came; one with NUL in it is none."""
    if "\x00" in text:
        raise _RejectedError(Rejection.WRONG_SHAPE)
    return text


def _same_identity(body: TelemetryShape | StatusShape | AnswerShape, where: Address) -> None:
    """A payload may repeat its pile's name, but may not name another."""
    if (body.pile is not None and body.pile != where.pile) or (body.site is not None and body.site != where.site):
        raise _RejectedError(Rejection.IDENTITY_MISMATCH)


def _reading(shape: ConnectorShape) -> Reading:
    session = shape.session
    known = session is not UNSET
    return Reading(
        connector=shape.id,
        status=shape.status,
        session=_token(session) if isinstance(session, str) else None,
        session_known=known,
        voltage_v=shape.voltage_v,
        current_a=shape.current_a,
        power_w=shape.power_w,
        energy_wh=shape.energy_wh,
        temperature_c=shape.temperature_c,
    )


def _claim(shape: FaultShape) -> FaultClaim:
    return FaultClaim(code=_token(shape.code), connector=shape.connector, info=_clean(shape.info))


def _telemetry(payload: bytes, where: Address, retained: bool, received_at: datetime) -> Event:  # noqa: FBT001
    body = _TELEMETRY.decode(payload)
    _same_identity(body, where)
    readings = tuple([_reading(shape) for shape in body.connectors])
    # Two readings of one connector contradict each other: the later could hide that somebody is charging.
    if len(readings) > 1 and len({reading.connector for reading in readings}) != len(readings):
        raise _RejectedError(Rejection.WRONG_SHAPE)
    return Telemetry(
        received_at=received_at,
        site=where.site,
        pile=where.pile,
        device_at=_device_time(body.ts),
        seq=body.seq,
        uptime_s=body.uptime_s,
        readings=readings,
        faults=tuple([_claim(shape) for shape in body.faults]),
        retained=retained,
    )


def _status(payload: bytes, where: Address, retained: bool, received_at: datetime) -> Event:  # noqa: FBT001
    body = _STATUS.decode(payload)
    _same_identity(body, where)
    reason = body.boot_reason
    if reason is not None:
        reason = BootReason(reason) if reason in _BOOT_REASONS else BootReason.UNKNOWN
    return PileStatus(
        received_at=received_at,
        site=where.site,
        pile=where.pile,
        online=body.online,
        boot_id=None if body.boot_id is None else _token(str(body.boot_id)),
        boot_reason=reason,
        firmware=_clean(body.firmware) or None,
        model=_clean(body.model) or None,
        device_at=_device_time(body.ts),
        retained=retained,
    )


def _answer(payload: bytes, where: Address, retained: bool, received_at: datetime) -> Event:  # noqa: ARG001, FBT001
    body = _ANSWER.decode(payload)
    _same_identity(body, where)
    return CommandAnswer(
        received_at=received_at,
        site=where.site,
        pile=where.pile,
        command=_token(body.id),
        result=body.result,
        reason=_clean(body.reason),
    )


def body_digest(body: dict[str, Any]) -> str:
    """SHA-256 (hex) of a complaint's canonical body: keys sorted, no spaces, UTF-8, the idempotency id left out."""
    return hashlib.sha256(_SORTED.encode({key: body[key] for key in body if key != "id"})).hexdigest()


def _reporter(shape: ReporterShape | None) -> Reporter:
    if shape is None:
        return Reporter()
    return Reporter(
        name=_clean(shape.name) or None,
        phone=_clean(shape.phone) or None,
        email=_clean(shape.email) or None,
        tier=shape.tier or Tier.ORDINARY,
    )


def _complaint(payload: bytes, where: Address, retained: bool, received_at: datetime) -> Event:  # noqa: ARG001, FBT001
    body = _COMPLAINT.decode(payload)
    return ComplaintReceived(
        received_at=received_at,
        actor=DRIVER,
        key=_token(body.id),
        scope="complaint",
        digest=body_digest(_ANYTHING.decode(payload)),
        channel=body.channel or Channel.MQTT,
        text=_clean(body.text),
        pile=_clean(body.pile) or None,
        connector=body.connector,
        site=_clean(body.site) or None,
        occurred_at=_device_time(body.occurred_at),
        reporter=_reporter(body.reporter),
        expectation=_clean(body.expectation) or None,
        reference=_clean(body.reference) or None,
    )


_READERS: dict[Kind, Callable[[bytes, Address, bool, datetime], Event]] = {
    Kind.TELEMETRY: _telemetry,
    Kind.STATUS: _status,
    Kind.ANSWER: _answer,
    Kind.COMPLAINT: _complaint,
}


def _cause(error: Exception, payload: bytes) -> Rejection:
    """Which of the closed codes describes what the decoder said."""
    if isinstance(error, _RejectedError):
        return error.reason
    if isinstance(error, msgspec.ValidationError):
        return Rejection.OUT_OF_RANGE if str(error).startswith(_OUT_OF_RANGE) else Rejection.WRONG_SHAPE
    if isinstance(error, RecursionError):
        return Rejection.WRONG_SHAPE
    try:
        payload.decode()
    except UnicodeDecodeError:
        return Rejection.NOT_UTF8
    return Rejection.NOT_JSON


def quarantine(
    topic: str, payload: bytes, reason: Rejection, received_at: datetime, pile: str | None = None
) -> Quarantined:
    """Keep a bounded sample of a message, and the hash of the whole."""
    return Quarantined(
        received_at=received_at,
        driver=DRIVER,
        reason=reason.value,
        topic=_clean(topic[:TOPIC_SAMPLE_CHARS]),
        sample=bytes(payload[:SAMPLE_LIMIT_BYTES]),
        size=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
        pile=pile,
    )


class Codec:
    """Reads messages; the only state is the book of topics already seen."""

    def __init__(self) -> None:
        """Start with no topic known."""
        self._topics = TopicBook()

    def decode(self, topic: str, payload: bytes, *, retained: bool, received_at: datetime) -> Event | None:
        """Read one message. None means a live command on its way to a pile: our own echo, not worth reading."""
        try:
            where = self._topics.read(topic)
        except BadTopicError:
            return quarantine(topic, payload, Rejection.BAD_TOPIC, received_at)
        except UnknownTopicError:
            return quarantine(topic, payload, Rejection.UNKNOWN_TOPIC, received_at)
        pile = where.pile or None
        if where.kind is Kind.COMMAND:
            if not retained or not payload:
                return None
            return quarantine(topic, payload, Rejection.RETAINED_COMMAND, received_at, pile)
        if len(payload) > PAYLOAD_LIMIT_BYTES:
            return quarantine(topic, payload, Rejection.TOO_LARGE, received_at, pile)
        try:
            return _READERS[where.kind](payload, where, retained, received_at)
        except (_RejectedError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            return quarantine(topic, payload, _cause(error, payload), received_at, pile)


def encode(command: Command) -> tuple[str, bytes]:
    """A command's topic and payload, without what the core says to the second look alone.

    Raises:
        BadTopicError: the site's or pile's id is malformed.
        TypeError: an argument cannot be written as JSON.
    """
    body = {
        "id": command.id,
        "action": command.action.value,
        "connector": command.connector,
        "args": {key: value for key, value in command.args.items() if key not in CORE_ARGS},
        "expires_at": command.expires_at.astimezone(UTC),
    }
    return command_topic(command.site, command.pile), _COMMAND.encode(body)
