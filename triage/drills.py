"""Drills of recovery plans: the simulated field plays them in a process of its own, and the journal remembers them."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from triage.core.effects import JournalEntry
from triage.core.plan import Plan, drills_of
from triage.errors import TriageError
from triage.storage.sql import SqlStore

HOUSE = Path(__file__).resolve().parent.parent
BAD_INPUT = 2
LONGEST_S = 600.0
"""A drill takes seconds; one that takes longer than this hangs."""


class DrillError(TriageError):
    """The drill could not be played; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a drill printed, and how it ended."""

    code: int
    output: str
    faults: str

    @property
    def passed(self) -> bool:
        """Whether everything was as the scenario expects."""
        return self.code == 0


async def play(plan: Path, scenario: Path, config: Path | None = None, *, as_json: bool = False) -> Played:
    """Play ``plan`` against the simulated pile of ``scenario``.

    Raises:
        DrillError: it did not come to its end.
    """
    arguments = [str(plan), "--scenario", str(scenario)]
    arguments += ["--config", str(config)] if config is not None else []
    arguments += ["--json"] if as_json else []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "simulators", "drill", *arguments),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HOUSE), os.environ.get("PYTHONPATH", "")])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LONGEST_S):
            said, faults = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise DrillError(f"the drill did not end within {LONGEST_S:.0f} s") from None
    played = Played(code=process.returncode or 0, output=said.decode(), faults=faults.decode())
    if played.code not in {0, 1, BAD_INPUT} or (played.code == 1 and not played.output):
        last = (played.faults.strip().splitlines() or [f"exit code {played.code}"])[-1]
        raise DrillError(f"the drill broke off: {last}")
    return played


async def record(url: str, plan: Plan, scenario: Path, played: Played, now: datetime, by: str) -> None:
    """Write the drill into the journal of the database at ``url``; a daemon may be using it meanwhile.

    Raises:
        StoreError: the database cannot do it now.
        StoreRefusedError: its schema does not fit.
    """
    passed = played.passed
    entry = JournalEntry(
        at=now,
        subject=drills_of(plan.name),
        kind="drill",
        actor=by,
        text=f"{'passed' if passed else 'failed'} in {scenario.stem}",
        data={"scenario": scenario.stem, "passed": passed, "version": plan.version, "sha256": plan.sha256},
    )
    store = SqlStore(url)
    await store.open()
    try:
        await store.note([entry])
    finally:
        await store.close()
