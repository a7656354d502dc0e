"""The daemon's promises to people and to the field teams' system: I1 and I3, and its acknowledgements: I11."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulators.invariants.court import Court
from simulators.invariants.knowledge import Knowledge
from simulators.invariants.ledger import HEALED, Ledger
from triage.core.effects import Changes, OrderNotice
from triage.core.vocabulary import IncidentState, OrderState


class Promises:
    """I1: every complaint answered with success exists exactly once, for ever, in exactly one incident."""

    def __init__(self, court: Court, ledger: Ledger) -> None:
        """Nobody has complained yet."""
        self.court = court
        self._ledger = ledger
        self.answered: dict[str, str] = {}
        self._by_reference: dict[str, set[str]] = {}

    def committed(self, changes: Changes) -> None:
        """A transaction took effect."""
        for number, complaint in changes.complaints.items():
            if complaint.reference is not None:
                numbers = self._by_reference.setdefault(complaint.reference, set())
                numbers.add(number)
                if len(numbers) > 1:
                    self.court.accuse("I1", complaint.reference, f"one complaint became {sorted(numbers)}")

    def told(self, key: str, number: str) -> None:
        """A person was told that complaint ``key`` is on record as ``number``."""
        before = self.answered.setdefault(key, number)
        if before != number:
            self.court.accuse("I1", key, f"answered as {before}, then as {number}")
        if number not in self._ledger.complaints:
            self.court.accuse("I1", key, f"answered as {number}, which is not durable")

    def finish(self) -> None:
        """Every answer given still holds, and every link leads to one incident that knows it."""
        holders: dict[str, list[str]] = {}
        for id, incident in self._ledger.incidents.items():
            if incident.merged_into is None:
                for number in incident.complaints:
                    holders.setdefault(number, []).append(id)
        for key, number in self.answered.items():
            complaint = self._ledger.complaints.get(number)
            if complaint is None:
                self.court.accuse("I1", key, f"{number} is gone")
                continue
            held = holders.get(number, [])
            wrong = [id for id in held if id != complaint.incident and self._ledger.incidents[id].open]
            if complaint.incident is not None and (wrong or complaint.incident not in held):
                self.court.accuse("I1", number, f"says incident {complaint.incident}, is listed by {held}")
            if complaint.incident is None and held:
                self.court.accuse("I1", number, f"says no incident, is listed by {held}")


@dataclass(slots=True)
class Ticket:
    """An order as the outside system has it."""

    incident: str
    notices: list[str] = field(default_factory=list)
    open: bool = True


class Tickets:
    """I3: exactly one order in the outside system for every incident that went to the field."""

    def __init__(self, court: Court, ledger: Ledger) -> None:
        """The outside system is empty."""
        self.court = court
        self._ledger = ledger
        self.by_order: dict[str, Ticket] = {}
        self._seen: set[str] = set()

    def received(self, notice: OrderNotice) -> bool:
        """The outside system got a notice; False when it had it already."""
        if notice.id in self._seen:
            return False
        self._seen.add(notice.id)
        order = notice.order
        if order.id not in self._ledger.orders:
            self.court.accuse("I3", order.id, "the outside system knows an order that is not durable")
        ticket = self.by_order.get(order.id)
        if ticket is None:
            standing = self._ledger.open_orders  # a recall may still be on its way; what counts is what was decided
            twins = [id for id, each in self.by_order.items() if each.incident == order.incident and id in standing]
            if twins:
                self.court.accuse("I3", order.incident, f"has tickets {twins[0]} and {order.id} at once")
            ticket = self.by_order[order.id] = Ticket(order.incident)
        elif notice.change == "issued" and "issued" in ticket.notices and ticket.open:
            self.court.accuse("I3", order.id, "was issued twice under two keys")
        ticket.notices.append(notice.change)
        ticket.open = order.open
        return True

    def finish(self) -> None:
        """Compare both systems after everything had time to arrive."""
        for id, order in self._ledger.orders.items():
            if id not in self.by_order:
                self.court.accuse("I3", id, f"order of {order.incident} never reached the outside system")
        for id, incident in self._ledger.incidents.items():
            order_of = self._ledger.orders.get(incident.work_order or "")
            if incident.state is IncidentState.FIELD and order_of is None:
                self.court.accuse("I3", id, "is with the field and has no order")
            ended = order_of is None or order_of.state in {OrderState.CLOSED, OrderState.RECALLED}
            if not incident.open and incident.close_code in HEALED and not ended:
                self.court.accuse("I3", id, f"closed as {incident.close_code} with order {incident.work_order} open")


def acknowledged_kept(court: Court, knowledge: Knowledge, ledger: Ledger) -> None:
    """I11: what was acknowledged to the broker is durable. Asked at the moment of death, of the database alone.

    A transition is all that telemetry leaves behind, so the faults on record must be those of the newest message that
    was acknowledged, or of one handed over after it.
    """
    for pile, picture in knowledge:
        kept = ledger.piles.get(pile)
        known = [each for each in picture.pictures() if each.known]
        if kept is None or not known:
            continue
        stored = frozenset((fault.code, fault.connector) for fault in kept.faults)
        if stored not in {each.claims for each in picture.pictures()}:
            newest = max(known, key=lambda each: each.number)
            court.accuse(
                "I11",
                pile,
                f"acknowledged a reading with faults {sorted(newest.claims)}, the database has {sorted(stored)}",
            )
