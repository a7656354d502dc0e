"""One profile, prepared for devices that number their connectors alike: what each of their topics says."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from triage.config.profile.actions import Answered
from triage.config.profile.file import Profile
from triage.config.profile.topics import FaultEvent, Mqtt, Place
from triage.core.vocabulary import Action
from triage.drivers.dialect.inputs import Memory, inputs
from triage.drivers.profiles.interpreter import RESERVED, Interpreter
from triage.drivers.profiles.topics import Extractor, Path, Source, fill, own_number, value_reader
from triage.drivers.profiles.values import Value, same

DEVICE = "{device}"


class EventReader(Struct, frozen=True):
    """One kind of fault event on one topic; connector 0: the event says which, or it is the whole pile's."""

    spec: FaultEvent
    connector: int
    base: Extractor
    when: Path | None
    key: Path
    code: Path | None
    info: Path | None
    number: Path | None


class AnswerReader(Struct, frozen=True):
    """How one action is answered on one topic; connector 0: on this topic for all of them."""

    action: Action
    spec: Answered
    connector: int
    base: Extractor
    id: Path | None
    reason: Path | None


class Uses(Struct):
    """Everything one topic is listened to for."""

    values: tuple[Source, ...] = ()
    presence: tuple[Extractor, ...] = ()
    events: tuple[EventReader, ...] = ()
    answers: tuple[AnswerReader, ...] = ()


class Tongue:
    """How devices of one profile with so many connectors, numbered from ``first`` by themselves, are understood.

    Attributes:
        uses: by topic template, every place but ``{device}`` and ``{id}`` filled in.
        quiet_s: values that arrive within this time make one reading; 0: each document makes its own.
        uptime: values the uptime is made of.
        state: of a switch, the values that tell whether it is on; ``loads`` what flows through it.
        watched: values whose last telling is noted, because something waits for them.
    """

    def __init__(self, profile: Profile, mqtt: Mqtt, connectors: int) -> None:
        """``mqtt`` is the profile's section, with the numbers of connectors as these devices have them."""
        self.profile = profile
        self.mqtt = mqtt
        self.connectors = connectors
        self.numbers = tuple(own_number(mqtt, each) for each in range(1, connectors + 1))
        self.interpreter = Interpreter(profile, connectors)
        self.memory = Memory(profile)
        self.quiet_s = mqtt.quiet_s if mqtt.whole else 0.0
        self.switch = profile.kind == "switch"
        boot = profile.boot
        self.uptime = frozenset() if boot is None or boot.uptime is None else inputs(profile, (boot.uptime,))
        self.starting = frozenset() if boot is None else inputs(profile, boot.starting)
        self.identity_names = [(each, inputs(profile, each)) for each in profile.identity.expect]
        self.counts_uptime = boot is not None and boot.uptime is not None and boot.counter is None
        self.watched = self.uptime | self.starting | _waited_for(profile)
        switching = profile.switching
        self.state = frozenset() if switching is None else inputs(profile, (switching.state,))
        loads = () if switching is None else (switching.load_w, switching.load_a)
        self.loads = tuple(inputs(profile, (each,)) & profile.values.keys() for each in loads if each is not None)
        self.uses: dict[str, Uses] = {}
        self._listen_for_values()
        if mqtt.presence is not None:
            for topic, _ in self._topics(mqtt.presence):
                self._at(topic).presence += (Extractor(mqtt.presence, self.numbers[0]),)
        for event in mqtt.events:
            for topic, connector in self._topics(event):
                self._at(topic).events += (_event(event, connector, self._own(connector)),)
        for action, spec in profile.actions.given().items():
            if spec.answer is not None:
                for topic, connector in self._topics(spec.answer):
                    self._at(topic).answers += (_answer(action, spec.answer, connector, self._own(connector)),)

    def templates(self) -> Iterator[str]:
        """Every topic template there is, all places still in it."""
        mqtt = self.mqtt
        places: list[Place] = [*mqtt.events]
        for value in mqtt.values.values():
            places += (value, *value.also)
        if mqtt.presence is not None:
            places.append(mqtt.presence)
        places += [spec.answer for spec in self.profile.actions.given().values() if spec.answer is not None]
        yield from dict.fromkeys(topic for place in places for topic in place.topics)

    def online(self, said: Value) -> bool | None:
        """What a message about presence means; None when it means neither."""
        presence = self.mqtt.presence
        if presence is None:
            return None
        here = any(same(said, each) for each in presence.online)
        gone = any(same(said, each) for each in presence.offline)
        if presence.online and presence.offline:
            return None if here == gone else here
        if presence.online:
            return here
        return not gone

    def _listen_for_values(self) -> None:
        for name, value in self.mqtt.values.items():
            of = range(1, self.connectors + 1) if value.of == "connector" else (0,)
            for place in (value, *value.also):
                for connector in of:
                    source = Source(name, connector, value_reader(value, self.mqtt, connector, place))
                    for topic in place.topics:
                        self._at(fill(topic, DEVICE, self._own(connector), id="{id}")).values += (source,)

    def _topics(self, place: Place) -> Iterator[tuple[str, int]]:
        """The topics of a place, each with the connector it names; 0: it names none."""
        for topic in place.topics:
            if "{connector}" not in topic:
                yield topic, 0
                continue
            for connector in range(1, self.connectors + 1):
                yield fill(topic, DEVICE, self._own(connector), id="{id}"), connector

    def _own(self, connector: int) -> int:
        return self.numbers[max(connector, 1) - 1]

    def _at(self, topic: str) -> Uses:
        return self.uses.setdefault(topic, Uses())


def _event(spec: FaultEvent, connector: int, own: int) -> EventReader:
    def path(expression: str | None) -> Path | None:
        return None if expression is None else Path(fill(expression, "", own))

    return EventReader(
        spec=spec,
        connector=connector,
        base=Extractor(spec, own),
        when=path(spec.when),
        key=Path(fill(spec.key, "", own)),
        code=path(spec.code),
        info=path(spec.info),
        number=path(spec.connector),
    )


def _answer(action: Action, spec: Answered, connector: int, own: int) -> AnswerReader:
    return AnswerReader(
        action=action,
        spec=spec,
        connector=connector,
        base=Extractor(spec, own),
        id=None if spec.id is None else Path(spec.id),
        reason=None if spec.reason is None else Path(spec.reason),
    )


def _waited_for(profile: Profile) -> frozenset[str]:
    """Values that a step of a command, or the power switch, waits to hear again."""
    names: set[str] = set()
    switching = profile.switching
    steps = [step for spec in profile.actions.given().values() for step in spec.steps]
    if switching is not None:
        names.update(each for each in (switching.state, switching.load_w, switching.load_a) if each is not None)
        steps += (*switching.off, *switching.on)
    for step in steps:
        names.update(step.expect or {})
    return inputs(profile, names - RESERVED)
