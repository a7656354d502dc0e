"""From a message to what is known: order, boots, and danger that stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.film import START, rules
from triage.core.events import FaultClaim, PileStatus, Reading, Registration, Telemetry
from triage.core.fleet import Connector, Pile
from triage.core.observation import doubt, forget_liveness, is_late, observe, observe_status
from triage.core.policy import Policy
from triage.core.vocabulary import BootReason, ConnectorStatus, Link

RULES = rules()
POLICY = RULES.policy


def blank(**changes: Any) -> Pile:
    return Pile(registration=Registration(pile="P1", site="S1", region="r", model="AC-7", connectors=2), **changes)


def said(seq: int | None = 1, *codes: str, at_s: float = 0, **changes: Any) -> Telemetry:
    plain: dict[str, Any] = {
        "received_at": START + timedelta(seconds=at_s),
        "site": "S1",
        "pile": "P1",
        "seq": seq,
        "uptime_s": 1000.0 + at_s,
        "readings": (Reading(connector=1, status=ConnectorStatus.AVAILABLE, session_known=True),),
        "faults": tuple(FaultClaim(code=code, connector=1) for code in codes),
    }
    return Telemetry(**(plain | changes))


def hear(pile: Pile, message: Telemetry) -> Pile:
    return observe(pile, message, RULES.faults, POLICY)


def test_a_reading_is_taken_as_it_is() -> None:
    known = hear(blank(), said(1, "InternalError"))
    assert known.link is Link.ONLINE
    assert known.heard_at == START
    assert known.seen_since_start
    assert [fault.name for fault in known.faults] == ["InternalError"]
    assert known.connector(1) is not None
    assert known.connector(2) is None


def test_a_fault_missing_from_the_list_is_cleared_and_a_connector_missing_is_unchanged() -> None:
    known = hear(blank(), said(1, "InternalError"))
    known = hear(known, said(2, at_s=30, readings=(Reading(connector=2, status=ConnectorStatus.CHARGING),)))
    assert known.faults == ()
    one, two = known.connector(1), known.connector(2)
    assert one is not None
    assert two is not None
    assert one.as_of == START
    assert two.session_known is False


def test_a_claim_that_goes_on_keeps_its_beginning() -> None:
    known = hear(hear(blank(), said(1, "InternalError")), said(2, "InternalError", at_s=30))
    assert known.faults[0].since == START
    assert len(known.onsets) == 1


def test_no_error_is_no_fault() -> None:
    assert hear(blank(), said(1, "NoError")).faults == ()


def test_danger_stays_when_the_claim_goes() -> None:
    known = hear(hear(blank(), said(1, "GroundFailure")), said(2, at_s=30))
    assert known.faults == ()
    assert known.hazard is not None
    assert known.hazard_at == START


@pytest.mark.parametrize(("seq", "late"), [(4, True), (5, True), (6, False), (None, False)])
def test_order_is_told_by_the_number(seq: int | None, late: bool) -> None:
    known = hear(blank(), said(5))
    assert is_late(known, said(seq, at_s=1), POLICY) is late


def test_retained_is_always_history() -> None:
    assert is_late(blank(), said(99, retained=True), POLICY)


def test_numbering_restarts_with_a_boot_told_by_the_uptime() -> None:
    known = hear(blank(), said(500))
    fresh = said(1, at_s=60, uptime_s=20.0)
    assert not is_late(known, fresh, POLICY)
    assert hear(known, fresh).booted_at == fresh.received_at - timedelta(seconds=20)


def test_a_late_reading_of_the_same_boot_is_no_boot() -> None:
    known = hear(blank(), said(500, at_s=300))
    assert is_late(known, said(499, at_s=301, uptime_s=1270.0), POLICY)


def test_a_birth_with_a_new_boot_lets_the_numbering_begin_again() -> None:
    known = hear(blank(boot_id="a"), said(500))
    born = observe_status(known, birth("b"), POLICY)
    assert born.boot_id == "b"
    assert born.seq is None
    assert born.booted_at == birth("b").received_at
    assert not is_late(born, said(1, at_s=70, uptime_s=None), POLICY)


def birth(boot: str | None, **changes: Any) -> PileStatus:
    plain: dict[str, Any] = {
        "received_at": START + timedelta(seconds=60),
        "site": "S1",
        "pile": "P1",
        "online": True,
        "boot_id": boot,
        "boot_reason": BootReason.REMOTE_RESET,
        "firmware": "2",
    }
    return PileStatus(**(plain | changes))


def test_the_same_birth_again_is_no_boot() -> None:
    known = observe_status(observe_status(blank(), birth("a"), POLICY), birth("a"), POLICY)
    again = observe_status(known, birth("a", received_at=START + timedelta(hours=1)), POLICY)
    assert again.booted_at == known.booted_at


def test_a_retained_birth_tells_who_it_is_and_not_that_it_is_there() -> None:
    known = observe_status(blank(), birth("a", retained=True), POLICY)
    assert known.firmware == "2"
    assert known.boot_id == "a"
    assert known.link is Link.UNKNOWN
    assert known.booted_at is None
    assert not known.seen_since_start


def test_a_last_will_is_offline_since_the_first_of_it() -> None:
    known = hear(blank(), said(1))
    gone = observe_status(known, birth(None, online=False), POLICY)
    assert gone.link is Link.OFFLINE
    again = observe_status(gone, birth(None, online=False, received_at=START + timedelta(hours=1)), POLICY)
    assert again.link_as_of == gone.link_as_of


def test_a_firmware_update_is_remembered_for_a_while() -> None:
    known = observe_status(blank(), birth("a", boot_reason=BootReason.FIRMWARE_UPDATE), POLICY)
    assert known.updating_until is not None
    assert known.updating_until > birth("a").received_at


def test_after_our_own_restart_who_charges_is_unknown_and_danger_is_not() -> None:
    connectors = (Connector(number=1, as_of=START, status=ConnectorStatus.AVAILABLE, session_known=True),)
    before = blank(
        connectors=connectors, link=Link.ONLINE, seen_since_start=True, hazard="smoke", resets=(START,), seq=7
    )
    after = forget_liveness(before)
    assert not after.connectors[0].session_known
    assert not after.seen_since_start
    assert after.link is Link.UNKNOWN
    assert after.seq == 7, "so that an echo of an old reading is told"
    assert after.hazard == "smoke"
    assert after.resets == (START,)
    assert forget_liveness(blank(link=Link.OFFLINE)).link is Link.OFFLINE


codes = st.lists(st.sampled_from(["InternalError", "GroundFailure", "HighTemperature", "XJ-1"]), max_size=3)


@given(st.lists(st.tuples(codes, st.booleans()), min_size=1, max_size=12))
def test_danger_once_heard_is_never_unheard(story: list[tuple[list[str], bool]]) -> None:
    known, heard = blank(), False
    for number, (claims, online) in enumerate(story):
        at = 30.0 * number
        known = hear(known, said(number + 1, *claims, at_s=at))
        heard = heard or "GroundFailure" in claims
        known = observe_status(known, birth(f"b{number}", online=online), POLICY)
        known = forget_liveness(known)
        assert (known.hazard is not None) is heard


def test_an_echo_of_a_reading_from_before_our_restart_is_late() -> None:
    before = blank(link=Link.ONLINE, seen_since_start=True, seq=7, uptime_s=500.0, heard_at=START)
    after = forget_liveness(before)
    echo = Telemetry(received_at=START + timedelta(seconds=40), site="S1", pile="P1", seq=7, uptime_s=500.0)
    newer = Telemetry(received_at=START + timedelta(seconds=60), site="S1", pile="P1", seq=8, uptime_s=560.0)
    assert is_late(after, echo, POLICY)
    assert not is_late(after, newer, POLICY)


def test_a_delayed_reading_after_our_restart_is_no_reboot() -> None:
    """Found by the world: seed 2, 300 piles, 7 days; every later reading, a danger among them, was then late."""
    before = blank(link=Link.ONLINE, seen_since_start=True, seq=15, uptime_s=1200.0, heard_at=START)
    after = forget_liveness(before)
    delayed = Telemetry(received_at=START + timedelta(seconds=2160), site="S1", pile="P1", seq=16, uptime_s=1800.0)
    assert not is_late(after, delayed, POLICY)
    seen = observe(after, delayed, RULES.faults, POLICY)
    assert seen.booted_at == after.booted_at
    fresh = Telemetry(received_at=START + timedelta(seconds=2200), site="S1", pile="P1", seq=17, uptime_s=3000.0)
    assert not is_late(seen, fresh, POLICY)


def test_a_late_reading_of_the_first_seconds_of_a_boot_is_no_reboot() -> None:
    """Found by the world: 30 piles, seed 6; the older reading replaced the newer one, and its fault was lost."""
    at = START + timedelta(seconds=44)
    known = blank(link=Link.ONLINE, seen_since_start=True, seq=20, uptime_s=44.0, heard_at=at, device_s=at.timestamp())
    late = Telemetry(
        received_at=at + timedelta(seconds=110), site="S1", pile="P1", seq=19, uptime_s=0.0, device_at=START
    )
    assert is_late(known, late, POLICY)


def test_a_burst_of_late_readings_is_not_believed() -> None:
    known = blank(seen_since_start=True, seq=50, uptime_s=9000.0, heard_at=START)
    first, second = (
        Telemetry(received_at=START + timedelta(hours=1, seconds=n), site="S1", pile="P1", seq=n, uptime_s=8000.0)
        for n in (1, 2)
    )
    assert is_late(known, first, POLICY)
    doubted = doubt(known, first)
    assert is_late(doubted, second, POLICY), "one second apart: a queue, not a pile"
    later = Telemetry(received_at=START + timedelta(hours=1, seconds=61), site="S1", pile="P1", seq=3, uptime_s=8060.0)
    assert not is_late(doubt(doubted, second), later, POLICY)


def test_a_second_reboot_with_the_same_uptime_is_seen_by_the_device_clock() -> None:
    """Found by the world: 300 piles, seed 5; a pile without boot ids that started twice was deaf for half an hour."""
    known = blank(seen_since_start=True, seq=3, uptime_s=0.0, heard_at=START, device_s=START.timestamp())
    at = START + timedelta(seconds=600)
    again = Telemetry(received_at=at, site="S1", pile="P1", seq=1, uptime_s=0.0, device_at=at)
    assert not is_late(known, again, POLICY)
    assert observe(known, again, RULES.faults, POLICY).booted_at == at


def test_a_polled_pile_whose_uptime_ran_on_over_a_boot_is_believed_again() -> None:
    """A birth said that it started, its uptime says that it did not; it numbers nothing, so nothing else can tell."""
    policy = Policy()
    known = blank(
        link=Link.ONLINE, seen_since_start=True, heard_at=START, uptime_s=90_000.0, before_boot_at=START, boot_id="b2"
    )
    readings = [
        Telemetry(received_at=START + timedelta(seconds=5 * beat), site="S1", pile="P1", uptime_s=90_000.0 + 5 * beat)
        for beat in range(1, 120)
    ]
    believed = None
    for reading in readings:
        if not is_late(known, reading, policy):
            believed = reading
            break
        known = doubt(known, reading)
    assert believed is not None
    assert policy.silent_after_s < (believed.received_at - START).total_seconds() <= policy.silent_after_s + 10
