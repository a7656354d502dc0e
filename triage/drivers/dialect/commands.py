"""From a command to what is published: what refuses it, in which steps it is said, and who answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog
from msgspec import Struct

from triage.config.profile.actions import ActionSpec, Step
from triage.config.profile.meaning import Condition
from triage.core.effects import Command
from triage.core.events import CommandAnswer, Event
from triage.core.vocabulary import REBOOTS, Action, AnswerResult
from triage.drivers.dialect.answers import Answers, Waiting
from triage.drivers.dialect.asking import PATIENCE_S, Mouth
from triage.drivers.dialect.device import Device, WrongError
from triage.drivers.dialect.inputs import inputs
from triage.drivers.mqtt.counters import Counters
from triage.drivers.second_look import SecondLook
from triage.interfaces import Clock, Dispatch

log = structlog.get_logger(__name__)

BUDGET_S = 8.0
"""Within this time a command's first message has left, or will not leave; the outbox waits a little longer."""

UNDER_WAY = "the action before is still under way"

_READS = frozenset({Action.REPORT, Action.PULL_LOG})
_SILENT_OK = frozenset({Action.RESET_SOFT, Action.RESET_HARD})


class Surroundings(Struct, frozen=True):
    """What commands need of the driver."""

    clock: Clock
    look: SecondLook
    mouth: Mouth
    answers: Answers
    counters: Counters
    offer: Callable[[Sequence[Event]], None]
    fresh_s: float
    speed: float


class Order(Struct):
    """Steps to be carried out on a device; ``since_s`` is when something was last published."""

    device: Device
    connector: int
    id: str
    steps: Sequence[Step]
    since_s: float = 0.0


class Commands:
    """Carries out commands; one at a time on each device."""

    def __init__(self, around: Surroundings) -> None:
        """Nothing is under way."""
        self._around = around
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._busy: set[str] = set()

    def break_off(self) -> list[asyncio.Task[None]]:
        """The connection is gone: what is left to be said is not said on another one."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        self._around.answers.forget()
        return tasks

    async def send(self, device: Device, command: Command) -> Dispatch:
        """Look a second time, then publish at most once."""
        spec = device.tongue.profile.spec(command.action)
        refusal = self._refuse(device, command, spec)
        if refusal is not None:
            return Dispatch("not_sent", refusal)
        if spec is None:
            return await self._around.mouth.ask(device, command.id)
        order = Order(device, command.connector, command.id, spec.steps)
        if device.pile in self._busy:
            return Dispatch("not_sent", UNDER_WAY)
        self._busy.add(device.pile)
        try:
            return await self._act(order, command, spec)
        finally:
            if device.pile not in self._under_way:
                self._busy.discard(device.pile)

    async def carry_out(self, device: Device, connector: int, steps: Sequence[Step]) -> Dispatch:
        """All of ``steps``, for who has asked its own gates.

        ``unknown`` also means that a later step did not come true; the reason says which.
        """
        if device.wrong:
            return Dispatch("not_sent", f"it is left alone: {device.wrong}")
        now_ms = int(self._around.clock.now().timestamp() * 1000)
        order = Order(device, connector, f"s-{device.pile}-{now_ms}", steps)
        if device.pile in self._busy:
            return Dispatch("not_sent", UNDER_WAY)
        self._busy.add(device.pile)
        try:
            return await self._all(order)
        finally:
            self._busy.discard(device.pile)

    # --- what refuses ---------------------------------------------------------------------------------------------

    def _refuse(self, device: Device, command: Command, spec: ActionSpec | None) -> str | None:
        if spec is None and command.action is not Action.REPORT:
            return f"this model has no {command.action}"
        if spec is None and not device.tongue.mqtt.ask:
            return "it cannot be asked"
        if command.connector > device.tongue.connectors:
            return f"it has no connector {command.connector}"
        if device.wrong and command.action not in _READS:
            return f"it is left alone: {device.wrong}"
        return self._second_look(command) or (None if spec is None else self._unmet(device, command, spec))

    def _second_look(self, command: Command) -> str | None:
        clock = self._around.clock
        return self._around.look.refuse(command, clock.now(), clock.monotonic())

    def _unmet(self, device: Device, command: Command, spec: ActionSpec) -> str | None:
        """Which precondition does not hold by what the device itself said last."""
        if not spec.require:
            return None
        if device.heard is None:
            return "not_seen_on_this_connection"
        silent_ok = command.args.get("silent_ok") == "1" and command.action in _SILENT_OK
        if self._around.clock.monotonic() - device.heard.at_s > self._around.fresh_s and not silent_ok:
            return "stale"
        connector = 0 if command.action in REBOOTS else command.connector
        return device.tongue.interpreter.unmet(spec.require, device.picture.values(), connector)

    # --- carrying out ---------------------------------------------------------------------------------------------

    async def _act(self, order: Order, command: Command, spec: ActionSpec) -> Dispatch:
        """Everything up to the first message, which decides; the rest in the background."""
        at = next((at for at, step in enumerate(order.steps) if step.publish is not None), None)
        if at is None:
            return Dispatch("not_sent", "it has no message for this")
        order.since_s = self._around.clock.monotonic()
        try:
            async with asyncio.timeout(BUDGET_S):
                unmet = await self._until_unmet(order, order.steps[:at])
        except TimeoutError:
            unmet = "the steps before the first message took too long"
        if unmet is None and at:
            unmet = self._refuse(order.device, command, spec)  # waiting took time
        if unmet is not None:
            return Dispatch("not_sent", unmet)
        rest = order.steps[at + 1 :]
        waiting = self._expect_answer(command, spec, rest)
        left_s = (command.expires_at - self._around.clock.now()).total_seconds()
        dispatch = await self._say(order, order.steps[at], min(PATIENCE_S, left_s))
        if dispatch.outcome == "sent" and rest:
            self._go_on(order, rest, command, waiting)
        elif dispatch.outcome == "not_sent" and waiting is not None:
            self._around.answers.drop(waiting)
        return dispatch

    async def _all(self, order: Order) -> Dispatch:
        order.since_s = self._around.clock.monotonic()
        said = False
        for step in order.steps:
            if step.publish is None:
                unmet = await self._until_unmet(order, (step,))
            else:
                dispatch = await self._say(order, step, PATIENCE_S)
                unmet = None if dispatch.outcome == "sent" else dispatch.reason
                if unmet is not None and not said:
                    return dispatch
                said = True
            if unmet is not None:
                return Dispatch("unknown" if said else "not_sent", unmet)
        return Dispatch("sent")

    def _go_on(self, order: Order, rest: Sequence[Step], command: Command, waiting: Waiting | None) -> None:
        """Carry out the rest in the background."""
        pile = order.device.pile

        async def finish() -> None:
            try:
                await self._finish(order, rest, command, waiting)
            except Exception:  # a defect must not leave the device marked as busy
                self._around.counters.count("callback_errors")
                log.exception("an action broke off", pile=pile)
            finally:
                self._under_way.pop(pile, None)
                self._busy.discard(pile)

        self._under_way[pile] = asyncio.get_running_loop().create_task(finish(), name=f"dialect action {pile}")

    async def _finish(self, order: Order, rest: Sequence[Step], command: Command, waiting: Waiting | None) -> None:
        for at, step in enumerate(rest):
            if waiting is not None and waiting.refused:
                return
            if step.publish is None:
                unmet = await self._until_unmet(order, (step,))
            else:
                self._prolong(waiting, rest[at + 1 :])
                dispatch = await self._say(order, step, PATIENCE_S)
                unmet = None if dispatch.outcome == "sent" else dispatch.reason
            if unmet is not None:
                self._around.counters.count("actions_broken_off")
                log.warning("an action was not carried out to its end", pile=order.device.pile, reason=unmet)
                return
        if waiting is None and any(step.expect is not None for step in rest):
            self._around.offer([self._accepted(command)])

    def _accepted(self, command: Command) -> CommandAnswer:
        return CommandAnswer(
            received_at=self._around.clock.now(),
            site=command.site,
            pile=command.pile,
            command=command.id,
            result=AnswerResult.ACCEPTED,
            reason="seen to do it",
        )

    # --- steps ----------------------------------------------------------------------------------------------------

    async def _say(self, order: Order, step: Step, patience_s: float) -> Dispatch:
        if step.publish is None:
            return Dispatch("not_sent", "cannot_be_written")
        order.since_s = self._around.clock.monotonic()
        return await self._around.mouth.say(order.device, step.publish, order.connector, order.id, patience_s)

    async def _until_unmet(self, order: Order, steps: Sequence[Step]) -> str | None:
        """Wait as the steps say; what did not come true in time, or None."""
        for step in steps:
            if step.wait_s is not None:
                await asyncio.sleep(step.wait_s / self._around.speed)
            elif step.expect is not None:
                unmet = await self._expect(order, step.expect, step.within_s / self._around.speed)
                if unmet is not None:
                    return unmet
        return None

    async def _expect(self, order: Order, condition: Condition, within_s: float) -> str | None:
        """Wait until the device itself says, after what was published, that ``condition`` holds."""
        device, loop = order.device, asyncio.get_running_loop()
        deadline_s = loop.time() + within_s
        if device.tongue.mqtt.ask:
            await self._around.mouth.ask(device, order.id, order.connector)
        names = inputs(device.tongue.profile, condition) & device.tongue.profile.values.keys()
        while True:
            unmet = self._unseen(order, condition, names)
            left_s = deadline_s - loop.time()
            if unmet is None or left_s <= 0:
                return unmet
            await device.speaks(left_s)

    def _unseen(self, order: Order, condition: Condition, names: frozenset[str]) -> str | None:
        device = order.device
        try:
            device.look()
        except WrongError as error:
            return str(error)
        unmet = device.tongue.interpreter.unmet(condition, device.picture.values(), order.connector)
        if unmet is not None:
            return unmet
        if names:
            fresh = any(at_s >= order.since_s for (_, name), at_s in device.said.items() if name in names)
        else:
            fresh = device.heard is not None and device.heard.at_s >= order.since_s
        return None if fresh else f"it did not say {' or '.join(sorted(names) or ['anything'])} again"

    # --- answers --------------------------------------------------------------------------------------------------

    def _expect_answer(self, command: Command, spec: ActionSpec, rest: Sequence[Step]) -> Waiting | None:
        if spec.answer is None:
            return None
        waiting = self._around.answers.expect(command, spec.answer.within_s)
        self._prolong(waiting, rest)
        return waiting

    def _prolong(self, waiting: Waiting | None, rest: Sequence[Step]) -> None:
        """Something is published now: an answer may come from now on, and counts when nothing more is to be said."""
        if waiting is not None:
            waiting.last = all(step.publish is None for step in rest)
            waiting.deadline_s = self._around.clock.monotonic() + waiting.within_s
