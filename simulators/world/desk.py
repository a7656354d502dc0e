"""The field teams' own system: fails, answers late, answers after a timeout, and tells notices apart by their id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from triage.core.effects import OrderNotice

if TYPE_CHECKING:
    from simulators.invariants import Auditor


class DeskDownError(Exception):
    """The other side does not answer."""


class WorldDesk:
    """See :class:`triage.interfaces.Desk`."""

    name = "world"

    def __init__(self, rng: Random, auditor: Auditor, dispatch: Callable[[OrderNotice], None]) -> None:
        """``dispatch`` is called once for every notice that is new to the outside system."""
        self._rng = rng
        self._auditor = auditor
        self._dispatch = dispatch
        self.fails = 0.15
        self.late = 0.15

    async def deliver(self, notice: OrderNotice) -> str:
        """Take the notice, or fail before, or fail after having taken it."""
        await asyncio.sleep(self._rng.uniform(0.01, 0.5))
        chance = self._rng.random()
        if chance < self.fails:
            raise DeskDownError("502 bad gateway")
        if self._auditor.noticed(notice):
            self._dispatch(notice)
        if chance < self.fails + self.late:
            await asyncio.sleep(10.0)
            raise DeskDownError("timeout after the request was carried out")
        await asyncio.sleep(self._rng.uniform(0.0, 0.1))
        return f"EXT-{notice.order.id}"
