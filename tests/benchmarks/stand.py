"""What the benchmarks of the whole daemon share: its folder and process, its counters, and publishers."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.benchmarks.bench_mqtt import packet
from tests.parts import free_port

CONFIG = Path(__file__).resolve().parents[2] / "config"
START_S = 60.0
CHUNK = 50
WINDOW = 1000
READINGS = (
    {"id": 1, "status": "charging", "session": "s-000123", "power_w": 47_823.8, "energy_wh": 12_345_678.0},
    {"id": 2, "status": "available", "session": None, "power_w": 0.0, "energy_wh": 9_345_678.0},
)
VALUES = {"voltage_v": 398.2, "current_a": 120.1, "temperature_c": 41.5}


def pile_id(number: int) -> str:
    return f"P{number:06}"


def site_id(number: int) -> str:
    return f"S{number // 40:05}"


def cores() -> tuple[set[int], set[int]]:
    """The daemon's core, and those of everybody else."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}


@contextlib.contextmanager
def on(these: set[int]) -> Iterator[None]:
    """Run on ``these`` cores, with every process started meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, these)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def payload(seq: int) -> bytes:
    """Healthy telemetry of a pile with two connectors, about 430 bytes; ``seq`` always takes ten digits."""
    connectors = [{**reading, **VALUES} for reading in READINGS]
    body = {"ts": "2025-06-01T12:00:00.123Z", "seq": seq, "uptime_s": 86_400.5, "connectors": connectors, "faults": []}
    return msgspec.json.encode(body)


class Place:
    """A folder with settings, a fleet of ``piles`` and a database, as an operator has them."""

    def __init__(self, folder: Path, piles: int, broker_url: str) -> None:
        """Write the files."""
        folder.mkdir(parents=True, exist_ok=True)
        self.database = f"sqlite:///{folder / 'triage.db'}"
        self.port = free_port()
        self.settings = folder / "triage.yaml"
        rows = ["region,site,pile,profile,model,connectors"]
        rows += [f"north,{site_id(number)},{pile_id(number)},pile/v1,AC-7,2" for number in range(piles)]
        (folder / "fleet.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        lines = [
            f'database: {{url: "{self.database}"}}',
            f"mqtt: {{url: {broker_url}}}",
            f"http: {{host: 127.0.0.1, port: {self.port}}}",
            "fleet: fleet.csv",
            *(f'{name}: "{CONFIG / name}"' for name in ("plans", "profiles", "lexicon", "faults")),
            "policy: {mode: live}",
        ]
        self.settings.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Daemon:
    """``triage serve`` as a process of its own, on ``these`` cores; ``started_in_s`` is from its start to ready."""

    def __init__(self, place: Place, these: set[int]) -> None:
        """Not started yet."""
        self._place = place
        self._cores = these
        self._log = place.settings.with_name("daemon.log")
        self._process: subprocess.Popen[bytes] | None = None
        self.started_in_s = 0.0

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "triage", "serve", "--config", str(self._place.settings)]
        began = time.perf_counter()
        with self._log.open("ab") as log, on(self._cores):
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._await_ready(began)
        except BaseException:
            self._end()
            raise
        self.started_in_s = time.perf_counter() - began
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._end()

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _await_ready(self, began: float) -> None:
        while True:
            assert self._process is not None
            over = time.perf_counter() - began > START_S
            if over or self._process.poll() is not None:
                raise AssertionError(f"the daemon did not start:\n{self._log.read_text(errors='replace')[-4000:]}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get("/readyz")[0] == http.HTTPStatus.OK:
                    return
            time.sleep(0.01)

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers."""
        return "127.0.0.1", self._place.port

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask it something."""
        link = http.client.HTTPConnection(*self.address, timeout=30)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()

    def counters(self) -> dict[str, float]:
        """Every sample of its own metrics page, by name with labels."""
        lines = self.get("/metrics")[1].decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}

    def reading(self) -> Reading:
        """What it has done so far, at this moment."""
        found = self.counters()
        of = {name: value for name, value in found.items() if name.startswith("triage_telemetry_messages_total")}
        accepted = sum(value for name, value in of.items() if 'result="accepted"' in name)
        return Reading(
            at_s=time.perf_counter(),
            accepted=accepted,
            others=sum(of.values()) - accepted,
            coalesced=found["triage_inbox_coalesced_total"],
            cpu_s=found["process_cpu_seconds_total"],
        )


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The daemon's own counters at one moment."""

    at_s: float
    accepted: float
    others: float
    coalesced: float
    cpu_s: float

    @property
    def seen(self) -> float:
        """Messages it is done with, whatever became of them."""
        return self.accepted + self.others + self.coalesced


class Publishers:
    """Processes that publish healthy telemetry of the whole fleet at ``rate`` messages a second together."""

    def __init__(self, port: int, piles: int, qos: int, these: set[int], count: int = 2) -> None:
        """Start them; they publish nothing before :meth:`pace`."""
        fork = multiprocessing.get_context("fork")  # a spawned one would import everything again, on a busy core
        self._rates = [fork.Value("d", 0.0) for _ in range(count)]
        self._sent = [fork.Value("L", 0) for _ in range(count)]
        share = piles // count
        self._processes = [
            fork.Process(
                target=publish,
                args=(port, qos, range(number * share, (number + 1) * share), self._rates[number], self._sent[number]),
                daemon=True,
            )
            for number in range(count)
        ]
        with on(these):
            for process in self._processes:
                process.start()

    def __enter__(self) -> Self:
        """Use them in a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        for process in self._processes:
            process.kill()
            process.join()

    def pace(self, rate: float) -> None:
        """From now on ``rate`` messages a second, all together."""
        for each in self._rates:
            each.value = max(0.0, rate) / len(self._rates)

    @property
    def sent(self) -> int:
        """Messages handed to the broker so far."""
        return sum(int(each.value) for each in self._sent)

    async def everybody_spoke(self, daemon: Daemon, piles: int) -> None:
        """Return when every pile has spoken twice and the daemon heard it; what it learns then is no longer news."""
        self.pace(5_000)
        while True:
            await asyncio.sleep(0.2)
            if self.sent >= 2 * piles and daemon.reading().seen >= 2 * piles:
                return


def publish(port: int, qos: int, piles: range, rate: Synchronized[Any], sent: Synchronized[Any]) -> None:
    """One publisher: prepared packets on a raw socket, so that the daemon is what is measured."""
    before, after = payload(1_111_111_111).split(b"1111111111")
    heads = [
        _head(f"pile/v1/{site_id(each)}/{pile_id(each)}/telemetry", qos, len(before) + 10 + len(after))
        for each in piles
    ]
    with _greeted(port, f"bench-{piles.start}") as link:
        seq = answered = 0
        next_s = time.perf_counter()
        while True:
            wanted = rate.value
            if wanted <= 0:
                time.sleep(0.01)
                next_s = time.perf_counter()
                continue
            parts = []
            for _ in range(CHUNK):
                seq += 1
                mid = (seq % 65_535 + 1).to_bytes(2) if qos else b""
                parts.append(b"%b%b%b%010d%b" % (heads[seq % len(heads)], mid, before, 1_000_000_000 + seq, after))
            link.sendall(b"".join(parts))
            sent.value = seq
            while qos and seq - answered // 4 > WINDOW:
                answered += len(link.recv(65_536))
            next_s = max(next_s + CHUNK / wanted, time.perf_counter() - 0.5)
            time.sleep(max(0.0, next_s - time.perf_counter()))


def _head(topic: str, qos: int, size: int) -> bytes:
    """A PUBLISH packet up to its packet id, for payloads of ``size`` bytes."""
    whole = packet(topic, bytes(size), qos, 0)
    return whole[: -size - (2 if qos else 0)]


@contextlib.contextmanager
def _greeted(port: int, name: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port)) as link:
        who = name.encode()
        link.sendall(b"\x10" + bytes([12 + len(who)]) + b"\x00\x04MQTT\x04\x02\x00\x00\x00" + bytes([len(who)]) + who)
        link.recv(4)
        yield link
