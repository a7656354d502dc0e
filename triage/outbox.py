"""Carries out committed effects and reports what became of them, each by the law of its class.

Natural effects may be repeated, keyed ones are retried until their receiver has them (the key tells it duplicates), and
never-blind ones are sent at most once, by the very process that committed them: after a crash, evidence decides.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import structlog
from msgspec import Struct

from triage.core.effects import Command, OrderNotice, OutboxItem
from triage.core.events import EffectOutcome, Event
from triage.core.vocabulary import READS, Repeat
from triage.interfaces import Clock, Desk, Dispatch, Driver, Inlet, Restorer

log = structlog.get_logger(__name__)

RETRY_FIRST_S = 1.0
RETRY_LAST_S = 300.0
DELIVERY_TIMEOUT_S = 60.0
SEND_TIMEOUT_S = 10.0
LANES_LIMIT = 64
"""Commands on their way to drivers at once."""


class _Notice(Struct):
    """A notice that has not been delivered yet."""

    item: OutboxItem
    notice: OrderNotice
    desk: str
    try_at: float = 0.0
    pause_s: float = RETRY_FIRST_S


class Outbox:
    """A lane of commands for each pile and one worker for notices; both survive anything a receiver can do.

    Within a lane the order is kept; a pile or gateway that takes its time holds up nobody else's commands.
    """

    def __init__(
        self,
        drivers: Mapping[str, Driver],
        desks: Mapping[str, Desk],
        clock: Clock,
        *,
        halted: Callable[[], str | None] = lambda: None,
        speed: float = 1.0,
    ) -> None:
        """``drivers`` by profile; ``halted`` tells the kill switch's reason just before sending."""
        self._drivers = drivers
        self._desks = desks
        self._clock = clock
        self._halted = halted
        self._speed = speed
        self._lanes: dict[str, deque[Command]] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._restorable: list[Command] = []
        self._slots = asyncio.Semaphore(LANES_LIMIT)
        self._notices: list[_Notice] = []
        self._more = asyncio.Event()
        self._inlet: Inlet | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def resume(self, items: Iterable[OutboxItem]) -> None:
        """Take up what an earlier process left: everything but what it may have sent already."""
        kept = list(items)
        self._take(item for item in kept if item.effect.repeat is not Repeat.NEVER_BLIND)
        self._restorable = [
            item.effect
            for item in kept
            if isinstance(item.effect, Command)
            and item.effect.repeat is Repeat.NEVER_BLIND
            and isinstance(self._drivers.get(item.effect.driver_profile), Restorer)
        ]

    def release(self, items: Iterable[OutboxItem]) -> None:
        """Take committed effects; called after their commit, by the process that committed them."""
        # A version with tries is our own report of a failed delivery; the notice waits here already.
        self._take(item for item in items if not item.tries)

    def _take(self, items: Iterable[OutboxItem]) -> None:
        before = len(self._notices)
        for item in items:
            if item.state not in {"pending", "sent"}:
                continue
            if isinstance(item.effect, Command):
                self._lanes.setdefault(item.effect.pile, deque()).append(item.effect)
                self._begin(item.effect.pile)
            elif not any(each.item.id == item.id for each in self._notices):
                self._notices.extend(_Notice(item, item.effect, desk) for desk in self._desks)
        if len(self._notices) > before:
            self._more.set()

    def start(self, inlet: Inlet) -> None:
        """Begin to carry out; outcomes go to ``inlet``."""
        self._inlet = inlet
        self._tasks = [asyncio.create_task(self._deliver_notices(), name="outbox notices")]
        for pile in list(self._lanes):
            self._begin(pile)

    async def restore(self) -> None:
        """Bring back to safety what an earlier process may have left in the middle; drivers must have been started."""
        commands, self._restorable = self._restorable, []
        for command in commands:
            driver = self._drivers.get(command.driver_profile)
            if isinstance(driver, Restorer):
                await driver.restore(command)

    async def stop(self) -> None:
        """Stop carrying out; what is left is on record."""
        tasks = [*self._tasks, *self._sending.values()]
        self._inlet = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def pending(self) -> tuple[int, datetime | None]:
        """How many effects have not left, and since when the oldest has been waiting."""
        oldest = min((each.item.created_at for each in self._notices), default=None)
        commands = [command for lane in self._lanes.values() for command in lane]
        first = min((each.issued_at for each in commands), default=None)
        moments = [moment for moment in (oldest, first) if moment is not None]
        return len(self._notices) + len(commands), min(moments, default=None)

    def trouble(self) -> str | None:
        """What is stuck, in one sentence."""
        stuck = [each for each in self._notices if each.pause_s > RETRY_FIRST_S]
        if not stuck:
            return None
        return f"{len(stuck)} work-order notice(s) wait for desk {stuck[0].desk}"

    # Commands ------------------------------------------------------------------------------------------------------

    def _begin(self, pile: str) -> None:
        if self._inlet is not None and pile not in self._sending:
            self._sending[pile] = asyncio.create_task(self._send_lane(pile), name=f"outbox lane {pile}")

    async def _send_lane(self, pile: str) -> None:
        lane = self._lanes[pile]
        try:
            while lane:
                command = lane[0]
                async with self._slots:
                    dispatch = await self._send(command)
                lane.popleft()
                self._report(command.id, dispatch.outcome, dispatch.reason)
            del self._lanes[pile]
        finally:
            del self._sending[pile]

    async def _send(self, command: Command) -> Dispatch:
        if self._clock.now() >= command.expires_at:
            return Dispatch("not_sent", "expired before it could leave")
        halted = self._halted()
        if halted is not None and command.action not in READS:
            return Dispatch("not_sent", f"kill switch is on: {halted}")
        driver = self._drivers.get(command.driver_profile)
        if driver is None:
            return Dispatch("not_sent", f"no driver speaks {command.driver_profile}")
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                return await driver.send(command)
        except TimeoutError:
            return Dispatch("unknown", "the driver did not return in time")
        except Exception as error:  # a driver's defect must not stop the others' commands
            log.exception("a driver failed while sending", driver=driver.name)
            return Dispatch("unknown", f"the driver failed: {type(error).__name__}")

    # Notices -------------------------------------------------------------------------------------------------------

    async def _deliver_notices(self) -> None:
        while True:
            now = self._clock.monotonic()
            ready = self._next_notice(now)
            if ready is not None:
                await self._deliver(ready)
                continue
            self._more.clear()
            pause = min((max(0.05, each.try_at - now) for each in self._foremost()), default=60.0)
            try:
                async with asyncio.timeout(pause):
                    await self._more.wait()
            except TimeoutError:
                continue

    def _next_notice(self, now: float) -> _Notice | None:
        """The oldest notice that may be tried."""
        return next((each for each in self._foremost() if each.try_at <= now), None)

    def _foremost(self) -> Iterable[_Notice]:
        """The first notice of each incident at each desk; the others wait behind it.

        A new order must not reach a desk before the recall of the one it follows.
        """
        foremost: dict[tuple[str, str], _Notice] = {}
        for each in self._notices:
            foremost.setdefault((each.desk, each.notice.order.incident), each)
        return foremost.values()

    async def _deliver(self, waiting: _Notice) -> None:
        try:
            async with asyncio.timeout(DELIVERY_TIMEOUT_S):
                reference = await self._desks[waiting.desk].deliver(waiting.notice)
        except Exception as error:  # noqa: BLE001 - whatever a receiver does, the order is told again later
            waiting.try_at = self._clock.monotonic() + waiting.pause_s / self._speed
            waiting.pause_s = min(waiting.pause_s * 2, RETRY_LAST_S)
            log.warning("a desk did not take a notice", desk=waiting.desk, notice=waiting.item.id, error=str(error))
            self._report(waiting.item.id, "retry", f"{waiting.desk}: {error}")
            return
        self._notices.remove(waiting)
        if not any(each.item.id == waiting.item.id for each in self._notices):
            self._report(waiting.item.id, "delivered", "", reference)

    def _report(self, effect: str, outcome: str, reason: str, reference: str = "") -> None:
        event: Event = EffectOutcome(
            received_at=self._clock.now(), effect=effect, outcome=outcome, reason=reason, reference=reference
        )
        if self._inlet is not None:
            self._inlet.offer([event])
