"""The drivers' own counts on the metrics page: bounded, and readable by Prometheus."""

from __future__ import annotations

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from triage.drivers.modbus.counters import Counters as ModbusCounters
from triage.drivers.mqtt.counters import Counters as MqttCounters
from triage.metrics import OTHER, Metrics
from triage.tallies import MOST_KINDS, Tallies, Tally, tally


def shown(*tallies: Tally) -> dict[tuple[str, ...], float]:
    metrics = Metrics()
    metrics.registry.register(Tallies(lambda: tallies))
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if "driver" in sample.labels
    }


def test_what_drivers_count_is_shown() -> None:
    mqtt, modbus = MqttCounters(), ModbusCounters()
    mqtt.count("connects", 2)
    mqtt.refusals["charging"] += 1
    modbus.polls = 7
    modbus.failures["timeout"] += 3
    modbus.dispatches["sent"] += 1
    modbus.lags.add(0.03)
    modbus.lags.add(90.0)
    samples = shown(tally("mqtt", mqtt), tally("modbus", modbus))
    assert samples["triage_driver_events_total", "mqtt", "connects"] == 2
    assert samples["triage_command_refusals_total", "mqtt", "charging"] == 1
    assert samples["triage_polls_total", "modbus", "ok"] == 7
    assert samples["triage_polls_total", "modbus", "timeout"] == 3
    assert samples["triage_commands_total", "modbus", "sent"] == 1
    assert samples["triage_poll_lag_seconds_bucket", "modbus", "0.05"] == 1
    assert samples["triage_poll_lag_seconds_bucket", "modbus", "60.0"] == 1
    assert samples["triage_poll_lag_seconds_bucket", "modbus", "+Inf"] == 2
    assert samples["triage_poll_lag_seconds_sum", "modbus"] == 90.03
    assert ("triage_polls_total", "mqtt", "ok") not in samples


def test_kinds_are_bounded() -> None:
    many = Counter({f"kind-{number:03}": number for number in range(1, MOST_KINDS + 11)})
    samples = shown(Tally(driver="mqtt", events=many))
    assert len(samples) == MOST_KINDS + 1
    assert samples["triage_driver_events_total", "mqtt", OTHER] == sum(range(1, 11))
