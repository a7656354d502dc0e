"""The state tables as Markdown, for DESIGN.md: drawn from the code, so that they cannot drift from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path

from triage.core.lifecycle import COMPLAINT_TABLE, ORDER_TABLE, TABLE, Ignore

BEGIN = "<!-- tables: drawn by `triage tables` -->"
END = "<!-- end of tables -->"


def render() -> str:
    """All three tables."""
    return "\n".join(
        [
            BEGIN,
            "",
            "### Incident",
            "",
            *_edges((state, row.items()) for state, row in TABLE.items()),
            "",
            "### Work order",
            "",
            *_edges((state, row.items()) for state, row in ORDER_TABLE.items()),
            "",
            "### Complaint",
            "",
            *_edges((state, row.items()) for state, row in COMPLAINT_TABLE.items()),
            "",
            END,
        ]
    )


def put_into(text: str) -> str:
    """``text`` with the tables between their marks drawn anew.

    Raises:
        ValueError: the marks are missing.
    """
    if BEGIN not in text or END not in text:
        problem = f"the document has no marks {BEGIN!r} and {END!r}"
        raise ValueError(problem)
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return before + render() + after


def write_into(document: Path) -> None:
    """Draw the tables in ``document`` anew."""
    document.write_text(put_into(document.read_text(encoding="utf-8")), encoding="utf-8")


def _edges(rows: Iterable[tuple[StrEnum, Iterable[tuple[StrEnum, object]]]]) -> Iterable[str]:
    yield "| state | leaves by | stays, because |"
    yield "|---|---|---|"
    for state, entries in rows:
        leaves: list[str] = []
        stays: dict[str, list[str]] = {}
        for trigger, target in entries:
            if isinstance(target, Ignore):
                stays.setdefault(str(target), []).append(trigger.value)
            else:
                targets = target if isinstance(target, tuple) else (target,)
                leaves.append(f"{trigger.value} → {', '.join(str(each) for each in targets)}")
        yield f"| **{state.value}** | {'<br>'.join(leaves) or '–'} | {_reasons(stays)} |"


def _reasons(stays: Mapping[str, list[str]]) -> str:
    return "<br>".join(f"{', '.join(triggers)}: {reason}" for reason, triggers in stays.items()) or "–"
