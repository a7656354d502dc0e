"""What a report says beside each value of a live device."""

from __future__ import annotations

import json
from typing import Any

import pytest

from triage.config.profile.file import Profile
from triage.drivers.profiles.values import Values
from triage.workbench.report import GOOD, Judge, ValueRead


def profile(**changes: Any) -> Profile:
    register = {"table": "holding", "address": 1, "type": "u16", "of": "connector", "stride": 50}
    sections: dict[str, Any] = {
        "profile": "p",
        "title": {"en": "P", "zh": "桩"},
        "vendor": "v",
        "models": ["m"],
        "sources": ["s"],
        "verified": "no",
        "modbus": {"registers": {"code": register, "flags": register | {"type": "bits16"}, "watts": register}},
        "status": [{"is": "unknown"}],
        "faults": [
            {"from": "code", "codes": {"7": "InternalError", "12": {"is": "RcdTripped", "text": "residual: 30 mA"}}},
            {"from": "flags", "bits": {"0": "GroundFailure", "3": "OverVoltage"}},
        ],
    }
    return Profile.model_validate_json(json.dumps(sections | changes))


def means(made: Profile, *outlets: dict[str, int]) -> list[dict[str, str]]:
    """What each connector's values are said to mean."""
    values = Values(connectors={number: dict(said) for number, said in enumerate(outlets, 1)})
    read = [
        ValueRead(name=name, connector=number, where="-", value=value)
        for number, said in values.connectors.items()
        for name, value in said.items()
    ]
    Judge(made, len(outlets), None).report("-", "-", read, values)
    return [{each.name: each.means for each in read if each.connector == number} for number in values.connectors]


def test_an_outlet_is_shown_its_own_faults_only() -> None:
    assert means(profile(), {"code": 7, "flags": 1}, {"code": 0, "flags": 8}, {"code": 7, "flags": 9}) == [
        {"code": "InternalError", "flags": "GroundFailure"},
        {"code": "", "flags": "OverVoltage"},
        {"code": "InternalError", "flags": "GroundFailure, OverVoltage"},
    ]


def test_a_code_is_not_taken_for_another_that_begins_alike() -> None:
    assert means(profile(), {"code": 1}, {"code": 12}) == [{"code": "code 1"}, {"code": "RcdTripped"}]


def test_what_concerns_the_whole_pile_stands_beside_the_value_that_said_it() -> None:
    rules = [
        {"from": "code", "codes": {"7": "InternalError"}, "connector": "pile"},
        {"from": "flags", "bits": {"0": "InternalError", "3": "OverVoltage"}, "connector": "pile"},
    ]
    assert means(profile(faults=rules), {"code": 7, "flags": 0}, {"code": 0, "flags": 9}) == [
        {"code": "InternalError", "flags": ""},
        {"code": "", "flags": "InternalError, OverVoltage"},
    ]


@pytest.mark.parametrize(("watts", "verdict"), [(100, GOOD), (60_000, "it says what cannot be")])
def test_what_the_daemon_would_not_believe_is_not_called_understood(watts: int, verdict: str) -> None:
    made = profile(derived={"double": {"sum": ["watts", "watts"], "range": [0, 1_000]}})
    report = Judge(made, 1, None).report("-", "-", [], Values(connectors={1: {"watts": watts}}))
    assert report.verdict.startswith(verdict)
    assert report.ok == (verdict == GOOD)
