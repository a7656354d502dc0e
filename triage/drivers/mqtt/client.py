"""Keeps one connection to a broker alive, for as long as the daemon runs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Protocol

from triage.drivers.mqtt.connection import Connection, Listener, RefusedError
from triage.drivers.mqtt.counters import Counters
from triage.drivers.mqtt.options import BrokerOptions
from triage.drivers.mqtt.packets import Received
from triage.drivers.mqtt.window import Window

BACKOFF_LEAST_S = 1.0
BACKOFF_MOST_S = 30.0
_STABLE_S = 10.0
_FAREWELL_S = 1.0
TOPICS_A_PACKET = 200


def _nobody() -> None:
    """Nobody wants to know."""


class LinkListener(Listener, Protocol):
    """A :class:`Listener` that is also told when the way to the broker is gone."""

    def down(self, reason: str) -> None:
        """The connection is lost, or could not be made at first."""


class MqttClient:
    """Connects, subscribes, and connects again with a jittered back-off.

    Attributes:
        refused: the topics that the broker would not let us listen to on this connection.
    """

    def __init__(  # noqa: PLR0913 -- one argument a setting
        self,
        options: BrokerOptions,
        topics: Sequence[tuple[str, int]],
        listener: LinkListener,
        counters: Counters,
        speed: float = 1.0,
        *,
        renew: bool = False,
        lenient: bool = False,
        subscribed: Callable[[], None] = _nobody,
    ) -> None:
        """Prepare; nothing connects before :meth:`start`.

        Args:
            options: the broker, and who we are there.
            topics: what to subscribe, with the QoS of each.
            listener: who is told what happens on the wire.
            counters: where it is counted.
            speed: divides the pauses between attempts.
            renew: subscribe on every connection, also to a session the broker had kept: it tells what it retains anew.
            lenient: live without the topics that the broker refuses, as long as it grants others; see :attr:`refused`.
            subscribed: called whenever all of ``topics`` are in force on a new connection.
        """
        self._options = options
        self._topics = dict.fromkeys(topics)
        self._listener = listener
        self._counters = counters
        self._window = Window(counters)  # one for all connections: what a lost one handed over still waits inside
        self._speed = speed
        self._renew = renew
        self._lenient = lenient
        self._on_subscribed = subscribed
        self._subscribing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._subscribed_once = False
        self._told_up: bool | None = None
        self._attempt = 0
        self._chance = random.Random()  # noqa: S311 -- jitter, not a secret
        self.last_error = ""
        self.refused: set[str] = set()

    @property
    def connected(self) -> bool:
        """Whether a broker has welcomed us and is there now."""
        return self._told_up is True

    def start(self) -> None:
        """Begin to connect in the background."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name="mqtt-client")

    async def stop(self) -> None:
        """Leave cleanly; unacknowledged messages stay with the broker."""
        task, self._task = self._task, None
        connection = self._connection
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))
        self._told_up = None
        if connection is not None and not connection.gone.done():
            await asyncio.wait((connection.gone,), timeout=_FAREWELL_S)
            connection.abort("left")

    async def publish(self, topic: str, payload: bytes, patience_s: float, qos: int = 1) -> tuple[str, str]:
        """Write one message at most once; (outcome, reason) as :meth:`Connection.publish` says."""
        if self._connection is None or not self.connected:
            return "not_sent", "not_connected"
        return await self._connection.publish(topic, payload, patience_s, qos)

    def add(self, topics: Sequence[tuple[str, int]]) -> None:
        """Subscribe these topics too, on every later connection."""
        self._topics.update(dict.fromkeys(topics))

    async def subscribe(self, topics: Sequence[tuple[str, int]]) -> None:
        """Listen to these topics too (again), from now on and on every later connection.

        Raises:
            RefusedError: the broker refuses one of them; the connection is given up, as it would be at its beginning.
            OSError: the connection was lost meanwhile; the next one subscribes them.
        """
        self.add(topics)
        connection = self._connection
        if connection is None:
            return
        try:
            await self._subscribe(connection, topics)
        except (OSError, RefusedError) as error:
            connection.abort(str(error) or "no answer to a subscription")
            raise

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            try:
                reason = await self._once()
            except (OSError, RefusedError) as error:  # TimeoutError is an OSError
                self._counters.count("connect_failures")
                reason = str(error) or "no answer in time"
            except Exception as error:  # noqa: BLE001 -- nothing may end the daemon's only way to the field
                self._counters.count("callback_errors")
                reason = f"{type(error).__name__}: {error}"
            self._tell_down(reason)
            if loop.time() - began_s > _STABLE_S / self._speed:
                self._attempt = 0
            await asyncio.sleep(self._pause_s())

    async def _once(self) -> str:
        """One connection from its making to its loss; why it was lost."""
        connection = await Connection.open(self._options, self, self._counters, self._window)
        self._connection = connection
        self.refused.clear()
        self._counters.count("connects")
        try:
            if self._renew or not connection.session_present or not self._subscribed_once:
                await self._subscribe(connection, tuple(self._topics))
                self._subscribed_once = True
            self._counters.count("subscriptions_in_force")
            self._on_subscribed()
            return await connection.hold()
        finally:
            self._connection = None
            connection.leave()

    async def _subscribe(self, connection: Connection, topics: Sequence[tuple[str, int]]) -> None:
        """Subscribe in packets of a size every broker takes, one after the other."""
        async with self._subscribing:
            for at in range(0, len(topics), TOPICS_A_PACKET):
                packet = topics[at : at + TOPICS_A_PACKET]
                try:
                    await connection.subscribe(packet)
                except RefusedError as error:
                    self.refused.update(error.topics)
                    # One list of topics that is not allowed must not deafen us to everybody else.
                    if not self._lenient or not error.topics or self.refused >= {topic for topic, _ in self._topics}:
                        raise
                    self._counters.count("subscriptions_refused", len(error.topics))

    def up(self, *, resumed: bool) -> None:
        """From the connection: welcomed."""
        self._told_up = True
        self._listener.up(resumed=resumed)

    def receive(self, messages: Sequence[Received], ack: Callable[[], None]) -> None:
        """From the connection: a batch."""
        self._listener.receive(messages, ack)

    def _tell_down(self, reason: str) -> None:
        self.last_error = reason
        if self._told_up is False:
            return
        self._told_up = False
        try:
            self._listener.down(reason)
        except Exception:  # noqa: BLE001 -- a listener's fault must not end the reconnecting
            self._counters.count("callback_errors")

    def _pause_s(self) -> float:
        """Doubling from 1 s to 30 s, each shortened by up to a half so that many daemons do not come at once."""
        longest_s = min(BACKOFF_MOST_S, BACKOFF_LEAST_S * 2.0**self._attempt)
        self._attempt = min(self._attempt + 1, 10)
        return longest_s * self._chance.uniform(0.5, 1.0) / self._speed
