"""Listens to a live device on its broker for a while, and keeps what came for each value; leaves nothing there."""

from __future__ import annotations

import asyncio
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from triage.config.profile.file import Profile
from triage.config.profile.topics import Mqtt
from triage.core.events import Registration
from triage.drivers.dialect.device import Device, Moment
from triage.drivers.dialect.hearing import hear
from triage.drivers.dialect.tongue import Tongue, Uses
from triage.drivers.mqtt.options import BrokerOptions, broker_options
from triage.drivers.mqtt.packets import Received
from triage.drivers.profiles.derived import units
from triage.drivers.profiles.topics import NOT_SAID, Source, UnreadableError, fill, scalar, topics_of
from triage.drivers.profiles.values import ImpossibleError, visible
from triage.errors import InputError, InputFault
from triage.workbench.folder import Shelf
from triage.workbench.polling import widest
from triage.workbench.reading import UnreachableDeviceError
from triage.workbench.report import Judge, Report, ValueRead

PATIENCE_S = 5.0
MESSAGES_LIMIT = 100_000
PAYLOAD_CHARS = 4_096


class Said(Struct, frozen=True):
    """A message as it came, and when."""

    message: Received
    now: Moment


class Wish(Struct, frozen=True, kw_only=True):
    """What is to be listened to, where and how long.

    ``first`` is the device's own number of its first connector, when it is not the profile's; with ``ask`` the
    profile's question is published first.
    """

    device: str | None
    broker: str | None = None
    for_s: float = 10.0
    ask: bool = False
    first: int | None = None
    connectors: int | None = None


async def listen(profile: Profile, shelf: Shelf, wish: Wish) -> Report:
    """Everything a device says while it is listened to, through ``profile``.

    Raises:
        InputError: the profile does not speak MQTT, or no broker or device is named.
        UnreachableDeviceError: the broker does not let us in.
    """
    mqtt = profile.mqtt
    if mqtt is None:
        raise InputError([InputFault(profile.profile, None, "", "does not speak MQTT", "name its address with --host")])
    if wish.first is not None:
        mqtt = mqtt.model_copy(update={"first_connector": wish.first})
    device = _device(wish, mqtt)
    options = _options(wish.broker, shelf)
    count = wish.connectors or widest(profile)
    look = _Look(profile, mqtt, device, count)
    asked = mqtt.ask if wish.ask else ()
    questions = [(fill(each.topic, device), _payload(each.payload, device)) for each in asked]
    for said in await _messages(options, look.topics, questions, mqtt.qos, wish.for_s):
        look.take(said)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    values, claims = look.device.picture.copy(), look.device.faults.claims()
    report = Judge(profile, count, shelf.table).report(f"{options.address} {device}", at, look.read(), values, claims)
    report.presence = look.presence
    return report


def _device(wish: Wish, mqtt: Mqtt) -> str:
    example = mqtt.device_example or mqtt.device
    if wish.device is None:
        problem = "this profile speaks MQTT"
        raise InputError([InputFault("--device", None, "", problem, f"name the device as in its topics: {example}")])
    if not re.fullmatch(mqtt.device, wish.device):
        problem = f"{wish.device!r} cannot be such a device"
        raise InputError([InputFault("--device", None, "", problem, f"write it as in {example}")])
    return wish.device


def _payload(template: str, device: str) -> bytes:
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    return fill(template, device, id=f"profile-{now_ms}", now_ms=now_ms).encode()


def _options(broker: str | None, shelf: Shelf) -> BrokerOptions:
    """The broker named, else that of the settings with its account."""
    client_id = f"triage-profile-{uuid.uuid4().hex[:12]}"
    settings = None if shelf.settings is None else shelf.settings.mqtt
    if broker is not None:
        return broker_options(broker, client_id=client_id)
    if settings is None:
        raise InputError([InputFault("--broker", None, "", "names no broker", "write --broker mqtt://HOST:1883")])
    return broker_options(
        f"mqtt://127.0.0.1:{settings.port}" if settings.url == "embedded" else settings.url,
        client_id=client_id,
        username=settings.username,
        password=settings.password,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
    )


class _Look:
    """What one device said, by value."""

    def __init__(self, profile: Profile, mqtt: Mqtt, device: str, connectors: int) -> None:
        tongue = Tongue(profile, mqtt, connectors)
        registration = Registration(
            pile=device, site="-", region="-", profile=profile.profile, connectors=connectors, endpoint=device
        )
        self.device = Device(registration, tongue, lambda _: (), 1.0)
        self._mqtt = mqtt
        self._units = units(profile)
        self._uses: dict[str, Uses] = {fill(text, device, id="+"): uses for text, uses in tongue.uses.items()}
        self._last: dict[tuple[str, int], tuple[Said, str]] = {}
        self.presence: str | None = None

    @property
    def topics(self) -> list[str]:
        """What is subscribed to; the topics of answers are left out."""
        return [topic for topic, uses in self._uses.items() if uses.values or uses.presence or uses.events]

    def take(self, said: Said) -> None:
        """Take in one message."""
        uses = self._uses.get(said.message.topic)
        if uses is None:
            return
        hear(self.device, uses, said.message, said.now)
        if uses.presence and (told := _presence(self.device.tongue, uses, said.message.payload)) is not None:
            self.presence = f"{'there' if told else 'gone'}{', retained' if said.message.retained else ''}"
        for source in uses.values:
            error = _error(source, said.message.payload)
            if error is not None:
                self._last[source.name, source.connector] = (said, error)

    def read(self) -> list[ValueRead]:
        """Each value as it was said last; those never heard say so."""
        numbers = range(1, self.device.tongue.connectors + 1)
        return [
            self._line(name, connector)
            for name, value in self._mqtt.values.items()
            for connector in (numbers if value.of == "connector" else (0,))
        ]

    def _line(self, name: str, connector: int) -> ValueRead:
        value = self._mqtt.values[name]
        line = ValueRead(
            name=name,
            connector=connector,
            where=topics_of(value, self._mqtt, self.device.name, connector)[0],
            type=value.type,
            unit=self._units.get(name) or "",
            error="never heard",
            unverified=value.unverified or "",
        )
        if (last := self._last.get((name, connector))) is not None:
            said, line.error = last
            line.where = said.message.topic
            line.payload = visible(said.message.payload[:PAYLOAD_CHARS].decode("utf-8", "replace"))
            line.age_s = round((datetime.now(UTC) - said.now.at).total_seconds(), 1)
            line.retained = said.message.retained
            line.value = self.device.picture.copy().of(connector).get(name)
        return line


def _error(source: Source, payload: bytes) -> str | None:
    """Why the payload gives no value; empty when it gives one, None when it does not speak of it."""
    try:
        return None if source.take(payload) is NOT_SAID else ""
    except (UnreadableError, ImpossibleError) as error:
        return str(error)


def _presence(tongue: Tongue, uses: Uses, payload: bytes) -> bool | None:
    """What the message says of the device's presence, if anything."""
    for extractor in uses.presence:
        try:
            said = extractor.take(payload)
        except UnreadableError:
            continue
        if said is not NOT_SAID:
            return tongue.online(scalar(said))
    return None


async def _messages(
    options: BrokerOptions, topics: list[str], questions: list[tuple[str, bytes]], qos: int, for_s: float
) -> list[Said]:
    """Everything said on ``topics`` within ``for_s`` seconds after the broker let us in."""
    loop = asyncio.get_running_loop()
    welcomed: asyncio.Future[str] = loop.create_future()
    heard: list[Said] = []

    def welcome(_: Any, __: Any, ___: Any, code: Any, ____: Any) -> None:
        loop.call_soon_threadsafe(_settle, welcomed, str(code) if code.is_failure else "")

    def message(_: Any, __: Any, said: paho.MQTTMessage) -> None:
        if len(heard) < MESSAGES_LIMIT:
            now = Moment(datetime.now(UTC), said.timestamp)
            heard.append(Said(Received(said.topic, bytes(said.payload), bool(said.retain)), now))

    client = _client(options)
    client.on_connect, client.on_message = welcome, message
    try:
        await loop.run_in_executor(None, client.connect, options.host, options.port)
        client.loop_start()
        async with asyncio.timeout(PATIENCE_S):
            refusal = await welcomed
        if refusal:
            raise UnreachableDeviceError(f"{options.address}: the broker refuses: {refusal}")
        client.subscribe([(topic, qos) for topic in topics])
        for topic, payload in questions:
            client.publish(topic, payload, qos)
        await asyncio.sleep(for_s)
    except OSError as error:  # TimeoutError is one
        raise UnreachableDeviceError(f"{options.address}: no broker: {str(error) or 'no answer in time'}") from None
    finally:
        client.disconnect()
        await loop.run_in_executor(None, client.loop_stop)
    return heard


def _settle(future: asyncio.Future[str], text: str) -> None:
    if not future.done():
        future.set_result(text)


def _client(options: BrokerOptions) -> paho.Client:
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=options.client_id, clean_session=True, reconnect_on_failure=False
    )
    if options.username is not None:
        client.username_pw_set(options.username, options.password)
    if options.tls is not None:
        client.tls_set_context(options.tls)
    client.connect_timeout = PATIENCE_S
    return client
