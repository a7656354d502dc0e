"""What the engine remembers: the open things, the recent things, and when to look at them again.

The state is rebuilt from a snapshot after a restart. Nothing in it is written except by :meth:`State.apply`, with
changes that a decision carries.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from triage.core.complaint import Complaint
from triage.core.effects import Changes, OutboxItem, Snapshot
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.policy import Policy
from triage.core.silence import Silence
from triage.core.vocabulary import REBOOTS, Family, Result
from triage.core.workorder import WorkOrder

UNREGISTERED_KEPT = 1000


class Agenda:
    """Deadlines by moment. Each (kind, id) has at most one; an older entry in the heap is passed over."""

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[datetime, tuple[str, str]]] = []
        self._when: dict[tuple[str, str], datetime] = {}

    def put(self, kind: str, id: str, when: datetime | None) -> None:
        """Set, move or (``None``) remove a deadline."""
        key = (kind, id)
        if when is None:
            self._when.pop(key, None)
            return
        if self._when.get(key) != when:
            self._when[key] = when
            heapq.heappush(self._heap, (when, key))

    def put_lazily(self, kind: str, id: str, when: datetime | None) -> None:
        """Like :meth:`put`, but an earlier deadline stays: the look it causes finds out that it was too early.

        Healthy telemetry moves a pile's silence deadline with every message; this way it costs nothing.
        """
        if when is None:
            return
        present = self._when.get((kind, id))
        if present is None or when < present:
            self.put(kind, id, when)

    def has(self, kind: str, id: str) -> bool:
        """Whether a deadline is set."""
        return (kind, id) in self._when

    def next(self) -> datetime | None:
        """The earliest deadline."""
        while self._heap:
            when, key = self._heap[0]
            if self._when.get(key) == when:
                return when
            heapq.heappop(self._heap)
        return None

    def due(self, now: datetime, limit: int) -> list[tuple[str, str]]:
        """Take up to ``limit`` deadlines that have come."""
        found: list[tuple[str, str]] = []
        while len(found) < limit:
            when = self.next()
            if when is None or when > now:
                break
            _, key = heapq.heappop(self._heap)
            del self._when[key]
            found.append(key)
        return found


class State:
    """The engine's memory of one partition."""

    def __init__(self, policy: Policy) -> None:
        """Start empty, remembering closed things for the policy's windows."""
        self.policy = policy
        self.piles: dict[str, Pile] = {}
        self.sites: dict[str, set[str]] = {}
        self.incidents: dict[str, Incident] = {}
        self.by_pile: dict[str, set[str]] = {}
        self.complaints: dict[str, Complaint] = {}
        self.orders: dict[str, WorkOrder] = {}
        self.silences: dict[str, Silence] = {}
        self.outbox: dict[str, OutboxItem] = {}
        self.settings: dict[str, str] = {}
        self.unregistered: dict[tuple[str, str], datetime] = {}
        self.listening: dict[str, datetime | None] = {}
        self.sends: deque[tuple[datetime, str, str]] = deque()
        self.agenda = Agenda()
        self.started_at: datetime | None = None

    def restore(self, snapshot: Snapshot) -> None:
        """Fill an empty state from storage."""
        changes = Changes(
            piles={pile.id: pile for pile in snapshot.piles},
            incidents={each.id: each for each in snapshot.incidents},
            complaints={each.number: each for each in snapshot.complaints},
            orders={each.id: each for each in snapshot.orders},
            silences={each.id: each for each in snapshot.silences},
            outbox={each.id: each for each in snapshot.outbox},
            settings=dict(snapshot.settings),
        )
        self.apply(changes)
        sends = [(at, pile.site, pile.id) for pile in snapshot.piles for at in pile.resets]
        self.sends = deque(sorted(sends))

    def apply(self, changes: Changes) -> None:
        """Take over new versions of entities."""
        for pile in changes.piles.values():
            self.keep_pile(pile)
        for incident in changes.incidents.values():
            self._keep_incident(incident)
        for complaint in changes.complaints.values():
            self.complaints[complaint.number] = complaint
            ends = complaint.closed_at + self.policy.span("day") if complaint.closed_at else complaint.wake_at
            self.agenda.put("complaint", complaint.number, ends)
        for order in changes.orders.values():
            self.orders[order.id] = order
            ends = order.closed_at + self.policy.span("day") if order.closed_at else order.wake_at
            self.agenda.put("order", order.id, ends)
        for silence in changes.silences.values():
            self.silences[silence.id] = silence
            self.agenda.put("silence", silence.id, silence.lifted_at or silence.ends_at)
        for item in changes.outbox.values():
            if item.state in {"pending", "sent"}:
                self.outbox[item.id] = item
            else:
                self.outbox.pop(item.id, None)
        self.settings.update(changes.settings)

    def keep_pile(self, pile: Pile) -> None:
        """Take over a pile's newest state, and the sends it records."""
        known = self.piles.get(pile.id)
        if known is None or known.registration is not pile.registration:
            if known is not None and known.site != pile.site:
                self.sites[known.site].discard(pile.id)
            self.sites.setdefault(pile.site, set()).add(pile.id)
        if known is not None and known.resets is not pile.resets:
            self._count_sends(known, pile)
        self.piles[pile.id] = pile

    def listening_since(self, driver: str = "") -> datetime | None:
        """From when on our way to the field through ``driver`` has been up, or through all of them; None while down."""
        if driver in self.listening:
            moment = self.listening[driver]
            return moment if moment is None or self.started_at is None else max(moment, self.started_at)
        newest = self.started_at
        for moment in self.listening.values():
            if moment is None:
                return None
            if newest is None or moment > newest:
                newest = moment
        return newest

    def _count_sends(self, known: Pile, pile: Pile) -> None:
        """Keep the list of sends in line with what the pile records; one that did not leave is given back."""
        for at in pile.resets[-1:]:
            if at not in known.resets:
                self.sends.append((at, pile.site, pile.id))
        for at in known.resets[-1:]:
            if at not in pile.resets and (at, pile.site, pile.id) in self.sends:
                self.sends.remove((at, pile.site, pile.id))

    def drop_pile(self, id: str) -> None:
        """Forget a pile that left the fleet; its incidents stay, for a person to decide."""
        pile = self.piles.pop(id)
        self.sites[pile.site].discard(id)
        self.agenda.put("pile", id, None)

    def forget(self, kind: str, id: str) -> None:
        """Drop a closed thing whose window has passed."""
        if kind == "incident":
            incident = self.incidents.pop(id, None)
            if incident is not None:
                ids = self.by_pile.get(incident.pile)
                if ids is not None:
                    ids.discard(id)
                    if not ids:
                        del self.by_pile[incident.pile]
        elif kind == "complaint":
            self.complaints.pop(id, None)
        elif kind == "order":
            self.orders.pop(id, None)
        elif kind == "silence":
            self.silences.pop(id, None)

    def open_incidents(self, pile: str) -> list[Incident]:
        """The open incidents of a pile, oldest first."""
        found = [self.incidents[id] for id in self.by_pile.get(pile, ())]
        return sorted((each for each in found if each.open), key=lambda each: each.id)

    def remembered(self, pile: str) -> list[Incident]:
        """All incidents of a pile the state still holds, oldest first."""
        return sorted((self.incidents[id] for id in self.by_pile.get(pile, ())), key=lambda each: each.id)

    def note_unregistered(self, site: str, pile: str, now: datetime) -> bool:
        """Remember a stranger; the list is bounded. Returns whether it is new."""
        key = (site, pile)
        new = key not in self.unregistered
        if new and len(self.unregistered) >= UNREGISTERED_KEPT:
            oldest = min(self.unregistered, key=self.unregistered.__getitem__)
            del self.unregistered[oldest]
        self.unregistered[key] = now
        return new

    def sends_since(self, since: datetime) -> list[tuple[datetime, str, str]]:
        """Disruptive commands sent after ``since``: (moment, site, pile)."""
        horizon = since - timedelta(days=2)
        while self.sends and self.sends[0][0] < horizon:
            self.sends.popleft()
        found = []
        for entry in reversed(self.sends):
            if entry[0] <= since:
                break
            found.append(entry)
        return found

    def rebooting(self, site: str) -> int:
        """How many piles of ``site`` have a disruptive attempt under way."""
        count = 0
        for pile in self.sites.get(site, ()):
            for id in self.by_pile.get(pile, ()):
                attempt = self.incidents[id].under_way
                if attempt is not None and attempt.action in REBOOTS:
                    count += 1
        return count

    def troubled(self, site: str, families: frozenset[Family]) -> int:
        """How many piles of ``site`` show a symptom of one of ``families`` now."""
        return sum(
            any(symptom.family in families for symptom in self.piles[pile].symptoms)
            for pile in self.sites.get(site, ())
        )

    def verified_resets(self, since: datetime) -> tuple[int, int]:
        """(failed, all) resets concluded after ``since``."""
        failed = total = 0
        for incident in self._recent():
            for attempt in incident.attempts:
                if attempt.action not in REBOOTS or attempt.left is False:
                    continue
                if attempt.concluded_at is not None and attempt.concluded_at > since:
                    total += 1
                    failed += attempt.result is not Result.PASSED
        return failed, total

    def _recent(self) -> Iterable[Incident]:
        return self.incidents.values()

    def _keep_incident(self, incident: Incident) -> None:
        self.incidents[incident.id] = incident
        self.by_pile.setdefault(incident.pile, set()).add(incident.id)
        if incident.closed_at is not None:
            # Kept for the reopen window and for the breaker's; then storage alone remembers it.
            self.agenda.put("incident", incident.id, incident.closed_at + self.policy.span("reopen") * 2)
            return
        self.agenda.put("incident", incident.id, incident.wake_at)
