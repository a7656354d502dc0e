"""Commit and load times of the stores: ``python -m tests.benchmarks.bench_storage [postgresql://…]``."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

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


async def measure(name: str, store: MemoryStore | SqlStore) -> None:
    started = time.perf_counter()
    for start in range(0, PILES, 5_000):
        await store.commit(Changes(piles={f"P{number:06}": pile(number) for number in range(start, start + 5_000)}))
    filled_s = time.perf_counter() - started
    await store.commit(batch(0, INCIDENTS, 0))
    for size, rounds in ((1, 200), (100, 30)):
        times = []
        for round_ in range(rounds):
            changes = batch(round_ * size % (INCIDENTS - size), size, round_ + 1)
            started = time.perf_counter()
            await store.commit(changes)
            times.append(time.perf_counter() - started)
        worst_ms, usual_ms = max(times) * 1e3, median(times) * 1e3
        print(f"{name}: commit of {size:3} incident changes: median {usual_ms:.2f} ms, worst {worst_ms:.2f} ms")
    started = time.perf_counter()
    snapshot = await store.load(NOW)
    loaded_s = time.perf_counter() - started
    assert (len(snapshot.piles), len(snapshot.incidents)) == (PILES, INCIDENTS)
    print(
        f"{name}: load of {PILES} piles and {INCIDENTS} open incidents: {loaded_s:.2f} s (written in {filled_s:.1f} s)"
    )


async def main() -> None:
    await measure("memory", MemoryStore())
    with tempfile.TemporaryDirectory() as folder:
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'bench.db'}"} | dict(
            zip(["postgresql"], sys.argv[1:], strict=False)
        )
        for name, url in urls.items():
            store = SqlStore(url)
            await store.migrate()
            await store.open()
            await measure(name, store)
            await store.close()


if __name__ == "__main__":
    asyncio.run(main())
