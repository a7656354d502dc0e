"""Reads all values of one device: the polled ones, those read once a connection, and never half of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from triage.config.profile.registers import Modbus, Register
from triage.drivers.modbus.blocks import Block, Place, blocks, finer
from triage.drivers.modbus.counters import Counters
from triage.drivers.modbus.endpoint import Endpoint
from triage.drivers.modbus.messages import (
    NOT_THERE,
    AskError,
    BusyError,
    ExceptionReplyError,
    GarbledError,
    UnreachableError,
)
from triage.drivers.profiles.registers import Decoder, address, unit_id
from triage.drivers.profiles.registers import compile as decoder_of
from triage.drivers.profiles.values import ImpossibleError, Value, Values

AGAIN_S = 3_600.0
"""What is read at the start is read again after this time, and what was not there is looked for."""

VANISHED_S = 60.0
"""What was there before and is not any more is looked for sooner: the device may only have been starting."""

AGAIN_AFTER_S = 0.1
"""Least pause before a busy device is asked again, and before neighbours have to wait for a silent one once more."""

Words = dict[Place, Sequence[int]]


class NothingThereError(AskError):
    """The device answers, and has none of the registers that its state is read from."""

    kind = "exception"
    alive = True


class Layout(Struct, frozen=True):
    """Where every value of a device stands, and how its words are read; shared by all devices of one kind."""

    modbus: Modbus
    unit: int
    connectors: int
    polled: tuple[Place, ...]
    kept: tuple[Place, ...]
    decoders: Mapping[str, Decoder]


def layout(modbus: Modbus, unit: int | None, connectors: int) -> Layout:
    """The layout of a device with ``connectors`` connectors that answers as ``unit`` (None: as the profile says).

    Raises:
        AddressError: an address beyond what the wire can carry.
    """
    base = modbus.unit_id if unit is None else unit
    polled: list[Place] = []
    kept: list[Place] = []
    for name, register in modbus.registers.items():
        if register.read == "never" or register.access == "w":
            continue
        (polled if register.read == "poll" else kept).extend(_places(name, register, modbus, base, connectors))
    decoders = {name: decoder_of(register, modbus) for name, register in modbus.registers.items()}
    return Layout(modbus, base, connectors, tuple(polled), tuple(kept), decoders)


def _places(name: str, register: Register, modbus: Modbus, base: int, connectors: int) -> list[Place]:
    numbers = range(1, connectors + 1) if register.of == "connector" else (0,)
    return [
        Place(
            name, number, register, unit_id(register, modbus, base, number or 1), address(register, modbus, number or 1)
        )
        for number in numbers
    ]


class Reader:
    """Asks one device for its values. Not for two readings at once."""

    def __init__(self, plan: Layout, endpoint: Endpoint, counters: Counters, speed: float = 1.0) -> None:
        """``speed`` divides the time after which what is read seldom is read again."""
        self._plan = plan
        self._endpoint = endpoint
        self._counters = counters
        self._again_s = AGAIN_S / speed
        self._vanished_s = VANISHED_S / speed
        self._loop = asyncio.get_running_loop()
        self._generation = -1
        self._due_s = 0.0
        self._polled: tuple[Block, ...] = ()
        self._gone: set[Place] = set()
        self._seen: set[Place] = set()
        self._kept: Words = {}

    @property
    def missing(self) -> list[str]:
        """The values the device does not have, by name."""
        return sorted({place.name for place in self._gone})

    def forget(self) -> None:
        """Read at the next reading what is otherwise read seldom."""
        self._generation = -1

    async def read(self, *, patient: bool = True, eager: bool = False) -> Values:
        """One whole look.

        Args:
            patient: ask again what was not answered, as often as the profile allows.
            eager: connect even though it failed a short while ago.

        Raises:
            AskError: some part of the look could not be had; half a look is none.
        """
        await self._endpoint.connect(self._plan.modbus.timeout_s, eager=eager)
        if self._generation != self._endpoint.generation or self._loop.time() >= self._due_s:
            await self._begin(patient=patient)
        polled, self._polled = await self._collect(self._polled, patient=patient)
        if not polled and self._plan.polled:
            self.forget()
            raise NothingThereError("it has none of the registers that tell its state")
        return self._decoded(polled | self._kept)

    async def _begin(self, *, patient: bool) -> None:
        """Start anew, as if nothing were known of the device."""
        plan, generation = self._plan, self._endpoint.generation
        self._generation = -1  # until it is done
        self._gone.clear()
        self._polled = self._blocks(plan.polled)
        self._due_s = self._loop.time() + self._again_s
        self._kept, _ = await self._collect(self._blocks(plan.kept), patient=patient)
        self._generation = generation

    def _blocks(self, places: Sequence[Place]) -> tuple[Block, ...]:
        modbus = self._plan.modbus
        return blocks(places, limit=modbus.registers_per_read, gap=modbus.gap, single=modbus.one_value_per_read)

    async def _collect(self, wanted: Sequence[Block], *, patient: bool) -> tuple[Words, tuple[Block, ...]]:
        """The words of all blocks, and the blocks that should be asked for next time."""
        found: Words = {}
        better: list[Block] = []
        for block in wanted:
            try:
                answer = await self._ask(block, patient=patient)
            except ExceptionReplyError as error:
                if error.code not in NOT_THERE:
                    raise
                better.extend(await self._one_by_one(block, error, found, patient=patient))
            else:
                self._keep(block, answer, found)
                better.append(block)
        return found, tuple(better)

    async def _one_by_one(
        self, block: Block, refusal: ExceptionReplyError, found: Words, *, patient: bool
    ) -> tuple[Block, ...]:
        """Find out which values of a refused block are not there; how to ask for the others from now on."""
        gone: set[Place] = set()
        parts = [block] if block.alone else blocks(block.places, limit=1, gap=0, single=True)
        for part in parts:
            try:
                if part is block:
                    raise refusal
                self._keep(part, await self._ask(part, patient=patient), found)
            except ExceptionReplyError as error:
                if error.code not in NOT_THERE:
                    raise
                self._miss(part)
                gone.update(part.places)
        self._gone |= gone
        return finer(block, gone, limit=self._plan.modbus.registers_per_read)

    def _miss(self, part: Block) -> None:
        self._counters.count("not_there", len(part.places))
        if any(place in self._seen for place in part.places):
            self._due_s = min(self._due_s, self._loop.time() + self._vanished_s)

    def _keep(self, block: Block, answer: Sequence[int], found: Words) -> None:
        for place in block.places:
            found[place] = block.words(place, answer)
        self._seen.update(block.places)

    async def _ask(self, block: Block, *, patient: bool) -> Sequence[int]:
        modbus = self._plan.modbus
        left = modbus.retries if patient else 0
        while True:
            try:
                return await self._endpoint.ask(block.unit, block.read, modbus.timeout_s)
            except AskError as error:
                if left <= 0 or not _worth_asking_again(error):
                    raise
                left -= 1
                if isinstance(error, BusyError) or self._endpoint.shared:
                    await asyncio.sleep(max(AGAIN_AFTER_S, modbus.spacing_s))
            self._counters.count("retries")

    def _decoded(self, words: Words) -> Values:
        values = Values(connectors={number: {} for number in range(1, self._plan.connectors + 1)})
        for place in (*self._plan.kept, *self._plan.polled):
            if place in words:  # what is not there is left out: it does not say that it has no value
                self._room(values, place)[place.name] = self._value(place, words[place], values)
        return values

    def _value(self, place: Place, words: Sequence[int], values: Values) -> Value:
        try:
            return self._plan.decoders[place.name](words)
        except ImpossibleError as error:
            where = f" of connector {place.connector}" if place.connector else ""
            values.impossible.append(f"{place.name}{where} {error}")
            return None

    @staticmethod
    def _room(values: Values, place: Place) -> dict[str, Value]:
        return values.connectors[place.connector] if place.connector else values.pile


def _worth_asking_again(error: AskError) -> bool:
    """Whether the answer, or only the connection, may have been lost; what was refused would be refused again."""
    if isinstance(error, UnreachableError):
        return False
    return isinstance(error, BusyError | GarbledError) or not error.alive
