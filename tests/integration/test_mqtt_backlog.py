"""More messages than the daemon can work off, through a real Mosquitto: bounded, in order, and nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
import uvloop

from tests.benchmarks.bench_mqtt import packet
from tests.integration.brokers import Basket, Mosquitto, Proxy, WallClock, client, driving, mosquitto, until
from tests.parts import free_port
from triage.core.effects import Command
from triage.core.events import Event, Telemetry
from triage.core.vocabulary import Action
from triage.drivers.mqtt.connection import BATCH_LIMIT
from triage.drivers.mqtt.driver import MqttDriver
from triage.drivers.mqtt.window import MOST
from triage.interfaces import Dispatch

pytestmark = pytest.mark.integration
TOPIC = "pile/v1/north/p-1/telemetry"
BOUND = MOST + BATCH_LIMIT
KEEPALIVE_S = 1.0
BURST = 20_000


def reading(seq: int) -> str:
    return json.dumps({"seq": seq, "connectors": [{"id": 1, "status": "available", "session": None}]})


def seqs(basket: Basket) -> list[int | None]:
    return [event.seq for event in basket.of(Telemetry)]


class Slow(Basket):
    """Settles one batch at each call of :meth:`settle`, the oldest first, and notes how much ever waited."""

    def __init__(self) -> None:
        super().__init__(acks=False)
        self.waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self.outstanding = 0
        self.most = 0

    def offer(self, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        super().offer(events)
        if ack is None:
            return
        self.waiting.append((len(events), ack))
        self.outstanding += len(events)
        self.most = max(self.most, self.outstanding)

    def settle(self) -> None:
        if self.waiting:
            count, ack = self.waiting.popleft()
            self.outstanding -= count
            ack()


@contextlib.asynccontextmanager
async def daemon(url: str, basket: Basket) -> AsyncIterator[MqttDriver]:
    """A driver that may still have to subscribe."""
    driver = MqttDriver(url, client_id="daemon", clock=WallClock(), fresh_s=60, keepalive_s=KEEPALIVE_S)
    await driver.start(basket)
    try:
        yield driver
    finally:
        await driver.stop()


@contextlib.asynccontextmanager
async def settling(basket: Slow) -> AsyncIterator[None]:
    """Let ``basket`` settle a batch every few milliseconds, on the loop the driver shares."""

    async def work() -> None:
        while True:
            await asyncio.sleep(0.005)
            basket.settle()

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def burst(broker: Mosquitto, qos: int, count: int = BURST) -> None:
    """Publish ``count`` numbered readings as fast as the broker takes them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05burst")
    await reader.readexactly(4)
    for start in range(0, count, 500):
        writer.write(b"".join(packet(TOPIC, reading(seq).encode(), qos, seq + 1) for seq in range(start, start + 500)))
        await writer.drain()
        if qos:
            await reader.readexactly(4 * 500)
    writer.close()


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_burst_waits_in_the_broker_and_not_in_the_daemon(
    qos: int, factory: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    async def story() -> None:
        basket = Slow()
        async with (
            mosquitto(tmp_path) as broker,
            driving(broker.url, basket) as driver,
            settling(basket),
        ):
            await burst(broker, qos)
            await until(lambda: len(seqs(basket)) >= BURST and not basket.outstanding, 60, "every message, settled")
            assert seqs(basket) == list(range(BURST)), "each once and in order"
            assert MOST <= basket.most < BOUND
            assert driver.counters.totals["pauses"] > 0
            assert driver.counters.totals["connects"] == 1
            assert driver.counters.totals["acked"] == (BURST if qos else 0)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(story())


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_connection_outlives_a_pause_far_longer_than_the_keepalive(qos: int, tmp_path: Path) -> None:
    basket = Basket(acks=False)
    loop = asyncio.get_running_loop()
    async with mosquitto(tmp_path) as broker, driving(broker.url, basket, keepalive_s=KEEPALIVE_S) as driver:
        await burst(broker, qos)
        await until(lambda: driver.counters.totals["pauses"], what="paused")
        until_s = loop.time() + 5 * KEEPALIVE_S
        while loop.time() < until_s:
            assert driver.connected
            assert len(basket.of(Telemetry)) < BOUND
            await asyncio.sleep(0.05)
        basket.acks = True
        basket.release()
        await until(lambda: len(seqs(basket)) >= BURST, what="all the rest")
        assert seqs(basket) == list(range(BURST)), "nothing twice, for no connection was lost"
        assert driver.counters.totals["connects"] == 1
        broker.pause()
        await until(lambda: not driver.connected, 4 * KEEPALIVE_S, "from now on the broker is judged again")


async def test_a_command_leaves_while_nothing_is_read(tmp_path: Path) -> None:
    basket = Basket(acks=False)
    now = WallClock().now()
    report = Command(
        id="a-1",
        site="north",
        pile="p-1",
        driver_profile="pile/v1",
        action=Action.REPORT,
        connector=0,
        issued_at=now,
        expires_at=now.replace(year=now.year + 1),
    )
    async with mosquitto(tmp_path) as broker, driving(broker.url, basket) as driver, client(broker) as pile:
        await pile.subscribe("pile/v1/north/p-1/command", qos=1)
        await burst(broker, 1)
        await until(lambda: driver.counters.totals["pauses"], what="paused")
        assert await driver.send(report) == Dispatch("sent")
        async with asyncio.timeout(10):
            message = await anext(aiter(pile.messages))
        assert json.loads(bytes(message.payload))["id"] == "a-1"


async def test_a_resumed_session_with_more_queued_than_can_be_kept_is_not_given_up(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        async with driving(broker.url, Basket()):
            pass
        await burst(broker, 1, 5_000)
        basket = Basket(acks=False)
        async with daemon(broker.url, basket) as driver:
            await until(lambda: driver.counters.totals["pauses"], what="paused")
            await asyncio.sleep(3 * KEEPALIVE_S)  # what is shown is that nothing happens meanwhile
            assert driver.connected
            basket.acks = True
            basket.release()
            await until(lambda: driver.counters.totals["subscriptions_in_force"], what="subscribed")
            await until(lambda: len(seqs(basket)) == 5_000, what="all that was queued")
            assert seqs(basket) == list(range(5_000))
            assert driver.counters.totals["connects"] == 1


async def test_a_consent_that_stands_behind_a_backlog_is_waited_for() -> None:
    queued = b"".join(packet(TOPIC, reading(seq).encode(), 1, seq + 1) for seq in range(2 * MOST))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"daemon")  # the end of CONNECT
        writer.write(b"\x20\x02\x01\x00" + queued)
        subscribe = await reader.readuntil(b"/command\x00")  # its last filter and QoS
        writer.write(b"\x90\x07" + subscribe[2:4] + b"\x01" * 5)
        while await reader.read(65_536):
            pass
        writer.close()

    basket = Basket(acks=False)
    port = free_port()
    async with (
        await asyncio.start_server(serve, "127.0.0.1", port),
        daemon(f"mqtt://127.0.0.1:{port}", basket) as driver,
    ):
        await until(lambda: driver.counters.totals["pauses"], what="paused")
        await asyncio.sleep(3 * KEEPALIVE_S)  # what is shown is that nothing happens meanwhile
        assert driver.connected
        assert not driver.counters.totals["subscriptions_in_force"]
        basket.acks = True
        basket.release()
        await until(lambda: driver.counters.totals["subscriptions_in_force"], what="subscribed")
        assert seqs(basket) == list(range(2 * MOST))
        assert driver.counters.totals["connects"] == 1


async def test_a_broker_that_dies_during_a_pause_is_noticed(tmp_path: Path) -> None:
    basket = Basket(acks=False)
    async with mosquitto(tmp_path) as broker, driving(broker.url, basket, keepalive_s=KEEPALIVE_S) as driver:
        await burst(broker, 1)
        await until(lambda: driver.counters.totals["pauses"], what="paused")
        await broker.kill()
        await until(lambda: basket.links()[-1] is False, 5 * KEEPALIVE_S, "a ping finds nobody")


async def test_what_a_lost_connection_handed_over_still_counts(tmp_path: Path) -> None:
    basket = Basket(acks=False)
    async with (
        mosquitto(tmp_path) as broker,
        Proxy(broker.port) as proxy,
        driving(proxy.url, basket, keepalive_s=KEEPALIVE_S, speed=50) as driver,
    ):
        await burst(broker, 1, 5_000)
        for connections in range(1, 5):
            await until(lambda: driver.counters.totals["pauses"] >= connections, what="paused")  # noqa: B023
            assert len(basket.of(Telemetry)) < BOUND + (connections - 1) * BATCH_LIMIT, "a batch a connection"
            proxy.cut()
            await until(lambda: driver.counters.totals["connects"] > connections, what="connected again")  # noqa: B023
        basket.acks = True
        basket.release()
        await until(lambda: set(seqs(basket)) == set(range(5_000)), what="everything, some of it twice")
        await until(lambda: driver.counters.totals["acked"] >= 5_000, what="acknowledged where it counts")
