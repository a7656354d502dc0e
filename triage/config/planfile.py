"""Recovery plans as files: a strict schema, the lint, and the hash that pins the very text on every run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from triage.config.schema import Strict, validate
from triage.config.yamlfile import Document, read_document
from triage.core.plan import PROOFS, Plan, PlanBook, Step
from triage.core.planlint import lint, overlaps
from triage.core.vocabulary import Action, Family, Mode, OrderReason
from triage.errors import InputError, InputFault

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
StepId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Seconds = Annotated[float, Field(gt=0, le=604_800)]
Route = Literal["soak", "next", "wait", "field", "desk"]

BOOT_WINDOW_S = 300.0
"""Longest start of a controller that plans reckon with; the policy's boot window has the same default."""


class StepFile(Strict):
    """One step as written."""

    id: StepId = Field(description="name of the step, unique in the plan; shown on the record and in metrics")
    action: Action = Field(description="what the pile is asked to do")
    proof: tuple[str, ...] = Field(min_length=1, description="what must be seen, newer than the command; all of it")
    verify_s: Seconds = Field(description="how long the proof is waited for, in seconds")
    passed: Route = Field("soak", description="where a proven step leads")
    failed: Route = Field("next", description="where a step without its proof leads")
    refused: Route = Field("next", description="where a refusal by the pile leads")
    unknown: Route = Field("desk", description="where silence leads: nobody knows whether it was carried out")
    scope: Literal["connector", "pile"] = Field("connector", description="what the action is aimed at")
    args: dict[str, str] = Field(default_factory=dict, description="further arguments of the command, as text")
    note: Annotated[str, StringConstraints(max_length=2_000)] = Field("", description="why the step is as it is")

    @field_validator("proof")
    @classmethod
    def _known_proof(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        strange = [name for name in value if name not in PROOFS]
        if strange:
            raise ValueError(f"unknown proof {', '.join(strange)}; known: {', '.join(PROOFS)}")
        return value


class MatchFile(Strict):
    """Which trouble the plan is for."""

    families: tuple[Family, ...] = Field(min_length=1, description="fault families")
    faults: tuple[Word, ...] = Field((), description="canonical fault names; left out: every fault of the families")
    models: tuple[Word, ...] = Field((), description="models, spelled as in the fleet; left out: every model")


class PlanFile(Strict):
    """A plan as written."""

    name: Name = Field(description="name of the plan; the file is called the same")
    version: Annotated[int, Field(ge=1)] = Field(description="counts up with every change of meaning")
    title: dict[str, Word] = Field(description="what people read, by language; `en` and `zh` are required")
    mode: Mode = Field(description="how far this plan may act; the policy's mode is the ceiling")
    responsible: Word = Field(description="who answers for the plan")
    review_by: str = Field(description="date of the next review, as YYYY-MM-DD")
    match: MatchFile = Field(description="which trouble the plan is for")
    deadline_s: Seconds = Field(description="the whole plan must be over within this time, in seconds")
    soak_s: Seconds = Field(description="how long the evidence must stay good, in seconds")
    exhausted: Literal["field", "desk"] = Field(description="where the trouble goes when no step is left")
    exhausted_reason: OrderReason = Field(description="the reason written into a work order then")
    likely_parts: tuple[Word, ...] = Field((), description="parts a technician should take along")
    steps: Annotated[tuple[StepFile, ...], Field(min_length=1, max_length=20)] = Field(description="in order")

    @field_validator("review_by")
    @classmethod
    def _a_date(cls, value: str) -> str:
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a date as YYYY-MM-DD") from None
        return day.isoformat()


def load_plan(path: Path) -> Plan:
    """The plan in the file at ``path``, linted.

    Raises:
        InputError: every fault of schema or lint, with its line.
    """
    plan, faults = _read(read_document(path), path.stem)
    if faults:
        raise InputError(faults)
    return plan


def load_plans(folder: Path) -> PlanBook:
    """All plans (``*.yaml``) of ``folder``, linted one by one and against each other.

    Raises:
        InputError: every fault of every file.
    """
    plans: list[tuple[Plan, Document]] = []
    faults: list[InputFault] = []
    for path in plan_files(folder):
        try:
            document = read_document(path)
            plan, found = _read(document, path.stem)
        except InputError as error:
            faults.extend(error.faults)
            continue
        faults.extend(found)
        plans.append((plan, document))
    faults.extend(_between(plans))
    if faults:
        raise InputError(faults)
    return PlanBook(plans=tuple(plan for plan, _ in plans))


def plan_files(folder: Path) -> Sequence[Path]:
    """The plan files of ``folder``, sorted.

    Raises:
        InputError: the folder is missing or holds no plan.
    """
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not files:
        problem = "holds no *.yaml file" if folder.is_dir() else "is not a folder"
        raise InputError([InputFault(str(folder), None, "", problem, "name the folder with the plans")])
    return files


def _read(document: Document, stem: str) -> tuple[Plan, list[InputFault]]:
    written = validate(document, PlanFile)
    plan = _plan(written, document)
    faults = [document.fault(found.at, found.problem, found.remedy) for found in lint(plan, BOOT_WINDOW_S)]
    if written.name != stem:
        faults.append(document.fault(("name",), f"the file is called {stem}", "give file and plan the same name"))
    return plan, faults


def _plan(written: PlanFile, document: Document) -> Plan:
    return Plan(
        name=written.name,
        version=written.version,
        title=dict(written.title),
        families=written.match.families,
        steps=tuple(Step(**step.model_dump()) for step in written.steps),
        mode=written.mode,
        deadline_s=written.deadline_s,
        responsible=written.responsible,
        review_by=written.review_by,
        soak_s=written.soak_s,
        exhausted=written.exhausted,
        exhausted_reason=written.exhausted_reason,
        faults=written.match.faults,
        models=written.match.models,
        likely_parts=written.likely_parts,
        sha256=hashlib.sha256(document.raw).hexdigest(),
        text=document.text,
    )


def _between(plans: Sequence[tuple[Plan, Document]]) -> list[InputFault]:
    """Faults between plans: two of the same rank for the same trouble, where the choice would be by chance."""
    faults: list[InputFault] = []
    for index, (plan, document) in enumerate(plans):
        for other, _ in plans[:index]:
            shared = overlaps(plan, other)
            if shared:
                problem = f"matches the same trouble as plan {other.name!r}: {shared}"
                faults.append(document.fault(("match",), problem, "make one of the two narrower, by fault or by model"))
    return faults
