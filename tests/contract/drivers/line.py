"""The blueprint's gateway: a TCP server that knows its lines by heart."""

from __future__ import annotations

import asyncio

from tests.contract.drivers.field import PILE, SITE, SPEED, Field, Session
from tests.integration.brokers import WallClock
from triage.drivers._blueprint.driver import LineDriver
from triage.interfaces import Driver


class LineField(Field):
    """Lines of words."""

    async def _open(self) -> int:
        self._visitors: set[asyncio.StreamWriter] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        self._server.close()
        for visitor in self._visitors:
            visitor.transport.abort()

    def driver(self, fresh_s: float = 60.0) -> Driver:
        sites = {PILE: SITE}
        return LineDriver("127.0.0.1", self.gate.port, sites, clock=WallClock(), fresh_s=fresh_s, speed=SPEED)

    async def say(
        self,
        status: str = "available",
        session: Session = Session.NONE,
        *,
        danger: bool = False,
        pile: str = PILE,
    ) -> None:
        tail = {Session.NONE: "/-", Session.LIVE: "/s-1", Session.UNKNOWN: ""}[session]
        fault = " fault=GroundFailure@1" if danger else ""
        self._write(f"state {pile} uptime=12.5 1={status}{tail}{fault}\n".encode())

    async def garble(self) -> None:
        self._write(b"state p-1 uptime=\xff\xfe nonsense\n")

    def _write(self, line: bytes) -> None:
        for visitor in self._visitors:
            visitor.write(line)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._visitors.add(writer)
        try:
            while line := await reader.readline():
                _, pile, id, action, _ = line.decode().split()
                self.told.append(action)
                writer.write(f"answer {pile} {id} accepted\n".encode())
        except OSError:
            pass  # cut
        finally:
            self._visitors.discard(writer)
            writer.close()
