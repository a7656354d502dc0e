"""Energy counters: what follows the past, what is torn, and what was reset."""

from __future__ import annotations

import pytest

from triage.core.events import Reading
from triage.drivers.modbus.meter import Meters


def wh(*energies: float | None) -> list[Reading]:
    return [Reading(connector=number, energy_wh=energy) for number, energy in enumerate(energies, 1)]


def meters(*energies: float | None, rated_w: float | None = 36_000.0, at_s: float = 0.0) -> Meters:
    made = Meters(rated_w)
    made.believe(wh(*energies), at_s)
    return made


@pytest.mark.parametrize(
    ("energy", "at_s", "doubtful"),
    [
        (10_000.0, 5.0, False),
        (9_999.5, 5.0, False),  # the last digit of a float
        (9_998.0, 5.0, True),
        # 36 kW for 100 s are 1,000 Wh; a tenth more and 100 Wh are granted.
        (11_200.0, 100.0, False),
        (11_201.0, 100.0, True),
        (11_201.0, 200.0, False),
    ],
)
def test_a_counter_goes_forward_and_no_faster_than_the_power_allows(energy: float, at_s: float, doubtful: bool) -> None:
    assert (meters(10_000.0).doubt(wh(energy), at_s) is not None) == doubtful


def test_without_a_rating_a_megawatt_is_the_most() -> None:
    assert meters(0.0, rated_w=None).doubt(wh(1_199.0), 3.6) is None
    assert "1200 Wh is the most" in (meters(0.0, rated_w=None).doubt(wh(1_201.0), 3.6) or "")


def test_what_was_never_read_or_is_unknown_now_is_not_doubted() -> None:
    assert Meters(None).doubt(wh(5.0), 0.0) is None
    assert meters(5_000.0).doubt(wh(None), 5.0) is None
    assert meters(None).doubt(wh(5_000.0), 5.0) is None


def test_each_connector_has_its_own_counter() -> None:
    assert "connector 2" in (meters(100.0, 5_000.0).doubt(wh(100.0, 3_000.0), 5.0) or "")


def test_a_second_reading_that_follows_the_past_is_believed() -> None:
    assert meters(70_000.0).still_doubtful(wh(4_464.0), 5.0, wh(70_001.0), 5.1) is None


def test_two_readings_that_agree_tell_of_a_reset() -> None:
    assert meters(70_000.0).still_doubtful(wh(3.0), 5.0, wh(4.0), 5.1) is None


@pytest.mark.parametrize("second", [90_000.0, 2.0])
def test_a_second_reading_that_agrees_with_nothing_is_torn(second: float) -> None:
    assert meters(70_000.0).still_doubtful(wh(4_464.0), 5.0, wh(second), 5.1) is not None


def test_a_reading_that_was_unknown_at_first_cannot_vouch_for_the_second() -> None:
    assert meters(70_000.0).still_doubtful(wh(None), 5.0, wh(3.0), 5.1) is not None


def test_what_was_unknown_does_not_wipe_out_the_past() -> None:
    made = meters(70_000.0)
    made.believe(wh(None), 5.0)
    assert made.doubt(wh(3.0), 10.0) is not None
