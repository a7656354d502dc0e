"""What every driver must do, whatever it speaks: the same stories told to each, with real sockets on the far side."""

from __future__ import annotations

import asyncio
import re
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.drivers.dialect import DialectField
from tests.contract.drivers.field import PILE, SITE, Field, Session
from tests.contract.drivers.line import LineField
from tests.contract.drivers.modbus import ModbusField
from tests.contract.drivers.native import NativeField
from tests.integration.brokers import Basket, until
from triage.core.effects import Command
from triage.core.events import DriverLink, PileStatus, Quarantined, Telemetry
from triage.core.vocabulary import Action, ConnectorStatus
from triage.interfaces import Dispatch, Driver

pytestmark = pytest.mark.integration

FIELDS: dict[str, type[Field]] = {
    "native": NativeField,
    "blueprint": LineField,
    "modbus": ModbusField,
    "dialect": DialectField,
}
SAMPLE_BYTES = 4_096
OUTCOMES = {"sent", "not_sent", "unknown"}
REASON_CHARS = 500
TOKEN = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
"""Reasons of a quarantine become labels of a metric, so they are short words of a closed set."""


@pytest.fixture(params=FIELDS)
async def field(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Field]:
    kind: type[Field] = FIELDS[request.param]
    there = kind(tmp_path)
    await there.open()
    try:
        yield there
    finally:
        await there.close()


@asynccontextmanager
async def driving(field: Field, **options: Any) -> AsyncIterator[tuple[Driver, Basket]]:
    """A started driver whose way stands."""
    driver, basket = field.driver(**options), Basket()
    await driver.start(basket)
    try:
        await until(lambda: linked(basket), what="the link is up")
        yield driver, basket
    finally:
        await driver.stop()


def linked(basket: Basket) -> bool:
    links = basket.links()
    return bool(links) and links[-1]


def command(action: Action = Action.RESET_SOFT, *, pile: str = PILE, ttl_s: float = 60, **more: Any) -> Command:
    now = datetime.now(UTC)
    fields: dict[str, Any] = {"connector": 0, "args": {}, "id": f"a-{uuid.uuid4()}"} | more
    return Command(
        site=SITE,
        pile=pile,
        driver_profile="contract",
        action=action,
        issued_at=now,
        expires_at=now + timedelta(seconds=ttl_s),
        **fields,
    )


async def heard(field: Field, basket: Basket, status: str = "available", *args: Any, **more: Any) -> Telemetry:
    """Let the pile say it until the driver has heard it, for a subscription may be younger than the link."""
    before, told = len(basket.of(Telemetry)), 0

    def new() -> list[Telemetry]:
        return [each for each in basket.of(Telemetry)[before:] if says(each, status)]

    while not new():
        await field.say(status, *args, **more)
        told += 1
        assert told < 100, f"never heard {status}"
        await wait_briefly(new)
    return new()[-1]


async def wait_briefly(condition: Any) -> None:
    try:
        await until(condition, 0.1)
    except AssertionError:
        return


def says(event: Telemetry, status: str) -> bool:
    expected = status if status in set(ConnectorStatus) else None
    return any(reading.connector == 1 and reading.status == expected for reading in event.readings)


def checked(dispatch: Dispatch) -> str:
    """The outcome, after a look at its form."""
    assert dispatch.outcome in OUTCOMES
    assert dispatch.reason or dispatch.outcome == "sent", "whoever reads the record wants to know why"
    assert dispatch.reason.isprintable()
    assert len(dispatch.reason) <= REASON_CHARS
    return dispatch.outcome


@contextmanager
def nothing_left() -> Iterator[None]:
    """Tasks and threads are the same afterwards."""
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    yield
    assert asyncio.all_tasks() - tasks == set()
    assert {each.name for each in set(threading.enumerate()) - threads if not each.name.startswith("asyncio_")} == set()


# --- coming and going -------------------------------------------------------------------------------------------------


async def test_nothing_happens_before_the_start(field: Field) -> None:
    with nothing_left():
        driver = field.driver()
        assert driver.name
        await field.say()
        assert field.gate.visitors == 0
        assert checked(await driver.send(command())) == "not_sent"
        await driver.stop()
    assert field.told == []


async def test_a_start_returns_at_once_and_the_driver_waits_for_a_way_that_is_not_there(field: Field) -> None:
    await field.cut()
    driver, basket = field.driver(), Basket()
    try:
        async with asyncio.timeout(1):
            await driver.start(basket)
        assert checked(await driver.send(command())) == "not_sent"
        await until(lambda: lost(basket), what="told that the way is not there")
        assert basket.of(Telemetry) == []
        await field.mend()
        await heard(field, basket)
    finally:
        await driver.stop()


def lost(basket: Basket) -> bool:
    """Whether it is known that nothing can be heard: our way is down, or the pile is known to be away."""
    told = [way for event in basket.events if (way := way_in(event)) is not None]
    return bool(told) and not told[-1]


def way_in(event: object) -> bool | None:
    """What an event says of the way to the pile."""
    if isinstance(event, DriverLink):
        return event.up
    return event.online if isinstance(event, PileStatus) else None


async def test_a_stop_leaves_nothing_running(field: Field) -> None:
    with nothing_left():
        async with driving(field) as (driver, basket):
            await heard(field, basket)
            assert field.gate.visitors >= 1
        await until(lambda: field.gate.visitors == 0, what="the connection is closed")
        known = len(basket.events)
        await field.say("charging", Session.LIVE)
        assert checked(await driver.send(command(Action.REPORT))) == "not_sent"
        await driver.stop()
    assert [each for each in basket.events[known:] if not isinstance(each, DriverLink)] == []


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_the_link_is_told_up_before_the_first_word_and_down_when_it_is_lost(field: Field) -> None:
    async with driving(field) as (_, basket):
        await heard(field, basket)
        kinds = [type(event) for event in basket.events]
        assert kinds.index(DriverLink) < kinds.index(Telemetry)
        await field.cut()
        await until(lambda: lost(basket), what="told the loss")
        await field.mend()
        await until(lambda: not lost(basket), what="told the return")
        await heard(field, basket, "charging", Session.LIVE)


async def test_a_reading_bears_our_names_and_the_time_of_its_receipt(field: Field) -> None:
    async with driving(field) as (driver, basket):
        began = datetime.now(UTC)
        reading = await heard(field, basket, "charging", Session.LIVE, danger=True)
        assert (reading.site, reading.pile, reading.driver) == (SITE, PILE, driver.name)
        assert reading.received_at.utcoffset() == timedelta(0)
        assert began <= reading.received_at <= datetime.now(UTC)
        assert not reading.retained
        (connector,) = reading.readings
        assert (connector.connector, connector.status) == (1, ConnectorStatus.CHARGING)
        assert connector.session_known
        assert connector.session
        assert [claim.code for claim in reading.faults] == ["GroundFailure"]
        cleared = await heard(field, basket, "available")
        assert cleared.faults == ()
        assert cleared.readings[0].session is None


async def test_every_event_names_its_driver(field: Field) -> None:
    async with driving(field) as (driver, basket):
        await heard(field, basket)
        await field.garble()
        await until(lambda: basket.of(Quarantined), what="quarantined")
        assert {event.driver for event in basket.events if hasattr(event, "driver")} == {driver.name}


async def test_garbage_is_kept_as_a_sample_and_harms_nothing(field: Field) -> None:
    async with driving(field) as (_, basket):
        await heard(field, basket)
        await field.garble()
        await until(lambda: basket.of(Quarantined), what="quarantined")
        kept = basket.of(Quarantined)[0]
        assert TOKEN.match(kept.reason), kept.reason
        assert 0 < len(kept.sample) <= SAMPLE_BYTES
        assert len(kept.sample) <= kept.size
        assert re.fullmatch("[0-9a-f]{64}", kept.sha256)
        assert all("\x00" not in text for text in (kept.topic, kept.reason))
        await heard(field, basket, "charging", Session.LIVE)


# --- what is sent -----------------------------------------------------------------------------------------------------


async def test_a_permitted_command_leaves_exactly_once(field: Field) -> None:
    async with driving(field) as (driver, basket):
        await heard(field, basket)
        assert checked(await driver.send(command())) == "sent"
        await until(lambda: field.told, what="the pile was told")
        await heard(field, basket)
        assert field.told == ["reset_soft"]


@pytest.mark.parametrize(
    ("status", "session", "danger"),
    [
        ("charging", Session.LIVE, False),
        ("suspended_ev", Session.LIVE, False),
        ("available", Session.LIVE, False),
        ("available", Session.UNKNOWN, False),
        ("faulted", Session.UNKNOWN, False),
        ("available", Session.NONE, True),
    ],
    ids=["charging", "suspended", "session-live", "session-unknown", "faulted-and-unknown", "dangerous"],
)
@pytest.mark.parametrize("action", [Action.RESET_SOFT, Action.RESET_HARD])
async def test_what_the_pile_said_last_forbids_a_restart(
    field: Field, status: str, session: Session, danger: bool, action: Action
) -> None:
    async with driving(field) as (driver, basket):
        await heard(field, basket)
        before = basket.of(Telemetry)[-1]
        await field.say(status, session, danger=danger)
        await until(lambda: differs(basket.of(Telemetry)[-1], before), what="the news")
        assert checked(await driver.send(command(action))) == "not_sent"
        await heard(field, basket)
    assert field.told == []


def differs(event: Telemetry, before: Telemetry) -> bool:
    return (event.readings, event.faults) != (before.readings, before.faults)


async def test_an_expired_command_never_leaves(field: Field) -> None:
    async with driving(field) as (driver, basket):
        await heard(field, basket)
        for action in Action:
            assert checked(await driver.send(command(action, ttl_s=0, connector=1))) == "not_sent"
        await heard(field, basket)
    assert field.told == []


async def test_a_look_grown_old_permits_nothing(field: Field) -> None:
    async with driving(field, fresh_s=0.2) as (driver, basket):
        await heard(field, basket)
        field.gate.answers = False
        await asyncio.sleep(0.4)  # the age itself is the condition
        assert checked(await driver.send(command())) == "not_sent"
    assert field.told == []


async def test_a_pile_of_no_fleet_is_never_commanded(field: Field) -> None:
    async with driving(field) as (driver, basket):
        await heard(field, basket)
        assert checked(await driver.send(command(pile="p-999"))) == "not_sent"
        await heard(field, basket)
    assert field.told == []


async def test_nothing_leaves_while_the_way_is_gone_nor_afterwards(field: Field) -> None:
    async with driving(field) as (driver, basket):
        await heard(field, basket)
        await field.cut()
        await until(lambda: lost(basket), what="told the loss")
        assert checked(await driver.send(command())) == "not_sent"
        await field.mend()
        await until(lambda: not lost(basket), what="told the return")
        await heard(field, basket)
    assert field.told == []


async def test_what_was_seen_before_an_outage_permits_nothing_after_it(field: Field) -> None:
    async with driving(field) as (driver, basket):
        await heard(field, basket)
        await field.cut()
        await until(lambda: lost(basket), what="told the loss")
        await field.say("charging", Session.LIVE)
        await field.mend()
        await until(lambda: not lost(basket), what="told the return")
        assert checked(await driver.send(command())) == "not_sent"
    assert field.told == []


async def test_a_command_whose_answer_is_lost_is_never_sent_again(field: Field) -> None:
    async with driving(field) as (driver, basket):
        await heard(field, basket)
        await field.lose_answer()
        assert checked(await driver.send(command(ttl_s=2))) != "not_sent"
        await until(lambda: field.told, what="the pile was told")
        await field.cut()
        await until(lambda: lost(basket), what="told the loss")
        field.gate.answers = True
        await field.mend()
        await heard(field, basket, "charging", Session.LIVE)
        await heard(field, basket)
    assert field.told == ["reset_soft"]


@pytest.mark.parametrize("action", Action)
async def test_no_command_whatsoever_raises(field: Field, action: Action) -> None:
    async with driving(field) as (driver, basket):
        await heard(field, basket)
        odd: list[dict[str, Any]] = [
            {"connector": 63},
            {"connector": -1},
            {"pile": "no\nname"},
            {"id": "line one\nline two"},
            {"args": {"why": object()}},
        ]
        for more in odd:
            checked(await driver.send(command(action, ttl_s=2, **more)))
        await heard(field, basket)
