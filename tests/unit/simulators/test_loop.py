"""The loop of the simulated world: virtual time, seeded order, true kill."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Iterator

import pytest

from simulators.loop import DeadlockError, LivelockError, VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop(seed=7)
    yield loop
    loop.close()


def test_time_jumps_to_the_next_timer(loop: VirtualLoop) -> None:
    async def sleeper() -> float:
        await asyncio.sleep(86_400)
        return loop.time()

    began = time.monotonic()
    assert loop.run_until_complete(sleeper()) == 86_400
    assert time.monotonic() - began < 1


def test_waiting_for_nothing_is_a_deadlock_that_names_the_waiter(loop: VirtualLoop) -> None:
    async def waiter() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.create_task(waiter(), name="the-waiter")

    with pytest.raises(DeadlockError, match="the-waiter"):
        loop.run_until_complete(main())


@pytest.mark.parametrize("timed", [False, True])
def test_running_in_a_circle_is_a_livelock(loop: VirtualLoop, timed: bool) -> None:
    async def spin() -> None:
        while True:
            if timed:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0):
                        await asyncio.Event().wait()
            else:
                await asyncio.sleep(0)

    with pytest.raises(LivelockError, match="does not end"):
        loop.run_until_complete(spin())


def order_of(seed: int) -> list[int]:
    loop = VirtualLoop(seed)
    seen: list[int] = []

    async def one(number: int) -> None:
        await asyncio.sleep(1)
        seen.append(number)

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(8)))

    loop.run_until_complete(main())
    loop.close()
    return seen


def test_the_seed_decides_the_order_of_ready_steps() -> None:
    assert order_of(1) == order_of(1)
    assert {tuple(order_of(seed)) for seed in range(20)} != {tuple(range(8))}
    assert sorted(order_of(3)) == list(range(8))


def test_plain_callbacks_keep_their_order(loop: VirtualLoop) -> None:
    seen: list[int] = []

    async def main() -> None:
        for number in range(50):
            loop.call_soon(seen.append, number)
        for number in range(50, 100):
            loop.call_later(1, seen.append, number)
        await asyncio.sleep(2)

    loop.run_until_complete(main())
    assert seen == list(range(100))


def test_a_cancelled_timer_does_not_move_time(loop: VirtualLoop) -> None:
    async def main() -> float:
        loop.call_later(1000, lambda: None).cancel()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        return loop.time()

    assert loop.run_until_complete(main()) == 5


def test_executors_run_inline_and_pass_errors_on(loop: VirtualLoop) -> None:
    async def main() -> int:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        return await asyncio.to_thread(lambda: 41 + 1)

    assert loop.run_until_complete(main()) == 42


def test_a_kill_runs_no_finally_and_takes_timers_and_children(
    loop: VirtualLoop, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    async def child() -> None:
        try:
            await asyncio.sleep(10)
            seen.append("child lived")
        finally:
            seen.append("child finally")

    async def victim() -> None:
        loop.call_later(5, seen.append, "timer")
        children = [asyncio.create_task(child()) for _ in range(3)]
        try:
            await asyncio.gather(*children)
        except BaseException:  # noqa: BLE001 - nothing at all may reach it
            seen.append("caught")

    async def main() -> None:
        task = loop.start_as("victim", victim())
        await asyncio.sleep(1)
        loop.kill("victim")
        del task
        gc.collect()
        await asyncio.sleep(100)

    loop.run_until_complete(main())
    gc.collect()
    assert seen == []
    assert not loop.alive("victim")
    assert "destroyed" not in caplog.text


def test_a_future_of_the_living_wakes_no_dead(loop: VirtualLoop) -> None:
    seen: list[str] = []

    async def main() -> None:
        future = loop.create_future()

        async def victim() -> None:
            await future
            seen.append("woke")

        loop.start_as("victim", victim())
        await asyncio.sleep(1)
        loop.kill("victim")
        future.set_result(None)
        await asyncio.sleep(1)

    loop.run_until_complete(main())
    assert seen == []


def test_a_fuse_counts_steps_of_its_process_alone(loop: VirtualLoop) -> None:
    seen: list[int] = []
    told: list[float] = []

    async def victim() -> None:
        for number in range(100):
            seen.append(number)
            await asyncio.sleep(1)

    async def bystander() -> None:
        for _ in range(200):
            await asyncio.sleep(0.1)

    async def main() -> None:
        loop.kill_after("victim", 5, lambda: told.append(loop.time()))
        loop.start_as("victim", victim())
        await bystander()

    loop.run_until_complete(main())
    assert seen == [0, 1, 2, 3, 4]
    assert told == [5.0]


def test_a_process_that_kills_itself_stops_at_its_next_await(loop: VirtualLoop) -> None:
    seen: list[str] = []

    async def victim() -> None:
        loop.kill("victim")
        seen.append("still in the same step")
        await asyncio.sleep(0)
        seen.append("never")

    async def main() -> None:
        loop.start_as("victim", victim())
        await asyncio.sleep(5)

    loop.run_until_complete(main())
    assert seen == ["still in the same step"]


def test_a_kill_reaches_what_is_ready_in_the_same_turn(loop: VirtualLoop) -> None:
    seen: list[str] = []

    async def victim() -> None:
        asyncio.get_running_loop().call_soon(lambda: loop.kill("victim"))
        asyncio.get_running_loop().call_soon(seen.append, "after death")
        await asyncio.sleep(0)
        seen.append("step after death")

    async def main() -> None:
        loop.start_as("victim", victim())
        await asyncio.sleep(5)

    loop.run_until_complete(main())
    assert "after death" not in seen


def test_the_world_cannot_be_killed(loop: VirtualLoop) -> None:
    with pytest.raises(ValueError, match="world"):
        loop.kill("world")
