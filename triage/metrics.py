"""What the daemon counts about itself, on a registry of its own.

Labels are bounded: a closed vocabulary where the field has one, else room for a few values, and everything beyond that
is counted as ``other``. An id of a pile, a complaint or an order is never a label.
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from triage.core.vocabulary import (
    Category,
    Channel,
    ConnectorStatus,
    Gate,
    IncidentState,
    Link,
    OrderReason,
    OrderState,
    Result,
    Verdict,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What :meth:`Metrics.exposition` speaks."""

OTHER = "other"
"""The label value that stands for every value there was no room for."""

MILLISECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Buckets of a commit, in seconds: half a millisecond is one row, ten seconds is a database that hangs."""

LAGS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Buckets of telemetry's way to us, in seconds; the last ones are readings a device kept while it was offline."""

RECOVERIES = (30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0)
"""Buckets from an incident's opening to its proven recovery, in seconds."""

M = TypeVar("M", Counter, Gauge, Histogram)


class LabelSet:
    """The values one label may take: those named, and ``room`` for more in the order in which they come."""

    def __init__(self, named: Iterable[str] = (), room: int = 0) -> None:
        """Admit ``named`` from the start."""
        self.named = tuple(str(value) for value in named)
        self._admitted = {*self.named, OTHER}
        self._room = room

    def admit(self, value: str) -> str:
        """``value`` itself while there is room for it, else ``other``."""
        value = str(value)
        if value in self._admitted:
            return value
        if self._room <= 0:
            return OTHER
        self._room -= 1
        self._admitted.add(value)
        return value


class Family(Generic[M]):
    """A metric with bounded labels, its children kept at hand for the hot path."""

    def __init__(self, metric: M, labels: Mapping[str, LabelSet]) -> None:
        """Where every label has named values, each combination starts at 0, so that its first increase is seen."""
        self._metric: M = metric
        self._sets = dict(labels)
        self._children: dict[tuple[str, ...], M] = {}
        self._admitted: dict[tuple[str, ...], M] = {}
        for values in product(*(labels.named for labels in self._sets.values())):
            self.labels(*values)

    def labels(self, *values: str, **named: str) -> M:
        """The child of these label values, positional in the metric's order or by name.

        Raises:
            KeyError: a label is missing.
            ValueError: there are too many labels, or too few.
        """
        if named:
            values = tuple(named[name] for name in self._sets)
        child = self._children.get(values)
        if child is None:
            child = self._admit(values)
        return child

    def replace(self, counts: Mapping[tuple[str, ...], float]) -> None:
        """Set a gauge's whole picture: what is not in ``counts`` is 0 from now on.

        Raises:
            TypeError: the metric is no gauge.
        """
        if not isinstance(self._metric, Gauge):
            message = "only a gauge can be replaced as a whole"
            raise TypeError(message)
        sums: dict[tuple[str, ...], float] = dict.fromkeys(self._admitted, 0.0)
        for values, count in counts.items():
            admitted = self._admissible(values)
            sums[admitted] = sums.get(admitted, 0.0) + count
        for values, total in sums.items():
            child = self.labels(*values)
            if isinstance(child, Gauge):
                child.set(total)

    def _admissible(self, values: Collection[str]) -> tuple[str, ...]:
        return tuple(labels.admit(value) for labels, value in zip(self._sets.values(), values, strict=True))

    def _admit(self, values: tuple[str, ...]) -> M:
        admitted = self._admissible(values)
        child = self._admitted.get(admitted)
        if child is None:
            child = self._admitted[admitted] = self._metric.labels(*admitted)
        if admitted == values:  # what became "other" is not remembered: strangers must not fill the memory
            self._children[values] = child
        return child


class WithoutBirthdays(Collector):
    """A registry without the ``_created`` series, which double the size of a scrape and which nobody asks for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Stand before ``registry``."""
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Every metric of the registry, its samples of values alone."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class Metrics:
    """Every metric of the daemon, under its name without the prefix ``triage_`` and without ``_total``."""

    def __init__(self, version: str = "") -> None:
        """Start all counters at 0; ``version`` is what ``triage_build_info`` shows."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._start_info(version)
        self._start_field()
        self._start_cases()
        self._start_engine()

    def exposition(self) -> bytes:
        """All metrics in the text format of Prometheus, as :data:`CONTENT_TYPE` says."""
        return generate_latest(WithoutBirthdays(self.registry))

    def foresee(self, plan: str, steps: Iterable[str]) -> None:
        """Start the attempts of ``plan`` at 0, so that its very first one is seen as an increase."""
        for step, result in product(steps, Result):
            self.attempts.labels(plan, step, result)

    def _start_info(self, version: str) -> None:
        info = {"version": LabelSet([version or "unknown"]), "python": LabelSet([platform.python_version()])}
        self.build_info = self._gauges("build_info", "Always 1; the labels say what runs.", **info)
        self.build_info.labels(*(labels.named[0] for labels in info.values())).set(1)
        self.heartbeat_timestamp_seconds = self._gauge(
            "heartbeat_timestamp_seconds", "When the engine last completed a turn, seconds since 1970."
        )

    def _start_field(self) -> None:
        self.telemetry_messages = self._counters(
            "telemetry_messages",
            "Telemetry messages, by what became of them.",
            driver=LabelSet(room=16),
            result=LabelSet(room=16),
        )
        self.telemetry_lag_seconds = self._histogram(
            "telemetry_lag_seconds", "From the device's own time of a reading to its arrival, seconds.", LAGS
        )
        self.driver_up = self._gauges(
            "driver_up", "Whether our own way to the field is up: 1 or 0.", driver=LabelSet(room=16)
        )
        self.piles = self._gauges(
            "piles", "Piles of the fleet, by link and by state.", link=LabelSet(Link), state=LabelSet(room=24)
        )
        self.connectors = self._gauges(
            "connectors",
            "Connectors of the fleet by newest status; offline and unknown are states too.",
            state=LabelSet([*ConnectorStatus, Link.OFFLINE, Link.UNKNOWN]),
        )
        self.quarantined = self._counters(
            "quarantined",
            "Payloads nobody could understand, kept as samples.",
            driver=LabelSet(room=16),
            reason=LabelSet(room=32),
        )

    def _start_cases(self) -> None:
        self.complaints = self._counters(
            "complaints", "Complaints received.", category=LabelSet(Category), channel=LabelSet(Channel)
        )
        self.complaint_verdicts = self._counters(
            "complaint_verdicts", "What the devices' records say about complaints.", verdict=LabelSet(Verdict)
        )
        states = LabelSet(IncidentState)
        self.incidents = self._gauges("incidents", "Incidents not yet closed, by state.", state=states)
        self.safety_incidents = self._gauge("safety_incidents", "Open incidents with a hazard for people.")
        self.incident_transitions = self._counters(
            "incident_transitions",
            "Moves of incidents from one state to another; new stands before the first.",
            **{"from": LabelSet(room=len(IncidentState) + 1), "to": LabelSet(room=len(IncidentState))},
        )
        self.attempts = self._counters(
            "attempts",
            "Concluded attempts at remote recovery; passed means proven by evidence, not accepted by the device.",
            plan=LabelSet(room=64),
            step=LabelSet(room=64),
            result=LabelSet(Result),
        )
        self.recovery_seconds = self._histogram(
            "recovery_seconds", "From an incident's opening to its proven remote recovery, seconds.", RECOVERIES
        )
        self.refusals = self._counters("refusals", "Steps a gate refused.", gate=LabelSet(Gate))
        self.work_orders = self._gauges(
            "work_orders", "Work orders not yet closed, by state.", state=LabelSet(OrderState)
        )
        self.work_orders_opened = self._counters(
            "work_orders_opened", "Work orders, by why remote recovery ended.", reason=LabelSet(OrderReason)
        )
        self.clock_breaches = self._counters(
            "clock_breaches", "Promises broken, by clock.", clock=LabelSet(["accept", "on_site"], room=16)
        )

    def _start_engine(self) -> None:
        self.outbox_pending = self._gauge("outbox_pending", "Committed effects that have not left yet.")
        self.outbox_oldest_seconds = self._gauge(
            "outbox_oldest_seconds", "Age of the oldest of them, seconds; 0 is none."
        )
        self.commit_seconds = self._histogram("commit_seconds", "Duration of one group commit, seconds.", MILLISECONDS)
        self.inbox_depth = self._gauge("inbox_depth", "Events waiting for the engine.")
        self.inbox_coalesced = self._counter(
            "inbox_coalesced", "Telemetry that a newer message of the same pile replaced while the inbox was full."
        )
        self.auditor_violations = self._counters(
            "auditor_violations", "Invariants found broken; any is a fault of this product.", kind=LabelSet(room=32)
        )

    def _counter(self, name: str, help_text: str) -> Counter:
        return Counter(f"triage_{name}", help_text, registry=self.registry)

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(f"triage_{name}", help_text, registry=self.registry)

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"triage_{name}", help_text, buckets=buckets, registry=self.registry)

    def _counters(self, name: str, help_text: str, **labels: LabelSet) -> Family[Counter]:
        return Family(Counter(f"triage_{name}", help_text, tuple(labels), registry=self.registry), labels)

    def _gauges(self, name: str, help_text: str, **labels: LabelSet) -> Family[Gauge]:
        return Family(Gauge(f"triage_{name}", help_text, tuple(labels), registry=self.registry), labels)
