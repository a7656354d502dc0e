"""kill -9 of the daemon at random moments, under load, over a real Mosquitto and SQLite.

``TRIAGE_KILLS`` says how often (25; the full campaign is 100), ``TRIAGE_KILL_SEED`` with which luck.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.integration.outside.api import Api, Shown
from tests.integration.outside.campaign import Crew, Misfortune, People, overlapping, repeated, shortest_gap_s, times_of
from tests.integration.outside.daemon import BRISK, Daemon, Start
from tests.integration.outside.pile import RESETS, ScriptedPile
from tests.integration.outside.stage import shipped_mosquitto

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KILLS = int(os.environ.get("TRIAGE_KILLS", "25"))
SEED = int(os.environ.get("TRIAGE_KILL_SEED", "1"))
SPEED = 120
SPACING_S = 600 / SPEED
ARRIVAL_SLACK_S = 1.0
SITES, PILES_A_SITE = 10, 4
TAIL_S = 12.0
READY_WITHIN_S = 5.0

POLICY: dict[str, Any] = BRISK | {
    "spacing_s": SPACING_S * SPEED,
    # So that piles are reset again and again, as a season would do, within two minutes.
    "reopen_s": 120,
    "day_s": 600,
    "resets_per_pile_day": 1000,
    "site_parallel_share": 1.0,
    "outage_least": 1000,
}


@pytest.fixture
async def field(tmp_path: Path) -> AsyncIterator[tuple[Daemon, list[ScriptedPile], int]]:
    """A broker, the daemon, and forty piles that forget command ids over a restart."""
    with shipped_mosquitto(tmp_path / "mosquitto") as port:
        registered = [(f"S{site}", f"S{site}P{pile}") for site in range(SITES) for pile in range(PILES_A_SITE)]
        daemon = Daemon(tmp_path, registered, mqtt=f"mqtt://127.0.0.1:{port}", speed=SPEED, policy=POLICY)
        try:
            async with AsyncExitStack() as stack:
                piles = [
                    await stack.enter_async_context(
                        ScriptedPile(port, site, id, speed=SPEED, remembers=False, every_s=0.5)
                    )
                    for site, id in registered
                ]
                yield daemon, piles, port
        finally:
            daemon.kill()


async def kill_again_and_again(daemon: Daemon, chance: random.Random) -> list[Start]:
    """Kill it ``KILLS`` times, now and then while it starts; how long each start took."""
    starts = []
    for number in range(KILLS):
        if number % 5 == 4:
            daemon.kill()
            daemon.spawn()
            await asyncio.sleep(chance.uniform(0.2, 1.5))
        else:
            await asyncio.sleep(chance.uniform(0.1, 4.0))  # long enough for resets to be under way
        daemon.kill()
        starts.append(await daemon.start())
    return starts


@pytest.mark.timeout(120 + 20 * KILLS)
async def test_nothing_is_lost_and_nothing_is_done_twice(
    field: tuple[Daemon, list[ScriptedPile], int],
) -> None:
    daemon, piles, port = field
    chance = random.Random(SEED)
    await daemon.start()  # from its first subscription on the broker keeps complaints for it
    async with Api(daemon.url) as api:
        people, misfortune, crew = People(api, piles, chance), Misfortune(piles, chance), Crew(api, piles)
        async with asyncio.TaskGroup() as group:
            insisting = [group.create_task(people.by_http()) for _ in range(4)]
            insisting.append(group.create_task(people.by_broker(port)))
            harm = group.create_task(misfortune.run())
            visits = group.create_task(crew.run())
            starts = await kill_again_and_again(daemon, chance)
            people.stop()
            harm.cancel()
            await asyncio.wait(insisting)
            await asyncio.sleep(TAIL_S)  # the quiet tail: what is under way comes to its end
            visits.cancel()
        complaints = await settled(api, len(people.numbers) + len(people.by_mqtt))
        orders = await api.items("/work-orders")
        incidents = await api.items("/incidents")
    code = await daemon.stop()
    audit = await daemon.command("audit", "verify")

    gap_s = shortest_gap_s(piles)
    print(
        json.dumps(
            {
                "kills": KILLS + KILLS // 5,
                "ready_s": spread([each.own_s for each in starts]),
                "ready_wall_s": spread([each.wall_s for each in starts]),
                "complaints": {"http": len(people.numbers), "mqtt": len(people.by_mqtt), "tries": people.tries},
                "faults": dict(misfortune.faults),
                "resets": {"arrived": sum(len(pile.resets) for pile in piles), "shortest_gap_s": round(gap_s, 2)},
                "incidents": dict(Counter(f"{each['state']}/{each['close_code']}" for each in incidents)),
                "orders": dict(Counter(f"{each['reason']['code']}/{each['state']}" for each in orders)),
                "visits": crew.visits,
                "audit": audit[1].strip(),
            }
        )
    )

    recorded = times_of(complaints)
    expected = people.numbers.keys() | set(people.by_mqtt)
    assert {reference: recorded[reference] for reference in expected if recorded[reference] != 1} == {}
    assert {each["reference"]: each["number"] for each in complaints} | people.numbers == {
        each["reference"]: each["number"] for each in complaints
    }
    assert people.contradictions == []
    assert repeated(piles) == {}
    assert gap_s >= SPACING_S - ARRIVAL_SLACK_S
    assert closer_than_spacing(incidents) == []
    assert overlapping(orders) == []
    assert [each for each in incidents if open_orders(orders, each["id"]) > 1] == []
    assert [line for pile in piles for line in pile.improper] == []
    assert reset_in_danger(piles) == []
    assert (code, audit[0]) == (0, 0), audit
    assert max(each.wall_s for each in starts) < READY_WITHIN_S
    assert daemon_defects(daemon) == []
    # A campaign without load proves nothing.
    assert sum(len(pile.resets) for pile in piles) > KILLS
    assert orders
    assert crew.visits
    assert len(people.numbers) > 4 * KILLS


def spread(seconds: list[float]) -> dict[str, float]:
    return {"max": round(max(seconds), 2), "median": round(median(seconds), 2)}


async def settled(api: Api, least: int) -> list[Shown]:
    """All complaints on record, once at least as many as expected are there (what waits at the broker comes in)."""
    until_s = time.monotonic() + 15
    while True:
        found = await api.items("/complaints")
        if len(found) >= least or time.monotonic() > until_s:
            return found
        await asyncio.sleep(0.2)


def closer_than_spacing(incidents: list[Shown]) -> list[tuple[str, str]]:
    """Pairs of resets of one pile that were decided within the spacing, by the daemon's own record.

    What the daemon knows not to have left (the second look refused it) was no reset.
    """
    by_pile: dict[str, list[tuple[datetime, str]]] = {}
    for incident in incidents:
        for attempt in incident["attempts"]:
            if attempt["action"] in RESETS and attempt["left"] is not False:
                moment = datetime.fromisoformat(attempt["sent_at"])
                line = f"{attempt['id']} {attempt['sent_at']} {attempt['left']} {attempt['result']} {attempt['reason']}"
                by_pile.setdefault(incident["pile"], []).append((moment, line))
    return [
        (earlier[1], later[1])
        for sent in by_pile.values()
        for earlier, later in itertools.pairwise(sorted(sent))
        if (later[0] - earlier[0]).total_seconds() < SPACING_S
    ]


def open_orders(orders: list[Shown], incident: str) -> int:
    return sum(each["incident"] == incident and each["state"] not in {"closed", "recalled"} for each in orders)


def reset_in_danger(piles: list[ScriptedPile]) -> list[str]:
    """Resets that met a ground fault or a charging car when they arrived."""
    return [line for pile in piles for line in pile.unsafe]


def daemon_defects(daemon: Daemon) -> list[str]:
    """Errors the daemon logged that nobody provoked."""
    return [str(line) for line in daemon.said() if line.get("level") in {"error", "critical"}][:5]
