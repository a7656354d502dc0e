"""A pile's power, cut and restored: never under load, never unseen, and never left off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from triage.config.profile.actions import Step
from triage.config.profile.file import Profile, load_profile
from triage.core.effects import Command
from triage.core.events import CommandAnswer, EffectOutcome, Event, Registration
from triage.core.means import POWER_SWITCH
from triage.core.vocabulary import Action, AnswerResult
from triage.drivers.power import driver as power
from triage.drivers.power.driver import LastCheck, PowerSwitches, switch_registrations
from triage.drivers.profiles.values import Values
from triage.interfaces import Dispatch, Restorer

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
RELAY = """\
profile: relay
title: {en: Relay board, zh: 继电器板}
vendor: Somebody
models: [R8]
kind: switch
connectors: 8
sources: [a test]
verified: never
modbus:
  connectors: {stride: 1}
  registers:
    coil: {table: coil, address: 0, type: bool, access: rw, of: connector}
    load: {table: input, address: 100, type: u16, unit: W, of: connector}
switching:
  state: coil
  load_w: load
  off: [{write: {coil: false}}]
  on: [{write: {coil: true}}]
  off_s: 10
  within_s: 0.2
"""
SWITCH = "relay@10.0.0.9:502/3#2"


class Clock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Board:
    """A relay board as its driver would reach it; ``lost`` writes are acknowledged by nobody."""

    def __init__(self) -> None:
        self.on: bool | None = True
        self.load_w: float | None = 3.0
        self.written: list[bool] = []
        self.there = True
        self.stuck = 0
        self.outcome = Dispatch("sent")
        self.said: bool | None = None
        self.fails = 0
        self.slow: Callable[[], object] = lambda: None
        self.names: set[str] = set()

    async def look(self, pile: str) -> Values | None:
        self.names.add(pile)
        if not self.there:
            return None
        return Values(connectors={2: {"coil": self.on if self.said is None else self.said, "load": self.load_w}})

    async def carry_out(
        self, pile: str, connector: int, steps: Sequence[Step], last_check: LastCheck | None = None
    ) -> Dispatch:
        self.names.add(pile)
        self.slow()
        if last_check is not None and (reason := last_check()) is not None:
            return Dispatch("not_sent", reason)
        assert connector == 2
        (step,) = steps
        assert step.write is not None
        wanted = bool(step.write["coil"])
        if self.outcome.outcome == "not_sent":
            return self.outcome
        self.written.append(wanted)
        if self.stuck:
            self.stuck -= 1
        else:
            self.on = wanted
        if self.fails:
            self.fails -= 1
            raise RuntimeError("a defect")
        return self.outcome


class Eyes:
    """What the drivers of the piles saw."""

    def __init__(self) -> None:
        self.refusals: dict[str, str] = {}
        self.asked: list[tuple[str, Action, int, dict[str, Any]]] = []

    def refuse(self, command: Command, now: datetime) -> str | None:
        assert now == NOW
        self.asked.append((command.pile, command.action, command.connector, command.args))
        return self.refusals.get(command.pile)


class House:
    def __init__(self, profile: Profile) -> None:
        self.board, self.eyes = Board(), Eyes()
        self.profiles = {"relay": profile}
        self.piles = [row("P1"), row("P2"), row("P3", switch="")]
        self.switches = PowerSwitches(clock=Clock(), speed=1000)
        self.switches.adopt(self.piles, self.profiles, {"relay": self.board}, {"pile/v1": self.eyes})
        self.events: list[Event] = []

    def offer(self, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        del ack
        self.events.extend(events)

    async def submit(self, event: Any) -> Any:
        raise NotImplementedError

    @property
    def answers(self) -> list[CommandAnswer]:
        return [each for each in self.events if isinstance(each, CommandAnswer)]

    async def until(self, wanted: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not wanted():
                await asyncio.sleep(0.005)


def row(pile: str, switch: str = SWITCH) -> Registration:
    return Registration(pile=pile, site="S1", region="north", power_switch=switch)


def command(pile: str = "P1", **changes: Any) -> Command:
    plain: dict[str, Any] = {
        "id": "I1.1",
        "site": "S1",
        "pile": pile,
        "driver_profile": POWER_SWITCH,
        "action": Action.POWER_CYCLE,
        "connector": 0,
        "issued_at": NOW,
        "expires_at": NOW + timedelta(seconds=30),
        "args": {"silent_ok": "1"},
    }
    return Command(**(plain | changes))


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    path = tmp_path / "relay.yaml"
    path.write_text(RELAY, encoding="utf-8")
    return load_profile(path)


@asynccontextmanager
async def running(house: House) -> AsyncIterator[House]:
    await house.switches.start(house)
    try:
        yield house
    finally:
        await house.switches.stop()


@pytest.fixture
async def house(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    for name in ("LOOK_S", "PAUSE_FIRST_S", "PAUSE_MOST_S"):
        monkeypatch.setattr(power, name, 0.01)
    async with running(House(profile)) as house:
        yield house


def test_switches_are_devices_of_their_own(house: House) -> None:
    rows = [row("P1"), row("P2", "relay@10.0.0.9:502/3#5"), row("P3", "relay@10.0.0.9:502/4#1"), row("P4", "")]
    found = switch_registrations(rows, house.profiles)
    assert [(each.pile, each.endpoint, each.unit, each.connectors) for each in found] == [
        ("relay@10.0.0.9:502/3", "10.0.0.9:502", 3, 8),
        ("relay@10.0.0.9:502/4", "10.0.0.9:502", 4, 8),
    ]
    assert isinstance(house.switches, Restorer)


async def test_off_and_on_are_both_read_back(house: House) -> None:
    assert await house.switches.send(command()) == Dispatch("sent")
    await house.until(lambda: house.answers)
    assert house.board.written == [False, True]
    assert house.board.names == {"relay@10.0.0.9:502/3"}
    (answer,) = house.answers
    assert (answer.command, answer.pile, answer.result) == ("I1.1", "P1", AnswerResult.ACCEPTED)
    # Everything behind the switch was looked at, and only the silent pile itself was let off its silence.
    assert {(pile, action, number) for pile, action, number, _ in house.eyes.asked} == {
        ("P1", Action.POWER_CYCLE, 0),
        ("P2", Action.POWER_CYCLE, 0),
    }
    assert all(args == ({"silent_ok": "1"} if pile == "P1" else {}) for pile, _, _, args in house.eyes.asked)


@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        (lambda house: house.eyes.refusals.update(P2="charging"), "P2: charging"),
        (lambda house: house.eyes.refusals.update(P1="session_unknown"), "session_unknown"),
        (lambda house: setattr(house.board, "load_w", 812.0), "812 W flow through the switch"),
        (lambda house: setattr(house.board, "load_w", None), "the switch does not tell its load"),
        (lambda house: setattr(house.board, "on", False), "the switch is off already, and not by us"),
        (lambda house: setattr(house.board, "on", None), "the switch does not tell whether it is on"),
        (lambda house: setattr(house.board, "there", False), "the switch cannot be read"),
        (lambda house: setattr(house.board, "outcome", Dispatch("not_sent", "no link")), "no link"),
    ],
)
async def test_what_is_not_plainly_idle_keeps_its_power(
    house: House, setup: Callable[[House], object], reason: str
) -> None:
    setup(house)
    assert await house.switches.send(command()) == Dispatch("not_sent", reason)
    await house.until(lambda: not house.switches._cycles)
    assert house.board.written == []
    assert house.answers == []


async def test_a_neighbour_behind_the_same_channel_is_seen_however_the_fleet_file_spells_it(house: House) -> None:
    spelled = [row("P1"), row("P2", "relay@tcp://10.0.0.9/3#02")]
    house.switches.adopt(spelled, house.profiles, {"relay": house.board}, {"pile/v1": house.eyes})
    house.eyes.refusals["P2"] = "charging"
    assert await house.switches.send(command()) == Dispatch("not_sent", "P2: charging")
    assert house.board.written == []


async def test_who_has_no_switch_and_who_comes_late(house: House) -> None:
    assert (await house.switches.send(command("P3"))).outcome == "not_sent"
    assert (await house.switches.send(command(action=Action.RESET_HARD))).outcome == "not_sent"
    assert await house.switches.send(command(expires_at=NOW)) == Dispatch("not_sent", "expired")
    house.switches.adopt(house.piles, house.profiles, {"relay": house.board}, {})
    assert await house.switches.send(command()) == Dispatch("not_sent", "P1: nobody sees it")
    assert house.board.written == []


async def test_one_cycle_at_a_time(house: House) -> None:
    first, second = await asyncio.gather(house.switches.send(command()), house.switches.send(command("P2")))
    assert [first.outcome, second.outcome] == ["sent", "not_sent"]
    await house.until(lambda: house.answers)
    assert house.board.written == [False, True]


async def test_a_switch_that_stays_on_has_done_nothing(house: House) -> None:
    house.board.stuck = 1
    assert (await house.switches.send(command())).outcome == "sent"
    await house.until(lambda: house.answers)
    assert house.answers[0].result is AnswerResult.REFUSED
    assert house.board.on is True


async def test_the_power_comes_back_however_often_it_must_be_asked(house: House) -> None:
    assert (await house.switches.send(command())).outcome == "sent"
    await house.until(lambda: house.board.on is False)
    house.board.stuck = 3
    await house.until(house.switches.trouble)
    assert "P1" in str(house.switches.trouble())
    await house.until(lambda: house.answers)
    assert house.board.on is True
    assert house.switches.trouble() is None


async def test_an_unknown_cut_is_followed_by_a_restoration(house: House) -> None:
    house.board.outcome = Dispatch("unknown", "no answer")
    assert (await house.switches.send(command())).outcome == "unknown"
    await house.until(lambda: house.board.written == [False, True])


async def test_the_next_process_restores_what_a_dead_one_left_dark(house: House, profile: Profile) -> None:
    assert (await house.switches.send(command())).outcome == "sent"
    await house.until(lambda: house.board.on is False)
    for task in house.switches._cycles.values():
        task.cancel()  # as a crash would: off, and nobody to switch it on
    await house.until(lambda: not house.switches._cycles)
    assert house.board.written == [False]
    async with running(House(profile)) as heir:
        heir.switches.adopt(heir.piles, heir.profiles, {"relay": house.board}, {})
        await heir.switches.restore(command())
        await heir.until(lambda: house.board.on)
        assert house.board.written == [False, True]
        await heir.until(lambda: [each for each in heir.events if isinstance(each, EffectOutcome)])
        (ended,) = [each for each in heir.events if isinstance(each, EffectOutcome)]
        assert (ended.effect, ended.outcome) == ("I1.1", "restored")
        await heir.switches.restore(command())  # it is on: nothing is written
        await heir.until(lambda: not heir.switches._cycles)
        assert house.board.written == [False, True]


async def test_a_plug_that_has_not_spoken_since_is_told_to_switch_on_all_the_same(house: House) -> None:
    house.board.said = True  # its word from before the cut
    assert (await house.switches.send(command())).outcome == "sent"
    await house.until(lambda: house.answers)
    assert house.board.written == [False, True]
    assert house.board.on is True
    assert house.answers[0].result is AnswerResult.REFUSED


@pytest.mark.parametrize("fails", [1, 2, 3])
async def test_a_defect_on_the_way_leaves_nobody_in_the_dark(house: House, fails: int) -> None:
    house.board.fails = fails
    assert (await house.switches.send(command())).outcome == "unknown"
    await house.until(lambda: house.answers)
    assert house.board.on is True


async def test_a_defect_while_looking_leaves_nobody_in_the_dark(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await house.switches.send(command())).outcome == "sent"
    seen = house.board.look

    async def broken(pile: str) -> Values | None:
        if len(house.board.written) < 3:
            raise RuntimeError(pile)
        return await seen(pile)

    monkeypatch.setattr(house.board, "look", broken)
    await house.until(lambda: house.answers)
    assert house.board.on is True


async def test_who_leaves_lights_what_is_dark_first(house: House) -> None:
    house.switches._speed = 0.001  # the pause would last for hours
    assert (await house.switches.send(command())).outcome == "sent"
    await house.until(lambda: house.board.on is False)
    await house.switches.stop()
    assert house.board.on is True
    assert (await house.switches.send(command("P2"))).outcome == "not_sent"
    assert house.board.written == [False, True]


async def test_a_fleet_that_forgets_the_switch_in_between_does_not_leave_it_off(house: House) -> None:
    assert (await house.switches.send(command())).outcome == "sent"
    await house.until(lambda: house.board.on is False)
    ((kept, _),) = house.switches.at_work()
    assert (kept.pile, kept.endpoint, kept.unit) == ("relay@10.0.0.9:502/3", "10.0.0.9:502", 3)
    house.switches.adopt([row("P3", "")], {}, {}, {})
    await house.until(lambda: house.answers)
    assert house.board.on is True
    assert house.switches.at_work() == []


async def test_who_begins_to_charge_at_the_last_moment_keeps_the_power(house: House) -> None:
    house.board.slow = lambda: house.eyes.refusals.update(P2="charging")  # the relay answers somebody else first
    assert await house.switches.send(command()) == Dispatch("not_sent", "P2: charging")
    await house.until(lambda: not house.switches._cycles)
    assert house.board.written == []
