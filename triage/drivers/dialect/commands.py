"""From a command to what is published: what refuses it, in which steps it is said, and who answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog
from msgspec import Struct

from triage.config.profile.actions import ActionSpec, Step
from triage.core.effects import Command
from triage.core.events import CommandAnswer, Event
from triage.core.vocabulary import REBOOTS, Action, AnswerResult
from triage.drivers.dialect.answers import Answers, Waiting
from triage.drivers.dialect.asking import PATIENCE_S, Mouth
from triage.drivers.dialect.device import Device
from triage.drivers.dialect.steps import Order, Steps
from triage.drivers.mqtt.counters import Counters
from triage.drivers.second_look import SecondLook
from triage.interfaces import Clock, Dispatch

log = structlog.get_logger(__name__)

BUDGET_S = 8.0
"""Within this time a command's first message has left, or will not leave; the outbox waits a little longer."""

NOT_SEEN = "not_seen_on_this_connection"

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


class Refusal(NamedTuple):
    """Why something must not be said: a word of a closed list, and the text for people."""

    kind: str
    text: str


class Commands:
    """Carries out commands; one at a time on each device."""

    def __init__(self, around: Surroundings) -> None:
        """Nothing is under way."""
        self._around = around
        self._steps = Steps(around.mouth, around.clock, around.speed)
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
            return self._not_sent(refusal)
        if spec is None:
            return self._counted(await self._around.mouth.ask(device, command.id))
        order = Order(device, command.connector, command.id, spec.steps)
        self._busy.add(device.pile)
        try:
            return await self._act(order, command, spec)
        finally:
            if device.pile not in self._under_way:
                self._busy.discard(device.pile)

    async def carry_out(
        self, device: Device, connector: int, steps: Sequence[Step], last_check: Callable[[], str | None] | None = None
    ) -> Dispatch:
        """All of ``steps``, for who has asked its own gates.

        ``unknown`` also means that a later step did not come true; the reason says which. ``last_check`` tells just
        before the first message why it must not leave after all.
        """
        refusal = self._unfit(device, connector)
        if refusal is not None:
            return self._not_sent(refusal)
        now_ms = int(self._around.clock.now().timestamp() * 1000)
        self._busy.add(device.pile)
        try:
            return await self._all(Order(device, connector, f"s-{now_ms}", steps), last_check)
        finally:
            self._busy.discard(device.pile)

    # --- what refuses ---------------------------------------------------------------------------------------------

    def _not_sent(self, refusal: Refusal) -> Dispatch:
        self._around.counters.refusals[refusal.kind] += 1
        return Dispatch("not_sent", refusal.text)

    def _counted(self, dispatch: Dispatch) -> Dispatch:
        """What became of a message, its reason counted when it did not leave."""
        if dispatch.outcome == "not_sent":
            self._around.counters.refusals[dispatch.reason] += 1
        return dispatch

    def _refuse(self, device: Device, command: Command, spec: ActionSpec | None) -> Refusal | None:
        if spec is None and command.action is not Action.REPORT:
            return Refusal("unsupported", f"this model has no {command.action}")
        if spec is None and not device.tongue.mqtt.ask:
            return Refusal("unsupported", "it cannot be asked")
        refusal = self._unfit(device, command.connector) if spec is not None else None
        if refusal is None and command.action not in _READS:
            refusal = self._left_alone(device)
        return refusal or self._second_look(command) or (None if spec is None else self._unmet(device, command, spec))

    def _unfit(self, device: Device, connector: int) -> Refusal | None:
        if not 0 <= connector <= device.tongue.connectors:
            return Refusal("unsupported", f"it has no connector {connector}")
        if device.pile in self._busy:
            return Refusal("under_way", "the action before is still under way")
        return None

    def _left_alone(self, device: Device) -> Refusal | None:
        return Refusal("wrong", f"it is left alone: {device.wrong}") if device.wrong else None

    def _second_look(self, command: Command) -> Refusal | None:
        clock = self._around.clock
        word = self._around.look.refuse(command, clock.now(), clock.monotonic())
        return None if word is None else Refusal(word, word)

    def _unmet(self, device: Device, command: Command, spec: ActionSpec) -> Refusal | None:
        """Which precondition does not hold by what the device itself said last."""
        if not spec.require:
            return None
        if device.heard is None:
            return Refusal(NOT_SEEN, NOT_SEEN)
        silent_ok = command.args.get("silent_ok") == "1" and command.action in _SILENT_OK
        if self._around.clock.monotonic() - device.heard.at_s > self._around.fresh_s and not silent_ok:
            return Refusal("stale", "stale")
        connector = 0 if command.action in REBOOTS else command.connector
        unmet = device.tongue.interpreter.unmet(spec.require, device.picture.values(), connector)
        return None if unmet is None else Refusal("precondition", unmet)

    # --- carrying out ---------------------------------------------------------------------------------------------

    async def _act(self, order: Order, command: Command, spec: ActionSpec) -> Dispatch:
        """Everything up to the first message, which decides; the rest in the background."""
        at = next((at for at, step in enumerate(order.steps) if step.publish is not None), None)
        if at is None:
            return self._not_sent(Refusal("unsupported", "its steps say nothing"))
        order.since_s = self._around.clock.monotonic()
        try:
            async with asyncio.timeout(BUDGET_S):
                unmet = await self._steps.until_unmet(order, order.steps[:at])
        except TimeoutError:
            unmet = "the steps before the first message took too long"
        if unmet is not None:
            return self._not_sent(Refusal("precondition", unmet))
        if at:  # waiting took time
            refusal = self._second_look(command) or self._left_alone(order.device)
            refusal = refusal or self._unmet(order.device, command, spec)
            if refusal is not None:
                return self._not_sent(refusal)
        rest = order.steps[at + 1 :]
        waiting = self._expect_answer(command, spec, rest)
        left_s = (command.expires_at - self._around.clock.now()).total_seconds()
        dispatch = await self._steps.say(order, order.steps[at], min(PATIENCE_S, left_s))
        if dispatch.outcome == "sent" and rest:
            self._go_on(order, rest, command, waiting)
        elif dispatch.outcome == "not_sent" and waiting is not None:
            self._around.answers.drop(waiting)
        return self._counted(dispatch)

    async def _all(self, order: Order, last_check: Callable[[], str | None] | None) -> Dispatch:
        order.since_s = self._around.clock.monotonic()
        said = False
        for step in order.steps:
            if step.publish is None:
                unmet = await self._steps.until_unmet(order, (step,))
            else:
                reason = None if said or last_check is None else last_check()
                if reason is not None:
                    return Dispatch("not_sent", reason)
                dispatch = await self._steps.say(order, step, PATIENCE_S)
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
            except Exception:  # whatever it is, the device must stay usable
                self._around.counters.count("callback_errors")
                log.exception("an action broke off", pile=pile)

        def done(_: asyncio.Task[None]) -> None:
            self._under_way.pop(pile, None)
            self._busy.discard(pile)

        task = self._under_way[pile] = asyncio.get_running_loop().create_task(finish(), name=f"dialect action {pile}")
        task.add_done_callback(done)

    async def _finish(self, order: Order, rest: Sequence[Step], command: Command, waiting: Waiting | None) -> None:
        for at, step in enumerate(rest):
            if waiting is not None and waiting.refused:
                return
            if step.publish is None:
                unmet = await self._steps.until_unmet(order, (step,))
            else:
                self._prolong(waiting, rest[at + 1 :])
                dispatch = await self._steps.say(order, step, PATIENCE_S)
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
