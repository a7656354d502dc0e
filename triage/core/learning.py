"""What the record of remedies changes: which step is passed over, which comes first, and who is watched for a while.

Nothing here can turn a refusal into a permit: a step is left out or waited with, the gates are asked as ever, a read
(and so the log before a restart) is never passed over, and no step comes before a gentler one still to be tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from triage.core.draft import Draft, present
from triage.core.fleet import Pile
from triage.core.gates import Question
from triage.core.incident import Attempt, Incident, Passed, PlanRun
from triage.core.plan import Plan, Step
from triage.core.remedies import Key, Remedies, drawn, key_of
from triage.core.vocabulary import READS, Family, Learning, Mode, Watch

EVEN = 0.5
"""Only what fails more often than not gives way to a step that is less gentle."""

_BY_PEOPLE = frozenset({Family.REPORTED, Family.DAMAGE})
"""Families the device itself never shows, so that no telemetry can prove a cure."""

_CLEAR = frozenset({Watch.FIRST_CLEAR, Watch.BACK_CLEAR})


def trouble(incident: Incident) -> str:
    """What the record files an incident under: the canonical faults, or the family where the device claims none."""
    return "+".join(incident.faults) or incident.family.value


def attempted(draft: Draft, incident: Incident, attempt: Attempt) -> None:
    """Count a concluded attempt. The caller has made sure that it was carried out."""
    if attempt.action in READS or attempt.result is None or incident.family in _BY_PEOPLE:
        return
    pile = draft.pile(incident.pile)
    if attempt.result == "passed" and pile is not None and present(pile, incident):
        return  # a step that only prepares the next one
    record = _record(draft, key_of(attempt.model, attempt.firmware, trouble(incident)))
    changed = record.tried(attempt.action, attempt.result, draft.now)
    if changed is not record:
        draft.put_remedies(changed)


def _key(incident: Incident, pile: Pile) -> Key:
    return key_of(pile.model or pile.registration.model, pile.firmware, trouble(incident))


def _record(draft: Draft, key: Key) -> Remedies:
    return draft.remedies(key) or Remedies(model=key[0], firmware=key[1], fault=key[2], at=draft.now)


# Which step -----------------------------------------------------------------------------------------------------------


def advise(draft: Draft, incident: Incident, pile: Pile, steps: Sequence[Step]) -> Passed | None:
    """Why the first of ``steps``, all that can still be done, should be passed over; None to go on with it."""
    step, policy = steps[0], draft.policy
    if policy.learning is Learning.OFF or step.action in READS or incident.family in _BY_PEOPLE:
        return None
    if incident.run is not None and incident.run.as_written:
        return None
    record = draft.remedies(_key(incident, pile))
    if record is None or record.of(step.action).judged < policy.learning_least:
        return None
    later = [each for each in steps[1:] if each.action not in READS]
    floor = policy.learning_floor_share if later else policy.learning_last_share
    better = _better(record, step, later, policy.learning_least)
    useless = record.net(step.action).high < floor
    if better is None and not useless:
        return None
    learned = policy.learning is Learning.ON
    by_lot = learned and drawn(f"{incident.id} {step.id}", policy.holdback_share)
    acts = learned and not by_lot
    if useless or better is None:
        does = "skipped" if acts else "would be skipped"
        reason = f"{step.action} {does}: {_cures(record, step)} on {record.where}{_healing(record)}"
    else:
        comes = "comes" if acts else "would come"
        sure = f"{_cures(record, better)} on {record.where}"
        reason = f"{better.action} {comes} first: {sure}, {step.action} {_cures(record, step)}"
    return Passed(
        step=step.id,
        action=step.action,
        kind="learned" if acts else "suggested",
        reason=f"{reason} (tried by lot, so that the record stays true)" if by_lot else reason,
        instead="" if better is None else better.id,
    )


def _better(record: Remedies, step: Step, later: Sequence[Step], least: int) -> Step | None:
    """A later step that surely cures more than ``step``, which fails more often than not."""
    worst = record.of(step.action).cures.high
    if worst >= EVEN:
        return None
    sure = [each for each in later if record.of(each.action).judged >= least]
    return next((each for each in sure if record.of(each.action).cures.low > worst), None)


def _cures(record: Remedies, step: Step) -> str:
    tries = record.of(step.action)
    return f"{tries.passed} of {tries.judged} cures"


def _healing(record: Remedies) -> str:
    if not record.held_back_healed:
        return ""
    return f"; {record.held_back_healed} of {record.held_back} heal by themselves"


def as_written(incident: Incident, run: PlanRun, plan: Plan | None) -> PlanRun:
    """The run as a person wants it who tries again: what the record spoke against is tried, while that is in order."""
    learned = [each.step for each in run.passed if each.kind == "learned"]
    tried = any(each.action not in READS for each in incident.attempts)
    places = [] if plan is None or tried else [place for place, each in enumerate(plan.steps) if each.id in learned]
    kept = tuple(each for each in run.passed if each.kind != "learned" or not places)
    return replace(run, as_written=True, step=min([run.step, *places]), passed=kept)


def take_note(draft: Draft, incident: Incident, passed: Passed) -> Incident:
    """Put a step that was passed over, or would have been, on record; the same one once in a run."""
    run = incident.run
    if run is None or any(each.step == passed.step and each.kind == passed.kind for each in run.passed):
        return incident
    kind = "suggested" if passed.kind == "suggested" else "skipped"
    draft.note(incident.id, kind, passed.reason, data={"step": passed.step, "action": passed.action.value})
    if passed.kind != "impossible":
        draft.count("remedy_advice", kind)
    return draft.put_incident(replace(incident, run=replace(run, passed=(*run.passed, passed))))


# What heals by itself -------------------------------------------------------------------------------------------------


def outlasted(draft: Draft, incident: Incident, pile: Pile) -> Incident:
    """Its observation window is over and the trouble is still there."""
    if incident.watch is not Watch.FIRST:
        return incident
    if incident.complaints or incident.reopened:
        return draft.put_incident(replace(incident, watch=Watch.OVER))  # looked at early, or not for the first time
    _watched(draft, incident, pile, healed=False)
    return draft.put_incident(replace(incident, watch=Watch.LASTED))


def clearing(draft: Draft, incident: Incident) -> Watch:
    """What the soak of an incident has to prove that is gone although nothing was done."""
    if incident.watch is Watch.FIRST and incident.wake_at is not None and draft.now <= incident.wake_at:
        return Watch.OVER if incident.complaints or incident.reopened else Watch.FIRST_CLEAR
    if incident.watch is Watch.BACK and incident.watch_until is not None and draft.now <= incident.watch_until:
        return Watch.BACK_CLEAR
    return Watch.OVER


def soaked(draft: Draft, incident: Incident, *, healed: bool) -> Incident:
    """The soak of what had gone by itself is over: it stayed good (``healed``), or it came back."""
    pile = draft.pile(incident.pile)
    if incident.watch not in _CLEAR or pile is None:
        return incident
    _watched(draft, incident, pile, healed=healed)
    lasted = incident.watch is Watch.FIRST_CLEAR and not healed
    return draft.put_incident(replace(incident, watch=Watch.LASTED if lasted else Watch.OVER))


def _watched(draft: Draft, incident: Incident, pile: Pile, *, healed: bool) -> None:
    back = incident.watch in {Watch.BACK, Watch.BACK_CLEAR}
    draft.put_remedies(_record(draft, _key(incident, pile)).watched(back=back, healed=healed, at=draft.now))


def wait(draft: Draft, incident: Incident, question: Question) -> timedelta | None:
    """How long the first remedy is held back, for one incident in ``holdback_share``; None for the others.

    Nobody waits for it: no one has complained, and the site has piles to spare.
    """
    policy = draft.policy
    if policy.learning is Learning.OFF or question.action in READS or question.mode is not Mode.LIVE:
        return None
    if incident.watch is not Watch.LASTED or incident.approved_until is not None or _urgent(incident, question):
        return None
    if any(each.action not in READS for each in incident.attempts) or not drawn(incident.id, policy.holdback_share):
        return None
    window = policy.span("stuck_after") if incident.family is Family.SESSION_STUCK else policy.hold(incident.family)
    return window or None


def _urgent(incident: Incident, question: Question) -> bool:
    least = question.policy.minimum_available
    return bool(incident.complaints) or bool(least and question.site_available <= least)


def still_watched(draft: Draft, incident: Incident, pile: Pile) -> tuple[Incident, bool]:
    """An incident that was held back, and whether it goes on waiting; the end of its window is counted."""
    until = incident.watch_until
    if incident.watch is not Watch.BACK or until is None:
        return incident, False
    if draft.now < until:
        if not incident.complaints:
            return incident, True
    elif present(pile, incident):
        _watched(draft, incident, pile, healed=False)
    return draft.put_incident(replace(incident, watch=Watch.OVER)), False
