"""The web room's door: the application, and the server that runs it in the daemon's own loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Security
from uvicorn.server import ServerState

from triage.web import console, problems
from triage.web.api import complaints, events, fleet, health, incidents, orders, piles, silences
from triage.web.asking import Front
from triage.web.auth import Doorkeeper
from triage.web.board import Board
from triage.web.documented import BEARER, ERRORS
from triage.web.guard import GuardedProtocol
from triage.web.headers import LocalNames, SafeHeaders
from triage.web.parts import WebParts
from triage.web.reading import PatientQueries

MOST_CONNECTIONS = 512
KEEP_ALIVE_S = 10
GRACE_S = 3
_CALLS = (complaints, incidents, orders, piles, silences, fleet, events)


def create_api(parts: WebParts) -> FastAPI:
    """The application over ``parts``.

    Raises:
        ValueError: a token entry is wrong; the message names it.
    """
    api = FastAPI(
        title="pile-triage",
        summary="Complaints, incidents, recovery and work orders of charging piles",
        version=parts.release or "0",
        openapi_url="/api/openapi.json",
        docs_url=None,  # both viewers fetch their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    queries = PatientQueries(parts.queries, parts.read_timeout_s)
    api.state.front = Front(parts, queries)
    api.state.board = Board(parts, queries)
    api.state.doorkeeper = Doorkeeper(parts.tokens, parts.clock)
    problems.install(api)
    for call in _CALLS:
        api.include_router(call.router, prefix="/api/v1", responses=ERRORS, dependencies=[Security(BEARER)])
    api.include_router(health.router)
    console.install(api)
    if not parts.tokens:
        api.add_middleware(LocalNames)
    api.add_middleware(SafeHeaders)
    return api


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers, telling when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the daemon."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.listening.set()


class WebServer:
    """Serves an application on ``host``:``port`` until it is stopped; port 0 takes a free one."""

    def __init__(self, parts: WebParts, host: str = "127.0.0.1", port: int = 0) -> None:
        self._parts = parts
        self._host = host
        self._wanted_port = port
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the wanted one before :meth:`start`."""
        if self._socket is None or self._socket.fileno() < 0:
            return self._wanted_port
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Listen; returns once connections are answered.

        Raises:
            OSError: the address is taken or is none of this machine.
            ValueError: a token entry is wrong.
        """
        server = _Server(_config(create_api(self._parts)))
        self._socket = _bound(self._host, self._wanted_port)
        self._wanted_port = self.port
        self._server = server
        self._task = asyncio.create_task(server.serve(sockets=[self._socket]), name="web")
        listening = asyncio.create_task(server.listening.wait())
        await asyncio.wait({self._task, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Stop listening, let running requests finish for a few seconds, then end what is left. May be called twice."""
        if self._server is None or self._task is None:
            return
        self._parts.bulletin.close()
        self._server.should_exit = True
        task, self._task = self._task, None
        await asyncio.wait({task})
        await _let_go(self._server.server_state)
        task.result()


async def _let_go(left: ServerState) -> None:
    # Whoever does not read what we sent would hold its connection for ever.
    for connection in list(left.connections):
        connection.transport.abort()
    if left.tasks:
        await asyncio.wait(set(left.tasks), timeout=GRACE_S)


def _config(api: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        api,
        http=GuardedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the client's address limits wrong tokens, so nobody may make one up
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=16 * 1024,
    )


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(256)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound
