"""What came of a world: counts for people, and a hash that tells whether two runs were the same."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulators.invariants import Auditor
    from simulators.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Everything that makes a world: the same script is the same world, second by second."""

    piles: int = 300
    days: float = 7.0
    seed: int = 1
    crash_every: int = 2000
    faults: float = 1.0
    plant: str | None = None

    def replay(self) -> str:
        """The command that runs this world again."""
        words = ["python -m simulators world", f"--piles {self.piles}", f"--days {self.days:g}", f"--seed {self.seed}"]
        words += [f"--crash-every {self.crash_every}", f"--faults {self.faults:g}"]
        if self.plant is not None:
            words.append(f"--plant {self.plant}")
        return " ".join(words)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """A world's end."""

    script: Script
    counts: dict[str, Any] = field(default_factory=dict)
    hash: str = ""
    violations: list[str] = field(default_factory=list)
    laws: dict[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As one JSON object."""
        told: dict[str, Any] = {**asdict(self.script), **self.counts, "hash": self.hash}
        told["violations"] = self.violations
        told["laws_broken"] = self.laws
        return told


def tally(auditor: Auditor, truths: Mapping[str, Truth]) -> dict[str, Any]:
    """Counts of everything that was decided and everything that really happened."""
    ledger = auditor.ledger
    incidents = list(ledger.incidents.values())
    attempts = [each for incident in incidents for each in incident.attempts]
    runs = [run for truth in truths.values() for run in truth.executions]
    return {
        "incidents": _count(each.close_code or each.state for each in incidents),
        "families": _count(each.family for each in incidents),
        "attempts": _count(f"{each.action} {each.result or 'under way'}" for each in attempts),
        "refusals": _count(each.gate for incident in incidents for each in incident.refusals),
        "orders": _count(each.reason for each in ledger.orders.values()),
        "orders_by_state": _count(each.state for each in ledger.orders.values()),
        "complaints": _count(each.state for each in ledger.complaints.values()),
        "safety_complaints": sum(each.safety for each in ledger.complaints.values()),
        "executions": _count(run.action for run in runs),
        "unsafe_untold": sum(run.unsafe for run in runs),
        "journal": ledger.journal_lines,
    }


def digest(*parts: object) -> str:
    """A hash over JSON-ready parts."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _count(values: Iterable[object]) -> dict[str, int]:
    return dict(sorted(Counter(str(value) for value in values).items()))
