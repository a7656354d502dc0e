"""The shipped vocabulary of faults against facts of the field: every vendor's codes, and what may never be restarted.

``fault_facts.csv`` holds one row for each code: vendor, code, stage, whether people are in danger, whether anything
can be done from afar, and whether it is a fault at all.
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from triage.config.faultcards import FaultCard
from triage.config.faultcodes import claims_of
from triage.config.faultfile import load_fault_cards, load_fault_table
from triage.config.faultschema import FaultFile
from triage.config.lexiconfile import load_lexicon
from triage.config.schema import validate
from triage.config.yamlfile import read_document
from triage.core.faults import NO_ERROR, OTHER_ERROR, RESETTABLE, WORST_FIRST, FaultEntry
from triage.core.vocabulary import Family

CONFIG = Path(__file__).parents[2] / "config"
FAULTS = CONFIG / "faults"
LEXICON = load_lexicon(CONFIG / "lexicon")
TABLE = load_fault_table(FAULTS, LEXICON)
DANGEROUS = {Family.SAFETY, Family.DAMAGE}
LOAD_S = 0.3

ARGUED = {
    ("OCPP 1.6", "HighTemperature"): "derating: one waits, and nothing restarts while it is hot",
    ("ChargeX MREC", "CX018"): "derating: one waits, and nothing restarts while it is hot",
    ("EVerest", "power_supply_DC/OverTemperature"): "the module waits until it is cool, and nothing restarts meanwhile",
    ("OCPP 1.6", "ConnectorLockFailure"): "a trapped plug: unlocked first, and nothing restarts while a session lives",
    ("ChargeX MREC", "CX011"): "the self-test is repeated once; the plan cable-check sends a person after that",
}
"""Rows whose danger is met by a family of its own; each with why."""

DANGERS = [
    "relay K1 welded", "contactor stuck closed", "earth leakage above 30 mA", "Ground monitor fault", "PE lost",
    "fuse blown", "over-current on phase 2", "Overcurrent L1", "DC output short", "MCB tripped", "over-voltage L3",
    "water in cabinet", "flood sensor", "door open", "cabinet tampered", "pile tilted by 9 degrees", "impact seen",
    "smoke detector", "fire alarm", "arc fault", "insulation 12 kOhm", "IMD failed", "isolation too low",
    "SPD failed", "emergency button", "cable cut", "NTC open", "socket temperature too high", "reverse polarity",
    "继电器粘连", "直流接触器拒动", "漏电流超限", "接地异常", "绝缘阻值低", "过流保护", "输出短路", "熔断器断开",
    "断路器跳闸", "过压", "防雷模块失效", "柜门被打开", "水浸传感器动作", "烟感动作", "温感报警", "枪头温度过高",
    "桩体倾斜", "急停按下", "电池极性反接", "泄放电阻异常", "电子锁故障", "线缆被剪断", "灭火装置启动", "絕緣不良",
    "漏電", "過流", "機櫃門",
]  # fmt: skip
"""Texts a device may send."""

TELLS_STAGES = "国网TCU系(YKC16)"
"""The vendor whose numbers mean different things in different stages."""


class Fact(NamedTuple):
    """One row."""

    vendor: str
    code: str
    stage: str
    safety: bool
    recoverable: str
    fault: bool


@cache
def facts() -> tuple[Fact, ...]:
    """All rows."""
    with (Path(__file__).parent / "fault_facts.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(
            Fact(vendor, code, stage, safety == "true", recoverable, fault == "yes")
            for vendor, code, stage, safety, recoverable, fault in list(csv.reader(stream))[1:]
        )


def meanings(fact: Fact) -> Iterator[FaultEntry]:
    """What the code means on a model of the vendor: without its stage, and with it where stages are told."""
    yield TABLE.lookup(fact.code, "", fact.vendor)
    if fact.vendor == TELLS_STAGES:
        yield TABLE.lookup(f"{fact.stage}.{fact.code}", "", fact.vendor)


def test_the_facts_are_complete() -> None:
    assert len(facts()) == 504
    assert len({fact.vendor for fact in facts()}) == 21
    assert sum(fact.safety for fact in facts()) == 264
    assert ARGUED.keys() <= {(fact.vendor, fact.code) for fact in facts()}


def test_every_code_is_known_on_its_vendors_model() -> None:
    unknown = [
        (fact.vendor, fact.code)
        for fact in facts()
        for entry in meanings(fact)
        if TABLE.entry(entry.name) is None and fact.code != OTHER_ERROR
    ]
    assert unknown == []


def test_the_code_that_says_nothing_forbids_restarts() -> None:
    assert TABLE.lookup(OTHER_ERROR).family is Family.UNKNOWN


def test_every_danger_is_a_danger() -> None:
    missed = [
        (fact.vendor, fact.code, entry.name)
        for fact in facts()
        for entry in meanings(fact)
        if fact.safety and entry.family not in DANGEROUS and (fact.vendor, fact.code) not in ARGUED
    ]
    assert missed == []


def test_what_is_dangerous_or_beyond_reach_is_never_restarted() -> None:
    """By family, because the family is what the gates and the plans ask."""
    restarted = [
        (fact.vendor, fact.code, entry.name)
        for fact in facts()
        for entry in meanings(fact)
        if (fact.safety or fact.recoverable == "no")
        and (entry.reset_allowed or entry.family in RESETTABLE)
        and (fact.vendor, fact.code) not in ARGUED
    ]
    assert restarted == []


@pytest.mark.parametrize("row", ARGUED)
def test_the_argued_rows_are_what_is_argued(row: tuple[str, str]) -> None:
    family = TABLE.lookup(row[1], "", row[0]).family
    assert family in {Family.THERMAL, Family.CONNECTOR_LOCK, Family.INTERNAL}
    assert (family is Family.INTERNAL) == (row[1] == "CX011")


def test_what_is_no_fault_is_none() -> None:
    for fact in facts():
        if not fact.fault:
            names = [entry.name for entry in meanings(fact)]
            assert names[-1] in {NO_ERROR, "SessionEnded"}, fact


def test_without_its_stage_a_number_has_its_strictest_meaning() -> None:
    rank = {family: number for number, family in enumerate(WORST_FIRST)}
    several = 0
    for code in {fact.code for fact in facts() if fact.vendor == TELLS_STAGES}:
        bare = TABLE.lookup(code, "", TELLS_STAGES)
        staged = [TABLE.lookup(f"{stage}.{code}", "", TELLS_STAGES) for stage in ("idle", "start", "charging")]
        told = [entry for entry in staged if TABLE.entry(entry.name)]
        several += len({entry.name for entry in told}) > 1
        assert told
        assert all(rank[bare.family] <= rank[entry.family] for entry in told)
        if any(not entry.reset_allowed for entry in told):
            assert not bare.reset_allowed
    assert several > 40


@pytest.mark.parametrize(
    ("stage", "name"),
    [("start.", "EVSEContactorFault"), ("charging.", "EmergencyStop"), ("", "EVSEContactorFault")],
)
@pytest.mark.parametrize("number", ["0x8", "0x08", "0X0008"])
def test_zeros_before_a_number_change_nothing(stage: str, name: str, number: str) -> None:
    assert TABLE.lookup(f"{stage}{number}", "", "国网 TCU 120 kW").name == name


@pytest.mark.parametrize(("code", "stages"), [("0x24", ("idle", "charging")), ("0x40", ("start", "idle"))])
def test_a_number_that_may_or_may_not_be_restarted_waits_for_a_person(code: str, stages: tuple[str, str]) -> None:
    internal, other = (TABLE.lookup(f"{stage}.{code}", "", TELLS_STAGES) for stage in stages)
    assert (internal.reset_allowed, other.reset_allowed) == (True, False)
    assert TABLE.lookup(code, "", TELLS_STAGES).name == "AmbiguousCode"


@pytest.mark.parametrize(
    ("model", "code", "name"),
    [
        ("go-eCharger Gemini", "12", "LockOpenedWhileCharging"),
        ("go-eCharger Gemini", "15", "LockOpenedWhileCharging"),
        ("go-eCharger Gemini", "14", "RcdTripped"),
        ("go-eCharger Gemini", "17", "AmbiguousCode"),
        ("KeContact P30", "state 4", "UnspecifiedFault"),
        ("YKC-120", "hw.13", "EnclosureOpen"),
        ("云快充 120kW", "0x6F", "ProtectionTripped"),
        ("AP3000", "port.0x0a", "SocketWorn"),
        ("AP3000", "ack82.9", "ContactorWelded"),
        ("X10P", "port.3", "PortFault"),
        ("0xEE board", "stop.0x9", "OverTemperature"),
        ("OCPP 2.0.1 station", "Reboot", "SessionAborted"),
        ("", "RCD/Tripped", "RcdTripped"),
        ("", "ConnectorHolster/Problem", ""),
        ("", "ConnectorPlugRetentionLock/Problem", "ConnectorLockFailure"),
        ("", "CaseAccessSensor/Active", "EnclosureOpen"),
        ("", "GroundFault", "GroundFailure"),
        ("", "Reboot", ""),
        ("", "Other", ""),
        ("AC-7", "12", ""),
        ("AC-7", "0x4A", ""),
    ],
)
def test_some_codes_by_hand(model: str, code: str, name: str) -> None:
    """An empty name: nobody knows it there, and so nothing restarts."""
    entry = TABLE.lookup(code, "", model)
    if name:
        assert entry.name == name
    else:
        assert (entry.family, entry.reset_allowed) == (Family.UNKNOWN, False)


@pytest.mark.parametrize("text", DANGERS)
@pytest.mark.parametrize("code", ["E-4711", OTHER_ERROR, "7", "InternalError"])
def test_an_unlisted_code_whose_text_speaks_of_danger_is_a_danger(code: str, text: str) -> None:
    assert TABLE.lookup(code, text, "nobody's model").family is Family.SAFETY
    assert TABLE.lookup(code, f"alarm 12: {text}!", None).family is Family.SAFETY


@pytest.mark.parametrize("code", ["RelayWelded", "door_open", "InsulationLow", "SmokeAlarm", "over-current", "烟感"])
def test_the_name_of_an_unlisted_code_is_read_too(code: str) -> None:
    assert TABLE.lookup(code, "", "nobody's model").family is Family.SAFETY


@pytest.mark.parametrize(
    "text",
    [
        *("", "see log", "memory leak in the task list", "doorbell pressed", "firewall update", "clock battery low"),
        *("通信超时", "读卡器无响应", "平台离线", "时钟电池电量低", "达到目标值（单体电压达到设定值)"),
    ],
)
def test_everyday_texts_raise_no_alarm_and_permit_nothing(text: str) -> None:
    entry = TABLE.lookup("E-4711", text, "nobody's model")
    assert (entry.family, entry.reset_allowed) == (Family.UNKNOWN, False)


@given(st.text(max_size=200), st.sampled_from(["", "AC-7", *sorted({fact.vendor for fact in facts()})]))
def test_no_text_makes_an_unlisted_code_fit_for_a_restart(text: str, model: str) -> None:
    entry = TABLE.lookup("zz-unlisted-4711", text, model)
    assert entry.family in {Family.UNKNOWN, Family.SAFETY}
    assert not entry.reset_allowed


@given(st.sampled_from([fact for fact in facts() if fact.safety]), st.text(max_size=200))
def test_no_text_talks_a_listed_danger_down(fact: Fact, text: str) -> None:
    entry = TABLE.lookup(fact.code, text, fact.vendor)
    assert entry.family in DANGEROUS or (fact.vendor, fact.code) in ARGUED


def test_loading_every_table_is_quick() -> None:
    spent = []
    for _ in range(3):
        began = time.process_time()
        load_fault_table(FAULTS, LEXICON)
        spent.append(time.process_time() - began)
    assert min(spent) < LOAD_S


def test_a_text_never_seen_before_is_judged_at_once() -> None:
    began = time.process_time()
    for number in range(300):
        TABLE.lookup("E-4711", f"board {number} said nothing of interest, and said it at some length, twice over")
    assert (time.process_time() - began) / 300 < 2e-3


@pytest.mark.parametrize("name", TABLE.names())
def test_every_canonical_fault_is_told_completely(name: str) -> None:
    written = yaml.safe_load((FAULTS / "canonical.yaml").read_text("utf-8"))["faults"][name]
    assert {"family", "severity", "hazard", "on_reset", "en", "zh", "cause"} <= written.keys()
    card = load_cards()[name]
    for english, chinese in ((written["en"], written["zh"]), (card.cause_en, card.cause_zh)):
        assert re.search(r"[a-z]", english)
        assert not re.search(r"[\u4e00-\u9fff]", english)
        assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert bool(card.part_en) == bool(card.part_zh) == (not card.no_part)
    entry = TABLE.entry(name)
    assert entry is not None
    assert (card.on_reset == "helps") == entry.reset_allowed == (entry.family in RESETTABLE)
    assert (card.hazard != "none") >= (entry.family in DANGEROUS)


@cache
def load_cards() -> dict[str, FaultCard]:
    """The cards of all canonical faults."""
    return load_fault_cards(FAULTS)


def tables() -> Iterator[tuple[str, FaultFile, dict[str, str]]]:
    """Every file: its name, what is written, and its spelled codes."""
    entries = {name: entry for name in TABLE.names() if (entry := TABLE.entry(name))}
    for path in sorted(FAULTS.rglob("*.yaml")):
        document = read_document(path)
        written = validate(document, FaultFile)
        claims, wrong = claims_of(document, written, entries)
        assert wrong == []
        yield path.name, written, {claim.code: claim.name for claim in claims}


def test_no_general_code_means_something_else_on_a_model() -> None:
    general = {name.lower(): name for name in TABLE.names()}
    for _, written, codes in tables():
        if not written.models:
            general |= codes
            general |= {code.lower(): name for name, entry in written.faults.items() for code in entry.codes}
    clashes = [
        (file, code, name, general[code])
        for file, written, codes in tables()
        for code, name in codes.items()
        if written.models and general.get(code, name) != name
    ]
    assert clashes == []


def test_every_vendor_has_one_table_or_general_codes() -> None:
    owners: dict[str, list[str]] = {fact.vendor: [] for fact in facts()}
    for file, written, _ in tables():
        for vendor, names in owners.items():
            if any(matches(vendor, glob) for glob in written.models):
                names.append(file)
    general = {"OCPP 1.6", "ChargeX MREC", "EVgo MREC", "EVerest"}
    assert {vendor: len(names) for vendor, names in owners.items() if vendor not in general} == dict.fromkeys(
        owners.keys() - general, 1
    )


def matches(model: str, glob: str) -> bool:
    """Whether the glob covers the model, whatever the case."""
    pattern = "".join(".*" if char == "*" else re.escape(char) for char in glob.lower())
    return re.fullmatch(pattern, model.lower()) is not None
