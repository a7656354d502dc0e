"""Topic templates of profiles: what to ask the broker for, and which device a topic that arrives is about.

A device's name may contain slashes (``productKey/deviceName``); how many it has is known from the fleet.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

EXACT_BELOW = 20
"""With fewer devices of a profile each is subscribed by its name, and nobody else's messages arrive."""

NAME_CHARS = 256
TOPIC_CHARS = 2_048

_PLACE = re.compile(r"\{(device|connector|id)\}")
_ANY = "\x00"  # no topic can contain it
_STRANGE = re.compile(r"[+#\x00-\x1f\x7f-\x9f]")  # a broker drops whoever sends control characters


class Hit(NamedTuple):
    """What a topic says where its template has places."""

    device: str
    id: str | None


def fit_for_topics(name: str) -> bool:
    """Whether ``name`` may stand in a topic: no wildcard, no empty segment, and not longer than a name is."""
    return 0 < len(name) <= NAME_CHARS and _STRANGE.search(name) is None and all(name.split("/"))


def publishable(topic: str) -> bool:
    """Whether something can be published on ``topic``."""
    return 0 < len(topic) <= TOPIC_CHARS and _STRANGE.search(topic) is None


def filters(template: str, names: Collection[str], numbers: Sequence[int]) -> Iterator[str]:
    """The filters that cover ``template`` for the devices called ``names`` with connectors numbered ``numbers``."""
    if len(names) >= EXACT_BELOW:
        yield from (_for_anyone(template, depth) for depth in _depths(names))
        return
    for name in sorted(names):
        topic = template.replace("{device}", name).replace("{id}", _ANY)
        several = numbers if "{connector}" in topic else (0,)
        yield from (_with_wildcards(topic.replace("{connector}", str(number))) for number in several)


def _depths(names: Collection[str]) -> list[int]:
    return sorted({name.count("/") for name in names})


def _for_anyone(template: str, depth: int) -> str:
    anyone = "/".join([_ANY] * (depth + 1))
    return _with_wildcards(_PLACE.sub(lambda place: anyone if place[1] == "device" else _ANY, template))


def _with_wildcards(topic: str) -> str:
    """A wildcard stands for a whole segment, so a segment with a place in it becomes one."""
    return "/".join("+" if _ANY in segment else segment for segment in topic.split("/"))


class Template:
    """One template without ``{connector}``, compiled for the names there are."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        """``names`` are those of the profile's devices: they tell how many segments a name may have."""
        self.text = text
        depths = _depths(names)
        name = "|".join("[^/]+" + "/[^/]+" * depth for depth in depths)
        self.shapes = [_for_anyone(text, depth).split("/") for depth in depths]
        found: set[str] = set()

        def group(place: str) -> str:
            if place in found:
                return f"(?P={place})"
            found.add(place)
            return f"(?P<{place}>{name if place == 'device' else '[^/]+'})"

        parts = _PLACE.split(text)
        expression = "".join(group(part) if at % 2 else re.escape(part) for at, part in enumerate(parts))
        self._match = re.compile(expression).fullmatch

    def match(self, topic: str) -> Hit | None:
        """What ``topic`` says, or None when it has another shape."""
        found = self._match(topic)
        if found is None:
            return None
        said = found.groupdict()
        return Hit(said.get("device", ""), said.get("id"))
