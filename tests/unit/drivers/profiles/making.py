"""Small profiles for tests: the sections that matter, the rest filled in."""

from __future__ import annotations

import json
from typing import Any

from triage.config.profile.file import Profile
from triage.config.profile.meaning import Condition, StatusRule
from triage.config.profile.registers import Modbus, Register
from triage.config.profile.topics import Mqtt

HEAD = {
    "profile": "x",
    "title": {"en": "X", "zh": "X"},
    "vendor": "X",
    "models": ["X"],
    "sources": ["a test"],
    "verified": "by nobody",
}
ANY = {"is": "unknown"}


def profile(**sections: Any) -> Profile:
    """A charger with these sections; values named in ``values`` are registers without further ado."""
    values = sections.pop("values", {"a": {}})
    if "mqtt" not in sections and "modbus" not in sections:
        registers = {
            name: {"table": "holding", "address": 10 * index, "type": "u16", **told}
            for index, (name, told) in enumerate(values.items())
        }
        sections["modbus"] = {"registers": registers}
    return Profile.model_validate_json(json.dumps({**HEAD, "status": [ANY], **sections}))


def register(**told: Any) -> Register:
    """One register; a holding register at 0 unless ``told`` otherwise."""
    return Register.model_validate_json(json.dumps({"table": "holding", "address": 0, **told}))


def device(**told: Any) -> Modbus:
    """A Modbus section with one register that is of no matter."""
    registers = {"a": {"table": "holding", "address": 0, "type": "u16"}}
    return Modbus.model_validate_json(json.dumps({"registers": registers, **told}))


def broker(**told: Any) -> Mqtt:
    """An MQTT section."""
    return Mqtt.model_validate_json(json.dumps(told))


def condition(**asked: Any) -> Condition:
    """A condition, as a file says it."""
    return StatusRule.model_validate_json(json.dumps({"is": "charging", "when": asked})).when
