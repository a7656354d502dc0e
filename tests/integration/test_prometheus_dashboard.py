"""The dashboard and the rules against a real Prometheus that scrapes a real exposition."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.parts import free_port
from triage.core.vocabulary import Category, Channel, Gate, OrderReason, Result, Verdict
from triage.drivers.modbus.counters import Counters
from triage.metrics import CONTENT_TYPE, Metrics
from triage.tallies import Tallies, Tally, tally

pytestmark = pytest.mark.integration

CONFIG = Path(__file__).parents[2] / "config"
DASHBOARD = json.loads((CONFIG / "grafana" / "dashboards" / "overview.json").read_text())
RULES = [
    rule
    for file in sorted((CONFIG / "prometheus" / "rules").glob("*.yml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
QUERIES = sorted({target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())})
PATIENCE_S = 40


def live(metrics: Metrics) -> None:
    """One scrape's worth of a fleet at work: every metric has a value, every counter moves."""
    metrics.heartbeat_timestamp_seconds.set_to_current_time()
    metrics.telemetry_messages.labels("mqtt", "accepted").inc(50)
    metrics.telemetry_lag_seconds.observe(0.2)
    metrics.driver_up.labels("mqtt").set(1)
    metrics.piles.replace({("online", "available"): 35, ("offline", "unknown"): 5})
    metrics.connectors.replace({("available",): 60, ("charging",): 15, ("offline",): 5})
    metrics.quarantined.labels("mqtt", "shape").inc()
    metrics.complaints.labels(Category.TECHNICAL_FAULT, Channel.APP).inc()
    metrics.complaint_verdicts.labels(Verdict.CONFIRMED).inc()
    metrics.incidents.replace({("recovering",): 2, ("field",): 1})
    metrics.safety_incidents.set(1)
    metrics.incident_transitions.labels("new", "observing").inc()
    for result in Result:
        metrics.attempts.labels("internal-error", "soft", result).inc()
    metrics.recovery_seconds.observe(90)
    metrics.refusals.labels(Gate.SESSION).inc()
    metrics.work_orders.replace({("issued",): 1})
    metrics.work_orders_opened.labels(OrderReason.REMOTE_FAILED).inc()
    metrics.clock_breaches.labels("accept").inc()
    metrics.outbox_pending.set(1)
    metrics.outbox_oldest_seconds.set(2)
    metrics.commit_seconds.observe(0.003)
    metrics.inbox_depth.set(7)
    metrics.inbox_coalesced.inc()
    metrics.auditor_violations.labels("double_reset").inc()


def driver_counts() -> Iterator[Tally]:
    """What a driver counts, a little more with every scrape."""
    counters = Counters()
    while True:
        counters.polls += 9
        counters.failures["timeout"] += 1
        counters.refusals["charging"] += 1
        counters.dispatches["sent"] += 1
        counters.count("writes")
        counters.lags.add(0.04)
        yield tally("modbus", counters)


class Exposition(ThreadingHTTPServer):
    """Serves a Metrics that lives on with every scrape."""

    daemon_threads = True

    def __init__(self) -> None:
        self.metrics = Metrics("test")
        self.metrics.foresee("internal-error", ["soft"])
        counts = driver_counts()
        self.metrics.registry.register(Tallies(lambda: [next(counts)]))
        super().__init__(("127.0.0.1", 0), Scrape)


class Scrape(BaseHTTPRequestHandler):
    server: Exposition

    def do_GET(self) -> None:
        live(self.server.metrics)
        body = self.server.metrics.exposition()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


class Asked:
    """A running Prometheus, asked over HTTP."""

    def __init__(self, address: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=5)

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = self.client.get("/api/v1/query", params={"query": expression})
        document = answer.json()
        assert document["status"] == "success", (expression, document)
        found: list[dict[str, Any]] = document["data"]["result"]
        return found

    def wait_for(self, expression: str) -> list[dict[str, Any]]:
        """Ask until there is an answer other than NaN."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = [each for each in self.query(expression) if each["value"][1] != "NaN"]
            if found:
                return found
            time.sleep(0.25)
        pytest.fail(f"no data within {PATIENCE_S} s for: {expression}")


def scaled(expression: str) -> str:
    """The expression as Grafana would send it."""
    return expression.replace("$__rate_interval", "1m")


@pytest.fixture(scope="module")
def asked(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("prometheus")
    server = Exposition()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    config = yaml.safe_load((CONFIG / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(CONFIG / "prometheus" / each) for each in config["rule_files"]]
    config["alerting"] = {}
    for job in config["scrape_configs"]:
        address = server.server_address[1] if job["job_name"] == "triage" else port
        job["static_configs"] = [{"targets": [f"127.0.0.1:{address}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                prometheus,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield ready(process, f"http://127.0.0.1:{port}", folder / "log")
    finally:
        process.terminate()
        process.wait(timeout=20)
        server.shutdown()
        server.server_close()


def ready(process: subprocess.Popen[bytes], address: str, log: Path) -> Asked:
    asked = Asked(address)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if asked.client.get("/-/ready").status_code == 200:
                return asked
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(log.read_text())


def test_the_daemon_is_scraped_under_its_job(asked: Asked) -> None:
    assert asked.wait_for('up{job="triage"} == 1')


@pytest.mark.parametrize("expression", QUERIES)
def test_every_panel_of_the_dashboard_shows_something(asked: Asked, expression: str) -> None:
    assert asked.wait_for(scaled(expression))


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.get("record") or rule["alert"]) for rule in RULES])
def test_every_rule_runs_and_every_record_has_data(asked: Asked, rule: dict[str, Any]) -> None:
    asked.query(rule["expr"])
    if "record" in rule:
        assert asked.wait_for(rule["record"])


def test_the_rules_are_loaded_and_healthy(asked: Asked) -> None:
    asked.wait_for("triage_connector_up_ratio:avg_30d")
    groups = asked.client.get("/api/v1/rules").json()["data"]["groups"]
    loaded = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert loaded == dict.fromkeys((rule.get("record") or rule["alert"] for rule in RULES), "ok")


def test_what_must_wake_somebody_is_firing(asked: Asked) -> None:
    fired = asked.wait_for('ALERTS{alertname=~"TriageSafetyIncidentOpen|TriageAuditorViolation",alertstate="firing"}')
    assert {each["metric"]["severity"] for each in fired} == {"critical"}


def test_the_connectors_ratio_is_what_the_connectors_say(asked: Asked) -> None:
    assert float(asked.wait_for("triage_connector_up_ratio")[0]["value"][1]) == pytest.approx(75 / 80)


def exposed() -> set[str]:
    metrics = Metrics("test")
    live(metrics)
    metrics.registry.register(Tallies(lambda: [next(driver_counts())]))
    return set(re.findall(r"(?m)^(triage_\w+)", metrics.exposition().decode()))


def test_only_metrics_that_exist_are_asked_for() -> None:
    known = exposed() | {rule["record"] for rule in RULES if "record" in rule}
    texts = [*QUERIES, *(rule["expr"] for rule in RULES), DASHBOARD["annotations"]["list"][0]["expr"]]
    asked_for = {name for text in texts for name in re.findall(r"\btriage_\w+(?::\w+)?", text)}
    assert asked_for <= known


def test_every_metric_is_shown_or_watched() -> None:
    texts = " ".join([*QUERIES, *(rule["expr"] for rule in RULES)])
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed()}
    assert {name for name in shown if not re.search(rf"\b{name}(_bucket)?\b", texts)} == set()
