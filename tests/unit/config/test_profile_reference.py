"""The operators' guide holds every key of the schema, as the code has it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from triage.config.faultfile import load_fault_table
from triage.config.profile.file import Profile, load_profile
from triage.config.profile.reference import put_into, reference, schema
from triage.config.schema import keys_of, nested_models
from triage.config.yamlfile import parse_document
from triage.core.classify import Lexicon

GUIDE = Path(__file__).parents[3] / "config" / "profiles" / "README.md"


BASE: dict[str, Any] = {
    "profile": "base",
    "title": {"en": "Base", "zh": "基本"},
    "vendor": "nobody",
    "models": ["none"],
    "sources": ["made up"],
    "verified": "made up",
    "modbus": {
        "registers": {
            "state": {"table": "holding", "address": 0, "type": "u16"},
            "errors": {"table": "holding", "address": 1, "type": "u16"},
            "current": {"table": "holding", "address": 2, "type": "u16", "unit": "A"},
        }
    },
    "status": [{"from": "state", "map": {"0": "available", "1": "charging"}}],
}
RECIPES = re.findall(r"(?s)```yaml\n# recipe\n(.*?)```", GUIDE.read_text(encoding="utf-8"))
FAULTS = Path(__file__).parents[3] / "config" / "faults"


def merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return base | {
        key: merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in more.items()
    }


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


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_of_the_guide_can_be_used(recipe: str, tmp_path: Path) -> None:
    piece = parse_document(recipe.encode(), "recipe").data
    path = tmp_path / "base.yaml"
    path.write_text(json.dumps(merged(BASE, piece), ensure_ascii=False), encoding="utf-8")
    load_profile(path, load_fault_table(FAULTS, Lexicon()).names())


def test_the_guide_has_recipes() -> None:
    assert len(RECIPES) >= 10


def test_a_document_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no marks"):
        put_into("# nothing")
