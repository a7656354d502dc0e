"""What holds on a pile, read from its present state: level, not edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from triage.core.detect import next_look, symptoms
from triage.core.events import Registration
from triage.core.fleet import Connector, Fault, Pile, Symptom
from triage.core.policy import Policy
from triage.core.vocabulary import ConnectorStatus, Family, Link, SymptomKind

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
POLICY = Policy().faster()
LONG = NOW - timedelta(hours=9)


def pile(**changes: Any) -> Pile:
    plain = Pile(
        registration=Registration(pile="P1", site="S1", region="r"),
        link=Link.ONLINE,
        link_as_of=LONG,
        heard_at=NOW - timedelta(seconds=10),
        seen_since_start=True,
        connectors=(connector(ConnectorStatus.AVAILABLE),),
    )
    return replace(plain, **changes)


def connector(status: ConnectorStatus, *, number: int = 1, since_s: float = 3600, **changes: Any) -> Connector:
    plain = Connector(
        number=number, as_of=NOW, status=status, status_since=NOW - timedelta(seconds=since_s), session_known=True
    )
    return replace(plain, **changes)


def fault(family: Family = Family.INTERNAL, number: int = 1, since_s: float = 5, name: str = "X") -> Fault:
    return Fault(code=name, connector=number, name=name, family=family, since=NOW - timedelta(seconds=since_s))


def found(pile: Pile, listening_since: datetime | None = LONG, now: datetime = NOW) -> tuple[Symptom, ...]:
    return symptoms(pile, POLICY, now, listening_since)


def test_a_healthy_pile_shows_nothing() -> None:
    assert found(pile()) == ()


def test_a_claim_holds_from_its_own_beginning() -> None:
    (only,) = found(pile(faults=(fault(since_s=50),)))
    assert only.kind is SymptomKind.FAULT_CLAIMED
    assert only.holds_at - only.since == POLICY.hold(Family.INTERNAL)
    assert only.since == NOW - timedelta(seconds=50)


def test_claims_of_one_family_and_connector_are_one_symptom_since_the_first() -> None:
    (only,) = found(pile(faults=(fault(since_s=5, name="B"), fault(since_s=90, name="A"))))
    assert only.what == "A, B"
    assert only.since == NOW - timedelta(seconds=90)


def test_families_and_connectors_are_told_apart() -> None:
    faults = (fault(), fault(number=2), fault(Family.THERMAL))
    assert {(each.family, each.connector) for each in found(pile(faults=faults))} == {
        (Family.INTERNAL, 1),
        (Family.INTERNAL, 2),
        (Family.THERMAL, 1),
    }


def test_safety_and_damage_have_no_hold() -> None:
    (only,) = found(pile(faults=(fault(Family.SAFETY),)))
    assert only.holds_at == only.since


def test_faulted_without_a_code_is_unknown_trouble() -> None:
    (only,) = found(pile(connectors=(connector(ConnectorStatus.FAULTED),)))
    assert only.family is Family.UNKNOWN
    assert (
        found(pile(connectors=(connector(ConnectorStatus.FAULTED),), faults=(fault(number=0),)))[0].family
        is Family.INTERNAL
    )


@pytest.mark.parametrize("status", [ConnectorStatus.PREPARING, ConnectorStatus.FINISHING])
@pytest.mark.parametrize(
    ("changes", "stuck"),
    [
        ({"since_s": 899}, False),
        ({"since_s": 900}, True),
        ({"since_s": 9000, "session": "s1"}, False),
        ({"since_s": 9000, "session_known": False}, False),
    ],
)
def test_stuck_means_long_and_without_a_session(status: ConnectorStatus, changes: dict[str, Any], stuck: bool) -> None:
    shown = found(pile(connectors=(connector(status, **changes),)))
    assert [each.kind for each in shown] == ([SymptomKind.STUCK] if stuck else [])


@pytest.mark.parametrize(("silent_s", "shown"), [(179, []), (180, [Family.UNRESPONSIVE])])
def test_silence_on_a_live_link(silent_s: float, shown: list[Family]) -> None:
    assert [each.family for each in found(pile(heard_at=NOW - timedelta(seconds=silent_s)))] == shown


def test_silence_on_an_unknown_link_is_offline() -> None:
    (only,) = found(pile(link=Link.UNKNOWN, heard_at=NOW - timedelta(hours=1)))
    assert only.family is Family.OFFLINE


def test_whoever_is_silent_shows_nothing_else() -> None:
    (only,) = found(pile(link=Link.OFFLINE, link_as_of=NOW - timedelta(minutes=2), faults=(fault(),)))
    assert only.family is Family.OFFLINE
    assert only.since == NOW - timedelta(minutes=2)


def test_what_nobody_could_hear_is_no_silence() -> None:
    silent = pile(heard_at=NOW - timedelta(hours=2))
    assert found(silent, listening_since=None) == ()
    assert found(silent, listening_since=NOW - timedelta(seconds=100)) == ()
    assert found(silent, listening_since=NOW - timedelta(seconds=181)) != ()


def test_a_known_silence_is_not_forgotten_while_our_link_is_down() -> None:
    silent = pile(heard_at=NOW - timedelta(hours=2))
    known = replace(silent, symptoms=found(silent))
    assert found(known, listening_since=None) == known.symptoms


def test_never_heard_is_not_silent() -> None:
    assert found(pile(heard_at=None, link=Link.UNKNOWN, connectors=())) == ()


@pytest.mark.parametrize(("onsets", "flaps"), [(5, False), (6, True)])
def test_flapping_is_counted_over_its_window(onsets: int, flaps: bool) -> None:
    shaky = pile(onsets=tuple(NOW - timedelta(seconds=60 * n) for n in range(onsets, 0, -1)))
    assert (SymptomKind.FLAPPING in [each.kind for each in found(shaky)]) is flaps
    assert SymptomKind.FLAPPING not in [each.kind for each in found(shaky, now=NOW + timedelta(hours=1))]


def test_the_next_look_is_when_time_alone_changes_something() -> None:
    """Between now and the next look nothing may appear by itself."""
    cases = [
        pile(),
        pile(connectors=(connector(ConnectorStatus.PREPARING, since_s=100),)),
        pile(heard_at=NOW - timedelta(seconds=100)),
        pile(onsets=tuple(NOW - timedelta(seconds=60 * n) for n in range(7, 0, -1))),
        pile(faults=(fault(),)),
    ]
    for case in cases:
        known = replace(case, symptoms=found(case))
        look = next_look(known, POLICY, NOW, LONG)
        assert look is not None
        assert look > NOW
        before = look - timedelta(milliseconds=1)
        kinds = [each.kind for each in known.symptoms]
        assert [each.kind for each in found(known, now=before)] == kinds


def test_speed_divides_every_duration() -> None:
    fast = Policy(speed=30).faster()
    assert fast.hold(Family.INTERNAL) == timedelta(seconds=4)
    assert fast.span("silent_after") == timedelta(seconds=6)
    assert fast.resets_per_pile_day == 3
