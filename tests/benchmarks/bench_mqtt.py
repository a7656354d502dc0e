"""Messages a second through a real Mosquitto and the MQTT driver, with an inlet that acknowledges at once.

``python -m tests.benchmarks.bench_mqtt [--messages N] [--qos 0|1] [--loop uvloop|asyncio] [--batch N]``

The driver is pinned to one core; the broker and the publishers have the others. Publishers are raw sockets that write
prepared packets, so that the driver is what is measured. The clock runs from the first message to the last.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import msgspec
import uvloop

from tests.integration.brokers import Mosquitto
from triage.core.effects import Answer
from triage.core.events import Ask, Event, Telemetry
from triage.drivers.mqtt.driver import MqttDriver

PILES = 500
PUBLISHERS = 2
CHUNK = 50
WINDOW = 500


class WallClock:
    """The edge's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class AtOnce:
    """An inlet that acknowledges at once and counts."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.seen = 0
        self.batches = 0
        self.first_s = 0.0
        self.first_cpu_s = 0.0
        self.done = asyncio.Event()

    def offer(self, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        events_of_piles = sum(type(event) is Telemetry for event in events)
        if events_of_piles and not self.seen:
            self.first_s, self.first_cpu_s = time.perf_counter(), cpu_s()
        self.seen += events_of_piles
        self.batches += 1
        if ack is not None:
            ack()
        if self.seen >= self.expected:
            self.done.set()

    async def submit(self, event: Ask) -> Answer:
        raise AssertionError("drivers only offer")


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def packet(topic: str, payload: bytes, qos: int, mid: int) -> bytes:
    body = len(topic).to_bytes(2) + topic.encode() + (mid.to_bytes(2) if qos else b"") + payload
    length, rest = b"", len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length += bytes([digit | (128 if rest else 0)])
        if not rest:
            return bytes([0x30 | qos << 1]) + length + body


def telemetry(seq: int) -> bytes:
    connector = {
        "status": "charging",
        "voltage_v": 398.2,
        "current_a": 120.1,
        "power_w": 47_823.8,
        "energy_wh": 12_345_678.0,
        "temperature_c": 41.5,
    }
    return msgspec.json.encode(
        {
            "ts": "2025-06-01T12:00:00.123Z",
            "seq": seq,
            "uptime_s": 86_400.5,
            "connectors": [{"id": 1, "session": "s-000123", **connector}, {"id": 2, "session": None, **connector}],
            "faults": [],
        }
    )


@dataclass(frozen=True)
class Load:
    """What one publisher offers."""

    port: int
    messages: int
    qos: int
    rate: float
    cores: set[int]


def publish(load: Load, number: int, go: Barrier) -> None:
    """One publisher: at most 500 unacknowledged, like a gateway that waits for its broker."""
    os.sched_setaffinity(0, load.cores)
    qos = load.qos
    topics = [f"pile/v1/site-{pile % 20:02}/pile-{number}-{pile:04}/telemetry" for pile in range(PILES)]
    chunks = [
        b"".join(
            packet(topics[seq % PILES], telemetry(seq), qos, seq % 65_535 + 1) for seq in range(start, start + CHUNK)
        )
        for start in range(0, load.messages, CHUNK)
    ]
    with socket.create_connection(("127.0.0.1", load.port)) as link:
        name = f"bench-{number}".encode()
        link.sendall(
            b"\x10" + bytes([12 + len(name)]) + b"\x00\x04MQTT\x04\x02\x00\x00\x00" + bytes([len(name)]) + name
        )
        link.recv(4)
        window = threading.Semaphore(WINDOW // CHUNK)
        if qos:
            threading.Thread(target=answers, args=(link, window), daemon=True).start()
        go.wait()
        began = time.perf_counter()
        for sent, chunk in enumerate(chunks):
            if qos:
                window.acquire()
            link.sendall(chunk)
            if load.rate:
                time.sleep(max(0.0, began + sent * CHUNK / load.rate - time.perf_counter()))
        time.sleep(60)


def answers(link: socket.socket, window: threading.Semaphore) -> None:
    kept = 0
    with contextlib.suppress(OSError):
        while data := link.recv(65_536):
            kept += len(data)
            answered, kept = divmod(kept, 4 * CHUNK)
            if answered:
                window.release(answered)


async def run(options: argparse.Namespace) -> None:
    cores = sorted(os.sched_getaffinity(0))
    others = set(cores[1:]) or set(cores)
    with tempfile.TemporaryDirectory() as folder:
        os.sched_setaffinity(0, others)
        replace = {"autosave_interval 1000": f"autosave_interval {options.autosave}"} if options.autosave else None
        broker = Mosquitto(Path(folder), replace=replace)
        await broker.start()
        os.sched_setaffinity(0, {cores[0]})
        total = options.messages
        inlet = AtOnce(total)
        driver = MqttDriver(broker.url, client_id="bench", clock=WallClock(), fresh_s=150)
        await driver.start(inlet)
        while not driver.connected or driver.counters.totals["connects"] == 0:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        spawn = multiprocessing.get_context("spawn")
        go = spawn.Barrier(PUBLISHERS)
        load = Load(broker.port, total // PUBLISHERS, options.qos, options.rate / PUBLISHERS, others)
        publishers = [
            spawn.Process(
                target=publish,
                args=(load, n, go),
            )
            for n in range(PUBLISHERS)
        ]
        for publisher in publishers:
            publisher.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(120):
                await inlet.done.wait()
        took_s, used_s = time.perf_counter() - inlet.first_s, cpu_s() - inlet.first_cpu_s
        for publisher in publishers:
            publisher.kill()
        await driver.stop()
        await broker.stop()
    print(
        f"qos={options.qos} loop={options.loop} messages={inlet.seen}/{total} bytes={len(telemetry(1))} "
        f"seconds={took_s:.2f} rate={inlet.seen / took_s:,.0f}/s "
        f"driver_cpu_us={used_s / max(1, inlet.seen) * 1e6:.1f} (one core could carry {inlet.seen / used_s:,.0f}/s) "
        f"batch={inlet.seen / max(1, inlet.batches):.0f} pauses={driver.counters.totals['pauses']} "
        f"quarantined={dict(driver.counters.quarantined)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--qos", type=int, choices=(0, 1), default=1)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--autosave", type=int, default=0, help="another autosave_interval for the broker")
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second offered; 0 is as fast as it goes")
    options = parser.parse_args()
    options.messages -= options.messages % (PUBLISHERS * CHUNK)
    factory = uvloop.new_event_loop if options.loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run(options))


if __name__ == "__main__":
    main()
