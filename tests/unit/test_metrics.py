"""Metrics: names as promised, labels bounded, exposition readable."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from triage.core.vocabulary import Gate, IncidentState
from triage.metrics import OTHER, LabelSet, Metrics

PROMISED = {
    "telemetry_messages_total": ("driver", "result"),
    "telemetry_lag_seconds": (),
    "piles": ("link", "state"),
    "complaints_total": ("category", "channel"),
    "complaint_verdicts_total": ("verdict",),
    "incidents": ("state",),
    "incident_transitions_total": ("from", "to"),
    "attempts_total": ("plan", "step", "result"),
    "recovery_seconds": (),
    "refusals_total": ("gate",),
    "work_orders": ("state",),
    "work_orders_opened_total": ("reason",),
    "clock_breaches_total": ("clock",),
    "outbox_pending": (),
    "outbox_oldest_seconds": (),
    "commit_seconds": (),
    "inbox_depth": (),
    "inbox_coalesced_total": (),
    "quarantined_total": ("driver", "reason"),
    "auditor_violations_total": ("kind",),
    "heartbeat_timestamp_seconds": (),
}


def families(metrics: Metrics) -> dict[str, list[tuple[str, dict[str, str], float]]]:
    text = metrics.exposition().decode()
    return {
        family.name: [(sample.name, sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(text)
    }


@pytest.mark.parametrize(("name", "labels"), PROMISED.items())
def test_every_promised_metric_is_there_under_its_name_with_its_labels(name: str, labels: tuple[str, ...]) -> None:
    metrics = Metrics()
    series = getattr(metrics, name.removesuffix("_total"))
    if labels:
        series.labels(*("x" for _ in labels))
    samples = families(metrics)[f"triage_{name}".removesuffix("_total")]
    assert {label for _, found, _ in samples for label in found} - {"le"} == set(labels)
    if name.endswith("_total"):
        assert f"triage_{name}" in {sample for sample, _, _ in samples}


def test_every_metric_has_a_help_text_and_the_prefix_or_is_about_the_process() -> None:
    for line in Metrics().exposition().decode().splitlines():
        if line.startswith("# HELP"):
            _, _, name, *help_text = line.split(" ")
            assert re.match(r"triage_|process_|python_gc_", name)
            assert help_text


def test_a_counter_is_shown_after_it_was_raised() -> None:
    metrics = Metrics()
    metrics.telemetry_messages.labels("mqtt", "accepted").inc(3)
    metrics.telemetry_messages.labels(result="accepted", driver="mqtt").inc()
    assert families(metrics)["triage_telemetry_messages"][0][1:] == ({"driver": "mqtt", "result": "accepted"}, 4.0)


def test_closed_vocabularies_start_at_zero_so_that_the_first_increase_is_seen() -> None:
    samples = families(Metrics())["triage_refusals"]
    assert {labels["gate"] for name, labels, value in samples if value == 0 and name.endswith("_total")} == set(Gate)


def test_a_stranger_among_label_values_is_counted_as_other() -> None:
    metrics = Metrics()
    metrics.refusals.labels("astrology").inc(2)
    assert ("triage_refusals_total", {"gate": OTHER}, 2.0) in families(metrics)["triage_refusals"]


@given(st.lists(st.text(), max_size=200))
def test_an_open_label_has_room_for_so_many_values_and_no_more(values: list[str]) -> None:
    labels = LabelSet(["known"], room=5)
    admitted = {labels.admit(value) for value in values}
    assert len(admitted - {OTHER, "known"}) <= 5
    assert all(labels.admit(value) == value for value in values[:5])
    assert labels.admit("known") == "known"


def test_strangers_do_not_fill_the_memory() -> None:
    metrics = Metrics()
    for number in range(10_000):
        metrics.quarantined.labels("mqtt", f"reason {number}").inc()
    assert len(families(metrics)["triage_quarantined"]) < 100
    assert len(metrics.quarantined._children) <= 33


def test_replacing_a_gauge_zeroes_what_is_gone_and_adds_up_the_strangers() -> None:
    metrics = Metrics()
    metrics.incidents.replace({("recovering",): 2, ("desk",): 1})
    metrics.incidents.replace({("desk",): 3, ("limbo",): 1, ("nowhere",): 1})
    samples = {labels["state"]: value for _, labels, value in families(metrics)["triage_incidents"]}
    assert samples == dict.fromkeys(IncidentState, 0) | {"desk": 3, OTHER: 2}
    metrics.incidents.replace({})
    assert {value for _, _, value in families(metrics)["triage_incidents"]} == {0.0}


def test_only_gauges_can_be_replaced() -> None:
    with pytest.raises(TypeError, match="only a gauge"):
        Metrics().refusals.replace({})


def test_a_missing_label_is_an_error_at_the_place_that_forgot_it() -> None:
    with pytest.raises(KeyError):
        Metrics().attempts.labels(plan="p", step="s")
    with pytest.raises(ValueError, match="zip"):
        Metrics().attempts.labels("p", "s")


def test_two_daemons_in_one_process_count_apart() -> None:
    one, two = Metrics(), Metrics()
    one.inbox_coalesced.inc()
    assert one.exposition() != two.exposition()


def test_the_first_attempts_of_a_plan_are_foreseen() -> None:
    metrics = Metrics()
    metrics.foresee("internal-error", ["soft", "hard"])
    samples = families(metrics)["triage_attempts"]
    assert len(samples) == 8
    assert {value for _, _, value in samples} == {0.0}


def test_the_build_is_named() -> None:
    samples = families(Metrics("1.2.3"))["triage_build_info"]
    assert [(labels["version"], value) for _, labels, value in samples] == [("1.2.3", 1.0)]
    assert b"process_resident_memory_bytes" in Metrics().exposition()
