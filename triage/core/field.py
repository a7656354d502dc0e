"""The field: opening an order with its reason, following the team, proving the repair, and ending an incident."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from triage.core.attempt import conclude
from triage.core.draft import Draft, present
from triage.core.effects import OrderNotice
from triage.core.events import OrderAct as OrderActEvent
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.lifecycle import COMPLAINT_TABLE, ORDER_TABLE, ComplaintAct, Ignore, OrderAct, Trigger
from triage.core.vocabulary import (
    CloseCode,
    ComplaintState,
    Family,
    IncidentState,
    OrderReason,
    OrderState,
    Priority,
    Result,
)
from triage.core.workorder import FieldClock, Visit, WorkOrder

EVIDENCE_KEPT = 40
VISITS_KEPT = 60
_GRAVE = frozenset({OrderReason.FORBIDDEN_SAFETY})
_NOT_DEPARTED = frozenset({OrderState.ISSUED, OrderState.ACCEPTED, OrderState.RETURNED})
_NEEDS_EYES = frozenset({Family.SAFETY, Family.DAMAGE, Family.REPORTED})


def dispatch(draft: Draft, incident: Incident, trigger: Trigger, reason: OrderReason, text: str) -> Incident:
    """Open the one order of this incident, or join the order that is open on the pile already."""
    attempt = incident.under_way
    if attempt is not None:
        incident = conclude(draft, incident, attempt, Result.UNKNOWN, f"broken off: {text}")
    standing = draft.open_order(incident.pile)
    if standing is not None and standing.incident != incident.id:
        return _join(draft, incident, trigger, standing, reason, text)
    grave = reason in _GRAVE
    if standing is not None:
        order = _set(draft, standing, OrderAct.REISSUE, f"dispatched again: {text}")
    else:
        order = _open(draft, incident, reason, text)
    pile = draft.pile(incident.pile)
    if grave and pile is not None and pile.hazard is None:
        # Sticky from here on: whatever messages come or fail to come, only a person clears it.
        draft.put_pile(replace(pile, hazard=text[:200], hazard_at=draft.now))
    return draft.move(
        incident,
        trigger,
        IncidentState.FIELD,
        f"work order {order.id} ({reason}): {text}",
        work_order=order.id,
        wake_at=draft.now + draft.policy.span("retry_look"),
        clear_since=None,
        held_since=None,
        soak_code=None,
        desk_reason="",
        safety=incident.safety or grave,
    )


def _open(draft: Draft, incident: Incident, reason: OrderReason, text: str) -> WorkOrder:
    pile = draft.pile(incident.pile)
    emergency = reason in _GRAVE
    policy, now = draft.policy, draft.now
    accept = policy.span("accept_emergency" if emergency else "accept")
    on_site = policy.span("on_site_emergency" if emergency else "on_site")
    plan = draft.rules.plans.named(incident.run.plan) if incident.run else None
    order = WorkOrder(
        id=draft.serial("W"),
        incident=incident.id,
        pile=incident.pile,
        site=incident.site,
        region=incident.region,
        connector=incident.connector,
        reason=reason,
        reason_text=text[:500],
        state=OrderState.ISSUED,
        state_since=now,
        opened_at=now,
        priority=Priority.CRITICAL if emergency else Priority.NORMAL,
        team=pile.registration.team if pile is not None else "",
        evidence=_evidence(draft, incident, pile),
        parts_guess=plan.likely_parts if plan is not None else (),
        safety_notes=_notes(incident, pile, emergency=emergency),
        clocks=(
            FieldClock(name="accept", due_at=now + accept),
            FieldClock(name="on_site", due_at=now + on_site),
        ),
        wake_at=now + accept,
    )
    draft.count("work_orders_opened", reason)
    draft.note(
        order.id,
        "issued",
        text,
        data={"incident": incident.id, "reason": reason.value},
        also=(incident.id, incident.pile),
    )
    draft.put_order(order)
    _tell(draft, order, "issued")
    return order


def _evidence(draft: Draft, incident: Incident, pile: Pile | None) -> tuple[str, ...]:
    lines = [f"trouble: {incident.summary}"]
    if pile is not None:
        lines.extend(
            f"fault {fault.code} ({fault.name}) on connector {fault.connector} since {fault.since:%Y-%m-%d %H:%M:%S}Z"
            for fault in pile.faults
        )
        heard = "never" if pile.heard_at is None else f"{pile.heard_at:%Y-%m-%d %H:%M:%S}Z"
        lines.append(f"link {pile.link}, last heard {heard}, firmware {pile.firmware or 'unknown'}")
        lines.extend(f"connector {each.number}: {each.status or 'unknown'}" for each in pile.connectors)
    lines.extend(
        f"tried {each.action} at {each.sent_at:%H:%M:%S}Z: {each.result} ({each.reason})" for each in incident.attempts
    )
    lines.extend(f"refused by {each.gate}: {each.reason}" for each in incident.refusals[-5:])
    for number in incident.complaints[-10:]:
        complaint = draft.complaint(number)
        if complaint is not None:
            lines.append(f"complaint {number}: {complaint.symptom}, verdict {complaint.verdict or 'none'}")
    return tuple(line[:300] for line in lines[:EVIDENCE_KEPT])


def _notes(incident: Incident, pile: Pile | None, *, emergency: bool) -> tuple[str, ...]:
    notes = []
    if emergency:
        notes.append("Isolate the supply before touching; inspect before use. 接触前先断电，检查合格后方可恢复使用。")
    if pile is not None and pile.hazard is not None:
        notes.append(f"Danger on record: {pile.hazard}")
    if incident.family is Family.DAMAGE:
        notes.append("Physical damage reported: expect exposed parts. 报告外观损坏，注意裸露带电部件。")
    return tuple(notes)


def _join(
    draft: Draft, incident: Incident, trigger: Trigger, standing: WorkOrder, reason: OrderReason, text: str
) -> Incident:
    """One truck: the trouble goes with the order that is open on the pile already."""
    host = draft.incident(standing.incident)
    line = f"also: {incident.summary} ({reason}): {text}"[:300]
    grave = reason in _GRAVE
    order = replace(
        standing,
        evidence=(*standing.evidence, line)[-EVIDENCE_KEPT:],
        priority=Priority.CRITICAL if grave else standing.priority,
        safety_notes=(*standing.safety_notes, line)[-10:] if grave else standing.safety_notes,
    )
    draft.put_order(order)
    _tell(draft, order, f"joined:{incident.id}")
    if host is not None:
        draft.put_incident(
            replace(
                host,
                complaints=(*host.complaints, *(each for each in incident.complaints if each not in host.complaints)),
                reporters=(*host.reporters, *(each for each in incident.reporters if each not in host.reporters)),
                safety=host.safety or grave,
                clear_since=None,
            )
        )
        for number in incident.complaints:
            complaint = draft.complaint(number)
            if complaint is not None:
                draft.put_complaint(replace(complaint, incident=host.id))
    pile = draft.pile(incident.pile)
    if grave and pile is not None and pile.hazard is None:
        draft.put_pile(replace(pile, hazard=text[:200], hazard_at=draft.now))
    return draft.move(
        incident,
        trigger,
        IncidentState.CLOSED,
        f"joined order {standing.id} of {standing.incident}: {text}",
        closed_at=draft.now,
        close_code=CloseCode.MERGED,
        merged_into=standing.incident,
        wake_at=None,
    )


def _tell(draft: Draft, order: WorkOrder, change: str) -> None:
    """The desk hears of every change once; the notice's id is the key."""
    draft.emit(
        OrderNotice(id=f"{order.id}:{change}:{len(order.visits)}:{order.second_visits}", order=order, change=change)
    )


def _set(draft: Draft, order: WorkOrder, act: OrderAct, text: str, visit: Visit | None = None) -> WorkOrder:
    """Move an order along its table. The caller has checked that the edge exists."""
    target = ORDER_TABLE[order.state][act]
    if isinstance(target, Ignore):
        return order
    now, policy = draft.now, draft.policy
    clocks = order.clocks
    if target in {OrderState.ACCEPTED, OrderState.EN_ROUTE, OrderState.ON_SITE, OrderState.DONE}:
        clocks = _meet(clocks, "accept", now)
    if target in {OrderState.ON_SITE, OrderState.DONE}:
        clocks = _meet(clocks, "on_site", now)
    if act in {OrderAct.INCOMPLETE, OrderAct.REISSUE}:
        clocks = (
            FieldClock(name="accept", due_at=now + policy.span("accept")),
            FieldClock(name="on_site", due_at=now + policy.span("on_site")),
        )
    again = act in {OrderAct.INCOMPLETE, OrderAct.REISSUE}
    ended = target in {OrderState.CLOSED, OrderState.RECALLED}
    moved = replace(
        order,
        state=target,
        state_since=now,
        clocks=clocks,
        visits=(*order.visits, visit)[-VISITS_KEPT:] if visit is not None else order.visits,
        closed_at=now if ended else None,
        second_visits=order.second_visits + (1 if again else 0),
    )
    moved = replace(moved, wake_at=_next_clock(moved, now, policy.span("proof")))
    draft.note(
        order.id,
        "order",
        text,
        actor=visit.by if visit is not None else "engine",
        data={"from": order.state.value, "to": target.value, "act": act.value},
        also=(order.incident, order.pile),
    )
    if act in {OrderAct.RECALL, OrderAct.PROVE, OrderAct.REISSUE, OrderAct.INCOMPLETE}:
        _tell(draft, moved, act.value)
    return draft.put_order(moved)


def _meet(clocks: tuple[FieldClock, ...], name: str, now: datetime) -> tuple[FieldClock, ...]:
    return tuple(replace(each, met_at=now) if each.name == name and each.met_at is None else each for each in clocks)


def _next_clock(order: WorkOrder, now: datetime, proof: timedelta) -> datetime | None:
    if order.state is OrderState.DONE:
        return now + proof
    if not order.open:
        return None
    return min((each.due_at for each in order.clocks if each.met_at is None and each.breached_at is None), default=None)


def act_on_order(draft: Draft, event: OrderActEvent) -> None:
    """The team reports.

    A report that does not fit the order's life is answered with the reason, and changes nothing.
    """
    order = draft.order(event.order)
    if order is None:
        draft.refuse(404, "No such work order", f"there is no open or recent work order {event.order!r}")
        return
    act = OrderAct(event.act)
    target = ORDER_TABLE[order.state][act]
    if isinstance(target, Ignore):
        draft.refuse(409, "The order cannot do that now", f"{order.id} is {order.state}: {target}")
        return
    visit = Visit(
        at=draft.now,
        act=event.act,
        by=event.actor,
        reason=event.reason,
        cause=event.cause,
        work=event.work,
        parts=event.parts,
        no_fault_found=event.no_fault_found,
    )
    order = _set(draft, order, act, event.reason or event.work or event.act, visit)
    incident = draft.incident(order.incident)
    if incident is not None and incident.state is IncidentState.FIELD:
        _follow(draft, incident, order, act, event)
    draft.reply(200, id=order.id, state=order.state.value, incident=order.incident)


def _follow(draft: Draft, incident: Incident, order: WorkOrder, act: OrderAct, event: OrderActEvent) -> None:
    if act is OrderAct.RETURN:
        draft.move(
            incident,
            Trigger.ORDER,
            IncidentState.DESK,
            f"order {order.id} returned: {event.reason or 'no reason given'}",
            wake_at=draft.now + draft.policy.span("desk"),
            desk_reason=f"order returned: {event.reason}",
        )
    elif act is OrderAct.DONE:
        pile = draft.pile(incident.pile)
        if pile is not None and pile.hazard is not None:
            # A person has been there. What the device still claims sets it again with its next message.
            draft.put_pile(replace(pile, hazard=None, hazard_at=None))
            draft.note(pile.id, "hazard", "cleared by the field team", actor=event.actor, also=(incident.id,))
        draft.put_incident(replace(incident, clear_since=None, wake_at=draft.now + draft.policy.span("retry_look")))
    else:
        draft.put_incident(replace(incident, clear_since=None))


def watch(draft: Draft, incident: Incident) -> Incident:
    """An incident in the field, looked at again: is it proven clean, before departure or after the repair?"""
    order = draft.order(incident.work_order or "")
    pile = draft.pile(incident.pile)
    later = draft.now + draft.policy.span("retry_look")
    if order is None or pile is None:
        return draft.put_incident(replace(incident, wake_at=later))
    good = _good(draft, incident, order, pile)
    if not good:
        if incident.clear_since is None and incident.wake_at is not None and incident.wake_at > draft.now:
            return incident
        return draft.put_incident(replace(incident, clear_since=None, wake_at=later))
    if incident.clear_since is None:
        soak = draft.now + draft.policy.span("soak")
        return draft.put_incident(replace(incident, clear_since=draft.now, wake_at=soak))
    if draft.now < incident.clear_since + draft.policy.span("soak"):
        return incident
    if pile.heard_at is None or pile.heard_at <= incident.clear_since:
        return draft.put_incident(replace(incident, wake_at=later))
    if order.state is OrderState.DONE:
        _set(draft, order, OrderAct.PROVE, "proven by telemetry")
        found_nothing = bool(order.visits) and order.visits[-1].no_fault_found
        code = CloseCode.NO_FAULT_FOUND if found_nothing else CloseCode.REPAIRED
        return end(draft, incident, Trigger.SOAKED, code, "repair proven by telemetry")
    _set(draft, order, OrderAct.RECALL, "the pile healed before anybody departed")
    return end(draft, incident, Trigger.SOAKED, CloseCode.SELF_CLEARED, "healed before departure; order recalled")


def _good(draft: Draft, incident: Incident, order: WorkOrder, pile: Pile) -> bool:
    """Whether fresh telemetry, newer than the newest act on the order, shows no trouble at all on this pile."""
    fresh = pile.heard_at is not None and draft.now - pile.heard_at <= draft.policy.span("fresh")
    if not fresh or not pile.seen_since_start or present(pile, incident) or pile.hazard is not None:
        return False
    if any(fault.safety for fault in pile.faults) or _merged_trouble(draft, incident, pile):
        return False
    if order.state is OrderState.DONE:
        return pile.heard_at is not None and pile.heard_at > order.state_since
    if order.state not in _NOT_DEPARTED or incident.safety:
        return False
    return incident.family not in _NEEDS_EYES


def _merged_trouble(draft: Draft, incident: Incident, pile: Pile) -> bool:
    return any(each.merged_into == incident.id and present(pile, each) for each in draft.incidents_of(pile.id))


def tick_order(draft: Draft, order: WorkOrder) -> None:
    """An order's deadline has come: a broken promise is recorded once, an unproven repair is issued again."""
    if not order.open:
        return
    if order.state is OrderState.DONE:
        incident = draft.incident(order.incident)
        if incident is not None and incident.clear_since is not None:
            draft.put_order(replace(order, wake_at=draft.now + draft.policy.span("soak")))
            return
        _set(draft, order, OrderAct.REISSUE, "telemetry does not prove the repair: second visit")
        return
    late = []
    clocks = []
    for clock in order.clocks:
        due = clock.met_at is None and clock.breached_at is None and clock.due_at <= draft.now
        clocks.append(replace(clock, breached_at=draft.now) if due else clock)
        if due:
            late.append(clock.name)
    moved = replace(order, clocks=tuple(clocks))
    draft.put_order(replace(moved, wake_at=_next_clock(moved, draft.now, draft.policy.span("proof"))))
    for name in late:
        draft.count("clock_breaches", name)
        draft.note(order.id, "clock", f"{name} promise broken", data={"clock": name}, also=(order.incident,))


# The end --------------------------------------------------------------------------------------------------------------


def end(draft: Draft, incident: Incident, trigger: Trigger, code: CloseCode, text: str) -> Incident:
    """The trouble is proven gone: reporters are called back first, where there are any."""
    waiting = [number for number in incident.complaints if _resolve(draft, number, code)]
    if waiting and trigger is not Trigger.PERSON:
        return draft.move(
            incident,
            trigger,
            IncidentState.CONFIRMING,
            f"{text}; {len(waiting)} reporter(s) to be called back",
            close_code=code,
            wake_at=draft.now + draft.policy.span("callback"),
        )
    return draft.move(incident, trigger, IncidentState.CLOSED, text, close_code=code, closed_at=draft.now, wake_at=None)


def _resolve(draft: Draft, number: str, code: CloseCode) -> bool:
    """Move a complaint to resolved; whether its reporter still has to be called back."""
    complaint = draft.complaint(number)
    if complaint is None or complaint.state is ComplaintState.CLOSED:
        return False
    target = COMPLAINT_TABLE[complaint.state][ComplaintAct.RESOLVE]
    if isinstance(target, Ignore):
        return False
    draft.put_complaint(replace(complaint, state=target, state_since=draft.now))
    draft.note(number, "resolved", f"resolved: {code}", also=(complaint.incident,) if complaint.incident else ())
    return True
