"""The outbox: each class of effects by its own law, over failures, restarts and the kill switch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

import triage.outbox as module
from triage.core.effects import Command, Effect, OrderNotice, OutboxItem
from triage.core.events import EffectOutcome
from triage.core.vocabulary import REPEAT, Action, OrderReason, OrderState, Priority, Repeat
from triage.core.workorder import WorkOrder
from triage.interfaces import Dispatch
from triage.outbox import Outbox

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still for records and runs for pauses."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Driver:
    """A driver that does what a test says."""

    name = "mqtt"

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.dispatch: Any = lambda _command: Dispatch("sent")
        self.hang = False

    async def start(self, inlet: object) -> None:
        """Nothing to connect."""

    async def stop(self) -> None:
        """Nothing to leave."""

    async def send(self, command: Command) -> Dispatch:
        self.sent.append(command.id)
        if self.hang:
            await asyncio.Event().wait()
        result: Dispatch = self.dispatch(command)
        return result


class Desk:
    """A desk that fails so many times."""

    def __init__(self, name: str = "desk", fails: int = 0) -> None:
        self.name = name
        self.fails = fails
        self.taken: list[str] = []
        self.tries = 0

    async def deliver(self, notice: OrderNotice) -> str:
        self.tries += 1
        if self.fails:
            self.fails -= 1
            raise ConnectionError("the receiver is away")
        self.taken.append(notice.id)
        return f"ref-{notice.order.id}"


class Room:
    """An outbox with its surroundings."""

    def __init__(self, *desks: Desk, speed: float = 100.0) -> None:
        self.clock = Clock()
        self.driver = Driver()
        self.desks = {desk.name: desk for desk in desks}
        self.halted: str | None = None
        self.outcomes: list[EffectOutcome] = []
        self.outbox = Outbox({"pile/v1": self.driver}, self.desks, self.clock, halted=lambda: self.halted, speed=speed)

    def offer(self, events: Sequence[Any], ack: Any = None) -> None:
        del ack
        self.outcomes.extend(events)

    async def submit(self, event: Any) -> Any:
        raise NotImplementedError

    def told(self) -> list[tuple[str, str]]:
        return [(each.effect, each.outcome) for each in self.outcomes]

    async def until(self, wanted: Any) -> None:
        async with asyncio.timeout(10):
            while not wanted():
                await asyncio.sleep(0.002)


@asynccontextmanager
async def open_room(*desks: Desk) -> AsyncIterator[Room]:
    room = Room(*desks)
    room.outbox.start(room)
    try:
        yield room
    finally:
        await room.outbox.stop()


def command(id: str = "I1.1", action: Action = Action.RESET_SOFT, **changes: Any) -> OutboxItem:
    profile = changes.pop("profile", "pile/v1")
    pile = changes.pop("pile", "P1")
    expires = changes.pop("expires_at", NOW + timedelta(seconds=60))
    effect = Command(
        id=id,
        site="S1",
        pile=pile,
        driver_profile=profile,
        action=action,
        connector=0,
        issued_at=NOW,
        expires_at=expires,
    )
    state = "sent" if REPEAT[action] is Repeat.NEVER_BLIND else "pending"
    return item(effect, **{"state": state, **changes})


def notice(id: str = "W1:issued:0:0", order: str = "W1", incident: str = "I1", **changes: Any) -> OutboxItem:
    work = WorkOrder(
        id=order,
        incident=incident,
        pile="P1",
        site="S1",
        region="r",
        connector=1,
        reason=OrderReason.REMOTE_FAILED,
        reason_text="x",
        state=OrderState.ISSUED,
        state_since=NOW,
        opened_at=NOW,
        priority=Priority.NORMAL,
        team="t",
    )
    return item(OrderNotice(id=id, order=work, change="issued"), **changes)


def item(effect: Effect, **changes: Any) -> OutboxItem:
    return OutboxItem(**{"id": effect.id, "effect": effect, "state": "pending", "created_at": NOW, **changes})


async def test_a_command_is_sent_once_and_its_outcome_is_an_event() -> None:
    async with open_room() as room:
        room.outbox.release([command()])
        await room.until(lambda: room.outcomes)
        assert room.driver.sent == ["I1.1"]
        assert room.told() == [("I1.1", "sent")]
        assert room.outbox.pending() == (0, None)


@pytest.mark.parametrize("action", [each for each in Action if REPEAT[each] is Repeat.NEVER_BLIND])
async def test_what_may_have_left_is_never_taken_up_again(action: Action) -> None:
    async with open_room() as room:
        room.outbox.resume([command(action=action), command("I1.2", Action.REPORT)])
        await room.until(lambda: room.outcomes)
        assert room.driver.sent == ["I1.2"]


@pytest.mark.parametrize("action", [each for each in Action if REPEAT[each] is Repeat.NATURAL])
async def test_what_may_be_repeated_is_taken_up_again(action: Action) -> None:
    async with open_room() as room:
        room.outbox.resume([command(action=action)])
        await room.until(lambda: room.outcomes)
        assert room.told() == [("I1.1", "sent")]


async def test_an_expired_command_certainly_did_not_leave() -> None:
    async with open_room() as room:
        room.clock.at = NOW + timedelta(seconds=60)
        room.outbox.release([command()])
        await room.until(lambda: room.outcomes)
        assert room.driver.sent == []
        assert room.told() == [("I1.1", "not_sent")]


async def test_the_kill_switch_is_looked_at_just_before_sending() -> None:
    async with open_room() as room:
        room.halted = "drill"
        room.outbox.release([command(), command("I1.2", Action.REPORT), command("I1.3", Action.SET_AVAILABILITY)])
        await room.until(lambda: len(room.outcomes) == 3)
        assert room.driver.sent == ["I1.2"]
        assert room.told() == [("I1.1", "not_sent"), ("I1.2", "sent"), ("I1.3", "not_sent")]
        assert "drill" in room.outcomes[0].reason


async def test_a_command_no_driver_speaks_certainly_did_not_leave() -> None:
    async with open_room() as room:
        room.outbox.release([command(profile="ocpp/1.6")])
        await room.until(lambda: room.outcomes)
        assert room.told() == [("I1.1", "not_sent")]


async def test_a_driver_that_breaks_has_an_unknown_outcome_and_stops_nobody() -> None:
    async with open_room() as room:

        def dispatch(each: Command) -> Dispatch:
            if each.id == "I1.1":
                raise OSError("broken pipe")
            return Dispatch("sent")

        room.driver.dispatch = dispatch
        room.outbox.release([command(), command("I1.2")])
        await room.until(lambda: len(room.outcomes) == 2)
        assert room.told() == [("I1.1", "unknown"), ("I1.2", "sent")]
        assert room.driver.sent == ["I1.1", "I1.2"], "each once, whatever became of it"


async def test_a_driver_that_hangs_has_an_unknown_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_TIMEOUT_S", 0.05)
    async with open_room() as room:
        room.driver.hang = True
        room.outbox.release([command()])
        await room.until(lambda: room.outcomes)
        assert room.told() == [("I1.1", "unknown")]
        assert room.driver.sent == ["I1.1"]


async def test_commands_keep_their_order() -> None:
    async with open_room() as room:
        room.outbox.release([command(f"I1.{n}") for n in range(50)])
        await room.until(lambda: len(room.outcomes) == 50)
        assert room.driver.sent == [f"I1.{n}" for n in range(50)]


async def test_a_slow_pile_holds_up_no_other() -> None:
    async with open_room() as room:
        gate = asyncio.Event()
        send = room.driver.send

        async def slow(order: Command) -> Dispatch:
            if order.pile == "P1":
                await gate.wait()
            return await send(order)

        room.driver.send = slow  # type: ignore[assignment, method-assign]
        room.outbox.release([command("I1.1"), command("I1.2"), command("I2.1", pile="P2")])
        await room.until(lambda: room.told() == [("I2.1", "sent")])
        assert room.outbox.pending()[0] == 2
        gate.set()
        await room.until(lambda: room.told() == [("I2.1", "sent"), ("I1.1", "sent"), ("I1.2", "sent")])


class Restoring(Driver):
    """A driver whose commands have a middle."""

    def __init__(self) -> None:
        super().__init__()
        self.restored: list[str] = []

    async def restore(self, command: Command) -> None:
        self.restored.append(command.id)


async def test_what_a_dead_process_left_in_the_middle_is_restored_and_not_repeated() -> None:
    room = Room()
    driver = Restoring()
    outbox = Outbox({"pile/v1": room.driver, "power_switch": driver}, {}, room.clock)
    cycle = command("I1.1", Action.POWER_CYCLE, profile="power_switch")
    outbox.resume([cycle, command("I2.1", Action.RESET_HARD, pile="P2")])
    outbox.start(room)
    await outbox.restore()
    await outbox.restore()
    assert driver.restored == ["I1.1"]
    assert driver.sent == room.driver.sent == []
    await outbox.stop()


async def test_settled_items_are_not_carried_out() -> None:
    async with open_room(Desk()) as room:
        room.outbox.release([command(state="done"), command("I1.2", state="failed"), notice(state="done")])
        room.outbox.release([command("I1.3")])
        await room.until(lambda: room.outcomes)
        assert room.driver.sent == ["I1.3"]
        assert room.desks["desk"].taken == []


async def test_a_notice_is_told_until_it_is_taken() -> None:
    async with open_room(Desk(fails=3)) as room:
        room.outbox.release([notice()])
        await room.until(lambda: room.desks["desk"].taken)
        await room.until(lambda: room.told()[-1:] == [("W1:issued:0:0", "delivered")])
        assert room.told() == [("W1:issued:0:0", "retry")] * 3 + [("W1:issued:0:0", "delivered")]
        assert room.outcomes[-1].reference == "ref-W1"
        assert room.desks["desk"].taken == ["W1:issued:0:0"]


async def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(fails=5)
    room = Room(desk, speed=50.0)
    times: list[float] = []
    deliver = desk.deliver

    async def timed(each: OrderNotice) -> str:
        times.append(room.clock.monotonic())
        return await deliver(each)

    monkeypatch.setattr(desk, "deliver", timed)
    room.outbox.start(room)
    room.outbox.release([notice()])
    await room.until(lambda: desk.taken)
    await room.outbox.stop()
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[-1] > 4 * gaps[0]


async def test_a_notice_that_was_tried_before_a_crash_is_told_after_it() -> None:
    async with open_room(Desk()) as room:
        room.outbox.resume([notice(tries=7, note="the receiver is away")])
        await room.until(lambda: room.desks["desk"].taken)
        assert room.desks["desk"].taken == ["W1:issued:0:0"]


async def test_our_own_report_of_a_retry_is_no_second_notice() -> None:
    async with open_room(Desk(fails=1)) as room:
        room.outbox.release([notice()])
        await room.until(lambda: room.outcomes)
        room.outbox.release([notice(tries=1)])
        await room.until(lambda: room.told()[-1:] == [("W1:issued:0:0", "delivered")])
        room.outbox.release([notice(tries=2)])
        await asyncio.sleep(0.05)
        assert room.desks["desk"].taken == ["W1:issued:0:0"]


async def test_notices_of_one_order_keep_their_order_and_others_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    taken: list[str] = []

    async def deliver(each: OrderNotice) -> str:
        desk.tries += 1
        if each.order.id == "W1" and desk.tries < 8:
            raise ConnectionError("not yet")
        taken.append(each.id)
        return ""

    monkeypatch.setattr(desk, "deliver", deliver)
    async with open_room(desk) as room:
        room.outbox.release([notice("W1:a", "W1"), notice("W1:b", "W1"), notice("W2:a", "W2", "I2")])
        await room.until(lambda: len(taken) == 3)
    assert taken[0] == "W2:a"
    assert taken[1:] == ["W1:a", "W1:b"]


async def test_a_new_order_of_an_incident_waits_for_the_recall_of_its_forerunner() -> None:
    desk = Desk(fails=3)
    async with open_room(desk) as room:
        room.outbox.release([notice("W1:recall", "W1"), notice("W2:issued", "W2")])
        await room.until(lambda: len(desk.taken) == 2)
    assert desk.taken == ["W1:recall", "W2:issued"]


async def test_one_desk_away_keeps_no_other_waiting() -> None:
    near, far = Desk("near"), Desk("far", fails=1000)
    async with open_room(near, far) as room:
        room.outbox.release([notice()])
        await room.until(lambda: near.taken)
        assert room.told().count(("W1:issued:0:0", "delivered")) == 0, "not before the last desk has it"
        far.fails = 0
        await room.until(lambda: far.taken)
        await room.until(lambda: ("W1:issued:0:0", "delivered") in room.told())
        assert near.taken == ["W1:issued:0:0"]


async def test_what_waits_is_told() -> None:
    async with open_room(Desk(fails=1000)) as room:
        assert room.outbox.trouble() is None
        room.outbox.release([notice()])
        await room.until(room.outbox.trouble)
        assert room.outbox.pending() == (1, NOW)
        assert "desk" in str(room.outbox.trouble())


async def test_a_command_does_not_wait_for_a_desk() -> None:
    async with open_room(Desk(fails=1000)) as room:
        room.outbox.release([notice(), command()])
        await room.until(lambda: ("I1.1", "sent") in room.told())
