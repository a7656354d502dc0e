"""All that one device has said on this connection, by value: heard, heard to have no value, or not heard at all."""

from __future__ import annotations

from triage.drivers.profiles.topics import Source
from triage.drivers.profiles.values import Value, Values


class Picture:
    """What is known of one device; connector 0 is the pile. A value that is absent was never heard."""

    __slots__ = ("_connectors", "_impossible", "_pile")

    def __init__(self) -> None:
        """Nothing is known."""
        self._pile: dict[str, Value] = {}
        self._connectors: dict[int, dict[str, Value]] = {}
        self._impossible: dict[tuple[int, str], str] = {}

    def put(self, source: Source, value: Value) -> None:
        """The device said ``value``; None: that it has none."""
        self._of(source.connector)[source.name] = value
        if self._impossible:
            self._impossible.pop((source.connector, source.name), None)

    def lose(self, source: Source) -> None:
        """What it said cannot be read, or the broker no longer has it: nothing is known of this value."""
        self._of(source.connector).pop(source.name, None)
        if self._impossible:
            self._impossible.pop((source.connector, source.name), None)

    def doubt(self, source: Source, why: str) -> None:
        """It said what cannot be; the whole picture is wrong until it says otherwise."""
        self.lose(source)
        place = f" of connector {source.connector}" if source.connector else ""
        self._impossible[source.connector, source.name] = f"{source.name}{place} {why}"

    def values(self) -> Values:
        """Everything as the interpreter wants it; to be read, not kept."""
        return Values(self._pile, self._connectors, list(self._impossible.values()))

    def copy(self) -> Values:
        """Everything, to be kept."""
        connectors = {number: dict(own) for number, own in self._connectors.items()}
        return Values(dict(self._pile), connectors, list(self._impossible.values()))

    @property
    def impossible(self) -> bool:
        """Whether some value was said that cannot be."""
        return bool(self._impossible)

    def heard(self, name: str, connector: int) -> bool:
        """Whether the device said this value, if only that it has none."""
        return name in self._pile or name in self._connectors.get(connector, ())

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(self._pile or self._connectors or self._impossible)

    def _of(self, connector: int) -> dict[str, Value]:
        return self._connectors.setdefault(connector, {}) if connector else self._pile
