"""From the process's start to ready, with a large fleet and many open incidents on SQLite; and where the time goes.

``python -m tests.benchmarks.bench_restart``.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from msgspec.structs import replace

from tests.benchmarks.bench_storage import pile
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.stand import Daemon, Place, cores, on, pile_id, site_id
from tests.integration.brokers import mosquitto
from triage.core.effects import Changes
from triage.core.events import Registration
from triage.core.fleet import Fault, Pile
from triage.core.incident import Incident
from triage.core.vocabulary import ConnectorStatus, Family, IncidentState
from triage.storage.sql import SqlStore

PILES = 100_000
INCIDENTS = 1_000
BATCH = 5_000
GOAL_S = 10.0
PARTS = ("import", "files", "load", "start")


async def fill(url: str) -> None:
    """A database as a daemon leaves it: every pile has spoken, every hundredth has a fault and an open incident."""
    store = SqlStore(url)
    await store.migrate()
    await store.open()
    now = datetime.now(UTC)
    await store.acquire_lease("bench", now, 600)
    for start in range(0, PILES, BATCH):
        numbers = range(start, start + BATCH)
        faulty = [number for number in numbers if number % (PILES // INCIDENTS) == 0]
        await store.commit(
            Changes(
                piles={pile_id(number): _pile(number, now, faulty=number in faulty) for number in numbers},
                incidents={f"I-{number}": _incident(number, now) for number in faulty},
            )
        )
    await store.release_lease()
    await store.close()


def _pile(number: int, now: datetime, *, faulty: bool) -> Pile:
    known = pile(number)
    registration = Registration(pile=pile_id(number), site=site_id(number), region="north", model="AC-7", connectors=2)
    connectors = tuple(replace(each, as_of=now, status_since=now) for each in known.connectors)
    if not faulty:
        return replace(known, registration=registration, connectors=connectors, heard_at=now, link_as_of=now)
    fault = Fault(code="InternalError", connector=1, name="InternalError", family=Family.INTERNAL, since=now)
    first = replace(connectors[0], status=ConnectorStatus.FAULTED, session=None)
    return replace(
        known,
        registration=registration,
        connectors=(first, *connectors[1:]),
        faults=(fault,),
        heard_at=now,
        link_as_of=now,
    )


def _incident(number: int, now: datetime) -> Incident:
    return Incident(
        id=f"I-{number}",
        pile=pile_id(number),
        site=site_id(number),
        region="north",
        connector=1,
        family=Family.INTERNAL,
        kind="fault",
        state=IncidentState.DESK,
        state_since=now,
        opened_at=now,
        wake_at=now + timedelta(minutes=30),
        faults=("InternalError",),
        desk_reason="outcome unknown",
        summary="InternalError",
    )


async def measured() -> list[Figure]:
    """The real daemon's start, and its parts one by one in another process."""
    mine, others = cores()
    with tempfile.TemporaryDirectory() as name, on(others):
        folder = Path(name)
        async with mosquitto(folder / "broker") as broker:
            place = Place(folder / "daemon", PILES, broker.url)
            await fill(place.database)
            with Daemon(place, mine) as daemon:
                ready_s, used_s = daemon.started_in_s, daemon.reading().cpu_s
            parts = _parts(place.settings, mine)
    named = ", ".join(f"{part} {parts[part]:.1f}" for part in PARTS)
    return [
        Figure(
            name="restart until ready",
            value=ready_s,
            unit="s",
            goal=GOAL_S,
            better="less",
            note=f"{PILES:,} piles, {INCIDENTS:,} open incidents, SQLite; each part once: {named}",
        ),
        Figure(
            name="restart, CPU",
            value=used_s,
            unit="CPU s",
            goal=GOAL_S,
            better="less",
            note="the daemon's own, until ready",
        ),
    ]


def _parts(settings: Path, these: set[int]) -> dict[str, float]:
    with on(these):
        command = [sys.executable, "-m", "tests.benchmarks.bench_restart", "--parts", str(settings)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    parts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return parts


async def time_parts(settings: Path, began_s: float) -> dict[str, float]:
    """Seconds of the importing before this call, of reading the files, of loading, and of starting the engine."""
    from triage.clock import SteadyClock  # noqa: PLC0415 - what is imported here is what is measured
    from triage.config.settings import load_settings  # noqa: PLC0415
    from triage.daemon import make_app  # noqa: PLC0415

    marks = [began_s, time.perf_counter()]
    app = make_app(load_settings(settings, {}), SteadyClock(), "mqtt://127.0.0.1:1")
    marks.append(time.perf_counter())
    await app.parts.store.open()
    snapshot = await app.parts.store.load(app.clock.now())
    marks.append(time.perf_counter())
    app.engine.start(snapshot, app.parts.registrations, app.clock.now())
    marks.append(time.perf_counter())
    await app.parts.store.close()
    assert len(snapshot.piles) == PILES
    return {part: end - start for part, (start, end) in zip(PARTS, pairwise(marks), strict=True)}


def figures() -> list[Figure]:
    """Everything of this file, measured once."""
    return asyncio.run(measured())


if __name__ == "__main__":
    os.nice(5)
    if sys.argv[1:2] == ["--parts"]:
        # Most is imported already at the top of this file, so the process's whole age is what importing cost.
        age_s = time.time() - Path("/proc/self").stat().st_ctime
        print(json.dumps(asyncio.run(time_parts(Path(sys.argv[2]), time.perf_counter() - age_s))))
    else:
        print(table(figures()))
