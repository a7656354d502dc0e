"""How an attempt is judged and what follows: the step's route, the soak, and the relapse."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from triage.core import field
from triage.core.attempt import conclude, manual_step, untried
from triage.core.draft import Draft
from triage.core.ending import end
from triage.core.evidence import find, patient
from triage.core.fleet import Cure, Pile
from triage.core.gates import No
from triage.core.incident import Attempt, Incident
from triage.core.lifecycle import Trigger
from triage.core.linking import OVERRULED, overruled
from triage.core.plan import Plan, Step
from triage.core.recovery import (
    advance,
    helpless,
    honest_reason,
    plan_of,
    put_back,
    record_refusal,
    to_desk,
    tried,
)
from triage.core.vocabulary import READS, CloseCode, Family, Gate, IncidentState, OrderReason, Result

CURES_KEPT = 8
SECOND_LOOKS = 10
"""Refusals by the driver in a row, after which a person has to look."""


def review(draft: Draft, incident: Incident) -> Incident:
    """Judge the attempt under way by what is known now, and follow the step's route when it is concluded."""
    attempt = incident.under_way
    pile = draft.pile(incident.pile)
    if attempt is None or pile is None:
        return to_desk(draft, incident, Trigger.UNKNOWN, "its attempt or its pile is gone")
    plan = plan_of(draft, incident, pile)
    step = _step_of(plan, attempt)
    if incident.state is IncidentState.PROBATION:
        return incident  # soaking; see soak()
    if draft.listening_since(pile) is None:
        return incident  # what nobody can hear is not judged
    finding = find(patient(attempt, draft.listening_since(pile)), step, incident, pile, draft.policy, draft.now)
    if finding.result is None:
        return incident
    if finding.result is Result.PASSED:
        return _passed(draft, incident, attempt, step, finding.text)
    concluded = conclude(draft, incident, attempt, finding.result, finding.text)
    if finding.by_itself:
        return start_soak(draft, concluded, Trigger.FAILED, CloseCode.SELF_CLEARED, finding.text)
    return _route(draft, concluded, attempt, step, finding.result, finding.text)


def _step_of(plan: Plan | None, attempt: Attempt) -> Step:
    if plan is not None:
        for step in plan.steps:
            if step.id == attempt.step and step.action is attempt.action:
                return step
    return manual_step(attempt.action)


def _passed(draft: Draft, incident: Incident, attempt: Attempt, step: Step, text: str) -> Incident:
    """Proof is there; it must stay. A read cures nothing: what passes there had healed by itself."""
    if step.passed == "next":
        incident = conclude(draft, incident, attempt, Result.PASSED, text)
        return advance(draft, put_back(draft, incident, Trigger.PASSED, text, timedelta(0)))
    if attempt.action in READS and overruled(draft, incident):
        incident = conclude(draft, incident, attempt, Result.PASSED, text)
        return to_desk(draft, incident, Trigger.PASSED, OVERRULED)
    if attempt.action in READS:
        code = CloseCode.NO_FAULT_FOUND if incident.family is Family.REPORTED else CloseCode.SELF_CLEARED
        incident = conclude(draft, incident, attempt, Result.PASSED, text)
        return start_soak(draft, incident, Trigger.PASSED, code, text)
    return start_soak(draft, incident, Trigger.PASSED, CloseCode.RECOVERED_REMOTELY, f"{step.action}: {text}")


def start_soak(draft: Draft, incident: Incident, trigger: Trigger, code: CloseCode, text: str) -> Incident:
    """The evidence is good; from now on it has to stay good, for as long as policy and plan ask."""
    plan = draft.rules.plans.named(incident.run.plan) if incident.run is not None else None
    asked = timedelta(0) if plan is None else timedelta(seconds=plan.soak_s / draft.policy.speed)
    return draft.move(
        incident,
        trigger,
        IncidentState.PROBATION,
        text,
        clear_since=draft.now,
        wake_at=draft.now + max(draft.policy.span("soak"), asked),
        soak_code=code,
        held_since=None,
        desk_reason="",
    )


def _route(draft: Draft, incident: Incident, attempt: Attempt, step: Step, result: Result, text: str) -> Incident:
    trigger = Trigger(result.value)
    if attempt.left is False:
        # The command certainly did not leave: nothing was tried, the same step is decided again from new evidence.
        no = No(Gate.SECOND_LOOK, text, draft.policy.span("retry_look"))
        incident = record_refusal(draft, incident, step, no)
        incident = put_back(draft, incident, trigger, text, no.again)
        if _second_look_refusals(incident) < SECOND_LOOKS:
            return incident
        return to_desk(draft, incident, Trigger.EXHAUSTED, f"the driver refuses again and again: {text}")
    newest = incident.attempts[-1]
    if newest.id == attempt.id and untried(newest):
        # Nobody knows whether it left: never sent again blindly, but the same step may be decided anew, as a new
        # attempt.
        return put_back(draft, incident, trigger, text, draft.policy.span("retry_look"))
    where = {Result.FAILED: step.failed, Result.REFUSED: step.refused, Result.UNKNOWN: step.unknown}[result]
    if where == "soak":
        # Only a passed step may soak; a plan that says otherwise is treated as saying "next".
        where = "next"
    without = helpless(draft, incident, draft.pile(incident.pile)) if where == "desk" else ""
    if where == "field" or without:
        reason = OrderReason.NO_REMOTE_CHANNEL if without else _reason(draft, incident, step, result)
        incident = (
            put_back(draft, incident, trigger, text, timedelta(0)) if trigger is not Trigger.UNKNOWN else incident
        )
        leave = Trigger.UNKNOWN if result is Result.UNKNOWN else Trigger.EXHAUSTED
        why = without or f"{step.action}: {text}{tried(incident)}"
        return field.dispatch(draft, incident, leave, reason, why)
    if where == "desk":
        if trigger is not Trigger.UNKNOWN:
            incident = put_back(draft, incident, trigger, text, timedelta(0))
            trigger = Trigger.EXHAUSTED
        return to_desk(draft, incident, trigger, f"{step.action}: {text}")
    if where == "wait":
        return _wait(draft, incident, trigger, text)
    return advance(draft, put_back(draft, incident, trigger, text, timedelta(0)))


def _wait(draft: Draft, incident: Incident, trigger: Trigger, text: str) -> Incident:
    """The same step again later, from evidence of then, until the plan's deadline."""
    run = incident.run
    if run is not None and run.step:
        incident = draft.put_incident(replace(incident, run=replace(run, step=run.step - 1)))
    pause = max(draft.policy.span("retry_look"), draft.policy.hold(incident.family))
    return put_back(draft, incident, trigger, text, pause)


def _reason(draft: Draft, incident: Incident, step: Step, result: Result) -> OrderReason:
    """Why the field has to go, once a step's route leads there. A question nobody answered leaves nothing unknown."""
    if result is Result.UNKNOWN and step.action not in READS:
        return OrderReason.UNKNOWN_OUTCOME
    plan = draft.rules.plans.named(incident.run.plan) if incident.run is not None else None
    if plan is not None and plan.exhausted_reason is not OrderReason.REMOTE_FAILED:
        return plan.exhausted_reason
    return honest_reason(incident)


def _second_look_refusals(incident: Incident) -> int:
    last = incident.refusals[-1] if incident.refusals else None
    return last.count if last is not None and last.gate is Gate.SECOND_LOOK else 0


# The soak -------------------------------------------------------------------------------------------------------------


def relapse(draft: Draft, incident: Incident, text: str) -> Incident:
    """The trouble is back while it soaked: a strike. The attempt failed, and the next step is decided."""
    attempt = incident.under_way
    if attempt is not None:
        incident = conclude(draft, incident, attempt, Result.FAILED, text)
        return advance(draft, put_back(draft, incident, Trigger.FAILED, text, timedelta(0)))
    # It had healed by itself: it gets its time to do so again.
    return put_back(draft, incident, Trigger.SYMPTOM, text, draft.policy.hold(incident.family))


def soaked(draft: Draft, incident: Incident) -> Incident:
    """Good long enough: the attempt passed, and the incident ends."""
    attempt = incident.under_way
    code = incident.soak_code or CloseCode.SELF_CLEARED
    if attempt is not None:
        incident = conclude(draft, incident, attempt, Result.PASSED, "stayed good over the soak")
        draft.count("recovery_seconds", value=(draft.now - incident.opened_at).total_seconds() * draft.policy.speed)
    if code is CloseCode.RECOVERED_REMOTELY:
        _record_cure(draft, incident)
    return end(draft, incident, Trigger.SOAKED, code, f"good since {incident.clear_since:%H:%M:%S}")


def _record_cure(draft: Draft, incident: Incident) -> None:
    pile = draft.pile(incident.pile)
    if pile is not None:
        cure = Cure(family=incident.family, connector=incident.connector, at=draft.now)
        draft.put_pile(replace(pile, cures=(*pile.cures, cure)[-CURES_KEPT:]))


def lose(draft: Draft, incident: Incident, attempt: Attempt, text: str) -> Incident:
    """The pile fell silent in the soak.

    What became of the attempt is unknown, and the step's route says what follows.
    """
    pile = draft.pile(incident.pile)
    plan = plan_of(draft, incident, pile) if pile is not None else None
    step = _step_of(plan, attempt)
    concluded = conclude(draft, incident, attempt, Result.UNKNOWN, text)
    return _route(draft, concluded, attempt, step, Result.UNKNOWN, text)


def go_back(draft: Draft, incident: Incident, text: str) -> Incident:
    """The evidence that it was well has gone stale: held, and decided again from new evidence."""
    return put_back(draft, incident, Trigger.TIMEOUT, text, draft.policy.span("retry_look"))


def soak_again(draft: Draft, incident: Incident, wait: timedelta) -> Incident:
    """Not proven yet: the soak starts again when evidence is fresh again."""
    return draft.put_incident(replace(incident, wake_at=draft.now + wait))


def last_heard(pile: Pile, since: datetime | None) -> bool:
    """Whether the pile has been heard after ``since``."""
    return pile.heard_at is not None and since is not None and pile.heard_at > since
