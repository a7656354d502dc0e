"""The requests a profile leads to: what will be on the wire, before anything is."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from triage.config.profile.addresses import base_address
from triage.config.profile.file import Profile
from triage.config.profile.registers import Modbus, Register
from triage.drivers.modbus.blocks import Block, Place, blocks
from triage.drivers.modbus.messages import READ_CODES
from triage.drivers.modbus.reader import Layout, layout


class Request(Struct, kw_only=True):
    """One read request. ``first`` is the address on the wire; ``when`` is ``poll`` or ``start``."""

    when: str
    function: str
    table: str
    unit: int
    first: int
    first_hex: str
    count: int
    values: list[str]


def widest(profile: Profile) -> int:
    """How many connectors to show when nobody said: as many as the profile names, else one."""
    bases = len(profile.modbus.connectors.bases) if profile.modbus is not None else 0
    return profile.connectors or bases or 1


def requests(profile: Profile, connectors: int, unit: int | None = None) -> list[Request]:
    """Every read request of one poll, and those made once a connection; none for a profile of MQTT.

    Raises:
        AddressError: a register of one of the connectors has no address.
    """
    if profile.modbus is None:
        return []
    plan = layout(profile.modbus, unit, connectors)
    return [
        _request(when, block)
        for when, places in (("start", plan.kept), ("poll", plan.polled))
        for block in blocks_of(plan, places)
    ]


def blocks_of(plan: Layout, places: Sequence[Place]) -> tuple[Block, ...]:
    """The blocks by which the driver asks for ``places``."""
    modbus = plan.modbus
    return blocks(places, limit=modbus.registers_per_read, gap=modbus.gap, single=modbus.one_value_per_read)


def _request(when: str, block: Block) -> Request:
    names = [place.name + (f"#{place.connector}" if place.connector else "") for place in block.places]
    return Request(
        when=when,
        function=f"FC{READ_CODES[block.read.table]:02d}",
        table=block.read.table,
        unit=block.unit,
        first=block.read.address,
        first_hex=f"0x{block.read.address:04X}",
        count=block.read.count,
        values=names,
    )


def printed(register: Register) -> str:
    """Function and address as the vendor prints it: ``FC03 40001``."""
    return f"FC{READ_CODES[register.table]:02d} {register.address}"


def on_wire(register: Register, device: Modbus) -> str:
    """The address of the pile, or of connector 1, as it is sent."""
    address = base_address(register, device)
    return f"{address} (0x{address:04X})"
