"""The characters devices have: what they do with a command beyond what their maker promises.

API::

    draw_temperament(rng) -> Temperament       # most are well-behaved in most respects
    Temperament()                              # a well-behaved device
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperament:
    """How a device behaves beyond what its maker promises; the default is a well-behaved one.

    ``forgets_ids``: command ids do not survive a reboot. ``idle_hands``: accepts and does nothing. ``mute``: acts and
    never answers. ``answers_after_s``: range of its answering delay. ``returns_faulty`` and ``never_returns``: chances
    at each reboot to come back with a controller error, or not at all until somebody visits. ``says_available``: shows
    available and no fault whatever is wrong. ``reboots_per_day``: by itself. ``clock_error_s`` is added to its times.
    """

    forgets_ids: bool = False
    idle_hands: bool = False
    mute: bool = False
    answers_after_s: tuple[float, float] = (0.05, 0.8)
    returns_faulty: float = 0.0
    never_returns: float = 0.0
    says_available: bool = False
    reboots_per_day: float = 0.0
    clock_error_s: float = 0.0
    seq_restarts: bool = True
    counts_boots: bool = True
    tells_session: bool = True
    buffers: bool = False


CLOCK_ERRORS_S = (-20 * 365 * DAY_S, -HOUR_S * 8, -15 * MINUTE_S, 15 * MINUTE_S, 8 * HOUR_S, 400 * DAY_S)
"""Clocks as found in the field: never set, wrong time zone, drifted, set to another year."""


def draw_temperament(rng: Random) -> Temperament:
    """A device's character; most are well-behaved in most respects."""

    def hundredths(times: int) -> bool:
        return rng.random() * 100.0 < times

    return Temperament(
        forgets_ids=hundredths(30),
        idle_hands=hundredths(3),
        mute=hundredths(4),
        answers_after_s=(5.0, 90.0) if hundredths(8) else (0.05, 0.8),
        returns_faulty=0.5 if hundredths(5) else 0.02,
        never_returns=0.3 if hundredths(3) else 0.004,
        says_available=hundredths(2),
        reboots_per_day=2.0 if hundredths(6) else 0.02,
        clock_error_s=rng.choice(CLOCK_ERRORS_S) if hundredths(6) else rng.gauss(0.0, 1.0),
        seq_restarts=hundredths(60),
        counts_boots=hundredths(94),
        tells_session=hundredths(97),
        buffers=hundredths(8),
    )
