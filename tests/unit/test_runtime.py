"""The loop: nothing is acknowledged, answered or sent before its commit, and nothing taken in is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

import triage.runtime as module
from tests.unit.core.film import START, pile, rules
from triage import inbox
from triage.core.effects import Changes, KeptAnswer, OutboxItem, Snapshot
from triage.core.engine import Engine
from triage.core.events import (
    ComplaintReceived,
    DriverLink,
    FaultClaim,
    KillSwitch,
    PileStatus,
    Reading,
    Telemetry,
)
from triage.core.vocabulary import Channel, ConnectorStatus
from triage.errors import OverloadedError, StoreError
from triage.metrics import Metrics
from triage.runtime import Runtime
from triage.storage.memory import MemoryStore


class Clock:
    """A clock a test moves."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Store(MemoryStore):
    """A store whose commits a test holds up or breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.open_gate = asyncio.Event()
        self.open_gate.set()
        self.broken = False
        self.deaf = False
        self.loses_the_answer = 0
        self.tries = 0
        self.batches: list[Changes] = []

    async def commit(self, changes: Changes) -> None:
        self.tries += 1
        await self.open_gate.wait()
        if self.broken:
            raise StoreError("the disk is full")
        await super().commit(changes)
        self.batches.append(changes)
        if self.loses_the_answer:
            self.loses_the_answer -= 1
            raise StoreError("the connection broke during COMMIT")

    async def answers(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KeptAnswer]:
        if self.broken or self.deaf:
            raise StoreError("the disk is full")
        return await super().answers(keys)


class House:
    """A running loop, and everything it let out."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = Store()
        self.engine = Engine(rules(), drivers=["mqtt"])
        self.engine.start(Snapshot(), [pile(1), pile(2)], START)
        self.released: list[OutboxItem] = []
        self.published: list[Changes] = []
        self.metrics = Metrics()
        self.runtime = Runtime(
            self.engine, self.store, self.clock, self.metrics, release=self._release, publish=self.published.append
        )
        self.acked: list[str] = []

    def _release(self, items: Iterable[OutboxItem]) -> None:
        self.released.extend(items)

    def ack(self, name: str) -> Any:
        return lambda: self.acked.append(name)

    def telemetry(self, seq: int, id: str = "P1", *faults: str) -> Telemetry:
        return Telemetry(
            received_at=self.clock.at,
            site="S1",
            pile=id,
            seq=seq,
            uptime_s=float(seq),
            readings=(Reading(connector=1, status=ConnectorStatus.AVAILABLE, session=None, session_known=True),),
            faults=tuple(FaultClaim(code=code, connector=1) for code in faults),
        )

    def complaint(
        self, key: str | None = "k1", text: str = "it does not start", digest: str = "d"
    ) -> ComplaintReceived:
        return ComplaintReceived(
            received_at=self.clock.at,
            channel=Channel.APP,
            text=text,
            pile="P1",
            key=key,
            scope="complaints",
            digest=digest,
        )

    def numbers(self) -> list[str]:
        return sorted(str(id) for id in self.store.disk.shelves["complaint"].rows)

    async def until(self, wanted: Any) -> None:
        async with asyncio.timeout(60):
            while not wanted():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(house: House) -> AsyncIterator[House]:
    task = asyncio.create_task(house.runtime.run())
    try:
        yield house
    finally:
        house.store.open_gate.set()
        house.store.broken = house.store.deaf = False
        house.runtime.stop()
        async with asyncio.timeout(10):
            await task


@pytest.fixture
def house() -> House:
    return House()


async def test_acks_and_answers_wait_for_the_commit(house: House) -> None:
    async with running(house):
        house.store.open_gate.clear()
        asking = asyncio.create_task(house.runtime.submit(house.complaint()))
        house.runtime.offer([house.telemetry(1, "P1", "InternalError")], house.ack("t"))
        await house.until(lambda: house.store.tries)
        await asyncio.sleep(0.02)
        assert house.acked == []
        assert not asking.done()
        assert house.released == []
        assert house.published == []
        house.store.open_gate.set()
        answer = await asking
        assert answer.status == 201
        await house.until(lambda: house.acked == ["t"])
        assert house.numbers() == [answer.body["number"]]


async def test_commands_leave_only_after_their_commit(house: House) -> None:
    async with running(house):
        house.runtime.offer([DriverLink(received_at=START, driver="mqtt", up=True)])
        house.runtime.offer([house.telemetry(1, "P1", "InternalError")])
        await house.until(lambda: house.engine.state.incidents)
        house.store.open_gate.clear()
        house.clock.at += timedelta(seconds=121)
        house.runtime.offer([house.telemetry(122, "P1", "InternalError")])
        await house.until(lambda: house.engine.state.outbox)
        assert house.released == []
        house.store.open_gate.set()
        await house.until(lambda: house.released)
        stored = house.store.disk.shelves["outbox"].rows
        assert {item.id for item in house.released} <= set(stored)


async def test_a_failed_commit_tells_who_waits_and_keeps_what_it_has(house: House) -> None:
    async with running(house):
        house.store.open_gate.clear()
        asking = asyncio.create_task(house.runtime.submit(house.complaint()))
        await house.until(lambda: house.store.tries)
        house.store.broken = True
        house.store.open_gate.set()
        with pytest.raises(StoreError):
            await asking
        assert house.numbers() == []
        with pytest.raises(StoreError):
            await house.runtime.submit(house.complaint("k2"))
        house.store.broken = False
        await house.until(lambda: house.runtime.store_trouble is None)
        again = await house.runtime.submit(house.complaint())
        assert again.status in {200, 201}
        assert len(house.numbers()) == 1, "the retry with the same key is the same complaint"


async def test_a_complaint_by_mqtt_is_not_acknowledged_until_it_is_stored(house: House) -> None:
    async with running(house):
        house.store.broken = True
        house.runtime.offer([house.complaint("m1")], house.ack("m1"))
        await house.until(lambda: house.runtime.store_trouble)
        assert house.acked == []
        house.store.broken = False
        await house.until(lambda: house.acked == ["m1"])
        assert len(house.numbers()) == 1


async def test_a_repeated_complaint_by_mqtt_is_acknowledged_and_stored_once(house: House) -> None:
    async with running(house):
        for name in ("first", "second", "third"):
            house.runtime.offer([house.complaint("m1")], house.ack(name))
        await house.until(lambda: len(house.acked) == 3)
        assert len(house.numbers()) == 1


async def test_a_commit_of_unknown_outcome_is_not_done_twice(house: House) -> None:
    async with running(house):
        house.store.loses_the_answer = 1
        with pytest.raises(StoreError):
            await house.runtime.submit(house.complaint())
        await house.until(lambda: house.runtime.store_trouble is None)
        answer = await house.runtime.submit(house.complaint())
        assert answer.status == 200
        assert house.numbers() == [answer.body["number"]]


async def test_the_same_key_again_gets_the_same_answer(house: House) -> None:
    async with running(house):
        first = await house.runtime.submit(house.complaint())
        second = await house.runtime.submit(house.complaint())
        assert (first.status, second.status) == (201, 200)
        assert first.body == second.body


async def test_the_same_key_twice_in_one_batch(house: House) -> None:
    asks = [asyncio.create_task(house.runtime.submit(house.complaint())) for _ in range(5)]
    await asyncio.sleep(0)
    async with running(house):
        answers = await asyncio.gather(*asks)
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.body["number"] for answer in answers}) == 1
    assert len(house.numbers()) == 1


async def test_the_same_key_with_another_body_is_a_conflict(house: House) -> None:
    async with running(house):
        await house.runtime.submit(house.complaint(digest="a"))
        answer = await house.runtime.submit(house.complaint(digest="b", text="something else"))
        assert answer.status == 409
        assert len(house.numbers()) == 1


async def test_a_refusal_is_not_kept_under_its_key(house: House) -> None:
    from triage.core.events import IncidentAct  # noqa: PLC0415

    async with running(house):
        act = IncidentAct(received_at=START, incident="I1", act="retry", reason="x", key="k", scope="s", digest="d")
        assert (await house.runtime.submit(act)).status == 404
        assert house.store.disk.answers == {}


async def test_a_poison_event_is_set_aside_while_others_flow(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = house.engine.decide

    def brittle(event: Any, now: datetime) -> Any:
        if getattr(event, "text", "") == "poison":
            raise ZeroDivisionError("a defect of ours")
        return decide(event, now)

    monkeypatch.setattr(house.engine, "decide", brittle)
    async with running(house):
        bad = asyncio.create_task(house.runtime.submit(house.complaint("bad", text="poison")))
        good = asyncio.create_task(house.runtime.submit(house.complaint("good")))
        house.runtime.offer([house.complaint("mqtt", text="poison")], house.ack("poison"))
        assert (await bad).status == 500
        assert (await good).status == 201
        await house.until(lambda: house.acked == ["poison"])
        assert house.runtime.defects == 2
        assert house.store.disk.quarantined == 2
        assert len(house.numbers()) == 1


async def test_a_deadline_that_breaks_us_is_looked_at_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 4: nothing waits for ever, not even what once met a defect."""
    async with running(house):
        house.runtime.offer([DriverLink(received_at=START, driver="mqtt", up=True)])
        house.runtime.offer([house.telemetry(1, "P1", "InternalError")])
        await house.until(lambda: house.engine.state.incidents)
        decide = house.engine.decide
        broken = True

        def brittle(event: Any, now: datetime) -> Any:
            if broken and type(event).__name__ == "Due" and event.kind == "incident":
                raise ZeroDivisionError("a defect of ours")
            return decide(event, now)

        monkeypatch.setattr(house.engine, "decide", brittle)
        house.clock.at += timedelta(seconds=130)
        await house.until(lambda: house.runtime.defects)
        broken = False
        id = next(iter(house.engine.state.incidents))
        assert house.engine.state.agenda.has("incident", id)


async def test_telemetry_coalesces_when_full_and_complaints_do_not(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "INBOX_LIMIT", 10)
    for seq in range(1, 41):
        house.runtime.offer([house.telemetry(seq)], house.ack(f"t{seq}"))
    for number in range(20):
        house.runtime.offer([house.complaint(f"m{number}")], house.ack(f"m{number}"))
    assert house.runtime.depth == 30
    async with running(house):
        await house.until(lambda: len(house.acked) == 60)
    assert len(house.numbers()) == 20
    assert house.engine.state.piles["P1"].seq == 40
    assert house.metrics.inbox_coalesced._value.get() == 30
    assert sorted(house.acked) == sorted([*(f"t{n}" for n in range(1, 41)), *(f"m{n}" for n in range(20))])


async def test_coalescing_never_hides_danger(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """I17: a safety claim that was received must not vanish because the next reading came before it was looked at."""
    monkeypatch.setattr(inbox, "INBOX_LIMIT", 2)
    for seq in range(1, 4):
        house.runtime.offer([house.telemetry(seq)])
    house.runtime.offer([house.telemetry(4, "P1", "GroundFailure")])
    house.runtime.offer([house.telemetry(5)])
    async with running(house):
        await house.until(lambda: house.engine.state.piles["P1"].seq == 5)
        await house.until(lambda: house.runtime.depth == 0)
    assert house.engine.state.piles["P1"].hazard is not None


async def test_a_retained_reading_never_replaces_a_fresh_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "INBOX_LIMIT", 1)
    house.runtime.offer([house.telemetry(1)])
    house.runtime.offer([replace(house.telemetry(9), retained=True)], house.ack("r"))
    async with running(house):
        await house.until(lambda: house.acked == ["r"])
    assert house.engine.state.piles["P1"].seq == 1


async def test_one_ack_for_a_batch_after_its_last_event(house: House) -> None:
    events = [
        house.telemetry(1),
        house.complaint("a"),
        PileStatus(received_at=START, site="S1", pile="P1", online=True, boot_id="b1"),
        house.telemetry(2, "P2"),
    ]
    house.runtime.offer(events, house.ack("batch"))
    house.runtime.offer([], house.ack("empty"))
    assert house.acked == ["empty"]
    async with running(house):
        await house.until(lambda: "batch" in house.acked)
    assert house.acked == ["empty", "batch"]


async def test_stop_finishes_what_was_taken_in(house: House) -> None:
    asks = [asyncio.create_task(house.runtime.submit(house.complaint(f"k{n}"))) for n in range(30)]
    house.runtime.offer([house.complaint("m")], house.ack("m"))
    await asyncio.sleep(0)
    task = asyncio.create_task(house.runtime.run())
    house.runtime.stop()
    async with asyncio.timeout(10):
        await task
        answers = await asyncio.gather(*asks)
    assert {answer.status for answer in answers} == {201}
    assert house.acked == ["m"]
    assert len(house.numbers()) == 31
    with pytest.raises(OverloadedError):
        await house.runtime.submit(house.complaint("late"))


async def test_too_many_requests_push_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_LIMIT", 3)
    asks = [asyncio.create_task(house.runtime.submit(house.complaint(f"k{n}"))) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await house.runtime.submit(house.complaint("k9"))
    async with running(house):
        await asyncio.gather(*asks)
        assert (await house.runtime.submit(house.complaint("k9"))).status == 201


async def test_a_client_that_went_away_harms_nobody(house: House) -> None:
    async with running(house):
        house.store.open_gate.clear()
        gone = asyncio.create_task(house.runtime.submit(house.complaint("gone")))
        await house.until(lambda: house.store.tries)
        gone.cancel()
        house.store.open_gate.set()
        assert (await house.runtime.submit(house.complaint("next"))).status == 201
        assert len(house.numbers()) == 2


async def test_deadlines_come_without_any_message(house: House) -> None:
    async with running(house):
        house.runtime.offer([DriverLink(received_at=START, driver="mqtt", up=True)])
        house.runtime.offer([house.telemetry(1, "P1", "GroundFailure")])
        await house.until(lambda: house.engine.state.orders)
        house.clock.at += timedelta(seconds=301)
        await house.until(lambda: next(iter(house.engine.state.orders.values())).clocks[0].breached_at is not None)


async def test_the_kill_switch_is_durable_before_it_is_answered(house: House) -> None:
    async with running(house):
        assert (await house.runtime.submit(KillSwitch(received_at=START, on=True, reason="drill"))).status == 200
        assert house.store.disk.settings["kill_switch"] == "drill"


async def test_healthy_telemetry_costs_no_transaction(house: House) -> None:
    async with running(house):
        house.runtime.offer([DriverLink(received_at=START, driver="mqtt", up=True)])
        house.runtime.offer([house.telemetry(1)], house.ack("1"))
        await house.until(lambda: house.acked)
        before = house.store.tries
        for seq in range(2, 50):
            house.runtime.offer([house.telemetry(seq)], house.ack(str(seq)))
        await house.until(lambda: len(house.acked) == 49)
        assert house.store.tries == before


async def test_a_complaint_is_weighed_with_the_piles_history(house: House) -> None:
    async with running(house):
        house.runtime.offer([DriverLink(received_at=START, driver="mqtt", up=True)])
        house.runtime.offer([house.telemetry(1, "P1", "InternalError")])
        await house.until(lambda: house.engine.state.incidents)
        house.clock.at += timedelta(seconds=30)
        house.runtime.offer([house.telemetry(31)], house.ack("well"))
        await house.until(lambda: house.acked)
        house.clock.at += timedelta(hours=1)
        ask = replace(house.complaint(), occurred_at=START + timedelta(seconds=10), received_at=house.clock.at)
        answer = await house.runtime.submit(ask)
        assert answer.body["verdict"] == "confirmed"
