"""Commit and load times of the stores: ``python -m tests.benchmarks.bench_storage [postgresql://…]``."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure, table
from triage.core.effects import Changes, JournalEntry
from triage.core.events import Moment, Registration
from triage.core.fleet import Connector, Pile
from triage.core.incident import Evidence, Incident
from triage.core.vocabulary import ConnectorStatus, Family, IncidentState, Link
from triage.storage.memory import MemoryStore
from triage.storage.sql import SqlStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PILES = 100_000
INCIDENTS = 1_000
COMMIT_GOAL_MS = 2.5


def pile(number: int) -> Pile:
    connectors = tuple(
        Connector(
            number=place,
            as_of=NOW,
            status=ConnectorStatus.CHARGING,
            status_since=NOW,
            session=f"session-{number}",
            session_known=True,
            voltage_v=400.5,
            current_a=32.1,
            power_w=12_856.05,
            energy_wh=1_234.5,
            temperature_c=41.2,
        )
        for place in (1, 2)
    )
    registration = Registration(pile=f"P{number:06}", site=f"S{number // 40:05}", region="north", connectors=2)
    return Pile(
        registration=registration, link=Link.ONLINE, link_as_of=NOW, heard_at=NOW, connectors=connectors, uptime_s=1e5
    )


def incident(number: int, *, round_: int = 0) -> Incident:
    return Incident(
        id=f"INC-{number:07}",
        pile=f"P{number:06}",
        site=f"S{number // 40:05}",
        region="north",
        connector=1,
        family=Family.INTERNAL,
        kind="fault",
        state=IncidentState.RECOVERING,
        state_since=NOW,
        opened_at=NOW + timedelta(seconds=number),
        wake_at=NOW,
        faults=("InternalError",),
        summary=f"round {round_}",
    )


def batch(start: int, size: int, round_: int) -> Changes:
    """What ``size`` incidents moving on at once write: the incident, its pile, a moment and a journal line each."""
    changes = Changes()
    for number in range(start, start + size):
        moved = incident(number, round_=round_)
        changes.incidents[moved.id] = moved
        changes.piles[moved.pile] = pile(number)
        changes.moments.append(
            Moment(pile=moved.pile, at=NOW, connector=1, status="faulted", faults=("InternalError",))
        )
        evidence = Evidence(at=NOW, kind="fresh", text="a reading newer than the command")
        changes.journal.append(
            JournalEntry(
                at=NOW,
                subject=moved.id,
                kind="transition",
                actor="engine",
                text=evidence.text,
                data={"round": round_},
                also=(moved.pile,),
            )
        )
    return changes


class Watch:
    """Wall time, the process's CPU time and the loop thread's share of it, in milliseconds a round."""

    def __init__(self) -> None:
        self.walls: list[float] = []
        self._cpu_s, self._loop_s = time.process_time(), time.thread_time()
        self._began = time.perf_counter()

    def lap(self) -> None:
        """End a round and begin the next."""
        now = time.perf_counter()
        self.walls.append((now - self._began) * 1e3)
        self._began = now

    def figures(self, name: str, goal_ms: float | None = None) -> list[Figure]:
        """What the rounds took."""
        rounds = len(self.walls)
        cpu_ms = (time.process_time() - self._cpu_s) * 1e3 / rounds
        loop_ms = (time.thread_time() - self._loop_s) * 1e3 / rounds
        note = f"worst of {rounds}: {max(self.walls):.1f} ms; CPU {cpu_ms:.2f} ms, of it {loop_ms:.2f} ms on the loop"
        return [Figure(name=name, value=median(self.walls), unit="ms", goal=goal_ms, better="less", note=note)]


async def commits(name: str, store: MemoryStore | SqlStore, size: int, rounds: int) -> list[Figure]:
    """Commits of ``size`` incidents moving on at once."""
    batches = [batch(round_ * size % (INCIDENTS - size), size, round_ + 1) for round_ in range(rounds)]
    watch = Watch()
    for changes in batches:
        await store.commit(changes)
        watch.lap()
    return watch.figures(f"{name}: commit of {size} incident changes", COMMIT_GOAL_MS if size == 1 else None)


async def lookups(name: str, store: MemoryStore | SqlStore) -> list[Figure]:
    """What every complaint asks before it is let in: its key's answer, and its pile's last hour."""
    watch = Watch()
    for number in range(200):
        await store.answers([("POST /complaints", f"{number}")])
        await store.moments(f"P{number:06}", NOW - timedelta(hours=1), NOW)
        watch.lap()
    return watch.figures(f"{name}: answer and history before a complaint")


async def load(name: str, store: MemoryStore | SqlStore) -> list[Figure]:
    """A restart's reading."""
    watch = Watch()
    snapshot = await store.load(NOW)
    watch.lap()
    assert (len(snapshot.piles), len(snapshot.incidents)) == (PILES, INCIDENTS)
    return watch.figures(f"{name}: load of {PILES} piles, {INCIDENTS} open incidents")


async def measure(name: str, store: MemoryStore | SqlStore) -> list[Figure]:
    """All figures of one store."""
    watch = Watch()
    for start in range(0, PILES, 5_000):
        await store.commit(Changes(piles={f"P{number:06}": pile(number) for number in range(start, start + 5_000)}))
        watch.lap()
    figures = watch.figures(f"{name}: commit of 5000 piles")
    await store.commit(batch(0, INCIDENTS, 0))
    for size, rounds in ((1, 300), (100, 30)):
        figures += await commits(name, store, size, rounds)
    return [*figures, *await lookups(name, store), *await load(name, store)]


async def main() -> None:
    figures = await measure("memory", MemoryStore())
    with tempfile.TemporaryDirectory() as folder:
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'bench.db'}"} | dict(
            zip(["postgresql"], sys.argv[1:], strict=False)
        )
        for name, url in urls.items():
            store = SqlStore(url)
            await store.migrate()
            await store.open()
            figures += await measure(name, store)
            await store.close()
    print(table(figures))


if __name__ == "__main__":
    asyncio.run(main())
