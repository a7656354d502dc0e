"""The whole check: lexicon and fault files, and everything at once."""

import shutil
from pathlib import Path

import pytest

from triage.config.check import check
from triage.config.faultfile import load_fault_table
from triage.config.fleetfile import load_fleet
from triage.config.lexiconfile import load_lexicon
from triage.config.profile.file import load_profiles
from triage.core.classify import Lexicon
from triage.errors import InputError

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the shipped configuration."""
    for name in ("plans", "lexicon", "faults"):
        shutil.copytree(CONFIG / name, tmp_path / name)
    for name in ("triage.yaml", "fleet.csv", "teams.csv"):
        shutil.copy(CONFIG / name, tmp_path / name)
    (tmp_path / "profiles").mkdir()
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_what_is_shipped_has_no_fault(house: Path) -> None:
    assert check(house / "triage.yaml", {}) == []


def test_all_faults_of_all_files_are_told_at_once(house: Path) -> None:
    edit(house / "triage.yaml", "port: 8080", "prt: 8080")
    edit(house / "fleet.csv", "north-field", "ghosts")
    edit(house / "plans" / "offline.yaml", "version: 1", "version: no")
    edit(house / "lexicon" / "safety.yaml", "\n    grave: false", "\n    grave: perhaps")
    edit(house / "faults" / "models" / "ykc.yaml", "EmergencyStop", "EmergencyHalt")
    shutil.rmtree(house / "profiles")
    found = check(house / "triage.yaml", {"TRIAGE_X": "1"})
    files = {Path(fault.file).name for fault in found}
    assert files == {
        *("environment", "triage.yaml", "fleet.csv", "offline.yaml"),
        *("safety.yaml", "ykc.yaml", "profiles"),
    }
    assert all(fault.problem and fault.remedy for fault in found)


def test_settings_that_are_no_yaml_do_not_hide_the_other_files(house: Path) -> None:
    (house / "triage.yaml").write_text("{", "utf-8")
    edit(house / "fleet.csv", "P0002", "P0001")
    assert {Path(fault.file).name for fault in check(house / "triage.yaml", {})} == {"triage.yaml", "fleet.csv"}


RESTART = """\
connectors: 2
actions:
  reset_hard:
    does: {en: Restarts., zh: 重启。}
    steps: [{write: {state: 7}}]
"""
PROFILE = """\
profile: box
title: {en: Box, zh: 盒}
vendor: Somebody
models: [Box]
sources: [a test]
verified: never
modbus:
  registers:
    state: {table: holding, address: 1, type: u16}
status:
  - from: state
    map: {0: available, 1: charging}
faults:
  - from: state
    codes: {9: FIRE}
"""
ROW = "north,mall,{pile},{profile},m,{connectors},{endpoint},,,{switch},,,,"


def test_profiles_are_checked_and_rows_against_them(house: Path) -> None:
    (house / "profiles" / "box.yaml").write_text(PROFILE.replace("FIRE", "NoSuchFault"), "utf-8")
    (found,) = check(house / "triage.yaml", {})
    assert (Path(found.file).name, found.line) == ("box.yaml", 15)
    assert "NoSuchFault" in found.problem
    (house / "profiles" / "box.yaml").write_text(PROFILE.replace("FIRE", "InternalError"), "utf-8")
    rows = [
        ROW.format(pile="X1", profile="boxx", connectors=1, endpoint="10.0.0.1", switch=""),
        ROW.format(pile="X2", profile="box", connectors=1, endpoint="", switch=""),
        ROW.format(pile="X3", profile="box", connectors=1, endpoint="10.0.0.1:99999", switch=""),
        ROW.format(pile="X4", profile="box", connectors=1, endpoint="10.0.0.1", switch="plug7"),
        ROW.format(pile="X5", profile="box", connectors=1, endpoint="10.0.0.1:1502", switch="box@plug7#1"),
        ROW.format(pile="X6", profile="box", connectors=2, endpoint="pile-7.example", switch=""),
    ]
    fleet = house / "fleet.csv"
    lines = len(fleet.read_text("utf-8").splitlines())
    with fleet.open("a", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")
    faults = check(house / "triage.yaml", {})
    assert [(fault.line, fault.field) for fault in faults] == [
        (lines + 1, "profile"),
        (lines + 2, "endpoint"),
        (lines + 3, "endpoint"),
        (lines + 4, "power_switch"),
        (lines + 5, "power_switch"),
    ]
    assert all(fault.remedy for fault in faults)


def test_a_pile_that_is_restarted_as_a_whole_is_registered_as_a_whole(house: Path) -> None:
    writable = PROFILE.replace("FIRE", "InternalError").replace("type: u16}", "type: u16, access: rw}")
    row = ROW.format(pile="X1", profile="box", connectors=1, endpoint="10.0.0.1", switch="")
    fleet = house / "fleet.csv"
    with fleet.open("a", encoding="utf-8") as file:
        file.write(f"{row}\n")
    (house / "profiles" / "box.yaml").write_text(writable + RESTART, "utf-8")
    (found,) = check(house / "triage.yaml", {})
    assert found.field == "connectors"
    assert "a restart concerns them all" in found.problem
    (house / "profiles" / "box.yaml").write_text(writable + RESTART.splitlines()[0] + "\n", "utf-8")
    assert check(house / "triage.yaml", {}) == []  # a model that nobody can restart may have fewer


def test_what_the_drivers_would_refuse_at_the_start_is_refused_by_the_check(house: Path) -> None:
    for name in ("shelly_gen2", "tasmota", "tasmota_switch"):
        shutil.copy(CONFIG / "profiles" / f"{name}.yaml", house / "profiles")
    (house / "profiles" / "box.yaml").write_text(
        PROFILE.replace("FIRE", "InternalError")
        .replace("modbus:\n", "modbus:\n  connectors: {unit_stride: 1}\n")
        .replace("type: u16}", "type: u16, of: connector}"),
        "utf-8",
    )
    rows = [
        ROW.format(pile="X1", profile="box", connectors=1, endpoint="http://10.0.0.1", switch=""),
        ROW.format(pile="X2", profile="box", connectors=1, endpoint="10.0.0.1/", switch=""),
        ROW.format(pile="X3", profile="box", connectors=1, endpoint="10.0.0.3", switch=""),
        ROW.format(pile="X4", profile="box", connectors=1, endpoint="tcp://10.0.0.3:502", switch=""),
        ROW.format(pile="X5", profile="box", connectors=9, endpoint="10.0.0.5", switch="").replace(".5,,", ".5,250,"),
        ROW.format(pile="X6", profile="shelly_gen2", connectors=1, endpoint="a//b", switch=""),
        ROW.format(pile="X7", profile="tasmota", connectors=1, endpoint="201234", switch=""),
        ROW.format(pile="X8", profile="tasmota", connectors=1, endpoint="201234", switch=""),
        ROW.format(pile="X9", profile="box", connectors=1, endpoint="10.0.0.9", switch="tasmota_switch@a/b#1"),
    ]
    fleet = house / "fleet.csv"
    lines = len(fleet.read_text("utf-8").splitlines())
    with fleet.open("a", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")
    faults = check(house / "triage.yaml", {})
    assert [(fault.line, fault.field) for fault in faults if fault.line is not None] == [
        (lines + 1, "endpoint"),
        (lines + 2, "endpoint"),
        (lines + 4, "endpoint"),
        (lines + 5, "connectors"),
        (lines + 6, "endpoint"),
        (lines + 8, "endpoint"),
        (lines + 9, "power_switch"),
    ]


def test_two_spellings_of_one_switch_are_one_switch(house: Path) -> None:
    shutil.copy(CONFIG / "profiles" / "modbus_relay.yaml", house / "profiles")
    spellings = [
        "modbus_relay@Relay.example",
        "modbus_relay@relay.example:502/1#01",
        "modbus_relay@tcp://relay.example#1",
    ]
    fleet = house / "fleet.csv"
    with fleet.open("a", encoding="utf-8") as file:
        for number, switch in enumerate(spellings):
            file.write(
                f"{ROW}\n".format(pile=f"Y{number}", profile="pile/v1", connectors=1, endpoint="", switch=switch)
            )
    profiles = load_profiles(house / "profiles")
    found = {row.power_switch for row in load_fleet(fleet, None, profiles) if row.pile.startswith("Y")}
    assert found == {"modbus_relay@relay.example:502/1#1"}


def test_without_a_teams_file_any_team_may_be_named(house: Path) -> None:
    (house / "teams.csv").unlink()
    assert check(house / "triage.yaml", {}) == []
    (named,) = check(house / "triage.yaml", {"TRIAGE_TEAMS": "nowhere.csv"})
    assert "cannot be read" in named.problem


@pytest.mark.parametrize(
    ("name", "problem"), [("Gremlin", "no fault table knows"), ("GroundFailure", "is of family safety")]
)
def test_plans_must_name_faults_that_can_happen(house: Path, name: str, problem: str) -> None:
    edit(house / "plans" / "cable-check.yaml", "CableCheckFault", name)
    (fault,) = check(house / "triage.yaml", {})
    assert (Path(fault.file).name, fault.line, fault.field) == ("cable-check.yaml", 12, "match.faults[0]")
    assert problem in fault.problem


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("rules: [{name: a, words: [x]}]", "rules[0]", "says nothing"),
        ("rules: [{name: a, symptom: other, words: ['(x']}]", "rules[0].words[0]", "brackets"),
        ("rules: [{name: a, symptom: other, words: ['*']}]", "rules[0].words[0]", "placeholders"),
        ("rules: [{name: a, symptom: other, words: []}]", "rules[0].words", "at least 1"),
        ("rules: [{name: a, symptom: sad, words: [x]}]", "rules[0].symptom", "'wont_start'"),
        ("rules: [{name: smoke, symptom: other, words: [x]}]", "rules[0].name", "a second rule"),
        ("safety: [{name: smoke, words: [x]}]", "safety[0].name", "a second rule"),
        ("variants: {ab: c}", "variants.ab", "one to one"),
        ("denial: {words: [x], fillers: [x], joiners: [x], doubts: [x]}", "denial", "already given"),
        ("word: [x]", "word", "unknown key"),
    ],
)
def test_faults_of_the_lexicon(house: Path, text: str, field: str, problem: str) -> None:
    (house / "lexicon" / "zz.yaml").write_text(f"{text}\n", "utf-8")
    with pytest.raises(InputError) as caught:
        load_lexicon(house / "lexicon")
    (fault,) = caught.value.faults
    assert (Path(fault.file).name, fault.field) == ("zz.yaml", field)
    assert problem in fault.problem


def test_a_lexicon_without_words_of_danger_is_refused(house: Path) -> None:
    (house / "lexicon" / "safety.yaml").unlink()
    with pytest.raises(InputError, match="no words of danger"):
        load_lexicon(house / "lexicon")


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("faults: {InternalError: {family: internal, en: a, zh: b}}", "faults.InternalError", "defined twice"),
        ("faults: {New: {family: safety, en: a, zh: b, reset: true}}", "faults.New.reset", "not allowed in family"),
        ("faults: {New: {family: internal, en: a, zh: b, codes: [CX002]}}", "faults.New.codes", "already means"),
        ("faults: {New: {family: internal, en: a}}", "faults.New.zh", "required"),
        ("faults: {new: {family: internal, en: a, zh: b}}", "faults.new", "pattern"),
        ("faults: {New: {family: odd, en: a, zh: b}}", "faults.New.family", "'internal'"),
        ("codes: {CX002: InternalError}", "codes.CX002", "already means GroundFailure"),
        ("codes: {x: Nothing}", "codes.x", "no table defines"),
        ("models: [X]\ncodes: {x: Nothing}", "codes.x", "no table defines"),
    ],
)
def test_faults_of_the_fault_tables(house: Path, text: str, field: str, problem: str) -> None:
    (house / "faults" / "zz.yaml").write_text(f"{text}\n", "utf-8")
    with pytest.raises(InputError) as caught:
        load_fault_table(house / "faults", Lexicon())
    assert [fault.field for fault in caught.value.faults if problem in fault.problem] == [field], caught.value.faults


def test_an_entry_may_forbid_the_restart_its_family_allows(house: Path) -> None:
    (house / "faults" / "zz.yaml").write_text("faults: {New: {family: internal, en: a, zh: b, reset: false}}\n")
    entry = load_fault_table(house / "faults", Lexicon()).lookup("New")
    assert not entry.reset_allowed


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_folders_without_files_are_faults(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"is not a folder|holds no"):
        load_lexicon(tmp_path / folder)
    with pytest.raises(InputError, match=r"is not a folder|holds no"):
        load_fault_table(tmp_path / folder, Lexicon())
