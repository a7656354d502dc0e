"""An incident: one open problem of one pile or connector, and everything tried on it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from triage.core.vocabulary import (
    Action,
    CloseCode,
    Family,
    Gate,
    IncidentState,
    Result,
    Verdict,
)


class Evidence(Struct, frozen=True, kw_only=True):
    """What was seen of an attempt, newer than the command and independent of its answer."""

    at: datetime
    kind: str  # answer, boot, uptime_drop, fault_absent, fault_present, fresh, silence, refused_by_driver …
    text: str


class Attempt(Struct, frozen=True, kw_only=True):
    """One execution of one step; ``result`` is ``None`` while it is under way.

    ``sent_at`` is committed before the first byte leaves. ``not_before`` is the boot the evidence must be newer than.
    """

    id: str
    step: str
    action: Action
    connector: int
    sent_at: datetime
    expires_at: datetime
    verify_by: datetime
    boot_before: str | None = None
    uptime_before_s: float | None = None
    boots: bool = True  # whether this model shows a restart after it; else its own read-back stands for that
    answer: str | None = None
    answer_reason: str = ""
    left: bool | None = None  # True: the driver handed it over; False: it certainly did not leave; None: not known
    rebooted_at: datetime | None = None
    result: Result | None = None
    concluded_at: datetime | None = None
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""


class Refusal(Struct, frozen=True, kw_only=True):
    """A gate said no: why, and when it is asked again. Equal refusals are counted, not repeated."""

    gate: Gate
    reason: str
    at: datetime
    next_look_at: datetime
    step: str = ""
    count: int = 1


class Judgement(Struct, frozen=True, kw_only=True):
    """The verdict on one complaint of the incident."""

    complaint: str
    verdict: Verdict
    confidence: float
    why: str


class PlanRun(Struct, frozen=True, kw_only=True):
    """Which plan, pinned by hash, and how far it has come."""

    plan: str
    version: int
    sha256: str
    step: int = 0  # index of the next step to try
    deadline_at: datetime | None = None
    round: int = 0


class Incident(Struct, frozen=True, kw_only=True):
    """One open problem. ``wake_at`` is the deadline of the present state: nothing waits for ever."""

    id: str
    pile: str
    site: str
    region: str
    connector: int
    family: Family
    kind: str
    state: IncidentState
    state_since: datetime
    opened_at: datetime
    wake_at: datetime | None
    faults: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()
    reporters: tuple[str, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    run: PlanRun | None = None
    attempts: tuple[Attempt, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    work_order: str | None = None
    approved_until: datetime | None = None
    clear_since: datetime | None = None  # since when the evidence is good without a break
    held_since: datetime | None = None
    held_by: str = ""  # a person's hold; empty when a gate held it
    merged_into: str | None = None
    approved_by: str = ""
    soak_code: CloseCode | None = None
    closed_at: datetime | None = None
    close_code: CloseCode | None = None
    reopened: int = 0
    previous: str | None = None
    safety: bool = False
    no_reset_again: bool = False  # a person said "not fixed": never answered with the same automatic reset
    reminders: int = 0
    desk_reason: str = ""
    summary: str = ""

    @property
    def open(self) -> bool:
        """Whether it still wants something."""
        return self.state is not IncidentState.CLOSED

    @property
    def under_way(self) -> Attempt | None:
        """The attempt whose outcome is still awaited; there is at most one."""
        if self.attempts and self.attempts[-1].result is None:
            return self.attempts[-1]
        return None
