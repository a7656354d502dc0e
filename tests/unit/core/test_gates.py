"""The gates, enumerated against an oracle written from the safety table, not from the gates.

Two products together cover the predicate: one over everything a device can show, one over everything around it. Each
gate is then taken away, and the enumeration has to notice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import Struct

from triage.core import gates
from triage.core.events import Registration
from triage.core.fleet import Connector, Cure, Fault, Pile
from triage.core.gates import Question, judge
from triage.core.policy import Policy
from triage.core.vocabulary import Action, ConnectorStatus, Family, Gate, Link, Mode

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
POLICY = Policy(mode=Mode.LIVE, minimum_available=2).faster()
REGISTRATION = Registration(pile="P1", site="S1", region="r")
STATUSES: tuple[ConnectorStatus | None, ...] = (*ConnectorStatus, None)
RESTARTS = {Action.RESET_SOFT, Action.RESET_HARD, Action.POWER_CYCLE}


class Shown(Struct, frozen=True, kw_only=True):
    """What the device shows."""

    action: Action = Action.RESET_SOFT
    family: Family = Family.INTERNAL
    hazard: bool = False
    danger: bool = False
    unclassified: bool = False
    hot: bool = False
    was_hot: bool = False
    updating: bool = False
    booted: bool = False
    offline: bool = False
    link_unknown: bool = False
    power: bool = False
    fresh: str = "fresh"  # fresh, stale, never
    status: ConnectorStatus | None = ConnectorStatus.FAULTED
    session: str = "none"  # none, live, unknown


class Around(Struct, frozen=True, kw_only=True):
    """What holds around it."""

    action: Action = Action.RESET_SOFT
    mode: str = "live"  # disabled, shadow, approve, approved, expired, live
    kill: bool = False
    silence: bool = False
    deaf: bool = False
    outage: bool = False
    attempt: bool = False
    order: bool = False
    not_again: bool = False
    breaker: bool = False
    incident_limit: bool = False
    day_limit: bool = False
    spacing: bool = False
    relapse: bool = False
    site: bool = False
    window: bool = False
    hour: bool = False
    last_serving: bool = False


# The oracle: campaign §5, row by row ------------------------------------------------------------------------------


def may_show(case: Shown) -> bool:  # noqa: PLR0911 - a row of the table each
    reading, restart = case.action is Action.REPORT, case.action in RESTARTS
    if case.offline:
        return False
    if reading:
        return True
    if case.hazard or case.danger or case.family in {Family.SAFETY, Family.DAMAGE}:
        return False
    if restart and (case.unclassified or case.hot or case.was_hot or case.booted):
        return False
    if case.updating or case.power:
        return False
    silent_on_a_live_link = case.family is Family.UNRESPONSIVE and not case.link_unknown
    if case.fresh == "never" or (case.fresh == "stale" and not silent_on_a_live_link):
        return False
    if case.session != "none":
        return False
    if case.status in {ConnectorStatus.PREPARING, ConnectorStatus.FINISHING}:
        return case.family in {Family.SESSION_STUCK, Family.CONNECTOR_LOCK}
    if case.status is ConnectorStatus.UNAVAILABLE:
        return case.unclassified or case.hot
    return case.status in {ConnectorStatus.AVAILABLE, ConnectorStatus.FAULTED}


def may_around(case: Around) -> bool:
    if case.mode in {"disabled", "shadow"} or case.silence or case.deaf or case.attempt:
        return False
    if case.action is Action.REPORT:
        return True
    if case.kill or case.outage or case.order or case.not_again or case.last_serving:
        return False
    if case.mode in {"approve", "expired"}:
        return False
    budgets = (case.breaker, case.incident_limit, case.day_limit, case.spacing, case.relapse, case.site, case.window)
    return not (case.action in RESTARTS and (any(budgets) or case.hour))


# The cases --------------------------------------------------------------------------------------------------------

MODES = {
    "disabled": Mode.DISABLED,
    "shadow": Mode.SHADOW,
    "approve": Mode.APPROVE,
    "approved": Mode.APPROVE,
    "expired": Mode.APPROVE,
    "live": Mode.LIVE,
}


def fault(family: Family) -> Fault:
    return Fault(code=family.value, connector=1, name=family.value, family=family, since=NOW - timedelta(hours=1))


SAFETY, UNKNOWN, HOT = fault(Family.SAFETY), fault(Family.UNKNOWN), fault(Family.THERMAL)


def shown(case: Shown) -> Question:
    heard = {"fresh": NOW - timedelta(seconds=5), "stale": NOW - timedelta(seconds=160), "never": None}[case.fresh]
    known = case.fresh != "never" and case.session != "unknown"
    connector = Connector(
        number=1,
        as_of=heard or NOW - timedelta(days=1),
        status=case.status,
        session="s1" if case.session == "live" and known else None,
        session_known=known,
        current_a=12.0 if case.power else 0.0,
    )
    faults = tuple(
        each for each, wanted in ((SAFETY, case.danger), (UNKNOWN, case.unclassified), (HOT, case.hot)) if wanted
    )
    pile = Pile(
        registration=REGISTRATION,
        link=Link.OFFLINE if case.offline else Link.UNKNOWN if case.link_unknown else Link.ONLINE,
        heard_at=heard,
        seen_since_start=case.fresh != "never",
        connectors=(connector,),
        faults=faults,
        hazard="smoke" if case.hazard else None,
        hot_at=NOW - timedelta(minutes=14) if case.was_hot or case.hot else None,
        booted_at=NOW - timedelta(seconds=60) if case.booted else None,
        updating_until=NOW + timedelta(minutes=1) if case.updating else None,
    )
    return Question(
        action=case.action,
        connector=0 if case.action in RESTARTS else 1,
        trouble_at=1,
        family=case.family,
        pile=pile,
        policy=POLICY,
        now=NOW,
        mode=Mode.LIVE,
        listening_since=NOW - timedelta(hours=1),
        site_available=9,
    )


IDLE = Connector(
    number=1, as_of=NOW - timedelta(seconds=5), status=ConnectorStatus.AVAILABLE, session=None, session_known=True
)
LONG_AGO = (NOW - timedelta(hours=30), NOW - timedelta(hours=26))


def around(case: Around) -> Question:
    resets: tuple[datetime, ...] = LONG_AGO
    if case.day_limit:
        resets = (*resets, *(NOW - timedelta(hours=hours) for hours in (20, 15, 8)))
    if case.spacing:
        resets = (*resets, NOW - timedelta(seconds=590))
    cures = (Cure(family=Family.INTERNAL, connector=1, at=NOW - timedelta(hours=3)),) if case.relapse else ()
    pile = Pile(
        registration=REGISTRATION,
        link=Link.ONLINE,
        heard_at=IDLE.as_of,
        seen_since_start=True,
        connectors=(IDLE,),
        resets=resets,
        cures=cures,
    )
    approved = {"approved": NOW + timedelta(minutes=1), "expired": NOW - timedelta(minutes=1)}.get(case.mode)
    return Question(
        action=case.action,
        connector=0 if case.action in RESTARTS else 1,
        trouble_at=1,
        family=Family.INTERNAL,
        pile=pile,
        policy=POLICY,
        now=NOW,
        mode=MODES[case.mode],
        kill_switch="drill" if case.kill else "",
        silence="works" if case.silence else "",
        listening_since=None if case.deaf else NOW - timedelta(hours=1),
        outage="site" if case.outage else "",
        other_attempt="I9" if case.attempt else "",
        open_order="W1" if case.order else "",
        resets_in_incident=2 if case.incident_limit else 1,
        not_again=case.not_again,
        site_rebooting=1 if case.site else 0,
        site_piles=9,
        site_available=2 if case.last_serving else 3,
        fleet_sends_window=10 if case.window else 9,
        fleet_sends_hour=10 if case.hour else 9,
        fleet_piles=100,
        breaker=(4, 7) if case.breaker else (3, 6),
        approved_until=approved,
    )


SHOWN_FLAGS = (
    "hazard",
    "danger",
    "unclassified",
    "hot",
    "was_hot",
    "updating",
    "booted",
    "offline",
    "link_unknown",
    "power",
)
AROUND_FLAGS = tuple(name for name in Around.__struct_fields__ if name not in {"action", "mode"})


def all_shown(most: int = 99) -> Iterator[Shown]:
    """Every case with at most ``most`` flags, those with few first."""
    families = (Family.INTERNAL, Family.UNRESPONSIVE, Family.SESSION_STUCK, Family.SAFETY)
    flags = sorted(itertools.product((False, True), repeat=len(SHOWN_FLAGS)), key=sum)
    for values in flags:
        if sum(values) > most:
            return
        named: dict[str, Any] = dict(zip(SHOWN_FLAGS, values, strict=True))
        for action, family, fresh, status, session in itertools.product(
            (Action.RESET_SOFT, Action.UNLOCK, Action.REPORT),
            families,
            ("fresh", "stale", "never"),
            STATUSES,
            ("none", "live", "unknown"),
        ):
            # Pairs of flags are enough for the statuses that refuse anyway; idle ones get every combination.
            if sum(values) > 2 and status not in {ConnectorStatus.AVAILABLE, ConnectorStatus.UNAVAILABLE}:
                continue
            yield Shown(action=action, family=family, fresh=fresh, status=status, session=session, **named)


def all_around(most: int = 99) -> Iterator[Around]:
    """Every case with at most ``most`` flags, those with few first."""
    for values in sorted(itertools.product((False, True), repeat=len(AROUND_FLAGS)), key=sum):
        if sum(values) > most:
            return
        named: dict[str, Any] = dict(zip(AROUND_FLAGS, values, strict=True))
        modes = MODES if sum(values) <= 3 else ("live",)
        for mode in modes:
            yield Around(mode=mode, **named)
            if sum(values) <= 3:
                yield Around(action=Action.UNLOCK, mode=mode, **named)
                yield Around(action=Action.REPORT, mode=mode, **named)


def mismatches(most: int = 99) -> Iterator[tuple[object, object]]:
    for case in all_shown(most):
        refusal = judge(shown(case))
        if (refusal is None) != may_show(case):
            yield case, refusal
    for other in all_around(most):
        refusal = judge(around(other))
        if (refusal is None) != may_around(other):
            yield other, refusal


def test_the_predicate_is_what_the_safety_table_says() -> None:
    assert sum(1 for _ in all_shown()) > 100_000
    assert sum(1 for _ in all_around()) > 60_000
    found = list(itertools.islice(mismatches(), 5))
    assert not found, found


@pytest.mark.parametrize("gate", gates._ALL_GATES, ids=lambda gate: gate.__name__.strip("_"))
def test_a_gate_taken_away_is_noticed(gate: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "_ALL_GATES", tuple(each for each in gates._ALL_GATES if each is not gate))
    assert next(mismatches(most=1), None) is not None


@pytest.mark.parametrize("gate", gates._READ_GATES, ids=lambda gate: gate.__name__.strip("_"))
def test_a_gate_taken_away_from_the_questions_is_noticed(gate: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "_READ_GATES", tuple(each for each in gates._READ_GATES if each is not gate))
    assert next(mismatches(most=1), None) is not None


@pytest.mark.parametrize("action", [each for each in Action if each not in {Action.REPORT, Action.PULL_LOG}])
@pytest.mark.parametrize("family", list(Family))
def test_no_action_and_no_family_passes_danger(action: Action, family: Family) -> None:
    for case in (Shown(action=action, family=family, hazard=True), Shown(action=action, family=family, danger=True)):
        refusal = judge(shown(case))
        assert refusal is not None
        assert refusal.gate is Gate.SAFETY
        assert refusal.final


@pytest.mark.parametrize("case", [Shown(hazard=True), Shown(session="live"), Shown(hot=True)])
def test_a_refusal_names_its_gate_its_reason_and_its_next_look(case: Shown) -> None:
    refusal = judge(shown(case))
    assert refusal is not None
    assert refusal.reason
    assert refusal.again > timedelta(0)


def test_every_refusal_looks_again_later() -> None:
    for case in itertools.islice(all_around(), 5000):
        refusal = judge(around(case))
        assert refusal is None or refusal.again > timedelta(0)


def test_an_empty_question_is_refused() -> None:
    """Default deny: a pile of which nothing is known gets nothing."""
    question = Question(
        action=Action.RESET_SOFT,
        connector=0,
        trouble_at=0,
        family=Family.INTERNAL,
        pile=Pile(registration=REGISTRATION),
        policy=POLICY,
        now=NOW,
        mode=Mode.LIVE,
    )
    assert judge(question) is not None


def test_a_reset_from_the_future_is_a_clock_set_back_and_counts_in_full() -> None:
    pile = Pile(
        registration=REGISTRATION,
        link=Link.ONLINE,
        heard_at=NOW,
        seen_since_start=True,
        connectors=(IDLE,),
        resets=(NOW + timedelta(hours=3),),
    )
    question = around(Around())
    refusal = judge(
        Question(**{name: getattr(question, name) for name in Question.__struct_fields__ if name != "pile"}, pile=pile)
    )
    assert refusal is not None
    assert refusal.gate is Gate.SPACING
    assert refusal.again == POLICY.span("spacing")
