"""DESIGN.md shows the tables of the code."""

from __future__ import annotations

from pathlib import Path

from triage.core.lifetables import put_into

DESIGN = Path(__file__).parents[2] / "DESIGN.md"


def test_the_tables_in_the_design_are_those_of_the_code() -> None:
    text = DESIGN.read_text(encoding="utf-8")
    assert put_into(text) == text, "draw them anew: triage tables"
