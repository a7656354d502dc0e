"""Faults with an address: each error says what is wrong, where, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass


class TriageError(Exception):
    """Base of every error this product raises on purpose."""


@dataclass(frozen=True, slots=True)
class InputFault:
    """One fault in one input, addressed for the person who must mend it."""

    file: str
    line: int | None
    field: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        """Render as ``file:line: field: problem (remedy)``."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        field = f" {self.field}:" if self.field else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}:{field} {self.problem}{remedy}"


class InputError(TriageError):
    """An input is wrong; carries every fault found, not the first one alone."""

    def __init__(self, faults: list[InputFault]) -> None:
        """Keep ``faults`` in the order in which they were found."""
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class StoreError(TriageError):
    """The database cannot do it now; the caller may try again (nothing of the batch was kept)."""


class StoreRefusedError(TriageError):
    """The database must not be used as it is: wrong schema, another daemon's lease, a broken chain."""


class OverloadedError(TriageError):
    """The inbox is full; the caller must push back on its own source."""
