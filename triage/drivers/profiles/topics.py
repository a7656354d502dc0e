"""Topics and payloads of a device on the broker: where each value is said, what is taken from it, and what we say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import jmespath
import jmespath.exceptions
import msgspec
from msgspec import Struct

from triage.config.profile.scaling import Scaling
from triage.config.profile.topics import Mqtt, Place, TopicValue
from triage.drivers.profiles.nulls import says_null
from triage.drivers.profiles.values import TEXT_LIMIT, ImpossibleError, Value, number, same, text, visible
from triage.errors import TriageError

_PLACE = re.compile(r"\{(device|connector|id|now_ms)\}")
_JSON = msgspec.json.Decoder()
_TRUE = frozenset({"true", "1", "on", "yes"})
_FALSE = frozenset({"false", "0", "off", "no"})
_KINDS = {"any": "plain value", "number": "number", "text": "text", "bool": "truth value"}
_CHAIN = frozenset({"subexpression", "index_expression", "pipe"})
_THROUGH = frozenset({"projection", "filter_projection", "value_projection", "flatten"})
_FAILURES = (jmespath.exceptions.JMESPathError, TypeError, ValueError, RecursionError)
_COMPUTED = frozenset({"function_expression", "comparator", "not_expression", "and_expression"})

NOT_SAID: Final = "\x00not said"
"""What :meth:`Extractor.take` gives when a payload does not speak of the value at all: what was known still holds."""


class UnreadableError(TriageError):
    """A payload is not what the profile says it is."""


class Source(Struct, frozen=True):
    """One value out of one topic; connector 0 is the pile."""

    name: str
    connector: int
    take: Callable[[bytes], Value]


def fill(
    template: str,
    device: str,
    connector: int | None = None,
    *,
    id: str = "",
    now_ms: int = 0,
) -> str:
    """``template`` with its places filled; any other brace stays as it is. ``connector`` is the device's own number."""
    places = {
        "device": device,
        "connector": "" if connector is None else str(connector),
        "id": id,
        "now_ms": str(now_ms),
    }
    return _PLACE.sub(lambda hit: places[hit[1]], template)


def own_number(mqtt: Mqtt, connector: int) -> int:
    """The device's own number of our ``connector`` (from 1)."""
    return mqtt.first_connector + connector - 1


def our_number(mqtt: Mqtt, own: Value, connectors: int) -> int:
    """Our number of the device's connector ``own``; 0, the whole pile, when it has no such connector."""
    found = number(own)
    if found is None or found != int(found):
        return 0
    ours = int(found) - mqtt.first_connector + 1
    return ours if 1 <= ours <= connectors else 0


def topics_of(place: Place, mqtt: Mqtt, device: str, connector: int, *, id: str = "") -> tuple[str, ...]:
    """The topics of ``place`` for our ``connector`` of ``device``; ``id`` is the command's, for topics of answers."""
    return tuple(fill(topic, device, own_number(mqtt, max(connector, 1)), id=id) for topic in place.topics)


def routes(mqtt: Mqtt, device: str, connectors: int) -> dict[str, tuple[Source, ...]]:
    """Every topic that says values of ``device``, and what is taken from each."""
    found: dict[str, list[Source]] = {}
    for name, value in mqtt.values.items():
        for connector in range(1, connectors + 1) if value.of == "connector" else (0,):
            for place in (value, *value.also):
                source = Source(name, connector, value_reader(value, mqtt, connector, place))
                for topic in topics_of(place, mqtt, device, connector):
                    found.setdefault(topic, []).append(source)
    return {topic: tuple(sources) for topic, sources in found.items()}


def value_reader(value: TopicValue, mqtt: Mqtt, connector: int, place: Place | None = None) -> Callable[[bytes], Value]:
    """How ``value`` of our ``connector`` is taken from a payload of ``place``, left out: of its first place.

    None means that the device says it has no value, NOT_SAID that this payload does not speak of it. What is given
    raises UnreadableError for a payload that is not what it should be, and ImpossibleError beyond the value's range.
    """
    place = place or value
    extractor = Extractor(place, own_number(mqtt, max(connector, 1)))
    scaling = Scaling(value.scale, value.offset)

    def taken(payload: bytes) -> Value:
        said = extractor.take(payload)
        if said is NOT_SAID or said is None:
            return said
        if said == [] and place.path is not None:
            return NOT_SAID  # a filter that matches nothing
        word = scalar(said)
        if word is not None and any(same(word, each) for each in value.invalid):
            return None
        plain = scalar(said, value.type)
        if plain is None:
            raise UnreadableError(f"is no {_KINDS[value.type if word is not None else 'any']}")
        return None if any(same(plain, each) for each in value.invalid) else _scaled(plain, value, scaling)

    return taken


class Extractor:
    """What one place takes from its payloads."""

    def __init__(self, place: Place, own_connector: int) -> None:
        """``own_connector`` is the device's number of the connector, for paths that name it."""
        self._json = place.payload == "json"
        self._path = Path(fill(place.path, "", own_connector)) if place.path is not None else None

    def take(self, payload: bytes) -> Any:
        """The part of ``payload`` that is meant; NOT_SAID when it does not speak of it.

        Raises:
            UnreadableError: not UTF-8 or not JSON.
        """
        document = read_payload(payload, "json" if self._json else "text")
        return document if self._path is None else self._path.find(document)


def read_payload(payload: bytes, kind: Literal["json", "text"]) -> Any:
    """The document in ``payload``, or its text.

    Raises:
        UnreadableError: not UTF-8 or not JSON.
    """
    try:
        return _JSON.decode(payload) if kind == "json" else payload.decode().strip()
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise UnreadableError(f"is no {'JSON' if kind == 'json' else 'UTF-8 text'}: {error}") from None


class Path:
    """A JMESPath expression that knows *nothing there* from *nothing said*.

    Many messages tell only what changed. ``null`` at the end of a path, behind filters and projections too, says that
    there is no value, and so does a function that makes nothing of what is there. A path that is not there, or a filter
    that matches nothing, says nothing: what was known still holds.
    """

    def __init__(self, expression: str) -> None:
        """Compile ``expression``.

        Raises:
            ValueError: it is no JMESPath.
        """
        self._compiled = jmespath.compile(expression)
        self._roots = _roots(self._compiled.parsed)
        self._plain = [chain for chain, whole in self._roots if whole]
        self._defaults = _defaults(self._compiled.parsed)
        self._computes = _last(self._compiled.parsed)["type"] in _COMPUTED

    def find(self, document: Any) -> Any:
        """What the expression finds; NOT_SAID when ``document`` does not speak of it.

        Raises:
            UnreadableError: a function was given what it cannot take.
        """
        try:
            found = self._compiled.search(document)
        except _FAILURES as error:
            ends = [_resolved(document, chain) for chain, _ in self._roots]
            if all(each is None or each is NOT_SAID for each in ends) or self._is_spared(document):
                return self._nothing(document)
            raise UnreadableError(f"is not what its path takes: {str(error).splitlines()[0]}") from None
        if found is None:
            return self._nothing(document)
        if self._defaults or not self._roots:
            return found
        there = any(_resolved(document, chain) is not NOT_SAID for chain, _ in self._roots)
        return found if there else NOT_SAID

    def _nothing(self, document: Any) -> Any:
        """Whether a document in which nothing was found says that there is nothing."""
        ends = [_resolved(document, chain) for chain in self._plain]
        if not self._roots or any(each is None for each in ends):
            return None
        if self._computes and any(each is not NOT_SAID for each in ends):
            return None
        return None if len(self._plain) < len(self._roots) and self._is_null(document) else NOT_SAID

    def _is_null(self, document: Any) -> bool:
        """Whether a null stands where the expression ends."""
        try:
            return says_null(self._compiled.parsed, document)
        except _FAILURES:
            return False

    def _is_spared(self, document: Any) -> bool:
        """Whether a function failed only because there is a null, or nothing, where it looked."""
        try:
            says_null(self._compiled.parsed, document)
        except _FAILURES:
            return False
        return True


def scalar(said: Any, kind: str = "any") -> Value:
    """``said`` as a plain value of ``kind``; None when it is none."""
    if isinstance(said, str):
        said = visible(said.strip()[:TEXT_LIMIT])
    elif isinstance(said, (int, float)) and not isinstance(said, bool):
        said = number(said)
    elif not isinstance(said, bool):
        return None
    if kind == "number":
        return number(said)
    if kind == "text":
        return None if said is None else text(said)
    return _truth(said) if kind == "bool" else said


def _truth(said: Value) -> Value:
    word = text(said).lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _scaled(plain: Value, value: TopicValue, scaling: Scaling) -> Value:
    if isinstance(plain, (bool, str)) or plain is None:
        return plain
    unit = f" {value.unit}" if value.unit else ""
    try:
        scaled = scaling.apply(plain)
    except OverflowError:
        raise ImpossibleError(f"says {plain} before scaling, which no number can hold afterwards") from None
    if value.range is not None and not value.range[0] <= scaled <= value.range[1]:
        least, most = value.range
        raise ImpossibleError(f"says {scaled:.10g}{unit}; possible is {least:.10g} to {most:.10g}{unit}")
    return scaled


Step = str | int
Chain = tuple[Step, ...]


def _roots(node: Mapping[str, Any]) -> list[tuple[Chain, bool]]:
    """The chains of fields and indices an expression starts from, and whether each is plain to its end."""
    chain, whole = _chain(node)
    if whole or chain:
        return [(chain, whole)]
    begins = node["type"] in _CHAIN or node["type"] in _THROUGH
    children = [child for child in node["children"] if isinstance(child, dict)]  # those of a slice are numbers
    return [root for child in (children[:1] if begins else children) for root in _roots(child)]


def _chain(node: Mapping[str, Any]) -> tuple[Chain, bool]:
    """The chain ``node`` begins with, and whether it is nothing but that."""
    kind = node["type"]
    if kind in {"field", "index"}:
        return (node["value"],), True
    if kind in {"identity", "current"}:
        return (), True
    if kind in _CHAIN:
        steps: Chain = ()
        for child in node["children"]:
            more, whole = _chain(child)
            steps += more
            if not whole:
                return steps, False
        return steps, True
    if kind in _THROUGH:
        return _chain(node["children"][0])[0], False
    return (), False


def _last(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The expression that gives the result: the last one of a pipe."""
    return _last(node["children"][-1]) if node["type"] == "pipe" else node


def _defaults(node: Mapping[str, Any]) -> bool:
    """Whether the author says what holds when nothing is there: ``path || 'none'``."""
    last = _last(node)
    kind = last["type"]
    return bool(kind == "or_expression" or (kind == "function_expression" and last["value"] == "not_null"))


def _resolved(document: Any, chain: Chain) -> Any:
    """What stands at the end of ``chain``; NOT_SAID when it does not lead so far."""
    for step in chain:
        if isinstance(step, str):
            if not isinstance(document, dict) or step not in document:
                return NOT_SAID
        elif not isinstance(document, list) or not -len(document) <= step < len(document):
            return NOT_SAID
        document = document[step]
    return document
