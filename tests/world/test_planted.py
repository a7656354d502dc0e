"""The world is tested by whether it sees: each planted bug is caught, by the law that it breaks, and only where it is.

A bug is looked for from the seed that is known to show it. When the product changes, worlds change with it, so the
search goes on over the next seeds, within the bound that is promised for bigger worlds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from simulators.planted import PLANTED, planted
from simulators.world.command import run
from simulators.world.outcome import Outcome, Script

SMALL = Script(piles=30, days=0.4, seed=1, crash_every=250, faults=6.0)
SEEDS = 100
KNOWN: dict[str, tuple[int, set[str]]] = {
    "resend_blind": (1, {"I7"}),
    "ack_before_commit": (2, {"I11"}),
    "send_before_commit": (1, {"I4"}),
    "answer_before_commit": (1, {"I1"}),
    "key_forgotten": (2, {"I1"}),
    "spacing_forgotten": (3, {"I7", "I9"}),
    "hazard_forgotten": (1, {"I4"}),
    "session_remembered": (1, {"I4"}),
    "deadlines_lost": (7, {"I6"}),
    "order_again": (2, {"I3"}),
    "notice_dropped": (1, {"I3"}),
    "unknown_session": (1, {"I4"}),
    "hazard_not_sticky": (2, {"I4"}),
    "answer_is_proof": (3, {"I5"}),
    "stale_evidence": (1, {"I5"}),
    "retained_is_fresh": (7, {"I4"}),
    "order_of_messages": (44, {"I11", "I5"}),
    "soak_skipped": (1, {"I5"}),
    "closed_blindly": (1, {"I5"}),
    "gate_busy": (1, {"I2"}),
    "gate_kill_switch": (8, {"I18"}),
    "gate_session": (1, {"I4"}),
    "gate_spacing": (2, {"I7"}),
    "gate_strikes": (3, {"I7", "I9"}),
    "gate_site_budget": (1, {"I9"}),
    "gate_fleet_budget": (3, {"I9"}),
    "danger_unknown": (1, {"I4"}),
    "expiry_ignored": (3, {"I10"}),
}
"""The seed to begin with, and the laws one of which has to be named."""


@cache
def clean(seed: int) -> Outcome:
    """The same world without a bug."""
    return run(replace(SMALL, seed=seed))


def test_every_planted_bug_is_looked_for() -> None:
    assert set(KNOWN) == set(PLANTED)
    assert len(PLANTED) >= 12


@pytest.mark.parametrize("bug", list(KNOWN))
def test_is_caught(bug: str) -> None:
    first, laws = KNOWN[bug]
    for seed in range(first, first + SEEDS):
        outcome = run(replace(SMALL, seed=seed, plant=bug))
        if laws & set(outcome.laws):
            assert clean(seed).violations == [], "the world accuses the correct version of the same"
            return
    pytest.fail(f"{bug} was not seen in {SEEDS} worlds")


def test_a_planted_bug_is_gone_afterwards() -> None:
    from triage.outbox import Outbox  # noqa: PLC0415 - the point is what the module holds before and after

    before = Outbox.resume
    with planted("resend_blind"):
        assert Outbox.resume is not before
    assert Outbox.resume is before


def test_an_unknown_bug_is_an_error() -> None:
    with pytest.raises(KeyError), planted("no-such-bug"):
        pass
