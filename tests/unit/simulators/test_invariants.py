"""The auditors by themselves: each law accuses what breaks it, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from simulators.invariants import Auditor, Told
from simulators.truth import Execution
from simulators.words import Action as Done
from triage.core.complaint import Complaint
from triage.core.effects import Changes, Command, JournalEntry, OrderNotice, OutboxItem, Snapshot
from triage.core.events import Registration, Reporter
from triage.core.fleet import Fault, Pile
from triage.core.incident import Attempt, Incident
from triage.core.policy import Policy
from triage.core.vocabulary import (
    Action,
    Category,
    Channel,
    CloseCode,
    ComplaintState,
    ComplaintSymptom,
    Family,
    Grade,
    IncidentState,
    OrderReason,
    OrderState,
    Priority,
    Result,
    Route,
)
from triage.core.workorder import WorkOrder

T0 = datetime(2026, 3, 2, tzinfo=UTC)
POLICY = Policy().faster()


class Bench:
    """An auditor, its clock, and short words for what happens."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.auditor = Auditor(lambda: self.now, POLICY, {"P1": "S1", "P2": "S1"})
        self._number = 0

    @property
    def laws(self) -> list[str]:
        return [each.law for each in self.auditor.court.violations]

    def hear(self, pile: str = "P1", *, claims: tuple[str, ...] = (), live: bool = False, known: bool = True) -> None:
        """A reading is handed over and, if ``known``, acknowledged."""
        self._number += 1
        told = Told(
            number=self._number,
            born=self.now - 0.5,
            handed=self.now,
            received_at=self.wall,
            claims=frozenset((code, 0) for code in claims),
            live=frozenset({1}) if live else frozenset(),
            unknown=frozenset(),
        )
        self.auditor.handed(pile, (1, self._number), told)
        if known:
            self.auditor.acknowledged([(1, self._number)])

    def reset(self, id: str, pile: str = "P1", *, publish: bool = True, action: Action = Action.RESET_SOFT) -> Command:
        """A reset is committed and leaves."""
        command = Command(
            id=id,
            site="S1",
            pile=pile,
            driver_profile="pile/v1",
            action=action,
            connector=0,
            issued_at=self.wall,
            expires_at=self.wall + timedelta(seconds=60),
        )
        item = OutboxItem(id=id, effect=command, state="sent", created_at=self.wall)
        running = attempt(id, action=action)
        self.auditor.committed(Changes(outbox={id: item}, incidents={id[:2]: incident(id[:2], pile, running)}))
        if publish:
            self.auditor.published(command, self.wall)
        return command

    @property
    def wall(self) -> datetime:
        return T0 + timedelta(seconds=self.now)


def attempt(id: str, *, action: Action = Action.RESET_SOFT, result: Result | None = None) -> Attempt:
    return Attempt(
        id=id, step="s", action=action, connector=0, sent_at=T0, expires_at=T0, verify_by=T0, left=True, result=result
    )


def incident(
    id: str,
    pile: str = "P1",
    *attempts: Attempt,
    state: IncidentState = IncidentState.OBSERVING,
    family: Family = Family.INTERNAL,
) -> Incident:
    return Incident(
        id=id,
        pile=pile,
        site="S1",
        region="r",
        connector=0,
        family=family,
        kind="fault_claimed",
        state=state,
        state_since=T0,
        opened_at=T0,
        wake_at=T0,
        faults=("InternalError",),
        attempts=attempts,
    )


def moved(id: str, source: str, target: str, trigger: str, text: str = "because") -> JournalEntry:
    data = {"from": source, "to": target, "trigger": trigger}
    return JournalEntry(at=T0, subject=id, kind="moved", actor="engine", text=text, data=data)


def order(id: str, of: str, state: OrderState = OrderState.ISSUED) -> WorkOrder:
    return WorkOrder(
        id=id,
        incident=of,
        pile="P1",
        site="S1",
        region="r",
        connector=0,
        reason=OrderReason.REMOTE_FAILED,
        reason_text="tried",
        state=state,
        state_since=T0,
        opened_at=T0,
        priority=Priority.NORMAL,
        team="t",
    )


def complaint(number: str, key: str, of: str | None = None) -> Complaint:
    return Complaint(
        number=number,
        channel=Channel.APP,
        text="it does not start",
        received_at=T0,
        reporter=Reporter(),
        category=Category.TECHNICAL_FAULT,
        symptom=ComplaintSymptom.WONT_START,
        safety=False,
        why="",
        grade=Grade.ORDINARY,
        priority=Priority.NORMAL,
        route=Route.TECHNICAL,
        state=ComplaintState.IN_PROGRESS,
        state_since=T0,
        pile="P1",
        incident=of,
        reference=key,
    )


def test_a_reset_on_fresh_clean_evidence_is_nobodys_fault() -> None:
    bench = Bench()
    bench.hear(claims=("InternalError",))
    bench.now += 5
    bench.reset("I1.1")
    assert bench.laws == []


def test_i4_nothing_known_forbids() -> None:
    bench = Bench()
    bench.reset("I1.1")
    assert bench.laws == ["I4"]


def test_i4_somebody_charging_forbids_unless_a_newer_reading_may_have_been_seen() -> None:
    bench = Bench()
    bench.hear(live=True)
    bench.hear(known=False)
    bench.reset("I1.1")
    assert bench.laws == []
    other = Bench()
    other.hear(known=False)
    other.hear(live=True)
    other.reset("I1.1")
    assert other.laws == ["I4"]


def test_i4_a_danger_stays_until_a_person_came() -> None:
    bench = Bench()
    bench.hear(claims=("GroundFailure",))
    bench.hear()
    bench.reset("I1.1")
    assert bench.laws == ["I4"]
    calm = Bench()
    calm.hear(claims=("GroundFailure",))
    calm.now += 60
    calm.auditor.person_acted("P1")
    calm.hear()
    calm.reset("I1.1")
    assert calm.laws == []


def test_i4_stale_readings_forbid() -> None:
    bench = Bench()
    bench.hear()
    bench.now += POLICY.fresh_s * 1.2
    bench.reset("I1.1")
    assert bench.laws == ["I4"]


def test_i4_leaving_before_the_commit() -> None:
    bench = Bench()
    bench.hear()
    command = Command(
        id="I9.1",
        site="S1",
        pile="P1",
        driver_profile="pile/v1",
        action=Action.RESET_HARD,
        connector=0,
        issued_at=bench.wall,
        expires_at=bench.wall,
    )
    bench.auditor.published(command, bench.wall)
    assert bench.laws == ["I4"]


def test_i4_an_unsafe_execution_that_the_daemon_had_been_told_about() -> None:
    bench = Bench()
    bench.hear()
    bench.now += 10
    command = bench.reset("I1.1", publish=False)
    bench.hear(live=True)
    bench.now += 1
    bench.auditor.published(command, bench.wall)
    run = Execution(
        at=bench.now,
        pile="P1",
        command="I1.1",
        action=Done.RESET_SOFT,
        connector=0,
        boot=1,
        session="s",
        session_told_at=bench.now - 1.5,
    )
    bench.auditor.executed(run)
    assert bench.laws == ["I4"]


def test_i7_a_second_send_and_too_little_spacing() -> None:
    bench = Bench()
    bench.hear()
    command = bench.reset("I1.1")
    bench.auditor.published(command, bench.wall)
    assert bench.laws == ["I7"]
    other = Bench()
    other.hear()
    other.reset("I1.1")
    other.now += 300
    other.hear()
    other.reset("I2.1")
    assert "I7" in other.laws


def test_i9_three_a_day() -> None:
    bench = Bench()
    for number in range(5):
        bench.now += POLICY.spacing_s + 1
        bench.hear()
        bench.reset(f"I{number}.1")
        done = replace(attempt(f"I{number}.1"), result=Result.FAILED)
        bench.auditor.committed(Changes(incidents={f"I{number}": incident(f"I{number}", "P1", done)}))
    assert "I9" in bench.laws


def test_i10_leaving_after_the_time_to_live() -> None:
    bench = Bench()
    bench.hear()
    command = bench.reset("I1.1", publish=False)
    bench.now += 100
    bench.auditor.published(command, bench.wall)
    assert bench.laws == ["I10"]


def prove(bench: Bench) -> None:
    passed = replace(attempt("I1.1"), result=Result.PASSED)
    bench.auditor.committed(Changes(incidents={"I1": incident("I1", "P1", passed)}))


def test_i5_passed_needs_a_boot_a_reading_and_a_soak() -> None:
    bench = Bench()
    bench.hear()
    bench.reset("I1.1")
    prove(bench)
    assert set(bench.laws) == {"I5"}
    assert bench.auditor.court.counts["I5"] == 3
    good = Bench()
    good.hear()
    good.reset("I1.1")
    good.now += 50
    good.auditor.booted("P1", good.now)
    good.now += POLICY.soak_s
    good.hear()
    prove(good)
    assert good.laws == []


def test_i5_closed_while_the_claim_stands() -> None:
    bench = Bench()
    bench.hear(claims=("InternalError",))
    closed = replace(incident("I1", state=IncidentState.CLOSED), close_code=CloseCode.SELF_CLEARED)
    bench.auditor.committed(Changes(incidents={"I1": closed}))
    assert bench.laws == ["I5"]


def test_i2_two_open_incidents_and_two_attempts() -> None:
    bench = Bench()
    twins = {"I1": incident("I1"), "I2": incident("I2")}
    bench.auditor.committed(Changes(incidents=twins))
    assert bench.laws == ["I2"]
    busy = Bench()
    both = {
        "I1": incident("I1", "P1", attempt("I1.1")),
        "I2": incident("I2", "P1", attempt("I2.1"), family=Family.CONNECTOR_LOCK),
    }
    busy.auditor.committed(Changes(incidents=both))
    assert busy.laws == ["I2"]


def test_i12_only_declared_edges_in_one_chain() -> None:
    bench = Bench()
    bench.auditor.committed(Changes(incidents={"I1": incident("I1")}))
    held = incident("I1", state=IncidentState.HELD)
    journal = [moved("I1", "observing", "held", "refusal")]
    bench.auditor.committed(Changes(incidents={"I1": held}, journal=journal))
    assert bench.laws == []
    silent = incident("I1", state=IncidentState.DESK)
    bench.auditor.committed(Changes(incidents={"I1": silent}))
    assert bench.laws == ["I12"]
    wild = Bench()
    wild.auditor.committed(Changes(incidents={"I1": incident("I1")}))
    closed = incident("I1", state=IncidentState.CLOSED)
    journal = [moved("I1", "observing", "closed", "soaked")]
    wild.auditor.committed(Changes(incidents={"I1": closed}, journal=journal))
    assert wild.laws == ["I12"]


def test_i12_the_same_transaction_twice_is_one() -> None:
    bench = Bench()
    bench.auditor.committed(Changes(incidents={"I1": incident("I1")}))
    held = incident("I1", state=IncidentState.HELD)
    changes = Changes(incidents={"I1": held}, journal=[moved("I1", "observing", "held", "refusal")])
    bench.auditor.committed(changes)
    bench.auditor.committed(changes)
    assert bench.laws == []


def test_i1_one_number_a_person_durable_and_in_one_incident() -> None:
    bench = Bench()
    bench.auditor.committed(Changes(complaints={"C1": complaint("C1", "k")}))
    bench.auditor.answered("k", "C1")
    bench.auditor.answered("k", "C1")
    assert bench.laws == []
    bench.auditor.answered("k2", "C2")
    assert bench.laws == ["I1"]
    twice = Bench()
    twice.auditor.committed(Changes(complaints={"C1": complaint("C1", "k"), "C2": complaint("C2", "k")}))
    assert twice.laws == ["I1"]


def test_i3_one_ticket_at_a_time() -> None:
    bench = Bench()
    bench.auditor.committed(Changes(orders={"W1": order("W1", "I1"), "W2": order("W2", "I1")}))
    first = OrderNotice(id="W1:issued", order=order("W1", "I1"), change="issued")
    assert bench.auditor.noticed(first)
    assert not bench.auditor.noticed(first)
    assert bench.laws == []
    bench.auditor.noticed(OrderNotice(id="W2:issued", order=order("W2", "I1"), change="issued"))
    assert bench.laws == ["I3"]
    again = Bench()
    again.auditor.committed(Changes(orders={"W1": order("W1", "I1")}))
    again.auditor.noticed(first)
    again.auditor.noticed(OrderNotice(id="W1:issued:again", order=order("W1", "I1"), change="issued"))
    assert again.laws == ["I3"]


def test_i8_remote_failed_without_a_try() -> None:
    bench = Bench()
    sent = replace(incident("I1", state=IncidentState.FIELD), work_order="W1")
    changes = Changes(incidents={"I1": sent}, orders={"W1": order("W1", "I1")})
    bench.auditor.committed(changes)
    assert "I8" in bench.laws


def pile(*codes: str) -> Pile:
    faults = tuple(Fault(code=code, connector=0, name=code, family=Family.INTERNAL, since=T0) for code in codes)
    return Pile(registration=Registration(pile="P1", site="S1", region="r"), faults=faults)


def test_i11_an_acknowledged_fault_must_be_in_the_database_at_death() -> None:
    bench = Bench()
    bench.auditor.committed(Changes(piles={"P1": pile()}))
    bench.hear(claims=("InternalError",))
    bench.auditor.died()
    assert bench.laws == ["I11"]
    kept = Bench()
    kept.hear(claims=("InternalError",))
    kept.auditor.committed(Changes(piles={"P1": pile("InternalError")}))
    kept.hear(claims=(), known=False)
    kept.auditor.died()
    assert kept.laws == []


def test_i14_what_is_loaded_is_what_was_committed() -> None:
    bench = Bench()
    bench.auditor.committed(Changes(piles={"P1": pile("InternalError")}))
    bench.auditor.restarted(Snapshot(piles=[pile("InternalError")]))
    assert bench.laws == []
    bench.auditor.restarted(Snapshot(piles=[pile()]))
    assert bench.laws == ["I14"]
    bench.auditor.restarted(Snapshot())
    assert bench.auditor.court.counts["I14"] == 2


def test_i18_nothing_changing_under_the_kill_switch() -> None:
    bench = Bench()
    bench.hear()
    bench.auditor.committed(Changes(settings={"kill_switch": "a drill"}))
    bench.reset("I1.1")
    assert bench.laws == ["I18"]
