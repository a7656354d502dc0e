"""The steady clock: no jump of the wall clock reaches a deadline, and a restart goes on where it stopped."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.clock import JUMP_S, SLEW, SteadyClock

EPOCH = 1_772_000_000.0


class Host:
    """A host whose two clocks a test moves."""

    def __init__(self, boot: str = "boot-1", wall: float = EPOCH) -> None:
        self.wall = wall
        self.mono = 1000.0
        self.boot = boot

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.mono, lambda: self.boot)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds

    def jump(self, seconds: float) -> None:
        self.wall += seconds


def at(moment: datetime) -> float:
    return moment.timestamp() - EPOCH


def test_it_starts_at_the_wall_clock_and_is_utc() -> None:
    clock = Host().clock()
    assert clock.now() == datetime.fromtimestamp(EPOCH, UTC)
    assert clock.now().tzinfo is UTC
    assert not clock.jumped()


@pytest.mark.parametrize("jump", [3600, -3600, 86_400, -86_400, -EPOCH])
def test_a_jump_moves_nothing_at_once(jump: float) -> None:
    host = Host()
    clock = host.clock()
    host.wait(10)
    host.jump(jump)
    assert at(clock.now()) == pytest.approx(10, abs=10 * SLEW)
    host.wait(60)
    assert at(clock.now()) == pytest.approx(70, abs=70 * SLEW)
    assert clock.jumped()
    assert clock.offset().total_seconds() == pytest.approx(jump, abs=70 * SLEW)


@pytest.mark.parametrize("jump", [3600, -3600])
def test_it_draws_near_in_time(jump: float) -> None:
    host = Host()
    clock = host.clock()
    host.jump(jump)
    for _ in range(100):
        host.wait(abs(jump) / SLEW / 50)
        clock.now()
    assert abs(clock.offset()) < timedelta(seconds=1)
    assert not clock.jumped()


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e6, 1e6)), max_size=30))
def test_it_never_runs_backwards_and_never_far_from_its_pace(steps: list[tuple[float, float]]) -> None:
    host = Host()
    clock = host.clock()
    before, passed = clock.now(), 0.0
    for wait, jump in steps:
        host.jump(jump)
        host.wait(wait)
        passed += wait
        now = clock.now()
        assert now >= before
        before = now
        assert abs(at(now) - passed) <= passed * SLEW + 0.001


def test_a_monotonic_clock_that_steps_back_does_not_move_it() -> None:
    host = Host()
    clock = host.clock()
    host.wait(100)
    before = clock.now()
    host.mono -= 50
    assert clock.now() == before


def test_a_restart_on_the_same_boot_goes_on_over_a_jump() -> None:
    host = Host()
    first = host.clock()
    host.wait(500)
    anchor = first.anchor()
    host.wait(30)
    host.jump(7200)
    second = host.clock()
    assert second.resume(anchor)
    assert at(second.now()) == pytest.approx(530, abs=1)
    assert second.jumped()


def test_a_restart_on_another_boot_takes_the_wall_clock() -> None:
    host = Host()
    anchor = host.clock().anchor()
    other = Host(boot="boot-2", wall=EPOCH + 9000)
    clock = other.clock()
    assert not clock.resume(anchor)
    assert at(clock.now()) == 9000


def test_a_host_without_a_name_for_its_boot_bridges_nothing() -> None:
    host = Host(boot="")
    anchor = host.clock().anchor()
    assert not host.clock().resume(anchor)


def test_an_anchor_from_the_future_is_refused() -> None:
    host = Host()
    host.wait(1000)
    anchor = host.clock().anchor()
    host.mono -= 900
    assert not host.clock().resume(anchor)


@pytest.mark.parametrize(
    "anchor", ["", "x", "1.0 2.0", "a b boot-1", "nan nan boot-1", "1.0 2.0 boot-1 more", "inf 1 boot-1"]
)
def test_an_anchor_nobody_can_read_is_refused(anchor: str) -> None:
    clock = Host().clock()
    assert not clock.resume(anchor)
    assert at(clock.now()) == 0


def test_it_tells_a_jump_only_when_it_is_one() -> None:
    host = Host()
    clock = host.clock()
    host.jump(JUMP_S * 0.9)
    assert not clock.jumped()
    host.jump(JUMP_S)
    assert clock.jumped()


def test_the_machines_own_clocks_work() -> None:
    clock = SteadyClock()
    first = clock.now()
    assert clock.now() >= first
    assert abs(clock.offset()) < timedelta(seconds=1)
    assert SteadyClock().resume(clock.anchor()) or clock.anchor().endswith(" ")
    assert clock.monotonic() > 0
