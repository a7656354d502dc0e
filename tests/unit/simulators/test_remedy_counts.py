"""I19: the auditor of what remedies cured, and a world in which it really had something to count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulators.invariants.court import Court
from simulators.invariants.remedies import exact
from triage.core.incident import Attempt, Incident
from triage.core.remedies import Remedies, setting
from triage.core.vocabulary import Action, Family, IncidentState, Result

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def attempt(result: Result | None = Result.FAILED, **changes: Any) -> Attempt:
    base: dict[str, Any] = {
        "id": "I1.1",
        "step": "s",
        "action": Action.RESET_SOFT,
        "connector": 0,
        "sent_at": NOW,
        "expires_at": NOW,
        "verify_by": NOW + timedelta(minutes=1),
        "left": True,
        "result": result,
        "model": "AC-7",
        "firmware": "1.0",
    }
    return Attempt(**(base | changes))


def accused(*attempts: Attempt, counted: int = 0, family: Family = Family.INTERNAL) -> list[str]:
    """What the auditor says of these attempts while ``counted`` failures are on record."""
    record = Remedies(model="AC-7", firmware="1.0", fault="InternalError", at=NOW)
    for _ in range(counted):
        record = record.tried(Action.RESET_SOFT, Result.FAILED, NOW)
    incident = Incident(
        id="I1",
        pile="P1",
        site="S1",
        region="r",
        connector=0,
        family=family,
        kind="fault_claimed",
        state=IncidentState.HELD,
        state_since=NOW,
        opened_at=NOW,
        wake_at=NOW,
        attempts=attempts,
    )
    court = Court(lambda: 0.0)
    exact(court, [incident], dict([setting(7, record)]) | {"clock": "x"})
    return [each.text for each in court.violations]


def test_equal_counts_are_no_offence() -> None:
    assert accused(attempt(), attempt(), counted=2) == []


@pytest.mark.parametrize(("counted", "says"), [(1, "1 on record, 2 concluded"), (3, "3 on record, 2 concluded")])
def test_one_too_few_or_too_many_is_told(counted: int, says: str) -> None:
    assert accused(attempt(), attempt(), counted=counted) == [says]


@pytest.mark.parametrize(
    "free",
    [
        attempt(None),
        attempt(Result.REFUSED),
        attempt(action=Action.REPORT),
        attempt(left=False),
        attempt(Result.UNKNOWN, left=None),
    ],
)
def test_what_was_not_carried_out_is_not_to_be_counted(free: Attempt) -> None:
    assert accused(free) == []
    assert accused(free, counted=1) == ["1 on record, 0 concluded"]


def test_an_unknown_outcome_with_a_trace_is_to_be_counted() -> None:
    assert accused(attempt(Result.UNKNOWN, left=None, rebooted_at=NOW)) == ["0 on record, 1 concluded"]


def test_what_only_people_report_proves_no_cure() -> None:
    assert accused(attempt(), family=Family.REPORTED) == []
