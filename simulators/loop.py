"""An event loop under virtual time, with a seeded order and a true kill.

Time stands still while anything is ready and jumps to the next timer when nothing is; when there is no timer either,
the program waits for something that can never happen and the loop says so. Ready *task steps* change places by a
seeded generator, because real schedulers promise no order between tasks; plain callbacks keep theirs.

Everything runs on behalf of a *process*, a name carried in a context variable and inherited by whatever is started from
it. :meth:`VirtualLoop.kill` ends a process as ``kill -9`` does: its callbacks, timers and tasks are gone, and no
``finally`` or ``except`` block of it ever runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import heapq
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple
from weakref import WeakSet

TURNS_LIMIT = 5_000
"""Turns of the loop within one moment that nobody needs who is not running in a circle."""

WORLD = "world"
"""The process of everything that was not started on behalf of another one; it cannot be killed."""

PROCESS: contextvars.ContextVar[str] = contextvars.ContextVar("process", default=WORLD)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class DeadlockError(RuntimeError):
    """Nothing is ready and no timer is set: whoever still waits, waits for ever."""


class LivelockError(RuntimeError):
    """The program turns and turns and time does not pass: on a real clock it would burn a processor."""


class _Item(asyncio.TimerHandle):
    """A callback in its process. One class for ready and timed callbacks keeps the loop short."""

    __slots__ = ("process", "step")

    def __init__(
        self, callback: Callable[..., object], args: Any, loop: VirtualLoop, context: contextvars.Context, when: float
    ) -> None:
        """Fill the slots directly: the parents' constructors cost as much as the rest of a callback."""
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._loop = loop
        self._context = context
        self._source_traceback = None
        self._repr = None
        self._when = when
        self._scheduled = False
        self.process = context.get(PROCESS, WORLD)
        self.step = isinstance(getattr(callback, "__self__", None), asyncio.Task)


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop of a simulated world. Times are seconds since the world began."""

    def __init__(self, seed: int = 0) -> None:
        """Start at second 0; ``seed`` decides the order of task steps that are ready together."""
        super().__init__()
        self._seconds = 0.0
        self._line: list[_Item] = []
        self._running_line: list[_Item] = []
        self._timers: list[tuple[float, int, _Item]] = []
        self._count = 0
        self._order = random.Random(seed)
        self._dead: set[str] = set()
        self._tasks: dict[str, WeakSet[asyncio.Task[Any]]] = {}
        self._fuses: dict[str, tuple[int, Callable[[], None] | None]] = {}
        self._turns = 0
        self.steps = 0  # task steps run so far
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Seconds since the world began; they never jump back."""
        return self._seconds

    # -- scheduling ------------------------------------------------------------------------------------------------

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run ``callback`` in this process as soon as its turn comes; a dead process has no turn."""
        item = _Item(callback, args, self, contextvars.copy_context() if context is None else context, self._seconds)
        if item.process in self._dead:
            item.cancel()
        else:
            self._line.append(item)
        return item

    call_soon_threadsafe = call_soon

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Run ``callback`` at second ``when``; of equal times, the one that was set first."""
        item = _Item(callback, args, self, contextvars.copy_context() if context is None else context, when)
        if item.process in self._dead:
            item.cancel()
        else:
            self._count += 1
            heapq.heappush(self._timers, (when, self._count, item))
        return item

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:  # noqa: ARG002
        """Run ``func`` at once: in a simulated world there is one thread."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the future
            future.set_exception(error)
        return future

    def start_as(self, process: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start ``work`` as a task of ``process``."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, process)
        return self.create_task(work, context=context)

    # -- death -----------------------------------------------------------------------------------------------------

    def kill(self, process: str) -> None:
        """End ``process`` at once. Called from inside the process, it takes hold at its next await.

        Raises:
            ValueError: ``process`` is the world itself.
        """
        if process == WORLD:
            msg = "the world cannot be killed"
            raise ValueError(msg)
        self._dead.add(process)
        self._fuses.pop(process, None)
        # First of all: a callback may hold the last reference to its task.
        for task in self._tasks.pop(process, WeakSet()):
            _bury(task)
        for item in (*self._line, *self._running_line):
            if item.process == process:
                item.cancel()
        for _, _, item in self._timers:
            if item.process == process:
                item.cancel()

    def kill_after(self, process: str, steps: int, then: Callable[[], None] | None = None) -> None:
        """Kill ``process`` when ``steps`` more of its task steps have run; ``then`` is called after the kill."""
        self._fuses[process] = (max(0, steps), then)

    def alive(self, process: str) -> bool:
        """Whether ``process`` has not been killed."""
        return process not in self._dead

    def close(self) -> None:
        """Close; whoever still waits is left waiting without a word, as at the end of a program."""
        for tasks in self._tasks.values():
            for task in tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - no way round
        self._timers.clear()
        self._line.clear()
        super().close()

    # -- the parts asyncio asks for --------------------------------------------------------------------------------

    def _make_task(self, _loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        context = options.get("context")
        process = PROCESS.get() if context is None else context.get(PROCESS, WORLD)
        task: asyncio.Task[Any] = asyncio.Task(work, loop=self, **options)
        if process in self._dead:
            _bury(task)
        else:
            self._tasks.setdefault(process, WeakSet()).add(task)
        return task

    def _run_once(self) -> None:
        self._turns += 1
        if not self._line:
            self._advance()
        elif self._turns > TURNS_LIMIT:
            busy = sorted({repr(item) for item in self._line})
            raise LivelockError(f"second {self._seconds:.3f} does not end: {busy[:5]}")
        line, self._line = self._line, []
        self._running_line = line
        if len(line) > 1:
            self._permute(line)
        for item in line:
            if item._cancelled:  # noqa: SLF001 - ours
                continue
            if item.step:
                self.steps += 1
                if self._fuses and self._burnt(item.process):
                    continue
            item._run()  # noqa: SLF001 - ours
            if self._stopping:  # type: ignore[attr-defined]
                self._line[:0] = line[line.index(item) + 1 :]
                return

    def _advance(self) -> None:
        """Jump to the next timer and make everything due ready, in the order in which it was set."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:  # noqa: SLF001 - ours
            heapq.heappop(timers)
        if not timers:
            if self._stopping:  # type: ignore[attr-defined]
                return
            waiting = sorted(task.get_name() for tasks in self._tasks.values() for task in tasks if not task.done())
            msg = f"deadlock at second {self._seconds:.3f}: nothing is ready, no timer is set; waiting: {waiting[:20]}"
            raise DeadlockError(msg)
        if timers[0][0] > self._seconds:
            self._seconds = timers[0][0]
            self._turns = 0
        elif self._turns > TURNS_LIMIT:
            raise LivelockError(f"second {self._seconds:.3f} does not end: timers of no length, {timers[0][2]!r}")
        while timers and timers[0][0] <= self._seconds:
            self._line.append(heapq.heappop(timers)[2])

    def _permute(self, line: list[_Item]) -> None:
        places = [place for place, item in enumerate(line) if item.step]
        if len(places) > 1:
            steps = [line[place] for place in places]
            self._order.shuffle(steps)
            for place, item in zip(places, steps, strict=True):
                line[place] = item

    def _burnt(self, process: str) -> bool:
        """Count a step of ``process``; kill it when its fuse has burnt down."""
        fuse = self._fuses.get(process)
        if fuse is None:
            return False
        steps, then = fuse
        if steps > 0:
            self._fuses[process] = (steps - 1, then)
            return False
        self.kill(process)
        if then is not None:
            then()
        return True

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """Nothing to do: a cancelled timer is dropped when its time comes."""

    def _write_to_self(self) -> None:
        """Nothing to wake: there is one thread."""

    def _process_events(self, _events: Any) -> None:
        """Nothing to process: there are no sockets."""


def _bury(task: asyncio.Task[Any]) -> None:
    """Keep a dead task's frames from ever being finalised.

    Dropping the last reference to a suspended coroutine raises GeneratorExit in it and runs its ``finally`` blocks,
    which no killed process does. One reference nobody gives back prevents that, and costs the memory of its frames.
    """
    task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - no way round
    if task.done():
        return
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(task))
