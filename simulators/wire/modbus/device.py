"""One simulated pile behind registers: what every make has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from simulators.wire.modbus.image import Image, Table, Value
from simulators.wire.modbus.protocol import Code, Refusal
from simulators.wire.modbus.troubles import Trouble, Troubles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulators.hardware.look import Look, Reading
    from simulators.models import Model
    from simulators.pile import Pile
    from simulators.wire.modbus.words import Words
    from simulators.words import Action, Status

REMEMBERED = 1000
"""Writes a device remembers for those who ask afterwards."""


class Write(NamedTuple):
    """A write as it arrived, taken or refused."""

    at: float
    unit: int
    table: Table
    address: int
    words: tuple[int, ...]
    taken: bool


class Kept(NamedTuple):
    """A register that holds a setting: its value at the start, and the bounds of what may be written there."""

    start: int
    least: int = 0
    most: int = 0xFFFF
    table: Table = "holding"


class Device(ABC):
    """A pile's registers. Times are simulated seconds; ``unit`` is the number the request was addressed to.

    ``profile`` is the make's name in the fleet file, ``own_unit`` the unit id it has alone on its line, ``others`` the
    unit ids it answers to besides (a station and its sockets). ``gap`` is explained at ``Image``.
    """

    profile: ClassVar[str]
    model: ClassVar[Model]
    own_unit: ClassVar[int] = 1
    others: ClassVar[tuple[int, ...]] = ()
    gap: ClassVar[int] = 10
    settings: ClassVar[Mapping[int, Kept]] = {}

    def __init__(self, pile: Pile, troubles: Troubles | None = None) -> None:
        """The registers of ``pile``."""
        self.pile = pile
        self.troubles = Troubles() if troubles is None else troubles
        self.writes: deque[Write] = deque(maxlen=REMEMBERED)
        self.kept = {address: setting.start for address, setting in self.settings.items()}
        self._before: dict[tuple[int, Table, int], Image] = {}
        self._orders = 0

    # What a make says of itself ------------------------------------------------------------------------------------

    @abstractmethod
    def values(self, now: float, unit: int, look: Look) -> Iterable[Value]:
        """Everything that can be read, settings apart."""

    def take(self, now: float, unit: int, table: Table, address: int, words: Words) -> None:
        """Carry out a write that is no setting.

        Raises:
            Refusal: it is not carried out.
        """
        del now, unit, table, address, words
        raise Refusal(Code.ADDRESS)

    def hears(self, now: float) -> bool:
        """Whether a request that arrives now is noticed at all."""
        del now
        return True

    # What the line asks --------------------------------------------------------------------------------------------

    @property
    def units(self) -> tuple[int, ...]:
        """Every unit id it answers to when it is alone on its line."""
        return (self.own_unit, *self.others)

    def read(self, now: float, unit: int, table: Table, address: int, count: int) -> Words:
        """Registers or bits as they are at ``now``.

        Raises:
            Refusal: some of them do not exist.
        """
        image = Image((*self.values(now, unit, self.pile.look(now)), *self._settings()), self.gap)
        untorn = Image((Value(*place, words) for place, words in image.values.items()), self.gap)
        before = self._before.get((unit, table, address))
        if before is not None and Trouble.TORN in self.troubles.now():
            image.tear(before)
        words = image.read(table, address, count)
        self._before[unit, table, address] = untorn
        return words

    def write(self, now: float, unit: int, table: Table, address: int, words: Words) -> None:
        """Change registers or bits.

        Raises:
            Refusal: nothing was changed.
        """
        self.pile.advance(now)
        taken = False
        try:
            if not self._keep(table, address, words):
                self.take(now, unit, table, address, words)
            taken = True
        finally:
            self.writes.append(Write(now, unit, table, address, tuple(words), taken))

    def order(self, now: float, action: Action, connector: int = 0, **args: bool) -> None:
        """Let the pile do something; it may refuse by itself, and says so to nobody."""
        self._orders += 1
        command = {"id": f"modbus-{self._orders}", "action": action, "connector": connector, "args": args}
        self.pile.command(now, command)

    def identity(self, own: str, other: str) -> str:
        """What it says where its model is known by: ``own``, or ``other`` when it is an impostor."""
        return other if Trouble.IMPOSTOR in self.troubles else own

    def _settings(self) -> Iterable[Value]:
        return (Value(self.settings[address].table, address, [value]) for address, value in self.kept.items())

    def _keep(self, table: Table, address: int, words: Words) -> bool:
        """Take a write to settings only; whether it was one."""
        places = range(address, address + len(words))
        if any(each not in self.settings or self.settings[each].table != table for each in places):
            return False
        for place, word in zip(places, words, strict=True):
            if not self.settings[place].least <= word <= self.settings[place].most:
                raise Refusal(Code.VALUE)
        self.kept.update(zip(places, words, strict=True))
        return True


def code_of(look: Look, connector: int, codes: Mapping[str, int], otherwise: int) -> int:
    """The make's code of the worst fault of a connector: ``codes`` by kind in order of weight; 0 without a fault."""
    kinds = [kind for kind, number in look.faults if number in {0, connector}]
    if not kinds:
        return 0
    return next((code for kind, code in codes.items() if kind in kinds), otherwise)


def state_of(reading: Reading, states: Mapping[Status, int]) -> int:
    """The make's number for the status that a connector shows."""
    return states[reading.status]
