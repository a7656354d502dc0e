"""What proves an attempt: newer than the command, and independent of the device's answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from triage.core.events import Registration
from triage.core.evidence import facts, find
from triage.core.fleet import Connector, Pile, Symptom
from triage.core.incident import Attempt, Incident
from triage.core.plan import PROOFS, Step
from triage.core.policy import Policy
from triage.core.vocabulary import (
    Action,
    ConnectorStatus,
    Family,
    IncidentState,
    Link,
    Result,
    SymptomKind,
)

SENT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
POLICY = Policy().faster()
RESET = Step(id="soft", action=Action.RESET_SOFT, proof=("booted", "fault_absent", "fresh"), verify_s=420)


def at(seconds: float) -> datetime:
    return SENT + timedelta(seconds=seconds)


def attempt(action: Action = Action.RESET_SOFT, **changes: Any) -> Attempt:
    plain = Attempt(
        id="I1.1",
        step="soft",
        action=action,
        connector=1,
        sent_at=SENT,
        expires_at=at(60),
        verify_by=at(420),
        left=True,
    )
    return replace(plain, **changes)


INCIDENT = Incident(
    id="I1",
    pile="P1",
    site="S1",
    region="r",
    connector=1,
    family=Family.INTERNAL,
    kind="fault_claimed",
    state=IncidentState.RECOVERING,
    state_since=SENT,
    opened_at=SENT,
    wake_at=None,
)
TROUBLE = Symptom(
    kind=SymptomKind.FAULT_CLAIMED, family=Family.INTERNAL, connector=1, since=SENT, holds_at=SENT, what="InternalError"
)
GONE = replace(TROUBLE, kind=SymptomKind.OFFLINE, family=Family.OFFLINE, connector=0)


def pile(heard_s: float | None = None, booted_s: float | None = None, *symptoms: Symptom) -> Pile:
    return Pile(
        registration=Registration(pile="P1", site="S1", region="r"),
        link=Link.ONLINE,
        heard_at=None if heard_s is None else at(heard_s),
        booted_at=None if booted_s is None else at(booted_s),
        seen_since_start=True,
        connectors=(Connector(number=1, as_of=SENT, status=ConnectorStatus.AVAILABLE, session_known=True),),
        symptoms=symptoms,
    )


def result(of: Attempt, known: Pile, now_s: float, step: Step = RESET) -> Result | None:
    return find(of, step, INCIDENT, known, POLICY, at(now_s)).result


def test_accepted_proves_nothing() -> None:
    assert result(attempt(answer="accepted"), pile(-10), 200) is None
    assert result(attempt(answer="accepted"), pile(300, None, TROUBLE), 421) is Result.FAILED


@pytest.mark.parametrize("answer", ["refused", "unsupported"])
def test_a_refusal_is_a_refusal(answer: str) -> None:
    assert result(attempt(answer=answer), pile(-10, None, TROUBLE), 5) is Result.REFUSED


def test_what_did_not_leave_was_refused_not_failed() -> None:
    assert result(attempt(left=False), pile(-10, None, TROUBLE), 5) is Result.REFUSED


def test_a_boot_and_a_clean_reading_after_it_prove_a_reset() -> None:
    assert result(attempt(), pile(60, 40), 61) is Result.PASSED


def test_a_clean_reading_from_before_the_boot_proves_nothing() -> None:
    assert result(attempt(), pile(20, 40), 61) is None


def test_a_boot_from_before_the_command_proves_nothing() -> None:
    assert result(attempt(), pile(60, -1), 61) is None


def test_without_a_boot_a_clean_pile_healed_by_itself() -> None:
    finding = find(attempt(), RESET, INCIDENT, pile(400), POLICY, at(421))
    assert finding.result is Result.FAILED
    assert finding.by_itself


def test_silence_is_unknown_not_failed() -> None:
    assert result(attempt(), pile(-30), 421) is Result.UNKNOWN
    assert result(attempt(), pile(60, 40, GONE), 421) is Result.UNKNOWN


def test_a_boot_that_keeps_the_trouble_fails_once_it_has_settled() -> None:
    assert result(attempt(), pile(60, 40, TROUBLE), 61) is None
    assert result(attempt(), pile(170, 40, TROUBLE), 170) is Result.FAILED


def test_nobody_knows_what_became_of_a_lost_send() -> None:
    lost = attempt(left=None)
    assert result(lost, pile(400, None, TROUBLE), 421) is Result.UNKNOWN
    assert result(lost, pile(60, 40), 61) is Result.PASSED


def test_an_unknown_proof_proves_nothing() -> None:
    assert result(attempt(), pile(60, 40), 421, replace(RESET, proof=("booted", "magic"))) is not Result.PASSED


def test_a_read_that_shows_the_trouble_has_failed_at_once() -> None:
    step = Step(id="report", action=Action.REPORT, proof=("fresh", "fault_absent"), verify_s=60)
    assert result(attempt(Action.REPORT), pile(2, None, TROUBLE), 3, step) is Result.FAILED
    assert result(attempt(Action.REPORT), pile(2), 3, step) is Result.PASSED
    assert result(attempt(Action.REPORT), pile(-2), 3, step) is None


@pytest.mark.parametrize(
    ("proof", "changes", "passes"),
    [
        ("status_idle", {"status": ConnectorStatus.AVAILABLE}, True),
        ("status_idle", {"status": ConnectorStatus.FINISHING}, False),
        ("status_idle", {"status": None}, False),
        ("session_ended", {"session": None}, True),
        ("session_ended", {"session": "s1"}, False),
        ("session_ended", {"session_known": False}, False),
    ],
)
def test_connectors_prove_by_what_they_show(proof: str, changes: dict[str, Any], passes: bool) -> None:
    known = pile(5)
    known = replace(known, connectors=(replace(known.connectors[0], as_of=at(5), **changes),))
    step = Step(id="stop", action=Action.STOP_SESSION, proof=(proof,), verify_s=60)
    assert (result(attempt(Action.STOP_SESSION), known, 6, step) is Result.PASSED) is passes


@pytest.mark.parametrize("proof", ["status_idle", "session_ended"])
def test_a_connector_that_has_not_spoken_since_the_command_proves_nothing(proof: str) -> None:
    """Evidence is newer than the command: a fresh message about another connector is none about this one."""
    known = replace(
        pile(5),
        connectors=(
            Connector(number=1, as_of=at(-60), status=ConnectorStatus.AVAILABLE, session_known=True),
            Connector(number=2, as_of=at(5), status=ConnectorStatus.AVAILABLE, session_known=True),
        ),
    )
    step = Step(id="stop", action=Action.STOP_SESSION, proof=(proof,), verify_s=60)
    assert result(attempt(Action.STOP_SESSION), known, 6, step) is not Result.PASSED


@pytest.mark.parametrize("proof", ["status_idle", "session_ended"])
def test_a_connector_that_never_spoke_proves_nothing(proof: str) -> None:
    known = replace(pile(5), connectors=())
    step = Step(id="stop", action=Action.STOP_SESSION, proof=(proof,), verify_s=60)
    assert result(attempt(Action.STOP_SESSION), known, 6, step) is not Result.PASSED


def test_a_restart_of_the_whole_pile_is_proven_at_the_connector_that_had_the_trouble() -> None:
    known = pile(60, 40)
    known = replace(known, connectors=(replace(known.connectors[0], as_of=at(60), status=ConnectorStatus.FINISHING),))
    step = replace(RESET, proof=("booted", "status_idle", "fresh"), scope="pile")
    assert result(attempt(connector=0), known, 61, step) is not Result.PASSED


seconds = st.one_of(st.none(), st.integers(-100, 500))


@given(
    st.sampled_from([Action.RESET_SOFT, Action.UNLOCK, Action.REPORT]),
    st.sampled_from([None, "accepted", "refused"]),
    st.sampled_from([True, False, None]),
    seconds,
    seconds,
    st.booleans(),
    st.lists(st.sampled_from(PROOFS), min_size=1, max_size=4, unique=True),
    st.integers(0, 600),
)
def test_a_pass_is_never_older_than_its_command_and_always_comes_to_an_end(  # noqa: PLR0917 - hypothesis passes them in order
    action: Action,
    answer: str | None,
    left: bool | None,
    heard_s: int | None,
    booted_s: int | None,
    trouble: bool,
    proof: list[str],
    now_s: int,
) -> None:
    known = pile(heard_s, booted_s, *((TROUBLE,) if trouble else ()))
    step = Step(id="x", action=action, proof=tuple(proof), verify_s=420)
    of = attempt(action, answer=answer, left=left)
    found = result(of, known, now_s, step)
    if found is Result.PASSED:
        assert answer == "accepted" or set(proof) - {"answer"}
        assert set(proof) <= {"answer", "booted"} or (heard_s is not None and heard_s > 0)
        assert "booted" not in proof or (booted_s is not None and booted_s > 0)
        assert "fault_absent" not in proof or not trouble
    if now_s >= 420:
        assert found is not None
    assert facts(of, INCIDENT, known, at(now_s))
