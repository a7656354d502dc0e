"""What an outage leaves to people: one visit for all while it lasts, and the piles that do not come back with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from triage.core import field, recovery
from triage.core.draft import Draft
from triage.core.incident import Incident
from triage.core.lifecycle import Trigger
from triage.core.outage import COMMON_CAUSE, LOST, Cause, Member, Outage, OutageState, turn
from triage.core.vocabulary import IncidentState, OrderReason

_WITHIN_REACH = frozenset({Cause.SITE, Cause.GATEWAY, Cause.FEEDER})
"""Causes a field team can do something about. Nobody drives to a carrier's network."""

_WAITING = frozenset({IncidentState.OBSERVING, IncidentState.HELD, IncidentState.DESK})


def report(draft: Draft, outage: Outage) -> Outage:
    """It lasts: one order for all of it, where somebody can go; else one case at the desk, or a line on record."""
    if outage.reported:
        return outage
    text = f"{outage.summary}; out since {outage.opened_at:%Y-%m-%d %H:%M}Z"
    if outage.sign != LOST:
        return _to_desk(draft, outage, text)
    if outage.cause not in _WITHIN_REACH:
        draft.note(outage.id, "outage", f"it lasts, and no field team can end it: {text}")
        return replace(outage, reported=True)
    order = _standing_order(draft, outage)
    if order is None:
        host = _host(draft, outage)
        if host is None:
            return outage  # maintenance, or no incident has come so far: looked at again
        text = f"one visit for all of {outage.id}: {text}"
        order = field.dispatch(draft, host, Trigger.EXHAUSTED, OrderReason.NO_REMOTE_CHANNEL, text).work_order
    draft.note(outage.id, "outage", f"work order {order} for all of it", also=(order,) if order else ())
    return replace(outage, reported=True, work_order=order)


def given_up(draft: Draft, outage: Outage) -> str:
    """Why its members are not held together any longer although they are still out, or an empty string."""
    if draft.now >= outage.opened_at + draft.policy.span("outage_max"):
        return "it lasts too long: each of its piles is decided on its own"
    order = draft.order(outage.work_order or "")
    if outage.work_order is not None and (order is None or not order.open):
        return f"the visit {outage.work_order} is over: each pile that is still lost is decided on its own"
    return ""


def free_all(draft: Draft, outage: Outage) -> Outage:
    """Let every member go, one after the other."""
    ramp = draft.policy.span("outage_ramp")
    members = (
        replace(each, free_at=turn(outage.id, each.pile, draft.now, ramp)) if each.out else each
        for each in outage.members
    )
    return replace(outage, members=tuple(members))


def _to_desk(draft: Draft, outage: Outage, text: str) -> Outage:
    for incident in _incidents(draft, outage):
        if incident.state is IncidentState.HELD and outage.sign in incident.faults:
            recovery.to_desk(draft, incident, Trigger.REFUSAL, f"decide for all of {outage.id}: {text}")
            return replace(outage, reported=True)
    return outage


def _incidents(draft: Draft, outage: Outage) -> list[Incident]:
    return [incident for member in outage.out for incident in draft.open_incidents(member.pile)]


def _standing_order(draft: Draft, outage: Outage) -> str | None:
    """An order that stands already for the same trouble of one of its members."""
    for incident in _incidents(draft, outage):
        order = draft.order(incident.work_order or "")
        if incident.family in COMMON_CAUSE and order is not None and order.open:
            return order.id
    return None


def _host(draft: Draft, outage: Outage) -> Incident | None:
    """The incident the one order belongs to."""
    for incident in _incidents(draft, outage):
        pile = draft.pile(incident.pile)
        if incident.family not in COMMON_CAUSE or incident.state not in _WAITING or pile is None:
            continue
        if incident.under_way is None and not incident.held_by and draft.silence_over(pile) is None:
            return incident
    return None


def leave_behind(
    draft: Draft, outage: Outage, with_members: Callable[[Draft, Outage, Iterable[Member]], Outage]
) -> Outage:
    """The others are back. Those of the rest that share something are an outage of their own; each other is decided."""
    rest = tuple(each.pile for each in outage.out)
    members = {each.pile: each for each in outage.members}
    standing = draft.order(outage.work_order or "")
    order = standing.id if standing is not None and standing.open else None
    while outage.sign == LOST and (match := draft.state.ledger.rest(rest, draft.policy.outage_least)) is not None:
        cause, name = match.group
        part = replace(
            outage,
            id=draft.serial("O"),
            cause=cause,
            name=name,
            size=match.size,
            state=OutageState.OPEN,
            state_since=draft.now,
            wake_at=max(outage.opened_at + draft.policy.span("outage_dispatch"), draft.now),
            work_order=order,
            reported=order is not None,
            previous=outage.id,
        )
        part = with_members(draft, part, [members[id] for id in match.piles])
        draft.put_outage(part)
        draft.note(part.id, "outage", f"what is left of {outage.id}: {part.summary}", also=(outage.id,))
        order = None
        rest = tuple(id for id in rest if id not in match.piles)
    freed = tuple(replace(each, free_at=draft.now) if each.out else each for each in outage.members)
    if rest:
        draft.note(outage.id, "outage", f"did not come back with the others: {', '.join(rest[:20])}")
    return replace(outage, members=freed)
