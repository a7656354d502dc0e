"""A thousand Modbus devices polled every five seconds by the driver, sound ones and with 200 that hang.

``python -m tests.benchmarks.bench_modbus [--devices N] [--hanging N]``. Each device has an endpoint of its own at an
independent server in C on libmodbus. Beside the driver, in the same run: a bare loop on pymodbus and one in C on
libmodbus, which read the same registers and do nothing with them. Each of them is a process of its own on one core; the
server has the others. The lag of a poll runs from the moment it was due until its last word is there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import uvloop
from pymodbus.client import AsyncModbusTcpClient

from tests.benchmarks.figures import Figure, table
from tests.benchmarks.stand import CONFIG, cores, on
from tests.integration.modbus.libmodbus import Server, build
from tests.parts import free_ports
from triage.clock import SteadyClock
from triage.config.profile.file import Profile, load_profile
from triage.core.effects import Answer
from triage.core.events import Ask, Event, Quarantined, Registration, Telemetry
from triage.drivers.modbus.driver import ModbusDriver

DEVICES = 1_000
HANGING = 200
PERIOD_S = 5.0
A_SERVER = 250
"""Devices of one server process."""

WARM_S = 12.0
MEASURE_S = 20.0
PROFILE = "heidelberg_energy_control"
BLOCKS = (("input", 5, 14), ("holding", 259, 1))
"""What one poll of this model asks for."""

WORDS = {
    "input": {4: [0x0108, 7, 53, 53, 52, 243, 230, 231, 229, 1, 3640, 0, 0, 123, 4567]},
    "holding": {257: [15_000, 4, 1, 0, 160, 0]},
}
"""One that charges with 3.6 kW."""


class Measured(NamedTuple):
    """What one poller did in the time that was measured."""

    polls: int
    failures: int
    cpu_s: float
    wall_s: float
    p50_s: float
    p99_s: float

    @property
    def cpu_share(self) -> float:
        return self.cpu_s / self.wall_s


class Plant(NamedTuple):
    """The devices: where they listen, and how many of them, from the first on, never answer."""

    first_port: int
    devices: int
    hanging: int


@contextlib.asynccontextmanager
async def plant(program: Path, devices: int, hanging: int) -> AsyncIterator[Plant]:
    """The servers with the devices, on the cores that the pollers do not have."""
    first = free_ports(devices)
    async with contextlib.AsyncExitStack() as stack:
        for port in range(first, first + devices, A_SERVER):
            server = Server(program, port=port, ports=min(A_SERVER, first + devices - port))
            with on(cores()[1]):
                await stack.enter_async_context(server)
            for place, words in WORDS.items():
                await server.set(1, place, dict(words))
            if hanging:
                await server.command(f"hang {first} {hanging}")
        yield Plant(first, devices, hanging)


# --- the pollers, each in a process of its own ------------------------------------------------------------------------


class Tally:
    """An inlet that looks at what it is offered as little as possible."""

    def __init__(self) -> None:
        self.readings = 0
        self.quarantined = 0

    def offer(self, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        for event in events:
            self.readings += type(event) is Telemetry
            self.quarantined += type(event) is Quarantined
        if ack is not None:
            ack()

    async def submit(self, event: Ask) -> Answer:
        raise AssertionError("drivers only offer")


def registrations(where: Plant, profile: Profile) -> list[tuple[Registration, Profile]]:
    return [
        (
            Registration(
                pile=f"P{number:04}",
                site=f"S{number // 20:03}",
                region="north",
                profile=profile.profile,
                endpoint=f"127.0.0.1:{where.first_port + number}",
            ),
            profile,
        )
        for number in range(where.devices)
    ]


async def _driven(where: Plant) -> Measured:
    tally = Tally()
    devices = registrations(where, load_profile(CONFIG / "profiles" / f"{PROFILE}.yaml"))
    driver = ModbusDriver(devices, clock=SteadyClock(), fresh_s=150.0)
    await driver.start(tally)
    await asyncio.sleep(WARM_S)
    driver.counters.lags.recent.clear()
    before = (driver.counters.polls, cpu_s(), time.perf_counter(), tally.readings)
    await asyncio.sleep(MEASURE_S)
    polls, used_s, wall_s = driver.counters.polls - before[0], cpu_s() - before[1], time.perf_counter() - before[2]
    lags, told = driver.counters.lags, tally.readings - before[3]
    measured = Measured(polls, 0, used_s, wall_s, lags.quantile(0.5), lags.quantile(0.99))
    await driver.stop()
    assert not tally.quarantined, f"{tally.quarantined} readings were not believed"
    assert abs(told - polls) <= 1, f"{polls} polls, and {told} readings"
    return measured


class Bare:
    """A loop on pymodbus that reads and forgets, until ``end_s`` of the loop's clock."""

    def __init__(self, end_s: float) -> None:
        self.lags: list[float] = []
        self.failures = 0
        self._end_s = end_s

    async def poll(self, port: int, first_s: float) -> None:
        loop = asyncio.get_running_loop()
        client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=2, retries=0, reconnect_delay=0)
        assert await client.connect()
        due_s = first_s
        while due_s < self._end_s:
            await asyncio.sleep(due_s - loop.time())
            sound = True
            for place, address, count in BLOCKS:
                read = client.read_input_registers if place == "input" else client.read_holding_registers
                sound = sound and not (await read(address, count=count, device_id=1)).isError()
            self.failures += not sound
            if sound:
                self.lags.append(loop.time() - due_s)
            due_s += PERIOD_S
        client.close()


async def _bare(where: Plant) -> Measured:
    begin_s = asyncio.get_running_loop().time() + 1.0
    bare = Bare(begin_s + WARM_S + MEASURE_S)
    step_s = PERIOD_S / where.devices
    tasks = [
        asyncio.create_task(bare.poll(where.first_port + number, begin_s + number * step_s))
        for number in range(where.devices)
    ]
    await asyncio.sleep(WARM_S)
    bare.lags.clear()
    before = (cpu_s(), time.perf_counter())
    await asyncio.sleep(MEASURE_S)
    lags, used_s, wall_s = sorted(bare.lags), cpu_s() - before[0], time.perf_counter() - before[1]
    await asyncio.gather(*tasks)
    count = len(lags)
    return Measured(count, bare.failures, used_s, wall_s, lags[count // 2], lags[int(count * 0.99)])


def driven(where: Plant) -> Measured:
    """By the driver."""
    return _run(_driven(where))


def bare(where: Plant) -> Measured:
    """By a loop on pymodbus."""
    return _run(_bare(where))


def in_c(program: str, where: Plant) -> Measured:
    """By a loop on libmodbus."""
    blocks = [str(word) for block in BLOCKS for word in block]
    command = [program, str(where.first_port), str(where.devices), str(PERIOD_S), str(WARM_S), str(MEASURE_S), *blocks]
    polls, failures, *rest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return Measured(int(polls), int(failures), *map(float, rest))


def _run(work: Coroutine[Any, Any, Measured]) -> Measured:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8_192)), hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def cpu_s() -> float:
    """CPU time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def apart(poller: Callable[..., Measured], *arguments: Any) -> Measured:
    """Run a poller in a process of its own, on one core."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=os.sched_setaffinity, initargs=(0, cores()[0])) as pool:
        return pool.submit(poller, *arguments).result()


# --- the figures -----------------------------------------------------------------------------------------------------


async def measured(devices: int, hanging: int) -> dict[str, Measured]:
    """Every poller over the same devices, one after the other."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        server, client = build("server", Path(folder)), build("client", Path(folder))
        async with plant(server, devices, 0) as sound:
            found["driver"] = await asyncio.to_thread(apart, driven, sound)
            found["pymodbus"] = await asyncio.to_thread(apart, bare, sound)
            found["libmodbus"] = await asyncio.to_thread(apart, in_c, str(client), sound)
        async with plant(server, devices, hanging) as partly:
            found["hanging"] = await asyncio.to_thread(apart, driven, partly)
    return found


def figures(devices: int = DEVICES, hanging: int = HANGING) -> list[Figure]:
    """Everything of this file, measured once."""
    found = asyncio.run(measured(devices, hanging))
    fleet = f"{devices:,} devices with a connection each, every {PERIOD_S:g} s, one core"
    named = {
        "driver": ("Modbus", fleet),
        "hanging": (f"Modbus, {hanging} hang", f"{fleet}; lag of the others"),
        "pymodbus": ("bare pymodbus loop", "the same registers, read and forgotten"),
        "libmodbus": ("C libmodbus loop", "the same registers, read and forgotten"),
    }
    rows = []
    for key, (name, note) in named.items():
        rows += _rows(name, note, found[key], goal=0.6 if key in {"driver", "hanging"} else None)
    moved = found["hanging"].p99_s / found["driver"].p99_s
    rows.append(
        Figure(
            name=f"Modbus, p99 lag with {hanging} hanging",
            value=moved,
            unit="times",
            goal=1.2,
            better="less",
            note="of the p99 lag without them",
        )
    )
    return rows


def _rows(name: str, note: str, seen: Measured, goal: float | None) -> list[Figure]:
    polls_s = seen.polls / seen.wall_s
    failed = f"{seen.failures} failed" if seen.failures else ""
    return [
        Figure(name=f"{name}: polls", value=polls_s, unit="polls/s", note=failed),
        Figure(name=f"{name}: CPU", value=seen.cpu_share, unit="of a core", goal=goal, better="less", note=note),
        Figure(name=f"{name}: a CPU second's", value=seen.polls / seen.cpu_s, unit="polls"),
        Figure(name=f"{name}: lag p50", value=seen.p50_s * 1000, unit="ms", better="less"),
        Figure(name=f"{name}: lag p99", value=seen.p99_s * 1000, unit="ms", better="less"),
    ]


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--hanging", type=int, default=HANGING)
    options = parser.parse_args()
    os.nice(5)
    print(table(figures(options.devices, options.hanging)))


if __name__ == "__main__":
    main()
