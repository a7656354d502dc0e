"""One endpoint (a charger, or a gateway with several behind it): one connection, one request at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from urllib.parse import urlsplit

from msgspec import Struct

from triage.drivers.modbus.counters import Counters
from triage.drivers.modbus.link import Framing, Link
from triage.drivers.modbus.messages import (
    AskError,
    DroppedError,
    GarbledError,
    Request,
    SilentError,
    UnreachableError,
    Write,
)
from triage.drivers.modbus.pace import Backoff

BACKOFF_FIRST_S = 1.0
SILENCES = 2
"""After so many unanswered requests in a row, by every unit that is asked, the connection itself is taken for dead."""


class Address(Struct, frozen=True):
    """Where an endpoint is, and in which frames it speaks."""

    host: str
    port: int
    framing: Framing = "tcp"

    def __str__(self) -> str:
        """As ``host:port``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address_of(endpoint: str, port: int, framing: Framing = "tcp") -> Address:
    """The address in a fleet file's ``endpoint``: ``host``, ``host:port`` or ``[IPv6]:port``.

    Raises:
        ValueError: it names no host, or a port that is none; the text says which.
    """
    text = endpoint.strip().removeprefix("modbus://").removeprefix("tcp://")
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    try:
        parts = urlsplit(f"//{text}")
        host, given = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{endpoint!r} is no host:port: {error}") from None
    if not host or parts.path or parts.query or parts.fragment or parts.username is not None or given == 0:
        raise ValueError(f"{endpoint!r} is no host:port")
    return Address(host, given or port, framing)


class Endpoint:
    """Everything asked of one address goes through here, in order of asking.

    Attributes:
        generation: grows with every connection made.
        down: whether the last attempt to connect failed and none has stood since.
        retry_at_s: before this moment of the loop's clock nobody tries to connect, unless eager.
    """

    def __init__(self, address: Address, counters: Counters, tell: Callable[[], None]) -> None:
        """``tell`` is called whenever :attr:`down` changes."""
        self.address = address
        self.spacing_s = 0.0
        self.generation = 0
        self.down = False
        self.retry_at_s = 0.0
        self.last_error = ""
        self._counters = counters
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._link: Link | None = None
        self._free_at_s = 0.0
        self._silences = 0
        self._retired = False
        self._units: dict[int, bool] = {}  # every unit asked on this connection, and whether it answered last
        self._backoff = Backoff(BACKOFF_FIRST_S, random.Random())  # noqa: S311 -- jitter, not a secret

    @property
    def shared(self) -> bool:
        """Whether several units were asked on the present connection."""
        return len(self._units) > 1

    async def connect(self, timeout_s: float, *, eager: bool = False) -> None:
        """Have a connection.

        Raises:
            UnreachableError: there is none.
        """
        if self._link is None or not self._link.alive:
            async with self._turn:
                await self._connected(timeout_s, eager=eager)

    async def ask(
        self,
        unit: int,
        request: Request,
        timeout_s: float,
        *,
        eager: bool = False,
        last_check: Callable[[], None] | None = None,
    ) -> tuple[int, ...]:
        """The answer's registers; see :meth:`Link.ask`. Waits for its turn first.

        Args:
            unit: who is asked.
            request: what is asked.
            timeout_s: how long connecting and answering may take, each.
            eager: connect even though it failed a short while ago.
            last_check: called just before the request is written; what it raises keeps the request here.

        Raises:
            AskError: no good answer.
        """
        async with self._turn:
            link = await self._connected(timeout_s, eager=eager)
            wait_s = self._free_at_s - self._loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if last_check is not None:
                last_check()
            if isinstance(request, Write):
                self._counters.count("writes")
            try:
                return await self._asked(link, unit, request, timeout_s)
            finally:
                self._free_at_s = self._loop.time() + self.spacing_s
                if self._retired:
                    self._drop()

    async def _asked(self, link: Link, unit: int, request: Request, timeout_s: float) -> tuple[int, ...]:
        self._counters.count("requests")
        try:
            words = await link.ask(unit, request, timeout_s)
        except (SilentError, asyncio.CancelledError):
            self._units[unit] = False
            self._silences += 1
            # A late answer in serial frames has no number: it would be taken for the answer to the next request.
            dead = self._silences >= SILENCES and not any(self._units.values())
            if dead or self.address.framing != "tcp":
                self._drop()
            raise
        except (DroppedError, GarbledError):
            self._drop()
            raise
        except AskError:
            self._heard(unit)
            raise
        self._heard(unit)
        return words

    def _heard(self, unit: int) -> None:
        self._units[unit] = True
        self._silences = 0

    async def _connected(self, timeout_s: float, *, eager: bool) -> Link:
        if self._link is not None and self._link.alive:
            return self._link
        if self.down and not eager and self._loop.time() < self.retry_at_s:
            raise UnreachableError(self.last_error)
        self._drop()
        try:
            self._link = await Link.open(
                self.address.host, self.address.port, self.address.framing, timeout_s, self._counters.count
            )
        except UnreachableError as error:
            self.last_error = str(error)
            self.retry_at_s = self._loop.time() + self._backoff.pause_s()
            self._counters.count("connect_failures")
            self._set_down(down=True)
            raise
        self.generation += 1
        self._units.clear()
        self._silences = 0
        self._backoff.reset()
        self._counters.count("connects")
        self._set_down(down=False)
        return self._link

    def _set_down(self, *, down: bool) -> None:
        if self.down != down:
            self.down = down
            self._tell()

    def _drop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def close(self) -> None:
        """Leave."""
        self._drop()

    def retire(self) -> None:
        """Nobody is behind it any more: keep no connection beyond a request that is still under way."""
        self._retired = True
        if not self._turn.locked():
            self._drop()
