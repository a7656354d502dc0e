"""All auditors behind one door, in the words of what happens at the daemon's boundaries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from simulators.invariants.acts import Acts
from simulators.invariants.court import Court
from simulators.invariants.knowledge import Knowledge, Told
from simulators.invariants.ledger import Ledger
from simulators.invariants.outside import Promises, Tickets, acknowledged_kept
from triage.storage.chain import Head, verify

if TYPE_CHECKING:
    from datetime import datetime

    from simulators.truth import Execution, Truth
    from triage.core.effects import Changes, Command, OrderNotice, Snapshot
    from triage.core.policy import Policy
    from triage.interfaces import Journal


class Auditor:
    """Told of everything, believes nobody."""

    def __init__(self, clock: Callable[[], float], policy: Policy, fleet: dict[str, str]) -> None:
        """``clock`` tells the world's second; ``policy`` is as it runs; ``fleet`` names each pile's site."""
        self.court = Court(clock)
        self.ledger = Ledger(self.court)
        self.knowledge = Knowledge(clock)
        self.acts = Acts(self.court, self.knowledge, self.ledger, policy, fleet)
        self.promises = Promises(self.court, self.ledger)
        self.tickets = Tickets(self.court, self.ledger)

    # What goes in -------------------------------------------------------------------------------------------------

    def handed(self, pile: str, token: tuple[int, int], told: Told) -> None:
        """The driver gave a reading to the inbox."""
        self.knowledge.handed(pile, token, told)

    def born(self, pile: str, number: int) -> None:
        """The driver gave a pile's birth message to the inbox."""
        self.knowledge.born(pile, number)

    def acknowledged(self, tokens: Iterable[tuple[int, int]]) -> None:
        """The inbox says that these are durable."""
        self.knowledge.acknowledged(tokens)

    def person_acted(self, pile: str) -> None:
        """A technician was at the pile, or a person decided about it."""
        self.knowledge.person(pile)

    def booted(self, pile: str, at: float) -> None:
        """A pile's controller started."""
        self.acts.boots.setdefault(pile, []).append(at)

    def executed(self, run: Execution) -> None:
        """A device carried out a command."""
        self.acts.executed(run)

    # What becomes durable -----------------------------------------------------------------------------------------

    def committed(self, changes: Changes) -> None:
        """A transaction took effect."""
        before = {id: self.ledger.incidents.get(id) for id in changes.incidents}
        self.ledger.committed(changes)
        self.promises.committed(changes)
        for complaint in changes.complaints.values():
            if complaint.safety and complaint.pile is not None and complaint.closed_at is None:
                self.knowledge.endangered(complaint.pile, complaint.number)
        self.acts.committed(changes)
        for id, incident in changes.incidents.items():
            self.acts.ended(before[id], incident)

    # What comes out -----------------------------------------------------------------------------------------------

    def published(self, command: Command, daemon_now: datetime) -> None:
        """The driver hands a command to the broker, at ``daemon_now`` by the daemon's own clock."""
        self.acts.published(command, daemon_now)

    def answered(self, key: str, number: str) -> None:
        """A person was told the number of a complaint."""
        self.promises.told(key, number)

    def noticed(self, notice: OrderNotice) -> bool:
        """The field teams' system got a notice; False when it had it already."""
        return self.tickets.received(notice)

    # Deaths and ends ----------------------------------------------------------------------------------------------

    def died(self) -> None:
        """The daemon was killed."""
        acknowledged_kept(self.court, self.knowledge, self.ledger)
        self.knowledge.forget()

    def restarted(self, snapshot: Snapshot) -> None:
        """The daemon loaded this."""
        self.ledger.compare(snapshot)

    async def finish(self, truths: Mapping[str, Truth], journal: Journal, head: Head, bound_s: float) -> None:
        """Judge the end, after a quiet time; ``bound_s`` is how long an open incident may have stood still."""
        acknowledged_kept(self.court, self.knowledge, self.ledger)
        self.promises.finish()
        self.tickets.finish()
        self._executions(truths)
        self._liveness(bound_s)
        verified = await verify(journal, head)
        if verified.bad is not None:
            self.court.accuse("I12", "journal", f"record {verified.bad}: {verified.why}")

    def _executions(self, truths: Mapping[str, Truth]) -> None:
        for pile, truth in sorted(truths.items()):
            for command, times in sorted(truth.doubles.items()):
                self.court.accuse("I7", command, f"{pile} executed it {times} times")

    def _liveness(self, bound_s: float) -> None:
        """Nobody waits for ever: what has been open long has moved lately, or somebody is out for it."""
        now, ledger = self.court.clock(), self.ledger
        for id, since in sorted(ledger.open_since.items()):
            idle_s = now - ledger.moved_at.get(id, since)
            if idle_s > bound_s or now - since > 5 * bound_s:
                incident = ledger.incidents[id]
                text = f"open for {now - since:.0f} s, {incident.state} without a move for {idle_s:.0f} s"
                self.court.accuse("I6", id, f"{text}: {incident.summary}")
