"""Recovery plans (预案): which steps, in which order, what proves each, and what follows each outcome."""

from __future__ import annotations

from msgspec import Struct

from triage.core.vocabulary import Action, Family, Mode, OrderReason

ROUTES = ("soak", "next", "wait", "field", "desk")
"""Where an outcome may lead: soak (watch it stay good), next (the following step), wait (look again from current
evidence after the retry interval), field (work order), desk (a person decides)."""

PROOFS = ("fresh", "fault_absent", "booted", "status_idle", "session_ended", "answer")
"""What may prove a step: a telemetry message newer than the command; the fault gone from such a message; a new boot
(boot id, or uptime fell); the connector idle; the session gone; the device's own answer (never enough for a disruptive
step)."""


class Step(Struct, frozen=True, kw_only=True):
    """One step. ``verify_s`` bounds the wait for proof; all of ``proof`` must be seen."""

    id: str
    action: Action
    proof: tuple[str, ...]
    verify_s: float
    passed: str = "soak"
    failed: str = "next"
    refused: str = "next"
    unknown: str = "desk"
    scope: str = "connector"  # or "pile"
    args: dict[str, str] = {}
    note: str = ""


class Plan(Struct, frozen=True, kw_only=True):
    """A plan as read from its file; ``sha256`` pins the very text on every run."""

    name: str
    version: int
    title: dict[str, str]
    families: tuple[Family, ...]
    steps: tuple[Step, ...]
    mode: Mode
    deadline_s: float
    responsible: str
    review_by: str
    soak_s: float
    exhausted: str  # field or desk
    exhausted_reason: OrderReason
    faults: tuple[str, ...] = ()  # canonical fault names; empty: every fault of the families
    models: tuple[str, ...] = ()
    likely_parts: tuple[str, ...] = ()
    sha256: str = ""
    text: str = ""


class PlanBook(Struct, frozen=True):
    """All plans in force. The most specific match wins: fault names before families, model before any model."""

    plans: tuple[Plan, ...] = ()

    def choose(self, family: Family, faults: tuple[str, ...], *models: str | None) -> Plan | None:
        """The plan for this trouble, or ``None`` when nothing remote is foreseen (and a person must decide).

        ``models`` is what the fleet file and the device call it: a plan that names either is for it.
        """
        best: tuple[int, int, str] | None = None
        chosen: Plan | None = None
        for plan in self.plans:
            if plan.models and not set(models) & set(plan.models):
                continue
            named = bool(plan.faults) and bool(set(plan.faults) & set(faults))
            if plan.faults and not named:
                continue
            if family not in plan.families:
                continue
            rank = (int(named), int(bool(plan.models)), plan.name)
            if best is None or rank > best:
                best, chosen = rank, plan
        return chosen

    def named(self, name: str) -> Plan | None:
        """The plan called ``name``."""
        return next((plan for plan in self.plans if plan.name == name), None)
