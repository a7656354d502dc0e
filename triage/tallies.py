"""What the drivers count of themselves, shown on the metrics page when it is asked for.

The drivers keep plain numbers, for they must not know how they are shown; nothing is copied before somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from triage.metrics import OTHER

MOST_KINDS = 40
"""Kinds shown of one driver and counter; the rarer ones are added up as ``other``."""


class Tally(Struct, frozen=True, kw_only=True):
    """One driver's counts. ``lag`` is a histogram: upper edges (s), counts (one more than edges), sum (s)."""

    driver: str
    events: Mapping[str, int] = {}
    commands: Mapping[str, int] = {}
    refusals: Mapping[str, int] = {}
    polls: Mapping[str, int] = {}
    lag: tuple[tuple[float, ...], tuple[int, ...], float] | None = None


def tally(name: str, counters: object) -> Tally:
    """The tally of a driver from its counters; what a driver does not count is left out."""
    polls = dict(getattr(counters, "failures", {}))
    if hasattr(counters, "polls"):
        polls["ok"] = counters.polls
    lags = getattr(counters, "lags", None)
    return Tally(
        driver=name,
        events=getattr(counters, "totals", {}),
        commands=getattr(counters, "dispatches", {}),
        refusals=getattr(counters, "refusals", {}),
        polls=polls,
        lag=None if lags is None else (tuple(lags.edges_s), tuple(lags.buckets), lags.total_s),
    )


class Tallies(Collector):
    """The drivers' counts as metrics."""

    def __init__(self, read: Callable[[], Iterable[Tally]]) -> None:
        """``read`` is asked at every scrape."""
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """All counts of all drivers."""
        kinds = {
            "events": ("driver_events", "What happened inside a driver, by kind.", "kind"),
            "commands": ("commands", "Commands handed to a driver, by what became of them.", "outcome"),
            "refusals": ("command_refusals", "Commands a driver's own look or its device kept from leaving.", "reason"),
            "polls": ("polls", "Readings asked of devices, by what became of them; ok was handed over.", "result"),
        }
        families = {
            name: CounterMetricFamily(f"triage_{metric}", text, labels=("driver", label))
            for name, (metric, text, label) in kinds.items()
        }
        lag = HistogramMetricFamily(
            "triage_poll_lag_seconds",
            "From a poll being due to its reading, seconds.",
            labels=("driver",),
        )
        for each in self._read():
            for name, family in families.items():
                for kind, count in _bounded(getattr(each, name)).items():
                    family.add_metric((each.driver, kind), count)
            if each.lag is not None:
                lag.add_metric((each.driver,), list(_cumulative(each.lag[0], each.lag[1])), each.lag[2])
        yield from families.values()
        yield lag


def _bounded(counts: Mapping[str, int]) -> dict[str, int]:
    if len(counts) <= MOST_KINDS:
        return dict(counts)
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    rest = sum(count for _, count in ordered[MOST_KINDS:])
    return dict(ordered[:MOST_KINDS]) | {OTHER: rest}


def _cumulative(edges: tuple[float, ...], counts: tuple[int, ...]) -> Iterator[tuple[str, float]]:
    total = 0
    for edge, count in zip((*map(str, edges), "+Inf"), counts, strict=True):
        total += count
        yield edge, total
