"""The loop: one decision at a time, one transaction a batch, and nothing out before its commit.

While a batch is being committed the engine goes on deciding; what it decides waits for the next commit, so answers,
acks and commands still leave in order and only when they are durable. Telemetry that changes nothing on record waits
for none. A commit that fails is tried again as it is; people who wait are told at once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
import structlog

from triage.batch import Batch, replayed
from triage.core.draft import Decision
from triage.core.effects import Answer, Changes, KeptAnswer, OutboxItem
from triage.core.engine import Engine, Quiet
from triage.core.events import Ask, ComplaintReceived, Event, Quarantined, Telemetry
from triage.errors import OverloadedError, StoreError
from triage.inbox import Entry, Group, Inbox
from triage.interfaces import Clock, Ledger, Lookups
from triage.metrics import Metrics

log = structlog.get_logger(__name__)

BATCH_LIMIT = 200
"""Events decided in one go; the sockets have their turn in between."""

UNCOMMITTED_LIMIT = 2_000
"""Decided events that may wait for a commit; beyond this the inbox has to hold them, and pushes back."""

ASK_LIMIT = 1_000
ANSWERS_REMEMBERED = 10_000
RETRY_FIRST_S = 0.1
RETRY_LAST_S = 5.0
LONGEST_SLEEP_S = 5.0
LOOK_BACK = timedelta(minutes=30)
SAMPLE_BYTES = 4096
_OK = range(200, 300)


class Store(Ledger, Lookups, Protocol):
    """What the runtime needs of storage."""


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
        self._inbox = Inbox()
        self._batch = Batch()
        self._committing: asyncio.Task[None] | None = None
        self._bringing: set[asyncio.Task[None]] = set()
        self._answered: OrderedDict[tuple[str, str], KeptAnswer] = OrderedDict()
        self._asks = 0
        self._sleeper: asyncio.Future[None] | None = None
        self._stopping = False
        self._broken: BaseException | None = None
        self._commit_trouble: str | None = None
        self._lookup_trouble: str | None = None
        self.defects = 0

    # The inlet -----------------------------------------------------------------------------------------------------

    def offer(self, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        """See :class:`triage.interfaces.Inlet`."""
        if not events:
            if ack is not None:
                ack()
            return
        group = Group(ack, len(events)) if ack is not None else None
        before = self._inbox.coalesced
        for event in events:
            if isinstance(event, Telemetry):
                self._inbox.put_telemetry(event, group)
            elif isinstance(event, Ask):
                self._bring(event, group)
            else:
                self._inbox.put(Entry(event, group))
        if self._inbox.coalesced > before:
            self._metrics.inbox_coalesced.inc(self._inbox.coalesced - before)
        self._rouse()

    async def submit(self, event: Ask) -> Answer:
        """See :class:`triage.interfaces.Inlet`."""
        if self._stopping:
            raise OverloadedError("the daemon is stopping; try again in a moment")
        if self._commit_trouble is not None:
            raise StoreError(self._commit_trouble)
        if self._asks >= ASK_LIMIT:
            raise OverloadedError(f"{self._asks} requests wait already; try again in a moment")
        self._asks += 1
        try:
            event, kept = await self._look_up(event)
            if kept is not None:
                return replayed(event, kept)
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._inbox.put(Entry(event, None, future))
            self._rouse()
            return await future
        finally:
            self._asks -= 1

    @property
    def depth(self) -> int:
        """How many events wait, those included that wait for the database to be looked up."""
        return len(self._inbox) + len(self._bringing)

    @property
    def store_trouble(self) -> str | None:
        """Why the database cannot be used now, or None."""
        return self._commit_trouble or self._lookup_trouble

    def _bring(self, event: Ask, group: Group | None) -> None:
        """Let in a question that came with an acknowledgement: it waits for the database, however long that takes."""
        task = asyncio.create_task(self._bring_in(event, group), name="bringing in")
        self._bringing.add(task)
        task.add_done_callback(self._bringing.discard)

    async def _bring_in(self, event: Ask, group: Group | None) -> None:
        pause = RETRY_FIRST_S
        while True:
            try:
                event, kept = await self._look_up(event)
            except StoreError:
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_LAST_S)
                continue
            entry = Entry(event, group)
            if kept is None:
                self._inbox.put(entry)
                self._rouse()
            else:
                entry.settle()
            return

    async def _look_up(self, event: Ask) -> tuple[Ask, KeptAnswer | None]:
        """What the engine cannot know: the answer given already, and what a complaint's pile showed at the time.

        Raises:
            StoreError: the database cannot be read now.
        """
        try:
            if event.key is not None:
                key = (event.scope, event.key)
                kept = self._answered.get(key) if key in self._answered else (await self._store.answers([key])).get(key)
                # One that is remembered may not be durable yet: it takes its turn behind the first.
                if kept is not None and key not in self._answered:
                    return event, kept
            event = await self._enriched(event)
        except StoreError as error:
            self._lookup_trouble = str(error)
            raise
        self._lookup_trouble = None
        return event, None

    async def _enriched(self, event: Ask) -> Ask:
        if not isinstance(event, ComplaintReceived) or event.pile is None or event.history:
            return event
        if event.pile not in self._engine.state.piles:
            return event
        at = event.occurred_at or event.received_at
        moments = await self._store.moments(event.pile, at - LOOK_BACK, min(at + LOOK_BACK, event.received_at))
        return msgspec.structs.replace(event, history=tuple(moments))

    # The loop ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Turn until :meth:`stop`; then finish what was taken in.

        Raises:
            StoreRefusedError: another daemon took over; nothing may be sent any more.
        """
        try:
            while not (self._stopping and self._idle()):
                await self._wait()
                if self._broken is not None:
                    raise self._broken
                self._turn()
        finally:
            for task in (*self._bringing, *([self._committing] if self._committing else [])):
                task.cancel()

    def stop(self) -> None:
        """Take nothing new from people, finish what waits, and return from :meth:`run`."""
        self._stopping = True
        self._rouse()

    def _idle(self) -> bool:
        return not self._inbox and not self._batch and self._committing is None

    def _full(self) -> bool:
        return self._committing is not None and len(self._batch.entries) >= UNCOMMITTED_LIMIT

    async def _wait(self) -> None:
        if self._inbox and not self._full():
            await asyncio.sleep(0)
            return
        due = self._engine.next_due()
        pause = LONGEST_SLEEP_S
        if due is not None and not self._full():
            pause = min(pause, max(0.0, (due - self._clock.now()).total_seconds()))
        loop = asyncio.get_running_loop()
        self._sleeper = loop.create_future()
        alarm = loop.call_later(pause, self._rouse)
        try:
            await self._sleeper
        finally:
            alarm.cancel()
            self._sleeper = None

    def _rouse(self) -> None:
        """Wake the loop if it sleeps; while it is awake it sees for itself what there is to do."""
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    def _turn(self) -> None:
        now = self._clock.now()
        if not self._full():
            for entry in self._inbox.take(BATCH_LIMIT):
                self._handle(entry, now)
            for due in self._engine.due(now):
                self._handle(Entry(due), now)
        if self._committing is None and self._batch:
            batch, self._batch = self._batch, Batch()
            if batch.changes:
                batch.changes.settings["clock"] = self._anchor()
                self._committing = asyncio.create_task(self._make_durable(batch), name="commit")
            else:
                self._conclude(batch)
        self._metrics.inbox_depth.set(len(self._inbox))
        self._metrics.heartbeat_timestamp_seconds.set(now.timestamp())

    def _handle(self, entry: Entry, now: datetime) -> None:
        """Decide one event. What changes nothing is settled at once; the rest waits for its commit."""
        event = entry.event
        if isinstance(event, Ask) and event.key is not None:
            kept = self._answered.get((event.scope, event.key))
            if kept is not None:
                self._batch.answers.append((entry, replayed(event, kept)))
                return
        decision = self._decide(event, now)
        if not isinstance(decision, Decision) or not (decision.changes or decision.answer or decision.counts):
            entry.settle()
            return
        self._batch.add(decision)
        if decision.answer is not None:
            self._batch.answers.append((entry, self._keep(event, decision.answer, self._batch.changes)))
        elif decision.changes:
            self._batch.entries.append(entry)
        else:
            entry.settle()

    def _decide(self, event: Event, now: datetime) -> Decision | Quiet | None:
        """Decide and apply one event; one that breaks us is set aside, and the others flow."""
        try:
            decision = self._engine.decide(event, now)
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
            kept = KeptAnswer(
                scope=event.scope, key=event.key, digest=event.digest, answer=answer, at=self._clock.now()
            )
            changes.answers.append(kept)
            self._answered[event.scope, event.key] = kept
            if len(self._answered) > ANSWERS_REMEMBERED:
                self._answered.popitem(last=False)
        return answer

    # The commit ----------------------------------------------------------------------------------------------------

    async def _make_durable(self, batch: Batch) -> None:
        try:
            await self._commit(batch)
            self._conclude(batch)
        except Exception as error:  # noqa: BLE001 - the loop raises it where the daemon hears of it
            self._broken = error
        self._committing = None
        self._rouse()

    async def _commit(self, batch: Batch) -> None:
        """Commit until it holds. Who waits is told after the first failure; the decision stays and is tried again."""
        pause = RETRY_FIRST_S
        while True:
            began = self._clock.monotonic()
            try:
                await self._store.commit(batch.changes)
            except StoreError as error:
                if self._commit_trouble is None:
                    log.error("the database cannot commit; intake pushes back until it can", reason=str(error))  # noqa: TRY400 - expected of databases
                self._commit_trouble = str(error)
                batch.fail(error)
                self._batch.fail(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_LAST_S)
            else:
                self._metrics.commit_seconds.observe(self._clock.monotonic() - began)
                self._commit_trouble = None
                return

    def _conclude(self, batch: Batch) -> None:
        """Everything is durable: now, and not before, it may leave."""
        self._release(batch.changes.outbox.values())
        for entry, answer in batch.answers:
            entry.settle(answer)
        for entry in batch.entries:
            entry.settle()
        for count in batch.counts:
            metric = getattr(self._metrics, count.name)
            child = metric.labels(*count.labels) if count.labels else metric
            (child.observe if count.name.endswith("_seconds") else child.inc)(count.value)
        if batch.changes:
            self._publish(batch.changes)
