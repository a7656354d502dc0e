"""The topics of a device that publishes over MQTT: its values, how it says that it is there, its events."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from triage.config.profile.words import Name, Prose, Scalar, Seconds, Text, Unit
from triage.config.schema import Strict

_PLACES = re.compile(r"\{([a-z_]+)\}")
PLACES = frozenset({"device", "connector"})
"""What may stand in braces in a topic: the device's name (the fleet's endpoint) and its own number of a connector."""

COMMAND_PLACES = PLACES | {"id", "now_ms"}
"""In what is published: also the command's id and the present time in milliseconds since 1970 (UTC)."""

ANSWER_PLACES = PLACES | {"id"}
"""In the topic of an answer: also the command's id, for devices that answer each request on a topic of its own."""


def template(value: str, places: frozenset[str] = PLACES) -> str:
    """``value`` when it is a topic template that holds only ``places``.

    Raises:
        ValueError: what is wrong with it.
    """
    strange = [name for name in _PLACES.findall(value) if name not in places]
    if strange:
        raise ValueError(f"unknown {{{strange[0]}}}; known: {', '.join(f'{{{name}}}' for name in sorted(places))}")
    if "#" in value or "+" in value:
        raise ValueError("wildcards are not written here; {device} and {connector} stand for what varies")
    if "{device}" not in value:
        raise ValueError("a topic needs {device}, or one device would speak for all")
    return value


Topic = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Place(Strict):
    """Where something is said: a topic (or several that mean the same), and what is taken from its payload."""

    topic: tuple[Topic, ...] | Topic = Field(description="with {device} and, where it has one, {connector}")
    payload: Literal["json", "text"] = Field("json", description="a JSON document or value, or the bare text")
    path: Path | None = Field(None, description="JMESPath into the JSON; {connector} is filled in first")

    @field_validator("topic")
    @classmethod
    def _templates(cls, value: tuple[str, ...] | str) -> tuple[str, ...]:
        return tuple(template(each) for each in ((value,) if isinstance(value, str) else value))

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics, always as several."""
        return (self.topic,) if isinstance(self.topic, str) else self.topic


class TopicValue(Place):
    """One value of the device.

    A path that is not there, or whose filter matches nothing, means that this message does not speak of the value, and
    what was known is kept; a JSON ``null``, or an ``invalid`` value, means that the device says it has none.
    """

    also: tuple[Place, ...] = Field((), max_length=8, description="other places that say the same; the newest counts")
    type: Literal["any", "number", "text", "bool"] = Field("any", description="what it is read as")
    invalid: tuple[Scalar, ...] = Field((), description="what means 'no value'")
    scale: float = Field(1.0, description="a number is multiplied by it")
    offset: float = Field(0.0, description="and this is added then")
    unit: Unit | None = Field(None, description="unit after scale and offset; readings are converted from it")
    range: tuple[float, float] | None = Field(None, description="[least, most] after scaling; beyond is nonsense")
    of: Literal["pile", "connector"] = Field("pile", description="whose value it is")
    unverified: Prose | None = Field(None, description="what nobody has checked about it; shown to the operator")
    note: Prose | None = Field(None, description="what a reader of this file should know")


class Presence(Place):
    """How the device, or its last will, says whether it is there."""

    online: tuple[Scalar, ...] = Field((), description="values that say it is there; empty: any but `offline`")
    offline: tuple[Scalar, ...] = Field((), description="values that say it is gone; empty: any but `online`")


class FaultEvent(Place):
    """A message that raises or clears one fault, or lists all that are active. Paths are JMESPath."""

    does: Literal["raise", "clear", "list"] = Field(description="`list` replaces what was known; `path` is the list")
    when: Path | None = Field(None, description="JMESPath that must be true, when one topic carries several kinds")
    key: Path = Field(description="what tells one fault from another; raise and clear must agree on it")
    code: Path | None = Field(None, description="the fault's code; required to raise and to list")
    info: Path | None = Field(None, description="its text")
    connector: Path | None = Field(None, description="the device's number of the connector; left out: the whole pile")
    codes: dict[str, Text] = Field(default_factory=dict, description="code to canonical fault; others stay unknown")


class Ask(Strict):
    """How the device is asked to tell its state at once."""

    topic: Topic = Field(description="where the question is published")
    payload: str = Field("", max_length=4_000, description="the question; {device}, {id} and {now_ms} are filled in")


class Mqtt(Strict):
    """How the device is understood on the broker, and its values."""

    device: Text = Field(r"[^+#]+", description="regular expression the fleet's endpoint must match; empty: the pile")
    device_example: Text | None = Field(None, description="what such an endpoint looks like")
    first_connector: Annotated[int, Field(ge=0, le=1000)] = Field(1, description="the device's number of connector 1")
    qos: Literal[0, 1] = Field(1, description="of our subscriptions and commands")
    whole: bool = Field(True, description="a value once said holds until it is said anew, retained or not")
    quiet_s: Seconds = Field(1.0, description="values that arrive within this time make one reading")
    values: dict[Name, TopicValue] = Field(default_factory=dict, max_length=500, description="the values, by name")
    presence: Presence | None = Field(None, description="how it says whether it is there")
    events: tuple[FaultEvent, ...] = Field((), description="faults told as events")
    ask: tuple[Ask, ...] = Field((), description="how it is asked for its state")
