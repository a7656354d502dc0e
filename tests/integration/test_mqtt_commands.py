"""Commands to piles: a second look, then at most once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from tests.integration.brokers import Basket, Broker, Proxy, broker_of, client, driving, mosquitto, until
from triage.core.effects import Command
from triage.core.events import Quarantined, Telemetry
from triage.core.vocabulary import Action
from triage.drivers.mqtt.driver import MqttDriver
from triage.interfaces import Dispatch

pytestmark = pytest.mark.integration
PILE = "pile/v1/north/p-1"


@pytest.fixture(params=["mosquitto", "embedded"])
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Broker]:
    async with broker_of(request.param, tmp_path / "broker") as running:
        yield running


def command(action: Action = Action.RESET_SOFT, ttl_s: float = 60, **args: Any) -> Command:
    now = datetime.now(UTC)
    return Command(
        id=f"a-{uuid.uuid4()}",
        site="north",
        pile="p-1",
        driver_profile="pile/v1",
        action=action,
        connector=0,
        issued_at=now,
        expires_at=now + timedelta(seconds=ttl_s),
        args=args,
    )


@contextlib.asynccontextmanager
async def device(broker: Broker) -> AsyncIterator[tuple[aiomqtt.Client, list[aiomqtt.Message]]]:
    """A pile with a lasting session that notes every command it is given."""
    heard: list[aiomqtt.Message] = []
    async with client(broker, identifier="p-1", clean_session=False) as pile:
        await pile.subscribe(f"{PILE}/command", qos=1)

        async def listen() -> None:
            async for message in pile.messages:
                heard.append(message)  # noqa: PERF401 -- one by one, as they come

        task = asyncio.create_task(listen())
        try:
            yield pile, heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def say(pile: aiomqtt.Client, basket: Basket, **connector: Any) -> None:
    """Let the pile speak, and wait until the driver has heard it."""
    before = len(basket.of(Telemetry))
    fields = {"id": 1, "status": "available", "session": None} | connector
    await pile.publish(f"{PILE}/telemetry", json.dumps({"connectors": [fields]}), qos=1)
    await until(lambda: len(basket.of(Telemetry)) > before, what="heard")


async def subscribed(driver: MqttDriver, times: int) -> None:
    await until(lambda: driver.counters.totals["subscriptions_in_force"] >= times, what="connected again")


async def test_a_command_reaches_its_pile_once_and_never_retained(broker: Broker) -> None:
    basket = Basket()
    async with driving(broker.url, basket) as driver, device(broker) as (pile, heard):
        await say(pile, basket)
        wanted = command(silent_ok="1", why="hung")
        assert await driver.send(wanted) == Dispatch("sent")
        await until(lambda: heard, what="the command")
        await say(pile, basket)
        (message,) = heard
        assert json.loads(bytes(message.payload))["args"] == {"why": "hung"}
        assert (message.qos, message.retain) == (1, False)
        assert not basket.of(Quarantined), "our own echo is not worth a line"
        assert driver.counters.dispatches == {"sent": 1}


async def test_the_second_look_refuses_on_what_the_pile_said_last(broker: Broker) -> None:
    basket = Basket()
    async with driving(broker.url, basket) as driver, device(broker) as (pile, heard):
        assert (await driver.send(command())).reason == "not_seen_on_this_connection"
        await say(pile, basket, status="charging", session="s-1")
        assert (await driver.send(command())) == Dispatch("not_sent", "charging")
        await say(pile, basket)
        assert (await driver.send(command(ttl_s=-1))) == Dispatch("not_sent", "expired")
        assert (await driver.send(command(nonsense=object()))) == Dispatch("not_sent", "cannot_be_written")
        assert (await driver.send(command())) == Dispatch("sent")
        await until(lambda: heard, what="the one that passed")
        assert len(heard) == 1
        assert driver.counters.refusals["charging"] == 1


async def test_nothing_leaves_while_the_broker_is_down(tmp_path: Path) -> None:
    basket = Basket()
    async with mosquitto(tmp_path) as broker, driving(broker.url, basket) as driver:
        async with device(broker) as (pile, _):
            await say(pile, basket)
        await broker.kill()
        await until(lambda: basket.links()[-1] is False, what="down")
        assert await driver.send(command()) == Dispatch("not_sent", "not_connected")
        assert await driver.send(command(Action.REPORT)) == Dispatch("not_sent", "not_connected")
        await broker.start()
        await until(lambda: basket.links()[-1] is True, what="up")
        async with device(broker) as (pile, heard):
            assert (await driver.send(command())).reason == "not_seen_on_this_connection"
            assert await driver.send(command(Action.REPORT)) == Dispatch("sent")
            await until(lambda: heard, what="the only one sent")
            assert [json.loads(bytes(m.payload))["action"] for m in heard] == ["report"]


async def test_a_command_whose_answer_was_lost_is_never_sent_again(broker: Broker) -> None:
    basket = Basket()
    async with (
        Proxy(broker.port) as proxy,
        driving(proxy.url, basket) as driver,
        device(broker) as (pile, heard),
    ):
        await say(pile, basket)
        proxy.answers = False  # the PUBLISH gets through, its PUBACK does not
        wanted = command()
        assert await driver.send(wanted) == Dispatch("sent")
        await until(lambda: heard, what="delivered")
        proxy.cut()
        proxy.answers = True
        for round_ in range(2, 5):
            await subscribed(driver, round_)
            await say(pile, basket)
            if round_ < 4:
                proxy.cut()
        assert await driver.send(command(Action.REPORT)) == Dispatch("sent")
        await until(lambda: len(heard) >= 2, what="a later command")
        assert [json.loads(bytes(m.payload))["action"] for m in heard] == ["reset_soft", "report"]
        assert bytes(proxy.upstream).count(wanted.id.encode()) == 1, "written to a socket once, over all connections"


async def test_a_connection_that_dies_while_writing_leaves_it_unknown(tmp_path: Path) -> None:
    basket = Basket()
    async with mosquitto(tmp_path) as broker, driving(broker.url, basket) as driver:
        async with device(broker) as (pile, _):
            await say(pile, basket)
        broker.pause()
        outcomes = [await driver.send(command(Action.PULL_LOG, ttl_s=0.5, ballast="x" * 200_000))]
        while outcomes[-1].outcome == "sent" and len(outcomes) < 200:
            outcomes.append(await driver.send(command(Action.PULL_LOG, ttl_s=0.5, ballast="x" * 200_000)))
        assert outcomes[-1] == Dispatch("unknown", "connection_lost_while_writing")
        await until(lambda: basket.links()[-1] is False, what="given up")
        assert (await driver.send(command())).outcome == "not_sent"
        broker.resume()


async def test_sending_is_not_held_up_by_another_command(broker: Broker) -> None:
    basket = Basket()
    async with driving(broker.url, basket) as driver, device(broker) as (pile, heard):
        await say(pile, basket)
        outcomes = await asyncio.gather(*(driver.send(command(Action.REPORT)) for _ in range(100)))
        assert {outcome.outcome for outcome in outcomes} == {"sent"}
        await until(lambda: len(heard) == 100, what="all of them")
