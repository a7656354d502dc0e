"""The gates before every step. Pure and total: a question in, a refusal or a permit out; the first refusal wins.

Default deny: a step passes only when nothing refuses, and what is unknown refuses. No argument and no role can turn a
safety refusal into a permit.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from triage.core.fleet import Connector, Pile
from triage.core.policy import Policy
from triage.core.vocabulary import READS, REBOOTS, Action, ConnectorStatus, Family, Gate, Link, Mode

FLOWING_A = 1.0
FLOWING_W = 100.0
"""Beyond a meter's noise: somebody draws power, whatever the session says."""

_LIVE = frozenset({ConnectorStatus.CHARGING, ConnectorStatus.SUSPENDED_EV, ConnectorStatus.SUSPENDED_EVSE})
_PLUGGED = frozenset({ConnectorStatus.PREPARING, ConnectorStatus.FINISHING, ConnectorStatus.RESERVED})
_NEVER_ENERGISED = frozenset({Family.SAFETY, Family.DAMAGE, Family.UNKNOWN, Family.THERMAL})
_UNPLUG_FAMILIES = frozenset({Family.SESSION_STUCK, Family.CONNECTOR_LOCK})


class Question(Struct, frozen=True, kw_only=True):
    """May ``action`` be done to this pile now? Everything the gates look at, and nothing else.

    ``connector`` is what the action is for (0: the whole pile), ``trouble_at`` where the incident is.
    """

    action: Action
    connector: int
    trouble_at: int
    family: Family
    pile: Pile
    policy: Policy
    now: datetime
    mode: Mode
    behind: tuple[Pile, ...] = ()  # the other piles that lose their power with this one
    kill_switch: str = ""
    silence: str = ""
    listening_since: datetime | None = None
    outage: str = ""
    other_attempt: str = ""
    open_order: str = ""
    resets_in_incident: int = 0
    not_again: bool = False
    site_rebooting: int = 0
    site_piles: int = 1
    site_available: int = 1
    fleet_sends_window: int = 0
    fleet_sends_hour: int = 0
    fleet_piles: int = 1
    breaker: tuple[int, int] = (0, 0)  # failed, all verified resets within the breaker's window
    approved_until: datetime | None = None


class No(Struct, frozen=True):
    """A refusal. ``again_s`` after ``now`` it is worth asking again; ``final`` means time alone cannot change it."""

    gate: Gate
    reason: str
    again: timedelta
    final: bool = False


def judge(question: Question) -> No | None:
    """The first refusal, or None: the step may be sent."""
    for gate in _READ_GATES if question.action in READS else _ALL_GATES:
        refusal = gate(question)
        if refusal is not None:
            return refusal
    return None


def _no(question: Question, gate: Gate, reason: str, *, final: bool = False, again: timedelta | None = None) -> No:
    return No(gate, reason, again if again is not None else question.policy.span("retry_look"), final)


def _kill_switch(question: Question) -> No | None:
    if question.kill_switch and question.action not in READS:
        return _no(question, Gate.KILL_SWITCH, f"kill switch is on: {question.kill_switch}")
    return None


def _plan_mode(question: Question) -> No | None:
    if question.mode is Mode.DISABLED:
        return _no(question, Gate.PLAN_MODE, "the plan is disabled", final=True)
    if question.mode is Mode.SHADOW:
        reason = f"shadow mode: would have sent {question.action}"
        return _no(question, Gate.PLAN_MODE, reason, final=True)
    return None


def _safety(question: Question) -> No | None:
    if question.family in {Family.SAFETY, Family.DAMAGE}:
        return _no(question, Gate.SAFETY, f"{question.family}: a person must look first", final=True)
    if question.pile.hazard is not None:
        return _no(question, Gate.SAFETY, f"danger on record: {question.pile.hazard}", final=True)
    for pile in question.behind:
        if pile.hazard is not None or any(fault.family in _NEVER_ENERGISED for fault in pile.faults):
            reason = f"{pile.id} has its power from the same switch and must not be energised again unseen"
            return _no(question, Gate.SAFETY, reason)
    claimed = [fault.name for fault in question.pile.faults if fault.safety]
    if claimed:
        return _no(question, Gate.SAFETY, f"device claims {', '.join(claimed)}", final=True)
    unjudged = [fault.code for fault in question.pile.faults if fault.family is Family.UNKNOWN]
    if unjudged and question.action in REBOOTS:
        return _no(question, Gate.SAFETY, f"unclassified code {', '.join(unjudged)}: not resettable", final=True)
    hot = [fault.name for fault in question.pile.faults if fault.family is Family.THERMAL]
    if hot and question.action in REBOOTS:
        return _no(question, Gate.SAFETY, f"{', '.join(hot)}: a reset while hot may restart at full power")
    return _cooling(question)


def _cooling(question: Question) -> No | None:
    """What was hot a moment ago is not cool yet (IEC 61851-23 and GB 44263 protect against heat; so do we)."""
    if question.action not in REBOOTS:
        return None
    for pile in (question.pile, *question.behind):
        if pile.hot_at is None:
            continue
        wait = question.policy.span("cool") - max(question.now - pile.hot_at, timedelta(0))
        if wait > timedelta(0):
            reason = f"{_whose(question, pile)} was too hot at {pile.hot_at:%H:%M:%S}"
            return _no(question, Gate.SAFETY, reason, again=wait)
    return None


def _whose(question: Question, pile: Pile) -> str:
    return "it" if pile is question.pile else f"{pile.id}, which has its power from the same switch,"


def _silence(question: Question) -> No | None:
    if question.silence:
        return _no(question, Gate.SILENCE, f"maintenance: {question.silence}")
    return None


def _link(question: Question) -> No | None:
    if question.listening_since is None:
        return _no(question, Gate.LINK, "our own link to the field is down")
    if question.pile.link is Link.OFFLINE:
        return _no(question, Gate.LINK, "the pile is offline")
    return None


def _stale(question: Question) -> No | None:
    pile = question.pile
    if question.family is Family.UNRESPONSIVE and pile.link is Link.ONLINE:
        # A silent application on a live link is what a reset is for; the session gate still wants to know who charges.
        return None
    if not pile.seen_since_start or pile.heard_at is None:
        return _no(question, Gate.STALE, "not heard since the daemon started")
    age = question.now - pile.heard_at
    if age > question.policy.span("fresh"):
        return _no(question, Gate.STALE, f"newest telemetry is {age.total_seconds():.0f} s old")
    return None


def _session(question: Question) -> No | None:
    whole = question.action in REBOOTS or question.connector == 0
    reason = _in_use(question, question.pile, whole=whole)
    if reason:
        return _no(question, Gate.SESSION, reason)
    for pile in question.behind:
        reason = _in_use(question, pile, whole=True)
        if reason:
            return _no(question, Gate.SESSION, f"{pile.id} has its power from the same switch: {reason}")
    return None


def _in_use(question: Question, pile: Pile, *, whole: bool) -> str:
    """Why ``pile`` must not be interrupted, or an empty string."""
    concerned = [each for each in pile.connectors if whole or each.number == question.connector]
    expected = pile.registration.connectors if whole else 1
    if len(concerned) < expected:
        return f"{expected - len(concerned)} connector(s) never reported: session unknown"
    if pile is not question.pile and (pile.heard_at is None or not pile.seen_since_start):
        return "not heard since the daemon started"
    return next((reason for each in concerned if (reason := _occupied(question, pile, each))), "")


def _occupied(question: Question, pile: Pile, connector: Connector) -> str:
    """Why ``connector`` must be left alone, or an empty string."""
    name = f"connector {connector.number}"
    if not connector.session_known:
        return f"{name}: session unknown"
    silent = question.family is Family.UNRESPONSIVE and pile is question.pile
    if not silent and question.now - connector.as_of > question.policy.span("fresh"):
        return f"{name}: session not confirmed for {(question.now - connector.as_of).total_seconds():.0f} s"
    ending = question.action is Action.STOP_SESSION and question.family is Family.SESSION_STUCK
    if connector.session is not None and not (ending and connector.status is ConnectorStatus.FINISHING):
        return f"{name}: a session is live"
    if connector.status in _LIVE:
        return f"{name}: {connector.status}"
    if (connector.current_a or 0.0) > FLOWING_A or (connector.power_w or 0.0) > FLOWING_W:
        return f"{name}: current flows although no session is reported"
    own = pile is question.pile
    return _plugged(connector, name, may_be_plugged=own and question.family in _UNPLUG_FAMILIES)


def _plugged(connector: Connector, name: str, *, may_be_plugged: bool) -> str:
    if connector.status is None:
        return f"{name}: status unknown"
    if connector.status in _PLUGGED and not may_be_plugged:
        return f"{name}: {connector.status}"
    if connector.status is ConnectorStatus.RESERVED:
        return f"{name}: reserved"
    return ""


def _firmware(question: Question) -> No | None:
    for pile in (question.pile, *question.behind):
        until = pile.updating_until
        if until is not None and question.now < until:
            where = "" if pile is question.pile else f" of {pile.id}, which has its power from the same switch"
            return _no(question, Gate.FIRMWARE, f"firmware update in progress{where}", again=until - question.now)
    booted = question.pile.booted_at
    if booted is not None and question.action in REBOOTS:
        settled = booted + question.policy.span("soak")
        if question.now < settled:
            return _no(question, Gate.FIRMWARE, "it has just booted", again=settled - question.now)
    return None


def _out_of_service(question: Question) -> No | None:
    concerned = [each for each in question.pile.connectors if question.connector in {0, each.number}]
    closed = bool(concerned) and all(each.status is ConnectorStatus.UNAVAILABLE for each in concerned)
    if closed and not question.pile.faults:
        return _no(question, Gate.OUT_OF_SERVICE, "taken out of service by its operator; a reset cannot cure that")
    return None


def _outage(question: Question) -> No | None:
    if question.outage:
        return _no(question, Gate.OUTAGE, question.outage)
    return None


def _minimum_available(question: Question) -> No | None:
    least = question.policy.minimum_available
    serving = any(each.status in {ConnectorStatus.AVAILABLE, *_LIVE} for each in question.pile.connectors)
    if least and serving and question.site_available - 1 < least:
        reason = f"{question.site_available} piles of the site serve, {least} must"
        return _no(question, Gate.MINIMUM_AVAILABLE, reason)
    return None


def _busy(question: Question) -> No | None:
    if question.other_attempt:
        return _no(question, Gate.BUSY, f"another attempt is under way: {question.other_attempt}")
    return None


def _serviced(question: Question) -> No | None:
    if question.open_order:
        return _no(question, Gate.SERVICED, f"the field is on it: {question.open_order}")
    return None


def _spacing(question: Question) -> No | None:
    newest = max(question.pile.resets, default=None)
    if newest is None or question.action not in REBOOTS:
        return None
    # A moment in the future is a clock that was set back: the full spacing counts from now.
    wait = question.policy.span("spacing") - max(question.now - newest, timedelta(0))
    if wait > timedelta(0):
        return _no(question, Gate.SPACING, f"last reset at {newest:%H:%M:%S}", again=wait)
    return None


def _strikes(question: Question) -> No | None:
    policy = question.policy
    if question.not_again:
        return _no(question, Gate.STRIKES, "a person said it was not fixed: no second automatic reset", final=True)
    if question.action not in REBOOTS:
        return None
    if question.resets_in_incident >= policy.resets_per_incident:
        reason = f"{question.resets_in_incident} resets in this incident, {policy.resets_per_incident} allowed"
        return _no(question, Gate.STRIKES, reason, final=True)
    since = question.now - policy.span("day")
    today = [at for at in question.pile.resets if at > since]
    if len(today) >= policy.resets_per_pile_day:
        reason = f"{len(today)} resets in a day, {policy.resets_per_pile_day} allowed"
        return _no(question, Gate.STRIKES, reason, final=True)
    for cure in question.pile.cures:
        same = cure.family is question.family and cure.connector == question.trouble_at
        later = question.now - cure.at > policy.span("reopen")
        if same and later and cure.at > since:
            reason = f"the same trouble came back after the reset of {cure.at:%Y-%m-%d %H:%M}"
            return _no(question, Gate.STRIKES, reason, final=True)
    return None


def _breaker(question: Question) -> No | None:
    failed, total = question.breaker
    policy = question.policy
    if question.action in REBOOTS and total >= policy.breaker_least and failed > total * policy.breaker_failed_share:
        reason = f"{failed} of {total} recent resets failed: automatic resets pause"
        return _no(question, Gate.BREAKER, reason, again=policy.span("breaker_window"))
    return None


def _site_budget(question: Question) -> No | None:
    allowed = max(1, int(question.site_piles * question.policy.site_parallel_share))
    if question.action in REBOOTS and question.site_rebooting >= allowed:
        reason = f"{question.site_rebooting} piles of the site are rebooting, {allowed} allowed"
        return _no(question, Gate.SITE_BUDGET, reason)
    return None


def _fleet_budget(question: Question) -> No | None:
    policy = question.policy
    if question.action not in REBOOTS:
        return None
    if question.fleet_sends_window >= policy.fleet_per_window:
        reason = f"{question.fleet_sends_window} resets in the window, {policy.fleet_per_window} allowed"
        return _no(question, Gate.FLEET_BUDGET, reason, again=policy.span("fleet_window"))
    hourly = max(policy.fleet_hour_floor, int(question.fleet_piles * policy.fleet_hour_share))
    if question.fleet_sends_hour >= hourly:
        return _no(question, Gate.FLEET_BUDGET, f"{question.fleet_sends_hour} resets in the hour, {hourly} allowed")
    return None


def _approval(question: Question) -> No | None:
    if question.mode is not Mode.APPROVE:
        return None
    if question.approved_until is not None and question.now < question.approved_until:
        return None
    return _no(question, Gate.APPROVAL, f"{question.action} waits for a person's approval", final=True)


_ALL_GATES: tuple[Callable[[Question], No | None], ...] = (
    _kill_switch,
    _plan_mode,
    _safety,
    _silence,
    _link,
    _stale,
    _session,
    _firmware,
    _out_of_service,
    _outage,
    _busy,
    _serviced,
    _minimum_available,
    _breaker,
    _strikes,
    _spacing,
    _site_budget,
    _fleet_budget,
    _approval,
)

# Reading changes nothing on the device, so only mode, maintenance, link and order of attempts matter.
_READ_GATES: tuple[Callable[[Question], No | None], ...] = (_plan_mode, _silence, _link, _busy)
