"""What a file of fault tables may say, and what is told to somebody whose file contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.config.faultfile import load_fault_cards, load_fault_table
from triage.core.classify import Lexicon
from triage.core.faults import FaultTable
from triage.core.vocabulary import Family
from triage.errors import InputError, InputFault

FAULTS = """
faults:
  NoError: {family: user_side, en: a, zh: 无}
  Danger: {family: safety, en: a, zh: 险}
  Broken: {family: hardware, en: a, zh: 坏}
  Hung: {family: internal, en: a, zh: 死}
  Slow: {family: internal, en: a, zh: 慢}
  Unclear: {family: unknown, en: a, zh: 疑}
  Told: {family: user_side, en: a, zh: 告}
"""


def table(folder: Path, *files: str) -> FaultTable:
    """The table of the faults above and ``files``."""
    for number, text in enumerate((FAULTS, *files)):
        (folder / f"{number}.yaml").write_text(text, "utf-8")
    return load_fault_table(folder, Lexicon())


def refused(folder: Path, *files: str) -> list[InputFault]:
    """The faults found in them."""
    with pytest.raises(InputError) as caught:
        table(folder, *files)
    return list(caught.value.faults)


def names(known: FaultTable, *codes: str) -> list[str]:
    """What the codes mean on the model AC-1; a code nobody listed means itself."""
    return [known.lookup(code, "", "AC-1").name for code in codes]


def test_the_strictest_of_several_meanings_counts_until_the_stage_is_told(tmp_path: Path) -> None:
    known = table(
        tmp_path,
        "models: ['AC*']\n"
        "codes:\n"
        "  '8': [{is: Broken, stage: start}, {is: Danger, stage: charging}]\n"
        "  '9': {is: Hung, stage: finish}\n"
        "  '10': Told\n"
        "  '11': [{is: Told, stage: start}, {is: NoError, stage: charging}, {is: Broken}]\n",
    )
    assert names(known, "8", "start.8", "charging.8", "finish.8") == ["Danger", "Broken", "Danger", "finish.8"]
    assert names(known, "9", "finish.9", "start.9") == ["Hung", "Hung", "start.9"]
    assert names(known, "10", "START.10", "charging.10") == ["Told", "Told", "Told"]
    assert names(known, "11", "start.11", "charging.11", "finish.11") == ["Broken"] * 4


def test_no_stage_stands_before_the_codes_of_a_file_that_tells_none(tmp_path: Path) -> None:
    known = table(tmp_path, "models: ['AC*']\ncodes: {'8': Danger}\n")
    assert names(known, "8", "start.8") == ["Danger", "start.8"]


def test_firmware_is_never_told_so_its_strictest_meaning_counts(tmp_path: Path) -> None:
    known = table(
        tmp_path, "models: ['AC*']\ncodes: {'12': [{is: Told, firmware: '<1.2'}, {is: Danger, firmware: '>= 1.2'}]}\n"
    )
    assert names(known, "12") == ["Danger"]


def test_what_a_code_means_untold_does_not_count_where_the_stage_is_told(tmp_path: Path) -> None:
    known = table(
        tmp_path,
        "models: ['AC*']\n"
        "codes: {'8': [{is: Hung, stage: start}, {is: Told, stage: idle}, {is: Unclear, stage: untold}]}\n",
    )
    assert names(known, "8", "start.8", "idle.8") == ["Unclear", "Hung", "Told"]


def test_several_meanings_that_may_all_be_restarted_may_be(tmp_path: Path) -> None:
    known = table(tmp_path, "models: ['AC*']\ncodes: {'8': [{is: Hung, stage: start}, {is: Slow, stage: idle}]}\n")
    assert known.lookup("8", "", "AC-1").reset_allowed


@pytest.mark.parametrize("code", ["0x8", "0X08", "0x0008", "0x00000008", "charging.0x8"])
def test_a_hexadecimal_number_may_be_filled_with_zeros(tmp_path: Path, code: str) -> None:
    known = table(tmp_path, "models: ['AC*']\ncodes: {'0x00000008': {is: Danger, stage: charging}}\n")
    assert names(known, code) == ["Danger"]


def test_other_numbers_are_taken_as_they_are_written(tmp_path: Path) -> None:
    known = table(tmp_path, "models: ['AC*']\ncodes: {'008': Danger, 'EV0x8': Danger, 'stop.0x0A': Broken}\n")
    assert names(known, "8", "EV0x08", "stop.0xa") == ["8", "EV0x08", "Broken"]


def test_words_of_danger_for_devices_are_read_in_faults(tmp_path: Path) -> None:
    known = table(tmp_path, "danger: {heat: {words: [too warm, 太热], harmless: [not too warm]}}\n")
    assert known.lookup("zz", "It is TOO WARM here").family is Family.SAFETY
    assert known.lookup("zz", "机柜太热").family is Family.SAFETY
    assert known.lookup("Hung", "too warm").family is Family.SAFETY
    assert known.lookup("zz", "it is not too warm").family is Family.UNKNOWN


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("models: [A]\ncodes: {x: {is: Nothing, stage: start}}", "codes.x", "no table defines"),
        ("models: [A]\ncodes: {x: [{is: Danger}, {is: Nothing}]}", "codes.x", "no table defines"),
        ("models: [A]\ncodes: {x: {is: Danger, stage: noon}}", "codes.x.stage", "'charging'"),
        ("models: [A]\ncodes: {x: {is: Danger, firmware: new}}", "codes.x.firmware", "pattern"),
        ("models: [A]\ncodes: {x: {is: Danger, when: start}}", "codes.x.when", "unknown key"),
        ("models: [A]\ncodes: {x: {stage: start}}", "codes.x.is", "required"),
        ("models: [A]\ncodes: {x: []}", "codes.x", "at least 1 entry"),
        ("models: [A]\ncodes: {x: 7}", "codes.x", "valid string"),
        ("codes: {x: {is: Danger, stage: start}}", "codes.x", "a general code must mean the same"),
        ("codes: {x: {is: Danger, firmware: '<2'}}", "codes.x", "a general code must mean the same"),
        ("models: [A]\ncodes: {x: [{is: Hung, stage: start}, {is: Told, stage: idle}]}", "codes.x", "may be restarted"),
        ("models: [A]\ncodes: {x: [{is: Hung}, {is: NoError}]}", "codes.x", "may be restarted"),
        ("models: [A]\ncodes: {'0x8': Danger, '0x08': Broken}", "codes.0x08", "the same code as '0x8'"),
        ("models: [A]\ncodes: {'a': Danger, 'A': Danger}", "codes.A", "the same code as 'a'"),
        ("faults: {New: {family: hardware, en: a, zh: b, on_reset: helps}}", "faults.New.on_reset", "contradicts"),
        ("faults: {New: {family: internal, en: a, zh: b, on_reset: harms}}", "faults.New.on_reset", "contradicts"),
        ("faults: {New: {family: safety, en: a, zh: b, hazard: none}}", "faults.New.hazard", "contradicts"),
        ("faults: {New: {family: internal, en: a, zh: b, hazard: fire}}", "faults.New.hazard", "contradicts"),
        ("faults: {New: {family: thermal, en: a, zh: b, hazard: shock}}", "faults.New.hazard", "contradicts"),
        ("faults: {New: {family: internal, en: a, zh: b, severity: bad}}", "faults.New.severity", "'critical'"),
        ("faults: {New: {family: internal, en: a, zh: b, part: x, no_part: y}}", "faults.New.no_part", "exclude"),
        ("faults: {New: {family: internal, en: a, zh: b, cause: {en: x}}}", "faults.New.cause.zh", "required"),
        ("danger: {heat: {words: ['(a']}}", "danger.heat.words[0]", "brackets"),
        ("danger: {heat: {words: [x], harmless: ['..']}}", "danger.heat.harmless[0]", "placeholders"),
        ("danger: {heat: {words: []}}", "danger.heat.words", "at least 1 entry"),
    ],
)
def test_faults_of_a_file_are_told_with_their_place(tmp_path: Path, text: str, field: str, problem: str) -> None:
    found = refused(tmp_path, f"{text}\n")
    assert [fault.field for fault in found if problem in fault.problem] == [field], found
    assert all(fault.line for fault in found)


def test_two_files_may_not_mean_different_things_for_the_same_models(tmp_path: Path) -> None:
    first = "models: [AC*, BC*]\ncodes: {'8': Danger, '9': Told}\n"
    (fault,) = refused(tmp_path, first, "models: [ac*]\ncodes: {'8': Broken, '9': Told}\n")
    assert fault.field == "codes.8"
    assert "means Danger for 'ac*'" in fault.problem
    assert names(table(tmp_path, first, "models: [CC*]\ncodes: {'8': Broken}\n"), "8") == ["Danger"]


def test_what_a_fault_leaves_out_follows_from_its_family(tmp_path: Path) -> None:
    table(tmp_path, "faults: {New: {family: internal, reset: false, en: a, zh: b, part: x, severity: minor}}\n")
    cards = load_fault_cards(tmp_path)
    told = {name: (card.severity, card.hazard, card.on_reset) for name, card in cards.items()}
    assert told == {
        "NoError": ("info", "none", "nothing"),
        "Danger": ("critical", "unspecified", "harms"),
        "Broken": ("major", "none", "nothing"),
        "Hung": ("major", "none", "helps"),
        "Slow": ("major", "none", "helps"),
        "Unclear": ("major", "none", "nothing"),
        "Told": ("info", "none", "nothing"),
        "New": ("minor", "none", "nothing"),
    }
    assert (cards["New"].part_en, cards["New"].no_part) == ("x", "")


def test_cards_of_faulty_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        load_fault_cards(tmp_path / "missing")
    (tmp_path / "0.yaml").write_text("faults: {New: {family: safety, en: a, zh: b, hazard: none}}\n", "utf-8")
    with pytest.raises(InputError, match="contradicts family safety"):
        load_fault_cards(tmp_path)
