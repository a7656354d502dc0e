"""What is asked of a device, and the ways in which an answer fails to come. Pure."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from triage.config.profile.registers import Table

READ_CODES: dict[Table, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
"""The function that reads each table."""

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE, ACKNOWLEDGE, BUSY = range(1, 7)
NO_GATEWAY_PATH, TARGET_SILENT = 10, 11

NOT_DECLINED = frozenset({DEVICE_FAILURE, ACKNOWLEDGE, BUSY, NO_GATEWAY_PATH, TARGET_SILENT})
"""Exceptions that are no refusal: it failed, takes its time, has no time now, or did not hear it."""

NOT_THERE = frozenset({ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE})
"""Exceptions by which a device says that it has no such registers, or not in one piece."""

_NAMES = {
    ILLEGAL_FUNCTION: "illegal function",
    ILLEGAL_ADDRESS: "illegal address",
    ILLEGAL_VALUE: "illegal value",
    DEVICE_FAILURE: "device failure",
    ACKNOWLEDGE: "acknowledge",
    BUSY: "busy",
    NO_GATEWAY_PATH: "no gateway path",
    TARGET_SILENT: "gateway target silent",
}


class Read(Struct, frozen=True):
    """``count`` registers (or bits) from ``address`` on; addresses are those on the wire."""

    table: Table
    address: int
    count: int


class Write(Struct, frozen=True):
    """Registers, or a coil as 0 or 1; ``multiple`` chooses FC16 (FC15) where FC06 (FC05) would do."""

    table: Table
    address: int
    words: tuple[int, ...]
    multiple: bool = False


Request = Read | Write


class AskError(Exception):
    """No good answer came.

    Attributes:
        kind: a word of a closed list, for the counters.
        alive: whether the device itself said something.
        arrived: whether the request may have reached the device.
        declined: whether the device will not do it: it did nothing, and would say the same again.
    """

    kind: ClassVar[str] = "failed"
    alive: bool = False
    arrived: bool = True
    declined: bool = False


class UnreachableError(AskError):
    """There is no connection, and none could be made; the request did not leave."""

    kind = "refused_connection"
    arrived = False


class SilentError(AskError):
    """No answer in time."""

    kind = "timeout"


class DroppedError(AskError):
    """The connection ended before the answer was complete."""

    kind = "dropped"

    def __init__(self, text: str, *, arrived: bool = True) -> None:
        """``arrived`` is False when the connection was gone before the request was written."""
        super().__init__(text)
        self.arrived = arrived


class GarbledError(AskError):
    """Something answered, but not to what was asked, or not in this protocol."""

    kind = "garbled"
    alive = True


class ExceptionReplyError(AskError):
    """The device, or a gateway before it, answered with an exception.

    Attributes:
        code: the exception code of the protocol.
    """

    kind = "exception"

    def __init__(self, code: int) -> None:
        """A busy device did nothing; a gateway that gave up on its target does not know what the target did."""
        super().__init__(f"exception {code} ({_NAMES.get(code, 'unknown')})")
        self.code = code
        self.alive = code not in {NO_GATEWAY_PATH, TARGET_SILENT}
        self.arrived = code in {DEVICE_FAILURE, ACKNOWLEDGE, TARGET_SILENT}
        self.declined = code not in NOT_DECLINED


class BusyError(ExceptionReplyError):
    """The device is busy, and did nothing."""

    kind = "busy"


class GatewayError(ExceptionReplyError):
    """The gateway lives, and the device behind it does not answer it."""

    kind = "gateway"


class NonsenseError(AskError):
    """The device answers, and what it says cannot be so."""

    kind = "impossible"
    alive = True


class WrongIdentityError(NonsenseError):
    """It is not the model it should be."""

    kind = "wrong_identity"


class TornError(NonsenseError):
    """Its counters contradict what they said before, and themselves."""

    kind = "torn"


def reply_error(code: int) -> ExceptionReplyError:
    """The error of an exception code."""
    if code in {BUSY, ACKNOWLEDGE}:
        return BusyError(code)
    if code in {NO_GATEWAY_PATH, TARGET_SILENT}:
        return GatewayError(code)
    return ExceptionReplyError(code)
