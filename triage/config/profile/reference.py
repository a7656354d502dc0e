"""The table of every key of a profile, made from the schema itself for the operators' guide."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from triage.config.profile.file import Profile

BEGIN = "<!-- every key: written by `triage profile keys`; do not edit -->"
END = "<!-- end of every key -->"

Schema = Mapping[str, Any]

_NAME = r"^[a-z][a-z0-9_]{0,63}$"
_REF = "#/$defs/"
_SHARED = {"Test": "CONDITION", "Step": "STEP", "ActionSpec": "actions.ACTION", "FaultMeaning": "MEANING"}
"""Sections that stand in many places, and what they are called here."""

_PLAIN = {"string": "text", "boolean": "`true` or `false`", "integer": "whole number", "number": "number"}
_ANYTHING = {"boolean", "integer", "number", "string"}


def schema() -> dict[str, Any]:
    """The JSON Schema of a profile, as editors read it."""
    return Profile.model_json_schema()


def reference() -> str:
    """Every key of every section as Markdown: a heading and a table each, between the marks."""
    whole = schema()
    kinds: dict[str, Schema] = whole["$defs"]
    # What stands in many places comes last.
    places = dict(sorted(_places(whole, kinds).items(), key=lambda item: item[1].split(".")[0].isupper()))
    parts = [BEGIN, "", *_section("The file", whole, places)]
    for kind, place in places.items():
        parts += _section(f"`{place}`", kinds[kind], places)
    return "\n".join([*parts, END])


def put_into(text: str) -> str:
    """``text`` with the tables between their marks written anew.

    Raises:
        ValueError: the marks are missing.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"the document has no marks {BEGIN!r} and {END!r}")
    before, rest = text.split(BEGIN, 1)
    return before + reference() + rest.split(END, 1)[1]


def _section(heading: str, kind: Schema, places: Mapping[str, str]) -> Iterator[str]:
    needed = set(kind.get("required", ()))
    yield from (f"### {heading}", "", kind["description"].replace("``", "`"), "")
    yield from ("| key | default | allowed | meaning |", "|---|---|---|---|")
    for key, part in kind["properties"].items():
        default = "required" if key in needed else _default(part)
        cells = (f"`{key}`", default, _allowed(part, places), part.get("description", ""))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _default(part: Schema) -> str:
    value = part.get("default")
    if value in (None, [], {}) or isinstance(value, dict):
        return "none"
    if isinstance(value, str):
        return f"`{value}`" if value else '`""`'
    return f"`{value:g}`" if isinstance(value, float) else f"`{json.dumps(value)}`"


def _allowed(part: Schema, places: Mapping[str, str]) -> str:
    """What may be written there, in words."""
    if "$ref" in part:
        return f"`{places[part['$ref'].removeprefix(_REF)]}`"
    if "anyOf" in part:
        return _any_of(part["anyOf"], places)
    if "enum" in part:
        return ", ".join(f"`{each}`" for each in part["enum"])
    kind = part["type"]
    if kind == "array":
        return "[number, number]" if "prefixItems" in part else f"list of {_allowed(part['items'], places)}"
    if kind == "object":
        return _mapping(part, places)
    return "name of a value" if part.get("pattern") == _NAME else _PLAIN[kind] + _bounds(part)


def _any_of(parts: list[Schema], places: Mapping[str, str]) -> str:
    parts = [part for part in parts if part.get("type") != "null"]
    plain = [part.get("type") for part in parts]
    if set(plain) >= _ANYTHING:
        return "condition" if None in plain else "number, truth value or text"
    if plain == ["integer", "number"]:
        return "number"
    return " or ".join(dict.fromkeys(_allowed(part, places) for part in parts))


def _mapping(part: Schema, places: Mapping[str, str]) -> str:
    if "propertyNames" in part:
        return " and ".join(f"`{key}`" for key in part["propertyNames"]["enum"])
    names = part.get("patternProperties", {})
    (value,) = names.values() or (part["additionalProperties"],)
    inner = _allowed(value, places)
    if inner == "condition":
        return "`CONDITION`"
    return f"{'name of a value' if names else 'text'} → {inner}"


def _bounds(part: Schema) -> str:
    words = [
        f"{word} {part[key]:g}"
        for key, word in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
        if part.get(key) is not None
    ]
    return " ".join(["", *words])


def _places(owner: Schema, kinds: Mapping[str, Schema], prefix: str = "") -> dict[str, str]:
    """What each kind of section is called, in the order in which a reader meets them."""
    found: dict[str, str] = {}
    for key, part in owner["properties"].items():
        for kind, suffix in _inner(part):
            place = _SHARED.get(kind, f"{prefix}{key}{suffix}")
            for each, name in ((kind, place), *_places(kinds[kind], kinds, f"{place}.").items()):
                found.setdefault(each, name)
    return found


def _inner(part: Schema, suffix: str = "") -> Iterator[tuple[str, str]]:
    """The kinds of section a key may hold, and how they are reached below it."""
    if "$ref" in part:
        yield part["$ref"].removeprefix(_REF), suffix
    for each in part.get("anyOf", ()):
        yield from _inner(each, suffix)
    if isinstance(items := part.get("items"), Mapping):
        yield from _inner(items, f"{suffix}[]")
    for each in part.get("patternProperties", {}).values():
        yield from _inner(each, f"{suffix}.NAME")
    if isinstance(values := part.get("additionalProperties"), Mapping):
        yield from _inner(values, f"{suffix}.KEY")
