"""The daemon as a process of its own: its folder of settings, its life, its death, its words."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import yaml

from tests.parts import free_port

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "config"
COLUMNS = ("region", "site", "pile", "profile", "model", "connectors", "endpoint", "unit", "team")
READY_S = 30.0
LOOK_S = 0.01

BRISK: dict[str, Any] = {
    "hold_s": {"internal": 60, "offline": 360},
    "command_ttl_s": 480,
    "fresh_s": 600,
    "silent_after_s": 720,
    "spacing_s": 180,
    # Many stories share one daemon: the fleet's budgets and the breaker would make them wait for each other.
    "fleet_per_window": 1000,
    "fleet_hour_floor": 1000,
    "breaker_least": 1000,
}
"""A policy under which every story ends within seconds at speed 120, although the machine may be busy."""

BYTECODE = Path(tempfile.gettempdir()) / f"pile-triage-tests-{os.getuid()}-bytecode"


def environment() -> dict[str, str]:
    """The environment of the product's processes: as installed, with compiled modules, wherever this repository is.

    Where writing bytecode is switched off, every start would compile the world anew, and its time would say nothing.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)
    return ours | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(BYTECODE)}


Pile = tuple[str, str]
"""(site, pile)."""


class Start(NamedTuple):
    """How long a start took until complaints were taken."""

    wall_s: float
    queued_s: float
    """The part of it in which the machine ran others although the daemon wanted to run."""

    @property
    def own_s(self) -> float:
        """What the start itself takes; the same as ``wall_s`` on a machine that has a core to spare."""
        return self.wall_s - self.queued_s


class Daemon:
    """``python -m triage serve`` on a folder of settings made for a test."""

    def __init__(
        self,
        folder: Path,
        piles: Sequence[Pile],
        *,
        mqtt: str,
        mqtt_port: int = 0,
        speed: float = 120,
        policy: Mapping[str, Any] = BRISK,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the folder. ``mqtt`` is a URL or ``embedded``; ``changes`` replace whole sections of the settings."""
        self.folder = folder
        self.speed = speed
        self.port = free_port()
        self.config = folder / "triage.yaml"
        self.database = folder / "triage.db"
        self._log = folder / "daemon.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.settings: dict[str, Any] = {
            "database": {"url": f"sqlite:///{self.database}"},
            "mqtt": {"url": mqtt} | ({"port": mqtt_port} if mqtt_port else {}),
            "http": {"host": "127.0.0.1", "port": self.port},
            "fleet": str(folder / "fleet.csv"),
            "plans": str(CONFIG / "plans"),
            "profiles": str(CONFIG / "profiles"),
            "lexicon": str(CONFIG / "lexicon"),
            "faults": str(CONFIG / "faults"),
            "policy": {"mode": "live", "speed": speed, **policy},
        } | dict(changes or {})
        self.config.write_text(yaml.safe_dump(self.settings), encoding="utf-8")
        self._write_fleet(piles)

    def _write_fleet(self, piles: Sequence[Pile]) -> None:
        with (self.folder / "fleet.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            rows.writerows(("north", site, pile, "pile/v1", "AC-7", 1, "", "", "crew") for site, pile in piles)
        (self.folder / "teams.csv").write_text(
            "team,region,language,calendar,contact\ncrew,north,en,CN,\n", encoding="utf-8"
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # Its life ------------------------------------------------------------------------------------------------------

    def spawn(self) -> None:
        """Start the process without waiting."""
        assert self._process is None
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "triage", "serve", "--config", str(self.config)],
                cwd=self.folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    async def start(self) -> Start:
        """Start it and wait until it takes complaints and hears the field."""
        began_s = time.monotonic()
        self.spawn()
        ready: Start | None = None
        async with httpx.AsyncClient(base_url=self.url, timeout=5, trust_env=False) as http:
            while True:
                self._must_live()
                status = await _readiness(http)
                if status is not None and ready is None:
                    ready = Start(time.monotonic() - began_s, self.queued_s())
                if status == "ok" and ready is not None:
                    return ready
                if time.monotonic() - began_s > READY_S:
                    raise AssertionError(f"not ready within {READY_S} s ({status}):\n{self.words()}")
                await asyncio.sleep(LOOK_S)

    def _must_live(self) -> None:
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            self._process = None
            raise AssertionError(f"the daemon ended with {code}:\n{self.words()}")

    def queued_s(self) -> float:
        """Seconds it wanted to run while the machine ran others (Linux; 0 elsewhere): what is not its own slowness."""
        assert self._process is not None
        figures = Path(f"/proc/{self._process.pid}/schedstat")
        return int(figures.read_text(encoding="ascii").split()[1]) / 1e9 if figures.exists() else 0.0

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def ended(self, within_s: float = READY_S) -> int:
        """Wait for its end by itself; the exit code."""
        assert self._process is not None
        until_s = time.monotonic() + within_s
        while (code := self._process.poll()) is None:
            if time.monotonic() > until_s:
                raise AssertionError(f"still running after {within_s} s:\n{self.words()}")
            await asyncio.sleep(LOOK_S)
        self._process = None
        return code

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self._process is None:
            return 0
        self.send(signal.SIGTERM)
        return await self.ended()

    # Its words -----------------------------------------------------------------------------------------------------

    def words(self, most: int = 4000) -> str:
        """The end of what it wrote to standard error."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-most:] if self._log.exists() else ""

    def said(self) -> list[dict[str, Any]]:
        """Its log, line by line."""
        lines = self.words(10_000_000).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Another command on the same settings: exit code, output, errors."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "triage", *arguments, "--config", str(self.config)),
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, errors = await process.communicate()
        return process.returncode or 0, out.decode(), errors.decode()


async def _readiness(http: httpx.AsyncClient) -> str | None:
    """The status that ``/readyz`` tells, or None while complaints cannot be taken."""
    try:
        answer = await http.get("/readyz")
    except httpx.HTTPError:
        return None
    return str(answer.json()["status"]) if answer.is_success else None
