"""How an attempt ends: its result and evidence are written once, in one place."""

from __future__ import annotations

from msgspec.structs import replace

from triage.core.draft import Draft
from triage.core.effects import Command
from triage.core.evidence import facts
from triage.core.incident import Attempt, Evidence, Incident
from triage.core.means import POWER_SWITCH
from triage.core.plan import Step
from triage.core.vocabulary import REBOOTS, Action, Result


def conclude(draft: Draft, incident: Incident, attempt: Attempt, result: Result, text: str) -> Incident:
    """Write an attempt's result with its evidence; a command that may never have left does not use up its step."""
    pile = draft.pile(incident.pile)
    evidence = facts(attempt, incident, pile, draft.now) if pile is not None else ()
    done = replace(
        attempt,
        result=result,
        concluded_at=draft.now,
        evidence=(*evidence, Evidence(at=draft.now, kind=result.value, text=text)),
        reason=text,
        rebooted_at=next((each.at for each in evidence if each.kind == "boot"), None),
    )
    if not _may_be_dark(draft, attempt):
        draft.settle(attempt.id, "done", result.value)
    draft.count("attempts", incident.run.plan if incident.run else "manual", attempt.step, result)
    draft.note(
        incident.id,
        "attempt",
        f"{attempt.action} {result}: {text}",
        data={"attempt": attempt.id, "action": attempt.action.value, "result": result.value},
        also=(incident.pile,),
    )
    run = incident.run
    if run is not None and not untried(done) and attempt.step != "manual":
        run = replace(run, step=run.step + 1)
    return draft.put_incident(replace(incident, attempts=(*incident.attempts[:-1], done), run=run))


def _may_be_dark(draft: Draft, attempt: Attempt) -> bool:
    """Whether a switch may still have to be switched on: its command stays on record, so that a restart sees to it."""
    item = draft.changes.outbox.get(attempt.id) or draft.state.outbox.get(attempt.id)
    by_switch = item is not None and isinstance(item.effect, Command) and item.effect.driver_profile == POWER_SWITCH
    return by_switch and attempt.left is not False and attempt.answer is None


def manual_step(action: Action) -> Step:
    """The step behind a command a person asked for: its proof is as strict as a plan's."""
    proof = ("booted", "fresh") if action in REBOOTS else ("fresh",)
    return Step(id="manual", action=action, proof=proof, verify_s=600, failed="desk", refused="desk", unknown="desk")


def untried(attempt: Attempt) -> bool:
    """Whether nothing shows that a concluded attempt was ever carried out.

    It certainly did not leave, or the process died around the send and no answer and no boot followed. Such an attempt
    still counts against every budget, but nobody may read that the step was tried and failed.
    """
    if attempt.left is False:
        return True
    return (
        attempt.left is None
        and attempt.answer is None
        and attempt.rebooted_at is None
        and attempt.result is Result.UNKNOWN
    )
