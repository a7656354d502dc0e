"""What people decide: on incidents, on maintenance, on the kill switch, and commands of their own."""

from __future__ import annotations

from msgspec.structs import replace

from triage.core import field, recovery
from triage.core.attempt import conclude, manual_step
from triage.core.draft import Draft
from triage.core.ending import end
from triage.core.events import CommandWanted, IncidentAct, KillSwitch, SilenceLifted, SilenceSet
from triage.core.fleet import Pile
from triage.core.gates import judge
from triage.core.incident import Incident
from triage.core.inquiry import question
from triage.core.lifecycle import TABLE, Ignore, Trigger
from triage.core.means import way
from triage.core.opening import open_incident
from triage.core.orders import recall
from triage.core.silence import Silence
from triage.core.vocabulary import CloseCode, Family, IncidentState, OrderReason, OrderState, Result, SymptomKind


def act_on_incident(draft: Draft, event: IncidentAct) -> None:
    """A person decides about an incident; what does not fit its state is answered with the reason."""
    incident = draft.incident(event.incident)
    if incident is None:
        draft.refuse(404, "No such incident", f"there is no open or recent incident {event.incident!r}")
        return
    if not incident.open:
        draft.refuse(409, "The incident is closed", f"{incident.id} ended as {incident.close_code}")
        return
    draft.note(incident.id, "person", f"{event.act}: {event.reason}", actor=event.actor, data={"act": event.act})
    problem = _ACTS[event.act](draft, incident, event)
    newest = draft.incident(incident.id)
    if problem or newest is None:
        draft.refuse(409, "The incident cannot do that now", problem)
        return
    draft.reply(200, id=newest.id, state=newest.state.value, work_order=newest.work_order)


def _retry(draft: Draft, incident: Incident, event: IncidentAct) -> str:
    if incident.state not in {IncidentState.OBSERVING, IncidentState.HELD, IncidentState.DESK}:
        return f"{incident.id} is {incident.state}: only what is observed, held or at the desk can be tried again"
    run = incident.run
    plan = draft.rules.plans.named(run.plan) if run is not None else None
    if run is not None and plan is not None and run.step >= len(plan.steps):
        run = replace(run, step=0, round=run.round + 1)
    incident = draft.put_incident(replace(incident, run=run, held_by="", held_since=None))
    recovery.advance(draft, incident)
    del event
    return ""


def _hold(draft: Draft, incident: Incident, event: IncidentAct) -> str:
    entry = TABLE[incident.state][Trigger.PERSON]
    if isinstance(entry, Ignore) or IncidentState.HELD not in entry:
        return f"{incident.id} is {incident.state}: it cannot be held"
    incident = _break_off(draft, incident, "held by a person")
    draft.move(
        incident,
        Trigger.PERSON,
        IncidentState.HELD,
        f"held by {event.actor}: {event.reason}",
        held_by=event.actor,
        held_since=draft.now,
        wake_at=draft.now + draft.policy.span("held_max"),
        clear_since=None,
    )
    return ""


def _release(draft: Draft, incident: Incident, event: IncidentAct) -> str:
    if incident.state is not IncidentState.HELD:
        return f"{incident.id} is {incident.state}: only what is held can be released"
    draft.move(
        incident,
        Trigger.PERSON,
        IncidentState.OBSERVING,
        f"released by {event.actor}: {event.reason}",
        held_by="",
        held_since=None,
        wake_at=draft.now,
    )
    return ""


def _dispatch(draft: Draft, incident: Incident, event: IncidentAct) -> str:
    if incident.state is IncidentState.FIELD:
        return f"{incident.id} has order {incident.work_order} already"
    text = f"dispatched by {event.actor}: {event.reason}"
    field.dispatch(draft, incident, Trigger.PERSON, OrderReason.DESK_DECISION, text)
    return ""


def _approve(draft: Draft, incident: Incident, event: IncidentAct) -> str:
    if incident.state not in {IncidentState.HELD, IncidentState.DESK}:
        return f"{incident.id} is {incident.state}: nothing waits for approval"
    until = draft.now + draft.policy.span("approval")
    incident = draft.put_incident(replace(incident, approved_until=until, approved_by=event.actor))
    recovery.advance(draft, incident)
    return ""


def _dismiss(draft: Draft, incident: Incident, event: IncidentAct) -> str:
    order = draft.order(incident.work_order or "")
    if order is not None and order.state is OrderState.RETURNED:
        recall(draft, order, f"dismissed by {event.actor}")
    elif order is not None and order.open:
        return f"order {order.id} is open: complete or return it first"
    incident = _break_off(draft, incident, "dismissed by a person")
    pile = draft.pile(incident.pile)
    if incident.safety and pile is not None and pile.hazard is not None:
        draft.put_pile(replace(pile, hazard=None, hazard_at=None))
        draft.note(pile.id, "hazard", f"cleared: {event.reason}", actor=event.actor, also=(incident.id,))
    end(draft, incident, Trigger.PERSON, CloseCode.DISMISSED, f"dismissed by {event.actor}: {event.reason}")
    return ""


def _break_off(draft: Draft, incident: Incident, text: str) -> Incident:
    attempt = incident.under_way
    if attempt is None:
        return incident
    return conclude(draft, incident, attempt, Result.UNKNOWN, f"broken off: {text}")


_ACTS = {
    "retry": _retry,
    "hold": _hold,
    "release": _release,
    "dispatch": _dispatch,
    "approve": _approve,
    "dismiss": _dismiss,
}


def want_command(draft: Draft, event: CommandWanted) -> None:
    """A person's own command: the same gates, the same proof, the same record."""
    pile = draft.pile(event.pile)
    if pile is None:
        draft.refuse(404, "No such pile", f"{event.pile!r} is not in the fleet; strangers are never commanded")
        return
    incidents = draft.open_incidents(pile.id)
    fits = [each for each in incidents if event.connector in {0, each.connector} or each.connector == 0]
    incident = next((each for each in fits if each.under_way is None), None)
    if incident is None and fits:
        draft.refuse(409, "The pile is busy", f"an attempt is under way: {fits[0].id}")
        return
    if event.connector > pile.registration.connectors:
        detail = f"{pile.id} has {pile.registration.connectors} connector(s); 0 is the whole pile"
        draft.refuse(422, "No such connector", detail)
        return
    means = way(draft.rules.dialects, pile.registration, event.action)
    if means is None:
        draft.refuse(409, "Not possible", f"a pile of profile {pile.registration.profile} has no {event.action}")
        return
    what = f"{event.action} wanted by {event.actor}: {event.reason}"
    trial = Draft(draft.state, draft.rules, draft.now)
    asked = incident or _opened(trial, pile, event, what)
    step = replace(manual_step(means.action), scope="pile" if event.connector == 0 else "connector")
    no = judge(question(trial, asked, pile, None, step))
    if no is not None:
        if incident is not None:
            recovery.record_refusal(draft, incident, step, no)
        text = f"{what}; refused by {no.gate}: {no.reason}"
        draft.note(pile.id, "refused", text, actor=event.actor, data={"gate": no.gate.value})
        draft.refuse(409, f"Refused by gate {no.gate}", no.reason)
        return
    incident = incident or _opened(draft, pile, event, what)
    if incident.state in {IncidentState.FIELD, IncidentState.CONFIRMING, IncidentState.PROBATION}:
        draft.refuse(409, "Not now", f"{incident.id} is {incident.state}")
        return
    draft.note(incident.id, "person", f"{event.action}: {event.reason}", actor=event.actor)
    sent = recovery.send(draft, incident, pile, step, means)
    draft.reply(202, incident=sent.id, command=sent.attempts[-1].id, action=event.action.value)


def _opened(draft: Draft, pile: Pile, event: CommandWanted, what: str) -> Incident:
    return open_incident(draft, pile, Family.REPORTED, event.connector, SymptomKind.REPORTED, what)


def set_silence(draft: Draft, event: SilenceSet) -> None:
    """Maintenance begins, now or later."""
    if sum(each is not None for each in (event.pile, event.site, event.region)) != 1:
        draft.refuse(422, "One scope is needed", "name exactly one of pile, site, region")
        return
    if event.ends_at <= event.starts_at or event.ends_at <= draft.now:
        draft.refuse(422, "The silence would never hold", "ends_at must be after starts_at and in the future")
        return
    silence = Silence(
        id=draft.serial("S"),
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        reason=event.reason,
        by=event.actor,
        created_at=draft.now,
        pile=event.pile,
        site=event.site,
        region=event.region,
    )
    draft.changes.silences[silence.id] = silence
    scope = event.pile or event.site or event.region
    draft.note(silence.id, "silence", f"maintenance on {scope}: {event.reason}", actor=event.actor)
    draft.reply(201, id=silence.id, starts_at=silence.starts_at.isoformat(), ends_at=silence.ends_at.isoformat())


def lift_silence(draft: Draft, event: SilenceLifted) -> None:
    """Maintenance is over before its time."""
    silence = draft.state.silences.get(event.silence)
    if silence is None:
        draft.refuse(404, "No such silence", f"there is no silence {event.silence!r} that has not ended")
        return
    draft.changes.silences[silence.id] = replace(silence, lifted_at=draft.now)
    draft.note(silence.id, "silence", "lifted", actor=event.actor)
    draft.reply(200, id=silence.id, lifted_at=draft.now.isoformat())


def throw_kill_switch(draft: Draft, event: KillSwitch) -> None:
    """Every command that changes anything on a device stops, or may go again; intake goes on either way."""
    draft.changes.settings["kill_switch"] = event.reason if event.on else ""
    text = f"kill switch {'on' if event.on else 'off'}: {event.reason}"
    draft.note("kill-switch", "kill_switch", text, actor=event.actor, data={"on": event.on})
    draft.reply(200, on=event.on, reason=event.reason)
