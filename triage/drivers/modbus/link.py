"""One TCP connection to an endpoint: the only file that knows pymodbus.

pymodbus frames, checks and decodes; when to ask, how long to wait and what a lost connection means for a request under
way is decided here, for its client neither fails such a request at once nor has a time limit for each unit, and asks
again by itself. Nothing is ever asked twice here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Literal, Self, cast

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerAscii, FramerBase, FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from triage.config.profile.registers import Table
from triage.drivers.modbus.messages import (
    AskError,
    DroppedError,
    GarbledError,
    Read,
    Request,
    SilentError,
    UnreachableError,
    Write,
    reply_error,
)

Framing = Literal["tcp", "rtu", "ascii"]

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # what it complains of is counted here instead

_FRAMERS: dict[Framing, type[FramerBase]] = {"tcp": FramerSocket, "rtu": FramerRTU, "ascii": FramerAscii}
_READS: dict[Table, type[ModbusPDU]] = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
_UNREAD_LIMIT = 1_024
_FAILED = 0x80
_HEADER = 4
_LAST_NUMBER = 0xFFFF


class Link(asyncio.Protocol):
    """One connection, one request at a time; once lost it is never used again."""

    def __init__(self, framing: Framing, stray: Callable[[str], None]) -> None:
        """``stray`` is told of frames nobody waits for: ``late`` or ``wrong_unit``."""
        self._loop = asyncio.get_running_loop()
        self._numbered = framing == "tcp"
        self._framer = _FRAMERS[framing](DecodePDU(is_server=False))
        self._stray = stray
        self._unread = b""
        self._number = 0
        self._asked: tuple[int, Request] | None = None
        self._answer: asyncio.Future[tuple[int, ...]] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, host: str, port: int, framing: Framing, timeout_s: float, stray: Callable[[str], None]) -> Self:
        """Connect.

        Raises:
            UnreachableError: nobody listens there, or not in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                loop = asyncio.get_running_loop()
                _, link = await loop.create_connection(lambda: cls(framing, stray), host, port)
        except TimeoutError:
            raise UnreachableError(f"no connection to {host}:{port} within {timeout_s:g} s") from None
        except (OSError, UnicodeError) as error:
            raise UnreachableError(f"no connection to {host}:{port}: {error}") from None
        return link

    @property
    def alive(self) -> bool:
        """Whether something may be asked."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, unit: int, request: Request, timeout_s: float) -> tuple[int, ...]:
        """The registers (or bits as 0 and 1) of the answer; nothing for a write.

        Raises:
            AskError: the kind of failure; ``arrived`` tells whether the request may have reached the device.
        """
        if self._transport is None or not self.alive:
            raise DroppedError("the connection is gone", arrived=False)
        if not self._numbered:
            self._unread = b""
        self._number = self._number % _LAST_NUMBER + 1
        frame = self._framer.buildFrame(_message(unit, request, self._number))
        self._asked = (unit, request)
        answer: asyncio.Future[tuple[int, ...]] = self._loop.create_future()
        self._answer = answer
        self._transport.write(frame)
        timer = self._loop.call_later(timeout_s, self._give_up, timeout_s)
        try:
            return await answer
        finally:
            timer.cancel()
            self._answer = self._asked = None
            del answer  # or a failure, its traceback and this frame hold each other until the collector comes

    def close(self) -> None:
        """Leave; whoever waits for an answer is told."""
        self._fail(DroppedError("the connection was closed"))
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: connected."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour only

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self._transport = None
        self._fail(DroppedError(f"the connection was lost{f': {exc}' if exc else ''}"))

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes, of a part of a frame or of several."""
        self._unread += data
        try:
            self._take_frames()
        except (ModbusException, ValueError, IndexError) as error:
            self._spoil(f"not Modbus: {error}")

    def _take_frames(self) -> None:
        while self._unread:
            if self._numbered and len(self._unread) >= _HEADER and self._unread[2:4] != b"\0\0":
                self._spoil("not Modbus TCP")
                return
            used, unit, number, body = self._framer.decode(self._unread)
            self._unread = self._unread[used:]
            if body:
                self._take(unit, number, body)
            elif not used:
                break
        if len(self._unread) > _UNREAD_LIMIT:
            self._spoil("more than one answer can hold")

    def _take(self, unit: int, number: int, body: bytes) -> None:
        if self._answer is None or self._asked is None or (self._numbered and number != self._number):
            self._stray("late")
            return
        asked, request = self._asked
        if asked and unit != asked:  # who is asked as unit 0 answers by its own number
            self._stray("wrong_unit")
            return
        reply = self._framer.decoder.decode(body)
        try:
            words = _words(request, reply)
        except AskError as error:
            self._fail(error)
        else:
            if not self._answer.done():
                self._answer.set_result(words)

    def _spoil(self, text: str) -> None:
        """What comes cannot be understood, and where the next frame begins is unknown: this connection is of no use."""
        self._unread = b""
        self._fail(GarbledError(text))
        if self._transport is not None:
            self._transport.abort()

    def _give_up(self, timeout_s: float) -> None:
        self._fail(SilentError(f"no answer within {timeout_s:g} s"))

    def _fail(self, error: AskError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def _message(unit: int, request: Request, number: int) -> ModbusPDU:
    """The request as pymodbus has it."""
    if isinstance(request, Read):
        kind = _READS[request.table]
        return kind(dev_id=unit, transaction_id=number, address=request.address, count=request.count)
    if request.table == "coil":
        coils = [bool(word) for word in request.words]
        several = WriteMultipleCoilsRequest if request.multiple else WriteSingleCoilRequest
        return several(dev_id=unit, transaction_id=number, address=request.address, bits=coils)
    words = list(request.words)
    writer = WriteMultipleRegistersRequest if request.multiple else WriteSingleRegisterRequest
    return writer(dev_id=unit, transaction_id=number, address=request.address, registers=words)


def _words(request: Request, reply: ModbusPDU | None) -> tuple[int, ...]:
    """What the reply says, if it is one to ``request``.

    Raises:
        GarbledError: it is not.
        ExceptionReplyError: the device refuses.
    """
    if reply is None:
        raise GarbledError("the answer cannot be decoded")
    if reply.function_code & ~_FAILED != _function(request):
        raise GarbledError(f"the answer is to function {reply.function_code & ~_FAILED}")
    if reply.isError():
        raise reply_error(reply.exception_code)
    if isinstance(request, Write):
        if reply.address != request.address:
            raise GarbledError(f"the answer is to a write at {reply.address}")
        return ()
    if request.table in {"coil", "discrete"}:
        if len(reply.bits) < request.count:
            raise GarbledError(f"{request.count} bits were asked for, {len(reply.bits)} came")
        return tuple(int(bit) for bit in reply.bits[: request.count])
    if len(reply.registers) != request.count:
        raise GarbledError(f"{request.count} registers were asked for, {len(reply.registers)} came")
    return tuple(reply.registers)


def _function(request: Request) -> int:
    return _message(0, request, 0).function_code
