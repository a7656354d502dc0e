"""Messages from piles to the inlet, over both real brokers."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiomqtt
import pytest
import uvloop

from tests.integration.brokers import Basket, Broker, Mosquitto, WallClock, broker_of, client, driving, mosquitto, until
from tests.parts import need
from triage.core.events import CommandAnswer, ComplaintReceived, DriverLink, PileStatus, Quarantined, Telemetry
from triage.drivers.mqtt.driver import MqttDriver

pytestmark = pytest.mark.integration
PILE = "pile/v1/north/p-1"


@pytest.fixture(params=["mosquitto", "embedded"])
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Broker]:
    async with broker_of(request.param, tmp_path / "broker") as running:
        yield running


def reading(seq: int) -> str:
    return json.dumps({"seq": seq, "connectors": [{"id": 1, "status": "available", "session": None}], "faults": []})


def seqs(basket: Basket) -> list[int | None]:
    return [event.seq for event in basket.of(Telemetry)]


async def test_everything_a_pile_says_arrives(broker: Broker) -> None:
    basket = Basket()
    async with driving(broker.url, basket) as driver, client(broker) as pile:
        await pile.publish(f"{PILE}/status", '{"online": true, "boot_reason": "power_up"}', qos=1, retain=True)
        await pile.publish("pile/v1/no.r-th_1/p.1/telemetry", reading(1), qos=1)
        await pile.publish(f"{PILE}/telemetry", reading(2), qos=0)
        await pile.publish(f"{PILE}/command/ack", '{"id": "a-1", "result": "accepted"}', qos=1)
        await pile.publish("pile/v1/complaints", '{"id": "c-1", "text": "it does not start"}', qos=1)
        await until(lambda: len(basket.events) >= 6, what="all six events")
        assert sorted(seqs(basket), key=str) == [1, 2]
        assert [(e.site, e.pile) for e in basket.of(Telemetry) if e.seq == 1] == [("no.r-th_1", "p.1")]
        assert [(e.online, e.retained) for e in basket.of(PileStatus)] == [(True, False)]
        assert [e.command for e in basket.of(CommandAnswer)] == ["a-1"]
        assert [e.key for e in basket.of(ComplaintReceived)] == ["c-1"]
        assert basket.links() == [True]
        assert isinstance(basket.events[0], DriverLink)
        assert driver.counters.totals["acked"] == 4


async def test_what_was_not_acknowledged_comes_again_to_the_next_daemon(broker: Broker) -> None:
    first, second, third = Basket(acks=False), Basket(), Basket()
    async with driving(broker.url, first), client(broker) as pile:
        for seq in range(20):
            await pile.publish(f"{PILE}/telemetry", reading(seq), qos=1)
        await until(lambda: len(first.of(Telemetry)) == 20, what="the first daemon saw them")
    async with driving(broker.url, second) as driver:
        await until(lambda: set(seqs(second)) == set(range(20)), what="redelivered")
        await until(lambda: driver.counters.totals["acked"] >= 20, what="acknowledged")
        async with client(broker) as pile:
            await pile.publish(f"{PILE}/telemetry", reading(99), qos=1)
            await until(lambda: 99 in seqs(second), what="a later message")
    async with driving(broker.url, third), client(broker) as pile:
        await pile.publish(f"{PILE}/telemetry", reading(100), qos=1)
        await until(lambda: seqs(third), what="the third daemon's first message")
        assert seqs(third) == [100]


async def test_what_was_said_in_our_absence_is_kept(broker: Broker) -> None:
    async with driving(broker.url, Basket()):
        pass
    async with client(broker) as pile:
        for seq in range(1500):
            await pile.publish(f"{PILE}/telemetry", reading(seq), qos=1)
    basket = Basket()
    async with driving(broker.url, basket):
        await until(lambda: len(set(seqs(basket))) == 1500, what="all of them")
    assert max(basket.batches) <= 500
    assert isinstance(basket.events[0], DriverLink), "the link is up before the first message counts"


async def test_a_last_will_says_that_the_pile_is_gone(broker: Broker) -> None:
    def field(value: bytes) -> bytes:
        return len(value).to_bytes(2) + value

    basket = Basket()
    async with driving(broker.url, basket):
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        flags = 0b0010_1110  # clean session, a will with QoS 1, retained
        body = field(b"MQTT") + bytes([4, flags, 0, 60])
        body += field(b"p-1") + field(f"{PILE}/status".encode()) + field(b'{"online": false}')
        writer.write(bytes([0x10, len(body)]) + body)
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
        writer.transport.abort()
        await until(lambda: basket.of(PileStatus), what="the will")
        assert basket.of(PileStatus)[0].online is False


async def test_retained_messages_are_flagged_and_retained_commands_reported(broker: Broker) -> None:
    async with client(broker) as pile:
        await pile.publish(f"{PILE}/telemetry", reading(1), qos=1, retain=True)
        await pile.publish(f"{PILE}/status", '{"online": true}', qos=1, retain=True)
        await pile.publish(f"{PILE}/command", '{"id": "old", "action": "reset_hard"}', qos=1, retain=True)
    basket = Basket()
    async with driving(broker.url, basket) as driver:
        await until(lambda: len(basket.events) >= 4, what="the link, the reading, the status and the alarm")
        assert [event.retained for event in basket.of(Telemetry)] == [True]
        assert [event.retained for event in basket.of(PileStatus)] == [True]
        assert [(event.reason, event.pile) for event in basket.of(Quarantined)] == [("retained_command", "p-1")]
        assert driver.counters.quarantined == {"retained_command": 1}


async def test_garbage_is_set_aside_while_others_flow(broker: Broker) -> None:
    basket = Basket()
    async with driving(broker.url, basket) as driver, client(broker) as pile:
        garbage = [b"", b"\xff\xfe", b"[" * 60_000, b"x" * 100_000, b'{"uptime_s":1e999}', b'{"pile":"p-2"}', b"null"]
        for seq, payload in enumerate(garbage):
            await pile.publish(f"{PILE}/telemetry", payload, qos=1)
            await pile.publish(f"{PILE}/telemetry", reading(seq), qos=1)
        await pile.publish("pile/v1/north/p!1/telemetry", "{}", qos=1)
        await until(lambda: len(basket.of(Quarantined)) == 8 and len(basket.of(Telemetry)) == 7, what="both kinds")
        assert sorted(event.reason for event in basket.of(Quarantined)) == sorted(
            ["not_json", "not_utf8", "wrong_shape", "too_large", "out_of_range", "identity_mismatch", "wrong_shape",
             "bad_topic"]
        )  # fmt: skip
        assert driver.connected
        assert driver.counters.totals["connects"] == 1
        await until(lambda: driver.counters.totals["acked"] == 15, what="garbage acknowledged too")


async def test_duplicates_are_handed_through(broker: Broker) -> None:
    basket = Basket()
    async with driving(broker.url, basket), client(broker) as pile:
        for _ in range(3):
            await pile.publish(f"{PILE}/telemetry", reading(7), qos=1)
        await until(lambda: len(basket.of(Telemetry)) == 3, what="three times the same")


async def test_withheld_acknowledgements_hold_the_broker_back(tmp_path: Path) -> None:
    basket = Basket(acks=False)
    window = {"max_inflight_messages 1000": "max_inflight_messages 50"}
    async with mosquitto(tmp_path, replace=window) as broker, driving(broker.url, basket), client(broker) as pile:
        for seq in range(120):
            await pile.publish(f"{PILE}/telemetry", reading(seq), qos=1)
        await until(lambda: len(basket.of(Telemetry)) == 50, what="one window full")
        await pile.publish(f"{PILE}/telemetry", reading(999), qos=0)  # overtakes: not counted in the window
        await until(lambda: 999 in seqs(basket), what="a message behind them")
        assert len(basket.of(Telemetry)) == 51
        basket.acks = True
        basket.release()
        await until(lambda: len(set(seqs(basket))) == 121, what="the rest")
        assert [seq for seq in seqs(basket) if seq != 999] == list(range(120))


async def test_a_pile_can_only_speak_as_itself(tmp_path: Path) -> None:
    accounts = tmp_path / "passwords"
    maker = need("mosquitto").replace("sbin/mosquitto", "bin/mosquitto") + "_passwd"
    for number, name in enumerate(("triage", "p-1", "complaints")):
        options = ["-c"] if number == 0 else []
        made = await asyncio.create_subprocess_exec(maker, "-b", *options, str(accounts), name, f"secret of {name}")
        assert await made.wait() == 0
    accounts.chmod(0o644)
    shipped = Path(__file__).resolve().parents[2] / "config" / "mosquitto" / "acl.example"
    broker = Mosquitto(
        tmp_path / "broker",
        conf="mosquitto-secure.conf",
        replace={
            "/etc/mosquitto/passwords": str(accounts),
            "/etc/mosquitto/acl": str(shipped),
            "cafile /etc/mosquitto/certs/ca.pem\n": "",
            "certfile /etc/mosquitto/certs/broker.pem\n": "",
            "keyfile /etc/mosquitto/certs/broker.key\n": "",
            "tls_version tlsv1.2\n": "",
            "listener 8883": "listener {port} 127.0.0.1",
        },
    )
    await broker.start()
    try:
        basket = Basket()
        async with (
            driving(broker.url, basket, username="triage", password="secret of triage"),
            client(broker, username="p-1", password="secret of p-1") as pile,
            client(broker, username="complaints", password="secret of complaints") as desk,
        ):
            await pile.publish("pile/v1/north/p-2/telemetry", reading(1), qos=1)
            await pile.publish(f"{PILE}/command", '{"id": "forged", "action": "reset_hard"}', qos=1, retain=True)
            await desk.publish(f"{PILE}/telemetry", reading(2), qos=1)
            await desk.publish("pile/v1/complaints", '{"id": "c", "text": "t"}', qos=1)
            await pile.publish(f"{PILE}/telemetry", reading(3), qos=1)
            await until(lambda: seqs(basket) and basket.of(ComplaintReceived), what="what was allowed")
            assert seqs(basket) == [3]
            assert not basket.of(Quarantined)
        with pytest.raises(aiomqtt.MqttError):
            async with client(broker):
                pass
    finally:
        await broker.stop()


async def certificates(folder: Path) -> None:
    """An authority and a certificate of the loopback address, for one day."""
    for line in (
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test-authority -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout broker.key -out broker.csr",
        "x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile names -out broker.pem",
    ):
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1", encoding="utf-8")
        made = await asyncio.create_subprocess_exec(
            "openssl", *line.split(), cwd=folder, stderr=asyncio.subprocess.PIPE
        )
        _, said = await made.communicate()
        assert made.returncode == 0, said


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_way_may_be_encrypted(factory: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path) -> None:
    async def story() -> None:
        await certificates(tmp_path)
        secure = {
            "/etc/mosquitto/certs/": f"{tmp_path}/",
            "listener 8883": "listener {port} 127.0.0.1",
            "allow_anonymous false\npassword_file /etc/mosquitto/passwords\nacl_file /etc/mosquitto/acl": (
                "allow_anonymous true"
            ),
        }
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        async with mosquitto(tmp_path / "broker", conf="mosquitto-secure.conf", replace=secure) as broker:
            url, basket = f"mqtts://127.0.0.1:{broker.port}", Basket()
            async with (
                driving(url, basket, ca_file=str(tmp_path / "ca.pem")),
                client(broker, tls_context=context) as pile,
            ):
                for seq in range(100):
                    await pile.publish(f"{PILE}/telemetry", reading(seq), qos=1)
                await until(lambda: seqs(basket) == list(range(100)), what="all in order")
            stranger = MqttDriver(url, client_id="daemon", clock=WallClock(), fresh_s=60, speed=20)
            await stranger.start(Basket())
            await until(lambda: stranger.counters.totals["connect_failures"], what="an unknown authority is refused")
            await stranger.stop()
            assert "certificate" in stranger.last_error.lower()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(story())


def test_it_runs_on_uvloop_too(tmp_path: Path) -> None:
    async def story() -> None:
        basket = Basket()
        async with broker_of("mosquitto", tmp_path) as broker, driving(broker.url, basket), client(broker) as pile:
            for seq in range(100):
                await pile.publish(f"{PILE}/telemetry", reading(seq), qos=1)
            await until(lambda: seqs(basket) == list(range(100)), what="all in order")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())
