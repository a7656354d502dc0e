"""The table of every setting, made from the schema itself for the operators' README."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from triage.config.schema import nested_models


def key_table(model: type[BaseModel]) -> str:
    """Every key of ``model`` as a Markdown table: name, default, meaning."""
    rows = [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in _rows(model, "")]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *dict.fromkeys(rows)]) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, info in model.model_fields.items():
        key = f"{prefix}{name}"
        yield key, _default(info), info.description or "which kind of entry it is"
        for inner in nested_models(info.annotation):
            yield from _rows(inner, f"{key}.")


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) or (isinstance(value, tuple) and value):
        return "see below"
    if value is None or isinstance(value, (tuple, dict)):
        return "none"
    shown = value.value if isinstance(value, Enum) else f"{value:.12g}" if isinstance(value, float) else value
    return f"`{shown}`"
