"""The claims of a device over time: what it can no longer be asked about has not been cleared.

A fault that is missing from a reading counts as cleared. A register that suddenly answers "no value", or not at all,
says nothing about the fault it used to tell of: its claims stand until it speaks again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triage.core.events import FaultClaim
from triage.drivers.profiles.interpreter import Sighting


class Claims:
    """One device's claims, look by look."""

    def __init__(self, sources: frozenset[str], before: Sequence[FaultClaim] = ()) -> None:
        """``sources`` are the values its faults are read from (see :attr:`Interpreter.fault_sources`).

        ``before`` is what the core has on record: a register that is gone when we start clears nothing either.
        """
        self._sources = sources
        self._claims = tuple(before)
        self._heard = frozenset(name for claim in before for name in _named(claim)) & sources

    def after(self, sighting: Sighting) -> tuple[FaultClaim, ...]:
        """What it claims now, together with what it claimed before and can no longer be asked about."""
        self._heard |= self._sources - sighting.blind
        blind = sighting.blind & self._heard
        now = sighting.faults
        if blind and self._claims:
            fresh = {(each.code, each.connector) for each in now}
            now += tuple(
                each for each in self._claims if (each.code, each.connector) not in fresh and self._of(each, blind)
            )
        self._claims = now
        return now

    def _of(self, claim: FaultClaim, blind: frozenset[str]) -> bool:
        """Whether a claim comes, or may come, from a value that is not known now."""
        named = self._sources.intersection(_named(claim))
        return not named or bool(named & blind)


def _named(claim: FaultClaim) -> Iterator[str]:
    """The first words of all that made the claim: where they are of values, the values it was read from."""
    for words in (*claim.info.split("; "), claim.code):
        yield words.split(" ", 1)[0]
