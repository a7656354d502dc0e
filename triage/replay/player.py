"""Playing a trace: events and deadlines in order of time, and the decisions they lead to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from triage.core.draft import Decision, Rules
from triage.core.effects import Changes, Command, JournalEntry, OutboxItem
from triage.core.engine import Engine
from triage.core.events import CommandAnswer, EffectOutcome, Event
from triage.core.vocabulary import Action
from triage.replay.reading import Trace
from triage.traces import Sent

SHOWN = frozenset({"opened", "moved", "plan", "refused", "skipped", "attempt", "person"})
"""Journal lines that are decisions."""

SAME_COMMAND = timedelta(minutes=10)
"""Two commands of one kind to one pile, so close together in trace and replay, are the same one."""


class Decided(Struct, frozen=True):
    """One decision: when, on which pile, of what sort, about what, and in which words."""

    at: datetime
    pile: str
    sort: str
    subject: str
    text: str

    def __str__(self) -> str:
        """Render in one line."""
        return f"{self.at:%Y-%m-%dT%H:%M:%SZ}  {self.pile}  {self.sort:<8}{self.subject}  {self.text}"


def replay(trace: Trace, rules: Rules) -> Iterator[Decided]:
    """Every decision ``rules`` lead to on what the trace took in, in order of time."""
    return _Player(trace, rules).play()


class _Player:
    def __init__(self, trace: Trace, rules: Rules) -> None:
        self._trace = trace
        self._engine = Engine(rules, drivers=trace.began.listening)
        self._engine.resume(trace.known, trace.began.listening, trace.began.started_at, trace.began.at)
        self._ids: dict[str, str] = {}
        self._recorded: dict[tuple[str, Action], list[Sent]] = defaultdict(list)
        for sent in trace.sent:
            self._recorded[sent.pile, sent.action].append(sent)
        self._foreign = {sent.id for sent in trace.sent}

    def play(self) -> Iterator[Decided]:
        for took in self._trace.taken:
            yield from self._until(took.now)
            event = self._translated(took.event)
            if event is not None:
                yield from self._decide(event, took.now)

    def _until(self, now: datetime) -> Iterator[Decided]:
        """The deadlines that come before ``now``, each at its own moment."""
        while (due := self._engine.next_due()) is not None and due <= now:
            at = max(due, self._trace.began.at)
            for event in self._engine.due(at):
                yield from self._decide(event, at)

    def _decide(self, event: Event, now: datetime) -> Iterator[Decided]:
        decision = self._engine.decide(event, now)
        self._engine.apply(decision)
        if not isinstance(decision, Decision):
            return
        yield from _shown(decision, self._engine)
        for item in decision.changes.outbox.values():
            if isinstance(item.effect, Command) and item.created_at == decision.at and not self._known(item, now):
                outcome = EffectOutcome(received_at=now, effect=item.id, outcome="sent", reason="replayed")
                yield from self._decide(outcome, now)

    def _known(self, item: OutboxItem, now: datetime) -> bool:
        """Whether the trace sent this command too; then what it tells of it is about this one."""
        command = item.effect
        if not isinstance(command, Command):
            return False
        for sent in self._recorded[command.pile, command.action]:
            if sent.id not in self._ids and abs(sent.now - now) <= SAME_COMMAND:
                self._ids[sent.id] = command.id
                return True
        return False

    def _translated(self, event: Event) -> Event | None:
        """``event`` about our own command in place of the recorded one; None when we sent no such command."""
        if isinstance(event, CommandAnswer) and event.command in self._foreign:
            own = self._ids.get(event.command)
            return None if own is None else replace(event, command=own)
        if isinstance(event, EffectOutcome) and event.effect in self._foreign:
            own = self._ids.get(event.effect)
            return None if own is None else replace(event, effect=own)
        return event


def _shown(decision: Decision, engine: Engine) -> Iterator[Decided]:
    changes = decision.changes
    for entry in changes.journal:
        if entry.kind in SHOWN:
            yield Decided(entry.at, _pile(entry, changes, engine), entry.kind, entry.subject, _text(entry))
    for item in changes.outbox.values():
        effect = item.effect
        if item.created_at != decision.at:
            continue
        if isinstance(effect, Command):
            yield Decided(decision.at, effect.pile, "command", effect.id.rsplit(".", 1)[0], effect.action.value)
        elif not item.tries and item.state == "pending":
            order = effect.order
            text = f"{effect.change}: {order.reason.value}, {order.reason_text}"
            yield Decided(decision.at, order.pile, "order", order.id, text)


def _text(entry: JournalEntry) -> str:
    if entry.kind == "moved":
        return f"{entry.data['from']} → {entry.data['to']}: {entry.text}"
    return entry.text


def _pile(entry: JournalEntry, changes: Changes, engine: Engine) -> str:
    incident = changes.incidents.get(entry.subject) or engine.state.incidents.get(entry.subject)
    return entry.subject if incident is None else incident.pile
