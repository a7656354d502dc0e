"""The second half of the Modbus maps: what their devices claim to be wrong, and what is never believed of them."""

from __future__ import annotations

import pytest

from tests.contract.profiles.devices_b import MAKES, goodwe
from triage.drivers.profiles.values import ImpossibleError

Codes = list[tuple[int, str]]

FAULTS: list[tuple[str, list[tuple[str, int, tuple[int, ...]]], Codes, str]] = [
    ("etrel_inch", [("input", 0, (8,))], [(1, "status 8")], "charging fault"),
    ("solax_evc", [("input", 30, (0x0001, 0x8000))], [(1, "fault_mask_1 bit 0"), (1, "fault_mask_1 bit 31")], ""),
    ("solax_evc", [("input", 32, (0x0000, 0x0002))], [(1, "fault_mask_2 bit 17")], ""),
    ("solax_evc", [("input", 29, (4,))], [(1, "state 4 fault_mask_1 0 fault_mask_2 0")], "without any fault bit"),
    ("solax_evc", [("input", 29, (4, 4, 0, 0, 0))], [(1, "fault_mask_1 bit 2")], ""),
    ("sungrow_ac011e", [("input", 21316, (9,))], [(1, "state 9")], "no code"),
    ("goodwe_hca_g2", [("holding", 10017, (5,))], [], ""),
    ("siemens_versicharge", [("holding", 1600, (17,))], [(1, "error_code 17")], ""),
    ("siemens_versicharge", [("holding", 1600, (0xFFFE,))], [(1, "error_code -2")], ""),
    ("siemens_versicharge", [("holding", 1599, (ord("F"), 17))], [(1, "error_code 17")], ""),
    (
        "siemens_versicharge",
        [("holding", 1599, (ord("E"), 0))],
        [(1, "evse_status E error_code 0")],
        "without an error",
    ),
    ("abl_emh1", [("holding", 4, (0xF1,))], [(1, "ContactorWelded")], "state 241: F1, welded contact"),
    ("abl_emh1", [("holding", 4, (0xF2,))], [(1, "InternalError")], "F2"),
    ("abl_emh1", [("holding", 4, (0xF3,))], [(1, "RcdTripped")], "F3"),
    ("abl_emh1", [("holding", 4, (0xF4,))], [(1, "BackendDisconnected")], "F4"),
    ("abl_emh1", [("holding", 4, (0xF5,))], [(1, "ConnectorLockFailure")], "F5"),
    ("abl_emh1", [("holding", 4, (0xF6,))], [(1, "ProximityFault")], "F6"),
    ("abl_emh1", [("holding", 4, (0xF7,))], [(1, "InvalidVehicleMode")], "F7"),
    ("abl_emh1", [("holding", 4, (0xF8,))], [(1, "PilotFault")], "F8"),
    ("abl_emh1", [("holding", 4, (0xF9,))], [(1, "OverCurrentFailure")], "F9"),
    ("abl_emh1", [("holding", 4, (0xFA,))], [(1, "HighTemperature")], "F10"),
    ("abl_emh1", [("holding", 4, (0xFB,))], [(1, "EVSEContactorFault")], "F11"),
    ("abl_emh1", [("holding", 4, (0xFC,))], [(1, "state 252")], ""),
    ("abl_emh1", [("holding", 4, (0xC3,))], [], ""),
    ("abl_emh1", [("holding", 4, (0xC4,))], [], ""),
    ("warp_charger", [("input", 1000, (0, 4, 0, 4))], [(1, "charger_state 4")], "MQTT or HTTP"),
    ("warp_charger", [("input", 1000, (0, 4, 0, 0))], [(1, "charger_state 0 iec61851_state 4")], "state E or F"),
    ("openwb_evse_din", [("holding", 1002, (5,))], [(1, "vehicle_state 5")], "failure"),
    ("openwb_evse_din", [("holding", 1006, (4,))], [(1, "evse_status 4")], "failure of the controller"),
    ("openwb_evse_din", [("holding", 1006, (3,))], [], ""),
    ("victron_evcs", [("holding", 5015, (8,))], [(1, "ProtectiveEarthFault")], "status 8: ground test failed"),
    ("victron_evcs", [("holding", 5015, (9,))], [(1, "ContactorWelded")], "welded"),
    ("victron_evcs", [("holding", 5015, (10,))], [(1, "PilotFault")], "pilot"),
    ("victron_evcs", [("holding", 5015, (11,))], [(1, "RcdTripped")], "earth leakage"),
    ("victron_evcs", [("holding", 5015, (12,))], [(1, "UnderVoltage")], "low"),
    ("victron_evcs", [("holding", 5015, (13,))], [(1, "OverVoltage")], "high"),
    ("victron_evcs", [("holding", 5015, (14,))], [(1, "HighTemperature")], "temperature"),
    ("victron_evcs", [("holding", 5015, (7,))], [], ""),
    ("victron_evcs", [("holding", 5015, (22,))], [], ""),
    ("victron_evcs_gx", [("holding", 3824, (9,))], [(1, "ContactorWelded")], "welded"),
    ("victron_evcs_gx", [("holding", 3824, (14,))], [(1, "HighTemperature")], "temperature"),
    ("em2go_daheimladen", [("holding", 4, (23,))], [(1, "error_code 23")], ""),
    ("em2go_daheimladen", [("holding", 0, (5,))], [(1, "charging_state 5 error_code 0")], "did not start"),
    ("em2go_daheimladen", [("holding", 0, (5,)), ("holding", 4, (9,))], [(1, "error_code 9")], ""),
    ("hesotec_esat", [("holding", 16408, (ord("E") << 8,))], [(1, "cp_state E")], "state E"),
    ("hesotec_esat", [("holding", 16408, (ord("F") << 8,))], [(1, "cp_state F")], "state F"),
    ("sigenergy_evdc", [("input", 31513, (4,))], [(1, "running_state 4")], "fault"),
    ("sigenergy_evdc", [("input", 31513, (9,))], [(1, "running_state 9")], "alarm"),
    ("cfos_power_brain", [("holding", 8092, (0x0104,))], [(1, "status 4")], "error"),
    ("cfos_power_brain", [("holding", 8092, (0x0105,))], [(1, "HighTemperature")], "temperature above its limit"),
    ("cn_rs485_pile_v2", [("holding", 2, (4,))], [(1, "run_state 4")], "no code"),
]

STRANGERS: list[tuple[str, str, int, tuple[int, ...]]] = [
    ("etrel_inch", "input", 1000, (0,) * 10),
    ("solax_evc", "holding", 1536, (0,) * 7),
    ("sungrow_ac011e", "input", 21224, (77,)),
    ("goodwe_hca_g2", "holding", 10058, (12,)),
    ("siemens_versicharge", "holding", 0, (0xFFFF,) * 5),
    ("abl_emh1", "holding", 4, (0x0003,)),
    ("abl_emh1", "holding", 1, (0, 0)),
    ("warp_charger", "input", 0, (0, 0)),
    ("warp_charger", "input", 0, (2, 0)),
    ("openwb_evse_din", "holding", 1005, (0,)),
    ("victron_evcs", "holding", 5010, (230,)),
    ("victron_evcs_gx", "holding", 3824, (9999,)),
    ("em2go_daheimladen", "holding", 32, (0,)),
    ("hesotec_esat", "holding", 16, (0, 0, 0)),
    ("sigenergy_evdc", "input", 31523, (0, 0)),
    ("cfos_power_brain", "holding", 8000, (0, 0)),
    ("cn_rs485_pile_v2", "holding", 5, (0,)),
]

NONSENSE: list[tuple[str, str, tuple[int, ...]]] = [
    ("etrel_inch", "power", (0x47C3, 0x5000)),  # 100000 kW
    ("solax_evc", "voltage_l1", (65535,)),  # 655.35 V
    ("sungrow_ac011e", "power", (0, 0x7FFF)),  # 2 GW
    ("siemens_versicharge", "temperature", (0x8000,)),  # 32768 degrees below
    ("em2go_daheimladen", "power", (0xFFFF, 0xFFFF)),
    ("hesotec_esat", "current_l1", (0xFFFF, 0xFFFF)),
    ("sigenergy_evdc", "output_power", (0x7FFF, 0xFFFF)),
    ("cn_rs485_pile_v2", "current", (65535,)),  # 6553.5 A
]


@pytest.mark.parametrize(("name", "puts", "codes", "words"), FAULTS)
def test_faults_have_canonical_names_or_none(
    name: str, puts: list[tuple[str, int, tuple[int, ...]]], codes: Codes, words: str
) -> None:
    plate = MAKES[name]()
    for table, address, said in puts:
        plate.put(table, address, *said)
    assert plate.codes() == codes
    assert all(words in fault.info for fault in plate.faults())


@pytest.mark.parametrize(("name", "table", "address", "words"), STRANGERS)
def test_another_device_is_left_alone(name: str, table: str, address: int, words: tuple[int, ...]) -> None:
    assert MAKES[name]().see().wrong == ()
    assert MAKES[name]().put(table, address, *words).see().wrong


@pytest.mark.parametrize("name", MAKES)
def test_every_profile_knows_a_stranger(name: str) -> None:
    assert name in {stranger[0] for stranger in STRANGERS}


@pytest.mark.parametrize(("name", "register", "words"), NONSENSE)
def test_what_cannot_be_is_no_value(name: str, register: str, words: tuple[int, ...]) -> None:
    plate = MAKES[name]()
    _, table, address = plate.where(register)
    plate.put(table, address, *words)
    with pytest.raises(ImpossibleError):
        plate.value(register)


def test_a_meter_beyond_what_the_charger_can_deliver_is_never_used() -> None:
    assert goodwe().put("holding", 10015, 220).see().wrong == ()
    assert goodwe().put("holding", 10015, 300).see().wrong  # 30 kW out of 22
