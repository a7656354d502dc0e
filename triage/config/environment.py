"""Environment variables that win over the settings file: ``TRIAGE_<SECTION>__<KEY>``, deeper keys with more ``__``."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from triage.config.schema import keys_of, nested_models, scalar_types
from triage.config.yamlfile import Document, Place, parse_document, parse_scalar
from triage.errors import InputError, InputFault

PREFIX = "TRIAGE_"
"""Every variable with this prefix must be a known setting."""


def overridden(
    document: Document, model: type[BaseModel], environ: Mapping[str, str]
) -> tuple[Document, list[InputFault]]:
    """The document with the environment's values in place, and the faults of variables that mean nothing.

    An empty document is taken for one without any key; one that is no mapping is left as it is.
    """
    if document.data is not None and not isinstance(document.data, dict):
        return document, []
    data = copy.deepcopy(document.data or {})
    overrides: dict[Place, str] = {}
    faults: list[InputFault] = []
    for name in sorted(key for key in environ if key.startswith(PREFIX)):
        words = name.removeprefix(PREFIX).lower().split("__")
        try:
            at, annotation = _resolve(words, model, data)
            _put(data, at, _value(environ[name], annotation, name))
            overrides[at] = name
        except InputError as error:
            faults.extend(error.faults)
        except LookupError as error:
            faults.append(InputFault("environment", None, name, "is not a setting", str(error.args[0])))
    return replace(document, data=data, overrides=overrides), faults


def _resolve(words: list[str], model: type[BaseModel], data: Any) -> tuple[Place, Any]:
    """Place and annotation of the setting that ``words`` lead to; raises ``LookupError`` with advice."""
    at: Place = ()
    annotation: Any = model
    for word in words:
        data, annotation, step = _descend(word, annotation, data)
        at = (*at, step)
    return at, annotation


def _descend(word: str, annotation: Any, data: Any) -> tuple[Any, Any, str | int]:
    if isinstance(data, list) and word.isdecimal():
        if int(word) >= len(data):
            raise LookupError(f"the list has {len(data)} entries, counted from 0")
        return data[int(word)], get_args(annotation)[0], int(word)
    if get_origin(annotation) is dict:
        return None, get_args(annotation)[1], word
    models = nested_models(annotation)
    for owner in models:
        if word in owner.model_fields:
            inner = data.get(word) if isinstance(data, dict) else None
            return inner, owner.model_fields[word].annotation, word
    allowed = sorted({key for owner in models for key in keys_of(owner)})
    near = difflib.get_close_matches(word, allowed, n=1)
    meant = f"did you mean {near[0].upper()}? " if near else ""
    raise LookupError(f"{meant}known here: {', '.join(key.upper() for key in allowed) or 'nothing'}")


def _value(text: str, annotation: Any, name: str) -> Any:
    """Text stays text where text is wanted; lists and sections are written as YAML; the rest is a number or a word."""
    if str in scalar_types(annotation):
        return text
    if text.lstrip()[:1] in {"[", "{"}:
        try:
            return parse_document(text.encode("utf-8", "replace"), "environment").data
        except InputError as error:
            fault = error.faults[0]
            raise InputError([InputFault("environment", None, name, fault.problem, fault.remedy)]) from error
    return parse_scalar(text)


def _put(data: Any, at: Place, value: Any) -> None:
    for step, following in pairwise(at):
        if isinstance(data, list) and isinstance(step, int):
            data = data[step]
            continue
        inner = data.get(step)
        if not isinstance(inner, list if isinstance(following, int) else dict):
            inner = data[step] = {}
        data = inner
    data[at[-1]] = value
