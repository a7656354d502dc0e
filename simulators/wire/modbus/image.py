"""What stands in a device's registers at one moment."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Literal, NamedTuple

from simulators.wire.modbus.protocol import Code, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.wire.modbus.words import Words

Table = Literal["coil", "discrete", "input", "holding"]


class Value(NamedTuple):
    """One value: where it begins, and its registers or bits."""

    table: Table
    address: int
    words: Words


class Image:
    """All values of one unit. Between two values up to ``gap`` unused registers read as zero; further ones refuse."""

    def __init__(self, values: Iterable[Value], gap: int) -> None:
        """``gap`` -1: a request must be for exactly one value."""
        self._gap = gap
        self.values = {(value.table, value.address): value.words for value in values}

    def tear(self, before: Image) -> None:
        """Give every value of several registers the first register it had ``before``."""
        for place, words in self.values.items():
            old = before.values.get(place)
            if old is not None and len(words) > 1:
                self.values[place] = [old[0], *words[1:]]

    def read(self, table: Table, address: int, count: int) -> Words:
        """``count`` registers or bits from ``address`` on.

        Raises:
            Refusal: exception 2, some of them do not exist, or not for one request.
        """
        if self._gap < 0:
            words = self.values.get((table, address))
            if words is None or len(words) != count:
                raise Refusal(Code.ADDRESS)
            return words
        cells = {
            first + place: word
            for (where, first), words in self.values.items()
            if where == table
            for place, word in enumerate(words)
        }
        known = sorted(cells)
        return [cells[each] if each in cells else self._unused(known, each) for each in range(address, address + count)]

    def _unused(self, known: list[int], address: int) -> int:
        after = bisect_left(known, address)
        if after in {0, len(known)} or known[after] - known[after - 1] - 1 > self._gap:
            raise Refusal(Code.ADDRESS)
        return 0
