"""Following the field team: what it reports, what telemetry proves of it, and promises that were broken."""

from __future__ import annotations

from msgspec.structs import replace

from triage.core.draft import Draft, present
from triage.core.ending import end
from triage.core.events import OrderAct as OrderActEvent
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.lifecycle import ORDER_TABLE, Ignore, OrderAct, Trigger
from triage.core.orders import next_clock, set_order
from triage.core.vocabulary import CloseCode, Family, IncidentState, OrderState
from triage.core.workorder import Visit, WorkOrder

_NOT_DEPARTED = frozenset({OrderState.ISSUED, OrderState.ACCEPTED, OrderState.RETURNED})
_NEEDS_EYES = frozenset({Family.SAFETY, Family.DAMAGE, Family.REPORTED})


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
    order = set_order(draft, order, act, event.reason or event.work or event.act, visit)
    incident = draft.incident(order.incident)
    if incident is not None and incident.state is IncidentState.DESK and order.state is not OrderState.RETURNED:
        incident = _back_to_field(draft, incident, order)
    if incident is not None and incident.state is IncidentState.FIELD:
        _follow(draft, incident, order, act, event)
    elif order.state is OrderState.DONE and (incident is None or not incident.open):
        order = set_order(draft, order, OrderAct.PROVE, "the incident had ended already")
    draft.reply(200, id=order.id, state=order.state.value, incident=order.incident)


def _back_to_field(draft: Draft, incident: Incident, order: WorkOrder) -> Incident:
    """A team took the returned order after all."""
    return draft.move(
        incident,
        Trigger.ORDER,
        IncidentState.FIELD,
        f"order {order.id} was taken up again",
        wake_at=draft.now + draft.policy.span("retry_look"),
        clear_since=None,
        desk_reason="",
    )


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
        if incident.clear_since is None:
            if incident.wake_at is None or incident.wake_at <= draft.now:
                draft.look_later(incident, later)
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
        set_order(draft, order, OrderAct.PROVE, "proven by telemetry")
        found_nothing = bool(order.visits) and order.visits[-1].no_fault_found
        code = CloseCode.NO_FAULT_FOUND if found_nothing else CloseCode.REPAIRED
        return end(draft, incident, Trigger.SOAKED, code, "repair proven by telemetry")
    set_order(draft, order, OrderAct.RECALL, "the pile healed before anybody departed")
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
        if incident is None or not incident.open:
            set_order(draft, order, OrderAct.PROVE, "the incident had ended already")
            return
        if incident.clear_since is not None:
            draft.put_order(replace(order, wake_at=draft.now + draft.policy.span("soak")))
            return
        set_order(draft, order, OrderAct.REISSUE, "telemetry does not prove the repair: second visit")
        return
    late = []
    clocks = []
    for clock in order.clocks:
        due = clock.met_at is None and clock.breached_at is None and clock.due_at <= draft.now
        clocks.append(replace(clock, breached_at=draft.now) if due else clock)
        if due:
            late.append(clock.name)
    moved = replace(order, clocks=tuple(clocks))
    draft.put_order(replace(moved, wake_at=next_clock(moved, draft.now, draft.policy.span("proof"))))
    for name in late:
        draft.count("clock_breaches", name)
        draft.note(order.id, "clock", f"{name} promise broken", data={"clock": name}, also=(order.incident,))
