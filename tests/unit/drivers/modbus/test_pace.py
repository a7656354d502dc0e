"""Grids that never drift, pauses that grow, and sleeps that can be cut."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from triage.drivers.modbus.counters import Lags
from triage.drivers.modbus.pace import BACKOFF_MOST_S, Backoff, Beat, Sleep


def test_a_thousand_devices_are_spread_over_the_period() -> None:
    first = [Beat(f"pile-{number}", 5.0, 100.0).after(100.0) for number in range(1_000)]
    assert all(100.0 <= each <= 105.0 for each in first)
    for tenth in range(10):
        among = [each for each in first if 100 + tenth / 2 <= each < 100.5 + tenth / 2]
        assert 60 <= len(among) <= 140


def test_a_timer_that_fires_early_brings_no_moment_twice() -> None:
    beat = Beat("p", 5.0, 0.0)
    due = beat.after(0.0)
    later = beat.after(due - 0.001)
    assert abs(later - due - 5.0) < 1e-9


def test_moments_that_have_passed_are_left_out_and_the_grid_stays() -> None:
    beat = Beat("p", 5.0, 0.0)
    due = beat.after(0.0)
    later = beat.after(due + 17.0)
    assert abs(later - due - 20.0) < 1e-9


@given(st.floats(0.2, 3_600.0), st.floats(0, 1e6), st.lists(st.floats(0, 1e5), max_size=20))
def test_moments_are_later_than_asked_and_on_the_grid(period_s: float, origin_s: float, waits: list[float]) -> None:
    beat, now_s = Beat("pile", period_s, origin_s), origin_s
    first = last = beat.after(now_s)
    for wait_s in waits:
        now_s += wait_s
        due = beat.after(now_s)
        assert due > last
        assert due > now_s - 1e-6 * period_s
        steps = (due - first) / period_s
        assert abs(steps - round(steps)) < 1e-3
        last = due


def test_pauses_double_to_a_minute_with_jitter_and_begin_anew() -> None:
    backoff = Backoff(2.0, random.Random(1))
    pauses = [backoff.pause_s() for _ in range(30)]
    assert 1.5 <= pauses[0] <= 2.5
    assert 3.0 <= pauses[1] <= 5.0
    assert max(pauses) <= BACKOFF_MOST_S
    assert all(pause >= 45.0 for pause in pauses[6:])
    assert len({round(pause, 3) for pause in pauses[:5]}) == 5
    backoff.reset()
    assert backoff.pause_s() <= 2.5


async def test_a_sleep_ends_when_woken() -> None:
    sleep = Sleep()
    loop = asyncio.get_running_loop()
    loop.call_soon(sleep.wake)
    async with asyncio.timeout(1.0):
        await sleep.until(loop.time() + 60.0)
    sleep.wake()  # nobody sleeps


def test_lags_are_bounded_and_tell_their_quantiles() -> None:
    lags = Lags()
    assert lags.quantile(0.99) == 0.0
    for number in range(30_000):
        lags.add(number / 10_000)
    assert (lags.count, len(lags.recent), sum(lags.buckets)) == (30_000, 20_000, 30_000)
    assert lags.buckets[0] == 51  # up to and including 5 ms
    assert abs(lags.quantile(0.5) - 2.0) < 0.001
    assert lags.quantile(1.0) == max(lags.recent)
