"""Commands whose answer is awaited, each matched with the answer that belongs to it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from triage.config.profile.actions import Answered
from triage.core.effects import Command
from triage.core.events import CommandAnswer
from triage.core.vocabulary import AnswerResult
from triage.drivers.dialect.device import Device, Moment
from triage.drivers.dialect.tongue import AnswerReader
from triage.drivers.mqtt.counters import Counters
from triage.drivers.profiles.topics import NOT_SAID, Path, UnreadableError, read_payload, scalar
from triage.drivers.profiles.values import same, text

A_PILE = 16
"""Commands of one pile that may wait at once; the oldest gives way."""

REASON_CHARS = 500


class Waiting(Struct):
    """A command that was published. ``last``: nothing more of it will be; ``refused``: nothing more of it should be."""

    command: Command
    within_s: float
    deadline_s: float = 0.0
    last: bool = False
    refused: bool = False


class Answers:
    """Waits for answers. At most one is told of each command, and none after its time."""

    def __init__(self, counters: Counters) -> None:
        """Nobody waits."""
        self._counters = counters
        self._waiting: dict[str, list[Waiting]] = {}

    def expect(self, command: Command, within_s: float) -> Waiting:
        """Wait for the answer to ``command``; its deadline is to be set with each message of it."""
        waiting = Waiting(command, within_s)
        of_pile = self._waiting.setdefault(command.pile, [])
        if len(of_pile) >= A_PILE:
            of_pile.pop(0)
            self._counters.count("answers_given_up")
        of_pile.append(waiting)
        return waiting

    def drop(self, waiting: Waiting) -> None:
        """Stop waiting."""
        of_pile = self._waiting.get(waiting.command.pile, [])
        if waiting in of_pile:
            of_pile.remove(waiting)
        if not of_pile:
            self._waiting.pop(waiting.command.pile, None)

    def forget(self) -> None:
        """The connection is gone: what is answered meanwhile is not heard, and a later answer may be another's."""
        self._waiting.clear()

    def heard(
        self, device: Device, reader: AnswerReader, payload: bytes, id_in_topic: str | None, now: Moment
    ) -> CommandAnswer | None:
        """What an answer that arrived means, or None when it answers nothing that we asked.

        Raises:
            UnreadableError: it cannot be read.
        """
        if device.pile not in self._waiting:
            return None
        named = id_in_topic if id_in_topic is not None else _word(reader.id, payload, reader.spec)
        by_id = reader.id is not None or id_in_topic is not None
        waiting = self._match(device.pile, reader, now, named=named, by_id=by_id)
        if waiting is None:
            return None
        said = scalar(_found(reader.base.take(payload)))
        if said is None and named is None:
            return None  # something else that is told on the same topic
        result = _result(reader.spec, said)
        if result is AnswerResult.ACCEPTED and not waiting.last:
            return None  # an earlier message of several; the last one's answer counts
        self.drop(waiting)
        waiting.refused = result is not AnswerResult.ACCEPTED
        reason = _reason(reader, payload)
        if reason is None and result is not AnswerResult.ACCEPTED:
            reason = text(said)
        return CommandAnswer(
            received_at=now.at,
            site=device.registration.site,
            pile=device.pile,
            command=waiting.command.id,
            result=result,
            reason=(reason or "")[:REASON_CHARS],
        )

    def _match(self, pile: str, reader: AnswerReader, now: Moment, *, named: str | None, by_id: bool) -> Waiting | None:
        """By its id where answers carry one, else the oldest that still waits."""
        for waiting in tuple(self._waiting.get(pile, ())):
            command = waiting.command
            if now.at_s > waiting.deadline_s:
                self.drop(waiting)
                continue
            if command.action is not reader.action or (reader.connector and command.connector != reader.connector):
                continue
            if not by_id or named == command.id:
                return waiting
        return None


def _result(spec: Answered, said: Any) -> AnswerResult:
    if any(same(said, each) for each in spec.accepted):
        return AnswerResult.ACCEPTED
    if any(same(said, each) for each in spec.unsupported):
        return AnswerResult.UNSUPPORTED
    return AnswerResult.REFUSED


def _reason(reader: AnswerReader, payload: bytes) -> str | None:
    try:
        return _word(reader.reason, payload, reader.spec)
    except UnreadableError:
        return None  # the answer counts, whatever words go with it


def _found(said: Any) -> Any:
    return None if said is NOT_SAID else said


def _word(path: Path | None, payload: bytes, spec: Answered) -> str | None:
    """The word at ``path``, None where there is none."""
    if path is None:
        return None
    if spec.payload != "json":
        raise UnreadableError("is no JSON")
    return text(scalar(_found(path.find(read_payload(payload, "json"))))) or None
