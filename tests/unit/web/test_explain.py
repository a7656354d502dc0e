"""The explanation of an incident: one sentence for what it does, and a reason for everything it does not do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.unit.web.stand import NOW, Stand, a_line, ago, an_incident, keep
from triage.core.incident import Attempt, Incident, Passed, PlanRun, Refusal
from triage.core.vocabulary import Action, CloseCode, Gate, IncidentState, Result, Watch
from triage.web.explain import CHANGES, explain


def told(**changes: Any) -> dict[str, Any]:
    """The explanation of an incident, read from what a store keeps of it."""
    return explain(stored(an_incident(**changes)))


def stored(incident: Incident) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(incident))
    return found


def english(lines: list[dict[str, Any]]) -> str:
    return "\n".join(each["en"] for each in lines)


def attempt(**changes: Any) -> Attempt:
    base: dict[str, Any] = {
        "id": "I-1.2",
        "step": "reset-hard",
        "action": Action.RESET_HARD,
        "connector": 0,
        "sent_at": ago(minutes=1),
        "expires_at": NOW,
        "verify_by": NOW,
        "plan": "internal-error",
    }
    return Attempt(**(base | changes))


def run(*passed: Passed) -> PlanRun:
    return PlanRun(plan="internal-error", version=1, sha256="ab", step=3, passed=passed)


SKIPPED = Passed(
    step="reset-soft",
    action=Action.RESET_SOFT,
    kind="learned",
    reason="reset_soft skipped: 0 of 14 cures on AC-7 1.0",
    instead="reset-hard",
)


def test_why_this_step_why_not_that_one_and_what_would_have_to_change() -> None:
    found = told(state=IncidentState.RECOVERING, run=run(SKIPPED), attempts=(attempt(),), refusals=())
    assert "reset_hard is under way: step reset-hard of plan internal-error" in english(found["now"])
    assert "reset_soft skipped: 0 of 14 cures on AC-7 1.0" in english(found["not"])
    assert "tried by lot" in english(found["change"])
    assert "a person's retry" in english(found["change"])
    assert "telemetry newer than the command" in english(found["change"])
    assert "硬复位" in found["now"][0]["zh"]
    assert "软复位" in found["not"][0]["zh"]


def test_a_suggestion_says_what_it_would_take() -> None:
    suggested = Passed(step="s", action=Action.RESET_SOFT, kind="suggested", reason="reset_soft would be skipped: x")
    found = told(run=run(suggested))
    assert "would be skipped" in english(found["not"])
    assert "policy.learning: on" in english(found["change"])


def test_what_a_model_cannot_do_says_what_it_would_take() -> None:
    reason = "reset-hard skipped: a pile of profile x has no reset_hard"
    found = told(run=run(Passed(step="reset-hard", action=Action.RESET_HARD, kind="impossible", reason=reason)))
    assert reason in english(found["not"])
    assert "power switch" in english(found["change"])


@pytest.mark.parametrize("gate", list(Gate))
def test_every_gate_says_what_would_have_to_change(gate: Gate) -> None:
    refusal = Refusal(gate=gate, reason="because", at=NOW, next_look_at=NOW, step="reset-soft")
    found = told(refusals=(refusal,))
    assert found["now"][0]["en"] == f"reset-soft: the gate {gate} says no: because"
    assert found["now"][0]["at"] == "2026-05-01T08:30:00Z"
    assert all(each["en"] and each["zh"] for each in found["change"])
    assert found["change"][0]["en"] != found["change"][0]["zh"]


def test_no_two_gates_ask_for_the_same() -> None:
    assert len({en for en, _ in CHANGES.values()}) == len(CHANGES)
    assert len({zh for _, zh in CHANGES.values()}) == len(CHANGES)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"state": IncidentState.OBSERVING}, "clear many faults by themselves"),
        ({"held_by": "wang"}, "wang holds it"),
        ({"watch": Watch.BACK, "watch_until": NOW}, "drawn by lot"),
        ({"refusals": ()}, "decided from new evidence"),
        ({"state": IncidentState.RECOVERING, "attempts": ()}, "next step is decided"),
        ({"state": IncidentState.PROBATION}, "has to stay gone"),
        ({"state": IncidentState.DESK, "desk_reason": "outcome unknown"}, "A person must decide: outcome unknown"),
        ({"state": IncidentState.FIELD, "work_order": "W-9"}, "Work order W-9 is open"),
        ({"state": IncidentState.CONFIRMING}, "1 reporter(s)"),
        ({"state": IncidentState.CLOSED, "close_code": CloseCode.REPAIRED}, "repaired on site"),
    ],
)
def test_every_state_says_what_it_waits_for(changes: dict[str, Any], says: str) -> None:
    found = told(**changes)
    assert says in english(found["now"])
    for each in (*found["now"], *found["not"], *found["change"]):
        assert each["en"]
        assert each["zh"]


def test_states_and_close_codes_are_all_known() -> None:
    for state in IncidentState:
        assert not english(told(state=state)["now"]).startswith("State ")
    for code in CloseCode:
        assert "it is over" not in english(told(state=IncidentState.CLOSED, close_code=code)["now"])


def test_the_desk_says_how_the_refusal_that_led_there_could_change() -> None:
    no = Refusal(gate=Gate.APPROVAL, reason="reset_soft waits for a person's approval", at=NOW, next_look_at=NOW)
    found = told(state=IncidentState.DESK, desk_reason=no.reason, refusals=(no,))
    assert found["change"][0]["en"] == "a person must approve the step"


def test_what_was_tried_and_what_held_it_back_is_told_with_its_moment() -> None:
    tries = [attempt(result=each, reason="no new boot", concluded_at=NOW) for each in Result]
    found = told(attempts=tuple(tries))
    for words in ("was tried and failed: no new boot", "was tried and was refused", "its outcome is unknown"):
        assert words in english(found["not"])
    assert "held back by spacing (3 times): the last reset is 4 minutes ago" in english(found["not"])


def test_a_refusal_that_was_overtaken_explains_nothing_any_more() -> None:
    found = told(attempts=(attempt(result=Result.FAILED, concluded_at=NOW),))
    assert "decided from new evidence" in english(found["now"])


def test_it_is_bounded_and_total() -> None:
    tries = tuple(attempt(result=Result.FAILED) for _ in range(500))
    assert len(told(attempts=tries)["not"]) == 40
    assert explain({})["now"][0]["en"] == "State None"
    assert explain({"state": "held", "run": None, "attempts": None, "refusals": None})["change"] == []


async def test_an_incidents_page_explains_itself(stand: Stand) -> None:
    await keep(stand.store, an_incident(run=run(SKIPPED)), a_line("I-1"))
    shown = (await stand.http.get("/api/v1/incidents/I-1")).json()
    assert set(shown["explanation"]) == {"now", "not", "change"}
    assert shown["plan"]["passed"][0]["reason"] == SKIPPED.reason
    assert "the gate spacing says no" in shown["explanation"]["now"][0]["en"]
    assert {"en": "time must pass since the last reset", "zh": "距上次复位须满足最小间隔"} in shown["explanation"][
        "change"
    ]
