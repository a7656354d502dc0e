"""Two readings of the makers' tables meet: the shipped profiles, and the simulated devices.

Both were written by hand from the same facts, apart from each other. Where they disagree, one of them is wrong.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulators.wire.modbus.catalogue import BY_PROFILE, MAKES
from simulators.wire.modbus.device import Device
from simulators.wire.modbus.makes.alfen import Alfen
from simulators.wire.modbus.makes.heidelberg import Heidelberg
from simulators.wire.modbus.makes.keba import Keba
from simulators.wire.modbus.makes.vestel import Vestel
from simulators.wire.modbus.makes.warp import Warp
from simulators.wire.modbus.quay import Berthed, Quay
from simulators.wire.modbus.troubles import Trouble
from tests.integration.brokers import Basket, WallClock, until
from tests.unit.simulators.bench import START
from tests.unit.simulators.modbus_bench import charging, device
from triage.config.profile.file import load_profile
from triage.core.events import PileStatus, Quarantined, Registration, Telemetry
from triage.drivers.modbus.driver import ModbusDriver

pytestmark = pytest.mark.integration
PROFILES = Path(__file__).resolve().parents[2] / "config" / "profiles"
SPEED = 25.0
NAMES = sorted(BY_PROFILE)
FAULTS = (
    ("abl_emh1", "contactor_weld", "ContactorWelded"),
    ("abl_emh1", "controller_error", "InternalError"),
    ("abl_emh1", "ground_fault", "RcdTripped"),
    ("abl_emh1", "lock_jammed", "ConnectorLockFailure"),
    ("abl_emh1", "cable_over_temperature", "HighTemperature"),
    ("victron_evcs", "insulation_fault", "ProtectiveEarthFault"),
    ("victron_evcs", "contactor_weld", "ContactorWelded"),
    ("victron_evcs", "ground_fault", "RcdTripped"),
    ("victron_evcs", "supply_low", "UnderVoltage"),
    ("victron_evcs", "cable_over_temperature", "HighTemperature"),
    ("warp_charger", "controller_error", "charger_state 4"),
    ("heidelberg_energy_control", "controller_error", "vehicle_state 11"),
    ("keba_p30_p40", "controller_error", "error_code 262144"),
    ("vestel_evc04", "ground_fault", "evse_fault_code bit 17"),
    ("phoenix_charx", "ground_fault", "status F"),
    ("sungrow_ac011e", "ground_fault", "state 9"),
    ("alfen_eve", "ground_fault", "mode3_state F"),
)
"""Make, what goes wrong inside, and what the driver has to call it."""


class Yard:
    """One simulated device, polled by the driver with the shipped profile. Simulated time runs with the real one."""

    def __init__(self, device: Device, at: float = START) -> None:
        self.device = device
        self.basket = Basket()
        self._zero = at - time.monotonic()

    def now(self) -> float:
        return self._zero + time.monotonic()

    @contextlib.asynccontextmanager
    async def polled(self) -> AsyncIterator[ModbusDriver]:
        berths = {unit: Berthed(self.device, unit) for unit in self.device.units}
        async with Quay("127.0.0.1", 0, berths, self.now) as quay:
            row = Registration(
                pile="P1",
                site="S1",
                region="north",
                profile=self.device.profile,
                endpoint=f"127.0.0.1:{quay.port}",
                unit=self.device.own_unit,
                connectors=self.device.model.connectors,
            )
            profile = load_profile(PROFILES / f"{self.device.profile}.yaml")
            driver = ModbusDriver([(row, profile)], clock=WallClock(), fresh_s=10.0, speed=SPEED)
            await driver.start(self.basket)
            try:
                yield driver
            finally:
                await driver.stop()

    async def next(self) -> Telemetry:
        """The next reading."""
        count = len(self.basket.of(Telemetry))
        await until(lambda: len(self.basket.of(Telemetry)) > count, what=f"a reading ({self.basket.events[-3:]})")
        return self.basket.of(Telemetry)[-1]


def statuses(reading: Telemetry) -> list[str | None]:
    return [each.status for each in reading.readings]


@pytest.mark.parametrize("name", NAMES)
async def test_a_free_charger_is_available_and_nobody_charges(name: str) -> None:
    yard = Yard(device(BY_PROFILE[name]))
    async with yard.polled():
        reading = await yard.next()
    assert set(statuses(reading)) == {"available"}
    assert len(reading.readings) == yard.device.model.connectors
    assert [(each.session, each.session_known) for each in reading.readings] == [(None, True)] * len(reading.readings)
    assert reading.faults == ()


@pytest.mark.parametrize("name", NAMES)
async def test_a_charge_is_seen_with_its_power_and_its_meter(name: str) -> None:
    box = device(BY_PROFILE[name])
    at = charging(box)
    yard = Yard(box, at)
    async with yard.polled():
        reading = (await yard.next()).readings[0]
    own = box.pile.look(yard.now()).connectors[0]
    assert reading.status == "charging"
    assert (reading.session is not None, reading.session_known) == (True, True)
    if reading.power_w is not None:
        assert reading.power_w == pytest.approx(own.power_w, rel=0.02, abs=20)
    else:
        assert reading.current_a == pytest.approx(own.power_w / 3 / 230, rel=0.05)
    if reading.energy_wh is not None:
        assert reading.energy_wh == pytest.approx(own.energy_wh, abs=500)


@pytest.mark.parametrize(("name", "kind", "code"), FAULTS)
async def test_a_fault_is_called_by_its_name(name: str, kind: str, code: str) -> None:
    yard = Yard(device(BY_PROFILE[name]))
    yard.device.pile.inject(START, kind, 1)
    async with yard.polled():
        reading = await yard.next()
    assert statuses(reading)[0] == "faulted"
    assert [each.code for each in reading.faults] == [code]


@pytest.mark.parametrize("name", ["warp_charger", "alfen_eve"])
async def test_a_restart_is_seen_where_the_make_tells_its_uptime(name: str) -> None:
    yard = Yard(device(BY_PROFILE[name]))
    async with yard.polled():
        before = await yard.next()
        assert before.uptime_s is not None
        yard.device.pile.repair(yard.now(), fixed=True)
        yard._zero += 300.0  # it takes less than that to come up again
        uptime_s: float | None = before.uptime_s
        while uptime_s is None or uptime_s >= before.uptime_s:
            uptime_s = (await yard.next()).uptime_s
    assert uptime_s < 400.0


async def test_a_meter_without_a_value_is_unknown_and_not_zero() -> None:
    yard = Yard(device(Alfen))
    yard.device.pile.inject(START, "meter_failure", 1)
    async with yard.polled():
        first, second = (await yard.next()).readings
    assert (first.power_w, first.energy_wh) == (None, None)
    assert second.power_w == 0.0
    assert second.energy_wh is not None


@pytest.mark.parametrize("make", [Keba, Vestel, Warp, Alfen])
async def test_an_impostor_is_flagged_and_its_readings_are_not_believed(make: type[Device]) -> None:
    yard = Yard(device(make))
    yard.device.troubles.add(Trouble.IMPOSTOR)
    yard.device.pile.inject(START, "ground_fault", 1)
    async with yard.polled():
        await until(lambda: yard.basket.of(Quarantined), what="flagged")
    assert {each.reason for each in yard.basket.of(Quarantined)} == {"wrong_identity"}
    assert yard.basket.of(Telemetry) == []


@pytest.mark.parametrize("trouble", [Trouble.LOST, Trouble.STALL, Trouble.CUT])
async def test_a_device_that_cannot_be_read_is_gone_and_comes_back(trouble: Trouble) -> None:
    yard = Yard(device(Keba))
    async with yard.polled():
        await yard.next()
        yard.device.troubles.add(trouble)
        await until(lambda: [each.online for each in yard.basket.of(PileStatus)][-1:] == [False], what="gone")
        yard.device.troubles.clear()
        await yard.next()
    assert [each.online for each in yard.basket.of(PileStatus)][-1:] == [True]
    assert yard.basket.of(Quarantined) == []


async def test_a_busy_device_is_not_gone_and_tells_nothing() -> None:
    yard = Yard(device(Keba))
    async with yard.polled() as driver:
        await yard.next()
        yard.device.troubles.add(Trouble.BUSY)
        await until(lambda: driver.counters.failures["busy"] > 3, what="busy again and again")
        assert [each.online for each in yard.basket.of(PileStatus)][-1:] == [True]
        yard.device.troubles.clear()
        await yard.next()


async def test_a_value_torn_between_two_moments_is_read_again_and_never_told() -> None:
    yard = Yard(device(Heidelberg))
    meter = yard.device.pile._device.connectors[0]
    meter.meter_wh = 0x0000_FFF0
    yard.device.troubles.add(Trouble.TORN)
    async with yard.polled() as driver:
        await yard.next()
        meter.meter_wh = 0x0001_0010  # its high word is read from before: 0x0000_0010, far below what it was
        await yard.next()
        await yard.next()
        again = driver.counters.totals["read_again"]
    assert [each.readings[0].energy_wh for each in yard.basket.of(Telemetry)][:1] == [0xFFF0]
    assert {each.readings[0].energy_wh for each in yard.basket.of(Telemetry)} == {0xFFF0, 0x0001_0010}
    assert again == 1


def test_every_simulated_make_has_a_shipped_profile() -> None:
    assert [make.profile for make in MAKES if not (PROFILES / f"{make.profile}.yaml").is_file()] == []
