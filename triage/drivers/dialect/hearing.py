"""What one message changes about one device: its values, its presence, its faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from triage.core.events import Event, FaultClaim
from triage.drivers.dialect.claims import event_claim
from triage.drivers.dialect.device import Device, Moment
from triage.drivers.dialect.quarantine import Reason
from triage.drivers.dialect.tongue import EventReader, Uses
from triage.drivers.mqtt.packets import Received
from triage.drivers.profiles.topics import NOT_SAID, Path, Source, UnreadableError, our_number, read_payload, scalar
from triage.drivers.profiles.values import ImpossibleError, text

_SCALARS = (str, int, float)


class Heard(Struct):
    """What a message was about.

    ``news`` is to be told after everything known so far; ``lost``: the device is gone; ``spoke``: it is alive and says
    something; ``urgent``: that must not wait for more; ``problems``: what of it cannot be believed.
    """

    news: list[Event] = []
    lost: bool = False
    spoke: bool = False
    urgent: bool = False
    problems: list[Reason] = []


def hear(device: Device, uses: Uses, message: Received, now: Moment) -> Heard:
    """Take in ``message``, which is said to ``device`` on a topic of these uses."""
    heard = Heard()
    if uses.values:
        _values(device, uses.values, message, now, heard)
    for extractor in uses.presence:
        try:
            said = extractor.take(message.payload)
        except UnreadableError:
            heard.problems.append(_why_unreadable(message.payload))
            continue
        if said is not NOT_SAID:
            _presence(device, device.tongue.online(scalar(said)), message, now, heard)
    for reader in uses.events:
        _event(device, reader, message, heard)
    if heard.spoke:
        device.spoke(now)
    return heard


def _values(device: Device, sources: tuple[Source, ...], message: Received, now: Moment, heard: Heard) -> None:
    if message.retained and not device.tongue.mqtt.whole:
        return  # what a batch said once says nothing of now
    if not message.payload and not any(_is_text(device, source) for source in sources):
        for source in sources:
            device.picture.lose(source)  # the broker was told to forget it
        return
    told = [source for source in sources if _value(device, source, message.payload, heard)]
    if message.retained:
        return
    heard.spoke = heard.spoke or bool(told) or not heard.problems
    if told and device.tongue.watched:
        device.note(told, now)


def _value(device: Device, source: Source, payload: bytes, heard: Heard) -> bool:
    """Take in one value; whether the message spoke of it. What cannot be read is not known any more."""
    try:
        value = source.take(payload)
    except UnreadableError:
        device.picture.lose(source)
        heard.problems.append(_why_unreadable(payload))
        return False
    except ImpossibleError as error:
        device.picture.doubt(source, str(error))
        heard.problems.append(Reason.IMPOSSIBLE)
        return True
    if value is NOT_SAID:
        return False
    device.picture.put(source, value)
    return True


def _is_text(device: Device, source: Source) -> bool:
    value = device.tongue.mqtt.values[source.name]
    return any(place.payload == "text" for place in (value, *value.also))


def _presence(device: Device, online: bool | None, message: Received, now: Moment, heard: Heard) -> None:  # noqa: FBT001
    if online is None:
        heard.problems.append(Reason.WRONG_SHAPE)
        return
    if message.retained:
        if device.heard is None and device.there is None:
            heard.news.append(device.status(now.at, online=online, retained=True))
        return
    if not online:
        if device.there is not False:
            heard.news.append(device.status(now.at, online=False))
        heard.lost = True
        return
    if device.there:
        heard.spoke = True  # a heartbeat
        return
    # A birth says that it is there, but not that the values of before still hold: they are told when it speaks next.
    device.there = True
    heard.news.append(device.status(now.at, online=True))


def _event(device: Device, reader: EventReader, message: Received, heard: Heard) -> None:
    if message.retained and reader.spec.does != "list":
        return  # history: what became of it since, nobody knows
    try:
        changed = _apply(device, reader, message.payload)
    except UnreadableError:
        heard.problems.append(_why_unreadable(message.payload))
        return
    if changed and not message.retained:
        heard.spoke = heard.urgent = True


def _apply(device: Device, reader: EventReader, payload: bytes) -> bool:
    """Let the event act; False when the message is not of its kind.

    Raises:
        UnreadableError: it is, and cannot be read; nothing of it acted.
    """
    document = read_payload(payload, reader.spec.payload)
    if reader.when is not None and reader.when.find(document) is not True:
        return False
    found = reader.base.take(payload)
    if found is NOT_SAID:
        return False
    elements = found if isinstance(found, list) else [found]
    if reader.spec.does == "list" and not isinstance(found, list):
        raise UnreadableError("is no list of faults")
    device.remember()
    if reader.spec.does == "clear":
        for key in [_key(reader, element) for element in elements]:
            device.faults.cleared(key)
        return True
    claims = list(_claims(device, reader, elements))
    if reader.spec.does == "list":
        device.faults.listed(claims)
    else:
        for key, claim in claims:
            device.faults.raised(key, claim)
    return True


def _claims(device: Device, reader: EventReader, elements: list[Any]) -> Iterator[tuple[str, FaultClaim]]:
    for element in elements:
        key = _key(reader, element)
        code = _word(reader.code, element)
        if not code:
            raise UnreadableError("has no code")
        connector = reader.connector or _connector(device, reader, element)
        yield key, event_claim(key, code, _word(reader.info, element), connector, reader.spec.codes)


def _connector(device: Device, reader: EventReader, element: Any) -> int:
    if reader.number is None:
        return 0
    tongue = device.tongue
    return our_number(tongue.mqtt, scalar(reader.number.find(element)), tongue.connectors)


def _key(reader: EventReader, element: Any) -> str:
    found = reader.key.find(element)
    if found is None or found is NOT_SAID:
        raise UnreadableError("has no key")
    if isinstance(found, _SCALARS):
        return text(found)
    if isinstance(found, list) and all(each is None or isinstance(each, _SCALARS) for each in found):
        if all(each is None for each in found):
            raise UnreadableError("has no key")
        return "/".join(text(each) for each in found)
    return json.dumps(found, sort_keys=True, ensure_ascii=False)


def _word(path: Path | None, element: Any) -> str:
    if path is None:
        return ""
    found = path.find(element)
    return "" if found is NOT_SAID else text(scalar(found))


def _why_unreadable(payload: bytes) -> Reason:
    try:
        read_payload(payload, "json")
    except UnreadableError:
        return Reason.NOT_JSON
    return Reason.WRONG_SHAPE
