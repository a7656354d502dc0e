"""From a command to its first write: what refuses it, what is looked at just before, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

import structlog

from triage.config.profile.actions import ActionSpec, Step
from triage.config.profile.writing import UnwritableError
from triage.core.effects import Command
from triage.core.events import CommandAnswer
from triage.core.vocabulary import REBOOTS, Action, AnswerResult
from triage.drivers.modbus.course import Course, DeclinedError, UnclearError, UnmetError, moves
from triage.drivers.modbus.device import Device
from triage.drivers.modbus.herald import Look
from triage.drivers.modbus.messages import AskError, UnreachableError
from triage.drivers.modbus.room import Room
from triage.interfaces import Dispatch

log = structlog.get_logger(__name__)

BUDGET_S = 8.0
"""Within this time a command's first write has been answered, or has not left; the outbox waits a little longer."""

HURRY_S = 1.5
"""How long what is under way may take to put things right when the daemon leaves."""


class RefusedError(Exception):
    """A command must not leave; ``kind`` is a word of a closed list, the text says why."""

    def __init__(self, kind: str, text: str) -> None:
        """Keep both."""
        super().__init__(text)
        self.kind = kind


class Permit:
    """The last word before the first write, and the knowledge whether it was given."""

    def __init__(self, room: Room, expires_at: datetime | None, check: Callable[[], str | None] | None = None) -> None:
        """After ``expires_at`` nothing leaves any more, nor when ``check`` has a reason against it."""
        self._room = room
        self._expires_at = expires_at
        self._check = check
        self.given = False

    def __call__(self) -> None:
        """Give it.

        Raises:
            RefusedError: too late.
        """
        if self._expires_at is not None and self._room.clock.now() >= self._expires_at:
            raise RefusedError("expired", "expired before it could leave")
        reason = None if self._check is None else self._check()
        if reason is not None:
            raise RefusedError("last_check", reason)
        self.given = True


class Commands:
    """Carries out commands; one at a time on each device."""

    def __init__(self, room: Room) -> None:
        """Nothing is under way."""
        self._room = room
        self._courses: dict[str, tuple[Course, asyncio.Task[None]]] = {}

    def under_way(self, pile: str) -> bool:
        """Whether the device is still being told what to do."""
        return pile in self._courses

    async def stop(self) -> None:
        """Hurry what is under way, and leave."""
        tasks = [task for _, task in self._courses.values()]
        for course, _ in self._courses.values():
            course.hurry()
        if tasks:
            await asyncio.wait(tasks, timeout=HURRY_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def send(self, device: Device, command: Command) -> Dispatch:
        """Look, ask the second look, and write at most once."""
        spec = device.kind.profile.spec(command.action)
        try:
            if spec is None and command.action is Action.REPORT:
                return await self._report(device, command)
            return await self._act(device, command, spec)
        except RefusedError as refusal:
            self._room.counters.refusals[refusal.kind] += 1
            return Dispatch("not_sent", str(refusal))

    async def _report(self, device: Device, command: Command) -> Dispatch:
        """Poll now. A full reading is the answer."""
        self._ask_second_look(command)
        try:
            async with asyncio.timeout(BUDGET_S), device.turn:
                look = await device.take(eager=True)
        except TimeoutError:
            return Dispatch("sent", "no answer yet")
        except UnreachableError as error:
            raise RefusedError("unreachable", str(error)) from None
        except AskError as error:
            if error.alive:
                self._answer(command, AnswerResult.REFUSED, str(error))
            return Dispatch("sent", str(error))
        device.tell(look)
        self._answer(command, AnswerResult.ACCEPTED, "read")
        return Dispatch("sent")

    async def _act(self, device: Device, command: Command, spec: ActionSpec | None) -> Dispatch:
        if spec is None:
            raise RefusedError("unsupported", f"this model has no {command.action}")
        course = self._course(device, spec.steps, command.connector)
        permit = Permit(self._room, command.expires_at)
        try:
            async with asyncio.timeout(BUDGET_S), device.turn:
                look = await self._look(device)
                try:
                    self._permit(device, command, spec, look)
                    if await course.approach():  # that took time
                        look = await self._look(device)
                        self._permit(device, command, spec, look)
                    await course.begin(permit)
                except (RefusedError, UnmetError):
                    device.tell(look)
                    raise
        except (AskError, TimeoutError) as error:
            return self._failed(error, permit)
        except UnmetError as unmet:
            raise RefusedError("unmet", str(unmet)) from None
        except DeclinedError as declined:
            # It did leave, and this is the device's answer; it must not overtake the news that it left.
            asyncio.get_running_loop().call_soon(self._answer, command, AnswerResult.REFUSED, str(declined))
            return Dispatch("sent")
        self._go_on(device, course, command)
        return Dispatch("sent")

    async def _look(self, device: Device) -> Look:
        """A reading of this very moment.

        It is shown to the second look, and told to the core only when nothing is written: there it would be newer than
        the command, though it is older than the write, and would prove what it cannot.
        """
        try:
            look = await device.take(eager=True)
        except AskError as error:
            raise RefusedError("unread", f"it could not be read just before: {error}") from None
        device.show(look)
        return look

    def _permit(self, device: Device, command: Command, spec: ActionSpec, look: Look) -> None:
        self._ask_second_look(command)
        connector = 0 if command.action in REBOOTS else command.connector
        unmet = device.kind.interpreter.unmet(spec.require, look.values, connector)
        if unmet is not None:
            raise RefusedError("precondition", unmet)

    def _ask_second_look(self, command: Command) -> None:
        refusal = self._room.look.refuse(command, self._room.clock.now(), self._room.clock.monotonic())
        if refusal is not None:
            raise RefusedError(refusal, refusal)

    def _course(self, device: Device, steps: Sequence[Step], connector: int) -> Course:
        if device.registration.pile in self._courses:
            raise RefusedError("under_way", "the action before is still under way")
        if not 0 <= connector <= device.kind.layout.connectors:
            raise RefusedError("unsupported", f"it has no connector {connector}")
        try:
            todo = moves(steps, connector, device.kind, self._room.speed)
        except UnwritableError as error:
            raise RefusedError("unwritable", str(error)) from None
        return Course(device, todo, connector, self._room.counters)

    def _failed(self, error: AskError | TimeoutError, permit: Permit) -> Dispatch:
        """What a failure means for the first write: whether it may have worked is never guessed."""
        text = str(error) or "no time was left"
        if permit.given and (isinstance(error, TimeoutError) or error.arrived):
            return Dispatch("unknown", text)
        raise RefusedError("failed", text) from None

    def _go_on(self, device: Device, course: Course, command: Command) -> None:
        """Do the rest of the steps in the background, and answer at the end."""

        async def rest() -> None:
            try:
                await course.finish()
            except UnclearError as unclear:
                log.warning("an action has no answer", pile=command.pile, command=command.id, reason=str(unclear))
            except (UnmetError, DeclinedError) as unmet:
                self._answer(command, AnswerResult.REFUSED, str(unmet))
            except Exception:
                log.exception("an action broke off", pile=command.pile, command=command.id)
            else:
                self._answer(command, AnswerResult.ACCEPTED, "all steps are done")

        self._begin(device, course, rest())

    async def carry_out(
        self, device: Device, connector: int, steps: Sequence[Step], last_check: Callable[[], str | None] | None = None
    ) -> Dispatch:
        """All of ``steps``, for who has asked its own gates; the first write at most once, the later ones insistently.

        ``unknown`` also means that a later step did not come true; the reason says which. ``not_sent`` also means that
        the device refused the first write: nothing was done. ``last_check`` tells just before the first write why it
        must not leave after all.
        """
        permit = Permit(self._room, None, last_check)
        try:
            course = self._course(device, steps, connector)
            try:
                async with asyncio.timeout(BUDGET_S), device.turn:
                    await course.begin(permit)
            except (AskError, TimeoutError) as error:
                return self._failed(error, permit)
        except (RefusedError, UnmetError, DeclinedError) as refusal:
            return Dispatch("not_sent", str(refusal))
        try:
            await asyncio.shield(self._begin(device, course, course.finish()))
        except (UnmetError, DeclinedError, UnclearError) as unmet:
            return Dispatch("unknown", str(unmet))
        return Dispatch("sent")

    def _begin(self, device: Device, course: Course, rest: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        pile = device.registration.pile
        task = asyncio.get_running_loop().create_task(rest, name=f"modbus action {pile}")
        self._courses[pile] = (course, task)
        task.add_done_callback(lambda _: self._courses.pop(pile, None))
        return task

    def _answer(self, command: Command, result: AnswerResult, reason: str) -> None:
        answer = CommandAnswer(
            received_at=self._room.clock.now(),
            site=command.site,
            pile=command.pile,
            command=command.id,
            result=result,
            reason=reason,
        )
        self._room.offer([answer])
