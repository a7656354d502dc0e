"""What the driver counts: plain numbers the application reads when it is asked for metrics."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque

LAGS_KEPT = 20_000
EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper edges of the histogram of poll lags; what is longer falls into one more bucket."""


class Lags:
    """How late readings are in hand, counted from the moment at which their poll was due; seconds, bounded."""

    def __init__(self) -> None:
        """Start empty."""
        self.edges_s = EDGES_S
        self.buckets = [0] * (len(EDGES_S) + 1)
        self.total_s = 0.0
        self.count = 0
        self.recent: deque[float] = deque(maxlen=LAGS_KEPT)

    def add(self, lag_s: float) -> None:
        """Note one."""
        self.buckets[bisect_left(EDGES_S, lag_s)] += 1
        self.total_s += lag_s
        self.count += 1
        self.recent.append(lag_s)

    def quantile(self, share: float) -> float:
        """The lag that ``share`` of the recent ones do not exceed; 0 when there is none."""
        ordered = sorted(self.recent)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Counters:
    """Counts by name, and some of them by a closed set of labels.

    Attributes:
        polls: readings that were taken, understood and handed over.
        failures: readings that were not, by kind (timeout, refused_connection, busy, exception, gateway, dropped,
            garbled, torn, wrong_identity, impossible).
        totals: everything else by name (connects, writes, beats, not_there, late, wrong_unit, …).
        refusals: commands that did not leave, by kind.
        dispatches: commands by outcome.
        lags: how late the readings were.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self.polls = 0
        self.failures: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.dispatches: Counter[str] = Counter()
        self.lags = Lags()

    def count(self, name: str, by: int = 1) -> None:
        """Add to one of the totals."""
        self.totals[name] += by
