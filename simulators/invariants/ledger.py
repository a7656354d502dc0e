"""The committed documents, folded commit by commit, and the laws that can be read off them alone: I2, I8, I12, I14."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulators.invariants.court import Court
from triage.core.complaint import Complaint
from triage.core.effects import Changes, JournalEntry, OutboxItem, Snapshot
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.lifecycle import ORDER_TABLE, TABLE, Ignore, Trigger
from triage.core.vocabulary import READS, CloseCode, ComplaintState, IncidentState, OrderReason, OrderState
from triage.core.workorder import WorkOrder

HEALED = frozenset({CloseCode.RECOVERED_REMOTELY, CloseCode.SELF_CLEARED})


class Ledger:
    """Everything that is durable, by id, and the audit of each step from one version to the next."""

    def __init__(self, court: Court) -> None:
        """Start with an empty database."""
        self.court = court
        self.piles: dict[str, Pile] = {}
        self.incidents: dict[str, Incident] = {}
        self.complaints: dict[str, Complaint] = {}
        self.orders: dict[str, WorkOrder] = {}
        self.outbox: dict[str, OutboxItem] = {}
        self.settings: dict[str, str] = {}
        self.resolved: set[str] = set()  # complaints whose reporter is to be called back
        self.open_orders: set[str] = set()
        self.moved_at: dict[str, float] = {}  # when each incident, or its order, last changed its state
        self.names: dict[str, str] = {}  # canonical name of each code piles have claimed
        self.incident_of_attempt: dict[str, str] = {}
        self.open_of_pile: dict[str, set[str]] = {}
        self.open_since: dict[str, float] = {}  # the world's second at which each open incident opened, or opened again
        self.journal_lines = 0
        self._moved_to: dict[str, str] = {}
        self._last: list[JournalEntry] = []

    def committed(self, changes: Changes) -> None:
        """Take over one transaction that took effect."""
        moves = self._moves(changes.journal)
        for id, order in changes.orders.items():
            before = self.orders.get(id)
            self._order(before, order)
            if before is None or (before.state, before.visits) != (order.state, order.visits):
                self.moved_at[order.incident] = self.court.clock()
            self.orders[id] = order
            (self.open_orders.add if order.open else self.open_orders.discard)(id)
        for id, incident in changes.incidents.items():
            self._incident(id, incident, moves.get(id, []))
        for number, complaint in changes.complaints.items():
            self.complaints[number] = complaint
            waits = complaint.state is ComplaintState.RESOLVED
            (self.resolved.add if waits else self.resolved.discard)(number)
        self._dangers(changes)
        self.piles.update(changes.piles)
        for pile in changes.piles.values():
            for fault in pile.faults:
                self.names[fault.code] = fault.name
        self.settings.update(changes.settings)
        self.outbox.update(changes.outbox)
        for id in {incident.pile for incident in changes.incidents.values()}:
            self._one_each(id)

    # -- I12: declared edges, each with a cause on record ----------------------------------------------------------

    def _moves(self, journal: list[JournalEntry]) -> dict[str, list[JournalEntry]]:
        if journal and journal == self._last[: len(journal)]:
            return {}  # the same transaction once more: its first outcome was unknown to the daemon
        again = len(self._last) if self._last and journal[: len(self._last)] == self._last else 0
        self._last = list(journal) if journal else self._last
        self.journal_lines += len(journal) - again
        moves: dict[str, list[JournalEntry]] = {}
        for entry in journal[again:]:
            if entry.kind == "moved":
                moves.setdefault(entry.subject, []).append(entry)
        return moves

    def _incident(self, id: str, new: Incident, moves: list[JournalEntry]) -> None:
        old = self.incidents.get(id)
        at = self._moved_to.get(id) or (old.state.value if old else None)
        for move in moves:
            at = self._edge(id, at, move.data, move.text)
        if at is None:
            at = new.state.value
        if at != new.state.value:
            self.court.accuse("I12", id, f"is {new.state}, the journal's last move led to {at}")
        if moves:
            self.moved_at[id] = self.court.clock()
        self._moved_to[id] = new.state.value
        self.incidents[id] = new
        for attempt in new.attempts:
            self.incident_of_attempt.setdefault(attempt.id, id)
        self._attempts(old, new)
        mine = self.open_of_pile.setdefault(new.pile, set())
        if new.open:
            mine.add(id)
            self.open_since.setdefault(id, self.court.clock())
        else:
            mine.discard(id)
            self.open_since.pop(id, None)
        if new.work_order is not None and (old is None or old.work_order != new.work_order):
            self._reason_given(new, new.work_order)

    def _edge(self, id: str, at: str | None, data: Mapping[str, Any], text: str) -> str:
        source, target, trigger = data["from"], data["to"], data["trigger"]
        if at is not None and source != at:
            self.court.accuse("I12", id, f"moved from {source} but stood at {at}")
        entry = TABLE[IncidentState(source)][Trigger(trigger)]
        if isinstance(entry, Ignore) or IncidentState(target) not in entry:
            self.court.accuse("I12", id, f"{source} --{trigger}--> {target} is not declared")
        if not text:
            self.court.accuse("I12", id, f"{source} --{trigger}--> {target} has no reason")
        return str(target)

    def _attempts(self, old: Incident | None, new: Incident) -> None:
        before = {attempt.id: attempt for attempt in old.attempts} if old else {}
        for attempt in new.attempts:
            known = before.pop(attempt.id, None)
            if known is not None and known.result is not None and known.result is not attempt.result:
                self.court.accuse("I12", attempt.id, f"result rewritten from {known.result} to {attempt.result}")
        for id in before:
            self.court.accuse("I12", id, f"attempt vanished from {new.id}")

    def _order(self, old: WorkOrder | None, new: WorkOrder) -> None:
        if old is not None and new.state not in _reachable(old.state):
            self.court.accuse("I12", new.id, f"order went from {old.state} to {new.state}")

    def _dangers(self, changes: Changes) -> None:
        """I4, the sticky half: a danger on record goes only by a person, whose name is in the journal."""
        for id, pile in changes.piles.items():
            before = self.piles.get(id)
            if before is None or before.hazard is None or pile.hazard is not None:
                continue
            cleared = [each for each in changes.journal if each.subject == id and each.kind == "hazard"]
            if not any(each.actor != "engine" for each in cleared):
                self.court.accuse("I4", id, f"the danger {before.hazard!r} was forgotten without a person")

    # -- I2: one open incident per trouble, one attempt at a time --------------------------------------------------

    def _one_each(self, pile: str) -> None:
        seen: dict[tuple[int, str], str] = {}
        under_way = []
        for id in sorted(self.open_of_pile.get(pile, ())):
            incident = self.incidents[id]
            key = (incident.connector, incident.family.value)
            if key in seen:
                self.court.accuse("I2", pile, f"{seen[key]} and {id} are both open for {key}")
            seen[key] = id
            under_way += [attempt.id for attempt in incident.attempts if attempt.result is None]
        if len(under_way) > 1:
            self.court.accuse("I2", pile, f"attempts under way at once: {', '.join(under_way)}")

    # -- I8: an order says truthfully why --------------------------------------------------------------------------

    def _reason_given(self, incident: Incident, order_id: str) -> None:
        order = self.orders.get(order_id)
        if order is None or order.reason is not OrderReason.REMOTE_FAILED:
            return
        tried = [each for each in incident.attempts if each.action not in READS and each.left is not False]
        if not [each for each in tried if each.result is not None] and not incident.refusals:
            self.court.accuse(
                "I8", order_id, f"says remote_failed, but {incident.id} tried nothing and refused nothing"
            )

    # -- I14: what is loaded is what was committed -----------------------------------------------------------------

    def compare(self, snapshot: Snapshot) -> None:
        """Hold a restart's snapshot against the fold."""
        self._same("pile", {pile.id: pile for pile in snapshot.piles}, self.piles, set(self.piles))
        wanted = {id for id, incident in self.incidents.items() if incident.open}
        self._same("incident", {each.id: each for each in snapshot.incidents}, self.incidents, wanted)
        wanted = {id for id, order in self.orders.items() if order.open}
        self._same("order", {each.id: each for each in snapshot.orders}, self.orders, wanted)
        wanted = {id for id, complaint in self.complaints.items() if complaint.closed_at is None}
        self._same("complaint", {each.number: each for each in snapshot.complaints}, self.complaints, wanted)
        wanted = {id for id, item in self.outbox.items() if item.state in {"pending", "sent"}}
        self._same("outbox", {each.id: each for each in snapshot.outbox}, self.outbox, wanted)
        if snapshot.settings != self.settings:
            self.court.accuse("I14", "settings", f"loaded {snapshot.settings}, committed {self.settings}")

    def _same(self, kind: str, loaded: Mapping[str, object], kept: Mapping[str, object], wanted: set[str]) -> None:
        for id in sorted(wanted - set(loaded)):
            self.court.accuse("I14", id, f"{kind} was committed and is not loaded")
        for id, entity in loaded.items():
            if kept.get(id) != entity:
                self.court.accuse("I14", id, f"{kind} loaded as {entity}, committed as {kept.get(id)}")


def _reachable(state: OrderState) -> set[OrderState]:
    """Every state a chain of declared acts leads to; one commit may hold several acts."""
    found, todo = {state}, [state]
    while todo:
        for target in ORDER_TABLE[todo.pop()].values():
            if isinstance(target, OrderState) and target not in found:
                found.add(target)
                todo.append(target)
    return found
