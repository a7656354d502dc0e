"""The whole daemon: ``triage serve`` as a process, fed through a real Mosquitto by other processes.

``python -m tests.benchmarks.bench_daemon``. For rates the daemon has one core and the others share the rest. The broker
runs the shipped configuration. The feed is steered so that a few thousand messages always wait: the daemon is the
bottleneck, and neither the broker's queue nor the inbox need overflow.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles

from tests.benchmarks.figures import Figure, table
from tests.benchmarks.stand import Daemon, Place, Publishers, Reading, cores, on, pile_id
from tests.integration.brokers import mosquitto

PILES = 2_000
GOAL_RATE = 20_000
GOAL_LATENCY_MS = 50
WAITING = 3_000
"""Messages kept waiting. The broker hands out 1,000 at a time at QoS 1, and saves its whole queue with every save."""

WARM_S, WINDOW_S = 3.0, 5.0
COMPLAINTS, COMPLAINT_RATE, COMPLAINERS = 500, 50, 5
TELEMETRY_RATE = 10_000
TEXTS = (
    "The display stays dark and the cable will not come off.",
    "I scanned the code three times and charging never began.",
    "It stopped after two minutes and still took my money.",
    "充了一会儿就断了，屏幕上什么都没有。",
)


@asynccontextmanager
async def running(qos: int, *, pinned: bool = True) -> AsyncIterator[tuple[Daemon, Publishers]]:
    """Broker, daemon and publishers; every pile has spoken. A ``pinned`` daemon has one core, else it may use all."""
    one, others = cores()
    daemons = one if pinned else one | others
    with tempfile.TemporaryDirectory() as name, on(others):
        folder = Path(name)
        async with mosquitto(folder / "broker") as broker:
            place = Place(folder / "daemon", PILES, broker.url)
            with Daemon(place, daemons) as daemon, Publishers(broker.port, PILES, qos, others) as publishers:
                await publishers.everybody_spoke(daemon, PILES)
                yield daemon, publishers


async def rate(qos: int) -> list[Figure]:
    """Messages a second from the broker through driver, runtime and engine."""
    async with running(qos) as (daemon, publishers):
        before = daemon.reading()
        await _steer(daemon, publishers, before, WARM_S)
        before = daemon.reading()
        await _steer(daemon, publishers, before, WINDOW_S)
        after = daemon.reading()
    took_s, used_s = after.at_s - before.at_s, after.cpu_s - before.cpu_s
    accepted = after.accepted - before.accepted
    lost = after.coalesced - before.coalesced + after.others - before.others
    share = f"daemon used {used_s / took_s:.0%} of its core; {lost:,.0f} late or coalesced"
    return [
        Figure(name=f"daemon, QoS {qos}", value=accepted / took_s, unit="messages/s", goal=GOAL_RATE, note=share),
        Figure(
            name=f"daemon, QoS {qos}, per CPU second",
            value=accepted / used_s,
            unit="messages/s",
            goal=GOAL_RATE,
            note=f"{used_s / accepted * 1e6:.1f} µs of CPU a message: what the core carries when it is not shared",
        ),
    ]


async def _steer(daemon: Daemon, publishers: Publishers, last: Reading, for_s: float) -> None:
    """Feed a little more than is consumed, so that about :data:`WAITING` messages wait."""
    end_s = time.perf_counter() + for_s
    while time.perf_counter() < end_s:
        await asyncio.sleep(0.5)
        now = daemon.reading()
        consumed = (now.seen - last.seen) / (now.at_s - last.at_s)
        publishers.pace(consumed + 2 * (WAITING - (publishers.sent - now.seen)))
        last = now


async def latency() -> list[Figure]:
    """From the moment a complaint is due to the last byte of its answer, while telemetry flows."""
    async with running(1, pinned=False) as (daemon, publishers):
        publishers.pace(TELEMETRY_RATE)
        await asyncio.sleep(1.0)
        before = daemon.reading()
        took_ms = await asyncio.to_thread(complain, daemon.address)
        after = daemon.reading()
    flow = (after.accepted - before.accepted) / (after.at_s - before.at_s)
    used = (after.cpu_s - before.cpu_s) / (after.at_s - before.at_s)
    cuts = quantiles(took_ms, n=100)
    note = f"{COMPLAINT_RATE}/s beside {flow:,.0f} messages/s at QoS 1; daemon used {used:.0%} of a core"
    return [
        Figure(name="complaint, median", value=cuts[49], unit="ms", better="less", note=note),
        Figure(name="complaint, p99", value=cuts[98], unit="ms", goal=GOAL_LATENCY_MS, better="less", note=note),
    ]


def complain(address: tuple[str, int]) -> list[float]:
    """Latencies in milliseconds; each is counted from its schedule, so that a stall is felt by all who come in it."""
    took_ms: list[float] = []
    began = time.perf_counter() + 0.2
    threads = [
        threading.Thread(target=_complainer, args=(address, range(each, COMPLAINTS, COMPLAINERS), began, took_ms))
        for each in range(COMPLAINERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took_ms) == COMPLAINTS, f"only {len(took_ms)} of {COMPLAINTS} complaints were answered"
    return took_ms


def _complainer(address: tuple[str, int], numbers: range, began: float, took_ms: list[float]) -> None:
    link = http.client.HTTPConnection(*address, timeout=30)
    for number in numbers:
        body = {
            "channel": "app",
            "text": TEXTS[number % len(TEXTS)],
            "pile": pile_id(number * 3 % PILES),
            "connector": 1,
        }
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"bench-{number}"}
        due = began + number / COMPLAINT_RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        link.request("POST", "/api/v1/complaints", json.dumps(body), headers)
        answer = link.getresponse()
        said = answer.read()
        assert answer.status == http.HTTPStatus.CREATED, said
        took_ms.append((time.perf_counter() - due) * 1e3)
    link.close()


def figures() -> list[Figure]:
    """Everything of this file, measured once."""
    return [*asyncio.run(rate(1)), *asyncio.run(rate(0)), *asyncio.run(latency())]


if __name__ == "__main__":
    os.nice(5)
    print(table(figures()))
