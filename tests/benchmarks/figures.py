"""A measured figure, its goal, and the verdict on it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

NOISE = 2.0
"""A shared machine easily halves a figure: a goal missed by less is *slow* and no failure, beyond it is *missed*."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """``better`` is ``more`` or ``less``; without a ``goal`` it is not judged. ``load`` is the load average."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    better: str = "more"
    note: str = ""
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    @property
    def shortfall(self) -> float:
        """By which factor the goal is missed; at most 1 when it is met."""
        if self.goal is None:
            return 0.0
        if self.goal == 0:
            return 0.0 if self.value == 0 else float("inf")
        worse, right = (self.goal, self.value) if self.better == "more" else (self.value, self.goal)
        return worse / right if right else float("inf")

    @property
    def verdict(self) -> str:
        """``ok``, ``slow`` (goal missed within the noise of a shared machine), ``MISSED``, or a dash without a goal."""
        if self.goal is None:
            return "-"
        if self.shortfall <= 1:
            return "ok"
        return "slow" if self.shortfall <= NOISE else "MISSED"


def best(runs: int, measure: Callable[[], Sequence[Figure]]) -> list[Figure]:
    """Each figure's best of ``runs`` runs: noise only ever makes a figure worse."""
    kept: dict[str, Figure] = {}
    for _ in range(runs):
        for figure in measure():
            known = kept.get(figure.name)
            if known is None or _beats(figure, known):
                kept[figure.name] = figure
    return list(kept.values())


def _beats(one: Figure, other: Figure) -> bool:
    return one.value > other.value if one.better == "more" else one.value < other.value


def table(figures: Iterable[Figure]) -> str:
    """The figures as aligned columns."""
    head = ("figure", "measured", "goal", "verdict", "load", "note")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(_width(row[place]) for row in rows) for place in range(len(head))]
    lines = [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)) for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _row(figure: Figure) -> tuple[str, ...]:
    sign = ">=" if figure.better == "more" else "<="
    goal = "-" if figure.goal is None else f"{sign} {_number(figure.goal)}"
    measured = f"{_number(figure.value)} {figure.unit}"
    return (figure.name, measured, goal, figure.verdict, f"{figure.load:.1f}", figure.note)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
