"""What the gates are asked: the question before a step, gathered from everything the draft knows."""

from __future__ import annotations

from triage.core.draft import Draft
from triage.core.fleet import Pile
from triage.core.gates import Question
from triage.core.incident import Incident
from triage.core.plan import Plan, Step
from triage.core.vocabulary import REBOOTS, Action, ConnectorStatus, Family, Mode, OrderState
from triage.core.workorder import WorkOrder

_MODES = [Mode.DISABLED, Mode.SHADOW, Mode.APPROVE, Mode.LIVE]
COMMON_CAUSE = frozenset({Family.OFFLINE, Family.UNRESPONSIVE, Family.SUPPLY})
"""Families that many piles of a site show at once when the cause is not theirs."""


def question(draft: Draft, incident: Incident, pile: Pile, plan: Plan | None, step: Step) -> Question:
    """Everything the gates look at before ``step``."""
    state, policy, now = draft.state, draft.policy, draft.now
    behind = _behind(draft, pile) if step.action is Action.POWER_CYCLE else ()
    concerned = (pile, *behind)
    others = [each.under_way for one in concerned for each in draft.open_incidents(one.id) if each.id != incident.id]
    order = next((found for one in concerned if (found := _order_at(draft, incident, one)) is not None), None)
    silence = next((quiet for one in concerned if (quiet := draft.silence_over(one)) is not None), None)
    mode = policy.mode if plan is None else min(policy.mode, plan.mode, key=_MODES.index)
    site = state.sites.get(pile.site, set())
    return Question(
        action=step.action,
        connector=0 if step.scope == "pile" else incident.connector,
        trouble_at=incident.connector,
        family=incident.family,
        pile=pile,
        behind=behind,
        policy=policy,
        now=now,
        mode=mode,
        kill_switch=draft.setting("kill_switch"),
        silence="" if silence is None else silence.reason,
        listening_since=draft.listening_since(pile),
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


def _behind(draft: Draft, pile: Pile) -> tuple[Pile, ...]:
    """The other piles that lose their power with this one."""
    switch = pile.registration.power_switch
    if not switch:
        return ()
    piles = (draft.pile(id) for id, each in draft.state.piles.items() if each.registration.power_switch == switch)
    return tuple(each for each in piles if each is not None and each.id != pile.id)


def _order_at(draft: Draft, incident: Incident, pile: Pile) -> WorkOrder | None:
    order = draft.open_order(pile.id)
    if order is not None and order.incident == incident.id and order.state is OrderState.RETURNED:
        return None  # its own order, and nobody has it
    return order


def outage_at(draft: Draft, pile: Pile) -> str:
    """Why trouble at this site is taken for one common cause, or an empty string."""
    policy = draft.policy
    size = len(draft.state.sites.get(pile.site, ()))
    troubled = draft.state.troubled(pile.site, COMMON_CAUSE)
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
