"""What a model can be told to do, step by step, and what that really does."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from triage.config.profile.meaning import Condition, Texts
from triage.config.profile.topics import ANSWER_PLACES, Path, Place, Topic, template
from triage.config.profile.words import Name, Prose, Scalar, Seconds
from triage.config.schema import Strict
from triage.core.vocabulary import REBOOTS, Action

Within = Annotated[float, Field(gt=0, le=600)]


class Publish(Strict):
    """One message to the device. It is never retained."""

    topic: Topic = Field(description="with {device} and {connector}")
    payload: str = Field("", max_length=4_000, description="with {device}, {connector}, {id} and {now_ms}")
    qos: Literal[0, 1] = Field(1, description="how surely it is delivered")


class Step(Strict):
    """One step; exactly one of write, publish, wait_s and expect."""

    write: dict[Name, Scalar] | None = Field(None, max_length=1, description="register and the scaled value for it")
    publish: Publish | None = Field(None, description="a message")
    wait_s: Within | None = Field(None, description="a pause")
    expect: Condition | None = Field(None, description="what must be read back before the next step")
    within_s: Within = Field(10.0, description="how long `expect` is waited for")
    again: bool | None = Field(
        None,
        description="whether a later write is repeated until it is answered; left out: only that to a `rw` register",
    )

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        given = [name for name in ("write", "publish", "wait_s", "expect") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of write, publish, wait_s, expect")
        if self.write is not None and not self.write:
            raise ValueError("name the register that is written")
        if self.again is not None and self.write is None:
            raise ValueError("`again` is for writes")
        return self


class Answered(Place):
    """How the device answers a command over MQTT. *Accepted* never means that it worked."""

    accepted: tuple[Scalar, ...] = Field(min_length=1, description="values that mean it will try")
    unsupported: tuple[Scalar, ...] = Field((), description="values that mean it cannot; all others are a refusal")
    id: Path | None = Field(None, description="JMESPath to the command's id in the answer, where the device repeats it")
    reason: Path | None = Field(None, description="JMESPath to its words")
    within_s: Within = Field(10.0, description="how long the answer is waited for")

    @field_validator("topic")
    @classmethod
    def _templates(cls, value: tuple[str, ...] | str) -> tuple[str, ...]:
        topics = (value,) if isinstance(value, str) else value
        return tuple(template(each, ANSWER_PLACES) for each in topics)


class ActionSpec(Strict):
    """One thing the model can be told to do."""

    does: Texts = Field(description="what it really does on this model")
    kind: Literal["real", "pseudo"] = Field("real", description="pseudo: it helps alike, but is another thing")
    boots: bool | None = Field(None, description="whether a restart can be seen afterwards; left out: real ones only")
    boot_s: Seconds | None = Field(None, description="how long the device is away, at most")
    require: Condition = Field(default_factory=dict, description="read just before; unknown refuses")
    steps: tuple[Step, ...] = Field(min_length=1, max_length=20, description="in order")
    answer: Answered | None = Field(None, description="how it answers, over MQTT")
    unverified: Prose | None = Field(None, description="what nobody has checked about it; shown to the operator")
    note: Prose | None = Field(None, description="what a reader of this file should know")

    def seen_to_boot(self, action: Action) -> bool:
        """Whether a restart can be seen after ``action``."""
        return self.boots if self.boots is not None else action in REBOOTS and self.kind == "real"


class KeepAlive(Strict):
    """Writes a device wants again and again to stay under remote control. Off unless an operator wants it."""

    does: Texts = Field(description="what it is for, and what happens when it stops")
    enabled: bool = Field(False, description="whether the daemon does it")
    every_s: Seconds = Field(description="time from one to the next")
    steps: tuple[Step, ...] = Field(min_length=1, max_length=5, description="in order")


class Switching(Strict):
    """A remote breaker, relay or smart plug that can take the power from piles. A connector is a channel of it."""

    state: Name = Field(description="value that tells whether the channel is on, as a truth value or 0 and 1")
    load_w: Name | None = Field(None, description="power through the channel")
    load_a: Name | None = Field(None, description="current through the channel")
    idle_below_w: Annotated[float, Field(ge=0, le=1000)] = Field(50.0, description="below it nobody draws power")
    idle_below_a: Annotated[float, Field(ge=0, le=10)] = Field(0.5, description="below it nobody draws power")
    off: tuple[Step, ...] = Field(min_length=1, max_length=5, description="how it is switched off")
    on: tuple[Step, ...] = Field(min_length=1, max_length=5, description="how it is switched on")
    off_s: Seconds = Field(15.0, description="how long the power stays away")
    within_s: Within = Field(10.0, description="how soon each switching must be read back")
    restores_itself: bool = Field(
        False,
        description="the device switches on again by itself after `off`, even when the daemon is gone",
    )


class Actions(Strict):
    """What the model can do. ``report`` needs no entry: reading is always possible."""

    report: ActionSpec | None = Field(None, description="tell the state at once")
    pull_log: ActionSpec | None = Field(None, description="hand over its log")
    set_availability: ActionSpec | None = Field(None, description="put into service")
    stop_session: ActionSpec | None = Field(None, description="end a session")
    unlock: ActionSpec | None = Field(None, description="release the cable")
    reset_soft: ActionSpec | None = Field(None, description="restart gently")
    reset_hard: ActionSpec | None = Field(None, description="restart all of it")

    def given(self) -> dict[Action, ActionSpec]:
        """The actions there are."""
        return {Action(name): spec for name in type(self).model_fields if (spec := getattr(self, name)) is not None}
