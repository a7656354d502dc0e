"""The daemon's HTTP side as its clients see it: answers, refusals, broken connections, retries with the same key."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from simulators.loop import WORLD
from triage.core.effects import Answer
from triage.core.events import Ask
from triage.errors import OverloadedError, StoreError

if TYPE_CHECKING:
    from simulators.loop import VirtualLoop
    from triage.interfaces import Clock, Inlet

TIMEOUT_S = 30.0
UNAVAILABLE = Answer(status=503, body={})


class Front:
    """Where clients knock. A request is handled in the daemon's process and dies with it."""

    def __init__(self, loop: VirtualLoop, rng: Random) -> None:
        """Nobody listens yet."""
        self._loop = loop
        self._clock: Clock | None = None
        self._rng = rng
        self._process: str | None = None
        self._inlet: Inlet | None = None
        self._open: set[asyncio.Future[Answer]] = set()
        self.counts: Counter[str] = Counter()
        self.reply_lost = 0.01
        self._clients: set[asyncio.Task[None]] = set()
        # Clients are processes of the world, whoever makes them start.
        self._own = Context()

    def listen(self, process: str, inlet: Inlet, clock: Clock) -> None:
        """A daemon takes requests, and stamps them by its own clock."""
        self._process, self._inlet, self._clock = process, inlet, clock

    def close(self) -> None:
        """The daemon is gone, and every open connection with it."""
        self._process = self._inlet = self._clock = None
        for future in list(self._open):
            if not future.done():
                future.set_exception(ConnectionResetError())
        self._open.clear()

    def client(self, work: Callable[[], None]) -> None:
        """Run ``work`` on the world's behalf as soon as possible."""
        self._loop.call_soon(work, context=self._own)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` as a client's task, and keep it until it is done."""
        task = self._loop.start_as(WORLD, work)
        self._clients.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        if not task.cancelled():
            task.result()  # a client that breaks is a bug of the world, and stops it

    async def ask(self, make: Callable[[datetime], Ask]) -> Answer:
        """Ask until there is an answer; ``make`` builds the same question, with the same key, for each try."""
        wait_s = 1.0
        while True:
            answer = await self._try(make)
            if answer is not None and answer.status < 500:  # noqa: PLR2004 - a server's own fault may be retried
                self.counts[f"answered_{answer.status}"] += 1
                return answer
            self.counts["retries"] += 1
            await asyncio.sleep(wait_s * self._rng.uniform(0.5, 1.5))
            wait_s = min(wait_s * 2, 120.0)

    async def _try(self, make: Callable[[datetime], Ask]) -> Answer | None:
        await asyncio.sleep(self._rng.uniform(0.005, 0.1))
        inlet, process, clock = self._inlet, self._process, self._clock
        if inlet is None or process is None or clock is None:
            return None
        reply: asyncio.Future[Answer] = self._loop.create_future()
        self._open.add(reply)
        self._loop.start_as(process, self._handle(inlet, make(clock.now()), reply))
        try:
            answer = await asyncio.wait_for(asyncio.shield(reply), TIMEOUT_S)
        except (ConnectionResetError, TimeoutError):
            return None
        finally:
            self._open.discard(reply)
        return None if self._rng.random() < self.reply_lost else answer

    async def _handle(self, inlet: Inlet, event: Ask, reply: asyncio.Future[Answer]) -> None:
        try:
            answer = await inlet.submit(event)
        except (OverloadedError, StoreError):
            answer = UNAVAILABLE
        if not reply.done():
            reply.set_result(answer)
