"""Where broken invariants are told: what, when, about whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

KEPT = 40


@dataclass(frozen=True, slots=True)
class Violation:
    """A law that did not hold. ``at`` is the world's second, ``law`` the invariant's name (I1, I2 …)."""

    at: float
    law: str
    subject: str
    text: str

    def __str__(self) -> str:
        """Render in one line."""
        day, rest = divmod(self.at, 86_400)
        hour, minute = divmod(rest // 60, 60)
        return f"{self.law} day {day:.0f} {hour:02.0f}:{minute:02.0f} ({self.at:.3f} s) {self.subject}: {self.text}"


class Court:
    """Collects violations; each (law, subject) once, and not without end."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` tells the world's second."""
        self.clock = clock
        self.violations: list[Violation] = []
        self.counts: Counter[str] = Counter()
        self._told: set[tuple[str, str]] = set()

    def accuse(self, law: str, subject: str, text: str) -> None:
        """Tell that ``law`` was broken by, or for, ``subject``."""
        self.counts[law] += 1
        if (law, subject) not in self._told and len(self.violations) < KEPT:
            self._told.add((law, subject))
            self.violations.append(Violation(self.clock(), law, subject, text))
