"""paho-mqtt as a pure protocol machine: it reads and writes a pipe in memory, asyncio moves the bytes.

paho's own socket handling blocks the loop while it connects, shakes hands or resolves a name, and costs three system
calls a message. Here the event loop owns the socket. The one place where this leans on paho's inside is
``_create_socket``; a test watches that it exists and is used.
"""

from __future__ import annotations

import asyncio

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from triage.drivers.mqtt.options import BrokerOptions
from triage.drivers.mqtt.packets import Received, span, take


class Pipe:
    """Stands where paho expects a non-blocking socket; shows it only the packets that are lent to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Write to ``transport``; what it receives must be given to :meth:`feed`."""
        self._transport = transport
        self._chunk = b""
        self._at = 0
        self._lent = 0
        self._out: list[bytes] = []
        self._ended = False

    @property
    def pending(self) -> bool:
        """Whether something is left to read."""
        return self._at < len(self._chunk)

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        self._chunk = self._chunk[self._at :] + data if self.pending else data
        self._at = 0

    def end(self) -> None:
        """The peer is gone: once read empty, the pipe shows the end of the stream."""
        self._ended = True

    def take(self, limit: int, messages: list[Received], ids: list[bytes]) -> None:
        """Read what needs no paho, as :func:`~triage.drivers.mqtt.packets.take` does; nothing while paho reads."""
        if not self._lent:
            self._at = take(self._chunk, self._at, limit, messages, ids)

    def lend(self) -> bool:
        """Let paho read the next packet, what is still to come of it included; False while its length is unknown."""
        if not self._lent:
            self._lent = span(self._chunk, self._at)
        return self._lent > 0

    def recv(self, size: int) -> bytes:
        """At most ``size`` of the bytes lent; raises BlockingIOError when there are none now."""
        at = self._at
        data = self._chunk[at : at + min(size, self._lent)]
        if not data:
            if self._ended:
                return b""
            raise BlockingIOError
        self._at = at + len(data)
        self._lent -= len(data)
        return data

    def send(self, data: bytes | bytearray) -> int:
        """Take all of ``data``; it leaves with the next :meth:`flush`."""
        self._out.append(bytes(data))
        return len(data)

    def flush(self) -> bool:
        """Hand everything sent so far to the transport, in one write; whether there was anything."""
        if not self._out:
            return False
        data = b"".join(self._out)
        self._out.clear()
        if not self._transport.is_closing():
            self._transport.write(data)
        return True

    def close(self) -> None:
        """Close the transport after what is still to be written."""
        self.flush()
        self._transport.close()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 -- a socket's signature
        """A pipe never blocks, whatever ``flag`` says."""

    def fileno(self) -> int:
        """A pipe has no descriptor that paho could wait on."""
        return -1


class Machine(Client):
    """paho's client over a pipe; used for one connection and thrown away with it.

    So nothing outlives a connection inside paho: no acknowledgement that could hit another message, and above all no
    unacknowledged command that it would send again.
    """

    def __init__(self, options: BrokerOptions, pipe: Pipe) -> None:
        """Speak MQTT 3.1.1 with a lasting session and manual acknowledgement."""
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._pipe: Pipe | None = pipe
        self.max_inflight_messages = 0  # no hidden queue: a publish is written at once or refused by us
        if options.username is not None:
            self.username_pw_set(options.username, options.password)
        self.connect_async(options.host, options.port, keepalive=options.silence_s)

    def _create_socket(self) -> Pipe:
        if self._pipe is None:
            raise ConnectionError("a connection is used once")
        pipe, self._pipe = self._pipe, None
        return pipe
