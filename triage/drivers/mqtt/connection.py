"""One connection to a broker, from the handshake to its loss; never used twice.

Messages of one readable burst are handed over as one batch. Their acknowledgement belongs to this connection: the
broker numbers messages anew on the next one, and a late acknowledgement there would lose somebody else's message.
While too many messages wait inside the daemon, nothing is read; pings and commands still leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTErrorCode

from triage.drivers.mqtt.counters import Counters
from triage.drivers.mqtt.options import BrokerOptions
from triage.drivers.mqtt.packets import Received, acknowledgements
from triage.drivers.mqtt.pipe import Machine, Pipe
from triage.drivers.mqtt.pulse import PING, Beat, Pulse
from triage.drivers.mqtt.window import Window

BATCH_LIMIT = 500
UNANSWERED_LIMIT = 500
_QOS_REFUSED = 128


class RefusedError(Exception):
    """The broker refused the connection or a subscription.

    Attributes:
        topics: the subscriptions it refused; the others of the same request are in force.
    """

    def __init__(self, text: str, topics: Sequence[str] = ()) -> None:
        """Keep both."""
        super().__init__(text)
        self.topics = tuple(topics)


class Listener(Protocol):
    """Who is told what happens on the wire, at once and in order."""

    def up(self, *, resumed: bool) -> None:
        """The broker welcomed us, and no message was read yet; ``resumed`` when it had kept our session."""

    def receive(self, messages: Sequence[Received], ack: Callable[[], None]) -> None:
        """The messages of one burst; call ``ack`` once they are durable."""


class Connection(asyncio.Protocol):
    """Joins a transport, paho's protocol machine and the receiver of batches."""

    def __init__(self, options: BrokerOptions, listener: Listener, counters: Counters, window: Window) -> None:
        """Whatever ``listener`` raises is counted and does not end the connection."""
        self._loop = loop = asyncio.get_running_loop()
        self.session_present = False
        self.closed: asyncio.Future[str] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self._greeted: asyncio.Future[None] = loop.create_future()
        self._subscribed: asyncio.Future[None] = loop.create_future()
        self._wanted: list[str] = []
        self._options = options
        self._listener = listener
        self._counters = counters
        self._window = window
        self._pulse = Pulse(options.silence_s, loop.time())
        self._burst: list[Received] = []
        self._ids: list[bytes] = []
        self._held = False
        self._unanswered = 0
        self._transport: asyncio.Transport
        self._pipe: Pipe
        self._machine: Machine

    # --- life ---------------------------------------------------------------------------------------------------

    @classmethod
    async def open(cls, options: BrokerOptions, listener: Listener, counters: Counters, window: Window) -> Connection:
        """Connect and wait for the broker's welcome.

        Raises:
            OSError: no way there, or TLS failed.
            RefusedError: the broker does not want us.
            TimeoutError: no answer within the keepalive time.
        """
        connection = cls(options, listener, counters, window)
        try:
            async with asyncio.timeout(options.keepalive_s):
                await connection._loop.create_connection(
                    lambda: connection, options.host, options.port, ssl=options.tls
                )
                await connection._greeted
        except BaseException:
            connection.abort("no welcome")
            raise
        return connection

    async def subscribe(self, topics: Sequence[tuple[str, int]]) -> None:
        """Subscribe and wait for the broker's consent; never twice at once.

        Raises:
            RefusedError: it refuses one of ``topics``.
            TimeoutError: no answer within the keepalive time, that spent without reading not counted.
            ConnectionError: the connection is lost.
        """
        if self.closed.done():
            raise ConnectionError(self.closed.result())
        self._subscribed = self._loop.create_future()
        self._wanted = [topic for topic, _ in topics]
        self._machine.subscribe(list(topics))
        self._guard(self._write)
        deadline_s = self._loop.time() + self._options.keepalive_s
        while not self._subscribed.done():
            await self._tick(self._subscribed)
            if self._held:  # the consent stands behind messages that wait for the daemon
                deadline_s = self._loop.time() + self._options.keepalive_s
            elif self._loop.time() >= deadline_s and not self._subscribed.done():
                raise TimeoutError
        self._subscribed.result()

    async def hold(self) -> str:
        """Keep the connection alive until it is lost; the reason."""
        while not self.closed.done():
            await self._tick(self.closed)
        return self.closed.result()

    async def _tick(self, awaited: asyncio.Future[Any]) -> None:
        """Wait a moment for ``awaited``, and look after the connection."""
        await asyncio.wait((awaited,), timeout=self._options.keepalive_s / 20)
        self._guard(self._look_after)

    def leave(self) -> None:
        """Say good-bye; the session and everything unacknowledged stay with the broker."""
        if self.alive:
            self._end("left")
            self._guard(self._machine.disconnect)
            self._guard(self._machine.loop_write)

    def abort(self, reason: str) -> None:
        """Drop the connection with whatever is still unwritten."""
        self._end(reason)
        if hasattr(self, "_transport"):
            self._transport.abort()

    @property
    def alive(self) -> bool:
        """Whether the broker welcomed us and has not been lost since."""
        return self._greeted.done() and not self.closed.done()

    def _end(self, reason: str) -> None:
        """Note the end, once; whoever waits is told."""
        if self.closed.done():
            return
        self.closed.set_result(reason)
        for waiting in (self._greeted, self._subscribed):
            _fail(waiting, ConnectionError(reason))

    # --- bytes in -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket (and TLS) is up."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour only
        self._transport = transport
        self._pipe = Pipe(transport)
        self._machine = machine = Machine(self._options, self._pipe)
        machine.on_connect = self._on_connect
        machine.on_subscribe = self._on_subscribe
        machine.on_message = self._on_message
        machine.on_publish = self._on_publish
        machine.on_disconnect = self._on_disconnect
        machine.on_socket_register_write = _gather
        self._guard(self._machine.reconnect)
        self._guard(self._write)

    def data_received(self, data: bytes) -> None:
        """asyncio: a burst of bytes."""
        self._pulse.heard(self._loop.time())
        self._pipe.feed(data)
        self._take_in()

    def eof_received(self) -> bool:
        """asyncio: the broker closed its side."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the socket is gone."""
        self._pipe.end()
        self.gone.set_result(None)
        self._end("connection lost" if exc is None else f"connection lost: {exc}")

    def _take_in(self) -> None:
        self._guard(self._read)
        self._hand_over()
        self._guard(self._write)

    def _read(self) -> None:
        """Read what the pipe holds, as far as the daemon has room for it; whole batches are handed over."""
        while self._pipe.pending and not (self._held or self.closed.done()):
            if not self._advance():
                break
            if len(self._burst) >= BATCH_LIMIT:
                self._hand_over()

    def _advance(self) -> bool:
        """Read ordinary messages ourselves, and let paho read the first packet that is none; False: too few bytes."""
        self._pipe.take(BATCH_LIMIT, self._burst, self._ids)
        if len(self._burst) >= BATCH_LIMIT or not self._pipe.pending:
            return True
        if not self._pipe.lend():
            return False
        if self._machine.loop_read() is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.abort("protocol error")
        return True

    def _hold_back(self) -> None:
        """Read nothing more until the daemon has worked off what it was given."""
        self._held = True
        self._guard(self._transport.pause_reading)
        self._window.wait(self._go_on_soon)

    def _go_on_soon(self) -> None:
        """After what settles now is settled, and after whoever else waits for the loop."""
        self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.closed.done():
            return
        self._held = False
        self._pulse.heard(self._loop.time())
        self._guard(self._transport.resume_reading)
        self._take_in()

    def _write(self) -> None:
        if not self.closed.done():
            self._machine.loop_write()
            if self._pipe.flush():
                self._pulse.said(self._loop.time())

    def _look_after(self) -> None:
        if self.closed.done():
            return
        match self._pulse.beat(self._loop.time(), listening=not self._held):
            case Beat.GIVE_UP:
                self.abort("the broker fell silent")
            case Beat.PING:
                self._pipe.send(PING)
        self._write()

    def _guard(self, step: Callable[[], object]) -> None:
        """Run a step of paho; an exception there ends this connection, never the loop."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not reach the event loop
            self._counters.count("callback_errors")
            self.abort(f"{type(error).__name__} in the protocol machine")

    # --- batches and acknowledgements ---------------------------------------------------------------------------

    def _hand_over(self) -> None:
        if not self._burst:
            return
        burst, ids = self._burst, self._ids
        self._burst, self._ids = [], []
        self._counters.count("batches")
        self._window.take(len(burst))
        settle = self._settling(len(burst), ids)
        try:
            self._listener.receive(burst, settle)
        except Exception:  # noqa: BLE001 -- unacknowledged, so the broker brings it again on the next connection
            self._counters.count("callback_errors")
            ids.clear()
            settle()
        if self._window.full and not self.closed.done():
            self._hold_back()

    def _settling(self, count: int, ids: list[bytes]) -> Callable[[], None]:
        """What settles one batch; called twice, it must not acknowledge ids the broker has given away again."""

        def settle() -> None:
            nonlocal count
            if count:
                done, count = count, 0
                self._acknowledge(ids)
                self._window.settle(done)

        return settle

    def _acknowledge(self, ids: list[bytes]) -> None:
        """Tell the broker that these are durable; on a connection that has gone they are somebody else's ids."""
        if not ids:
            return
        if self.closed.done():
            self._counters.count("stale_acks", len(ids))
            return
        self._counters.count("acked", len(ids))
        self._pipe.send(acknowledgements(ids))
        self._guard(self._write)

    # --- commands -----------------------------------------------------------------------------------------------

    async def publish(self, topic: str, payload: bytes, patience_s: float, qos: int = 1) -> tuple[str, str]:
        """Write one message, never retained, at most once: (outcome, reason) with the outcomes of a ``Dispatch``."""
        if not self.alive:
            return "not_sent", "not_connected"
        if self._transport.get_write_buffer_size():
            return "not_sent", "broker_not_reading"  # what waits here could leave after its expiry
        if self._unanswered >= UNANSWERED_LIMIT:
            return "not_sent", "broker_not_answering"
        self._unanswered += 1  # before: a QoS 0 message counts as answered as soon as it is written
        info = self._machine.publish(topic, payload, qos=qos, retain=False)
        if info.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._unanswered = max(0, self._unanswered - 1)
            return "not_sent", "refused_by_client"
        self._guard(self._write)
        return await self._written(patience_s)

    async def _written(self, patience_s: float) -> tuple[str, str]:
        """Wait until the socket took everything; give the connection up when it does not."""
        deadline_s = self._loop.time() + patience_s
        while not self.closed.done():
            if not self._transport.get_write_buffer_size():
                return "sent", ""
            if self._loop.time() >= deadline_s:
                self.abort("the broker stopped reading")
                break
            await asyncio.wait((self.closed,), timeout=0.005)
        return "unknown", "connection_lost_while_writing"

    # --- what paho calls ----------------------------------------------------------------------------------------

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if self._greeted.done():
            return
        if reason.is_failure:
            _fail(self._greeted, RefusedError(f"the broker refused the connection: {reason}"))
            return
        self.session_present = flags.session_present
        self._greeted.set_result(None)
        # Now, not when the opener wakes up: queued messages may stand in this very burst.
        try:
            self._listener.up(resumed=self.session_present)
        except Exception:  # noqa: BLE001 -- a listener's fault is not the connection's
            self._counters.count("callback_errors")

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if self._subscribed.done():
            return
        granted = [reason.value < _QOS_REFUSED for reason in reasons]
        if not all(granted):
            refused = [topic for topic, good in zip(self._wanted, granted, strict=False) if not good]
            text = "the broker refused a subscription; look at its access list"
            _fail(self._subscribed, RefusedError(text, refused))
        else:
            self._subscribed.set_result(None)

    def _on_message(self, _client: Any, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = bytes(message._topic).decode(errors="backslashreplace")  # noqa: SLF001 -- no other way to it
        self._burst.append(Received(topic, bytes(message.payload), message.retain))
        if message.qos:
            self._ids.append(message.mid.to_bytes(2))

    def _on_publish(self, _client: Any, _data: Any, _mid: int, _reason: Any, _properties: Any) -> None:
        self._unanswered = max(0, self._unanswered - 1)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not self.closed.done():
            self.abort(f"ended: {reason}")


def _fail(waiting: asyncio.Future[None], error: Exception) -> None:
    """Fail ``waiting`` unless it is settled; nobody need be there to hear it."""
    if not waiting.done():
        waiting.set_exception(error)
        waiting.exception()


def _gather(_client: Any, _data: Any, _socket: Any) -> None:
    """Asked by paho to watch for writability: nothing to do, writes are gathered and flushed together."""
