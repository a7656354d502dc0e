"""Which values are read by one request. Pure.

A request covers neighbours in one table of one unit, within the device's limits, and never splits a value: a counter
whose halves come from two moments is a lie.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from triage.config.profile.registers import Register
from triage.drivers.modbus.messages import Read


class Place(Struct, frozen=True, eq=False):
    """Where one value of one connector (0: the pile) stands on the wire."""

    name: str
    connector: int
    register: Register
    unit: int
    address: int

    @property
    def end(self) -> int:
        """The address after it."""
        return self.address + self.register.size

    @property
    def extent(self) -> tuple[int, str, int, int]:
        """Unit, table, address and size: what a request for this value alone asks for."""
        return (self.unit, self.register.table, self.address, self.register.size)


class Block(Struct, frozen=True, eq=False):
    """One request and the values it brings."""

    unit: int
    read: Read
    places: tuple[Place, ...]

    @property
    def alone(self) -> bool:
        """Whether it brings no more than one extent, which cannot be asked for in smaller parts."""
        return len({place.extent for place in self.places}) == 1

    def words(self, place: Place, answer: Sequence[int]) -> Sequence[int]:
        """The part of ``answer`` that is ``place``'s."""
        first = place.address - self.read.address
        return answer[first : first + place.register.size]


def blocks(places: Iterable[Place], *, limit: int, gap: int, single: bool = False) -> tuple[Block, ...]:
    """The fewest requests for ``places``, in order of unit, table and address.

    Args:
        places: the values wanted.
        limit: most registers of one request; a longer value is asked for alone.
        gap: unused registers that may be read along.
        single: one value a request; values made of the very same registers share one.
    """
    found: list[Block] = []
    run: list[Place] = []
    for place in sorted(places, key=_order):
        if run and not _joins(run, place, limit, gap, single=single):
            found.append(_block(run))
            run = []
        run.append(place)
    if run:
        found.append(_block(run))
    return tuple(found)


def finer(block: Block, gone: Collection[Place], *, limit: int) -> tuple[Block, ...]:
    """How to ask for what is left of a block that was refused as a whole: no gaps at first, then each value alone."""
    left = [place for place in block.places if place not in gone]
    close = blocks(left, limit=limit, gap=0)
    if [each.read for each in close] == [block.read]:
        return blocks(left, limit=limit, gap=0, single=True)
    return close


def _order(place: Place) -> tuple[int, str, int, int]:
    return (place.unit, place.register.table, place.address, -place.end)


def _joins(run: Sequence[Place], place: Place, limit: int, gap: int, *, single: bool) -> bool:
    first = run[0]
    if single:
        return place.extent == first.extent
    if (place.unit, place.register.table) != (first.unit, first.register.table):
        return False
    end = max(each.end for each in run)
    return place.address - end <= gap and max(end, place.end) - first.address <= limit


def _block(run: Sequence[Place]) -> Block:
    first = run[0]
    count = max(each.end for each in run) - first.address
    return Block(first.unit, Read(first.register.table, first.address, count), tuple(run))
