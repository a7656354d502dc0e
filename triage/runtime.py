"""The loop: a bounded inbox, one decision at a time, one transaction a batch, and nothing out before its commit.

Telemetry may be coalesced per pile when the inbox is full; complaints, outcomes and people's acts are never dropped:
they push back on whoever brings them. A commit that fails is tried again; until it succeeds nothing is acknowledged,
answered or sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Protocol

import msgspec
import structlog

from triage.core.draft import Count, Decision
from triage.core.effects import Answer, Changes, KeptAnswer, OutboxItem
from triage.core.engine import Engine, Quiet
from triage.core.events import Ask, ComplaintReceived, Event, Quarantined, Telemetry
from triage.errors import OverloadedError, StoreError
from triage.interfaces import Clock, Ledger, Lookups
from triage.metrics import Metrics

log = structlog.get_logger(__name__)

INBOX_LIMIT = 20_000
BATCH_LIMIT = 500
ASK_LIMIT = 1_000
RETRY_FIRST_S = 0.1
RETRY_LAST_S = 5.0
LONGEST_SLEEP_S = 5.0
LOOK_BACK = timedelta(minutes=30)
SAMPLE_BYTES = 4096
_OK = range(200, 300)


class Store(Ledger, Lookups, Protocol):
    """What the runtime needs of storage."""


class _Group:
    """Events that came with one acknowledgement: it is given when the last of them is durable."""

    __slots__ = ("ack", "left")

    def __init__(self, ack: Callable[[], None] | None, left: int) -> None:
        self.ack = ack
        self.left = left

    def settle(self) -> None:
        self.left -= 1
        if self.left == 0 and self.ack is not None:
            self.ack()


class _Entry:
    """One event in the inbox, and whoever waits for it."""

    __slots__ = ("event", "future", "groups")

    def __init__(self, event: Event, group: _Group | None, future: asyncio.Future[Answer] | None) -> None:
        self.event = event
        self.groups = [group] if group is not None else []
        self.future = future


class Runtime:
    """Implements :class:`triage.interfaces.Inlet` around one engine."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        *,
        release: Callable[[Iterable[OutboxItem]], None],
        publish: Callable[[Changes], None] = lambda _changes: None,
        anchor: Callable[[], str] = str,
    ) -> None:
        """``release`` takes committed effects, ``publish`` tells open pages, ``anchor`` is the clock's record."""
        self._engine = engine
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._release = release
        self._publish = publish
        self._anchor = anchor
        self._inbox: deque[_Entry] = deque()
        self._newest: dict[str, _Entry] = {}
        self._asks = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self.store_trouble: str | None = None
        self.defects = 0

    # The inlet -----------------------------------------------------------------------------------------------------

    def offer(self, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        """See :class:`triage.interfaces.Inlet`."""
        if not events:
            if ack is not None:
                ack()
            return
        group = _Group(ack, len(events)) if ack is not None else None
        for event in events:
            if isinstance(event, Telemetry):
                self._offer_telemetry(event, group)
            else:
                self._inbox.append(_Entry(event, group, None))
        self._wake.set()

    def _offer_telemetry(self, event: Telemetry, group: _Group | None) -> None:
        if len(self._inbox) >= INBOX_LIMIT and not event.retained:
            waiting = self._newest.get(event.pile)
            if waiting is not None:
                # Level, not edge: the newer full reading says all that the older one said that still holds.
                waiting.event = event
                if group is not None:
                    waiting.groups.append(group)
                self._metrics.inbox_coalesced.inc()
                return
        entry = _Entry(event, group, None)
        self._inbox.append(entry)
        if not event.retained:
            self._newest[event.pile] = entry

    async def submit(self, event: Ask) -> Answer:
        """See :class:`triage.interfaces.Inlet`."""
        if self._stopping:
            raise OverloadedError("the daemon is stopping; try again in a moment")
        if self.store_trouble is not None:
            raise StoreError(self.store_trouble)
        if self._asks >= ASK_LIMIT:
            raise OverloadedError(f"{self._asks} requests wait already; try again in a moment")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asks += 1
        try:
            self._inbox.append(_Entry(event, None, future))
            self._wake.set()
            return await future
        finally:
            self._asks -= 1

    @property
    def depth(self) -> int:
        """How many events wait."""
        return len(self._inbox)

    # The loop ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Turn until :meth:`stop`; then finish what was taken in.

        Raises:
            StoreRefusedError: another daemon took over; nothing may be sent any more.
        """
        while not (self._stopping and not self._inbox):
            await self._wait()
            await self._turn()

    def stop(self) -> None:
        """Take nothing new from people, finish what waits, and return from :meth:`run`."""
        self._stopping = True
        self._wake.set()

    async def _wait(self) -> None:
        if self._inbox or self._stopping:
            # Let the sockets have their turn even when the inbox never runs dry.
            await asyncio.sleep(0)
            return
        self._wake.clear()
        due = self._engine.next_due()
        pause = LONGEST_SLEEP_S
        if due is not None:
            pause = min(pause, max(0.0, (due - self._clock.now()).total_seconds()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()

    async def _turn(self) -> None:
        entries = self._take()
        entries = await self._prepare(entries)
        now = self._clock.now()
        changes = Changes()
        counts: list[Count] = []
        answers: list[tuple[_Entry, Answer]] = []
        for entry in entries:
            decision = self._decide(entry.event)
            if isinstance(decision, Decision):
                changes.absorb(decision.changes)
                counts.extend(decision.counts)
                if decision.answer is not None:
                    answers.append((entry, self._keep(entry.event, decision.answer, changes)))
        for due in self._engine.due(now):
            decision = self._decide(due)
            if isinstance(decision, Decision):
                changes.absorb(decision.changes)
                counts.extend(decision.counts)
        if changes:
            changes.settings["clock"] = self._anchor()
            await self._commit(changes, entries)
        self._conclude(entries, answers, counts, changes)
        self._metrics.inbox_depth.set(len(self._inbox))
        self._metrics.heartbeat_timestamp_seconds.set(now.timestamp())

    def _take(self) -> list[_Entry]:
        taken: list[_Entry] = []
        keys: set[tuple[str, str]] = set()
        while self._inbox and len(taken) < BATCH_LIMIT:
            entry = self._inbox[0]
            event = entry.event
            if isinstance(event, Ask) and event.key is not None:
                if (event.scope, event.key) in keys:
                    break  # its twin must be durable first, then the kept answer is found
                keys.add((event.scope, event.key))
            self._inbox.popleft()
            if isinstance(event, Telemetry) and self._newest.get(event.pile) is entry:
                del self._newest[event.pile]
            taken.append(entry)
        return taken

    async def _prepare(self, entries: list[_Entry]) -> list[_Entry]:
        """Look up what the engine cannot: answers already given, and what a complaint's pile showed at the time."""
        asks = [entry for entry in entries if isinstance(entry.event, Ask)]
        if not asks:
            return entries
        pause = RETRY_FIRST_S
        while True:
            try:
                known = await self._known(asks)
                for entry in asks:
                    await self._enrich(entry)
            except StoreError as error:
                self._trouble(str(error))
                asks = self._drop_waiting(asks, error)
                entries = [entry for entry in entries if entry in asks or not isinstance(entry.event, Ask)]
                if not asks:
                    return entries
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_LAST_S)
            else:
                self.store_trouble = None
                return [entry for entry in entries if not self._replay(entry, known)]

    @staticmethod
    def _drop_waiting(asks: list[_Entry], error: StoreError) -> list[_Entry]:
        """Whoever waits for an answer is told at once.

        What came by MQTT stays, unacknowledged, until it can be kept.
        """
        kept = []
        for entry in asks:
            if entry.future is None:
                kept.append(entry)
            elif not entry.future.done():
                entry.future.set_exception(error)
        return kept

    async def _known(self, asks: Sequence[_Entry]) -> dict[tuple[str, str], KeptAnswer]:
        keys = [
            (entry.event.scope, entry.event.key)
            for entry in asks
            if isinstance(entry.event, Ask) and entry.event.key is not None
        ]
        return dict(await self._store.answers(keys)) if keys else {}

    async def _enrich(self, entry: _Entry) -> None:
        event = entry.event
        if not isinstance(event, ComplaintReceived) or event.pile is None or event.history:
            return
        if event.pile not in self._engine.state.piles:
            return
        at = event.occurred_at or event.received_at
        moments = await self._store.moments(event.pile, at - LOOK_BACK, min(at + LOOK_BACK, event.received_at))
        entry.event = msgspec.structs.replace(event, history=tuple(moments))

    def _replay(self, entry: _Entry, known: dict[tuple[str, str], KeptAnswer]) -> bool:
        """Answer an event whose key has its answer already; tells whether it had."""
        event = entry.event
        if not isinstance(event, Ask) or event.key is None:
            return False
        kept = known.get((event.scope, event.key))
        if kept is None:
            return False
        answer = kept.answer
        if kept.digest != event.digest:
            detail = "this Idempotency-Key was used with another body; the first one is kept: use a new key"
            answer = Answer(status=409, body={"title": "Key used before", "status": 409, "detail": detail})
        elif answer.status == 201:  # noqa: PLR2004 - created once; the replay creates nothing
            answer = Answer(status=200, body=answer.body)
        self._settle(entry, answer)
        return True

    def _decide(self, event: Event) -> Decision | Quiet | None:
        """Decide and apply one event; one that breaks us is set aside, and the others flow."""
        try:
            decision = self._engine.decide(event, self._clock.now())
            self._engine.apply(decision)
        except Exception as error:
            self.defects += 1
            self._metrics.auditor_violations.labels("handler_error").inc()
            log.exception("an event could not be handled", event_type=type(event).__name__)
            return self._set_aside(event, error)
        if isinstance(event, Telemetry):
            result = decision.result or "accepted"
            self._metrics.telemetry_messages.labels(event.driver, result).inc()
            if event.device_at is not None and result == "accepted":
                lag = (event.received_at - event.device_at).total_seconds()
                self._metrics.telemetry_lag_seconds.observe(max(0.0, lag))
        return decision

    def _set_aside(self, event: Event, error: Exception) -> Decision | None:
        raw = msgspec.json.encode(event)
        aside = Quarantined(
            received_at=event.received_at,
            driver="engine",
            reason="handler_error",
            topic=f"{type(event).__name__}: {type(error).__name__}: {str(error)[:200]}",
            sample=raw[:SAMPLE_BYTES],
            size=len(raw),
            sha256=hashlib.sha256(raw).hexdigest(),
        )
        decision = self._engine.decide(aside, self._clock.now())
        if isinstance(decision, Quiet):
            return None
        if isinstance(event, Ask):
            detail = "this is our fault; it is on record and nothing was changed"
            answer = Answer(status=500, body={"title": "It could not be handled", "status": 500, "detail": detail})
            decision = msgspec.structs.replace(decision, answer=answer)
        return decision

    def _keep(self, event: Event, answer: Answer, changes: Changes) -> Answer:
        if isinstance(event, Ask) and event.key is not None and answer.status in _OK:
            changes.answers.append(
                KeptAnswer(scope=event.scope, key=event.key, digest=event.digest, answer=answer, at=self._clock.now())
            )
        return answer

    async def _commit(self, changes: Changes, entries: Sequence[_Entry]) -> None:
        """Commit until it holds.

        Who waits is told after the first failure; the decision itself stays and is retried.
        """
        pause = RETRY_FIRST_S
        while True:
            began = self._clock.monotonic()
            try:
                await self._store.commit(changes)
            except StoreError as error:
                self._trouble(str(error))
                for entry in entries:
                    if entry.future is not None and not entry.future.done():
                        entry.future.set_exception(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_LAST_S)
            else:
                self._metrics.commit_seconds.observe(self._clock.monotonic() - began)
                self.store_trouble = None
                return

    def _trouble(self, text: str) -> None:
        if self.store_trouble is None:
            log.error("the database cannot commit; intake pushes back until it can", reason=text)
        self.store_trouble = text

    def _conclude(
        self,
        entries: Sequence[_Entry],
        answers: Sequence[tuple[_Entry, Answer]],
        counts: Iterable[Count],
        changes: Changes,
    ) -> None:
        """Everything is durable: now, and not before, it may leave."""
        self._release(changes.outbox.values())
        for entry, answer in answers:
            self._settle(entry, answer)
        answered = {id(entry) for entry, _ in answers}
        for entry in entries:
            if id(entry) not in answered:
                self._settle(entry, Answer(status=204, body={}))
        for count in counts:
            metric = getattr(self._metrics, count.name)
            child = metric.labels(*count.labels) if count.labels else metric
            (child.observe if count.name.endswith("_seconds") else child.inc)(count.value)
        if changes:
            self._publish(changes)

    @staticmethod
    def _settle(entry: _Entry, answer: Answer) -> None:
        if entry.future is not None and not entry.future.done():
            entry.future.set_result(answer)
        for group in entry.groups:
            group.settle()
