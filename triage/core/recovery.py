"""The run of a plan on an incident: which step comes next, whether it may be sent, and what follows its outcome."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from triage.core import field
from triage.core.draft import Draft
from triage.core.effects import Command
from triage.core.fleet import Pile
from triage.core.gates import No, judge
from triage.core.incident import Attempt, Incident, PlanRun, Refusal
from triage.core.inquiry import outage_at, question
from triage.core.lifecycle import Trigger
from triage.core.means import Way, way
from triage.core.plan import Plan, Step
from triage.core.vocabulary import (
    READS,
    REBOOTS,
    Family,
    Gate,
    IncidentState,
    Link,
    OrderReason,
    Result,
)

REFUSALS_KEPT = 20
RESETS_KEPT = 12


def advance(draft: Draft, incident: Incident) -> Incident:
    """Decide the next thing for ``incident`` from current evidence: a step, a hold, the desk or the field."""
    pile = draft.pile(incident.pile)
    if pile is None:
        return to_desk(draft, incident, Trigger.REFUSAL, "the pile is no longer in the fleet file")
    if incident.safety or incident.family is Family.SAFETY:
        return field.dispatch(draft, incident, Trigger.DANGER, OrderReason.FORBIDDEN_SAFETY, _danger(pile, incident))
    if pile.hazard is not None and incident.family is not Family.REPORTED:
        return field.dispatch(draft, incident, Trigger.DANGER, OrderReason.FORBIDDEN_SAFETY, _danger(pile, incident))
    if incident.family is Family.DAMAGE:
        text = "physical damage reported: nothing remote can mend it"
        return field.dispatch(draft, incident, Trigger.EXHAUSTED, OrderReason.PHYSICAL_DAMAGE, text)
    plan = plan_of(draft, incident, pile)
    if plan is None:
        return to_desk(draft, incident, Trigger.EXHAUSTED, "no plan foresees this trouble")
    if incident.run is None:
        incident = _begin(draft, incident, plan)
    return _next_step(draft, incident, pile, plan)


def _danger(pile: Pile, incident: Incident) -> str:
    what = pile.hazard or ", ".join(incident.faults) or incident.summary
    return f"a reset is forbidden: {what}"


def plan_of(draft: Draft, incident: Incident, pile: Pile) -> Plan | None:
    """The plan the incident runs, if its very text is still in force; else the one that fits now."""
    book = draft.rules.plans
    if incident.run is not None:
        pinned = book.named(incident.run.plan)
        if pinned is not None and pinned.sha256 == incident.run.sha256:
            return pinned
    return book.choose(incident.family, incident.faults, pile.model, pile.registration.model)


def _begin(draft: Draft, incident: Incident, plan: Plan) -> Incident:
    run = PlanRun(
        plan=plan.name,
        version=plan.version,
        sha256=plan.sha256,
        deadline_at=_deadline_of(draft, plan),
    )
    draft.note(
        incident.id,
        "plan",
        f"plan {plan.name} v{plan.version} chosen",
        data={"plan": plan.name, "version": plan.version, "sha256": plan.sha256},
    )
    return draft.put_incident(replace(incident, run=run))


def _next_step(draft: Draft, incident: Incident, pile: Pile, plan: Plan) -> Incident:
    run = incident.run
    assert run is not None  # noqa: S101 - advance() began it
    if run.sha256 != plan.sha256:
        # The file changed under the run: the rest is done by the rules in force, from the first step not yet tried.
        run = replace(run, version=plan.version, sha256=plan.sha256, plan=plan.name)
        incident = draft.put_incident(replace(incident, run=run))
    if run.deadline_at is None:
        run = replace(run, deadline_at=_deadline_of(draft, plan))
        incident = draft.put_incident(replace(incident, run=run))
    incident, found = _possible(draft, incident, pile, plan, run)
    if found is None:
        return _at_the_end(draft, incident, pile, plan)
    if run.deadline_at is not None and draft.now > _deadline(draft, incident, run):
        return exhaust(draft, incident, plan, "the plan's deadline has passed")
    step, means = found
    refusal = judge(question(draft, incident, pile, plan, step))
    if refusal is None:
        return send(draft, incident, pile, step, means)
    return _refused_by_gate(draft, incident, pile, plan, step, refusal)


def _possible(
    draft: Draft, incident: Incident, pile: Pile, plan: Plan, run: PlanRun
) -> tuple[Incident, tuple[Step, Way] | None]:
    """The next step somebody can carry out, as what it will be; those before it are skipped, each on record."""
    for index, step in enumerate(plan.steps[run.step :], start=run.step):
        means = way(draft.rules.dialects, pile.registration, step.action)
        if means is not None:
            if index != run.step:
                incident = draft.put_incident(replace(incident, run=replace(run, step=index)))
            return incident, (replace(step, action=means.action), means)
        text = f"{step.id} skipped: a pile of profile {pile.registration.profile} has no {step.action}"
        draft.note(incident.id, "skipped", text, data={"step": step.id, "action": step.action.value})
    return draft.put_incident(replace(incident, run=replace(run, step=len(plan.steps)))), None


def _at_the_end(draft: Draft, incident: Incident, pile: Pile, plan: Plan) -> Incident:
    """Every step was tried or is impossible. Where no remedy of the plan is possible, there is no channel for any."""
    remedies = [step.action for step in plan.steps if step.action not in READS]
    if remedies and not any(way(draft.rules.dialects, pile.registration, action) for action in remedies):
        lacking = ", ".join(dict.fromkeys(remedies))
        text = f"nothing remote can cure it: a pile of profile {pile.registration.profile} has no {lacking}"
        return exhaust(draft, incident, plan, text, OrderReason.NO_REMOTE_CHANNEL)
    return exhaust(draft, incident, plan, "every step of the plan was tried")


def _deadline_of(draft: Draft, plan: Plan) -> datetime:
    return draft.now + timedelta(seconds=plan.deadline_s / draft.policy.speed)


def _deadline(draft: Draft, incident: Incident, run: PlanRun) -> datetime:
    """When the run must be over. Time for which a gate or a person holds it, or the desk has it, does not count."""
    deadline = run.deadline_at or draft.now
    if incident.state is IncidentState.DESK:
        return deadline + (draft.now - incident.state_since)
    return deadline if incident.held_since is None else deadline + (draft.now - incident.held_since)


def send(draft: Draft, incident: Incident, pile: Pile, step: Step, means: Way) -> Incident:
    """Commit an attempt as sent and want its command; nothing leaves before the commit.

    The caller has asked the gates about ``step``, whose action is that of ``means``.
    """
    now, policy = draft.now, draft.policy
    verify_by = now + timedelta(seconds=step.verify_s / policy.speed)
    expires_at = now + policy.span("command_ttl")
    if step.action in READS:
        expires_at = min(expires_at, verify_by)
    else:
        # What may still be carried out is not concluded.
        verify_by = max(verify_by, expires_at)
    attempt = Attempt(
        id=f"{incident.id}.{len(incident.attempts) + 1}",
        step=step.id,
        action=step.action,
        connector=0 if step.scope == "pile" else incident.connector,
        sent_at=now,
        expires_at=expires_at,
        verify_by=verify_by,
        boot_before=pile.boot_id,
        uptime_before_s=pile.uptime_s,
        boots=means.boots or step.action not in REBOOTS,
    )
    args: dict[str, object] = dict(step.args)
    if incident.family is Family.UNRESPONSIVE and step.action in REBOOTS:
        args["silent_ok"] = "1"
    draft.emit(
        Command(
            id=attempt.id,
            site=pile.site,
            pile=pile.id,
            driver_profile=means.profile,
            action=step.action,
            connector=attempt.connector,
            issued_at=now,
            expires_at=attempt.expires_at,
            args=args,
        ),
        expires_at=attempt.expires_at,
    )
    if step.action in REBOOTS:
        draft.put_pile(replace(pile, resets=(*pile.resets, now)[-RESETS_KEPT:]))
    run = incident.run
    if run is not None:
        run = replace(run, deadline_at=_deadline(draft, incident, run))
    text = f"{step.action} sent as {attempt.id}: {step.note or step.id}"
    return draft.move(
        incident,
        Trigger.PERMIT,
        IncidentState.RECOVERING,
        text,
        attempts=(*incident.attempts, attempt),
        run=run,
        wake_at=verify_by,
        held_since=None,
        held_by="",
        clear_since=None,
        desk_reason="",
    )


def _refused_by_gate(draft: Draft, incident: Incident, pile: Pile, plan: Plan, step: Step, no: No) -> Incident:
    incident = record_refusal(draft, incident, step, no)
    if no.gate is Gate.SAFETY and no.final:
        return field.dispatch(draft, incident, Trigger.DANGER, OrderReason.FORBIDDEN_SAFETY, no.reason)
    if no.gate is Gate.LINK and incident.family is Family.OFFLINE and pile.link is not Link.ONLINE:
        common = outage_at(draft, pile)
        if draft.listening_since(pile) is None or common:
            return hold(draft, incident, no, common or no.reason)
        return exhaust(draft, incident, plan, no.reason, OrderReason.NO_REMOTE_CHANNEL)
    if no.gate is Gate.STRIKES:
        # What was cured and came back, or was reset too often, has failed remotely; the refusal on record says so.
        return exhaust(draft, incident, plan, no.reason, plan.exhausted_reason)
    if no.final:
        return to_desk(draft, incident, Trigger.REFUSAL, no.reason)
    return hold(draft, incident, no, no.reason)


def record_refusal(draft: Draft, incident: Incident, step: Step, no: No) -> Incident:
    """Keep a gate's refusal with its reason and its next look; an equal one is counted."""
    next_look = draft.now + no.again
    kept = list(incident.refusals)
    if kept and kept[-1].gate is no.gate and kept[-1].step == step.id:
        kept[-1] = replace(kept[-1], reason=no.reason, next_look_at=next_look, count=kept[-1].count + 1)
    else:
        kept.append(Refusal(gate=no.gate, reason=no.reason, at=draft.now, next_look_at=next_look, step=step.id))
        draft.note(
            incident.id,
            "refused",
            f"{no.gate}: {no.reason}",
            data={"gate": no.gate.value, "step": step.id, "next_look_at": next_look.isoformat()},
        )
    draft.count("refusals", no.gate)
    return draft.put_incident(replace(incident, refusals=tuple(kept[-REFUSALS_KEPT:])))


def hold(draft: Draft, incident: Incident, no: No, reason: str) -> Incident:
    """Wait for the gate's next look; whoever waits too long becomes a person's case."""
    since = incident.held_since or draft.now
    limit = since + draft.policy.span("held_max")
    if draft.now >= limit:
        return to_desk(draft, incident, Trigger.REFUSAL, f"held since {since:%Y-%m-%d %H:%M}: {reason}")
    wake = min(draft.now + no.again, limit)
    if incident.state is IncidentState.HELD:
        return draft.put_incident(replace(incident, wake_at=wake, held_since=since))
    return draft.move(
        incident, Trigger.REFUSAL, IncidentState.HELD, reason, wake_at=wake, held_since=since, clear_since=None
    )


def to_desk(draft: Draft, incident: Incident, trigger: Trigger, reason: str, **changes: object) -> Incident:
    """A person must decide; the desk has a clock too."""
    wake = draft.now + draft.policy.span("desk")
    if incident.state is IncidentState.DESK and trigger in {Trigger.REFUSAL, Trigger.EXHAUSTED}:
        wake = incident.wake_at or wake  # the clock of the desk runs on
    return draft.move(
        incident,
        trigger,
        IncidentState.DESK,
        reason,
        wake_at=wake,
        close_code=None,
        soak_code=None,
        desk_reason=reason,
        clear_since=None,
        held_since=None,
        **changes,
    )


def helpless(draft: Draft, incident: Incident, pile: Pile | None) -> str:
    """Why a desk would have nothing to decide about a fault nobody has classified, or an empty string.

    What such a fault may ever be answered with is a restart, once a person has classified it; a model that has none is
    a case for the field at once.
    """
    if pile is None or incident.family is not Family.UNKNOWN:
        return ""
    if any(way(draft.rules.dialects, pile.registration, action) for action in REBOOTS):
        return ""
    what = ", ".join(incident.faults) or incident.summary
    return f"nobody has classified {what}, and a pile of profile {pile.registration.profile} has no restart"


def exhaust(draft: Draft, incident: Incident, plan: Plan, why: str, reason: OrderReason | None = None) -> Incident:
    """No step is left, or none is allowed: the field, or the desk where the plan says so."""
    if reason is None:
        reason = plan.exhausted_reason
        if reason is OrderReason.REMOTE_FAILED:
            reason = honest_reason(incident)
    without = helpless(draft, incident, draft.pile(incident.pile))
    if without:
        return field.dispatch(draft, incident, Trigger.EXHAUSTED, OrderReason.NO_REMOTE_CHANNEL, without)
    if plan.exhausted == "desk" and reason is not OrderReason.NO_REMOTE_CHANNEL:
        return to_desk(draft, incident, Trigger.EXHAUSTED, why)
    return field.dispatch(draft, incident, Trigger.EXHAUSTED, reason, f"{why}{tried(incident)}")


def honest_reason(incident: Incident) -> OrderReason:
    """Nobody may read that remote recovery failed when nothing was tried, or when nobody knows what became of it."""
    disruptive = [each for each in incident.attempts if each.action not in READS and each.left is not False]
    if not disruptive:
        return OrderReason.DESK_DECISION
    if all(each.result is Result.UNKNOWN for each in disruptive):
        return OrderReason.UNKNOWN_OUTCOME
    return OrderReason.REMOTE_FAILED


def tried(incident: Incident) -> str:
    """What was tried, in brackets, for the reason of an order."""
    done = [f"{each.action} {each.result}" for each in incident.attempts if each.result is not None]
    return f" ({'; '.join(done)})" if done else ""


def put_back(draft: Draft, incident: Incident, trigger: Trigger, text: str, wait: timedelta) -> Incident:
    """Held for ``wait``, then decided again from current evidence."""
    return draft.move(
        incident,
        trigger,
        IncidentState.HELD,
        text,
        wake_at=draft.now + wait,
        clear_since=None,
        soak_code=None,
    )
