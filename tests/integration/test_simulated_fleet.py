"""The simulated fleet on a real broker, commanded by a client that shares nothing with it."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from simulators.fleet import Rates, build
from simulators.people import Habits
from simulators.technicians import Ways
from simulators.wire.field import Field, Wishes
from simulators.wire.mqtt import Broker
from tests.integration.brokers import Mosquitto, until
from tests.parts import need

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]
QUIET = Rates(fault_rate=0.0, sessions_per_day=0.0, tempers=False)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    need("mosquitto")
    server = Mosquitto(tmp_path / "broker")
    await server.start()
    yield server
    await server.stop()


class Listener:
    """An independent client: it keeps what every pile said, and sends commands."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.said: list[tuple[str, dict[str, Any], bool]] = []

    async def listen(self) -> None:
        await self._client.subscribe("pile/v1/#", qos=1)
        async for message in self._client.messages:
            payload = message.payload
            assert isinstance(payload, bytes)
            if payload and message.topic.value.rpartition("/")[2] != "command":
                self.said.append((str(message.topic), json.loads(payload), bool(message.retain)))

    def of(self, pile: str, kind: str) -> list[dict[str, Any]]:
        return [payload for topic, payload, _ in self.said if topic.endswith(f"/{pile}/{kind}")]

    async def command(self, pile: str, number: str, action: str, expires_in_s: float = 60.0, **more: Any) -> None:
        expires_at = datetime.now(UTC) + timedelta(seconds=expires_in_s)
        body = {"id": number, "action": action, "connector": 0, "args": {}, "expires_at": expires_at.isoformat()}
        topic = f"pile/v1/{pile.partition('-')[0]}/{pile}/command"
        await self._client.publish(topic, json.dumps(body | more), qos=1)

    async def raw(self, pile: str, payload: bytes) -> None:
        await self._client.publish(f"pile/v1/{pile.partition('-')[0]}/{pile}/command", payload, qos=1)


@contextlib.asynccontextmanager
async def listening(broker: Mosquitto) -> AsyncIterator[Listener]:
    async with aiomqtt.Client("127.0.0.1", broker.port, identifier="independent") as client:
        listener = Listener(client)
        task = asyncio.create_task(listener.listen())
        try:
            yield listener
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@contextlib.asynccontextmanager
async def living(field: Field) -> AsyncIterator[Field]:
    stop = asyncio.Event()
    running = asyncio.create_task(field.run(stop))
    try:
        yield field
    finally:
        stop.set()
        await running


def field(broker: Mosquitto, piles: int = 3, speed: float = 60.0, rates: Rates = QUIET, **wishes: Any) -> Field:
    return Field(build(piles, 1, rates), Wishes(broker=Broker.parse(broker.url), speed=speed, **wishes))


async def run_fleet(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "simulators", "fleet", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("connections", [0, 2])
async def test_a_pile_obeys_an_independent_client(broker: Mosquitto, connections: int) -> None:
    async with living(field(broker, connections=connections)) as fleet, listening(broker) as client:
        pile = fleet.berths["HZ01-002"].pile
        await until(lambda: client.of(pile.id, "telemetry"), what="telemetry")
        first = client.of(pile.id, "status")[-1]
        assert first["online"] is True
        told = datetime.fromisoformat(client.of(pile.id, "telemetry")[-1]["ts"])
        assert abs(datetime.now(UTC) - told) < timedelta(seconds=30)  # real time, although its days are short

        await client.raw(pile.id, b"\xff{")
        await client.command(pile.id, "c-1", "reset_soft")
        await until(lambda: client.of(pile.id, "command/ack"), what="the answer")
        assert client.of(pile.id, "command/ack") == [{"id": "c-1", "result": "accepted", "reason": ""}]
        await until(lambda: client.of(pile.id, "status")[-1].get("boot_id", first["boot_id"]) != first["boot_id"])
        assert client.of(pile.id, "status")[-1]["boot_reason"] == "remote_reset"

        await client.command(pile.id, "c-1", "reset_soft")
        await client.command("HZ01-001", "c-2", "dance")
        await until(lambda: len(client.of(pile.id, "command/ack")) == 2, what="the second answer")
        await until(lambda: client.of("HZ01-001", "command/ack"), what="the refusal")
        assert client.of("HZ01-001", "command/ack")[0]["result"] == "unsupported"
    account = fleet.account()
    assert account["resets"]["executed"] == 1
    assert account["double_executions"] == {}
    assert account["commands_unreadable"] == 1
    assert [each["command"] for each in account["executions"]] == ["c-1"]


async def test_an_expired_command_is_refused_on_real_time(broker: Mosquitto) -> None:
    async with living(field(broker)) as fleet, listening(broker) as client:
        pile = next(each.pile for each in fleet.berths.values() if each.pile.nature.model.has_clock)
        assert pile.nature.temperament.clock_error_s == 0.0
        await until(lambda: client.of(pile.id, "status"), what="the birth")
        await client.command(pile.id, "late", "report", expires_in_s=-1.0)
        await client.command(pile.id, "good", "report", expires_in_s=5.0)
        await until(lambda: len(client.of(pile.id, "command/ack")) == 2, what="both answers")
        assert {each["id"]: each["reason"] for each in client.of(pile.id, "command/ack")} == {
            "late": "expired",
            "good": "",
        }


@pytest.mark.parametrize("connections", [0, 1])
async def test_a_pile_that_loses_its_link_leaves_a_retained_will(broker: Mosquitto, connections: int) -> None:
    rates = Rates(fault_rate=0.0, sessions_per_day=0.0, tempers=False, keepalive_s=1.0)
    async with living(field(broker, rates=rates, connections=connections)) as fleet, listening(broker) as client:
        berth = fleet.berths["HZ01-001"]
        await until(lambda: client.of("HZ01-001", "status"), what="the birth")
        berth.do(lambda pile, now: pile.inject(now, "link_lost"))
        await until(lambda: client.of("HZ01-001", "status")[-1] == {"online": False}, what="the will")
        async with listening_late(broker) as late:
            await until(lambda: late.of("HZ01-001", "status"), what="the retained will")
            topic, payload, retained = next(each for each in late.said if "HZ01-001/status" in each[0])
            assert (topic, payload, retained) == ("pile/v1/HZ01/HZ01-001/status", {"online": False}, True)
        berth.do(lambda pile, now: pile.repair(now, fixed=True))
        await until(lambda: client.of("HZ01-001", "status")[-1]["online"] is True, what="the return")


@contextlib.asynccontextmanager
async def listening_late(broker: Mosquitto) -> AsyncIterator[Listener]:
    async with aiomqtt.Client("127.0.0.1", broker.port, identifier="late") as client:
        listener = Listener(client)
        task = asyncio.create_task(listener.listen())
        try:
            yield listener
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.mark.parametrize("connections", [0, 1])
async def test_a_broker_that_dies_is_found_again(broker: Mosquitto, connections: int) -> None:
    async with living(field(broker, connections=connections)) as fleet:
        await until(lambda: all(each.pile.reachable for each in fleet.berths.values()), what="all connected")
        await broker.kill()
        await until(lambda: not any(each.pile.reachable for each in fleet.berths.values()), what="all lost")
        await broker.start()
        await until(lambda: all(each.pile.reachable for each in fleet.berths.values()), 30.0, "all back")
        async with listening(broker) as client:
            await until(lambda: client.of("HZ01-003", "telemetry"), what="telemetry again")


class Desk(BaseHTTPRequestHandler):
    """A stand-in for a daemon's HTTP side that is down at times: every first try of a key fails."""

    tries: Counter[str]
    posted: list[tuple[str, str, dict[str, Any]]]
    incidents: list[dict[str, Any]]
    orders: list[dict[str, Any]]

    def do_POST(self) -> None:
        key = self.headers["Idempotency-Key"]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.tries[key] += 1
        if self.tries[key] == 1:
            self._answer(503, {"title": "not now"})
            return
        self.posted.append((self.path, key, body))
        if self.path == "/api/v1/complaints":
            self._answer(201 if self.tries[key] == 2 else 200, {"number": f"C-{key}"})
        else:
            self._answer(200, {})

    def do_GET(self) -> None:
        if self.path.startswith("/api/v1/incidents?"):
            self._answer(200, {"items": self.incidents, "next": None})
        else:
            self._answer(200, {"items": self.orders, "next": None})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def desk() -> Iterator[tuple[str, type[Desk]]]:
    handler = type("OneDesk", (Desk,), {"tries": Counter(), "posted": [], "incidents": [], "orders": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()
    thread.join()


async def test_people_write_until_they_are_answered_and_are_called_back(
    broker: Mosquitto, desk: tuple[str, type[Desk]]
) -> None:
    url, kept = desk
    habits = Habits(background_per_day=600.0, twice=0.5, answers_call=1.0)
    async with living(field(broker, speed=600.0, api=url, habits=habits)) as fleet:
        people = fleet.people
        assert people is not None
        await until(lambda: people.counts["answered"] >= 5, 30.0, "five answers")
        kept.incidents.append({"id": "I1", "complaints": sorted(people.numbers.values())[:3]})
        await until(lambda: people.counts["calls_answered"] == 3, 30.0, "three calls")
    account = fleet.account()["complaints"]
    assert account["refused"] == account["answered_otherwise"] == 0
    assert account["answered"] == len(set(people.numbers.values()))
    complaints = [(key, body) for path, key, body in kept.posted if path == "/api/v1/complaints"]
    assert {key for key, _ in complaints} >= set(people.numbers)
    for key in people.numbers:
        assert len({json.dumps(body, sort_keys=True) for other, body in complaints if other == key}) == 1
    calls = [body for path, _, body in kept.posted if path.endswith("/callback")]
    assert len(calls) == 3
    assert all(body["satisfied"] is True and body["score"] >= 4 for body in calls)  # these piles are sound


async def test_technicians_mend_the_pile_of_an_order(broker: Mosquitto, desk: tuple[str, type[Desk]]) -> None:
    url, kept = desk
    order = {"id": "W7", "state": "issued", "pile": "HZ01-002", "connector": 1}
    habits, ways = Habits(background_per_day=0.0), Ways(late=0.0, returns=0.0, waits=0.0, mends=1.0)
    rates = Rates(fault_rate=0.0, sessions_per_day=0.0, tempers=False, heartbeat_s=3600.0)
    async with living(field(broker, speed=6000.0, rates=rates, api=url, habits=habits, ways=ways)) as fleet:
        berth = fleet.berths["HZ01-002"]
        await until(lambda: berth.pile.reachable, what="the connection")
        berth.do(lambda pile, now: pile.inject(now, "emergency_stop"))
        assert berth.pile.condition().danger == "emergency_stop"
        kept.orders.append(order)
        await until(lambda: berth.pile.condition().danger is None, 30.0, "the visit")
        await until(lambda: any(body["event"] == "done" for _, _, body in kept.posted), 30.0, "the report")
    events = [body["event"] for path, _, body in kept.posted if path == "/api/v1/work-orders/W7/events"]
    assert set(events[events.index("accept") :]) >= {"accept", "depart", "arrive", "done"}
    assert berth.pile.truth.faults[0].ended_by == "visit"


async def test_the_command_runs_for_its_time_and_gives_its_account(broker: Mosquitto, tmp_path: Path) -> None:
    fleet_file = tmp_path / "fleet.csv"
    process = await run_fleet(
        *("--broker", broker.url, "--piles", "10", "--seed", "3", "--speed", "120", "--fault-rate", "50"),
        *("--for", "3", "--write-fleet", str(fleet_file)),
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    account = json.loads(output.decode().splitlines()[-1])
    assert account["piles"] == 10
    assert account["telemetry"] >= 10
    assert account["simulated_seconds"] >= 300
    with fleet_file.open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 10
    assert b"Traceback" not in errors
    assert b"never retrieved" not in errors


async def test_the_command_ends_well_at_sigterm(broker: Mosquitto, tmp_path: Path) -> None:
    stats = tmp_path / "stats.json"
    process = await run_fleet("--broker", broker.url, "--piles", "5", "--stats", str(stats), "--connections", "2")
    async with listening(broker) as client:
        await until(lambda: client.of("HZ01-005", "telemetry"), 30.0, "the fleet")
    process.send_signal(signal.SIGTERM)
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert output == b""
    account = json.loads(stats.read_text(encoding="utf-8"))
    assert account["connections"] == 2
    assert account["resets"] == {"executed": 0, "unsafe": 0, "reckless": 0, "unsafe_list": []}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--broker", "http://127.0.0.1"],
        ["--broker", "mqtt://127.0.0.1", "--piles", "0"],
        ["--broker", "mqtt://127.0.0.1", "--speed", "0"],
        ["--broker", "mqtt://127.0.0.1", "--speed", "nan"],
        ["--broker", "mqtt://127.0.0.1", "--api", "localhost:8080"],
        ["--broker", "mqtt://127.0.0.1", "--modbus-port", "0"],
        ["--write-fleet", "/nowhere/at/all/fleet.csv"],
    ],
)
async def test_bad_usage_is_told_and_ends_with_2(arguments: list[str]) -> None:
    process = await run_fleet(*arguments)
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors
    assert b"Traceback" not in errors


async def test_a_broker_that_is_not_there_ends_with_1(port: int) -> None:
    process = await run_fleet("--broker", f"mqtt://127.0.0.1:{port}", "--piles", "2", "--for", "2")
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"no connection" in errors
