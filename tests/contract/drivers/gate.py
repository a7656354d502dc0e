"""A TCP gate on the way to the field: it can be cut, mended, and let questions through but no answers."""

from __future__ import annotations

import asyncio
import contextlib

from tests.parts import free_port


class Gate:
    """Forwards to ``target`` on the loopback interface.

    Attributes:
        port: where the driver connects, also while the gate is shut.
        answers: whether what the target says is let through.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.answers = True
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def visitors(self) -> int:
        """Connections the driver holds now."""
        return len(self._open)

    async def mend(self) -> None:
        """Let connections in."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Drop every connection, and let none in."""
        if self._server is not None:
            self._server.close()
        self._server = None
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        far: asyncio.StreamWriter | None = None
        try:
            back, far = await asyncio.open_connection("127.0.0.1", self._target)
            ways = [
                asyncio.ensure_future(self._pump(reader, far, asked=True)),
                asyncio.ensure_future(self._pump(back, writer, asked=False)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # the target is gone, or the gate was cut
        finally:
            self._open.discard(task)
            for each in (writer, far):
                if each is not None:
                    each.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, asked: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                if asked or self.answers:
                    sink.write(data)
                    await sink.drain()
