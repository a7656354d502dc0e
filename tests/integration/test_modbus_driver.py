"""The Modbus driver in front of real sockets that answer well, badly, late, halfway and not at all."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.modbus_plant import Asked, Plant, Unit, plant
from tests.integration.modbus_stand import (
    PILE,
    Inbox,
    action,
    answer,
    command,
    driving,
    fill,
    profile,
    registration,
)
from triage.core.events import CommandAnswer, DriverLink, FaultClaim, PileStatus, Quarantined, Registration, Telemetry
from triage.core.vocabulary import Action, AnswerResult, ConnectorStatus
from triage.errors import InputError

pytestmark = pytest.mark.integration


@pytest.fixture
async def field() -> AsyncIterator[Plant]:
    async with plant() as running:
        fill(running.unit().holding)
        yield running


def held(field: Plant, unit: int = 1) -> dict[int, int]:
    return field.units[unit].holding


async def next_reading(inbox: Inbox, pile: str = PILE) -> Telemetry:
    return await inbox.first(Telemetry, lambda each: each.pile == pile, since=len(inbox.events))


# --- readings -------------------------------------------------------------------------------------------------------


async def test_a_device_is_announced_and_read(field: Plant) -> None:
    fill(held(field), state=2, error=7, power=11_000, energy=123_456, uptime=70_000)
    async with driving((registration(field), profile())) as (driver, inbox):
        reading = await inbox.first(Telemetry)
        link, status, first = inbox.events[:3]
    assert isinstance(link, DriverLink)
    assert (link.driver, link.up) == ("modbus", True)
    assert isinstance(status, PileStatus)
    assert (status.online, status.driver, status.model, status.firmware) == (True, "modbus", "ONE", "7")
    assert first is reading
    assert (reading.site, reading.pile, reading.driver, reading.uptime_s) == ("s", PILE, "modbus", 70_000)
    assert reading.readings[0].status is ConnectorStatus.CHARGING
    assert (reading.readings[0].power_w, reading.readings[0].energy_wh) == (11_000, 123_456)
    assert [claim.code for claim in reading.faults] == ["InternalError"]
    assert driver.counters.polls >= 1
    assert driver.trouble() is None


async def test_what_is_read_at_the_start_is_not_read_again_until_the_connection_is_new(field: Plant) -> None:
    async with driving((registration(field), profile())) as (_, inbox):
        await inbox.first(Telemetry, since=5)
        assert [each.address for each in field.asked].count(200) == 1
        field.drop_all()
        await field.until(lambda: [each.address for each in field.asked].count(200) == 2)


async def test_polls_come_in_their_own_time_and_never_two_at_once(field: Plant) -> None:
    async with driving((registration(field), profile())) as (driver, inbox):
        await inbox.first(Telemetry, since=15)
        moments = [each.received_at for each in inbox.all(Telemetry)]
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(moments)]
    assert sum(gaps) / len(gaps) == pytest.approx(0.2, abs=0.02)
    assert driver.counters.lags.count == driver.counters.polls


async def test_coils_discrete_and_input_registers_are_read_with_their_own_functions(field: Plant) -> None:
    unit = field.unit()
    unit.coil.update({10: 1, 11: 0})
    unit.discrete.update({20: 1})
    unit.input.update({30: 0xFFFE})
    registers = {
        "enabled": {"table": "coil", "address": 10, "type": "bool"},
        "other": {"table": "coil", "address": 11, "type": "bool"},
        "plugged": {"table": "discrete", "address": 20, "type": "bool"},
        "temperature": {"table": "input", "address": 30, "type": "i16", "unit": "degC"},
    }
    async with driving((registration(field), profile(registers=registers))) as (driver, _):
        values = await driver.look(PILE)
    assert values is not None
    assert [values.pile[name] for name in registers] == [True, False, True, -2]


async def test_two_connectors_are_read_by_stride_and_by_unit(field: Plant) -> None:
    fill(held(field))
    held(field).update({150: 2})
    other = field.unit(2)
    other.holding.update({500: 42})
    registers = {
        "state": {"table": "holding", "address": 100, "type": "u16", "of": "connector", "stride": 50},
        "station": {"table": "holding", "address": 500, "type": "u16", "unit_id": 2},
    }
    wanted = profile(registers=registers)
    async with driving((registration(field, connectors=2), wanted)) as (driver, inbox):
        reading = await inbox.first(Telemetry)
        values = await driver.look(PILE)
    assert [each.status for each in reading.readings] == [ConnectorStatus.AVAILABLE, ConnectorStatus.CHARGING]
    assert values is not None
    assert values.pile["station"] == 42


async def test_a_frame_that_comes_in_two_parts_is_one_answer(field: Plant) -> None:
    field.unit().mood = "torn_frame"
    async with driving((registration(field), profile())) as (driver, inbox):
        await inbox.first(Telemetry)
        assert not driver.counters.failures


# --- failures -------------------------------------------------------------------------------------------------------


async def test_a_busy_device_is_asked_again_and_is_alive(field: Plant) -> None:
    field.unit().moods.extend([6, None])
    async with driving((registration(field), profile())) as (driver, inbox):
        await inbox.first(Telemetry)
        assert driver.counters.totals["retries"] == 1
        assert not driver.counters.failures


async def test_a_device_that_is_always_busy_is_silent_and_never_gone(field: Plant) -> None:
    async with driving((registration(field), profile())) as (driver, inbox):
        await inbox.first(Telemetry)
        field.unit().mood = 6
        asked = len(field.asked)
        await field.until(lambda: len(field.asked) > asked + 12)
        assert driver.counters.failures["busy"] >= 3
        assert not [each for each in inbox.all(PileStatus) if not each.online]


@pytest.mark.parametrize("mood", ["hang", "drop", 10, 11])
async def test_a_silent_device_is_gone_after_three_polls_and_back_with_its_first_reading(
    field: Plant, mood: int | str
) -> None:
    async with driving((registration(field), profile(modbus={"timeout_s": 0.1}))) as (_, inbox):
        await inbox.first(Telemetry)
        field.unit().mood = mood
        since = len(inbox.events)
        gone = await inbox.first(PileStatus, lambda each: not each.online, since=since)
        last = max(each.received_at for each in inbox.all(Telemetry))
        assert (gone.received_at - last).total_seconds() >= 0.5
        field.unit().mood = None
        since = len(inbox.events)
        back = await inbox.first(PileStatus, since=since)
        assert back.online
        assert isinstance(inbox.events[inbox.events.index(back) + 1], Telemetry)
        assert len([each for each in inbox.all(PileStatus) if not each.online]) == 1


async def test_an_endpoint_nobody_listens_at_is_gone_and_found_again(field: Plant) -> None:
    async with driving((registration(field), profile())) as (driver, inbox):
        await inbox.first(Telemetry)
        await field.close()
        await inbox.first(PileStatus, lambda each: not each.online, timeout_s=20)
        assert driver.counters.failures["refused_connection"] >= 1
        assert [each.up for each in inbox.all(DriverLink)] == [True]  # one endpoint says nothing of our own network
        since = len(inbox.events)
        await field.open()
        await inbox.first(PileStatus, lambda each: each.online, since=since, timeout_s=20)


async def test_one_answer_that_does_not_come_makes_no_device_gone(field: Plant) -> None:
    async with driving((registration(field), profile(modbus={"timeout_s": 0.8, "retries": 0}))) as (driver, inbox):
        await inbox.first(Telemetry)
        field.unit().moods.append("hang")  # for longer than three periods
        await field.until(lambda: driver.counters.failures["timeout"] == 1)
        await next_reading(inbox)
        assert all(each.online for each in inbox.all(PileStatus))


async def test_when_no_endpoint_can_be_reached_our_own_network_is_down(field: Plant) -> None:
    async with plant() as second:
        fill(held(second))
        devices = [(registration(field), profile()), (registration(second, "p-2"), profile())]
        async with driving(*devices) as (driver, inbox):
            failures = driver.counters.failures
            for pile in (PILE, "p-2"):
                await inbox.first(Telemetry, lambda each, pile=pile: each.pile == pile)  # type: ignore[misc]
            await field.close()
            await field.until(lambda: failures["refused_connection"] > 0)
            assert driver.trouble() is None
            await second.close()
            await inbox.first(DriverLink, lambda each: not each.up, timeout_s=20)
            assert "2 Modbus endpoints" in (driver.trouble() or "")
            await field.until(lambda: failures["refused_connection"] >= 8, timeout_s=20)
            assert all(each.online for each in inbox.all(PileStatus))  # silence says nothing of them now
            since = len(inbox.events)
            field.unit().mood = "hang"
            await field.open()
            await second.open()
            await inbox.first(DriverLink, lambda each: each.up, since=since, timeout_s=30)
            assert driver.trouble() is None
            await inbox.first(Telemetry, lambda each: each.pile == "p-2", since=since, timeout_s=30)
            gone = await inbox.first(PileStatus, lambda each: not each.online, since=since, timeout_s=30)
            assert gone.pile == PILE
            assert failures["timeout"] >= 3  # counted anew since the network is back


@pytest.mark.parametrize("mood", ["garbage", "short", "fewer", "other_function", "not_modbus"])
async def test_what_is_no_answer_is_never_a_reading(field: Plant, mood: str) -> None:
    field.unit().mood = mood
    async with driving((registration(field), profile())) as (driver, inbox):
        await field.until(lambda: len(field.asked) >= 6)
        assert not inbox.all(Telemetry)
        assert driver.counters.failures["garbled"] >= 1
        field.unit().mood = None
        await inbox.first(Telemetry)


async def test_the_answer_of_another_unit_is_never_taken(field: Plant) -> None:
    field.unit().mood = "wrong_unit"
    async with driving((registration(field), profile())) as (driver, inbox):
        await field.until(lambda: len(field.asked) >= 4)
        assert not inbox.all(Telemetry)
        assert driver.counters.totals["wrong_unit"] >= 1
        assert driver.counters.failures["timeout"] >= 1


async def test_a_value_that_is_not_there_is_unknown_and_the_others_go_on(field: Plant) -> None:
    del held(field)[103]
    del held(field)[102]
    async with driving((registration(field), profile())) as (driver, inbox):
        await inbox.first(Telemetry, since=8)
        reading = inbox.all(Telemetry)[-1]
        assert reading.readings[0].power_w is None
        assert reading.readings[0].energy_wh == 5_000
        assert driver.missing() == {PILE: ["power"]}
        assert driver.counters.totals["not_there"] == 1
        asked = [(each.address, each.count) for each in field.asked]
        assert asked.count((102, 2)) == 1  # not asked for again
        assert asked[-2:] in ([(100, 2), (104, 4)], [(104, 4), (300, 1)], [(300, 1), (100, 2)])


async def test_what_was_not_there_is_looked_for_on_the_next_connection(field: Plant) -> None:
    del held(field)[102]
    async with driving((registration(field), profile())) as (driver, inbox):
        await inbox.first(Telemetry)
        assert driver.missing()
        held(field)[102] = 0
        field.drop_all()
        await inbox.first(Telemetry, lambda each: each.readings[0].power_w == 0)
        assert not driver.missing()


async def test_a_fault_whose_register_vanishes_is_not_cleared_and_is_looked_for_again(field: Plant) -> None:
    fill(held(field), error=7)
    async with driving((registration(field), profile()), speed=60.0) as (driver, inbox):
        await inbox.first(Telemetry)
        del held(field)[101]
        await field.until(lambda: bool(driver.missing()))
        await next_reading(inbox)
        assert [claim.code for claim in (await next_reading(inbox)).faults] == ["InternalError"]
        fill(held(field), error=0)
        await inbox.first(Telemetry, lambda each: not each.faults)  # a minute later, on the same connection
        assert field.connections == 1
        assert not driver.missing()
        assert all(each.faults for each in inbox.all(Telemetry)[:-1])


async def test_a_fault_whose_register_is_gone_when_we_start_is_not_cleared(field: Plant) -> None:
    fill(held(field), error=0)
    del held(field)[101]
    known = FaultClaim(code="InternalError", connector=1, info="error 7")
    asked: list[str] = []

    def recall(pile: str) -> tuple[FaultClaim, ...]:
        asked.append(pile)
        return (known,)

    async with driving((registration(field), profile()), speed=60.0, recall=recall) as (_, inbox):
        assert [claim.code for claim in (await inbox.first(Telemetry)).faults] == ["InternalError"]
        assert asked == [PILE]
        fill(held(field), error=0)
        field.drop_all()
        await inbox.first(Telemetry, lambda each: not each.faults)


async def test_a_device_without_any_of_its_registers_is_alive_and_tells_nothing(field: Plant) -> None:
    held(field).clear()
    held(field).update({200: 0x4F4E, 201: 0x4500, 202: 0, 203: 0, 204: 7})
    async with driving((registration(field), profile())) as (driver, inbox):
        await field.until(lambda: driver.counters.failures["exception"] >= 2)
        assert not inbox.all(Telemetry)
        fill(held(field))
        await inbox.first(Telemetry)


async def test_what_is_read_seldom_is_read_again_after_an_hour(field: Plant) -> None:
    async with driving((registration(field), profile()), speed=3600.0) as (_, inbox):
        await inbox.first(Telemetry)
        fill(held(field), firmware=8)
        news = await inbox.first(PileStatus, lambda each: each.firmware == "8")
        assert news.online
        assert field.connections == 1


async def test_a_hanging_unit_hardly_delays_its_neighbour_on_the_same_gateway() -> None:
    async with plant(1, 2) as gateway:
        fill(held(gateway, 1))
        gateway.unit(2).mood = "hang"
        wanted = profile(modbus={"timeout_s": 0.5, "retries": 1})
        devices = [(registration(gateway, "good", 1), wanted), (registration(gateway, "bad", 2), wanted)]
        async with driving(*devices) as (driver, inbox):
            await gateway.until(lambda: sum(each.unit == 2 for each in gateway.asked) >= 5, timeout_s=30)
            good = [each.received_at for each in inbox.all(Telemetry)]
            gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(good)]
            assert max(gaps) < 0.2 + 0.5 + 0.2  # never more than one timeout
            assert len(good) > 10
            assert driver.counters.failures["timeout"] >= 3
            assert gateway.connections == 1  # the gateway lives: its connection is kept


async def test_a_gateway_keeps_its_connection_while_one_of_its_units_answered_last() -> None:
    async with plant(1, 2) as gateway:
        fill(held(gateway, 1))
        gateway.unit(2).mood = "hang"
        seldom, often = profile(modbus={"poll_s": 60.0}), profile()
        devices = [(registration(gateway, "good", 1), seldom), (registration(gateway, "bad", 2), often)]
        async with driving(*devices) as (driver, _):
            assert await driver.look("good") is not None
            await gateway.until(lambda: sum(each.unit == 2 for each in gateway.asked) >= 4)
            assert gateway.connections == 1


async def test_a_hanging_endpoint_delays_no_other(field: Plant) -> None:
    async with plant() as stuck:
        stuck.unit().mood = "hang"
        devices = [(registration(field), profile()), (registration(stuck, "stuck"), profile())]
        async with driving(*devices) as (driver, inbox):
            await stuck.until(lambda: len(stuck.asked) >= 4)
            assert stuck.connections >= 2  # a connection nobody answers on is made anew
            await inbox.first(Telemetry, since=4)
            assert driver.counters.lags.quantile(0.9) < 0.1


# --- frames ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["rtu", "ascii"])
async def test_serial_frames_over_a_gateway_are_read_and_written(framing: str) -> None:
    async with plant(framing=framing) as gateway:
        fill(held(gateway), state=9, energy=77_777)
        wanted = profile(modbus={"framing": framing, "write_function": "multiple"})
        async with driving((registration(gateway), wanted)) as (driver, inbox):
            reading = await inbox.first(Telemetry)
            assert reading.readings[0].energy_wh == 77_777
            fill(held(gateway))
            assert (await driver.send(command())).outcome == "sent"
            await answer(inbox)
    assert [(each.function, each.words) for each in gateway.writes] == [(16, (1,))]


@pytest.mark.parametrize("framing", ["rtu", "ascii"])
@pytest.mark.parametrize("mood", ["bad_sum", "torn_frame", 6, "wrong_unit"])
async def test_a_spoilt_serial_frame_is_asked_for_again(framing: str, mood: int | str) -> None:
    async with plant(framing=framing) as gateway:
        fill(held(gateway), energy=77_777)
        gateway.unit().moods.append(mood)
        async with driving((registration(gateway), profile(modbus={"framing": framing}))) as (driver, inbox):
            reading = await inbox.first(Telemetry)
            assert reading.readings[0].energy_wh == 77_777
            assert driver.counters.totals["retries"] == (0 if mood == "torn_frame" else 1)


@pytest.mark.parametrize("framing", ["tcp", "rtu", "ascii"])
async def test_an_answer_that_comes_late_is_never_taken_for_the_next_one(framing: str) -> None:
    async with plant(1, 2, framing=framing) as gateway:
        fill(held(gateway, 1), energy=1_000)
        fill(held(gateway, 2), energy=2_000)
        wanted = profile(modbus={"framing": framing, "timeout_s": 0.3, "retries": 1, "one_value_per_read": True})
        devices = [(registration(gateway, f"p-{unit}", unit), wanted) for unit in (1, 2)]
        async with driving(*devices) as (driver, inbox):
            await inbox.first(Telemetry, since=4)
            # Answers of the same form and length, so that only number or connection tell them apart.
            gateway.unit(1).moods.extend(["late"] * 3)
            await gateway.until(lambda: not gateway.unit(1).moods)
            await inbox.first(Telemetry, lambda each: each.pile == "p-1", since=len(inbox.events))
            for each in inbox.all(Telemetry):
                assert each.readings[0].energy_wh == (1_000 if each.pile == "p-1" else 2_000)
            assert driver.counters.totals["retries"] >= 1
            assert (driver.counters.totals["late"] > 0) == (framing == "tcp")


# --- nonsense -------------------------------------------------------------------------------------------------------


async def test_another_model_is_flagged_and_never_reported(field: Plant) -> None:
    held(field)[200] = 0x5457  # "TW"
    async with driving((registration(field), profile())) as (driver, inbox):
        flagged = await inbox.first(Quarantined)
        await field.until(lambda: driver.counters.failures["wrong_identity"] >= 3)
        assert not inbox.all(Telemetry)
        assert not inbox.all(PileStatus)
        assert len(inbox.all(Quarantined)) == 1  # one a minute
        assert (await driver.send(command())).outcome == "not_sent"
        assert not field.writes
        assert PILE in (driver.trouble() or "")
        held(field)[200] = 0x4F4E
        await inbox.first(Telemetry)
        assert driver.trouble() is None
    assert (flagged.driver, flagged.reason, flagged.pile) == ("modbus", "wrong_identity", PILE)
    assert flagged.topic == f"modbus://127.0.0.1:{field.port}/1"
    assert json.loads(flagged.sample)["pile"]["model"] == "TWE"


async def test_who_just_turned_out_to_be_another_model_keeps_its_power(field: Plant) -> None:
    fill(held(field))
    wish = command(Action.POWER_CYCLE)
    async with driving((registration(field), profile())) as (driver, inbox):
        await inbox.first(Telemetry)
        assert driver.refuse(wish, wish.issued_at) is None
        held(field)[200] = 0x5457  # "TW"
        field.drop_all()
        await field.until(lambda: driver.counters.failures["wrong_identity"] > 0)
        assert "left alone" in str(driver.refuse(wish, wish.issued_at))


async def test_an_impossible_value_is_read_again_and_then_flagged(field: Plant) -> None:
    registers = {"celsius": {"table": "holding", "address": 108, "type": "i16", "range": [-40, 120]}}
    held(field)[108] = 900
    async with driving((registration(field), profile(registers=registers))) as (driver, inbox):
        flagged = await inbox.first(Quarantined)
        assert not inbox.all(Telemetry)
        assert driver.counters.totals["read_again"] >= 1
    assert flagged.reason == "impossible"
    assert "celsius" in json.loads(flagged.sample)["why"]


async def test_one_impossible_value_is_a_slip(field: Plant) -> None:
    registers = {"celsius": {"table": "holding", "address": 108, "type": "i16", "range": [-40, 120]}}
    slips = iter([900])

    def slip(asked: Asked) -> None:
        if asked.address == 100:
            held(field)[108] = next(slips, 20)

    field.unit().before = slip
    async with driving((registration(field), profile(registers=registers))) as (_, inbox):
        await inbox.first(Telemetry)
        assert not inbox.all(Quarantined)


def tears(unit: Unit, true_wh: int, torn: set[int]) -> None:
    """The energy's high word of the n-th reading (those of ``torn``) is of another moment."""
    count = 0

    def tear(asked: Asked) -> None:
        nonlocal count
        if not asked.writes and asked.address <= 104 < asked.address + asked.count:
            count += 1
            energy = true_wh - 0x10000 if count in torn else true_wh
            unit.holding[104], unit.holding[105] = energy >> 16, energy & 0xFFFF

    unit.before = tear


async def test_a_torn_energy_counter_is_read_again_and_the_true_value_is_used(field: Plant) -> None:
    tears(field.unit(), 0x20010, torn={3})
    async with driving((registration(field), profile())) as (driver, inbox):
        await inbox.first(Telemetry, since=8)
        assert {each.readings[0].energy_wh for each in inbox.all(Telemetry)} == {0x20010}
        assert driver.counters.totals["read_again"] == 1
        assert not inbox.all(Quarantined)


async def test_a_counter_that_contradicts_itself_twice_is_flagged_as_torn(field: Plant) -> None:
    unit = field.unit()
    readings = iter([0x20010, 0x10010, 0x00010])

    def tear(asked: Asked) -> None:
        if asked.address == 100:
            energy = next(readings, 0x20010)
            unit.holding[104], unit.holding[105] = energy >> 16, energy & 0xFFFF

    unit.before = tear
    async with driving((registration(field), profile())) as (driver, inbox):
        flagged = await inbox.first(Quarantined)
        await inbox.first(Telemetry, since=inbox.events.index(flagged))
        assert flagged.reason == "torn"
        assert driver.counters.failures["torn"] == 1
        assert {each.readings[0].energy_wh for each in inbox.all(Telemetry)} == {0x20010}


async def test_a_counter_that_was_reset_says_so_twice_and_is_believed(field: Plant) -> None:
    async with driving((registration(field), profile())) as (_, inbox):
        await inbox.first(Telemetry)
        fill(held(field), energy=3)
        await inbox.first(Telemetry, lambda each: each.readings[0].energy_wh == 3)
        assert not inbox.all(Quarantined)


async def test_energy_cannot_grow_faster_than_the_device_can_deliver(field: Plant) -> None:
    tears(field.unit(), 0x20010, torn={2})
    async with driving((registration(field), profile())) as (driver, inbox):
        await inbox.first(Telemetry, since=6)
        assert driver.counters.totals["read_again"] == 1


# --- restarts -------------------------------------------------------------------------------------------------------


async def test_a_changed_boot_counter_is_told(field: Plant) -> None:
    held(field)[108] = 41
    registers = {"boots": {"table": "holding", "address": 108, "type": "u16"}}
    wanted = profile(registers=registers, boot={"counter": "boots", "uptime": "uptime"})
    async with driving((registration(field), wanted)) as (_, inbox):
        first = await inbox.first(PileStatus)
        await inbox.first(Telemetry)
        since = len(inbox.events)
        held(field)[108] = 42
        second = await inbox.first(PileStatus, since=since)
    assert (first.boot_id, second.boot_id, second.online) == ("41", "42", True)


async def test_a_state_that_tells_of_starting_is_a_restart(field: Plant) -> None:
    wanted = profile(boot={"starting": {"state": 4}})
    async with driving((registration(field), wanted)) as (_, inbox):
        first = await inbox.first(PileStatus)
        assert first.boot_id is None
        await inbox.first(Telemetry)
        since = len(inbox.events)
        fill(held(field), state=4)
        started = await inbox.first(PileStatus, since=since)
        await next_reading(inbox)
        await next_reading(inbox)
        assert len(inbox.all(PileStatus)) == 2
        fill(held(field), state=0)
        await inbox.first(Telemetry, lambda each: each.readings[0].status is ConnectorStatus.AVAILABLE, since=since)
        since = len(inbox.events)
        fill(held(field), state=4)
        again = await inbox.first(PileStatus, since=since)
    assert started.boot_id
    assert again.boot_id not in {None, started.boot_id}


# --- commands -------------------------------------------------------------------------------------------------------

KEY = {"key": {"table": "holding", "address": 420, "type": "u16", "access": "w"}}


def resetting_with_key(**more: Any) -> dict[str, Any]:
    """The device wants its key first, and then the command."""
    return action({"write": {"key": 7}}, {"write": {"reset": 1}} | more)


async def test_a_command_is_one_write_after_a_fresh_reading(field: Plant) -> None:
    async with driving((registration(field), profile())) as (driver, inbox):
        dispatch = await driver.send(command())
        assert (dispatch.outcome, dispatch.reason) == ("sent", "")
        answered = await answer(inbox)
    assert answered.result is AnswerResult.ACCEPTED
    [write] = field.writes
    assert (write.function, write.address, write.words) == (6, 400, (1,))
    before = field.asked[field.asked.index(write) - 1]
    assert before.address in {100, 300}  # looked at just before
    assert driver.counters.totals["writes"] == 1
    assert driver.counters.dispatches == {"sent": 1}


async def test_the_look_before_a_write_is_no_proof_of_what_came_after(field: Plant) -> None:
    wanted = profile(modbus={"poll_s": 60.0})
    async with driving((registration(field), wanted)) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        await answer(inbox)
        assert not inbox.all(Telemetry)


@pytest.mark.parametrize(
    ("state", "reason"),
    [({"state": 2}, "charging"), ({"state": 5}, "status_unknown"), ({"error": 8}, "dangerous_fault"),
     ({"power": 300}, "energised")],
)  # fmt: skip
async def test_the_second_look_refuses(field: Plant, state: dict[str, int], reason: str) -> None:
    fill(held(field), **state)
    wanted = profile(modbus={"poll_s": 60.0})
    async with driving((registration(field), wanted)) as (driver, inbox):
        dispatch = await driver.send(command())
        assert (dispatch.outcome, dispatch.reason) == ("not_sent", reason)
        assert not field.writes
        assert inbox.all(Telemetry)  # nothing was done, so what was seen may be known
        assert driver.refuse(command(), command().issued_at) == reason


async def test_a_precondition_refuses_while_charging_and_while_unknown(field: Plant) -> None:
    spec = action({"write": {"reset": 1}}, require={"state": {"one_of": [0, 9]}, "connector_status": "available"})
    wanted = profile(actions={"set_availability": spec})
    async with driving((registration(field), wanted)) as (driver, _):
        await field.until(lambda: bool(field.asked))
        for state in (2, 77):
            fill(held(field), state=state)
            dispatch = await driver.send(command(Action.SET_AVAILABILITY))
            assert dispatch.outcome == "not_sent"
            assert f"state is {state}" in dispatch.reason
        assert driver.counters.refusals["precondition"] == 2
        assert not field.writes
        fill(held(field), state=0)
        assert (await driver.send(command(Action.SET_AVAILABILITY))).outcome == "sent"


async def test_a_restart_wants_the_precondition_of_every_connector(field: Plant) -> None:
    registers = {
        "own": {"table": "holding", "address": 120, "type": "u16", "of": "connector", "stride": 1},
    }
    spec = action({"write": {"reset": 1}}, require={"own": 0})
    held(field).update({120: 0, 121: 1})
    wanted = profile(registers=registers, actions={"reset_soft": spec})
    async with driving((registration(field, connectors=2), wanted)) as (driver, _):
        dispatch = await driver.send(command(Action.RESET_SOFT, connector=1))
        assert dispatch.outcome == "not_sent"
        assert "connector 2" in dispatch.reason
        held(field)[121] = 0
        assert (await driver.send(command(Action.RESET_SOFT, connector=1))).outcome == "sent"


async def test_a_model_without_the_action_says_so(field: Plant) -> None:
    async with driving((registration(field), profile())) as (driver, _):
        dispatch = await driver.send(command(Action.RESET_HARD))
        assert (dispatch.outcome, dispatch.reason) == ("not_sent", "this model has no reset_hard")
        assert (await driver.send(command(connector=3))).reason == "it has no connector 3"
        assert (await driver.send(command(connector=-1))).outcome == "not_sent"
        assert (await driver.send(command(pile="other"))).outcome == "not_sent"
        assert not field.writes


async def test_what_cannot_be_written_never_leaves(field: Plant) -> None:
    actions = {"reset_soft": action({"write": {"lock": 1}}, {"write": {"reset": 0}})}
    async with driving((registration(field), profile(actions=actions))) as (driver, _):
        dispatch = await driver.send(command())
        assert dispatch.outcome == "not_sent"
        assert "reset" in dispatch.reason
        assert not field.writes  # not even the first step, which could have been written


async def test_an_expired_command_never_leaves(field: Plant) -> None:
    async with driving((registration(field), profile())) as (driver, _):
        assert (await driver.send(command(ttl_s=0.0))).outcome == "not_sent"
        held_back = asyncio.Event()
        field.unit().before = lambda _: held_back.set()
        field.unit().moods.extend(["hang", None, None])  # the look takes longer than the command lives
        assert (await driver.send(command(ttl_s=0.2))).reason in {"expired", "expired before it could leave"}
        assert not field.writes


async def test_a_command_that_expires_between_look_and_write_never_leaves(field: Plant) -> None:
    actions = {"reset_soft": action({"expect": {"lock": 1}, "within_s": 5}, {"write": {"reset": 1}})}
    wanted = profile(actions=actions, modbus={"poll_s": 60.0})
    async with driving((registration(field), wanted)) as (driver, _):
        looks = 0

        def look(asked: Asked) -> None:
            nonlocal looks
            looks += asked.address == 100
            held(field)[300] = int(looks >= 3)

        field.unit().before = look
        dispatch = await driver.send(command(ttl_s=0.6))
        assert dispatch.outcome == "not_sent"
        assert dispatch.reason in {"expired", "expired before it could leave"}
        assert looks >= 3  # all that was expected came
        assert not field.writes


@pytest.mark.parametrize(("code", "text"), [(6, "exception 6 (busy)"), (10, "exception 10 (no gateway path)")])
async def test_a_write_that_a_busy_device_or_an_absent_one_did_not_take_was_not_sent(
    field: Plant, code: int, text: str
) -> None:
    field.unit().write_moods.append(code)
    async with driving((registration(field), profile())) as (driver, inbox):
        dispatch = await driver.send(command())
        assert (dispatch.outcome, dispatch.reason) == ("not_sent", text)
        await next_reading(inbox)
        assert len(field.writes) == 1
        assert not inbox.all(CommandAnswer)
        assert (await driver.send(command())).outcome == "sent"  # it is free again


@pytest.mark.parametrize(
    ("code", "words"),
    [(1, "illegal function"), (2, "illegal address"), (3, "illegal value"), (7, "unknown"), (99, "unknown")],
)
async def test_a_first_write_that_the_device_refuses_is_its_answer(field: Plant, code: int, words: str) -> None:
    field.unit().write_moods.append(code)
    wanted = profile(modbus={"poll_s": 60.0}, actions={"reset_soft": resetting_with_key()}, registers=KEY)
    async with driving((registration(field), wanted)) as (driver, inbox):
        told = len(inbox.all(Telemetry))
        dispatch = await driver.send(command())
        assert (dispatch.outcome, dispatch.reason) == ("sent", "")
        assert not inbox.all(CommandAnswer)  # first that it left, then what the device says
        answered = await answer(inbox)
        assert (answered.result, answered.reason) == (AnswerResult.REFUSED, f"key: exception {code} ({words})")
        assert [each.address for each in field.writes] == [420]  # what follows is left out
        assert len(inbox.all(Telemetry)) == told  # the look before it proves nothing about what came after
        assert driver.counters.totals["writes_refused"] == 1
        assert driver.counters.dispatches == {"sent": 1}
        assert not driver.counters.refusals  # it did leave
        assert (await driver.send(command())).outcome == "sent"  # nothing is under way any more
        assert (await inbox.first(CommandAnswer, lambda each: each.result is AnswerResult.ACCEPTED)).reason


async def test_a_first_write_is_refused_once_even_where_it_might_be_repeated(field: Plant) -> None:
    actions = {"reset_soft": action({"write": {"lock": 1}, "again": True}, {"write": {"reset": 1}})}
    field.unit().write_moods.append(3)
    async with driving((registration(field), profile(actions=actions))) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        answered = await answer(inbox)
        await next_reading(inbox)
        assert len(inbox.all(CommandAnswer)) == 1
    assert (answered.result, answered.reason) == (AnswerResult.REFUSED, "lock: exception 3 (illegal value)")
    assert [each.address for each in field.writes] == [300]


@pytest.mark.parametrize("mood", ["hang", "drop", "drop_done", 4, 11, "garbage", "other_function"])
async def test_a_write_without_an_answer_is_unknown_and_never_repeated(field: Plant, mood: int | str) -> None:
    field.unit().write_moods.append(mood)
    async with driving((registration(field), profile())) as (driver, inbox):
        dispatch = await driver.send(command())
        assert dispatch.outcome == "unknown"
        since = len(inbox.events)
        await inbox.first(Telemetry, since=since)
        await next_reading(inbox)
        assert len(field.writes) == 1
        assert driver.counters.totals["writes"] == 1
        assert not inbox.all(CommandAnswer)


async def test_an_acknowledged_write_takes_its_time_and_was_sent(field: Plant) -> None:
    field.unit().write_moods.append(5)
    async with driving((registration(field), profile())) as (driver, _):
        assert (await driver.send(command())).outcome == "sent"


async def test_nothing_is_written_to_what_cannot_be_read(field: Plant) -> None:
    async with driving((registration(field), profile(modbus={"poll_s": 60.0}))) as (driver, _):
        for mood in ("hang", "drop", 6, 4):
            field.unit().mood = mood
            dispatch = await driver.send(command())
            assert dispatch.outcome == "not_sent"
            assert "could not be read" in dispatch.reason
        await field.close()
        assert (await driver.send(command())).outcome == "not_sent"
        assert not field.writes


async def test_a_report_is_a_poll_of_this_moment(field: Plant) -> None:
    async with driving((registration(field), profile(modbus={"poll_s": 60.0}))) as (driver, inbox):
        assert (await driver.send(command(Action.REPORT))).outcome == "sent"
        assert (await answer(inbox)).result is AnswerResult.ACCEPTED
        assert inbox.all(Telemetry)
        field.unit().mood = 6
        assert (await driver.send(command(Action.REPORT))).outcome == "sent"
        assert inbox.all(CommandAnswer)[-1].result is AnswerResult.REFUSED
        field.unit().mood = "hang"
        answers = len(inbox.all(CommandAnswer))
        assert (await driver.send(command(Action.REPORT))).outcome == "sent"
        assert len(inbox.all(CommandAnswer)) == answers  # silence answers nothing
        await field.close()
        assert (await driver.send(command(Action.REPORT))).outcome == "not_sent"


# --- sequences ------------------------------------------------------------------------------------------------------


def unlocking(*between: dict[str, Any]) -> dict[str, Any]:
    return {"unlock": action({"write": {"lock": 1}}, *between, {"write": {"lock": 0}})}


async def test_a_sequence_waits_reads_back_and_goes_on(field: Plant) -> None:
    actions = unlocking({"expect": {"lock": 1}, "within_s": 5}, {"wait_s": 0.5})
    async with driving((registration(field), profile(actions=actions))) as (driver, inbox):
        await inbox.first(Telemetry)
        assert (await driver.send(command(Action.UNLOCK, connector=1))).outcome == "sent"
        assert [each.words for each in field.writes] == [(1,)]
        again = await driver.send(command(Action.UNLOCK, connector=1))
        assert again.reason == "the action before is still under way"
        await next_reading(inbox)  # polls go on meanwhile
        answered = await answer(inbox)
    assert answered.result is AnswerResult.ACCEPTED
    assert [each.words for each in field.writes] == [(1,), (0,)]


async def test_a_read_back_that_never_comes_ends_the_sequence(field: Plant) -> None:
    held(field)[110] = 0
    registers = {"locked": {"table": "holding", "address": 110, "type": "u16"}}
    actions = unlocking({"expect": {"locked": 1}, "within_s": 2})
    async with driving((registration(field), profile(actions=actions, registers=registers))) as (driver, inbox):
        assert (await driver.send(command(Action.UNLOCK, connector=1))).outcome == "sent"
        answered = await answer(inbox)
    assert (answered.result, answered.reason) == (AnswerResult.REFUSED, "locked is 0 and must be 1")
    assert [each.words for each in field.writes] == [(1,)]


async def test_a_later_write_is_tried_until_it_is_done(field: Plant) -> None:
    field.unit().write_moods.extend([None, "hang", "drop", 6])
    async with driving((registration(field), profile(actions=unlocking()))) as (driver, inbox):
        assert (await driver.send(command(Action.UNLOCK, connector=1))).outcome == "sent"
        assert (await answer(inbox)).result is AnswerResult.ACCEPTED
        assert driver.counters.totals["writes_again"] == 3
    assert held(field)[300] == 0
    assert [each.words for each in field.writes] == [(1,), (0,), (0,), (0,), (0,)]


async def test_a_later_write_that_never_works_is_told(field: Plant) -> None:
    field.unit().write_moods.extend([None, *["hang"] * 50])
    async with driving((registration(field), profile(actions=unlocking())), speed=60.0) as (driver, inbox):
        assert (await driver.send(command(Action.UNLOCK, connector=1))).outcome == "sent"
        answered = await answer(inbox)
    assert answered.result is AnswerResult.REFUSED
    assert "lock could not be written" in answered.reason


async def test_a_trigger_after_the_first_write_is_never_repeated_though_its_answer_is_lost(field: Plant) -> None:
    registers = {"password": {"table": "holding", "address": 420, "type": "u16", "access": "w"}}
    actions = {"reset_soft": action({"write": {"password": 7}}, {"write": {"reset": 1}})}
    field.unit().write_moods.extend([None, 6, "drop_done"])
    async with driving((registration(field), profile(actions=actions, registers=registers))) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        await field.until(lambda: len(field.writes) == 3 and not driver._commands.under_way(PILE))
        await next_reading(inbox)
        assert not inbox.all(CommandAnswer)  # whether it worked, evidence must tell
    # Busy did nothing, so it was tried again; the lost answer may have been a yes, so it was not.
    assert [each.address for each in field.writes] == [420, 400, 400]


@pytest.mark.parametrize("code", [1, 2, 3, 7, 99])
@pytest.mark.parametrize("more", [{}, {"again": False}, {"within_s": 120}])
async def test_a_later_write_that_the_device_refuses_is_not_repeated(
    field: Plant, code: int, more: dict[str, Any]
) -> None:
    field.unit().write_moods.extend([None, code])
    wanted = profile(actions={"reset_soft": resetting_with_key(**more)}, registers=KEY)
    async with driving((registration(field), wanted)) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        answered = await answer(inbox)
        await field.until(lambda: not driver._commands.under_way(PILE))
        await next_reading(inbox)
        await next_reading(inbox)
        assert driver.counters.totals["writes_again"] == 0
        assert len(inbox.all(CommandAnswer)) == 1
    assert answered.result is AnswerResult.REFUSED
    assert answered.reason.startswith(f"reset: exception {code} (")
    assert [each.address for each in field.writes] == [420, 400]


async def test_a_state_that_must_not_be_written_twice_is_not_when_it_is_refused(field: Plant) -> None:
    actions = {"unlock": action({"write": {"lock": 1}}, {"write": {"lock": 0}, "again": False}, {"write": {"lock": 1}})}
    field.unit().write_moods.extend([None, 3])
    async with driving((registration(field), profile(actions=actions))) as (driver, inbox):
        assert (await driver.send(command(Action.UNLOCK, connector=1))).outcome == "sent"
        answered = await answer(inbox)
    assert (answered.result, answered.reason) == (AnswerResult.REFUSED, "lock: exception 3 (illegal value)")
    assert [each.words for each in field.writes] == [(1,), (0,)]


async def test_a_busy_device_is_told_again_until_it_says_no(field: Plant) -> None:
    field.unit().write_moods.extend([None, 6, 6, 2])
    wanted = profile(actions={"reset_soft": resetting_with_key(again=False)}, registers=KEY)
    async with driving((registration(field), wanted)) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        answered = await answer(inbox)
        assert driver.counters.totals["writes_again"] == 2
    assert (answered.result, answered.reason) == (AnswerResult.REFUSED, "reset: exception 2 (illegal address)")
    assert [each.address for each in field.writes] == [420, 400, 400, 400]


async def test_a_later_write_that_is_acknowledged_is_taken(field: Plant) -> None:
    field.unit().write_moods.extend([None, 5])
    wanted = profile(actions={"reset_soft": resetting_with_key(again=False)}, registers=KEY)
    async with driving((registration(field), wanted)) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        assert (await answer(inbox)).result is AnswerResult.ACCEPTED
    assert [each.address for each in field.writes] == [420, 400]


@pytest.mark.parametrize("mood", [4, 11, "hang", "drop"])
async def test_a_later_write_that_may_have_worked_has_no_answer(field: Plant, mood: int | str) -> None:
    field.unit().write_moods.extend([None, mood])
    wanted = profile(actions={"reset_soft": resetting_with_key()}, registers=KEY)
    async with driving((registration(field), wanted)) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        await field.until(lambda: len(field.writes) == 2 and not driver._commands.under_way(PILE))
        await next_reading(inbox)
        assert not inbox.all(CommandAnswer)
    assert [each.address for each in field.writes] == [420, 400]


@pytest.mark.parametrize("asked_for", [True, None])
async def test_a_refused_write_that_may_be_repeated_is(field: Plant, asked_for: bool | None) -> None:
    """A step that says so, and a state that was not written yet: a device left half way is worse."""
    again = {"write": {"lock": 0}} if asked_for is None else {"write": {"reset": 1}, "again": asked_for}
    actions = {"reset_soft": action({"write": {"lock": 1}}, again)}
    field.unit().write_moods.extend([None, 3, 3])
    async with driving((registration(field), profile(actions=actions))) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        assert (await answer(inbox)).result is AnswerResult.ACCEPTED
        assert driver.counters.totals["writes_again"] == 2
    assert [each.address for each in field.writes][1:] == [300 if asked_for is None else 400] * 3


async def test_a_trigger_that_must_be_repeated_says_so(field: Plant) -> None:
    actions = {"reset_soft": action({"write": {"lock": 1}}, {"write": {"reset": 1}, "again": True})}
    field.unit().write_moods.extend([None, "drop_done"])
    async with driving((registration(field), profile(actions=actions))) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        assert (await answer(inbox)).result is AnswerResult.ACCEPTED
    assert [each.address for each in field.writes] == [300, 400, 400]


async def test_a_daemon_that_leaves_unlocks_what_it_locked(field: Plant) -> None:
    actions = unlocking({"wait_s": 300}, {"expect": {"lock": 7}, "within_s": 300})
    async with driving((registration(field), profile(actions=actions))) as (driver, _):
        assert (await driver.send(command(Action.UNLOCK, connector=1))).outcome == "sent"
        assert held(field)[300] == 1
    assert held(field)[300] == 0


async def test_expectations_before_the_first_write_keep_it_here(field: Plant) -> None:
    actions = {"set_availability": action({"expect": {"lock": 1}, "within_s": 0.1}, {"write": {"reset": 1}})}
    async with driving((registration(field), profile(actions=actions))) as (driver, _):
        dispatch = await driver.send(command(Action.SET_AVAILABILITY))
        assert dispatch.outcome == "not_sent"
        assert "lock is 0" in dispatch.reason
        assert not field.writes


@pytest.mark.parametrize(
    ("function", "expected"),
    [("auto", [(16, (1, 2))]), ("single", [(6, (1,)), (6, (2,))]), ("multiple", [(16, (1, 2))])],
)
async def test_several_words_are_written_as_the_device_wants_them(
    field: Plant, function: str, expected: list[tuple[int, tuple[int, ...]]]
) -> None:
    registers = {"magic": {"table": "holding", "address": 410, "type": "u32", "access": "w"}}
    actions = {"reset_soft": action({"write": {"magic": 0x10002}})}
    wanted = profile(registers=registers, actions=actions, modbus={"write_function": function})
    async with driving((registration(field), wanted)) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        await answer(inbox)
    assert [(each.function, each.words) for each in field.writes] == expected


async def test_a_coil_is_written_with_its_own_function(field: Plant) -> None:
    registers = {"relay": {"table": "coil", "address": 7, "type": "bool", "access": "rw"}}
    field.unit().coil[7] = 1
    actions = {"reset_soft": action({"write": {"relay": False}}, {"write": {"relay": True}})}
    async with driving((registration(field), profile(registers=registers, actions=actions))) as (driver, inbox):
        assert (await driver.send(command())).outcome == "sent"
        assert (await answer(inbox)).result is AnswerResult.ACCEPTED
    assert [(each.function, each.words) for each in field.writes] == [(5, (0,)), (5, (0xFF00,))]


async def test_a_command_for_the_whole_pile_writes_to_every_connector(field: Plant) -> None:
    registers = {
        "enable": {"table": "holding", "address": 500, "type": "u16", "access": "w", "of": "connector", "stride": 100}
    }
    actions = {"set_availability": action({"write": {"enable": 1}})}
    wanted = profile(registers=registers, actions=actions)
    async with driving((registration(field, connectors=2), wanted)) as (driver, inbox):
        assert (await driver.send(command(Action.SET_AVAILABILITY, connector=2))).outcome == "sent"
        await answer(inbox)
        assert [each.address for each in field.writes] == [600]
        await field.until(lambda: not driver._commands.under_way(PILE))
        assert (await driver.send(command(Action.SET_AVAILABILITY))).outcome == "sent"
        await field.until(lambda: len(field.writes) == 3)
    assert [each.address for each in field.writes] == [600, 500, 600]


# --- switches, keepalive, reload ------------------------------------------------------------------------------------


async def test_a_switch_is_read_and_switched_on_demand_only(field: Plant) -> None:
    field.unit().coil[3] = 1
    registers = {"relay": {"table": "coil", "address": 3, "type": "bool", "access": "rw"}}
    off, on = ({"write": {"relay": False}}, {"write": {"relay": True}})
    switch = profile(
        kind="switch", status=[], faults=[], registers=registers, actions={},
        switching={"state": "relay", "off": [off], "on": [on]},
    )  # fmt: skip
    assert switch.switching is not None
    async with driving((registration(field, "breaker"), switch)) as (driver, inbox):
        seen = await driver.look("breaker")
        assert seen is not None
        assert seen.pile["relay"] is True
        asked = len(field.asked)
        assert (await driver.carry_out("breaker", 1, switch.switching.off)).outcome == "sent"
        assert field.unit().coil[3] == 0
        seen = await driver.look("breaker")
        assert seen is not None
        assert seen.pile["relay"] is False
        field.unit().write_moods.extend([6, "drop"])
        assert (await driver.carry_out("breaker", 1, switch.switching.on)).outcome == "not_sent"
        assert (await driver.carry_out("breaker", 1, switch.switching.on)).outcome == "unknown"
        assert (await driver.carry_out("nobody", 1, switch.switching.on)).outcome == "not_sent"
        field.unit().mood = "hang"
        assert await driver.look("breaker") is None
        assert await driver.look("nobody") is None
        assert [type(event) for event in inbox.events] == [DriverLink]
    assert len(field.asked) > asked


async def test_the_steps_of_another_room_are_all_done_or_unknown(field: Plant) -> None:
    wanted = profile(actions=unlocking({"expect": {"lock": 5}, "within_s": 0.1}))
    spec = wanted.spec(Action.UNLOCK)
    assert spec is not None
    async with driving((registration(field), wanted)) as (driver, _):
        dispatch = await driver.carry_out(PILE, 1, spec.steps)
        assert (dispatch.outcome, dispatch.reason) == ("unknown", "lock is 1 and must be 5")


async def test_the_steps_of_another_room_are_not_repeated_when_they_are_refused(field: Plant) -> None:
    wanted = profile(actions={"reset_soft": resetting_with_key()}, registers=KEY)
    spec = wanted.spec(Action.RESET_SOFT)
    assert spec is not None
    async with driving((registration(field), wanted)) as (driver, inbox):
        field.unit().write_moods.extend([3, None, 2])
        dispatch = await driver.carry_out(PILE, 1, spec.steps)  # certainly nothing was done
        assert (dispatch.outcome, dispatch.reason) == ("not_sent", "key: exception 3 (illegal value)")
        dispatch = await driver.carry_out(PILE, 1, spec.steps)
        assert (dispatch.outcome, dispatch.reason) == ("unknown", "reset: exception 2 (illegal address)")
        await next_reading(inbox)
        assert not inbox.all(CommandAnswer)  # who asked has been told
    assert [each.address for each in field.writes] == [420, 420, 400]


async def test_a_keepalive_beats_while_the_device_is_understood(field: Plant) -> None:
    beat = {"does": {"en": "x", "zh": "x"}, "enabled": True, "every_s": 0.2, "steps": [{"write": {"lock": 1}}]}
    async with driving((registration(field), profile(keepalive=beat))) as (driver, _):
        await field.until(lambda: len(field.writes) >= 3)
        assert driver.counters.totals["beats"] >= 2
        held(field)[200] = 0
        field.drop_all()
        await field.until(lambda: driver.counters.totals["beats_left_out"] >= 2 and bool(driver.trouble()))
        quiet = len(field.writes)
        await field.until(lambda: driver.counters.totals["beats_left_out"] >= 5)
        assert len(field.writes) == quiet


async def test_a_keepalive_is_off_unless_wanted(field: Plant) -> None:
    beat = {"does": {"en": "x", "zh": "x"}, "every_s": 0.2, "steps": [{"write": {"lock": 1}}]}
    async with driving((registration(field), profile(keepalive=beat))) as (_, inbox):
        await inbox.first(Telemetry, since=6)
        assert not field.writes


async def test_a_reload_keeps_what_did_not_change(field: Plant) -> None:
    async with plant() as second:
        fill(held(second))
        first, other = registration(field), registration(second, "p-2")
        async with driving((first, profile())) as (driver, inbox):
            await inbox.first(Telemetry)
            moved = Registration(pile=PILE, site="s", region="r", endpoint=first.endpoint, unit=1, address="elsewhere")
            driver.adopt([(moved, profile()), (other, profile())])
            await inbox.first(Telemetry, lambda each: each.pile == "p-2")
            assert field.connections == 1
            driver.adopt([(other, profile())])
            asked = len(field.asked)
            await inbox.first(Telemetry, lambda each: each.pile == "p-2", since=len(inbox.events))
            await next_reading(inbox, "p-2")
            assert len(field.asked) <= asked + 1
            with pytest.raises(InputError, match="host:port"):
                driver.adopt([(Registration(pile="x", site="s", region="r", endpoint="a/b"), profile())])
            await next_reading(inbox, "p-2")


async def test_two_piles_behind_one_gateway_share_its_connection_in_turn() -> None:
    async with plant(1, 2) as gateway:
        for unit in (1, 2):
            fill(held(gateway, unit))
        wanted = profile(modbus={"spacing_s": 0.02})
        devices = [(registration(gateway, f"p-{unit}", unit), wanted) for unit in (1, 2)]
        async with driving(*devices) as (_, inbox):
            for pile in ("p-1", "p-2"):
                await inbox.first(Telemetry, lambda each, pile=pile: each.pile == pile)  # type: ignore[misc]
            assert gateway.connections == 1
