"""A work order's own moves: along its table, with its promises met, and told to the desks."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from triage.core.draft import Draft
from triage.core.effects import OrderNotice
from triage.core.lifecycle import ORDER_TABLE, Ignore, OrderAct
from triage.core.vocabulary import OrderState
from triage.core.workorder import FieldClock, Visit, WorkOrder

VISITS_KEPT = 60


def tell(draft: Draft, order: WorkOrder, change: str) -> None:
    """The desk hears of every change once; the notice's id is the key."""
    draft.emit(
        OrderNotice(id=f"{order.id}:{change}:{len(order.visits)}:{order.second_visits}", order=order, change=change)
    )


def set_order(draft: Draft, order: WorkOrder, act: OrderAct, text: str, visit: Visit | None = None) -> WorkOrder:
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
    moved = replace(moved, wake_at=next_clock(moved, now, policy.span("proof")))
    draft.note(
        order.id,
        "order",
        text,
        actor=visit.by if visit is not None else "engine",
        data={"from": order.state.value, "to": target.value, "act": act.value},
        also=(order.incident, order.pile),
    )
    if act in {OrderAct.RECALL, OrderAct.PROVE, OrderAct.REISSUE, OrderAct.INCOMPLETE}:
        tell(draft, moved, act.value)
    return draft.put_order(moved)


def _meet(clocks: tuple[FieldClock, ...], name: str, now: datetime) -> tuple[FieldClock, ...]:
    return tuple(replace(each, met_at=now) if each.name == name and each.met_at is None else each for each in clocks)


def next_clock(order: WorkOrder, now: datetime, proof: timedelta) -> datetime | None:
    """When the order must be looked at: its next promise, or the end of the wait for proof."""
    if order.state is OrderState.DONE:
        return now + proof
    if not order.open:
        return None
    return min((each.due_at for each in order.clocks if each.met_at is None and each.breached_at is None), default=None)


def recall(draft: Draft, order: WorkOrder, text: str) -> None:
    """Take an order back that nobody has to go for any more."""
    set_order(draft, order, OrderAct.RECALL, text)
