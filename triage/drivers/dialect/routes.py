"""From a topic to the devices that speak on it, and what for; a topic seen before costs one look-up."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from triage.drivers.dialect.device import Device
from triage.drivers.dialect.templates import Template
from triage.drivers.dialect.tongue import Tongue, Uses

CACHE_LIMIT = 262_144
"""Topics remembered; when full, all are forgotten and learned again."""


class Target(Struct, frozen=True):
    """A device that a topic is about; ``id`` is the command's id, where the topic holds one."""

    device: Device
    uses: Uses
    id: str | None = None


class _Node(Struct):
    """One segment of many templates: what may follow, and the templates that end here."""

    literal: dict[str, _Node] = {}
    any: _Node | None = None
    ends: list[tuple[Template, Uses, dict[str, Device]]] = []


class Routes:
    """All topics of a fleet."""

    def __init__(self, tongues: Iterable[tuple[Tongue, dict[str, Device]]]) -> None:
        """Of each tongue the devices that speak it, by name."""
        self._root = _Node()
        self._known: dict[str, tuple[Target, ...]] = {}
        for tongue, devices in tongues:
            for text, uses in tongue.uses.items():
                template = Template(text, devices)
                for shape in template.shapes:
                    self._grow(shape).ends.append((template, uses, devices))

    def find(self, topic: str) -> tuple[Target, ...]:
        """Whom ``topic`` is about; nobody, when it is of no device of the fleet."""
        known = self._known.get(topic)
        if known is not None:
            return known
        found = tuple(self._search(topic))
        if not any(target.id for target in found):  # each such topic is used once
            if len(self._known) >= CACHE_LIMIT:
                self._known.clear()
            self._known[topic] = found
        return found

    def _grow(self, shape: list[str]) -> _Node:
        node = self._root
        for segment in shape:
            if segment == "+":
                node.any = node = node.any or _Node()
            else:
                node = node.literal.setdefault(segment, _Node())
        return node

    def _search(self, topic: str) -> list[Target]:
        found: list[Target] = []
        for node in self._reach(topic.split("/")):
            for template, uses, devices in node.ends:
                hit = template.match(topic)
                device = None if hit is None else devices.get(hit.device)
                if hit is not None and device is not None:
                    found.append(Target(device, uses, hit.id))
        return found

    def _reach(self, segments: list[str]) -> list[_Node]:
        nodes = [self._root]
        for segment in segments:
            following = [node.literal[segment] for node in nodes if segment in node.literal]
            following += [node.any for node in nodes if node.any is not None]
            nodes = following
        return nodes
