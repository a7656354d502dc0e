"""What the driver counts: plain numbers the application reads when it is asked for metrics."""

from __future__ import annotations

from collections import Counter


class Counters:
    """Counts by name, and some of them by a closed set of labels."""

    def __init__(self) -> None:
        """Start at zero."""
        self.totals: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self.dispatches: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()

    def count(self, name: str, by: int = 1) -> None:
        """Add to one of the totals."""
        self.totals[name] += by
