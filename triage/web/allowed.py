"""What would have been accepted, for the person whose body was refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from fastapi import Request
from pydantic import BaseModel


def allowed_here(request: Request, error: Mapping[str, Any]) -> str:
    """The accepted names, values or bounds at the place of one validation ``error``; empty when there is no list."""
    context = error.get("ctx") or {}
    if error["type"] == "extra_forbidden":
        model = _model_at(_body_model(request), error["loc"][1:-1])
        return ", ".join(model.model_fields) if model is not None else ""
    if error["type"] == "literal_error":
        return str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")
    bounds = {"ge": "at least", "le": "at most", "min_length": "at least", "max_length": "at most"}
    for bound, words in bounds.items():
        if bound in context:
            unit = " characters" if bound.endswith("length") else ""
            return f"{words} {context[bound]}{unit}"
    return ""


def _body_model(request: Request) -> type[BaseModel] | None:
    field = getattr(request.scope.get("route"), "body_field", None)
    return _as_model(field.field_info.annotation) if field is not None else None


def _model_at(model: type[BaseModel] | None, place: tuple[Any, ...]) -> type[BaseModel] | None:
    for name in place:
        field = model.model_fields.get(str(name)) if model is not None else None
        model = _as_model(field.annotation) if field is not None else None
    return model


def _as_model(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
