"""An uptime that is told seldom: carried on meanwhile, and a restart seen from the next telling."""

from __future__ import annotations

import pytest

from triage.drivers.dialect.uptime import Uptime


@pytest.mark.parametrize(
    ("before", "elapsed", "now", "restarted"),
    [
        (1000.0, 60.0, 1060.0, False),
        (1000.0, 60.0, 1055.0, False),  # its clock is a little slower
        (1000.0, 60.0, 20.0, True),
        (5.0, 60.0, 30.0, True),  # more than before, and yet too little
        (1000.0, 60.0, 900.0, False),  # an older message: it had run for longer than the time since
        (1000.0, 0.5, 0.2, True),
        (30.0, 3600.0, 3500.0, False),
    ],
)
def test_a_restart_is_what_the_time_since_the_last_telling_allows(
    before: float, elapsed: float, now: float, restarted: bool
) -> None:
    uptime = Uptime(1.0)
    assert not uptime.said(before, 100.0)
    assert uptime.said(now, 100.0 + elapsed) is restarted


def test_it_runs_on_between_two_tellings() -> None:
    uptime = Uptime(10.0)
    assert uptime.at(5.0) is None
    uptime.said(100.0, 5.0)
    assert uptime.at(8.0) == 130.0
    uptime.said(None, 9.0)
    assert uptime.at(9.0) is None
    assert not uptime.said(1.0, 10.0), "unknown before: nothing to compare with"


def test_what_was_said_before_an_outage_only_shows_a_restart() -> None:
    uptime = Uptime(1.0)
    uptime.said(1000.0, 0.0)
    uptime.doubt()
    assert uptime.at(300.0) is None
    assert uptime.said(20.0, 300.0)
    assert uptime.at(301.0) == 21.0
