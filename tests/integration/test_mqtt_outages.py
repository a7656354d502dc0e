"""What happens to the driver when the broker or the way to it fails."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Self

import pytest

from tests.integration.brokers import Basket, Mosquitto, Proxy, WallClock, broker_of, client, driving, mosquitto, until
from tests.parts import free_port
from triage.core.events import Quarantined, Telemetry
from triage.drivers.mqtt.driver import MqttDriver

pytestmark = pytest.mark.integration
TOPIC = "pile/v1/north/p-1/telemetry"
KEEPALIVE_S = 2.0


def reading(seq: int) -> str:
    return json.dumps({"seq": seq, "connectors": [{"id": 1, "status": "available", "session": None}]})


def seqs(basket: Basket) -> list[int | None]:
    return [event.seq for event in basket.of(Telemetry)]


async def test_a_killed_broker_is_found_again(tmp_path: Path) -> None:
    basket = Basket()
    async with mosquitto(tmp_path) as broker, driving(broker.url, basket) as driver:
        await broker.kill()
        await until(lambda: basket.links() == [True, False], what="the link is down")
        await broker.start()
        await until(lambda: basket.links() == [True, False, True], what="the link is up again")
        await until(lambda: driver.counters.totals["subscriptions_in_force"] == 2, what="subscribed again")
        async with client(broker) as pile:
            await pile.publish(TOPIC, reading(1), qos=1)
            await until(lambda: seqs(basket) == [1], what="messages flow again")


async def test_a_broker_that_is_down_at_first_is_no_error(tmp_path: Path) -> None:
    broker, basket = Mosquitto(tmp_path), Basket()
    driver = MqttDriver(broker.url, client_id="daemon", clock=WallClock(), fresh_s=60, speed=20)
    await driver.start(basket)
    try:
        await until(lambda: driver.counters.totals["connect_failures"] >= 3, what="it keeps trying")
        assert basket.links() == [False], "said once, not with every attempt"
        assert not driver.connected
        assert driver.last_error
        await broker.start()
        await until(lambda: basket.links() == [False, True], what="up")
    finally:
        await driver.stop()
        await broker.stop()


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
async def test_acknowledgements_of_an_older_connection_are_dropped(kind: str, tmp_path: Path) -> None:
    basket = Basket(acks=False)
    async with broker_of(kind, tmp_path) as broker, Proxy(broker.port) as proxy, driving(proxy.url, basket) as driver:
        async with client(broker) as pile:
            for seq in range(10):
                await pile.publish(TOPIC, reading(seq), qos=1)
        await until(lambda: len(seqs(basket)) == 10, what="the first delivery")
        late, basket.withheld = basket.withheld, []
        proxy.cut()
        await until(lambda: driver.counters.totals["subscriptions_in_force"] == 2, what="connected again")
        await until(lambda: len(seqs(basket)) == 20, what="delivered again, for nothing was acknowledged")
        for ack in late:
            ack()
        assert driver.counters.totals["stale_acks"] == 10
        assert driver.counters.totals["acked"] == 0


async def test_a_stopped_broker_is_noticed_within_twice_the_keepalive(tmp_path: Path) -> None:
    basket = Basket()
    loop = asyncio.get_running_loop()
    async with mosquitto(tmp_path) as broker, driving(broker.url, basket, keepalive_s=KEEPALIVE_S):
        broker.pause()
        began_s = loop.time()
        await until(lambda: basket.links() == [True, False], what="noticed")
        assert loop.time() - began_s <= 2 * KEEPALIVE_S
        broker.resume()
        await until(lambda: basket.links() == [True, False, True], what="and found again")


async def test_a_byte_at_a_time_and_a_topic_of_nonsense_harm_nothing() -> None:
    basket = Basket()
    good = packet(0x30, named(TOPIC.encode()) + reading(1).encode())
    bad = packet(0x30, named(b"pile/v1/\xff\xfe/p-1/telemetry") + b"{}")
    async with Puppet(bad + good) as puppet, driving(puppet.url, basket) as driver:
        await until(lambda: seqs(basket) == [1], what="the good message")
        (event,) = basket.of(Quarantined)
        assert event.reason == "bad_topic"
        assert "\\xff" in event.topic
        assert driver.counters.totals["callback_errors"] == 0


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xf0\x00",
        b"\x30\xff\xff\xff\xff\x7f",
        b"\x32\x01\x00",
        b"\x30\x02\xff\xff",
        b"\x90\x01\x00",
        b"\x40\x01\x00",
        b"\x20\x01\x00",
        b"\x62\x00",
    ],
)
async def test_a_broker_that_talks_nonsense_is_left_and_tried_again(nonsense: bytes) -> None:
    basket = Basket()
    async with Puppet(nonsense) as puppet, driving(puppet.url, basket):
        await until(lambda: puppet.connections >= 2, what="tried again")
        puppet.words = packet(0x30, named(TOPIC.encode()) + reading(1).encode())
        await until(lambda: seqs(basket), what="and heard once it makes sense")


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
async def test_a_refusal_is_told_and_tried_again(code: int) -> None:
    async with Puppet(b"", welcome=bytes([0x20, 2, 0, code])) as puppet:
        basket = Basket()
        driver = MqttDriver(puppet.url, client_id="daemon", clock=WallClock(), fresh_s=60, speed=50)
        await driver.start(basket)
        await until(lambda: puppet.connections >= 2, what="tried again")
        await driver.stop()
        assert basket.links() == [False]
        assert ("Protocol" if code == 1 else "refused") in driver.last_error


async def test_a_refused_subscription_is_told() -> None:
    async with Puppet(b"", consent=0x80) as puppet:
        basket = Basket()
        driver = MqttDriver(puppet.url, client_id="daemon", clock=WallClock(), fresh_s=60, speed=50)
        await driver.start(basket)
        await until(lambda: puppet.connections >= 2, what="tried again")
        await driver.stop()
        assert "subscription" in driver.last_error


def named(topic: bytes) -> bytes:
    return len(topic).to_bytes(2) + topic


def packet(kind: int, body: bytes) -> bytes:
    length, rest = bytearray(), len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length.append(digit | (128 if rest else 0))
        if not rest:
            return bytes([kind]) + bytes(length) + body


class Puppet:
    """A server that welcomes, consents, and then says the given bytes one at a time."""

    def __init__(self, words: bytes, welcome: bytes = b"\x20\x02\x00\x00", consent: int = 1) -> None:
        self.words = words
        self.welcome = welcome
        self.consent = consent
        self.connections = 0
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._packet(reader)
            writer.write(self.welcome)
            if self.welcome[-1] == 0:
                subscribe = await self._packet(reader)
                writer.write(packet(0x90, subscribe[:2] + bytes([self.consent] * 5)))
                for byte in self.words:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.0005)
            while await reader.read(1000):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _packet(self, reader: asyncio.StreamReader) -> bytes:
        await reader.readexactly(1)
        length = shift = 0
        while True:
            (digit,) = await reader.readexactly(1)
            length |= (digit & 127) << shift
            shift += 7
            if not digit & 128:
                return await reader.readexactly(length)
