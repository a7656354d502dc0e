"""Readings that are due."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from triage.drivers.dialect.pace import Pace


async def test_each_is_due_once_and_those_of_one_moment_together() -> None:
    heard: list[list[str]] = []
    done = asyncio.Event()

    def due(ids: Sequence[str]) -> None:
        heard.append(list(ids))
        if "last" in ids:
            done.set()

    pace = Pace(due)
    pace.plan("last", 0.1)
    for name in ("a", "b", "a", "gone"):
        pace.plan(name, 0.02)
    assert pace.cancel("gone")
    assert not pace.cancel("never")
    await asyncio.wait_for(done.wait(), 5)
    assert heard == [["a", "b"], ["last"]]


async def test_nothing_is_due_after_clearing() -> None:
    heard: list[str] = []
    pace = Pace(heard.extend)
    pace.plan("a", 0.0)
    pace.clear()
    pace.plan("b", 0.0)
    async with asyncio.timeout(5):
        while not heard:
            await asyncio.sleep(0.005)
    assert heard == ["b"]
