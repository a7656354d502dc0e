"""A work order: what the field is asked to do, and why remote recovery did not."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from triage.core.vocabulary import OrderReason, OrderState, Priority


class Visit(Struct, frozen=True, kw_only=True):
    """One step of the field team on an order, as it reported it."""

    at: datetime
    act: str
    by: str
    reason: str = ""
    cause: str = ""
    work: str = ""
    parts: tuple[str, ...] = ()
    no_fault_found: bool = False


class FieldClock(Struct, frozen=True, kw_only=True):
    """A promise with a deadline. ``breached_at`` is set once, when it is broken."""

    name: str  # accept, on_site
    due_at: datetime
    met_at: datetime | None = None
    breached_at: datetime | None = None


class WorkOrder(Struct, frozen=True, kw_only=True):
    """One order of one incident. ``evidence`` is what the team reads before it drives."""

    id: str
    incident: str
    pile: str
    site: str
    region: str
    connector: int
    reason: OrderReason
    reason_text: str
    state: OrderState
    state_since: datetime
    opened_at: datetime
    priority: Priority
    team: str
    evidence: tuple[str, ...] = ()
    parts_guess: tuple[str, ...] = ()
    safety_notes: tuple[str, ...] = ()
    clocks: tuple[FieldClock, ...] = ()
    visits: tuple[Visit, ...] = ()
    wake_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery_reference: str = ""
    closed_at: datetime | None = None
    second_visits: int = 0

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something."""
        return self.state not in {OrderState.CLOSED, OrderState.RECALLED}
