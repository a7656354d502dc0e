"""What codes mean: the shipped tables, and the law that an unknown code is never harmless."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.core.faults import CACHE_SIZE, RESETTABLE, WORST_FIRST, FaultEntry, FaultTable
from triage.core.vocabulary import Family

CONFIG = Path(__file__).parents[3] / "config"
TABLE = load_fault_table(CONFIG / "faults", load_lexicon(CONFIG / "lexicon"))

NEVER = [
    *("GroundFailure", "CX002", "OverCurrentFailure", "CX004", "OverVoltage", "CX005", "EmergencyStop", "CX008"),
    *("EVSEContactorFault", "CX017", "CableOverTempStop", "CX019", "ResistanceFault", "CX022"),
    *("ConnectorVoltageHigh", "CX024", "BrokenLatch", "CX025", "CutCable", "CX026", "PowerSwitchFailure"),
    *("F000", "F008", "ac_rcd/DC", "evse_board_support/TiltDetected", "evse_board_support/PermanentFault"),
    *("WaterIngressDetected", "EnclosureOpen"),
]


@pytest.mark.parametrize("code", NEVER)
def test_dangerous_codes_are_never_restarted(code: str) -> None:
    entry = TABLE.lookup(code)
    assert entry.family is Family.SAFETY
    assert not entry.reset_allowed


@pytest.mark.parametrize(
    ("code", "name", "family"),
    [
        ("HighTemperature", "HighTemperature", Family.THERMAL),
        ("CX018", "CableOverTempDerate", Family.THERMAL),
        ("CX006", "UnderVoltage", Family.SUPPLY),
        ("CX015", "PowerLoss", Family.SUPPLY),
        ("WeakSignal", "WeakSignal", Family.SUPPLY),
        ("EVCommunicationError", "EVCommunicationError", Family.USER_SIDE),
        ("CX009", "AuthorizationTimeout", Family.USER_SIDE),
        ("CX010", "InvalidVehicleMode", Family.USER_SIDE),
        ("CX020", "PartialInsertion", Family.USER_SIDE),
        ("InternalError", "InternalError", Family.INTERNAL),
        ("ReaderFailure", "ReaderFailure", Family.INTERNAL),
        ("PowerMeterFailure", "PowerMeterFailure", Family.INTERNAL),
        ("CX011", "CableCheckFault", Family.INTERNAL),
        ("CX001", "ConnectorLockFailure", Family.CONNECTOR_LOCK),
        ("ResetFailure", "ResetFailure", Family.HARDWARE),
    ],
)
def test_standard_codes(code: str, name: str, family: Family) -> None:
    entry = TABLE.lookup(f"  {code.upper()} ")
    assert (entry.name, entry.family) == (name, family)
    assert entry.reset_allowed is (family in RESETTABLE)


def test_all_mrec_codes_are_known() -> None:
    names = {TABLE.lookup(f"CX{number:03}").name for number in range(1, 27)}
    assert len(names) == 26
    assert names <= set(TABLE.names())


def test_a_models_own_codes_are_of_that_model_alone() -> None:
    assert TABLE.lookup("0x72", "", "YKC-120").name == "EmergencyStop"
    assert TABLE.lookup("0x72", "", "AC-7").family is Family.UNKNOWN
    assert TABLE.lookup("EV0110", "", " delta ac max 7kW").name == "CommunicationFault"
    assert TABLE.lookup("stop.0x1a", "", "AP3000").name == "OverVoltage"


@pytest.mark.parametrize(
    ("code", "info", "family"),
    [
        ("CX001;CX002", "", Family.SAFETY),
        ("InternalError, ReaderFailure", "", Family.INTERNAL),
        ("InternalError;Whatever", "", Family.UNKNOWN),
        ("InternalError;CX010", "", Family.INTERNAL),
        ("OtherError", "", Family.UNKNOWN),
        ("OtherError", "vendor text nobody knows", Family.UNKNOWN),
        ("OtherError", "payment terminal does not answer", Family.INTERNAL),
        ("OtherError", "smoke sensor", Family.SAFETY),
        ("OtherError", "软件异常", Family.INTERNAL),
        ("OtherError", "柜内冒烟", Family.SAFETY),
        ("OtherError", "code CX018 (cable)", Family.THERMAL),
        ("OtherError;CX006", "", Family.UNKNOWN),
        ("InternalError", "water in cabinet", Family.SAFETY),
        ("InternalError", "no smoke seen", Family.INTERNAL),
        ("SmokeAlarm", "", Family.SAFETY),
        ("vendor_short_circuit", "", Family.SAFETY),
        ("Z99", "", Family.UNKNOWN),
        ("", "", Family.UNKNOWN),
        (";,;", "", Family.UNKNOWN),
    ],
)
def test_texts_and_several_codes_are_judged_by_the_worst(code: str, info: str, family: Family) -> None:
    entry = TABLE.lookup(code, info)
    assert entry.family is family
    assert entry.reset_allowed is (family in RESETTABLE)
    assert entry.name


@given(st.text(max_size=400), st.text(max_size=800), st.none() | st.text(max_size=30))
def test_lookup_is_total_and_steady(code: str, info: str, model: str | None) -> None:
    first = TABLE.lookup(code, info, model)
    assert first == TABLE.lookup(code, info, model)
    assert not (first.reset_allowed and first.family not in RESETTABLE)


@given(st.sampled_from(NEVER), st.lists(st.sampled_from(["InternalError", "NoError", "zz", "CX010"]), max_size=5))
def test_a_danger_is_never_talked_down_by_company(danger: str, others: list[str]) -> None:
    assert TABLE.lookup(";".join([*others, danger])).family is Family.SAFETY


def test_every_family_has_its_rank() -> None:
    assert set(WORST_FIRST) == set(Family)


def test_the_memory_is_bounded() -> None:
    table = FaultTable((), {})
    for number in range(CACHE_SIZE + 10):
        table.lookup(f"c{number}")
    assert len(table._cache) <= CACHE_SIZE


def test_codes_must_lead_to_an_entry() -> None:
    entry = FaultEntry(name="A", family=Family.INTERNAL, description_en="a", description_zh="b")
    assert FaultTable((entry,), {"x": "A"}).lookup("X") is entry
    with pytest.raises(KeyError):
        FaultTable((entry,), {"x": "B"})


def test_known_codes_are_looked_up_at_once() -> None:
    TABLE.lookup("InternalError", "", "AC-7")
    began = time.process_time()
    for _ in range(50_000):
        TABLE.lookup("InternalError", "", "AC-7")
    assert (time.process_time() - began) / 50_000 < 2e-6
