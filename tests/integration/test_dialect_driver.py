"""Dialects that profiles describe, over Mosquitto, with publishers that share no code with the driver."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from tests.integration.brokers import Basket, Mosquitto, Proxy, WallClock, client, mosquitto, until
from tests.unit.drivers.dialect.speech import profile_of, row
from triage.config.profile.file import Profile
from triage.core.effects import Command
from triage.core.events import (
    CommandAnswer,
    DriverLink,
    FaultClaim,
    PileStatus,
    Quarantined,
    Registration,
    Telemetry,
)
from triage.core.vocabulary import Action, AnswerResult, ConnectorStatus
from triage.drivers.dialect.driver import DialectDriver
from triage.errors import InputError
from triage.interfaces import Dispatch

pytestmark = pytest.mark.integration
SPEED = 10.0


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with mosquitto(tmp_path / "broker") as running:
        yield running


@contextlib.asynccontextmanager
async def driving(
    url: str, basket: Basket, *devices: tuple[Registration, Profile], **options: Any
) -> AsyncIterator[DialectDriver]:
    """A driver with its subscriptions in force, stopped at the end."""
    settings: dict[str, Any] = {"client_id": "daemon", "clock": WallClock(), "fresh_s": 60.0, "speed": SPEED}
    driver = DialectDriver(url, devices, **(settings | options))
    await driver.start(basket)
    try:
        await until(lambda: driver.counters.totals["subscriptions_in_force"], what=f"subscribed ({driver.last_error})")
        yield driver
    finally:
        await driver.stop()


class Device:
    """An independent publisher that notes what it is told."""

    def __init__(self, session: aiomqtt.Client, prefix: str) -> None:
        self.told: list[tuple[str, str]] = []
        self.reacts: Callable[[str, str], Any] | None = None
        self._session = session
        self._prefix = prefix

    async def say(self, key: str, payload: Any, *, retain: bool = False) -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload)
        await self._session.publish(f"{self._prefix}/{key}", raw, qos=1, retain=retain)

    async def listen(self) -> None:
        async for message in self._session.messages:
            assert not message.retain, "a command that the broker keeps is carried out again and again"
            topic, payload = message.topic.value.removeprefix(f"{self._prefix}/"), bytes(message.payload).decode()
            self.told.append((topic, payload))
            if self.reacts is not None:
                await self.reacts(topic, payload)


@contextlib.asynccontextmanager
async def device(broker: Mosquitto, prefix: str, *commands: str, **options: Any) -> AsyncIterator[Device]:
    async with client(broker, **options) as session:
        there = Device(session, prefix)
        for topic in commands:
            await session.subscribe(f"{prefix}/{topic}", qos=1)
        listening = asyncio.create_task(there.listen())
        try:
            yield there
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def command(action: Action = Action.RESET_SOFT, pile: str = "p-1", **more: Any) -> Command:
    now = datetime.now(UTC)
    fields: dict[str, Any] = {"id": f"a-{uuid.uuid4()}", "connector": 0, "args": {}, "ttl_s": 60.0} | more
    ttl_s = fields.pop("ttl_s")
    return Command(
        site="north",
        pile=pile,
        driver_profile="box",
        action=action,
        issued_at=now,
        expires_at=now + timedelta(seconds=ttl_s),
        **fields,
    )


async def reading(basket: Basket, holds: Callable[[Telemetry], object] = bool, since: int = 0) -> Telemetry:
    """The first reading after ``since`` others that ``holds``."""

    def found() -> list[Telemetry]:
        return [event for event in basket.of(Telemetry)[since:] if holds(event)]

    await until(found, what="a reading")
    return found()[0]


def codes(event: Telemetry) -> list[str]:
    return [claim.code for claim in event.faults]


def status(event: Telemetry) -> ConnectorStatus | None:
    return event.readings[0].status


# --- one retained topic a value ---------------------------------------------------------------------------------------

KEYS = """
mqtt:
  values:
    car: {topic: "go/{device}/car", type: number}
    err: {topic: "go/{device}/err", type: number}
    amp: {topic: "go/{device}/amp", unit: A, range: [0, 80]}
    boots: {topic: "go/{device}/rbc"}
    firmware: {topic: "go/{device}/fwv", type: text}
    maker: {topic: "go/{device}/oem", type: text}
  presence: {topic: "go/{device}/mcc", online: [true], offline: [false]}
status:
  - from: car
    map: {"1": available, "2": charging}
faults:
  - from: err
    codes: {"8": GroundFailure, "17": CommunicationFault}
readings: {current_a: amp}
boot: {counter: boots}
identity: {firmware: firmware, expect: [{maker: {one_of: [go, unknown]}}]}
actions:
  reset_soft:
    does: {en: Restarts, zh: 重启}
    require: {car: {ne: 2}}
    steps: [{publish: {topic: "go/{device}/rst/set", payload: "true"}}]
    answer: {topic: "go/{device}/rst/result", accepted: [success]}
"""
GO = (row(endpoint="221"), profile_of(KEYS))


@contextlib.asynccontextmanager
async def go(broker: Mosquitto) -> AsyncIterator[Device]:
    will = aiomqtt.Will("go/221/mcc", "false", qos=1, retain=True)
    async with device(broker, "go/221", "rst/set", identifier="go-221", will=will) as box:
        yield box


async def tell(box: Device, *, retain: bool = True, **keys: Any) -> None:
    for key, value in keys.items():
        await box.say(key, value, retain=retain)


async def test_retained_values_make_a_picture_and_only_a_live_one_a_reading(broker: Mosquitto) -> None:
    basket = Basket()
    async with go(broker) as box:
        await tell(box, oem="go", car=1, err=17, rbc=4, fwv="055.5", mcc=True)
        async with driving(broker.url, basket, GO) as driver:
            await until(lambda: driver.counters.totals["messages"] >= 6, what="all that was kept")
            assert (await driver.send(command())).reason == "not_seen_on_this_connection"
            assert basket.of(Telemetry) == []
            began = datetime.now(UTC)
            await tell(box, amp=0)
            event = await reading(basket)
        (kept, born) = basket.of(PileStatus)
        assert (kept.online, kept.retained, kept.boot_id) == (True, True, None)
        assert (born.online, born.retained, born.boot_id, born.firmware) == (True, False, "4", "055.5")
        assert (event.site, event.pile, event.driver, event.retained) == ("north", "p-1", "dialect", False)
        assert began <= event.received_at <= datetime.now(UTC)
        assert (status(event), codes(event)) == (ConnectorStatus.AVAILABLE, ["CommunicationFault"])
        assert event.readings[0].session_known
        assert event.readings[0].current_a == 0
        assert basket.links() == [True]


async def test_values_that_arrive_together_make_one_reading(broker: Mosquitto) -> None:
    basket = Basket()
    async with go(broker) as box, driving(broker.url, basket, GO, speed=2.0) as driver:
        for round_ in range(4):
            await tell(box, oem="go", car=1, err=0, amp=round_, rbc=1)
        await until(lambda: driver.counters.totals["messages"] == 20, what="all heard")
        event = await reading(basket, lambda event: event.readings[0].current_a == 3)
        assert status(event) is ConnectorStatus.AVAILABLE
        assert len(basket.of(Telemetry)) == 1
        assert len(basket.of(PileStatus)) == 1


async def test_a_last_will_is_told_and_only_new_words_bring_it_back(broker: Mosquitto) -> None:
    basket = Basket()
    async with driving(broker.url, basket, GO) as driver:
        async with Proxy(broker.port) as proxy:
            will = aiomqtt.Will("go/221/mcc", "false", qos=1, retain=True)
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", proxy.port, identifier="go-221", will=will) as session:
                    box = Device(session, "go/221")
                    await tell(box, mcc=True, oem="go", car=1, err=0)
                    await reading(basket)
                    assert await driver.send(command()) == Dispatch("sent")
                    proxy.cut()
                    await until(lambda: not basket.of(PileStatus)[-1].online, what="the will")
            session._disconnected.exception()  # else asyncio complains that nobody looked
        assert (await driver.send(command())).reason == "pile_offline"
        known = len(basket.of(Telemetry))
        async with go(broker) as box:
            await tell(box, mcc=True)
            await until(lambda: basket.of(PileStatus)[-1].online, what="back")
            assert not basket.of(PileStatus)[-1].retained
            assert (await driver.send(command())).outcome == "not_sent", "it is back, and has said nothing of a car"
            assert len(basket.of(Telemetry)) == known
            await tell(box, car=1)
            await reading(basket, since=known)
            assert await driver.send(command()) == Dispatch("sent")


async def test_a_boot_counter_that_grew_proves_the_restart(broker: Mosquitto) -> None:
    basket = Basket()
    async with go(broker) as box, driving(broker.url, basket, GO) as driver:
        await tell(box, oem="go", car=1, err=17, rbc=4)
        await reading(basket)
        assert await driver.send(command()) == Dispatch("sent")
        await until(lambda: box.told == [("rst/set", "true")], what="told once")
        await tell(box, rbc=5, err=0)
        event = await reading(basket, lambda event: not event.faults)
        assert [each.boot_id for each in basket.of(PileStatus)] == ["4", "5"]
        assert basket.events.index(basket.of(PileStatus)[-1]) < basket.events.index(event)


async def test_the_answer_on_the_results_topic_is_the_commands(broker: Mosquitto) -> None:
    basket = Basket()
    async with go(broker) as box, driving(broker.url, basket, GO) as driver:
        await tell(box, oem="go", car=1, err=17)
        await reading(basket)
        await box.say("rst/result", "success")  # to somebody else
        results = iter(["success", "writing is off"])

        async def react(_topic: str, _payload: str) -> None:
            await box.say("rst/result", next(results))

        box.reacts = react
        first, second = command(), command()
        assert await driver.send(first) == Dispatch("sent")
        await until(lambda: len(basket.of(CommandAnswer)) == 1, what="answered")
        assert await driver.send(second) == Dispatch("sent")
        await until(lambda: len(basket.of(CommandAnswer)) == 2, what="answered")
    told = [(answer.command, answer.result, answer.reason) for answer in basket.of(CommandAnswer)]
    assert told == [(first.id, AnswerResult.ACCEPTED, ""), (second.id, AnswerResult.REFUSED, "writing is off")]


async def test_who_charges_is_not_restarted(broker: Mosquitto) -> None:
    basket = Basket()
    async with go(broker) as box, driving(broker.url, basket, GO) as driver:
        await tell(box, oem="go", car=1, err=17)
        await reading(basket)
        await tell(box, car=2)
        await reading(basket, lambda event: status(event) is ConnectorStatus.CHARGING)
        assert await driver.send(command()) == Dispatch("not_sent", "charging")
        await tell(box, car=1, err=8)
        await reading(basket, lambda event: codes(event) == ["GroundFailure"])
        assert await driver.send(command()) == Dispatch("not_sent", "dangerous_fault")
        await tell(box, car=7, err=17)
        await reading(basket, lambda event: status(event) is None)
        assert (await driver.send(command())).outcome == "not_sent"
        assert box.told == []
        assert driver.counters.refusals["charging"] == 1


async def test_a_car_is_seen_before_its_reading_is_due(broker: Mosquitto) -> None:
    basket = Basket()
    async with go(broker) as box, driving(broker.url, basket, GO, speed=0.5) as driver:
        await tell(box, oem="go", car=1, err=17)
        await reading(basket)
        heard = driver.counters.totals["messages"]
        await tell(box, car=2)
        await until(lambda: driver.counters.totals["messages"] > heard, what="heard")
        assert await driver.send(command()) == Dispatch("not_sent", "car is 2 and must be other than 2")
        assert box.told == []


async def test_another_model_at_this_name_is_flagged_and_left_alone(broker: Mosquitto) -> None:
    basket = Basket()
    async with go(broker) as box, driving(broker.url, basket, GO) as driver:
        await tell(box, oem="go", car=1, err=17)
        await reading(basket)
        await tell(box, oem="toaster")
        await until(lambda: basket.of(Quarantined), what="flagged")
        (kept,) = basket.of(Quarantined)
        assert (kept.driver, kept.reason, kept.pile, kept.topic) == ("dialect", "wrong_identity", "p-1", "221")
        assert b"maker is 'toaster'" in kept.sample
        dispatch = await driver.send(command())
        assert dispatch.outcome == "not_sent"
        assert dispatch.reason.startswith("it is left alone: maker is 'toaster'")
        assert driver.refuse(command(), datetime.now(UTC)) == dispatch.reason
        assert await driver.look("p-1") is None
        assert "p-1" in (driver.trouble() or "")
        known = len(basket.of(Telemetry))
        await tell(box, car=1, amp=1)
        await tell(box, oem="go")
        await reading(basket, lambda event: event.readings[0].current_a == 1, since=known)
        assert driver.trouble() is None
        assert len(basket.of(Telemetry)) == known + 1
    assert box.told == []


async def test_impossible_values_are_flagged_and_never_acted_upon(broker: Mosquitto) -> None:
    basket = Basket()
    async with go(broker) as box, driving(broker.url, basket, GO) as driver:
        await tell(box, oem="go", car=1, err=17, amp=0)
        await reading(basket)
        known = len(basket.of(Telemetry))
        await tell(box, amp=9_999)
        await until(lambda: basket.of(Quarantined), what="flagged")
        (kept,) = basket.of(Quarantined)
        assert (kept.reason, kept.topic, kept.sample, kept.pile) == ("impossible", "go/221/amp", b"9999", "p-1")
        await until(lambda: driver.counters.totals["readings_withheld"], what="no reading of it")
        assert (await driver.send(command())).outcome == "not_sent"
        assert len(basket.of(Telemetry)) == known
    assert box.told == []


async def test_garbage_harms_nothing_but_itself(broker: Mosquitto) -> None:
    basket = Basket()
    async with go(broker) as box, driving(broker.url, basket, GO, (row("p-2"), GO[1])) as driver:
        await tell(box, oem="go", car=1, err=17)
        await reading(basket)
        for payload in (b"{", b"\xff\xfe", b"[" * 20_000, b"x" * 70_000):
            await box.say("amp", payload)
        await box.say("mcc", "who knows")
        await until(lambda: len(basket.of(Quarantined)) == 5, what="all put aside")
        told = [(kept.reason, kept.size, len(kept.sample) <= 4096, kept.pile) for kept in basket.of(Quarantined)]
        assert told == [
            ("not_json", 1, True, "p-1"),
            ("not_json", 2, True, "p-1"),
            ("not_json", 20_000, True, "p-1"),
            ("too_large", 70_000, True, "p-1"),
            ("wrong_shape", 11, True, "p-1"),
        ]
        for _ in range(50):
            await box.say("amp", b"}")
        await until(lambda: driver.counters.quarantined["not_json"] == 53, what="counted")
        assert len(basket.of(Quarantined)) == 5, "a flood is not handed on"
        async with device(broker, "go/p-2") as other:
            await tell(other, oem="go", car=b"no", err=0)
            await until(lambda: basket.of(Quarantined)[-1].pile == "p-2", what="another's is")
        known = len(basket.of(Telemetry))
        await tell(box, car=2)
        event = await reading(basket, lambda event: event.pile == "p-1", since=known)
        assert status(event) is ConnectorStatus.CHARGING


async def test_what_was_known_before_an_outage_permits_nothing_after_it(broker: Mosquitto) -> None:
    basket = Basket()
    async with go(broker) as box, Proxy(broker.port) as proxy, driving(proxy.url, basket, GO) as driver:
        await tell(box, oem="go", car=1, err=17)
        await reading(basket)
        proxy.cut()
        await until(lambda: basket.links()[-1] is False, what="down")
        assert await driver.send(command()) == Dispatch("not_sent", "not_connected")
        await tell(box, car=2)
        await until(lambda: driver.counters.totals["subscriptions_in_force"] == 2, what="up again")
        await until(lambda: basket.links()[-1] is True, what="told so")
        assert (await driver.send(command())).outcome == "not_sent"
        await tell(box, amp=6)
        event = await reading(basket, lambda event: event.readings[0].current_a == 6)
        assert status(event) is ConnectorStatus.CHARGING, "what the broker retains was told again"
        assert codes(event) == ["CommunicationFault"]
        assert (await driver.send(command())).outcome == "not_sent"
    assert box.told == []


async def test_a_broker_that_is_down_at_the_start_is_waited_for(tmp_path: Path) -> None:
    basket, broker = Basket(), Mosquitto(tmp_path / "broker")
    driver = DialectDriver(broker.url, [GO], client_id="daemon", clock=WallClock(), fresh_s=60.0, speed=SPEED)
    await driver.start(basket)
    try:
        await until(lambda: basket.links() == [False], what="told that it is down")
        assert (driver.trouble() or "").startswith("no broker: ")
        assert await driver.send(command(Action.RESET_SOFT)) == Dispatch("not_sent", "not_connected")
        assert (await driver.send(command(pile="p-9"))).outcome == "not_sent"
        assert await driver.look("p-1") is None
        await broker.start()
        await until(lambda: basket.links() == [False, True], what="up")
        assert driver.trouble() is None
    finally:
        await driver.stop()
        await broker.stop()
    assert {event.driver for event in basket.of(DriverLink)} == {"dialect"}


# --- JSON documents ---------------------------------------------------------------------------------------------------

DOCUMENTS = """
mqtt:
  device: "[^+#]+"
  first_connector: 0
  values:
    state: {topic: "{device}/evse/{connector}", path: charger_state, type: number, of: connector}
    error: {topic: "{device}/evse/{connector}", path: error_state, type: number, of: connector}
    milliamps: {topic: "{device}/meter", path: "amps[{connector}]", unit: mA, of: connector}
    uptime: {topic: "{device}/evse/0", path: uptime, unit: ms}
  ask:
    - {topic: "{device}/ask", payload: '{"for": "{device}", "id": "{id}", "at": {now_ms}}'}
status:
  - from: state
    map: {"0": available, "3": charging, "4": faulted}
faults:
  - from: error
    codes: {"3": GroundFailure, "5": CommunicationFault}
readings: {current_a: milliamps}
boot: {uptime: uptime}
actions:
  reset_hard:
    does: {en: Restarts, zh: 重启}
    require: {connector_status: {none_of: [charging]}}
    steps:
      - publish: {topic: "{device}/evse/{connector}/stop", payload: "null", qos: 0}
      - wait_s: 0.5
      - publish: {topic: "{device}/reboot", payload: '{"id": "{id}"}'}
      - expect: {state: 0}
  unlock:
    does: {en: Releases, zh: 解锁}
    steps:
      - publish: {topic: "{device}/evse/{connector}/unlock", payload: "{connector}"}
"""
WARP = (row(endpoint="site/warp-1", connectors=2), profile_of(DOCUMENTS))


def warp(broker: Mosquitto) -> contextlib.AbstractAsyncContextManager[Device]:
    return device(broker, "site/warp-1", "ask", "reboot", "evse/+/stop", "evse/+/unlock")


async def test_documents_are_read_connector_by_connector(broker: Mosquitto) -> None:
    basket = Basket()
    async with warp(broker) as box, driving(broker.url, basket, WARP):
        await box.say("evse/0", {"charger_state": 3, "error_state": 0, "uptime": 61_000, "more": [1]})
        await box.say("evse/1", {"charger_state": 4, "error_state": 5})
        await box.say("meter", {"amps": [16_000, 0]})
        event = await reading(basket, lambda event: event.readings[0].current_a)
    assert [(each.connector, each.status, each.current_a) for each in event.readings] == [
        (1, ConnectorStatus.CHARGING, 16),
        (2, ConnectorStatus.FAULTED, 0),
    ]
    assert event.faults == (FaultClaim(code="CommunicationFault", connector=2, info="error 5"),)
    assert event.uptime_s is not None
    assert 61 <= event.uptime_s < 80


async def test_devices_are_asked_when_we_come_and_whenever_a_report_is_wanted(broker: Mosquitto) -> None:
    basket = Basket()
    async with warp(broker) as box, driving(broker.url, basket, WARP) as driver:
        await until(lambda: box.told, what="asked at the start")
        asked = json.loads(box.told[0][1])
        assert asked["for"] == "site/warp-1"
        assert abs(asked["at"] / 1000 - datetime.now(UTC).timestamp()) < 60
        wanted = command(Action.REPORT)
        assert await driver.send(wanted) == Dispatch("sent")
        await until(lambda: len(box.told) == 2, what="asked again")
        assert json.loads(box.told[1][1])["id"] == wanted.id
        assert basket.of(CommandAnswer) == [], "its reading is the answer"
    basket = Basket()
    async with driving(broker.url, basket, GO) as driver:
        assert await driver.send(command(Action.REPORT)) == Dispatch("not_sent", "it cannot be asked")
        assert await driver.send(command(Action.UNLOCK)) == Dispatch("not_sent", "this model has no unlock")


async def test_the_steps_of_a_command_are_carried_out_in_order_and_seen(broker: Mosquitto) -> None:
    basket = Basket()
    registration, profile = WARP
    single = row(endpoint=registration.endpoint)
    async with warp(broker) as box, driving(broker.url, basket, (single, profile)) as driver:
        await box.say("evse/0", {"charger_state": 0, "error_state": 5, "uptime": 900_000_000})
        await reading(basket)

        async def react(topic: str, _payload: str) -> None:
            if topic == "reboot":
                await box.say("evse/0", {"charger_state": 0, "error_state": 0, "uptime": 1_000})

        box.reacts = react
        wanted = command(Action.RESET_HARD)
        assert await driver.send(wanted) == Dispatch("sent")
        busy = await driver.send(command(Action.UNLOCK, connector=1))
        assert busy == Dispatch("not_sent", "the action before is still under way")
        await until(lambda: basket.of(CommandAnswer), what="seen to do it")
        told = [(topic, payload) for topic, payload in box.told if topic != "ask"]
        assert told == [("evse/0/stop", "null"), ("reboot", json.dumps({"id": wanted.id}))]
        (answer,) = basket.of(CommandAnswer)
        assert (answer.command, answer.result) == (wanted.id, AnswerResult.ACCEPTED)
        event = await reading(basket, lambda event: not event.faults)
        assert event.uptime_s is not None
        assert event.uptime_s < 60
        (_, boot) = basket.of(PileStatus)
        assert (boot.boot_id or "").startswith("start "), "an uptime that fell is a boot"


async def test_a_step_that_does_not_come_true_proves_nothing(broker: Mosquitto) -> None:
    basket = Basket()
    single = row(endpoint="site/warp-1")
    async with warp(broker) as box, driving(broker.url, basket, (single, WARP[1]), speed=50.0) as driver:
        await box.say("evse/0", {"charger_state": 0, "error_state": 5})
        await reading(basket)
        assert await driver.send(command(Action.RESET_HARD)) == Dispatch("sent")
        await until(lambda: driver.counters.totals["actions_broken_off"], what="given up")
        assert basket.of(CommandAnswer) == [], "an old word is no proof"
        assert (await driver.send(command(Action.UNLOCK, connector=1))) == Dispatch("sent"), "and it is free again"


async def test_a_command_names_the_devices_own_connector(broker: Mosquitto) -> None:
    basket = Basket()
    async with warp(broker) as box, driving(broker.url, basket, WARP) as driver:
        for number in (0, 1):
            await box.say(f"evse/{number}", {"charger_state": 0, "error_state": 0})
        await reading(basket, lambda event: all(each.status for each in event.readings))
        assert await driver.send(command(Action.UNLOCK, connector=2)) == Dispatch("sent")
        await until(lambda: ("evse/1/unlock", "1") in box.told, what="told")
        assert (await driver.send(command(Action.UNLOCK, connector=3))).reason == "it has no connector 3"
        assert (await driver.send(command(Action.UNLOCK))).reason == "connector_not_given"
        await box.say("evse/1", {"charger_state": 3, "error_state": 0})
        await reading(basket, lambda event: event.readings[1].status is ConnectorStatus.CHARGING)
        assert await driver.send(command(Action.RESET_HARD)) == Dispatch("not_sent", "charging")


async def test_a_connection_that_ends_takes_the_rest_of_a_command_with_it(broker: Mosquitto) -> None:
    basket = Basket()
    single = row(endpoint="site/warp-1")
    async with (
        warp(broker) as box,
        Proxy(broker.port) as proxy,
        driving(proxy.url, basket, (single, WARP[1]), speed=3.0) as driver,
    ):
        await box.say("evse/0", {"charger_state": 0, "error_state": 5})
        await reading(basket)
        assert await driver.send(command(Action.RESET_HARD)) == Dispatch("sent")
        await until(lambda: ("evse/0/stop", "null") in box.told, what="begun")
        proxy.cut()
        await until(lambda: driver.counters.totals["subscriptions_in_force"] == 2, what="back")
        await box.say("evse/0", {"charger_state": 0, "error_state": 5})
        await until(lambda: box.told[-1][0] == "ask", what="a later message")
        assert [topic for topic, _ in box.told if topic == "reboot"] == []


# --- events, answers by id, batches -----------------------------------------------------------------------------------

EVENTS = """
mqtt:
  device: "[^+#/]+/[^+#/]+"
  device_example: product/device
  whole: false
  values:
    status: {topic: "/sys/{device}/post", path: "params.Status", type: number}
    code: {topic: "/sys/{device}/post", path: "params.Code", type: text}
  events:
    - does: raise
      topic: "/sys/{device}/event"
      when: "state == 'occur'"
      key: id
      code: code
      info: text
      codes: {E1: RcdTripped}
    - does: clear
      topic: "/sys/{device}/event"
      when: "state == 'recover'"
      key: id
    - does: list
      topic: "/sys/{device}/active"
      path: faults
      key: id
      code: code
      info: text
      codes: {E1: RcdTripped}
status:
  - from: status
    map: {"0": available, "2": charging}
faults:
  - from: code
    codes: {"7": CommunicationFault}
    none: ["0", ""]
actions:
  reset_soft:
    does: {en: Restarts, zh: 重启}
    steps:
      - publish:
          topic: "/sys/{device}/service/Reboot"
          payload: '{"id": "{id}", "params": {"who": "{device}", "keep": "{this}"}}'
    answer: {topic: "/sys/{device}/service/Reboot_reply", path: code, accepted: [200], unsupported: [404], id: id,
      reason: message}
  pull_log:
    does: {en: Hands over its log, zh: 上传日志}
    steps: [{publish: {topic: "/sys/{device}/log/{id}"}}]
    answer: {topic: "/sys/{device}/log/answer={id}", accepted: [true]}
"""
CLOUD = (row(endpoint="pk/d-1"), profile_of(EVENTS))


def cloud(broker: Mosquitto) -> contextlib.AbstractAsyncContextManager[Device]:
    return device(broker, "/sys/pk/d-1", "service/Reboot", "log/+")


async def test_each_batch_is_a_reading_over_what_is_known(broker: Mosquitto) -> None:
    basket = Basket()
    async with cloud(broker) as box, driving(broker.url, basket, CLOUD):
        for params in ({"Status": 0}, {"Code": "7"}, {"Status": 2}, {"Other": 1}, {"Code": "0"}):
            await box.say("post", {"params": params})
        await until(lambda: len(basket.of(Telemetry)) == 5, what="a reading each")
    said = [(str(status(event)), codes(event)) for event in basket.of(Telemetry)]
    assert said == [
        ("available", []),
        ("available", ["CommunicationFault"]),
        ("charging", ["CommunicationFault"]),
        ("charging", ["CommunicationFault"]),
        ("charging", []),
    ]


async def test_events_raise_and_clear_faults_and_a_restart_forgets_none(broker: Mosquitto) -> None:
    basket = Basket()
    async with cloud(broker) as box:
        async with driving(broker.url, basket, CLOUD) as driver:
            await box.say("post", {"params": {"Status": 0, "Code": "7"}})
            await box.say("event", {"state": "occur", "id": 1, "code": "E1", "text": "leak"})
            await box.say("event", {"state": "occur", "id": 2, "code": "E9", "text": "odd thing"})
            event = await reading(basket, lambda event: len(event.faults) == 3)
            assert event.faults[1:] == (
                FaultClaim(code="RcdTripped", info="«1» E1: leak"),
                FaultClaim(code="E9", info="«2» odd thing"),
            )
            assert await driver.send(command()) == Dispatch("not_sent", "dangerous_fault")
        core = {"p-1": event.faults}
        # Another process. What happened while nobody was there waits at the broker.
        await box.say("event", {"state": "recover", "id": 2, "code": "E9"})
        basket = Basket()
        async with driving(broker.url, basket, CLOUD, recall=lambda pile: core[pile]) as driver:
            event = await reading(basket)
            assert codes(event) == ["CommunicationFault", "RcdTripped"], "nobody said that the others are gone"
            assert (await driver.send(command())).outcome == "not_sent"
            await box.say("event", {"state": "recover", "id": 1, "code": "E1"})
            await box.say("post", {"params": {"Status": 0, "Code": "0"}})
            await reading(basket, lambda event: not event.faults)
            known = len(basket.of(Telemetry))
            await box.say("active", {"faults": [{"id": 5, "code": "E1"}]})
            await box.say("active", {"faults": []})
            await reading(basket, lambda event: not event.faults, since=known)
            assert basket.of(Telemetry)[known].faults == (FaultClaim(code="RcdTripped", info="«5» E1"),)


async def test_an_answer_is_matched_by_the_commands_id(broker: Mosquitto) -> None:
    basket = Basket()
    async with cloud(broker) as box, driving(broker.url, basket, CLOUD) as driver:
        await box.say("post", {"params": {"Status": 0, "Code": "0"}})
        await reading(basket)

        async def react(topic: str, payload: str) -> None:
            if topic == "service/Reboot":
                asked = json.loads(payload)
                assert asked["params"] == {"who": "pk/d-1", "keep": "{this}"}
                await box.say("service/Reboot_reply", {"id": "somebody else's", "code": 200})
                await box.say("service/Reboot_reply", {"id": asked["id"], "code": 404, "message": "no such service"})
            else:
                await box.say(topic.replace("/", "/answer="), True)

        box.reacts = react
        odd = command(id='a-"1"\\{now_ms}')
        assert await driver.send(odd) == Dispatch("sent")
        await until(lambda: basket.of(CommandAnswer), what="answered")
        (answer,) = basket.of(CommandAnswer)
        assert (answer.command, answer.result, answer.reason) == (odd.id, AnswerResult.UNSUPPORTED, "no such service")
        wanted = command(Action.PULL_LOG)
        assert await driver.send(wanted) == Dispatch("sent")
        await until(lambda: len(basket.of(CommandAnswer)) == 2, what="answered on a topic of its own")
        answer = basket.of(CommandAnswer)[1]
        assert (answer.command, answer.result) == (wanted.id, AnswerResult.ACCEPTED)


async def test_a_batch_is_acknowledged_when_it_is_durable(broker: Mosquitto) -> None:
    basket = Basket(acks=False)
    async with cloud(broker) as box:
        async with driving(broker.url, basket, CLOUD):
            await box.say("event", {"state": "occur", "id": 1, "code": "E1"})
            await reading(basket)
        # It died before the commit: the broker has kept the event.
        basket = Basket()
        async with driving(broker.url, basket, CLOUD):
            assert codes(await reading(basket)) == ["RcdTripped"]
        basket = Basket()
        async with driving(broker.url, basket, CLOUD):
            await box.say("post", {"params": {"Status": 0}})
            assert codes(await reading(basket)) == [], "acknowledged, it does not come again"


# --- switches ---------------------------------------------------------------------------------------------------------

SWITCH = """
kind: switch
mqtt:
  first_connector: 0
  values:
    on: {topic: "relay/{device}/{connector}", path: output, type: bool, of: connector}
    watts: {topic: "relay/{device}/{connector}", path: watts, unit: W, of: connector}
  presence: {topic: "relay/{device}/online", payload: text, online: ["true"], offline: ["false"]}
  ask: [{topic: "relay/{device}/ask"}]
switching:
  state: on
  load_w: watts
  off:
    - publish: {topic: "relay/{device}/{connector}/set", payload: "off"}
    - expect: {on: false}
      within_s: 20
  on:
    - publish: {topic: "relay/{device}/{connector}/set", payload: "on"}
"""


async def test_a_switch_is_asked_and_switched_but_never_reported(broker: Mosquitto) -> None:
    basket = Basket()
    profile = profile_of(SWITCH, "relay")
    assert profile.switching is not None
    plug = (row("relay@plug-1", profile="relay", endpoint="plug-1", site="", region="", connectors=2), profile)
    async with (
        device(broker, "relay/plug-1", "ask", "+/set") as box,
        driving(broker.url, basket, plug) as driver,
    ):
        state = {0: True, 1: True}

        async def react(topic: str, payload: str) -> None:
            if topic == "ask":
                for number, on in state.items():
                    await box.say(str(number), {"output": on, "watts": 3})
            else:
                state[int(topic[0])] = payload == "on"
                await box.say(topic[0], {"output": payload == "on", "watts": 0})

        box.reacts = react
        await box.say("online", b"true")
        values = await driver.look("relay@plug-1")
        assert values is not None
        assert (values.of(1)["on"], values.of(2)["watts"]) == (True, 3)
        assert await driver.carry_out("relay@plug-1", 2, profile.switching.off) == Dispatch("sent")
        assert [told for told in box.told if told[0] != "ask"] == [("1/set", "off")]
        values = await driver.look("relay@plug-1")
        assert values is not None
        assert (values.of(1)["on"], values.of(2)["on"]) == (True, False)
        box.reacts = None
        dispatch = await driver.carry_out("relay@plug-1", 1, profile.switching.off)
        assert dispatch.outcome == "unknown"
        assert "on is true" in dispatch.reason
        assert await driver.look("relay@plug-1") is None, "asked, and silent"
        assert (await driver.carry_out("relay@plug-1", 3, profile.switching.on)).outcome == "not_sent"
        assert (await driver.carry_out("nobody", 1, profile.switching.on)).outcome == "not_sent"
    assert {type(event) for event in basket.events} == {DriverLink}


# --- a fleet that changes ---------------------------------------------------------------------------------------------


async def test_a_fleet_that_grows_is_listened_to_with_all_that_is_retained(broker: Mosquitto) -> None:
    basket = Basket()
    keys, documents = GO[1], WARP[1]
    rows = [(row(f"p-{number}", endpoint=str(number)), keys) for number in range(1, 40)]
    async with device(broker, "go/30") as box, device(broker, "w", "ask") as late:
        await tell(box, oem="go", car=1, err=8)
        async with driving(broker.url, basket, *rows[:2]) as driver:
            await tell(box, amp=1)
            assert driver.counters.totals["messages"] == 0, "nobody's"
            driver.adopt([*rows, (row("p-w", endpoint="w"), documents)])
            await until(lambda: late.told, what="the new one is asked")
            await tell(box, amp=2)
            event = await reading(basket)
            assert (event.pile, codes(event), status(event)) == ("p-30", ["GroundFailure"], ConnectorStatus.AVAILABLE)
            async with device(broker, "go/stranger") as stranger:
                await tell(stranger, car=1)
            await until(lambda: basket.of(Quarantined), what="somebody nobody knows")
            (kept,) = basket.of(Quarantined)
            assert (kept.reason, kept.topic, kept.pile) == ("unknown_topic", "go/stranger/car", None)
            driver.adopt(rows[:1])
            assert (await driver.send(command(pile="p-30"))).outcome == "not_sent"
            with pytest.raises(InputError):
                driver.adopt([*rows, (row("p-99", endpoint="1"), keys)])


def asked_within(times: Sequence[float]) -> float:
    return max(times) - min(times)


async def test_a_large_fleet_is_not_asked_all_at_once(broker: Mosquitto) -> None:
    basket = Basket()
    rows = [(row(f"p-{number}", endpoint=f"fleet/{number}"), WARP[1]) for number in range(60)]
    times: list[float] = []
    async with client(broker) as session:
        await session.subscribe("fleet/+/ask")
        async with driving(broker.url, basket, *rows):
            async with asyncio.timeout(20):
                async for _ in session.messages:
                    times.append(asyncio.get_running_loop().time())
                    if len(times) == 60:
                        break
    assert asked_within(times) > 1.0, "at most fifty a second"


KEEPALIVE = (
    KEYS
    + """
keepalive:
  does: {en: Keeps control, zh: 保持控制}
  enabled: true
  every_s: 2
  steps: [{publish: {topic: "go/{device}/alive", payload: "1"}}]
"""
)


async def test_a_keepalive_beats_only_for_who_is_there(broker: Mosquitto) -> None:
    basket = Basket()
    profile = profile_of(KEEPALIVE)
    async with (
        device(broker, "go/221", "alive") as box,
        device(broker, "go/222", "alive") as gone,
        driving(broker.url, basket, (row(endpoint="221"), profile), (row("p-2", endpoint="222"), profile)) as driver,
    ):
        await until(lambda: driver.counters.totals["beats_left_out"] >= 2, what="nobody was heard yet")
        assert box.told == []
        await tell(box, oem="go", car=1)
        await until(lambda: len(box.told) >= 3, what="beats")
        assert set(box.told) == {("alive", "1")}
        assert gone.told == []


# --- a broker that grants only some topics ----------------------------------------------------------------------------


class Strict:
    """As much of a broker as it takes to refuse some subscriptions and to tell one thing about the others."""

    def __init__(self, forbidden: str) -> None:
        self.forbidden = forbidden
        self.connections = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, body = await self._packet(reader)
                if kind == 1:
                    writer.write(bytes((0x20, 2, 0, 0)))
                elif kind == 8:
                    topics = self._topics(body[2:])
                    codes = bytes(0x80 if self.forbidden in topic else 1 for topic in topics)
                    writer.write(bytes((0x90, 2 + len(codes))) + body[:2] + codes)
                    for topic in topics:
                        if topic.endswith("/car") and self.forbidden not in topic:
                            said = len(topic).to_bytes(2) + topic.encode() + b"1"
                            writer.write(bytes((0x30, len(said))) + said)
                elif kind == 14:
                    break
        writer.close()

    @staticmethod
    async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
        kind, length, shift = (await reader.readexactly(1))[0] >> 4, 0, 0
        while True:
            byte = (await reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return kind, await reader.readexactly(length)

    @staticmethod
    def _topics(body: bytes) -> list[str]:
        found = []
        while body:
            size = int.from_bytes(body[:2])
            found.append(body[2 : 2 + size].decode())
            body = body[3 + size :]
        return found


@pytest.mark.parametrize("late", [False, True], ids=["from the start", "brought in by a reload"])
async def test_a_topic_the_broker_refuses_does_not_deafen_us_to_the_others(late: bool) -> None:
    basket, broker = Basket(), Strict("go/666/")
    bad = (row("p-2", endpoint="666"), GO[1])
    async with broker as url, driving(url, basket, *((GO,) if late else (GO, bad))) as driver:
        if late:
            driver.adopt([GO, bad])
            await until(lambda: driver.counters.totals["subscriptions_refused"], what="refused")
        await until(lambda: "go/666/" in (driver.trouble() or ""), what="told")
        assert driver.connected
        assert broker.connections == 1
    assert [event.up for event in basket.of(DriverLink)] == [True]


async def test_a_broker_that_refuses_everything_is_no_way_to_the_field() -> None:
    basket, broker = Basket(), Strict("go/221/")
    async with broker as url:
        driver = DialectDriver(url, [GO], client_id="daemon", clock=WallClock(), fresh_s=60.0, speed=SPEED)
        await driver.start(basket)
        try:
            await until(lambda: [event.up for event in basket.of(DriverLink)][-1:] == [False], what="down")
            assert "access list" in str(driver.trouble())
        finally:
            await driver.stop()
