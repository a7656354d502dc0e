"""An `Ear`: one MQTT device as a test lets it speak, understood through its profile and nothing else.

Tests write topics and payloads as the device's maker prints them and ask what is seen, what is sent, and what an answer
means. Nothing here is worked out with the code under test but what is asked of it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.contract.profiles.plates import plain, profile_of
from triage.config.profile.actions import ActionSpec, Publish, Step
from triage.config.profile.file import Profile
from triage.config.profile.topics import Ask, Mqtt
from triage.core.events import FaultClaim, Reading, Registration
from triage.core.vocabulary import Action
from triage.drivers.dialect.device import Device, Moment
from triage.drivers.dialect.hearing import hear
from triage.drivers.dialect.tongue import Tongue
from triage.drivers.mqtt.packets import Received
from triage.drivers.profiles.interpreter import Interpreter, Sighting
from triage.drivers.profiles.topics import (
    NOT_SAID,
    Extractor,
    Path,
    fill,
    own_number,
    read_payload,
    routes,
    scalar,
    topics_of,
)
from triage.drivers.profiles.values import ImpossibleError, Value, Values, same

NOW_MS = 1_700_000_000_123


class Ear:
    """One device, as it is understood."""

    def __init__(self, name: str, device: str, connectors: int = 1, unit: int | None = None) -> None:
        """``device`` is the fleet's endpoint; ``unit`` its column of that name, the device's number of connector 1."""
        self.profile: Profile = profile_of(name)
        mqtt = self.profile.mqtt
        assert mqtt is not None, f"{name} is no MQTT profile"
        self.mqtt: Mqtt = mqtt if unit is None else mqtt.model_copy(update={"first_connector": unit})
        self.device = device
        self.connectors = connectors
        self.heard = Values(connectors={number: {} for number in range(1, connectors + 1)})
        self._routes = routes(self.mqtt, device, connectors)

    # --- what it says ---------------------------------------------------------------------------------------------

    def say(self, topic: str, payload: str) -> Ear:
        """It publishes ``payload`` on ``topic``, which must be one the profile listens to. Returns the ear itself."""
        assert topic in self._routes, f"{self.profile.profile} does not listen to {topic}"
        for source in self._routes[topic]:
            own = self.heard.connectors[source.connector] if source.connector else self.heard.pile
            try:
                value = source.take(payload.encode())
            except ImpossibleError as error:
                self.heard.impossible.append(f"{source.name} {error}")
                continue
            if value is not NOT_SAID:
                own[source.name] = value
        return self

    def tell(self, messages: dict[str, str]) -> Ear:
        """It publishes each payload on its topic."""
        for topic, payload in messages.items():
            self.say(topic, payload)
        return self

    def value(self, name: str, connector: int = 0) -> Value:
        """What is known of the value called ``name``."""
        return self.heard.of(connector).get(name)

    def see(self) -> Sighting:
        """What the interpreter makes of all that was said."""
        return Interpreter(self.profile, self.connectors).see(self.heard)

    def reading(self, connector: int = 1) -> Reading:
        """The reading of one connector."""
        (found,) = [reading for reading in self.see().readings if reading.connector == connector]
        return found

    def status(self, connector: int = 1) -> str | None:
        """The status of one connector, as text."""
        status = self.reading(connector).status
        return None if status is None else status.value

    def session(self, connector: int = 1) -> str:
        """``none``, ``unknown``, or the session's id."""
        reading = self.reading(connector)
        return (reading.session or "none") if reading.session_known else "unknown"

    def faults(self) -> tuple[FaultClaim, ...]:
        """All faults claimed."""
        return self.see().faults

    def codes(self) -> list[tuple[int, str]]:
        """Connector and code of all faults claimed, in order."""
        return sorted((fault.connector, fault.code) for fault in self.faults())

    def closed(self, channel: int = 1) -> bool | None:
        """Whether this channel of a switch lets power through; None when it is not known."""
        switching = self.profile.switching
        assert switching is not None, f"{self.profile.profile} is no switch"
        found = Interpreter(self.profile, self.connectors).views(self.heard)[channel].get(switching.state)
        return None if found is None else same(found, True)

    def there(self, topic: str, payload: str) -> bool | None:
        """What a message on the presence topic says; None when it is another topic, or says neither."""
        presence = self.mqtt.presence
        if presence is None or topic not in topics_of(presence, self.mqtt, self.device, 1):
            return None
        said = scalar(Extractor(presence, 1).take(payload.encode()))
        if any(same(said, each) for each in presence.online):
            return True
        if any(same(said, each) for each in presence.offline):
            return False
        return None if presence.online or presence.offline else True

    # --- what is said to it ---------------------------------------------------------------------------------------

    def sent(self, action: Action, connector: int = 1, id: str = "A-1") -> list[tuple[str, str]]:
        """Topic and payload of every message of ``action``."""
        return self.messages(self._spec(action).steps, connector, id)

    def messages(self, steps: tuple[Step, ...], connector: int = 1, id: str = "A-1") -> list[tuple[str, str]]:
        """Topic and payload of every message of ``steps``."""
        return [self._filled(step.publish, connector, id) for step in steps if step.publish is not None]

    def expected(self, action: Action) -> list[dict[str, object]]:
        """What must be seen after the messages of ``action``."""
        return [plain(step.expect) for step in self._spec(action).steps if step.expect is not None]

    def asked(self) -> list[tuple[str, str]]:
        """Topic and payload of the questions for its state."""
        return [self._filled(question, 1, "A-1") for question in self.mqtt.ask]

    def answer(self, action: Action, topic: str, payload: str, connector: int = 1, id: str = "A-1") -> str | None:
        """What a message means as the answer to ``action``: accepted, unsupported, refused, or None for no answer."""
        spec = self._spec(action).answer
        if spec is None or topic not in topics_of(spec, self.mqtt, self.device, connector, id=id):
            return None
        if spec.id is not None and Path(spec.id).find(read_payload(payload.encode(), "json")) != id:
            return None
        found = Extractor(spec, own_number(self.mqtt, connector)).take(payload.encode())
        said = None if found is NOT_SAID else scalar(found)
        if any(same(said, each) for each in spec.accepted):
            return "accepted"
        return "unsupported" if any(same(said, each) for each in spec.unsupported) else "refused"

    def _spec(self, action: Action) -> ActionSpec:
        spec = self.profile.spec(action)
        assert spec is not None, f"no {action}"
        return spec

    def _filled(self, what: Publish | Ask, connector: int, id: str) -> tuple[str, str]:
        own = own_number(self.mqtt, connector)
        topic = fill(what.topic, self.device, own, id=id, now_ms=NOW_MS)
        return topic, fill(what.payload, self.device, own, id=id, now_ms=NOW_MS)


class Station:
    """A device whose fault events are remembered as the driver remembers them."""

    def __init__(self, name: str, device: str, connectors: int = 1) -> None:
        """``device`` is the fleet's endpoint."""
        profile = profile_of(name)
        assert profile.mqtt is not None
        row = Registration(pile="P-1", site="S-1", region="", profile=name, connectors=connectors, endpoint=device)
        self.device = Device(row, Tongue(profile, profile.mqtt, connectors), lambda _: (), 1.0)

    def say(self, topic: str, document: object) -> Station:
        """It publishes ``document`` on ``topic``, live. Returns the station itself."""
        uses = {text.replace("{device}", self.device.name): use for text, use in self.device.tongue.uses.items()}
        message = Received(topic, json.dumps(document).encode(), retained=False)
        heard = hear(self.device, uses[topic], message, Moment(datetime(2026, 11, 22, tzinfo=UTC), 1.0))
        assert heard.problems == []
        return self

    def claims(self) -> list[tuple[int, str]]:
        """Connector and code of every fault that was raised and not cleared, in order."""
        return sorted((claim.connector, claim.code) for claim in self.device.faults.claims())
