"""Healthy telemetry costs the database nothing: it is the whole load of a fleet, and none of it is news."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.benchmarks.bench_engine import Shell, reading
from triage.core.events import FaultClaim

pytestmark = pytest.mark.integration
PILES = 200


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    shell = Shell(tmp_path, PILES)
    await shell.open()
    run = asyncio.create_task(shell.runtime.run())
    yield shell
    shell.runtime.stop()
    await run
    await shell.store.close()


async def test_ten_thousand_healthy_messages_cause_no_statement(shell: Shell) -> None:
    await shell.take(shell.healthy(PILES, PILES))
    assert shell.statements, "a pile's first words are news and are kept"
    shell.statements.clear()
    for _ in range(20):
        await shell.take(shell.healthy(500, PILES))
    assert shell.statements == []
    pile = shell.engine.state.piles["P000000"]
    assert pile.seq == 10_000 + 1  # all of them were taken in


async def test_one_fault_among_them_is_written(shell: Shell) -> None:
    await shell.take(shell.healthy(PILES, PILES))
    shell.statements.clear()
    bad = reading(7, 1_000, shell.healthy(1, PILES)[0].received_at, (FaultClaim(code="InternalError", connector=1),))
    await shell.take([*shell.healthy(20, PILES), bad])
    assert any(statement.startswith("INSERT INTO moment ") for statement in shell.statements)
