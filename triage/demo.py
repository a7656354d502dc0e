"""A whole operation on one machine: embedded broker, database in a temporary folder, simulated field, daemon, console.

The simulated fleet runs as a process of its own on real sockets; this one only knows the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from triage.app import App
from triage.clock import SteadyClock
from triage.config.settings import load_settings
from triage.core.vocabulary import READS
from triage.daemon import make_app, wait_for_end
from triage.drivers.embedded import EmbeddedBroker
from triage.errors import TriageError

SHIPPED = Path(__file__).resolve().parent.parent / "config"
FIELD_STOP_S = 15.0
LINE_EVERY_S = 5.0
PAGE = 500
HEARTBEAT_S = 30
FAULT_RATE = 60
"""Faults come this many times as often as in the field, so that an hour shows what a season does."""

SETTLE_SHARE = 0.15
"""Share of the run at its end in which the field stops complaining, so that what is open can be answered."""


class DemoError(TriageError):
    """The demo cannot run; says why."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the command line asked for."""

    piles: int
    speed: float
    port: int
    seed: int
    run_for_s: float | None
    json: bool


async def run(wishes: Wishes) -> int:
    """Run the demo until its time is over or somebody stops it; the result is the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="triage-demo-") as name:
        folder = Path(name)
        async with EmbeddedBroker(folder / "broker") as broker:
            await _field(
                ["--piles", str(wishes.piles), "--seed", str(wishes.seed), "--write-fleet", "fleet.csv"], folder
            )
            app = make_app(load_settings(_settings(folder, wishes), {}), SteadyClock(), broker.url)
            await app.start()
            try:
                return await _live(app, broker.url, folder, wishes, stop)
            finally:
                await app.stop()


def _settings(folder: Path, wishes: Wishes) -> Path:
    """The demo's settings file, made like anybody's."""
    path = folder / "triage.yaml"
    path.write_text(
        f"""\
database: {{url: "sqlite:///{folder / "triage.db"}"}}
http: {{host: 127.0.0.1, port: {wishes.port or _free_port()}}}
fleet: fleet.csv
plans: "{SHIPPED / "plans"}"
profiles: "{SHIPPED / "profiles"}"
lexicon: "{SHIPPED / "lexicon"}"
faults: "{SHIPPED / "faults"}"
policy: {{mode: live, speed: {float(wishes.speed)}, heartbeat_s: {float(HEARTBEAT_S)}}}
""",
        encoding="utf-8",
    )
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _field(arguments: list[str], folder: Path, output: int | None = None) -> asyncio.subprocess.Process:
    """Start the simulated field; with no ``output`` wait for its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulators",
        "fleet",
        *arguments,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SHIPPED.parent), os.environ.get("PYTHONPATH", "")])},
        stdout=asyncio.subprocess.DEVNULL if output is not None else None,
        stderr=output,
    )
    if output is None and await process.wait() != 0:
        raise DemoError("the simulated fleet could not be built")
    return process


async def _live(app: App, broker: str, folder: Path, wishes: Wishes, stop: asyncio.Event) -> int:
    assert app.web is not None  # noqa: S101 - the demo's settings always serve HTTP
    address = f"http://127.0.0.1:{app.web.port}/"
    say(f"console {address}   broker {broker}   {wishes.piles} piles at {wishes.speed:g} times real time")
    arguments = [
        *("--broker", broker, "--piles", str(wishes.piles), "--seed", str(wishes.seed)),
        *("--speed", str(wishes.speed), "--api", address.rstrip("/"), "--stats", "account.json"),
        *(
            "--fault-rate",
            str(FAULT_RATE),
            "--heartbeat",
            str(HEARTBEAT_S),
            "--background",
            "6",
            "--complains",
            "0.6",
            "--sessions",
            "40",
        ),
    ]
    if wishes.run_for_s is not None:
        arguments += ["--for", str(wishes.run_for_s)]
    with (folder / "field.log").open("w") as output:
        field = await _field(arguments, folder, output.fileno())
        try:
            ended = asyncio.ensure_future(field.wait())
            over = asyncio.ensure_future(wait_for_end(app, stop))
            await _watch(app, {ended, over})
        finally:
            await _end(field)
    account = _account(folder)
    summary = await summarise(app, account)
    _print(summary, as_json=wishes.json)
    return 0 if not sum(summary["violations"].values()) else 1


async def _end(field: asyncio.subprocess.Process) -> None:
    if field.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            field.terminate()
        try:
            async with asyncio.timeout(FIELD_STOP_S):
                await field.wait()
        except TimeoutError:
            field.kill()
            await field.wait()


async def _watch(app: App, ends: set[asyncio.Future[Any]]) -> None:
    """Print a line now and then until one of ``ends`` is done."""
    while True:
        done, _ = await asyncio.wait(ends, timeout=LINE_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        say(await _line(app))
        if done:
            for each in ends - done:
                each.cancel()
            for each in done:
                each.result()
            return


async def _line(app: App) -> str:
    state = app.engine.state
    opened = [incident for incident in state.incidents.values() if incident.open]
    closed = Counter(each["close_code"] for each in await _all(app, "incident") if each["state"] == "closed")
    orders = sum(order.open for order in state.orders.values())
    states = Counter(incident.state.value for incident in opened)
    now = ", ".join(f"{count} {name}" for name, count in sorted(states.items())) or "none"
    ended = ", ".join(f"{count} {name}" for name, count in sorted(closed.items())) or "none yet"
    return f"open incidents: {now}; ended: {ended}; open orders: {orders}"


def _account(folder: Path) -> dict[str, Any]:
    """The true account of the simulated field."""
    try:
        return dict(json.loads((folder / "account.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


async def _all(app: App, kind: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await app.parts.store.page(kind, {}, cursor, PAGE)
        items.extend(page.items)
        if page.next is None:
            return items
        cursor = page.next


async def summarise(app: App, account: Mapping[str, Any]) -> dict[str, Any]:
    """What happened: counted from the database, and held against the simulated field's own account."""
    incidents, complaints, orders = [await _all(app, kind) for kind in ("incident", "complaint", "order")]
    attempts: Counter[str] = Counter()
    recoveries: list[float] = []
    recovered: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for incident in incidents:
        for refusal in incident["refusals"]:
            refusals[refusal["gate"]] += refusal["count"]
        for attempt in incident["attempts"]:
            if attempt["action"] not in READS:
                attempts[attempt["result"] or "under_way"] += 1
        if incident["close_code"] == "recovered_remotely":
            recovered[incident["family"]] += 1
            recoveries.append(_took_s(incident) * app.parts.rules.policy.speed)
    said = account.get("complaints", {})
    return {
        "piles": len(app.parts.registrations),
        "telemetry": _telemetry(app),
        "complaints": {
            "submitted": said.get("submitted", len(complaints)),
            "answered": said.get("answered", len(complaints)),
            "recorded": len(complaints),
            "by_verdict": dict(Counter(each["verdict"] for each in complaints if each["verdict"])),
            "by_state": dict(Counter(each["state"] for each in complaints)),
        },
        "incidents": {
            "opened": len(incidents),
            "open": dict(Counter(each["state"] for each in incidents if each["state"] != "closed")),
            "closed": dict(Counter(each["close_code"] for each in incidents if each["close_code"])),
        },
        "attempts": dict(attempts),
        "refusals": dict(refusals),
        "recovered_by_family": dict(recovered),
        "recovery_s": {"median": round(median(recoveries)) if recoveries else None, "count": len(recoveries)},
        "work_orders": dict(Counter(each["reason"] for each in orders)),
        "orders": [
            {"id": each["id"], "pile": each["pile"], "reason": each["reason"], "text": each["reason_text"]}
            for each in orders
        ],
        "violations": violations(app, account, incidents, orders),
    }


def _telemetry(app: App) -> int:
    """Telemetry messages so far, whatever became of them."""
    return sum(
        int(sample.value)
        for metric in app.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "triage_telemetry_messages_total"
    )


def _took_s(incident: Mapping[str, Any]) -> float:
    ended = [each["concluded_at"] for each in incident["attempts"] if each["concluded_at"]]
    begun = datetime.fromisoformat(incident["opened_at"])
    return (datetime.fromisoformat(ended[-1]) - begun).total_seconds() if ended else 0.0


def violations(
    app: App, account: Mapping[str, Any], incidents: list[dict[str, Any]], orders: list[dict[str, Any]]
) -> dict[str, int]:
    """What must never happen, counted: by the field's true account where only the devices can know."""
    resets = account.get("resets", {})
    standing = Counter(order["incident"] for order in orders if order["state"] not in {"closed", "recalled"})
    return {
        "unsafe_resets": int(resets.get("unsafe", 0)),
        "double_executions": _length(account.get("double_executions", 0)),
        "complaints_unanswered": _unanswered(account),
        "double_orders": sum(count - 1 for count in standing.values()),
        "orders_without_reason": sum(not order["reason"] or not order["reason_text"] for order in orders),
        "recovered_without_proof": sum(
            incident["close_code"] == "recovered_remotely"
            and not any(attempt["result"] == "passed" for attempt in incident["attempts"])
            for incident in incidents
        ),
        "defects": app.runtime.defects,
    }


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (list, dict)) else int(value)


def _unanswered(account: Mapping[str, Any]) -> int:
    said = account.get("complaints", {})
    return int(said.get("submitted", 0)) - int(said.get("answered", 0)) - int(said.get("answered_otherwise", 0))


def say(text: str, output: TextIO | None = None) -> None:
    """A line for the person watching, apart from the summary."""
    print(text, file=output or sys.stderr, flush=True)


def _print(summary: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({key: value for key, value in summary.items() if key != "orders"}, ensure_ascii=False))
        return
    print(render(summary))


def render(summary: Mapping[str, Any]) -> str:
    """The summary for an operator."""
    lines = [
        "",
        f"{summary['piles']} piles, {summary['telemetry']} telemetry messages",
        f"complaints: {summary['complaints']['submitted']} submitted, {summary['complaints']['answered']} answered",
        (
            f"incidents: {summary['incidents']['opened']} opened; ended: {_counts(summary['incidents']['closed'])}; "
            f"open: {_counts(summary['incidents']['open'])}"
        ),
        f"attempts that move something: {_counts(summary['attempts'])}",
        f"steps a gate refused, by gate: {_counts(summary['refusals'])}",
        _recoveries(summary),
        f"work orders: {_counts(summary['work_orders'])}",
        *[
            f"  {order['id']} {order['pile']}: {order['reason']} - {order['text'][:110]}"
            for order in summary["orders"][:20]
        ],
        f"violations: {_counts(summary['violations'])}",
    ]
    return "\n".join(lines)


def _recoveries(summary: Mapping[str, Any]) -> str:
    recovery = summary["recovery_s"]
    pace = f", half of them within {recovery['median'] / 60:.1f} simulated minutes" if recovery["count"] else ""
    return f"recovered remotely: {recovery['count']}{pace}; by family: {_counts(summary['recovered_by_family'])}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
