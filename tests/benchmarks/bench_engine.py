"""The engine in process: decisions a second, statements for healthy telemetry, bytes a pile.

``python -m tests.benchmarks.bench_engine``. Each figure is taken in a fresh process on one core, and rates are a CPU
second's: what the neighbours on the machine do hardly shows.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Engine_
from sqlalchemy import event as sql_event

from tests.benchmarks.figures import Figure, table
from tests.benchmarks.stand import CONFIG, cores, payload, pile_id, site_id
from triage.clock import SteadyClock
from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.config.planfile import load_plans
from triage.core.draft import Rules
from triage.core.effects import Snapshot
from triage.core.engine import Engine
from triage.core.events import DriverLink, Event, FaultClaim, Reading, Registration, Started, Telemetry
from triage.core.policy import Policy
from triage.core.vocabulary import ConnectorStatus, Mode
from triage.drivers.mqtt.codec import Codec
from triage.metrics import Metrics
from triage.outbox import Outbox
from triage.runtime import Runtime
from triage.storage.sql import SqlStore

PILES = 2_000
MESSAGES = 100_000
TURN = 500
MANY_PILES = 100_000
HEALTHY = 10_000
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERY_S = 10.0
FAULTY_SHARE = 0.02
FAULTY_ROUNDS, WELL_ROUNDS = 30, 10
"""A faulty pile claims for so many messages and is well for so many: long enough to be held true and acted on."""


def rules() -> Rules:
    """The shipped plans, fault names and words."""
    lexicon = load_lexicon(CONFIG / "lexicon")
    return Rules(
        policy=Policy(mode=Mode.LIVE).faster(),
        plans=load_plans(CONFIG / "plans"),
        faults=load_fault_table(CONFIG / "faults", lexicon),
        lexicon=lexicon,
    )


def registrations(piles: int) -> tuple[Registration, ...]:
    return tuple(
        Registration(pile=pile_id(each), site=site_id(each), region="north", model="AC-7", connectors=2)
        for each in range(piles)
    )


def engine_of(piles: int, now: datetime) -> Engine:
    engine = Engine(rules(), drivers=["mqtt"])
    engine.start(Snapshot(), registrations(piles), now)
    for event in (Started(received_at=now), DriverLink(received_at=now, driver="mqtt", up=True)):
        engine.apply(engine.decide(event, now))
    return engine


def reading(pile: int, seq: int, at: datetime, faults: tuple[FaultClaim, ...] = ()) -> Telemetry:
    """Healthy unless it claims ``faults``; the first connector charges, unless the fault stops it."""
    first = ConnectorStatus.FAULTED if faults else ConnectorStatus.CHARGING
    connectors = tuple(
        Reading(
            connector=number,
            status=status,
            session=session,
            session_known=True,
            voltage_v=398.2,
            current_a=120.1,
            power_w=47_823.8 + seq % 100,
            energy_wh=12_345_678.0 + seq,
            temperature_c=41.5,
        )
        for number, status, session in (
            (1, first, None if faults else "s-000123"),
            (2, ConnectorStatus.AVAILABLE, None),
        )
    )
    return Telemetry(
        received_at=at,
        site=site_id(pile),
        pile=pile_id(pile),
        device_at=at,
        seq=seq,
        uptime_s=86_400.0 + seq,
        readings=connectors,
        faults=faults,
    )


def stream(messages: int, faulty_share: float) -> list[Telemetry]:
    """Rounds of the whole fleet, every ten seconds; a share of the piles is faulty now and then."""
    claim = (FaultClaim(code="InternalError", connector=1),)
    faulty = int(PILES * faulty_share)
    found = []
    for count in range(messages):
        round_, pile = divmod(count, PILES)
        bad = pile < faulty and (round_ + pile) % (FAULTY_ROUNDS + WELL_ROUNDS) >= WELL_ROUNDS
        at = BEGIN + timedelta(seconds=round_ * EVERY_S + pile * EVERY_S / PILES)
        found.append(reading(pile, count + 1, at, claim if bad else ()))
    return found


def decisions(faulty_share: float) -> float:
    """Messages decided and applied in one CPU second, deadlines included, as the runtime does it."""
    engine = engine_of(PILES, BEGIN)
    events = stream(MESSAGES, faulty_share)
    warm, rest = events[: 2 * PILES], events[2 * PILES :]
    _feed(engine, warm)
    gc.collect()
    gc.freeze()  # the prepared messages are the benchmark's, not the engine's
    began_s = time.process_time()
    _feed(engine, rest)
    return len(rest) / (time.process_time() - began_s)


def _feed(engine: Engine, events: list[Telemetry]) -> None:
    for start in range(0, len(events), TURN):
        turn = events[start : start + TURN]
        for event in turn:
            engine.apply(engine.decide(event, event.received_at))
        now = turn[-1].received_at
        for due in engine.due(now):
            engine.apply(engine.decide(due, now))


def bytes_a_pile() -> float:
    """Resident memory of an engine whose piles all spoke twice, from their registrations on, divided by the piles."""
    codec, empty = Codec(), engine_of(0, BEGIN)
    before, after = payload(1_111_111_111).split(b"1111111111")
    gc.collect()
    resident = _resident_bytes()
    engine = Engine(empty.rules, drivers=["mqtt"])
    engine.start(Snapshot(), registrations(MANY_PILES), BEGIN)
    engine.apply(engine.decide(DriverLink(received_at=BEGIN, driver="mqtt", up=True), BEGIN))
    for round_ in (1, 2):
        for pile in range(MANY_PILES):
            at = BEGIN + timedelta(seconds=60 * round_, microseconds=pile)
            raw = b"%b%010d%b" % (before, 1_000_000_000 + round_, after)
            topic = f"pile/v1/{site_id(pile)}/{pile_id(pile)}/telemetry"
            event = codec.decode(topic, raw, retained=False, received_at=at)
            assert event is not None
            engine.apply(engine.decide(event, at))
    gc.collect()
    assert sum(pile.seen_since_start for pile in engine.state.piles.values()) == MANY_PILES
    return (_resident_bytes() - resident) / MANY_PILES


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Shell:
    """A runtime over SQLite that counts every statement."""

    def __init__(self, folder: Path, piles: int) -> None:
        """Join the parts; ``statements`` are those the database was given."""
        self.statements: list[str] = []
        clock = SteadyClock()
        self.store = SqlStore(f"sqlite:///{folder / 'triage.db'}")
        self.engine = engine_of(piles, clock.now())
        outbox = Outbox({}, {}, clock, halted=lambda: None)
        self.runtime = Runtime(self.engine, self.store, clock, Metrics(), release=outbox.release, anchor=clock.anchor)
        self._clock = clock
        self._seq = 0

    async def open(self) -> None:
        """Open the store; from here on every statement is written down."""
        await self.store.open()
        await self.store.acquire_lease("bench", self._clock.now(), 600)
        # Every engine of this process is heard: nothing can be asked of a database past this.
        sql_event.listen(Engine_, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements.append(statement)

    async def take(self, events: list[Event]) -> None:
        """Hand ``events`` over as a driver does, and return when they are acknowledged."""
        done = asyncio.Event()
        self.runtime.offer(events, done.set)
        await done.wait()

    def healthy(self, count: int, piles: int) -> list[Event]:
        """The next ``count`` healthy messages, round the fleet."""
        start, self._seq = self._seq, self._seq + count
        return [reading(seq % piles, seq + 1, self._clock.now()) for seq in range(start, start + count)]


async def healthy_statements(folder: Path, piles: int, messages: int) -> tuple[int, int]:
    """Statements for each pile's first words, and for ``messages`` healthy ones thereafter."""
    shell = Shell(folder, piles)
    await shell.open()
    run = asyncio.create_task(shell.runtime.run())
    await shell.take(shell.healthy(piles, piles))
    first = len(shell.statements)
    shell.statements.clear()
    for _ in range(messages // TURN):
        await shell.take(shell.healthy(TURN, piles))
    shell.runtime.stop()
    await run
    count = len(shell.statements)
    await shell.store.close()
    return first, count


def _statements() -> float:
    with tempfile.TemporaryDirectory() as folder:
        first, count = asyncio.run(healthy_statements(Path(folder), PILES, HEALTHY))
    assert first, "nothing was counted at all"
    return float(count)


def apart(measure: Callable[..., float], *arguments: float) -> float:
    """``measure`` in a fresh process on one core."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=os.sched_setaffinity, initargs=(0, cores()[0])) as pool:
        return pool.submit(measure, *arguments).result()


def figures() -> list[Figure]:
    """Everything of this file, measured once."""
    fleet = f"{PILES:,} piles with 2 connectors, one core"
    return [
        Figure(
            name="decide + apply, healthy",
            value=apart(decisions, 0.0),
            unit="messages/CPU s",
            goal=60_000,
            note=fleet,
        ),
        Figure(
            name="decide + apply, 2 % faulty",
            value=apart(decisions, FAULTY_SHARE),
            unit="messages/CPU s",
            goal=30_000,
            note=f"{fleet}; {FAULTY_SHARE:.0%} of the piles claim a fault three quarters of the time",
        ),
        Figure(
            name="SQL for healthy telemetry",
            value=apart(_statements),
            unit="statements",
            goal=0,
            better="less",
            note=f"while {HEALTHY:,} messages pass",
        ),
        Figure(
            name="memory a pile",
            value=apart(bytes_a_pile),
            unit="bytes",
            goal=2_048,
            better="less",
            note=f"resident, {MANY_PILES:,} piles, two messages each",
        ),
    ]


if __name__ == "__main__":
    os.nice(5)
    print(table(figures()))
