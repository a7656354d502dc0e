"""The bridge from pydantic's findings to faults a person can mend: file, line, field, problem, what is allowed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from triage.config.yamlfile import Document, Place
from triage.errors import InputError, InputFault


class Strict(BaseModel):
    """Base of every file's schema: nothing unknown, nothing coerced, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, validate_default=False)


SECRET_KEYS = frozenset({"url", "password", "secret", "tokens", "sha256"})
"""Keys whose values are never repeated in a message."""

Model = TypeVar("Model", bound=BaseModel)


def validate(document: Document, model: type[Model]) -> Model:
    """The document's data as ``model``.

    Raises:
        InputError: every fault found, each with the line of the offending key.
    """
    if not isinstance(document.data, dict):
        problem = "is empty" if document.data is None else "must be a mapping of keys to values"
        raise InputError([document.fault((), problem, f"allowed keys: {_listed(keys_of(model))}")])
    try:
        return model.model_validate_json(json.dumps(document.data, ensure_ascii=True), strict=True)
    except ValidationError as error:
        raise InputError(_faults(document, model, error.errors())) from error


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys a model allows, as written in the file."""
    return [info.alias or name for name, info in model.model_fields.items()]


def nested_models(annotation: Any) -> list[type[BaseModel]]:
    """The models an annotation may hold, looking through optionals, lists, mappings and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return nested_models(get_args(annotation)[0])
    found: list[type[BaseModel]] = []
    for part in get_args(annotation):
        found.extend(nested_models(part))
    return found


def scalar_types(annotation: Any) -> set[type]:
    """The plain types an annotation may hold at its top level (optionals and unions opened)."""
    if get_origin(annotation) is Annotated:
        return scalar_types(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return set().union(*(scalar_types(part) for part in get_args(annotation)))
    return {annotation} if isinstance(annotation, type) else set()


def _faults(document: Document, model: type[BaseModel], details: Iterable[ErrorDetails]) -> list[InputFault]:
    """The findings as faults. Where several shapes are allowed, each complains; one fault is told for all of them."""
    located = [(*_locate(document.data, model, detail), detail) for detail in details]
    shapes: dict[Place, list[str]] = {}
    for at, _, detail in located:
        if detail["type"] in _SHAPES:
            shapes.setdefault(at, []).append(_SHAPES[detail["type"]])
    exact = {at for at, _, detail in located if detail["type"] not in _SHAPES}
    places = {at for at, _, _ in located}
    faults: list[InputFault] = []
    told: set[Place] = set()
    for at, owner, detail in located:
        wanted = dict.fromkeys(shapes.get(at, ()))
        if detail["type"] not in _SHAPES:
            faults.append(_fault(document, at, owner, detail))
        elif at not in told | exact and not any(each != at and each[: len(at)] == at for each in places):
            told.add(at)
            given = _shown(at, detail["input"])
            several = document.fault(at, f"must be {' or '.join(wanted)}", given)
            faults.append(several if len(wanted) > 1 else _fault(document, at, owner, detail))
    return faults


def _fault(document: Document, at: Place, owner: list[type[BaseModel]], detail: ErrorDetails) -> InputFault:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return document.fault(at, "unknown key", _suggest(str(at[-1]), owner))
    if kind == "missing":
        return document.fault(at, "this key is required and missing", "add it")
    if kind in _SIZES:
        wanted = detail["ctx"][_SIZES[kind]]
        few = "at least" if kind == "too_short" else "at most"
        return document.fault(at, f"needs {few} {wanted} {'entry' if wanted == 1 else 'entries'}")
    problem = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    problem = problem[:1].lower() + problem[1:]
    return document.fault(at, problem, _shown(at, detail["input"]))


def _shown(at: Place, given: Any) -> str:
    """What was given, unless it may hold a secret."""
    if at and at[-1] in SECRET_KEYS:
        return "what was given is not shown: it may hold a secret"
    return f"given: {given!r}"[:120] if isinstance(given, (str, int, float, bool)) or given is None else ""


_SIZES = {"too_short": "min_length", "too_long": "max_length"}
"""Findings about lists and mappings with too few or too many entries, and where pydantic keeps how many it wants."""

_SHAPES = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
"""Findings about the shape of a value, and the shape that one allowed alternative wants."""


def _locate(data: Any, model: type[BaseModel], detail: ErrorDetails) -> tuple[Place, list[type[BaseModel]]]:
    """Where pydantic's ``loc`` stands in the document, and which models own its last key.

    Pydantic inserts names of union members and of validators into ``loc``; they are not in the document.
    """
    loc: Iterable[str | int] = detail["loc"]
    absent = detail["type"] == "missing"
    at: Place = ()
    owners: list[type[BaseModel]] = [model]
    parts = [part for part in loc if part != "[key]"]
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(data, dict) and isinstance(part, str) and (part in data or (last and absent)):
            at = (*at, part)
            if not last:
                data = data[part]
                owners = _below(owners, part) or owners
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            at, data = (*at, part), data[part]
        elif isinstance(part, str):
            owners = [owner for owner in owners if _tagged(owner, part)] or owners
    return at, owners


def _below(owners: list[type[BaseModel]], key: str) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for owner in owners:
        for name, info in owner.model_fields.items():
            if key in {name, info.alias}:
                found.extend(nested_models(info.annotation))
    return found


def _tagged(owner: type[BaseModel], tag: str) -> bool:
    return any(tag in get_args(info.annotation) for info in owner.model_fields.values())


def _suggest(key: str, owners: list[type[BaseModel]]) -> str:
    allowed = sorted({name for owner in owners for name in keys_of(owner)})
    near = difflib.get_close_matches(key, allowed, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}allowed here: {_listed(allowed)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
