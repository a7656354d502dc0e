"""Devices' answers: what is theirs, what is not, and what comes too late."""

import pytest

from tests.unit.core.film import Film
from triage.core.events import CommandAnswer, EffectOutcome, Quarantined, Registration
from triage.core.vocabulary import Action, AnswerResult, CloseCode, Result


@pytest.fixture
def film() -> Film:
    film = Film(2)
    for actor in film.actors.values():
        actor.back()
    return film.run(1200)


def answer(film: Film, command: str, pile: str = "P1", result: AnswerResult = AnswerResult.REFUSED) -> None:
    film.play(CommandAnswer(received_at=film.now, site="S1", pile=pile, command=command, result=result))


def notes(film: Film, kind: str) -> list[str]:
    return [each.subject for each in film.journal if each.kind == kind]


def test_an_answer_for_another_piles_command_is_a_security_matter(film: Film) -> None:
    film.pile().habits[Action.RESET_SOFT] = film.pile().accept_only
    film.pile().claim("InternalError")
    film.until(film.sent, 600)
    command = film.sent()[0].id
    answer(film, command, pile="P2")
    assert notes(film, "security") == ["P2"]
    assert film.incidents()[0].under_way is not None


@pytest.mark.parametrize("command", ["", "nonsense", "I20260302-000001.99", "I20260302-000009.1", "x" * 500, "."])
def test_an_answer_for_a_command_nobody_sent_is_a_security_matter(film: Film, command: str) -> None:
    film.pile().claim("InternalError")
    answer(film, command)
    assert notes(film, "security") == ["P1"]


def test_the_first_answer_counts(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.ignore
    actor.claim("InternalError")
    film.until(film.sent, 600)
    command = film.sent()[0].id
    answer(film, command, result=AnswerResult.ACCEPTED)
    answer(film, command, result=AnswerResult.REFUSED)
    attempt = film.incidents()[0].attempts[-1]
    assert attempt.answer == "accepted"
    assert attempt.result is None


def test_an_answer_proves_that_a_lost_send_had_left(film: Film) -> None:
    film.dispatch = lambda command: ("lost", "") if command.action is Action.RESET_SOFT else ("sent", "")
    film.pile().claim("InternalError")
    film.until(film.sent, 600)
    answer(film, film.sent()[0].id, result=AnswerResult.ACCEPTED)
    assert film.incidents()[0].attempts[-1].left is True


def test_a_reboot_without_an_answer_and_without_a_birth_is_proof_enough(film: Film) -> None:
    actor = film.pile()

    def quiet_restart(command: object) -> None:
        del command
        actor._fresh_boot()
        actor.faults.clear()

    actor.habits[Action.RESET_SOFT] = quiet_restart
    actor.claim("InternalError")
    film.run(1200)
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY


def test_no_device_does_a_restart_twice_for_one_command(film: Film) -> None:
    actor = film.pile()
    actor.habits[Action.RESET_SOFT] = actor.habits[Action.RESET_HARD] = actor.ignore
    actor.claim("InternalError")
    for _ in range(30):
        film.run(120)
        film.started()
    ids = [command.id for command in film.commands]
    assert len(ids) == len(set(ids))
    assert len(film.sent()) <= 2


@pytest.mark.parametrize("outcome", ["sent", "not_sent", "delivered", "retry", "unknown"])
def test_an_outcome_of_an_effect_nobody_knows_changes_nothing(film: Film, outcome: str) -> None:
    decision = film.play(EffectOutcome(received_at=film.now, effect="I1.1", outcome=outcome))
    assert not getattr(decision, "changes", None)


def test_an_outcome_that_comes_after_the_conclusion_changes_no_result(film: Film) -> None:
    film.dispatch = lambda command: ("lost", "") if command.action is Action.REPORT else ("sent", "")
    film.pile().claim("InternalError")
    film.run(240)
    first = film.all_incidents()[0].attempts[0]
    film.play(EffectOutcome(received_at=film.now, effect=first.id, outcome="not_sent"))
    assert film.all_incidents()[0].attempts[0] == first
    assert first.result is not Result.PASSED


def test_a_reset_that_certainly_did_not_leave_is_no_reset_of_the_pile(film: Film) -> None:
    film.dispatch = lambda command: ("not_sent", "link") if command.action is Action.RESET_SOFT else ("sent", "")
    film.pile().claim("InternalError")
    film.until(film.sent, 600)
    film.run(10)
    assert film.known().resets == ()


def test_commands_expire_soon_and_carry_who_they_are(film: Film) -> None:
    film.pile().claim("InternalError")
    film.run(900)
    assert film.commands
    for command in film.commands:
        assert 0 < (command.expires_at - command.issued_at).total_seconds() <= 60
        assert command.driver_profile == "pile/v1"
        assert command.site == "S1"
    assert len({command.id for command in film.commands}) == len(film.commands)


def test_what_nobody_understands_is_kept_and_counted(film: Film) -> None:
    film.play(
        Quarantined(
            received_at=film.now, driver="mqtt", reason="bad_json", topic="x", sample=b"\xff", size=1, sha256="0" * 64
        )
    )
    assert film.counts["quarantined", "mqtt", "bad_json"] == 1
    assert film.decisions[-1].changes.quarantine[0].sample == b"\xff"


def test_a_reload_keeps_what_is_known(film: Film) -> None:
    film.pile().claim("InternalError")
    film.run(20)
    film.engine.reload(film.rules)
    film.engine.enrol([*film.registrations, Registration(pile="P9", site="S1", region="north")])
    film.run(1200)
    assert film.all_incidents()[0].close_code is CloseCode.RECOVERED_REMOTELY
    assert "P9" in film.engine.state.piles
