"""Kills the daemon: on average once per so many events, at a random await, and gladly in the middle of something."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from simulators.loop import VirtualLoop


AMBUSHES = ("", "", "claim", "commit", "effect")
"""What a death waits for: nothing, a reading that claims a fault, a commit, or a commit with an effect."""


class Reaper:
    """Counts what the daemon handles and strikes when its number comes up."""

    def __init__(self, loop: VirtualLoop, rng: Random, every: int, died: Callable[[], None]) -> None:
        """``every``: events per kill on average, 0 for never. ``died`` is called after each kill."""
        self._loop = loop
        self._rng = rng
        self._every = every
        self._died = died
        self._process = ""
        self._left = self._draw()
        self._ambush = ""
        self.kills = 0

    def watch(self, process: str) -> None:
        """A new life began."""
        self._process = process
        self._ambush = ""

    def handled(self, events: int) -> None:
        """The daemon took events in."""
        if not self._every:
            return
        self._left -= events
        if self._left <= 0:
            self._left = self._draw()
            self._ambush = self._rng.choice(AMBUSHES)
            if not self._ambush:
                self._light(self._rng.randrange(0, 40))

    def busy(self, with_what: str) -> None:
        """The daemon does something that matters; see :data:`AMBUSHES`."""
        if self._ambush == with_what:
            self._ambush = ""
            self._light(self._rng.randrange(0, 8))

    def stop(self) -> None:
        """No more kills."""
        self._every = 0
        self._ambush = ""

    def _light(self, steps: int) -> None:
        process = self._process

        def then() -> None:
            self.kills += 1
            self._died()

        if self._loop.alive(process):
            self._loop.kill_after(process, steps, then)

    def _draw(self) -> float:
        return self._rng.expovariate(1.0 / self._every) if self._every else float("inf")
