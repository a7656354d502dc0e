"""The second lock: what it refuses, and that nothing but fresh, idle and safe passes."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from triage.config.faultfile import load_fault_table
from triage.core.classify import Lexicon
from triage.core.effects import Command
from triage.core.events import FaultClaim, PileStatus, Reading, Telemetry
from triage.core.vocabulary import Action, ConnectorStatus, Family
from triage.drivers.danger import is_dangerous
from triage.drivers.second_look import SecondLook

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
FRESH_S = 150.0
RESTARTS = [Action.RESET_SOFT, Action.RESET_HARD, Action.POWER_CYCLE]
NEVER_BLIND = [*RESTARTS, Action.UNLOCK, Action.STOP_SESSION]
NATURAL = [Action.REPORT, Action.PULL_LOG, Action.SET_AVAILABILITY]


def command(action: Action = Action.RESET_SOFT, connector: int = 0, **args: str) -> Command:
    return Command(
        id="a-1",
        site="s",
        pile="p",
        driver_profile="pile/v1",
        action=action,
        connector=connector,
        issued_at=NOW,
        expires_at=NOW + timedelta(seconds=60),
        args=args,
    )


def reading(connector: int = 1, **changes: Any) -> Reading:
    fields: dict[str, Any] = {"status": ConnectorStatus.AVAILABLE, "session": None, "session_known": True}
    return Reading(connector=connector, **(fields | changes))


def telemetry(*readings: Reading, faults: tuple[FaultClaim, ...] = (), retained: bool = False) -> Telemetry:
    return Telemetry(received_at=NOW, site="s", pile="p", readings=readings, faults=faults, retained=retained)


def status(*, online: bool, retained: bool = False) -> PileStatus:
    return PileStatus(received_at=NOW, site="s", pile="p", online=online, retained=retained)


def look(*readings: Reading, faults: tuple[FaultClaim, ...] = ()) -> SecondLook:
    second = SecondLook(FRESH_S)
    second.connected(0.0, resumed=False)
    second.telemetry(telemetry(*(readings or (reading(),)), faults=faults), 1.0)
    return second


def refuse(second: SecondLook, wanted: Command, at_s: float = 2.0, now: datetime = NOW) -> str | None:
    return second.refuse(wanted, now, at_s)


@pytest.mark.parametrize("action", list(Action))
def test_a_fresh_idle_and_safe_pile_may_be_commanded(action: Action) -> None:
    assert refuse(look(), command(action, connector=1)) is None


@pytest.mark.parametrize("action", list(Action))
def test_nothing_leaves_without_a_connection_or_after_its_expiry(action: Action) -> None:
    never = SecondLook(FRESH_S)
    assert refuse(never, command(action)) == "not_connected"
    gone = look()
    gone.disconnected()
    assert refuse(gone, command(action)) == "not_connected"
    assert refuse(look(), command(action), now=NOW + timedelta(seconds=60)) == "expired"
    assert refuse(look(), command(action, connector=1), now=NOW + timedelta(seconds=59)) is None


@pytest.mark.parametrize("action", NATURAL)
def test_natural_actions_need_no_look(action: Action) -> None:
    second = SecondLook(FRESH_S)
    second.connected(0.0, resumed=True)
    assert refuse(second, command(action)) is None


@pytest.mark.parametrize("action", NEVER_BLIND)
def test_a_pile_not_seen_since_we_connected_is_unknown(action: Action) -> None:
    second = look()
    second.connected(5.0, resumed=False)
    assert refuse(second, command(action, connector=1), 6.0) == "not_seen_on_this_connection"
    second.telemetry(telemetry(reading(), retained=True), 6.0)
    assert refuse(second, command(action, connector=1), 6.0) == "not_seen_on_this_connection"


@pytest.mark.parametrize("action", NEVER_BLIND)
def test_an_old_look_proves_nothing(action: Action) -> None:
    assert refuse(look(), command(action, connector=1), 1.0 + FRESH_S) is None
    assert refuse(look(), command(action, connector=1), 1.1 + FRESH_S) == "stale"


def test_one_connector_unheard_for_long_makes_a_restart_stale() -> None:
    second = look(reading(1), reading(2))
    second.telemetry(telemetry(reading(1)), 200.0)
    assert refuse(second, command(), 201.0) == "stale"
    assert refuse(second, command(Action.UNLOCK, connector=1), 201.0) is None


@pytest.mark.parametrize("action", RESTARTS)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": ConnectorStatus.CHARGING}, "charging"),
        ({"status": ConnectorStatus.SUSPENDED_EV}, "charging"),
        ({"status": ConnectorStatus.SUSPENDED_EVSE}, "charging"),
        ({"status": ConnectorStatus.PREPARING, "session": "x"}, "session_live"),
        ({"status": ConnectorStatus.FINISHING, "session": "x"}, "session_live"),
        ({"session": None, "session_known": False}, "session_unknown"),
        ({"status": None}, "status_unknown"),
        ({"power_w": 5000.0}, "energised"),
        ({"current_a": -12.0}, "energised"),
    ],
)
def test_any_connector_in_use_forbids_a_restart(action: Action, changes: dict[str, Any], reason: str) -> None:
    assert refuse(look(reading(1), reading(2, **changes)), command(action, connector=1)) == reason


@pytest.mark.parametrize(
    "state", [s for s in ConnectorStatus if s.value not in {"charging", "suspended_ev", "suspended_evse"}]
)
def test_a_stuck_state_without_a_session_may_be_restarted(state: ConnectorStatus) -> None:
    assert refuse(look(reading(1, status=state)), command()) is None


def test_unlocking_looks_at_its_own_connector() -> None:
    second = look(
        reading(1, status=ConnectorStatus.CHARGING, session="x"), reading(2, status=ConnectorStatus.FINISHING)
    )
    assert refuse(second, command(Action.UNLOCK, connector=1)) == "charging"
    assert refuse(second, command(Action.UNLOCK, connector=2)) is None
    assert refuse(second, command(Action.UNLOCK, connector=3)) == "connectors_unknown"
    assert refuse(second, command(Action.UNLOCK, connector=0)) == "charging"


def test_stopping_a_session_is_for_live_sessions() -> None:
    second = look(reading(1, status=ConnectorStatus.CHARGING, session="x"))
    assert refuse(second, command(Action.STOP_SESSION, connector=1)) is None


def test_a_pile_that_named_no_connector_is_unknown() -> None:
    second = SecondLook(FRESH_S)
    second.connected(0.0, resumed=False)
    second.telemetry(telemetry(), 1.0)
    assert refuse(second, command()) == "connectors_unknown"


@pytest.mark.parametrize("action", NEVER_BLIND)
def test_danger_forbids_everything_that_is_never_blind(action: Action) -> None:
    second = look(faults=(FaultClaim(code="E12"), FaultClaim(code="GroundFailure", connector=2)))
    assert refuse(second, command(action, connector=1)) == "dangerous_fault"
    assert refuse(second, command(Action.REPORT)) is None


@pytest.mark.parametrize(
    ("code", "info"),
    [
        ("GroundFailure", ""),
        ("OverCurrentFailure", ""),
        ("OverVoltage", ""),
        ("PowerSwitchFailure", ""),
        ("EmergencyStop", ""),
        *((f"CX{n:03}", "") for n in (2, 4, 5, 8, 17, 19, 22, 24, 25, 26)),
        ("cx002 ", ""),
        ("E1", "earth leakage 35 mA"),
        ("E2", "Smoke detected"),
        ("E3", "K1 WELDED"),
        ("E4", "cabinet door open"),
        ("E5", "漏电保护动作"),
        ("急停按下", ""),
        ("E6", "接触器粘连"),
        ("E7", "水浸告警"),
        ("FireAlarm", ""),
        ("E8", "tilt sensor"),
    ],
)
def test_danger_is_read_from_code_and_text(code: str, info: str) -> None:
    assert is_dangerous(code, info)


@pytest.mark.parametrize(
    ("code", "info"),
    [
        ("InternalError", "firewall dropped the link"),
        ("CX001", ""),
        ("WeakSignal", "outdoor unit"),
        ("ReaderFailure", ""),
    ],
)
def test_everyday_faults_are_no_danger(code: str, info: str) -> None:
    assert not is_dangerous(code, info)


def test_a_last_will_refuses_until_the_pile_talks_again() -> None:
    second = look()
    second.status(status(online=False), 2.0)
    assert refuse(second, command(), 3.0) == "pile_offline"
    second.telemetry(telemetry(reading()), 4.0)
    assert refuse(second, command(), 5.0) is None


def test_after_a_boot_the_reading_before_it_counts_no_more() -> None:
    second = look()
    second.status(status(online=True), 2.0)
    assert refuse(second, command(), 3.0) == "rebooted_since_reading"
    second.telemetry(telemetry(reading()), 4.0)
    assert refuse(second, command(), 5.0) is None
    second.status(status(online=True, retained=True), 6.0)
    assert refuse(second, command(), 7.0) is None


def test_a_silent_application_may_be_reset_although_its_look_is_old() -> None:
    later_s = 10_000.0
    assert refuse(look(), command(Action.RESET_SOFT, silent_ok="1"), later_s) is None
    assert refuse(look(), command(Action.RESET_HARD, silent_ok="1"), later_s) is None
    assert refuse(look(), command(Action.POWER_CYCLE, silent_ok="1"), later_s) == "stale"
    assert refuse(look(), command(Action.RESET_SOFT, silent_ok="yes"), later_s) == "stale"


def test_silence_excuses_neither_danger_nor_a_session_nor_a_new_connection() -> None:
    wanted = command(Action.RESET_SOFT, silent_ok="1")
    assert refuse(look(faults=(FaultClaim(code="GroundFailure"),)), wanted, 1e4) == "dangerous_fault"
    assert refuse(look(reading(session="x")), wanted, 1e4) == "session_live"
    second = look()
    second.status(status(online=False), 2.0)
    assert refuse(second, wanted, 1e4) == "pile_offline"
    second.connected(1e4, resumed=False)
    assert refuse(second, wanted, 1e4) == "not_seen_on_this_connection"


def test_what_a_resumed_session_had_queued_is_not_fresh() -> None:
    second = SecondLook(FRESH_S, settle_s=5.0)
    second.connected(100.0, resumed=True)
    second.telemetry(telemetry(reading(1), reading(2)), 101.0)
    assert refuse(second, command(), 102.0) == "not_seen_on_this_connection"
    second.telemetry(telemetry(reading(1)), 106.0)
    assert refuse(second, command(), 107.0) == "stale"  # connector 2 may have changed since
    second.telemetry(telemetry(reading(2)), 108.0)
    assert refuse(second, command(), 109.0) is None
    second.connected(200.0, resumed=False)
    second.telemetry(telemetry(reading(1)), 200.0)
    assert refuse(second, command(), 201.0) is None


def test_memory_is_bounded_and_the_forgotten_is_unknown() -> None:
    second = SecondLook(FRESH_S, limit=10)
    second.connected(0.0, resumed=False)
    second.telemetry(telemetry(reading()), 1.0)
    for number in range(50):
        other = Telemetry(received_at=NOW, site="s", pile=f"other-{number}", readings=(reading(),))
        second.telemetry(other, 1.0)
    assert len(second._seen) == 10
    assert refuse(second, command()) == "not_seen_on_this_connection"
    for number in range(500):
        second.telemetry(telemetry(reading(number + 1)), 1.0)
    assert len(second._seen["p"].connectors) <= 66


def test_no_restart_ever_passes_over_a_use_a_doubt_or_a_danger() -> None:
    statuses = [None, *ConnectorStatus]
    sessions = [("x", True), (None, True), (None, False)]
    codes = ["InternalError", "GroundFailure"]
    passed = 0
    for state, (session, known), code, online, age_s in itertools.product(
        statuses, sessions, codes, [True, False], [1.0, 1e4]
    ):
        second = look(reading(status=state, session=session, session_known=known), faults=(FaultClaim(code=code),))
        if not online:
            second.status(status(online=False), 1.5)
        if refuse(second, command(), 1.0 + age_s) is None:
            passed += 1
            assert (session, known, code, online, age_s) == (None, True, "InternalError", True, 1.0)
            assert state not in {
                None,
                ConnectorStatus.CHARGING,
                ConnectorStatus.SUSPENDED_EV,
                ConnectorStatus.SUSPENDED_EVSE,
            }
    assert passed == 6


def test_every_safety_fault_of_the_tables_is_plainly_dangerous() -> None:
    """The two lists are kept apart, so that one mistake does not open both locks; they must agree on this."""
    tables = Path(__file__).parents[3] / "config" / "faults"
    known = load_fault_table(tables, Lexicon())
    entries = [entry for name in known.names() if (entry := known.entry(name)) is not None]
    dangers = [entry.name for entry in entries if entry.family in {Family.SAFETY, Family.DAMAGE}]
    assert len(dangers) > 30
    assert [name for name in dangers if not is_dangerous(name)] == []
