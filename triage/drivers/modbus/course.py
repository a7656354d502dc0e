"""An action on its course: step by step, the first write at most once, the later ones until they are done."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import structlog
from msgspec import Struct

from triage.config.profile.actions import Step
from triage.config.profile.meaning import Condition
from triage.config.profile.registers import Modbus, Register
from triage.config.profile.writing import UnwritableError
from triage.drivers.modbus.counters import Counters
from triage.drivers.modbus.device import Device
from triage.drivers.modbus.messages import ACKNOWLEDGE, AskError, ExceptionReplyError, Write
from triage.drivers.modbus.room import Kind
from triage.drivers.profiles.registers import address, encode, unit_id

log = structlog.get_logger(__name__)

INSIST_S = 60.0
"""A later write is tried for so long: a device left half way, locked or switched off, is worse than one more write."""

LEAST_S = 2.0
"""No speed makes a real device answer sooner."""

LOOK_EVERY_S = 1.0
AGAIN_FIRST_S, AGAIN_MOST_S = 0.25, 5.0


class Pause(Struct, frozen=True):
    """Wait."""

    wait_s: float


class Await(Struct, frozen=True):
    """Read until the condition holds."""

    condition: Condition
    within_s: float


class Send(Struct, frozen=True):
    """One write request; ``again``: it may be repeated though it may have worked or was refused: it sets a state."""

    unit: int
    write: Write
    within_s: float
    name: str
    again: bool


Move = Pause | Await | Send


class UnmetError(Exception):
    """What was expected did not come, or certainly could not be done; the text says what."""


class DeclinedError(Exception):
    """The device answered a write with a refusal; the text says which register's, and in which words."""


class UnclearError(Exception):
    """A write that must not be repeated had no answer: whether it worked, evidence must tell."""


def moves(steps: Sequence[Step], connector: int, kind: Kind, speed: float = 1.0) -> tuple[Move, ...]:
    """The requests and waits of ``steps``; a connector's register is written for every connector when it is 0.

    Raises:
        UnwritableError: a value must not or cannot be written; then nothing of the action may leave.
    """
    found: list[Move] = []
    for step in steps:
        if step.write is not None:
            found.extend(_sends(step, connector, kind, speed))
        elif step.expect is not None:
            found.append(Await(step.expect, _within(step.within_s, speed)))
        elif step.wait_s is not None:
            found.append(Pause(step.wait_s / speed))
        else:
            raise UnwritableError("a message cannot be published over Modbus")
    return tuple(found)


def _within(within_s: float, speed: float) -> float:
    return max(min(within_s, LEAST_S), within_s / speed)


def _sends(step: Step, connector: int, kind: Kind, speed: float) -> list[Send]:
    found: list[Send] = []
    within_s = _within(max(INSIST_S, step.within_s), speed)
    for name, value in (step.write or {}).items():
        register = kind.modbus.registers.get(name)
        if register is None:
            raise UnwritableError(f"{name} is no register of the profile")
        try:
            words = encode(register, value, kind.modbus)
        except UnwritableError as error:
            raise UnwritableError(f"{name}: {error}") from None
        again = register.access == "rw" if step.again is None else step.again
        for unit, at in _targets(register, connector, kind):
            writes = _writes(register, at, words, kind.modbus)
            found.extend(Send(unit, write, within_s, name, again) for write in writes)
    return found


def _targets(register: Register, connector: int, kind: Kind) -> list[tuple[int, int]]:
    """Unit and address, of every connector where the pile as a whole is meant."""
    everywhere = register.of == "connector" and connector == 0
    numbers = range(1, kind.layout.connectors + 1) if everywhere else (max(connector, 1),)
    return [
        (unit_id(register, kind.modbus, kind.layout.unit, number), address(register, kind.modbus, number))
        for number in numbers
    ]


def _writes(register: Register, at: int, words: tuple[int, ...], modbus: Modbus) -> list[Write]:
    if register.table == "holding" and modbus.write_function == "single":
        return [Write(register.table, at + index, (word,)) for index, word in enumerate(words)]
    multiple = modbus.write_function == "multiple" or len(words) > 1
    return [Write(register.table, at, words, multiple=multiple)]


class Course:
    """One run of an action's moves on one device."""

    def __init__(self, device: Device, todo: Sequence[Move], connector: int, counters: Counters) -> None:
        """``connector`` is whose values are expected; 0: the pile's, and every connector's."""
        self._device = device
        self._counters = counters
        self._left = deque(todo)
        self._connector = connector
        self._loop = asyncio.get_running_loop()
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Leave out what is only waiting, and write what is left to be written: we have to go."""
        self._hurry.set()

    async def approach(self) -> bool:
        """Go as far as the first write, but not over it; whether there was anything before it. Hold the device's turn.

        Raises:
            UnmetError: what is expected before the first write does not hold.
        """
        before = len(self._left)
        while self._left and not isinstance(self._left[0], Send):
            unmet = await self._attend(self._left.popleft(), holding=True)
            if unmet is not None:
                raise UnmetError(unmet)
        return len(self._left) < before

    async def begin(self, last_check: Callable[[], None]) -> None:
        """Go as far as the first write, and have it acknowledged. Hold the device's turn.

        Raises:
            UnmetError: what is expected before the first write does not hold.
            DeclinedError: the device refused the write.
            AskError: the write failed otherwise; after ``last_check`` returned, ``arrived`` tells whether it may have
                worked.
            Exception: whatever ``last_check`` raises, which is called just before the write leaves.
        """
        await self.approach()
        if self._left:
            first = self._left.popleft()
            assert isinstance(first, Send)  # noqa: S101 - where approach() ends
            try:
                await self._write(first, last_check)
            except AskError as error:
                if error.declined:
                    raise DeclinedError(f"{first.name}: {error}") from None
                raise

    async def finish(self) -> None:
        """Do the rest.

        Raises:
            UnmetError: something did not hold, or could not be done; what follows it is left out.
            DeclinedError: the device refused a write that must not be repeated; what follows it is left out.
            UnclearError: whether something was done cannot be known; what follows it is left out.
        """
        while self._left:
            move = self._left.popleft()
            if isinstance(move, Send):
                await self._insist(move)
                continue
            unmet = await self._attend(move, holding=False)
            if unmet is not None:
                raise UnmetError(unmet)

    async def _write(self, move: Send, last_check: Callable[[], None] | None = None) -> None:
        device = self._device
        timeout_s = device.kind.modbus.timeout_s
        try:
            await device.endpoint.ask(move.unit, move.write, timeout_s, eager=True, last_check=last_check)
        except ExceptionReplyError as error:
            if error.declined:
                self._counters.count("writes_refused")
            if error.code != ACKNOWLEDGE:  # which means: accepted, and it takes its time
                raise

    async def _insist(self, move: Send) -> None:
        """Write until it is acknowledged, or the time for it is over, or it must not be repeated.

        A busy device did nothing and may be told again; any other refusal is its answer.
        """
        until_s, pause_s, tries = self._loop.time() + move.within_s, AGAIN_FIRST_S, 0
        pile = self._device.registration.pile
        while True:
            tries += 1
            try:
                await self._write(move)
            except AskError as error:
                if error.declined and not move.again:
                    raise DeclinedError(f"{move.name}: {error}") from None
                if error.arrived and not move.again:
                    raise UnclearError(
                        f"{move.name} was written, and nobody knows whether it worked: {error}"
                    ) from None
                if tries == 1:
                    log.warning("a later write failed and is tried again", pile=pile, value=move.name, error=str(error))
                if self._hurry.is_set() or self._loop.time() + pause_s > until_s:
                    log.warning("a later write failed for good", pile=pile, value=move.name, tries=tries)
                    raise UnmetError(f"{move.name} could not be written: {error}") from None
                self._counters.count("writes_again")
            else:
                return
            await self._rest(pause_s)
            pause_s = min(2 * pause_s, AGAIN_MOST_S)

    async def _attend(self, move: Move, *, holding: bool) -> str | None:
        if isinstance(move, Pause):
            await self._rest(move.wait_s)
            return None
        assert isinstance(move, Await)  # noqa: S101 - writes are not attended
        until_s = self._loop.time() + move.within_s
        while not self._hurry.is_set():
            unmet = await self._unmet(move.condition, holding=holding)
            left_s = until_s - self._loop.time()
            if unmet is None or left_s <= 0:
                return unmet
            await self._rest(min(LOOK_EVERY_S, left_s))
        return None

    async def _unmet(self, condition: Condition, *, holding: bool) -> str | None:
        device = self._device
        try:
            if holding:
                look = await device.take(eager=True)
            else:
                async with device.turn:
                    look = await device.take(eager=True)
        except AskError as error:
            return str(error)
        return device.kind.interpreter.unmet(condition, look.values, self._connector)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            return
