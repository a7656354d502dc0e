"""Handing trouble to the field: the one order of an incident, with its reason and everything the team should read."""

from __future__ import annotations

from msgspec.structs import replace

from triage.core.attempt import conclude
from triage.core.draft import Draft
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.inquiry import COMMON_CAUSE, outage_at
from triage.core.lifecycle import OrderAct, Trigger
from triage.core.linking import hand_over
from triage.core.orders import set_order, tell
from triage.core.vocabulary import (
    CloseCode,
    Family,
    IncidentState,
    OrderReason,
    OrderState,
    Priority,
    Result,
)
from triage.core.workorder import FieldClock, WorkOrder

EVIDENCE_KEPT = 40
_GRAVE = frozenset({OrderReason.FORBIDDEN_SAFETY})


def dispatch(draft: Draft, incident: Incident, trigger: Trigger, reason: OrderReason, text: str) -> Incident:
    """Open the one order of this incident, or join the order that is open on the pile already."""
    attempt = incident.under_way
    if attempt is not None:
        incident = conclude(draft, incident, attempt, Result.UNKNOWN, f"broken off: {text}")
    standing = draft.open_order(incident.pile) or _order_for_the_site(draft, incident)
    if standing is not None and standing.incident != incident.id:
        return _join(draft, incident, trigger, standing, reason, text)
    grave = reason in _GRAVE
    if standing is not None:
        order = set_order(draft, standing, OrderAct.REISSUE, f"dispatched again: {text}")
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


def _order_for_the_site(draft: Draft, incident: Incident) -> WorkOrder | None:
    """While a whole site is silent, one truck finds out for all of its piles."""
    pile = draft.pile(incident.pile)
    if pile is None or incident.family not in COMMON_CAUSE or not outage_at(draft, pile):
        return None
    for id in sorted(draft.state.sites.get(pile.site, ())):
        order = draft.open_order(id)
        host = draft.incident(order.incident) if order is not None else None
        if host is not None and host.family in COMMON_CAUSE:
            return order
    return None


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
    tell(draft, order, "issued")
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
    tell(draft, order, f"joined:{incident.id}")
    if host is not None:
        host = hand_over(draft, incident, host)
        draft.put_incident(replace(host, safety=host.safety or grave, clear_since=None))
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
