"""A drill's scenario as an operator writes it: one pile, what is broken, who is there, what is expected of the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from simulators.faults import KINDS
from simulators.models import MODELS
from simulators.words import Action, Shown
from triage.config.schema import Strict, validate
from triage.config.yamlfile import Document, read_document
from triage.core.vocabulary import Channel, CloseCode, Gate, IncidentState, OrderReason
from triage.errors import InputError, InputFault

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
Second = Annotated[float, Field(ge=0, le=86_400)]
Chance = Annotated[float, Field(ge=0, le=1)]
ConnectorNumber = Annotated[int, Field(ge=0, le=8)]

MAKES = {model.name: model for model in MODELS}


class Begins(Strict):
    """When something begins: at a second of the drill, or when the pile receives a command for the first time."""

    at_s: Second | None = Field(None, description="second of the drill")
    on: Action | None = Field(None, description="the first command of this kind that reaches the pile")
    after_s: Second = Field(0.0, description="seconds after that command")

    @model_validator(mode="after")
    def _one_of_both(self) -> Begins:
        if (self.at_s is None) == (self.on is None):
            raise ValueError("say when it begins: either at_s or on")
        if self.after_s and self.on is None:
            raise ValueError("after_s counts from a command: it needs on")
        return self


class PileFile(Strict):
    """The pile."""

    model: Text = Field("Heron 60", description="its model, as plans spell it")
    like: str | None = Field(None, description="the simulated make it behaves like")
    firmware: Text | None = Field(None, description="its firmware")
    connectors: Annotated[int, Field(ge=1, le=8)] | None = Field(None, description="how many connectors it has")
    heartbeat_s: Annotated[float, Field(ge=1, le=3600)] = Field(30.0, description="seconds between its readings")
    boot_s: Annotated[float, Field(gt=0, le=3600)] = Field(60.0, description="seconds a full start takes")
    manners: tuple[Literal["accepts_and_does_nothing", "never_answers", "says_available", "never_returns",
                           "forgets_ids", "hides_boots", "hides_sessions"], ...] = Field(
        (), description="how it behaves beyond what its maker promises"
    )  # fmt: skip


class Trouble(Begins):
    """Something breaks."""

    kind: str | None = Field(
        None, description="a fault of the simulators' catalogue, whose values hold where none is given"
    )
    code: Text | None = Field(None, description="what the pile claims")
    info: Annotated[str, StringConstraints(max_length=200)] | None = Field(None, description="text of the claim")
    shows: Shown | None = Field(None, description="how it shows itself")
    connector: ConnectorNumber = Field(0, description="where; 0 is the whole pile")
    danger: bool | None = Field(None, description="whether nothing may be energised again before a person has looked")
    cures: dict[Action, Chance] = Field(default_factory=dict, description="chance that an action cures it; 1 is surely")
    clears_after_s: Second | None = Field(None, description="it goes by itself so long after it began")

    @model_validator(mode="after")
    def _known(self) -> Trouble:
        if self.kind is not None and self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r} in the catalogue; there are {', '.join(sorted(KINDS))}")
        if self.kind is None and self.shows is None:
            raise ValueError("say what is broken: kind, or shows with a code")
        return self


class Charging(Strict):
    """Somebody charges."""

    connector: Annotated[int, Field(ge=1, le=8)] = Field(description="where")
    from_s: Second = Field(description="second of the drill at which it begins")
    to_s: Second = Field(description="second of the drill at which it ends")

    @model_validator(mode="after")
    def _forwards(self) -> Charging:
        if self.to_s <= self.from_s:
            raise ValueError("to_s must be later than from_s")
        return self


class Outage(Begins):
    """A link is lost."""

    whose: Literal["pile", "ours"] = Field("pile", description="the pile's own link, or ours to the broker")
    for_s: Annotated[float, Field(gt=0, le=86_400)] = Field(description="for how long")


class Complaint(Strict):
    """Somebody complains."""

    at_s: Second = Field(description="second of the drill")
    text: Text = Field(description="what was written")
    connector: ConnectorNumber | None = Field(None, description="the connector it is about")
    channel: Channel = Field(Channel.APP, description="how it came")
    reporter: Text = Field("a driver", description="tells reporters apart")


class Expected(Strict):
    """What the drill must show. What is left out is not judged; all but the counts concern the first incident."""

    state: IncidentState | None = Field(None, description="where the incident is at the end")
    close_code: CloseCode | None = Field(None, description="how it was closed")
    attempts: tuple[Text, ...] | None = Field(None, description="every attempt in order, as `step result`")
    refused_by: tuple[Gate, ...] = Field((), description="gates that must have refused")
    work_order: OrderReason | Literal["none"] | None = Field(None, description="reason of the first order, or `none`")
    orders: Annotated[int, Field(ge=0, le=100)] | None = Field(None, description="how many orders there are")
    resets_at_most: Annotated[int, Field(ge=0, le=100)] | None = Field(None, description="restarts sent, at most")
    within_s: Second | None = Field(None, description="closed or with the field, so soon after it was opened")


class Scenario(Strict):
    """A drill."""

    name: Name = Field(description="name of the scenario; the file is called the same")
    title: dict[str, Text] = Field(description="what it shows, by language")
    plan: Name = Field(description="the plan it was written for; others may be tried against it")
    seed: Annotated[int, Field(ge=0)] = Field(1, description="decides what chance decides")
    run_for_s: Annotated[float, Field(gt=0, le=604_800)] = Field(
        7200.0, description="the drill ends then at the latest"
    )
    pile: PileFile = Field(PileFile(), description="the pile")
    trouble: Annotated[tuple[Trouble, ...], Field(min_length=1, max_length=10)] = Field(description="what breaks")
    charging: Annotated[tuple[Charging, ...], Field(max_length=20)] = Field((), description="who charges")
    link_lost: Annotated[tuple[Outage, ...], Field(max_length=20)] = Field((), description="links that are lost")
    complaints: Annotated[tuple[Complaint, ...], Field(max_length=50)] = Field((), description="who complains")
    expect: Expected = Field(description="what the drill must show")


def load_scenario(path: Path) -> Scenario:
    """The scenario in the file at ``path``.

    Raises:
        InputError: every fault, with its line.
    """
    document = read_document(path)
    scenario = validate(document, Scenario)
    faults = list(_cross_faults(scenario, document, path))
    if faults:
        raise InputError(faults)
    return scenario


def _cross_faults(scenario: Scenario, document: Document, path: Path) -> list[InputFault]:
    faults: list[InputFault] = []
    if scenario.name != path.stem:
        faults.append(document.fault(("name",), f"the file is called {path.stem}", "give both the same name"))
    pile = scenario.pile
    like = pile.like or (pile.model if pile.model in MAKES else None)
    if pile.like is not None and pile.like not in MAKES:
        faults.append(document.fault(("pile", "like"), f"no simulated make {pile.like!r}", f"one of {_makes()}"))
    connectors = pile.connectors or (MAKES[like].connectors if like in MAKES else 1)
    for part in ("trouble", "charging", "complaints"):
        for index, each in enumerate(getattr(scenario, part)):
            if (each.connector or 0) > connectors:
                problem = f"the pile has {connectors} connector(s)"
                faults.append(document.fault((part, index, "connector"), problem, "name one of them"))
    if not any(trouble.on is None for trouble in scenario.trouble):
        problem = "nothing breaks by itself, so no plan begins and no command is sent"
        faults.append(document.fault(("trouble",), problem, "let one trouble begin at_s"))
    if scenario.expect == Expected():
        faults.append(document.fault(("expect",), "expects nothing", "say what the drill must show"))
    return faults


def _makes() -> str:
    return ", ".join(sorted(MAKES))
