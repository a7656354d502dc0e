"""The operators' guide holds every key of the schema, as the code has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from triage.config.profile.file import Profile
from triage.config.profile.reference import put_into, reference, schema
from triage.config.schema import keys_of, nested_models

GUIDE = Path(__file__).parents[3] / "config" / "profiles" / "README.md"


def every_model() -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    waiting: list[type[BaseModel]] = [Profile]
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.add(model)
            waiting += [each for info in model.model_fields.values() for each in nested_models(info.annotation)]
    return found


def test_the_guide_is_what_the_code_says() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert put_into(text) == text, "run: triage profile keys config/profiles/README.md"


def test_every_key_of_every_section_has_a_row_with_a_meaning() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.+?) \| (.+?) \| (.*) \|$", reference())
    keys = [key for model in every_model() for key in keys_of(model)]
    assert sorted(row[0] for row in rows) == sorted(keys)
    assert [key for key, _, allowed, meaning in rows if not meaning.strip() or not allowed.strip()] == []


def test_a_row_tells_default_and_what_is_allowed() -> None:
    text = reference()
    assert "| `port` | `502` | whole number from 1 to 65535 | when the fleet's endpoint names none |" in text
    assert "| `numbering` | `protocol` | `protocol`, `one_based`, `modicon` |" in text
    assert "| `title` | required | `en` and `zh` |" in text
    assert "| `require` | none | `CONDITION` |" in text


def test_the_schema_knows_the_names_as_they_are_written() -> None:
    assert {"is", "from"} <= set(schema()["$defs"]["StatusRule"]["properties"])


def test_a_document_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no marks"):
        put_into("# nothing")
