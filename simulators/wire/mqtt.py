"""Simulated piles on a real broker: one connection each with a last will, or a few shared ones for load.

Alone, a pile connects, subscribes to its commands, and speaks; when it crashes or loses its link the socket is broken,
so that the broker itself publishes the will. On a shared connection no will of a single pile is possible: there the
connection publishes it in the broker's place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import aiomqtt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from simulators.pile import Message, Pile
    from simulators.wire.berth import Berth
    from simulators.wire.pace import Pace

    Ear = asyncio.Task[None]

IN_FLIGHT = 100
NOTICED_WITHIN_S = 5.0
GATHERING_S = 0.02
"""A shared connection sends in bursts at least this far apart."""
SUBSCRIBE_AT_ONCE = 100
PORTS = {"mqtt": 1883, "mqtts": 8883}
OFFLINE = json.dumps({"online": False})


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker is and how to talk to it."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = None
    keepalive_s: int = 30

    @classmethod
    def parse(cls, url: str) -> Broker:
        """Read ``mqtt[s]://[user:password@]host[:port]``.

        Raises:
            ValueError: it is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or parts.path not in {"", "/"}:
            raise ValueError(f"{url!r} is no broker: write mqtt://host:port or mqtts://host:port")
        return cls(
            host=parts.hostname,
            port=parts.port or PORTS[parts.scheme],
            tls=parts.scheme == "mqtts",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    def client(self, identifier: str, will: aiomqtt.Will | None = None) -> aiomqtt.Client:
        """A client that is not connected yet."""
        client = aiomqtt.Client(
            self.host,
            self.port,
            username=self.username,
            password=self.password,
            identifier=identifier,
            will=will,
            clean_session=True,
            keepalive=self.keepalive_s,
            max_inflight_messages=IN_FLIGHT,
            tls_context=ssl.create_default_context() if self.tls else None,
        )
        client.pending_calls_threshold = IN_FLIGHT  # that many at once are meant, and nothing to warn of
        return client


class Backoff:
    """How long to wait before the next try to connect: doubled up to a bound, with jitter."""

    def __init__(self, rng: Random, first_s: float = 0.5, most_s: float = 15.0) -> None:
        """Begin with about ``first_s``."""
        self._rng = rng
        self._first_s = self._next_s = first_s
        self._most_s = most_s

    async def wait(self) -> None:
        """Wait, and double the next wait."""
        await asyncio.sleep(self._next_s * self._rng.uniform(0.5, 1.5))
        self._next_s = min(self._next_s * 2.0, self._most_s)

    def reset(self) -> None:
        """A connection was made."""
        self._next_s = self._first_s


class Line:
    """One pile with a connection of its own."""

    def __init__(self, berth: Berth, broker: Broker, pace: Pace, rng: Random) -> None:
        """Nothing is connected before :meth:`run`."""
        self._berth = berth
        self._pile = berth.pile
        self._broker = broker
        self._pace = pace
        self._backoff = Backoff(rng)
        self._start_after_s = rng.uniform(0.0, 1.0)

    async def run(self) -> None:
        """Live until cancelled: connected while the pile runs and the broker is there, else waiting for both."""
        await asyncio.sleep(self._start_after_s)
        while True:
            await self._until_it_wants()
            try:
                async with self._connection() as client:
                    await self._talk(client)
            except aiomqtt.MqttError:
                self._berth.counts["connection_failures"] += 1
                await self._backoff.wait()

    async def _until_it_wants(self) -> None:
        while not self._berth.wants_link():
            self._berth.take()  # a pile without a connection has nothing to say, but its day goes on
            if not self._berth.wants_link():
                await _nudged(self._berth.nudge, self._berth.wait_s())

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiomqtt.Client]:
        prefix = self._pile.command_topic.removesuffix("/command")
        will = aiomqtt.Will(f"{prefix}/status", OFFLINE, qos=1, retain=True)
        async with self._broker.client(f"sim-{self._pile.id}", will) as client:
            await client.subscribe(self._pile.command_topic, qos=1)
            self._backoff.reset()
            self._berth.counts["connections"] += 1
            self._berth.do(lambda pile, now: pile.link(now, up=True))
            try:
                yield client
            finally:
                self._pile.link(self._pace.now(), up=False)

    async def _talk(self, client: aiomqtt.Client) -> None:
        nudge = self._berth.nudge
        async with _listening(client, {self._pile.command_topic: self._berth}, nudge) as ear:
            while self._berth.wants_link() and not ear.done():
                for message in self._berth.take():
                    if not message.by_broker:
                        await _publish(client, self._berth, message)
                if self._berth.wants_link() and not ear.done():
                    await _nudged(nudge, self._berth.wait_s())
            if not self._berth.wants_link() and not self._pile.left_politely:
                _break(client)
                await asyncio.wait([ear], timeout=NOTICED_WITHIN_S)


class Trunk:
    """Many piles on one connection."""

    def __init__(self, name: str, berths: Sequence[Berth], broker: Broker, pace: Pace, rng: Random) -> None:
        """All ``berths`` share one nudge."""
        self._name = name
        self._berths = berths
        self._broker = broker
        self._pace = pace
        self._backoff = Backoff(rng)
        self._planned = [berth.pile.next_at() for berth in berths]
        self._queue = [(at, number) for number, at in enumerate(self._planned)]
        heapify(self._queue)

    async def run(self) -> None:
        """Live until cancelled; a lost connection is made again."""
        topics = {berth.pile.command_topic: berth for berth in self._berths}
        names = list(topics)
        while True:
            try:
                async with self._broker.client(f"sim-trunk-{self._name}") as client:
                    for first in range(0, len(names), SUBSCRIBE_AT_ONCE):
                        await client.subscribe([(name, 1) for name in names[first : first + SUBSCRIBE_AT_ONCE]])
                    self._backoff.reset()
                    self._berths[0].counts["connections"] += 1
                    await self._talk(client, topics)
            except aiomqtt.MqttError:
                self._berths[0].counts["connection_failures"] += 1
                for berth in self._berths:
                    berth.pile.link(self._pace.now(), up=False)
                await self._backoff.wait()

    async def _talk(self, client: aiomqtt.Client, topics: dict[str, Berth]) -> None:
        nudge = self._berths[0].nudge
        async with _listening(client, topics, nudge) as ear:
            for berth in self._berths:
                berth.do(_link_up)
            while not ear.done():
                spoken = self._collect()
                for first in range(0, len(spoken), IN_FLIGHT):
                    # Publishing begins in this order; only the acknowledgements are awaited together.
                    batch = spoken[first : first + IN_FLIGHT]
                    await asyncio.gather(*(_publish(client, berth, message) for berth, message in batch))
                if not ear.done():
                    await _nudged(nudge, max(self._pace.wait_s(self._queue[0][0]), GATHERING_S))

    def _collect(self) -> list[tuple[Berth, Message]]:
        """What those have to say whose time has come, or to whom something happened."""
        now = self._pace.now()
        due = [number for number, berth in enumerate(self._berths) if berth.pressing]
        while self._queue and self._queue[0][0] <= now:
            at, number = heappop(self._queue)
            if at == self._planned[number]:  # otherwise it was planned anew meanwhile
                due.append(number)
        spoken: list[tuple[Berth, Message]] = []
        for number in due:
            berth = self._berths[number]
            spoken += [(berth, message) for message in berth.take()]
            self._planned[number] = berth.pile.next_at()
            heappush(self._queue, (self._planned[number], number))
        return spoken


def _link_up(pile: Pile, now: float) -> list[Message]:
    return pile.link(now, up=True)


async def _listen(client: aiomqtt.Client, topics: dict[str, Berth]) -> None:
    async for message in client.messages:
        berth = topics.get(str(message.topic))
        if berth is not None and not message.retain:
            berth.hear(message.payload)


async def _publish(client: aiomqtt.Client, berth: Berth, message: Message) -> None:
    payload = json.dumps(message.payload, separators=(",", ":"))
    await client.publish(berth.pile.topic(message), payload, qos=1, retain=message.retain)
    berth.sent(message)


async def _nudged(nudge: asyncio.Event, timeout_s: float) -> None:
    """Wait for a nudge, or for the time to pass."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await nudge.wait()
    nudge.clear()


@contextlib.asynccontextmanager
async def _listening(client: aiomqtt.Client, topics: dict[str, Berth], nudge: asyncio.Event) -> AsyncIterator[Ear]:
    """Take commands meanwhile. The end of the connection nudges whoever waits to speak."""
    ear = asyncio.create_task(_listen(client, topics))
    ear.add_done_callback(lambda _: nudge.set())
    try:
        yield ear
    finally:
        ear.cancel()
        # Gathered rather than awaited bare: a cancellation of our own must not be taken for the ear's.
        await asyncio.gather(ear, return_exceptions=True)


def _break(client: aiomqtt.Client) -> None:
    """Cut the connection as a crash would: without the farewell that discards the last will."""
    # aiomqtt has no call for this; paho's socket() is public.
    wire = client._client.socket()  # noqa: SLF001
    if isinstance(wire, socket.socket):
        with contextlib.suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)
