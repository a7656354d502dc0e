"""I17: losing, doubling, delaying or reordering messages never turns a safety refusal into a permit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from simulators.fleet import Rates, build
from simulators.network import Message
from simulators.pile import Clock, Pile
from simulators.world.daemon import rules
from simulators.world.driver import translate
from simulators.world.yard import registrations
from triage.core.draft import Rules
from triage.core.effects import Snapshot
from triage.core.engine import Engine
from triage.core.events import DriverLink
from triage.core.gates import Question, judge
from triage.core.vocabulary import Action, Family, Gate, Mode

START = datetime(2026, 3, 2, tzinfo=UTC)
RULES = rules()
RATES = Rates(fault_rate=0.0, heartbeat_s=300.0, sessions_per_day=40.0, tempers=False)
HOURS = 4
DANGERS = ("ground_fault", "insulation_fault", "contactor_weld", "emergency_stop", "door_open", "water_ingress")


def record(seed: int, kind: str | None) -> tuple[list[tuple[float, Message]], Pile, Engine]:
    """What one pile says in some hours, with a danger that comes and, by repairless luck, goes again."""
    fleet = build(1, seed, RATES)
    rng = Random(seed)
    nature = fleet.entries[0].nature
    pile = fleet.pile(fleet.entries[0], 0.0, Clock(zero_s=START.timestamp()))
    trace: list[tuple[float, Message]] = []
    strikes_at = rng.uniform(0.3, 0.7) * HOURS * 3600
    now, struck = 0.0, False
    said = pile.link(now, up=True)
    while now < HOURS * 3600:
        for message in said:
            place = (nature.site, nature.pile, str(message.topic), message.payload)
            trace.append((now, Message(*place, born=now, number=len(trace))))
        if kind is not None and not struck and pile.next_at() > strikes_at:
            now, struck = strikes_at, True
            said = pile.inject(now, kind)
        else:
            now = pile.next_at()
            said = pile.advance(now)
    engine = Engine(RULES, drivers=["mqtt"])
    engine.start(Snapshot(), registrations(fleet), START)
    return trace, pile, engine


def spoil(trace: list[tuple[float, Message]], rng: Random) -> list[tuple[float, Message]]:
    """The same messages as a bad network delivers them."""
    spoilt = []
    for at, message in trace:
        if rng.random() < 0.15:
            continue
        late = rng.choice((0.0, 0.0, 0.2, 5.0, 400.0, 3600.0))
        spoilt.append((at + rng.random() * late, message))
        if rng.random() < 0.2:
            spoilt.append((at + rng.random() * 4000.0, message))
        if rng.random() < 0.05:
            spoilt.append((at + rng.random() * 4000.0, replace(message, retained=True)))
    return sorted(spoilt, key=lambda each: each[0])


def permitted(engine: Engine, rules: Rules, pile: str, now: datetime) -> Gate | None:
    question = Question(
        action=Action.RESET_SOFT,
        connector=0,
        trouble_at=0,
        family=Family.INTERNAL,
        pile=engine.state.piles[pile],
        policy=rules.policy,
        now=now,
        mode=Mode.LIVE,
        listening_since=START,
    )
    no = judge(question)
    return None if no is None else no.gate


def feed(engine: Engine, trace: list[tuple[float, Message]], dangerous: set[int]) -> tuple[int, list[str]]:
    """Deliver ``trace``; count the permits, and list those given after a danger was told."""
    engine.apply(engine.decide(DriverLink(received_at=START, driver="mqtt", up=True), START))
    permits, wrong, told_at = 0, [], None
    for at, message in trace:
        now = START + timedelta(seconds=at)
        engine.apply(engine.decide(translate(message, now), now))
        if message.number in dangerous and not message.retained and told_at is None:
            told_at = at
        if permitted(engine, RULES, message.pile, now) is None:
            permits += 1
            if told_at is not None:
                wrong.append(f"{at:.0f} s: a reset is permitted, a danger was told at {told_at:.0f} s")
    return permits, wrong


def claims(message: Message) -> bool:
    return bool(message.payload.get("faults"))


@pytest.mark.parametrize("kind", DANGERS)
def test_no_order_of_messages_forgets_a_danger(kind: str) -> None:
    for seed in range(12):
        trace, _, engine = record(seed, kind)
        dangerous = {message.number for _, message in trace if claims(message)}
        assert dangerous, "the pile never told"
        _, wrong = feed(engine, spoil(trace, Random(f"{seed}/{kind}")), dangerous)
        assert wrong == []


def test_without_a_danger_the_same_traces_do_permit() -> None:
    """Otherwise the test above would say nothing."""
    permits = 0
    for seed in range(12):
        trace, _, engine = record(seed, None)
        permits += feed(engine, spoil(trace, Random(f"{seed}/none")), set())[0]
    assert permits > 100


def test_the_session_gate_sees_what_the_untouched_trace_tells() -> None:
    for seed in range(12):
        trace, _, engine = record(seed, None)
        engine.apply(engine.decide(DriverLink(received_at=START, driver="mqtt", up=True), START))
        for at, message in trace:
            now = START + timedelta(seconds=at)
            engine.apply(engine.decide(translate(message, now), now))
            live = any(each.get("session") for each in message.payload.get("connectors", ()))
            if live:
                assert permitted(engine, RULES, message.pile, now) is not None


@pytest.mark.parametrize("late_s", [0.0, 1.0, 400.0, 3000.0])
def test_a_danger_told_once_is_never_lost_by_coming_late(late_s: float) -> None:
    """The claim stands in one message only, and newer, clean ones overtake it."""
    for seed in range(12):
        trace, _, engine = record(seed, None)
        told = [place for place, (_, message) in enumerate(trace) if message.topic == "telemetry"][-30]
        at, message = trace[told]
        fault = {"code": "GroundFailure", "connector": 1, "info": "residual current device tripped"}
        spoken = replace(message, payload={**message.payload, "faults": [fault]})
        trace[told] = (at + late_s, spoken)
        trace.sort(key=lambda each: each[0])
        _, wrong = feed(engine, trace, {message.number})
        assert wrong == []
