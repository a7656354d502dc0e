"""What really happened at a pile: the record the auditors hold against what the daemon believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulators.words import REBOOTS

if TYPE_CHECKING:
    from simulators.words import Action, Symptom


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A command the device carried out, with the true circumstances at that moment.

    ``session`` is the live session's id, ``danger`` the name of a present danger, ``updating`` a running firmware
    update. The ``…_told_at`` times say since when the device's own messages had shown it (``None``: it never had), for
    nobody can be blamed for what no message told.
    """

    at: float
    pile: str
    command: str
    action: Action
    connector: int
    boot: int
    session: str | None = None
    session_told_at: float | None = None
    danger: str | None = None
    danger_told_at: float | None = None
    updating: bool = False
    updating_told_at: float | None = None

    @property
    def reboots(self) -> bool:
        """Whether it restarted the controller."""
        return self.action in REBOOTS

    @property
    def unsafe(self) -> bool:
        """A restart while somebody charged, a danger was present or an update ran, known or not."""
        return self.reboots and (self.session is not None or self.danger is not None or self.updating)

    @property
    def reckless(self) -> bool:
        """Unsafe, and the device's own messages had said so before."""
        told = (self.session_told_at, self.danger_told_at, self.updating_told_at)
        return self.unsafe and any(at is not None for at in told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """A driver met a pile. ``symptom`` and ``fault`` say what went wrong, if anything."""

    at: float
    pile: str
    site: str
    connector: int
    charged: bool
    symptom: Symptom | None = None
    fault: str | None = None
    danger: bool = False


@dataclass(slots=True)
class FaultRecord:
    """One fault's life: kind, place, begin, end and what ended it (``self``, an action, ``visit``)."""

    kind: str
    connector: int
    since: float
    danger: bool
    until: float | None = None
    ended_by: str | None = None
    told_at: float | None = None


@dataclass(slots=True)
class Truth:
    """Ground truth of one pile, for the whole run."""

    executions: list[Execution] = field(default_factory=list)
    faults: list[FaultRecord] = field(default_factory=list)
    boots: list[tuple[float, str]] = field(default_factory=list)
    encounters: list[Encounter] = field(default_factory=list)
    sessions: int = 0
    commands: int = 0
    commands_lost: int = 0
    expired: int = 0
    repeated: int = 0

    def by_command(self) -> dict[str, list[Execution]]:
        """Executions of each command id; more than one per id is a double execution."""
        found: dict[str, list[Execution]] = {}
        for execution in self.executions:
            found.setdefault(execution.command, []).append(execution)
        return found

    @property
    def resets(self) -> list[Execution]:
        """Executions that restarted the controller."""
        return [execution for execution in self.executions if execution.reboots]

    @property
    def doubles(self) -> dict[str, int]:
        """Command ids that were executed more than once, with how often."""
        return {command: len(runs) for command, runs in self.by_command().items() if len(runs) > 1}
