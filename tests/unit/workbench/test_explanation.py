"""Every shipped profile can be explained, and what a model cannot do is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.config.profile.file import Profile, load_profile
from triage.workbench import pages
from triage.workbench.explanation import explain
from triage.workbench.limits import cannot

CONFIG = Path(__file__).parents[3] / "config"
TABLE = load_fault_table(CONFIG / "faults", load_lexicon(CONFIG / "lexicon"))
SHIPPED = sorted((CONFIG / "profiles").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_profile_is_explained_whole(path: Path) -> None:
    profile = load_profile(path, TABLE.names())
    told = explain(profile, TABLE)
    page = "\n".join(pages.explanation(told))
    for text in (*profile.title.values(), *profile.sources, *profile.quirks, *profile.doubts()):
        assert text in page
    for name in (*profile.values, *profile.derived):
        assert f"\n  {name} " in page
    for action, spec in profile.actions.given().items():
        assert f"{action} ({spec.kind}" in page
        assert all(text in page for text in spec.does.values())
    asked = {name.partition("#")[0] for request in told.requests for name in request.values}
    readable = {name for name, value in profile.values.items() if getattr(value, "access", "") in {"r", "rw"}}
    never = {name for name, value in profile.values.items() if getattr(value, "read", "") == "never"}
    assert asked == readable - never
    assert all(line.family != "?" for line in told.faults)
    assert json.loads(msgspec.json.encode(told))["profile"] == profile.profile


def profile(**changes: Any) -> Profile:
    register = {"table": "holding", "address": 1, "type": "u16"}
    sections: dict[str, Any] = {
        "profile": "p",
        "title": {"en": "P", "zh": "桩"},
        "vendor": "v",
        "models": ["m"],
        "sources": ["s"],
        "verified": "no",
        "modbus": {"registers": {"state": register, "count": register, "amps": register}},
        "status": [{"from": "state", "map": {"0": "available"}}],
    }
    return Profile.model_validate_json(json.dumps(sections | changes))


DOES = {"en": "It restarts.", "zh": "重启。"}
RESET = {"does": DOES, "steps": [{"wait_s": 1}]}


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, "no restart of any kind", "no gentle restart"),
        ({"actions": {"reset_hard": RESET}}, "no gentle restart", "no restart of any kind"),
        ({"actions": {"reset_hard": RESET}}, "reset_hard cannot be proven by a new boot", "a restart goes unseen"),
        ({"boot": {"counter": "count"}, "actions": {"reset_hard": RESET}}, "no gentle restart", "proven by a new boot"),
        ({"actions": {"reset_soft": RESET | {"kind": "pseudo"}}}, "`reset_soft` is not the real thing", "of any kind"),
        ({}, "measures neither current nor power", "follows from status, current and power"),
        ({"readings": {"current_a": "amps"}}, "follows from status, current and power", "measures neither"),
        ({}, "tells no fault codes", "whose meaning nobody knows"),
        ({"faults": [{"from": "count"}]}, "whose meaning nobody knows", "tells no fault codes"),
        ({}, "a wrong address would be believed", "follows from"),
        ({"identity": {"expect": [{"count": 7}]}}, "no restart of any kind", "a wrong address would be believed"),
    ],
)
def test_what_it_cannot_do_is_told_and_no_more(changes: dict[str, Any], said: str, unsaid: str) -> None:
    told = "\n".join(cannot(profile(**changes)))
    assert said in told
    assert unsaid not in told


def test_a_switch_that_stays_off_says_so() -> None:
    switching = {"state": "state", "off": [{"wait_s": 1}], "on": [{"wait_s": 1}]}
    told = cannot(profile(kind="switch", status=[], switching=switching))
    assert any("does not switch on again by itself" in each for each in told)
    assert any("measures no load" in each for each in told)
    metered = switching | {"load_w": "amps", "restores_itself": True}
    assert cannot(profile(kind="switch", status=[], switching=metered)) == []


def test_requests_follow_every_connector() -> None:
    registers = {"state": {"table": "holding", "address": 1, "type": "u16", "of": "connector"}}
    told = explain(profile(modbus={"connectors": {"stride": 200}, "registers": registers}), TABLE, 3)
    assert [(each.first, each.count, each.values) for each in told.requests] == [
        (1, 1, ["state#1"]),
        (201, 1, ["state#2"]),
        (401, 1, ["state#3"]),
    ]
