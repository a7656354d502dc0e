"""The MQTT way to the field: batches of events in, commands out after a second look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from triage.core.effects import Command
from triage.core.events import DriverLink, Event, PileStatus, Quarantined, Telemetry
from triage.drivers.mqtt.client import MqttClient
from triage.drivers.mqtt.codec import DRIVER, Codec, Rejection, encode, quarantine
from triage.drivers.mqtt.counters import Counters
from triage.drivers.mqtt.options import KEEPALIVE_S, broker_options
from triage.drivers.mqtt.packets import Received
from triage.drivers.mqtt.topics import SUBSCRIPTIONS
from triage.drivers.second_look import SecondLook
from triage.interfaces import Clock, Dispatch, Inlet

SETTLE_S = 5.0
PATIENCE_S = 2.0


class MqttDriver:
    """Speaks the dialect ``pile/v1`` through a broker; implements :class:`triage.interfaces.Driver`.

    Attributes:
        name: ``mqtt``, as in ``DriverLink.driver``.
        counters: what happened so far, for the metrics.
    """

    name = DRIVER

    def __init__(  # noqa: PLR0913 -- one argument a setting
        self,
        url: str,
        *,
        client_id: str,
        clock: Clock,
        fresh_s: float,
        speed: float = 1.0,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        keepalive_s: float = KEEPALIVE_S,
    ) -> None:
        """Prepare; nothing connects before :meth:`start`.

        Args:
            url: ``mqtt://…`` or ``mqtts://…``.
            client_id: names our session at the broker; two daemons must not share one.
            clock: the edge's clock.
            fresh_s: age in seconds beyond which a reading permits nothing; already divided by the policy's speed.
            speed: divides the pauses between attempts to connect.
            username: the broker's account, if it asks for one.
            password: its password.
            ca_file: certificates that vouch for the broker, when the system's do not.
            cert_file: our own certificate.
            key_file: its key.
            keepalive_s: a silent broker is noticed within twice this time.

        Raises:
            InputError: the URL, the client id or a TLS file cannot be used.
        """
        options = broker_options(
            url,
            client_id=client_id,
            username=username,
            password=password,
            ca_file=ca_file,
            cert_file=cert_file,
            key_file=key_file,
            keepalive_s=keepalive_s,
        )
        self.counters = Counters()
        self._clock = clock
        self._codec = Codec()
        self._look = SecondLook(fresh_s, SETTLE_S / speed)
        self._client = MqttClient(options, SUBSCRIPTIONS, self, self.counters, speed)
        self._inlet: Inlet | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._client.connected

    @property
    def last_error(self) -> str:
        """Why the last connection ended or could not be made; empty when none ever failed."""
        return self._client.last_error

    async def start(self, inlet: Inlet) -> None:
        """Connect, and keep connected, in the background; events go to ``inlet``."""
        self._inlet = inlet
        self._client.start()

    async def stop(self) -> None:
        """Leave cleanly; unacknowledged messages stay with the broker."""
        self._look.disconnected()
        await self._client.stop()

    async def send(self, command: Command) -> Dispatch:
        """Look a second time, then write at most once; see :class:`SecondLook` for what refuses."""
        dispatch = await self._send(command)
        self.counters.dispatches[dispatch.outcome] += 1
        if dispatch.outcome == "not_sent":
            self.counters.refusals[dispatch.reason] += 1
        return dispatch

    def refuse(self, command: Command, now: datetime) -> str | None:
        """Why ``command`` must not leave now, by what this driver saw itself; None when nothing speaks against it."""
        return self._look.refuse(command, now, self._clock.monotonic())

    async def _send(self, command: Command) -> Dispatch:
        try:
            topic, payload = encode(command)
        except (TypeError, ValueError, RecursionError):
            return Dispatch("not_sent", "cannot_be_written")
        now = self._clock.now()
        refusal = self.refuse(command, now)
        if refusal is not None:
            return Dispatch("not_sent", refusal)
        left_s = (command.expires_at - now).total_seconds()
        outcome, reason = await self._client.publish(topic, payload, min(PATIENCE_S, left_s))
        return Dispatch(outcome, reason)

    # --- what the client tells ------------------------------------------------------------------------------------

    def up(self, *, resumed: bool) -> None:
        """The connection stands: what was seen before it no longer counts."""
        self._look.connected(self._clock.monotonic(), resumed=resumed)
        self._offer_link(up=True)

    def down(self, reason: str) -> None:  # noqa: ARG002 -- kept by the client as last_error
        """The connection is gone: nothing may be sent, and silence says nothing about piles."""
        self._look.disconnected()
        self._offer_link(up=False)

    def receive(self, messages: Sequence[Received], ack: Callable[[], None]) -> None:
        """Decode a burst, note it for the second look, hand it over as one batch."""
        now, now_s = self._clock.now(), self._clock.monotonic()
        events: list[Event] = []
        for message in messages:
            event = self._decode(message, now)
            if event is not None:
                self._note(event, now_s)
                events.append(event)
        self.counters.count("messages", len(messages))
        if events and self._inlet is not None:
            self._inlet.offer(events, ack)
        else:
            ack()

    def _decode(self, message: Received, now: datetime) -> Event | None:
        try:
            return self._codec.decode(message.topic, message.payload, retained=message.retained, received_at=now)
        except Exception:  # noqa: BLE001 -- one poisonous message must not hold back the rest of its burst
            self.counters.count("callback_errors")
            return quarantine(message.topic, message.payload, Rejection.WRONG_SHAPE, now)

    def _note(self, event: Event, now_s: float) -> None:
        if isinstance(event, Telemetry):
            self._look.telemetry(event, now_s)
        elif isinstance(event, PileStatus):
            self._look.status(event, now_s)
        elif isinstance(event, Quarantined):
            self.counters.quarantined[event.reason] += 1

    def _offer_link(self, *, up: bool) -> None:
        if self._inlet is not None:
            self._inlet.offer([DriverLink(received_at=self._clock.now(), driver=self.name, up=up)])
