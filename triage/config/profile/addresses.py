"""Where on the wire a register stands: vendors' ways of counting, and the steps from connector to connector."""

from __future__ import annotations

from triage.config.profile.registers import LAST_ADDRESS, MODICON, Modbus, Register
from triage.errors import TriageError

LAST_UNIT = 255
_FIVE_DIGITS = 100_000


class AddressError(TriageError):
    """A register has no address on the wire; the text says why."""


def base_address(register: Register, device: Modbus) -> int:
    """The address on the wire of the register of the pile, or of connector 1.

    Raises:
        AddressError: the printed number is none in this notation.
    """
    if device.numbering == "protocol":
        return register.address
    if device.numbering == "one_based":
        if register.address == 0:
            raise AddressError("0 is no address where counting starts at 1")
        return register.address - 1
    span = 10_000 if register.address < _FIVE_DIGITS else _FIVE_DIGITS
    digit, place = divmod(register.address, span)
    table = MODICON.get(digit)
    if table is None or place == 0:
        raise AddressError(f"{register.address:05d} is no address of the five- or six-digit notation")
    if table != register.table:
        raise AddressError(f"{register.address:05d} means {table}, and `table` says {register.table}")
    return place - 1


def wire_address(register: Register, device: Modbus, connector: int) -> int:
    """The address on the wire, 0 to 65535, of ``register`` for ``connector`` (from 1; of no matter for a pile's value).

    Raises:
        AddressError: there is none.
    """
    address = base_address(register, device)
    if register.of == "connector":
        address += _step(register, device, connector)
    if not 0 <= address <= LAST_ADDRESS + 1 - register.size:
        raise AddressError(f"address {address} with {register.size} word(s) is outside 0 to {LAST_ADDRESS}")
    return address


def wire_unit(register: Register, device: Modbus, base: int, connector: int) -> int:
    """The unit id that answers for ``register`` of ``connector``; ``base`` is the fleet's unit or the profile's.

    Raises:
        AddressError: it would be beyond 255.
    """
    unit = base if register.unit_id is None else register.unit_id
    if register.of == "connector":
        unit += (max(connector, 1) - 1) * device.connectors.unit_stride
    if unit > LAST_UNIT:
        raise AddressError(f"unit id {unit} of connector {connector} is beyond {LAST_UNIT}")
    return unit


def _step(register: Register, device: Modbus, connector: int) -> int:
    """Addresses from connector 1 to ``connector``."""
    index = max(connector, 1) - 1
    if register.stride is not None:
        return index * register.stride
    bases = device.connectors.bases
    if not bases:
        return index * device.connectors.stride
    if index >= len(bases):
        raise AddressError(f"`bases` has no entry for connector {connector}")
    return bases[index]
