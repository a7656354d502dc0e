"""``triage demo`` as somebody runs it first: it ends by itself, and its last line accounts for everything."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.integration.outside.daemon import environment

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KEYS = {"piles", "telemetry", "complaints", "incidents", "attempts", "work_orders", "violations"}


@pytest.mark.timeout(180)
async def test_demo_ends_by_itself_and_accounts_for_everything(tmp_path: Path, port: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "triage", "demo", "--piles", "12", "--speed", "120", "--for", "20"),
        *("--port", str(port), "--json"),
        cwd=tmp_path,
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()[-3000:]
    summary = json.loads(out.decode().splitlines()[-1])
    print(json.dumps(summary))
    assert summary.keys() >= KEYS
    assert summary["piles"] == 12
    assert summary["telemetry"] > 100
    assert summary["violations"]
    assert {name: count for name, count in summary["violations"].items() if count} == {}
    complaints = summary["complaints"]
    assert complaints["submitted"] == complaints["answered"] == complaints["recorded"]
    assert summary["incidents"]["opened"] > 0
    assert "Traceback" not in errors.decode()
    assert f"http://127.0.0.1:{port}/" in errors.decode()
