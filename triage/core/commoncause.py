"""Outages as they come and go: found from what piles in trouble share, followed member by member, ended with a ramp."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from triage.core import leftover
from triage.core.commonality import FLEET, Group, Match
from triage.core.draft import Draft, gone
from triage.core.outage import LOST, Cause, Member, Outage, OutageState, in_order, tried, turn, wording
from triage.core.policy import Policy

WATCH = "watch"
"""The deadline by which what began or ended on some piles is looked at together."""

_PART_OUT = 0.75
"""Share of the members out again that opens a returning outage anew; half of them back made it return."""


def pause(policy: Policy) -> timedelta:
    """How long changes are gathered before they are looked at: others follow within seconds."""
    return policy.span("retry_look") / 12


def watch(draft: Draft) -> None:
    """Look at everything that began or ended since the last time."""
    changed = draft.state.ledger.changed
    draft.forgotten.append(("signs", ""))
    for sign in sorted({sign for id in changed for sign in draft.state.ledger.shows(id)}):
        _detect(draft, sign)
    for outage in standing(draft):
        if outage.id in draft.changes.outages or any(member.pile in changed for member in outage.members):
            follow(draft, outage)


def due(draft: Draft, id: str) -> None:
    """An outage's deadline has come, or that of one of our links."""
    if id == WATCH:
        watch(draft)
        return
    if id.startswith(_LINK):
        _link_still_down(draft, id.removeprefix(_LINK))
        return
    outage = draft.state.outages.get(id)
    if outage is None:
        return
    if not outage.open:
        draft.forgotten.append(("outage", id))
        return
    follow(draft, outage)
    if id not in draft.changes.outages:
        draft.looks.append(("outage", id, draft.now + draft.policy.span("retry_look")))


def standing(draft: Draft, sign: str | None = None) -> list[Outage]:
    """The open outages as this draft sees them, oldest first."""
    newest = draft.state.outages | draft.changes.outages
    return [newest[id] for id in sorted(newest) if newest[id].open and sign in {None, newest[id].sign}]


# Finding ------------------------------------------------------------------------------------------------------------


def _detect(draft: Draft, sign: str) -> None:
    """Give every pile whose trouble is new to the outage that explains it best, or to none."""
    ledger = draft.state.ledger
    cutoff = draft.now - draft.policy.span("outage_window")
    fresh = ledger.fresh(FLEET, sign, cutoff)
    left = set(fresh) - _covered(draft, sign)
    while left:
        best = ledger.best(ledger.groups_around(left), sign, cutoff, len(fresh))
        host = _host(draft, sign, left, cutoff, len(fresh), best)
        if host is not None:
            joining = {id for id in left if ledger.within(id, (host.cause, host.name))}
            _join(draft, host, joining)
        elif best is not None:
            joining = set(best.piles)
            _open(draft, sign, best)
        else:
            return
        left -= joining


def _covered(draft: Draft, sign: str) -> set[str]:
    """Piles that are part of an outage of this sign, and those that one left behind to be decided on their own."""
    newest = draft.state.outages | draft.changes.outages
    alike = [each for each in newest.values() if each.sign == sign and each.absorbed_by is None]
    return {
        member.pile
        for outage in alike
        for member in outage.members
        if outage.open or (member.free_at is not None and member.back_at is None)
    }


def _host(
    draft: Draft, sign: str, left: set[str], cutoff: datetime, all_fresh: int, best: Match | None
) -> Outage | None:
    """The open outage that takes some of ``left``, unless ``best`` explains more than it does."""
    ledger = draft.state.ledger
    for outage in standing(draft, sign):
        group: Group = (outage.cause, outage.name)
        if outage.cause is Cause.OWN_LINK or not any(ledger.within(id, group) for id in left):
            continue
        own = ledger.match(group, sign, cutoff, all_fresh)
        if best is None or best.group == group or (own is not None and own.fit >= best.fit):
            return outage
    return None


def _open(draft: Draft, sign: str, match: Match) -> None:
    ledger, now = draft.state.ledger, draft.now
    members = {id: Member(pile=id, since=ledger.shows(id)[sign]) for id in match.piles}
    absorbed = [each for each in standing(draft, sign) if _inside(draft, each, match.group)]
    id = draft.serial("O")
    order = None
    for each in absorbed:
        members = {member.pile: member for member in each.members if member.free_at is None} | members
        order = order or each.work_order
        draft.put_outage(
            replace(each, state=OutageState.CLOSED, state_since=now, closed_at=now, wake_at=None, absorbed_by=id)
        )
        draft.note(each.id, "outage", f"part of {id}", data={"absorbed_by": id}, also=(id,))
    cause, name = match.group
    outage = Outage(
        id=id,
        cause=cause,
        name=name,
        sign=sign,
        size=match.size,
        state=OutageState.OPEN,
        state_since=now,
        opened_at=min([now, *(each.opened_at for each in absorbed)]),
        wake_at=now + draft.policy.span("outage_dispatch"),
        work_order=order,
        reported=order is not None,
        previous=_before(draft, match.group, sign),
    )
    outage = with_members(draft, outage, members.values())
    draft.put_outage(outage)
    draft.note(id, "outage", outage.summary, data={"cause": cause.value, "name": name, "piles": len(members)})


def _inside(draft: Draft, outage: Outage, group: Group) -> bool:
    ledger = draft.state.ledger
    return bool(outage.out) and all(ledger.within(each.pile, group) for each in outage.out)


def _before(draft: Draft, group: Group, sign: str) -> str | None:
    alike = [
        each.id
        for each in draft.state.outages.values()
        if not each.open and (each.cause, each.name) == group and each.sign == sign
    ]
    return max(alike, default=None)


def _join(draft: Draft, outage: Outage, piles: Iterable[str]) -> None:
    shows = draft.state.ledger.shows
    more = [Member(pile=id, since=shows(id)[outage.sign]) for id in sorted(piles)]
    draft.put_outage(with_members(draft, outage, (*outage.members, *more)))


def with_members(draft: Draft, outage: Outage, members: Iterable[Member]) -> Outage:
    """``outage`` with these members, and with the words that fit them."""
    kept = in_order(outage.id, outage.sign, members)
    size = max(outage.size, len(kept))
    text, text_zh = wording(outage.cause, outage.name, outage.sign, len(kept), size)
    sites = {pile.site for each in kept if (pile := draft.pile(each.pile)) is not None}
    site = sites.pop() if len(sites) == 1 else ""
    return replace(outage, members=kept, size=size, summary=text, summary_zh=text_zh, site=site)


# Following ----------------------------------------------------------------------------------------------------------


def follow(draft: Draft, outage: Outage) -> None:
    """Bring an outage in line with what its members show now, and let go whoever's turn has come."""
    if outage.cause is Cause.OWN_LINK:
        if outage.name not in draft.state.listening:
            link_up(draft, outage.name)  # it was taken out of the settings
        return
    before = outage
    members = tuple(_look_at(draft, outage, member) for member in outage.members)
    if members != outage.members:
        outage = replace(outage, members=members)
    outage = _moved(draft, outage)
    known = draft.state.outages.get(outage.id)
    if outage != known:
        draft.put_outage(replace(outage, wake_at=_wake(draft, outage)))
    _let_go(draft, known or before, outage)


def _look_at(draft: Draft, outage: Outage, member: Member) -> Member:
    pile = draft.pile(member.pile)
    if pile is None:
        return member if member.back_at else replace(member, back_at=draft.now, free_at=draft.now)
    shows = draft.state.ledger.shows(member.pile)
    if outage.sign in shows:
        again = member.back_at is not None
        return Member(pile=member.pile, since=shows[outage.sign]) if again else member
    if member.back_at is not None or gone(pile):
        return member  # who cannot be heard has not come back
    free_at = member.free_at or turn(outage.id, member.pile, draft.now, draft.policy.span("outage_ramp"))
    return replace(member, back_at=draft.now, free_at=free_at)


def _moved(draft: Draft, outage: Outage) -> Outage:
    """The outage in the state that fits its members."""
    out, total = outage.out, len(outage.members)
    if outage.state is OutageState.OPEN:
        if 2 * len(out) <= total:
            outage = _enter(draft, outage, OutageState.RETURNING, f"{total - len(out)} of {total} piles are back")
        elif reason := leftover.given_up(draft, outage):
            outage = _enter(draft, leftover.free_all(draft, outage), OutageState.RETURNING, reason)
        elif draft.now >= outage.opened_at + draft.policy.span("outage_dispatch"):
            return leftover.report(draft, outage)
    if outage.state is OutageState.RETURNING:
        if len(out) >= draft.policy.outage_least and len(out) > total * _PART_OUT:
            return _enter(draft, outage, OutageState.OPEN, f"{len(out)} of {total} piles are lost again")
        if out and draft.now >= _patience(draft, outage):
            outage = leftover.leave_behind(draft, outage, with_members)
        if not outage.out and all(each.free_at is None or each.free_at <= draft.now for each in outage.members):
            left = sum(each.back_at is None for each in outage.members)
            text = f"over: {total - left} of {total} piles came back"
            outage = replace(_enter(draft, outage, OutageState.CLOSED, text), closed_at=draft.now)
    return outage


def _enter(draft: Draft, outage: Outage, state: OutageState, text: str) -> Outage:
    draft.note(outage.id, "outage", text, data={"from": outage.state.value, "to": state.value})
    return replace(outage, state=state, state_since=draft.now)


def _patience(draft: Draft, outage: Outage) -> datetime:
    """Until when those still out may follow the others; one that comes and goes does not prolong it for ever."""
    wait = draft.policy.span("outage_straggler")
    newest = max((each.back_at for each in outage.members if each.back_at is not None), default=outage.state_since)
    return min(max(newest, outage.state_since), outage.state_since + 3 * wait) + wait


def _wake(draft: Draft, outage: Outage) -> datetime | None:
    if outage.state is OutageState.CLOSED:
        return None
    if outage.state is OutageState.OPEN:
        later = "outage_max" if outage.reported and outage.work_order is None else "outage_dispatch"
        moment = outage.opened_at + draft.policy.span(later)
    elif outage.out:
        moment = _patience(draft, outage)
    else:
        moment = max((each.free_at for each in outage.members if each.free_at is not None), default=draft.now)
    return moment if moment > draft.now else draft.now + draft.policy.span("retry_look")


def _let_go(draft: Draft, before: Outage, after: Outage) -> None:
    """Look at the incidents of everyone whose turn is known now; each is decided then, from what it shows then."""
    known = {each.pile: each for each in before.members}
    turns = {each.pile: each.free_at for each in after.members if each.free_at and each != known.get(each.pile)}
    if after.sign != LOST:
        first = draft.policy.outage_trials
        turns |= dict.fromkeys(set(tried(after, first)) - set(tried(before, first)), draft.now)
    for id, moment in turns.items():
        for incident in draft.open_incidents(id):
            draft.look_later(incident, max(moment, incident.wake_at or moment, draft.now))


# Our own links ------------------------------------------------------------------------------------------------------

_LINK = "link:"


def link_down(draft: Draft, driver: str) -> None:
    """Our own way is down: if it stays so for as long as makes a pile silent, that is an outage of ours."""
    draft.looks.append(("outage", f"{_LINK}{driver}", draft.now + draft.policy.span("silent_after")))


def link_up(draft: Draft, driver: str) -> None:
    """Our own way is back; who is silent from here on is counted from here."""
    draft.looks.append(("outage", f"{_LINK}{driver}", None))
    for outage in standing(draft):
        if outage.cause is Cause.OWN_LINK and outage.name == driver:
            closed = _enter(draft, outage, OutageState.CLOSED, "our own link is up again")
            draft.put_outage(replace(closed, closed_at=draft.now, wake_at=None))


def _link_still_down(draft: Draft, driver: str) -> None:
    state = draft.state
    known = any(each.cause is Cause.OWN_LINK and each.name == driver for each in standing(draft))
    many = state.ledger.size((Cause.DRIVER, driver))
    if known or not many or driver not in state.listening or state.listening[driver] is not None:
        return
    outage = Outage(
        id=draft.serial("O"),
        cause=Cause.OWN_LINK,
        name=driver,
        sign=LOST,
        size=many,
        state=OutageState.OPEN,
        state_since=draft.now,
        opened_at=draft.now,
        wake_at=draft.now + draft.policy.span("outage_dispatch"),
    )
    text, text_zh = wording(outage.cause, driver, LOST, many, many)
    draft.put_outage(replace(outage, summary=text, summary_zh=text_zh))
    draft.note(outage.id, "outage", text, data={"cause": outage.cause.value, "name": driver, "piles": many})
