"""The protocol of the lesson: lines of words. Pure and total: any bytes give an event, None, or a quarantined sample.

A gateway stands between us and the piles. It sends lines of UTF-8, and at least one (``alive``) every 30 s::

    alive
    online P1 boot=17
    offline P1
    state P1 uptime=120 1=available/- 2=charging/s-9 fault=ReaderFailure@1
    answer P1 a-204 accepted

In ``state`` a connector has a status and, after the slash, its session: an id, ``-`` for none; without a slash nobody
knows. A fault stands at its connector, ``@0`` is the whole pile. We send one kind of line::

    command P1 a-204 reset_soft 0
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import datetime

from triage.core.effects import Command
from triage.core.events import CommandAnswer, Event, FaultClaim, PileStatus, Quarantined, Reading, Telemetry
from triage.core.vocabulary import AnswerResult, ConnectorStatus

DRIVER = "line"
LINE_LIMIT_BYTES = 4_096

_CONNECTOR = re.compile(r"(\d{1,2})=([a-z_]+)(?:/(\S{1,64}))?\Z")
_FAULT = re.compile(r"fault=([A-Za-z0-9_]{1,64})@(\d{1,2})\Z")
_WORD = re.compile(r"[\x21-\x7e]{1,128}\Z")


class _NonsenseError(Exception):
    """A line means nothing; its text is one of a closed set of reasons, for they become labels of a metric."""


def decode(line: bytes, sites: Mapping[str, str], received_at: datetime) -> Event | None:
    """One line as an event; None for ``alive``. ``sites`` holds the site of every pile of ours.

    The only clock is ``received_at``: a device's own clock decides nothing.
    """
    try:
        words = line.decode().split()
        return _event(words, sites, received_at) if words and words != ["alive"] else None
    except UnicodeDecodeError:
        return quarantine(line, "not_utf8", received_at)
    except _NonsenseError as error:
        return quarantine(line, str(error), received_at)


def _event(words: list[str], sites: Mapping[str, str], received_at: datetime) -> Event:
    kind, pile, *rest = words if len(words) > 1 else (*words, "")
    # Identity comes from the fleet file, never from what somebody says on the wire.
    if pile not in sites:
        raise _NonsenseError("unknown_pile")
    site = sites[pile]
    if kind == "state":
        return _state(site, pile, rest, received_at)
    if kind in {"online", "offline"}:
        boot = [word.removeprefix("boot=") for word in rest if word.startswith("boot=")]
        return PileStatus(
            received_at=received_at, driver=DRIVER, site=site, pile=pile,
            online=kind == "online", boot_id=boot[0] if boot else None,
        )  # fmt: skip
    if kind == "answer" and len(rest) > 1 and rest[1] in set(AnswerResult):
        return CommandAnswer(
            received_at=received_at, site=site, pile=pile,
            command=rest[0], result=AnswerResult(rest[1]), reason=" ".join(rest[2:]),
        )  # fmt: skip
    raise _NonsenseError("wrong_shape")


def _state(site: str, pile: str, words: list[str], received_at: datetime) -> Telemetry:
    uptime_s: float | None = None
    readings: dict[int, Reading] = {}
    faults: list[FaultClaim] = []
    for word in words:
        if word.startswith("uptime="):
            uptime_s = _seconds(word.removeprefix("uptime="))
        elif found := _FAULT.match(word):
            faults.append(FaultClaim(code=found[1], connector=int(found[2])))
        elif found := _CONNECTOR.match(word):
            reading = _reading(int(found[1]), found[2], found[3])
            # Two readings of one connector contradict each other: the later could hide that somebody charges.
            if reading.connector in readings:
                raise _NonsenseError("wrong_shape")
            readings[reading.connector] = reading
        else:
            raise _NonsenseError("wrong_shape")
    # Telemetry is a whole reading: a fault that is not in it is cleared. Half a reading must never be offered.
    return Telemetry(
        received_at=received_at, driver=DRIVER, site=site, pile=pile,
        uptime_s=uptime_s, readings=tuple(readings.values()), faults=tuple(faults),
    )  # fmt: skip


def _reading(connector: int, status: str, session: str | None) -> Reading:
    known = set(ConnectorStatus)
    return Reading(
        connector=connector,
        # A word nobody knows is no guess at the nearest one: the status is unknown, and unknown permits nothing.
        status=ConnectorStatus(status) if status in known else None,
        session=None if session in {None, "-"} else session,
        session_known=session is not None,
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _NonsenseError("wrong_shape") from None
    if not math.isfinite(value) or value < 0:
        raise _NonsenseError("out_of_range")
    return value


def quarantine(line: bytes, reason: str, received_at: datetime) -> Quarantined:
    """Keep a bounded sample of what could not be understood, and the hash of the whole."""
    return Quarantined(
        received_at=received_at, driver=DRIVER, reason=reason, topic="line",
        sample=line[:LINE_LIMIT_BYTES], size=len(line), sha256=hashlib.sha256(line).hexdigest(),
    )  # fmt: skip


def encode(command: Command) -> bytes:
    """A command's line.

    Raises:
        ValueError: a name holds what would end the word or the line.
    """
    words = ("command", command.pile, command.id, command.action.value, str(command.connector))
    for word in words:
        if not _WORD.match(word):
            raise ValueError(f"{word!r} is no word of this protocol")
    return " ".join(words).encode() + b"\n"
