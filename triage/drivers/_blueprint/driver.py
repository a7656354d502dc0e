"""The way to the field over one TCP connection: the only file of this driver that does I/O."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from triage.core.effects import Command
from triage.core.events import CommandAnswer, DriverLink, Event, PileStatus, Telemetry
from triage.drivers._blueprint.codec import DRIVER, LINE_LIMIT_BYTES, decode, encode, quarantine
from triage.drivers.second_look import SecondLook
from triage.interfaces import Clock, Dispatch, Inlet

SILENCE_S = 60.0
"""The gateway says something every 30 s; twice that without a word, and the connection is dead."""

PATIENCE_S = 5.0
BACKOFF_LEAST_S = 1.0
BACKOFF_MOST_S = 30.0


class LineDriver:
    """Speaks to one gateway; implements :class:`triage.interfaces.Driver`."""

    name = DRIVER

    def __init__(
        self, host: str, port: int, sites: Mapping[str, str], *, clock: Clock, fresh_s: float, speed: float = 1.0
    ) -> None:
        """Prepare; nothing connects before :meth:`start`.

        Args:
            host: where the gateway is.
            port: its TCP port.
            sites: the site of every pile of ours behind it, from the fleet file.
            clock: the edge's clock; nothing here reads another one.
            fresh_s: age in seconds beyond which a reading permits nothing.
            speed: divides the pauses between attempts to connect.
        """
        self._host, self._port, self._sites = host, port, dict(sites)
        self._clock, self._speed = clock, speed
        self._look = SecondLook(fresh_s)
        self._inlet: Inlet | None = None
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[str, asyncio.Future[bool]] = {}

    async def start(self, inlet: Inlet) -> None:
        """Connect, and keep connected, in the background. A gateway that is down is no error: it will come."""
        self._inlet = inlet
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name="line-driver")

    async def stop(self) -> None:
        """Leave; nothing of the driver runs afterwards."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    async def send(self, command: Command) -> Dispatch:
        """Look a second time, then write at most once. Every way out of here is one of three words."""
        try:
            line = encode(command)
        except ValueError:
            return Dispatch("not_sent", "cannot_be_written")
        if command.pile not in self._sites:
            return Dispatch("not_sent", "unknown_pile")
        now = self._clock.now()
        refusal = self._look.refuse(command, now, self._clock.monotonic())
        if refusal is not None:
            return Dispatch("not_sent", refusal)
        writer = self._writer
        if writer is None or writer.is_closing():
            return Dispatch("not_sent", "not_connected")
        left_s = (command.expires_at - now).total_seconds()
        return await self._write(writer, command.id, line, min(PATIENCE_S, left_s))

    async def _write(self, writer: asyncio.StreamWriter, id: str, line: bytes, patience_s: float) -> Dispatch:
        """From the write on nobody can say that it did not leave: without an answer the outcome is unknown."""
        answered = self._waiting[id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(patience_s):
                writer.write(line)
                await writer.drain()
                return Dispatch("sent") if await answered else Dispatch("unknown", "connection_lost")
        except TimeoutError:
            return Dispatch("unknown", "no_answer")
        except OSError:
            return Dispatch("unknown", "connection_lost")
        finally:
            self._waiting.pop(id, None)

    # --- the connection -------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """One connection after the other, with a growing pause; only :meth:`stop` ends it."""
        attempt, told_up = 0, None
        while True:
            with contextlib.suppress(OSError):  # TimeoutError is one
                async with asyncio.timeout(PATIENCE_S):
                    reader, writer = await asyncio.open_connection(self._host, self._port, limit=LINE_LIMIT_BYTES)
                attempt, told_up = 0, True
                await self._hold(reader, writer)
            if told_up is not False:  # also when the very first attempt failed
                told_up = False
                self._offer(DriverLink(received_at=self._clock.now(), driver=self.name, up=False))
            await asyncio.sleep(min(BACKOFF_MOST_S, BACKOFF_LEAST_S * 2**attempt) / self._speed)
            attempt = min(attempt + 1, 10)

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its making to its loss."""
        self._writer = writer
        self._look.connected(self._clock.monotonic(), resumed=False)
        self._offer(DriverLink(received_at=self._clock.now(), driver=self.name, up=True))
        try:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    line = await _line(reader)
                if line is None:
                    return
                self._take(line)
                if len(line) > LINE_LIMIT_BYTES:
                    return  # nobody can tell where the next line begins
        finally:
            # In this order: first nothing may leave any more, then nobody waits any longer, then the socket goes.
            self._writer = None
            self._look.disconnected()
            for id in list(self._waiting):
                self._settle(id, answered=False)
            writer.transport.abort()

    def _take(self, line: bytes) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        if len(line) > LINE_LIMIT_BYTES:
            self._offer(quarantine(line, "too_large", now))
            return
        event = decode(line, self._sites, now)
        if event is None:
            return
        # The second look comes first: it must know at least as much as the core when a command comes back.
        if isinstance(event, Telemetry):
            self._look.telemetry(event, now_s)
        elif isinstance(event, PileStatus):
            self._look.status(event, now_s)
        elif isinstance(event, CommandAnswer):
            self._settle(event.command, answered=True)
        self._offer(event)

    def _settle(self, id: str, *, answered: bool) -> None:
        waiting = self._waiting.get(id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answered)

    def _offer(self, event: Event) -> None:
        if self._inlet is not None:
            self._inlet.offer([event])


async def _line(reader: asyncio.StreamReader) -> bytes | None:
    """The next line without its end, None at the end of the stream; of a line without end, as much as is kept."""
    try:
        return (await reader.readuntil(b"\n"))[:-1]
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        return await reader.read(2 * LINE_LIMIT_BYTES)
