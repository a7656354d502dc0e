"""Which command an answer belongs to, and what it means."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.drivers.dialect.speech import START, Speech, at
from triage.core.effects import Command
from triage.core.events import CommandAnswer
from triage.core.vocabulary import Action, AnswerResult
from triage.drivers.dialect.answers import A_PILE, Answers, Waiting
from triage.drivers.mqtt.counters import Counters
from triage.drivers.profiles.topics import UnreadableError

BODY = """
mqtt:
  values:
    state: {topic: "b/{device}/state"}
status: [{from: state, map: {"1": available}}]
actions:
  reset_soft:
    does: {en: by id, zh: 按编号}
    steps: [{publish: {topic: "b/{device}/cmd", payload: "{id}"}}]
    answer: {topic: "b/{device}/reply", path: code, accepted: [200], unsupported: [404], id: id, reason: message}
  reset_hard:
    does: {en: by topic, zh: 按主题}
    steps: [{publish: {topic: "b/{device}/cmd"}}]
    answer: {topic: "b/{device}/result", accepted: [success]}
  unlock:
    does: {en: by connector, zh: 按枪}
    steps: [{publish: {topic: "b/{device}/cmd/{connector}"}}]
    answer: {topic: "b/{device}/{connector}/{id}", accepted: [true]}
"""


class Desk:
    """Commands that wait, and answers that come."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.answers = Answers(self.counters)
        self.speech = Speech(BODY, connectors=2)

    def wait(self, action: Action, id: str = "c-1", connector: int = 0, *, last: bool = True) -> Waiting:
        command = Command(
            id=id,
            site="north",
            pile="p-1",
            driver_profile="box",
            action=action,
            connector=connector,
            issued_at=START,
            expires_at=START + timedelta(seconds=60),
        )
        waiting = self.answers.expect(command, 10.0)
        waiting.deadline_s = at(10).at_s
        waiting.last = last
        return waiting

    def come(self, topic: str, payload: Any, seconds: float = 1.0) -> CommandAnswer | None:
        (target,) = self.speech.fleet.routes.find(f"b/p-1/{topic}")
        (reader,) = target.uses.answers
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.answers.heard(target.device, reader, raw, target.id, at(seconds))


def said(answer: CommandAnswer | None) -> tuple[str, str, str] | None:
    return None if answer is None else (answer.command, answer.result.value, answer.reason)


@pytest.mark.parametrize(
    ("code", "message", "result", "reason"),
    [
        (200, "fine", AnswerResult.ACCEPTED, "fine"),
        ("200", None, AnswerResult.ACCEPTED, ""),
        (404, None, AnswerResult.UNSUPPORTED, "404"),
        (500, "locked", AnswerResult.REFUSED, "locked"),
        (None, None, AnswerResult.REFUSED, ""),
    ],
)
def test_an_answer_with_the_commands_id_decides_it(
    code: object, message: str | None, result: AnswerResult, reason: str
) -> None:
    desk = Desk()
    desk.wait(Action.RESET_SOFT, "c-0")
    desk.wait(Action.RESET_SOFT, "c-1")
    answer = desk.come("reply", {"id": "c-1", "code": code, "message": message})
    assert said(answer) == ("c-1", result.value, reason)
    assert answer is not None
    assert (answer.site, answer.pile, answer.received_at) == ("north", "p-1", at(1).at)
    assert desk.come("reply", {"id": "c-1", "code": 200}) is None, "one answer a command"


@pytest.mark.parametrize("payload", [{"id": "c-9", "code": 200}, {"code": 200}, {"id": None, "code": 200}, {}, []])
def test_what_answers_somebody_else_is_not_ours(payload: object) -> None:
    desk = Desk()
    desk.wait(Action.RESET_SOFT)
    assert desk.come("reply", payload) is None
    assert said(desk.come("reply", {"id": "c-1", "code": 200})) == ("c-1", "accepted", "")


def test_without_an_id_the_oldest_that_waits_is_answered() -> None:
    desk = Desk()
    desk.wait(Action.RESET_SOFT, "c-0")
    desk.wait(Action.RESET_HARD, "c-1")
    desk.wait(Action.RESET_HARD, "c-2")
    assert said(desk.come("result", "success")) == ("c-1", "accepted", "")
    assert said(desk.come("result", "not allowed")) == ("c-2", "refused", "not allowed")
    assert desk.come("result", "success") is None


def test_an_answer_that_comes_too_late_answers_nothing() -> None:
    desk = Desk()
    desk.wait(Action.RESET_HARD)
    assert desk.come("result", "success", 10.5) is None


def test_an_id_may_stand_in_the_topic() -> None:
    desk = Desk()
    desk.wait(Action.UNLOCK, "c-1", 1)
    assert desk.come("2/c-1", True) is None, "another connector's"
    assert desk.come("1/c-2", True) is None
    assert said(desk.come("1/c-1", True)) == ("c-1", "accepted", "")


def test_only_the_last_of_several_messages_is_accepted_but_any_may_be_refused() -> None:
    desk = Desk()
    waiting = desk.wait(Action.RESET_HARD, last=False)
    assert desk.come("result", "success") is None
    waiting.last = True
    assert said(desk.come("result", "success")) == ("c-1", "accepted", "")
    waiting = desk.wait(Action.RESET_HARD, last=False)
    assert said(desk.come("result", "no")) == ("c-1", "refused", "no")
    assert waiting.refused


def test_garbage_answers_nothing_and_is_told() -> None:
    desk = Desk()
    assert desk.come("result", b"{") is None, "nobody asked"
    desk.wait(Action.RESET_HARD)
    with pytest.raises(UnreadableError):
        desk.come("result", b"{")
    assert said(desk.come("result", "success")) == ("c-1", "accepted", "")


def test_no_more_than_a_few_wait_and_none_after_the_connection() -> None:
    desk = Desk()
    for number in range(A_PILE + 1):
        desk.wait(Action.RESET_SOFT, f"c-{number}")
    assert desk.come("reply", {"id": "c-0", "code": 200}) is None
    assert desk.counters.totals["answers_given_up"] == 1
    assert said(desk.come("reply", {"id": "c-1", "code": 200})) == ("c-1", "accepted", "")
    desk.answers.forget()
    assert desk.come("reply", {"id": "c-2", "code": 200}) is None
