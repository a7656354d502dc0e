"""The run of a plan on an incident: which step comes next, whether it may be sent, and what follows its outcome."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from triage.core import field
from triage.core.attempt import conclude, manual_step, untried
from triage.core.draft import Draft
from triage.core.effects import Command
from triage.core.evidence import find
from triage.core.fleet import Cure, Pile
from triage.core.gates import No, Question, judge
from triage.core.incident import Attempt, Incident, PlanRun, Refusal
from triage.core.lifecycle import Trigger
from triage.core.plan import Plan, Step
from triage.core.vocabulary import (
    READS,
    REBOOTS,
    CloseCode,
    ConnectorStatus,
    Family,
    Gate,
    IncidentState,
    Link,
    Mode,
    OrderReason,
    Result,
)

REFUSALS_KEPT = 20
RESETS_KEPT = 12
CURES_KEPT = 8
_MODES = [Mode.DISABLED, Mode.SHADOW, Mode.APPROVE, Mode.LIVE]
_COMMON_CAUSE = frozenset({Family.OFFLINE, Family.UNRESPONSIVE, Family.SUPPLY})


def advance(draft: Draft, incident: Incident, trigger: Trigger = Trigger.EXHAUSTED) -> Incident:
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
    plan = _plan(draft, incident, pile)
    if plan is None:
        return to_desk(draft, incident, Trigger.EXHAUSTED, "no plan foresees this trouble")
    if incident.run is None:
        incident = _begin(draft, incident, plan)
    return _next_step(draft, incident, pile, plan)


def _danger(pile: Pile, incident: Incident) -> str:
    what = pile.hazard or ", ".join(incident.faults) or incident.summary
    return f"a reset is forbidden: {what}"


def _plan(draft: Draft, incident: Incident, pile: Pile) -> Plan | None:
    book = draft.rules.plans
    if incident.run is not None:
        pinned = book.named(incident.run.plan)
        if pinned is not None and pinned.sha256 == incident.run.sha256:
            return pinned
    return book.choose(incident.family, incident.faults, pile.model or pile.registration.model or None)


def _begin(draft: Draft, incident: Incident, plan: Plan) -> Incident:
    run = PlanRun(
        plan=plan.name,
        version=plan.version,
        sha256=plan.sha256,
        deadline_at=draft.now + timedelta(seconds=plan.deadline_s / draft.policy.speed),
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
    if run.step >= len(plan.steps):
        return exhaust(draft, incident, plan, "every step of the plan was tried")
    if run.deadline_at is not None and draft.now > _deadline(draft, incident, run):
        return exhaust(draft, incident, plan, "the plan's deadline has passed")
    step = plan.steps[run.step]
    refusal = judge(question(draft, incident, pile, plan, step))
    if refusal is None:
        return send(draft, incident, pile, step)
    return _refused_by_gate(draft, incident, pile, plan, step, refusal)


def _deadline(draft: Draft, incident: Incident, run: PlanRun) -> datetime:
    """When the run must be over. Time for which a gate or a person holds it does not count."""
    deadline = run.deadline_at or draft.now
    return deadline if incident.held_since is None else deadline + (draft.now - incident.held_since)


def question(draft: Draft, incident: Incident, pile: Pile, plan: Plan | None, step: Step) -> Question:
    """Everything the gates look at before ``step``."""
    state, policy, now = draft.state, draft.policy, draft.now
    others = [each.under_way for each in draft.open_incidents(pile.id) if each.id != incident.id]
    order = draft.open_order(pile.id)
    silence = draft.silence_over(pile)
    mode = policy.mode if plan is None else min(policy.mode, plan.mode, key=_MODES.index)
    site = state.sites.get(pile.site, set())
    return Question(
        action=step.action,
        connector=0 if step.scope == "pile" else incident.connector,
        family=incident.family,
        pile=pile,
        policy=policy,
        now=now,
        mode=mode,
        kill_switch=draft.setting("kill_switch"),
        silence="" if silence is None else silence.reason,
        listening_since=draft.listening_since(),
        outage=outage_at(draft, pile),
        other_attempt=next((each.id for each in others if each is not None), ""),
        open_order="" if order is None else order.id,
        resets_in_incident=sum(each.action in REBOOTS and each.left is not False for each in incident.attempts),
        not_again=incident.no_reset_again,
        site_rebooting=state.rebooting(pile.site) + _rebooting_here(draft, pile),
        site_piles=len(site) or 1,
        site_available=_serving(draft, pile.site) if policy.minimum_available else len(site),
        fleet_sends_window=len(state.sends_since(now - policy.span("fleet_window"))),
        fleet_sends_hour=len(state.sends_since(now - policy.span("hour"))),
        fleet_piles=len(state.piles) or 1,
        breaker=state.verified_resets(now - policy.span("breaker_window")) if step.action in REBOOTS else (0, 0),
        approved_until=incident.approved_until,
    )


def outage_at(draft: Draft, pile: Pile) -> str:
    """Why trouble at this site is taken for one common cause, or an empty string."""
    policy = draft.policy
    size = len(draft.state.sites.get(pile.site, ()))
    troubled = draft.state.troubled(pile.site, _COMMON_CAUSE)
    if troubled >= max(policy.outage_least, int(size * policy.outage_share)):
        return f"{troubled} of {size} piles of site {pile.site} are silent at once: a common cause, not this pile's"
    return ""


def _rebooting_here(draft: Draft, pile: Pile) -> int:
    """Attempts this very decision has begun at the site; the state does not know them yet."""
    return sum(
        each.site == pile.site
        and each.under_way is not None
        and each.under_way.action in REBOOTS
        and draft.state.incidents.get(each.id) is not each
        and (known := draft.state.incidents.get(each.id)) is not None
        and known.under_way is None
        for each in draft.changes.incidents.values()
    )


def _serving(draft: Draft, site: str) -> int:
    count = 0
    for id in draft.state.sites.get(site, ()):
        pile = draft.pile(id)
        if pile is not None and any(
            each.status in {ConnectorStatus.AVAILABLE, ConnectorStatus.CHARGING} for each in pile.connectors
        ):
            count += 1
    return count


def send(draft: Draft, incident: Incident, pile: Pile, step: Step) -> Incident:
    now, policy = draft.now, draft.policy
    verify_by = now + timedelta(seconds=step.verify_s / policy.speed)
    attempt = Attempt(
        id=f"{incident.id}.{len(incident.attempts) + 1}",
        step=step.id,
        action=step.action,
        connector=0 if step.scope == "pile" else incident.connector,
        sent_at=now,
        expires_at=now + policy.span("command_ttl"),
        verify_by=verify_by,
        boot_before=pile.boot_id,
        uptime_before_s=pile.uptime_s,
    )
    args: dict[str, object] = dict(step.args)
    if incident.family is Family.UNRESPONSIVE and step.action in REBOOTS:
        args["silent_ok"] = "1"
    draft.emit(
        Command(
            id=attempt.id,
            site=pile.site,
            pile=pile.id,
            driver_profile=pile.registration.profile,
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


def _refused_by_gate(
    draft: Draft, incident: Incident, pile: Pile, plan: Plan, step: Step, no: No
) -> Incident:
    incident = record_refusal(draft, incident, step, no)
    if no.gate is Gate.SAFETY and no.final:
        return field.dispatch(draft, incident, Trigger.DANGER, OrderReason.FORBIDDEN_SAFETY, no.reason)
    if no.gate is Gate.LINK and incident.family is Family.OFFLINE and pile.link is not Link.ONLINE:
        common = outage_at(draft, pile)
        if draft.listening_since() is None or common:
            return hold(draft, incident, no, common or no.reason)
        return exhaust(draft, incident, plan, no.reason, OrderReason.NO_REMOTE_CHANNEL)
    if no.gate is Gate.STRIKES:
        return exhaust(draft, incident, plan, no.reason)
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
        desk_reason=reason,
        clear_since=None,
        held_since=None,
        **changes,
    )


def exhaust(
    draft: Draft, incident: Incident, plan: Plan, why: str, reason: OrderReason | None = None
) -> Incident:
    """No step is left, or none is allowed: the field, or the desk where the plan says so."""
    if reason is None:
        reason = plan.exhausted_reason
        if reason is OrderReason.REMOTE_FAILED:
            reason = _honest_reason(incident)
    if plan.exhausted == "desk" and reason is not OrderReason.NO_REMOTE_CHANNEL:
        return to_desk(draft, incident, Trigger.EXHAUSTED, why)
    return field.dispatch(draft, incident, Trigger.EXHAUSTED, reason, f"{why}{_tried(incident)}")


def _honest_reason(incident: Incident) -> OrderReason:
    """Nobody may read that remote recovery failed when nothing was tried, or when nobody knows what became of it."""
    disruptive = [each for each in incident.attempts if each.action not in READS and each.left is not False]
    if not disruptive:
        return OrderReason.DESK_DECISION
    if all(each.result is Result.UNKNOWN for each in disruptive):
        return OrderReason.UNKNOWN_OUTCOME
    return OrderReason.REMOTE_FAILED


def _tried(incident: Incident) -> str:
    done = [f"{each.action} {each.result}" for each in incident.attempts if each.result is not None]
    return f" ({'; '.join(done)})" if done else ""


# The attempt under way ------------------------------------------------------------------------------------------------


def review(draft: Draft, incident: Incident) -> Incident:
    """Judge the attempt under way by what is known now, and follow the step's route when it is concluded."""
    attempt = incident.under_way
    pile = draft.pile(incident.pile)
    if attempt is None or pile is None:
        return to_desk(draft, incident, Trigger.UNKNOWN, "its attempt or its pile is gone")
    plan = _plan(draft, incident, pile)
    step = _step_of(plan, attempt)
    if incident.state is IncidentState.PROBATION:
        return incident  # soaking; see soak()
    finding = find(attempt, step, incident, pile, draft.policy, draft.now)
    if finding.result is None:
        return incident
    if finding.result is Result.PASSED:
        return _passed(draft, incident, pile, attempt, step, finding.text)
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


def _passed(draft: Draft, incident: Incident, pile: Pile, attempt: Attempt, step: Step, text: str) -> Incident:
    """Proof is there; it must stay. A read cures nothing: what passes there had healed by itself."""
    if step.passed == "next":
        incident = conclude(draft, incident, attempt, Result.PASSED, text)
        return advance(draft, _held(draft, incident, Trigger.PASSED, text, timedelta(0)))
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


def _route(
    draft: Draft, incident: Incident, attempt: Attempt, step: Step, result: Result, text: str
) -> Incident:
    trigger = Trigger(result.value)
    if attempt.left is False:
        # The command certainly did not leave: nothing was tried, the same step is decided again from new evidence.
        no = No(Gate.SECOND_LOOK, text, draft.policy.span("retry_look"))
        incident = record_refusal(draft, incident, step, no)
        limit_reached = _second_look_refusals(incident) >= REFUSALS_KEPT
        if limit_reached:
            return _held(draft, incident, trigger, text, timedelta(0))
        return _held(draft, incident, trigger, text, no.again)
    newest = incident.attempts[-1]
    if newest.id == attempt.id and untried(newest):
        # Nobody knows whether it left: never sent again blindly, but the same step may be decided anew, as a new attempt.
        return _held(draft, incident, trigger, text, draft.policy.span("retry_look"))
    where = {Result.FAILED: step.failed, Result.REFUSED: step.refused, Result.UNKNOWN: step.unknown}[result]
    if where == "soak":
        # Only a passed step may soak; a plan that says otherwise is treated as saying "next".
        where = "next"
    if where == "field":
        reason = OrderReason.UNKNOWN_OUTCOME if result is Result.UNKNOWN else OrderReason.REMOTE_FAILED
        incident = _held(draft, incident, trigger, text, timedelta(0)) if trigger is not Trigger.UNKNOWN else incident
        leave = Trigger.UNKNOWN if result is Result.UNKNOWN else Trigger.EXHAUSTED
        return field.dispatch(draft, incident, leave, reason, f"{step.action}: {text}{_tried(incident)}")
    if where == "desk":
        if trigger is not Trigger.UNKNOWN:
            incident = _held(draft, incident, trigger, text, timedelta(0))
            trigger = Trigger.EXHAUSTED
        return to_desk(draft, incident, trigger, f"{step.action}: {text}")
    wait = draft.policy.span("retry_look") if where == "wait" else timedelta(0)
    incident = _held(draft, incident, trigger, text, wait)
    return incident if where == "wait" else advance(draft, incident)


def _second_look_refusals(incident: Incident) -> int:
    last = incident.refusals[-1] if incident.refusals else None
    return last.count if last is not None and last.gate is Gate.SECOND_LOOK else 0


def _held(draft: Draft, incident: Incident, trigger: Trigger, text: str, wait: timedelta) -> Incident:
    return draft.move(
        incident,
        trigger,
        IncidentState.HELD,
        text,
        wake_at=draft.now + wait,
        held_since=incident.held_since or draft.now,
        clear_since=None,
        soak_code=None,
    )


# The soak -------------------------------------------------------------------------------------------------------------


def relapse(draft: Draft, incident: Incident, text: str) -> Incident:
    """The trouble is back while it soaked: a strike. The attempt failed, and the next step is decided."""
    attempt = incident.under_way
    if attempt is not None:
        incident = conclude(draft, incident, attempt, Result.FAILED, text)
    trigger = Trigger.SYMPTOM if attempt is None else Trigger.FAILED
    incident = _held(draft, incident, trigger, text, timedelta(0))
    return advance(draft, incident)


def soaked(draft: Draft, incident: Incident) -> Incident:
    """Good long enough: the attempt passed, and the incident ends."""
    attempt = incident.under_way
    code = incident.soak_code or CloseCode.SELF_CLEARED
    if attempt is not None:
        incident = conclude(draft, incident, attempt, Result.PASSED, "stayed good over the soak")
        draft.count("recovery_seconds", value=(draft.now - incident.opened_at).total_seconds() * draft.policy.speed)
    if code is CloseCode.RECOVERED_REMOTELY:
        _record_cure(draft, incident)
    return field.end(draft, incident, Trigger.SOAKED, code, f"good since {incident.clear_since:%H:%M:%S}")


def _record_cure(draft: Draft, incident: Incident) -> None:
    pile = draft.pile(incident.pile)
    if pile is not None:
        cure = Cure(family=incident.family, connector=incident.connector, at=draft.now)
        draft.put_pile(replace(pile, cures=(*pile.cures, cure)[-CURES_KEPT:]))


def lose(draft: Draft, incident: Incident, attempt: Attempt, text: str) -> Incident:
    """The pile fell silent in the soak: what became of the attempt is unknown, and the step's route says what follows."""
    pile = draft.pile(incident.pile)
    plan = _plan(draft, incident, pile) if pile is not None else None
    step = _step_of(plan, attempt)
    concluded = conclude(draft, incident, attempt, Result.UNKNOWN, text)
    return _route(draft, concluded, attempt, step, Result.UNKNOWN, text)


def go_back(draft: Draft, incident: Incident, text: str) -> Incident:
    """The evidence that it was well has gone stale: held, and decided again from new evidence."""
    return _held(draft, incident, Trigger.TIMEOUT, text, draft.policy.span("retry_look"))


def soak_again(draft: Draft, incident: Incident, wait: timedelta) -> Incident:
    """Not proven yet: the soak starts again when evidence is fresh again."""
    return draft.put_incident(replace(incident, wake_at=draft.now + wait))


def last_heard(pile: Pile, since: datetime | None) -> bool:
    """Whether the pile has been heard after ``since``."""
    return pile.heard_at is not None and since is not None and pile.heard_at > since
