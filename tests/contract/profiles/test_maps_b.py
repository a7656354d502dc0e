"""The second half of the Modbus maps: words as their makers print them, and what must be seen in them.

Every expected value was worked out by hand from the facts; `facts_b.csv` holds the maps as they were given.
"""

from __future__ import annotations

import pytest

from tests.contract.profiles.devices_b import MAKES, siemens, view
from tests.contract.profiles.plates import Plate, facts_of, lacking

FACTS = "facts_b.csv"

VALUES: dict[str, dict[str, object]] = {
    "etrel_inch": {"target_current": 16.0, "current_l2": 15.5, "power": 7.5, "hw_version": "1.0", "serial": "E-123"},
    "solax_evc": {"voltage_l3": 229.5, "current_l2": 15.9, "energy_total": 70000.5, "firmware": 9.11, "rssi": 71},
    "sungrow_ac011e": {"energy_total": 200000, "power": 70000, "session_energy": 5000, "set_current": 16.0},
    "goodwe_hca_g2": {"voltage_l1": 231.0, "power": 10.4, "max_power": 11.0, "power_spec": 1, "energy_total": 6553.7},
    "siemens_versicharge": {"brand": "SIEMENS", "energy_total": 100000, "power_l3": 3680, "modbus_table": 3},
    "abl_emh1": {"state": 194, "firmware": 0x01120020, "current_sensor": 1, "current_l3": 15.8, "current_l1": 16.0},
    "warp_charger": {"fw_timestamp": 0x66558ADE, "box_id": 185460, "allowed_current": 16.0, "current_user": 7},
    "openwb_evse_din": {"set_current": 16, "cable_max": 32, "firmware": 17, "config": 0},
    "victron_evcs": {"energy": 12.34, "set_current": 16, "mode": 0, "enabled": 1},
    "victron_evcs_gx": {"energy": 700.0, "set_current": 16, "mode": 0, "enabled": 1},
    "em2go_daheimladen": {"serial": "EM2GO-0815", "max_current_hw": 16.0, "charge_time": 3600, "comm_timeout": 30},
    "hesotec_esat": {
        "fw_power": "V2.01",
        "cp_state": "C",
        "cp_current": 16.0,
        "session_energy": 5500,
        "max_current": 16,
    },
    "sigenergy_evdc": {"soc": 55.3, "session_energy": 12340, "session_duration": 900, "rated_power": 25000},
    "cfos_power_brain": {"status": 2, "max_current": 16.0, "current_l2": 16.1, "serial": "CF-1", "enable": 1},
    "cn_rs485_pile_v2": {"duration": 1800, "session_energy": 3.5, "connect_state": 1},
}

READINGS: dict[str, dict[str, float]] = {
    "etrel_inch": {"current_a": 16.0, "power_w": 7500.0},
    "solax_evc": {"voltage_v": 230.12, "current_a": 16.05, "power_w": 11000.0, "energy_wh": 70000500.0},
    "sungrow_ac011e": {"voltage_v": 231.5, "current_a": 15.9, "power_w": 70000.0, "energy_wh": 200000.0},
    "goodwe_hca_g2": {"voltage_v": 231.7, "current_a": 15.2, "power_w": 10400.0, "energy_wh": 6553700.0},
    "siemens_versicharge": {"voltage_v": 231.0, "current_a": 16.0, "power_w": 10330.0, "temperature_c": 41.0},
    "abl_emh1": {"current_a": 16.0},
    "warp_charger": {"power_w": 7360.0, "energy_wh": 1234500.0},
    "openwb_evse_din": {},
    "victron_evcs": {"power_w": 7200.0},
    "victron_evcs_gx": {"power_w": 7200.0},
    "em2go_daheimladen": {"voltage_v": 231.2, "current_a": 15.7, "power_w": 70000.0, "energy_wh": 6553600.0},
    "hesotec_esat": {"voltage_v": 231.0, "current_a": 16.123, "power_w": 7360.468, "temperature_c": -5.0},
    "sigenergy_evdc": {"voltage_v": 402.5, "current_a": 62.1, "power_w": 25000.0, "energy_wh": 1234560.0},
    "cfos_power_brain": {"current_a": 16.1, "power_w": 11040.0, "energy_wh": 4295037296.0},
    "cn_rs485_pile_v2": {"voltage_v": 221.5, "current_a": 31.9, "power_w": 7000.0, "energy_wh": 7000000.0},
}
MEASURES = ("voltage_v", "current_a", "power_w", "energy_wh", "temperature_c")

WHO: dict[str, tuple[str | None, str | None, str | None]] = {
    "etrel_inch": ("4.2.1", "INCH HOME", "E-123"),
    "solax_evc": ("9.11", None, "C3220H12345678"),
    "siemens_versicharge": ("2.135", "8EM1310-3EJ04", "S0001"),
    "abl_emh1": ("17956896", None, None),
    "warp_charger": ("2.4.0", None, "185460"),
    "openwb_evse_din": ("17", None, None),
    "em2go_daheimladen": (None, None, "EM2GO-0815"),
    "hesotec_esat": ("V1.20", None, None),
    "cfos_power_brain": (None, "cFos Power Brain", "CF-1"),
}

STATUS: dict[str, tuple[str, int, dict[int, str | None]]] = {
    "etrel_inch": ("input", 0, {
        0: None, 1: "available", 2: "available", 3: "suspended_ev", 4: "charging", 5: "suspended_ev",
        6: "suspended_evse", 7: "finishing", 8: "faulted", 9: "preparing", 10: "unavailable", 11: None,
    }),
    "solax_evc": ("input", 29, {
        0: "available", 1: "preparing", 2: "charging", 3: "finishing", 4: "faulted", 5: "unavailable",
        6: "reserved", 7: "suspended_ev", 8: "suspended_evse", 9: None, 10: None, 11: "preparing",
        12: "suspended_evse", 13: "finishing", 14: None, 17: "suspended_evse",
    }),
    "sungrow_ac011e": ("input", 21316, {
        0: None, 1: "available", 2: "preparing", 3: "charging", 4: "suspended_evse", 5: "suspended_ev",
        6: "finishing", 7: "reserved", 8: "unavailable", 9: "faulted", 10: None,
    }),
    "goodwe_hca_g2": ("holding", 10017, {
        0: "available", 1: "preparing", 2: "preparing", 3: "charging", 4: "finishing", 5: None, 6: "preparing",
        7: None, 8: None, 9: None, 10: "suspended_evse",
    }),
    "siemens_versicharge": ("holding", 1599, {
        ord("A"): "available", ord("B"): "suspended_ev", ord("C"): "charging", ord("D"): "charging",
        ord("E"): "faulted", ord("F"): "faulted", ord("A") << 8: "available", ord("C") << 8: "charging",
        ord("F") << 8: "faulted", ord("Z"): None, 0: None,
    }),
    "abl_emh1": ("holding", 4, {
        0xA1: "available", 0xB1: "preparing", 0xB2: "suspended_ev", 0xC2: "charging", 0xC3: "charging",
        0xC4: "charging", 0xE0: "unavailable", 0xE1: "unavailable", 0xE2: "unavailable", 0xE3: "unavailable",
        0xF1: "faulted", 0xF2: "faulted", 0xF3: "faulted", 0xF4: "faulted", 0xF5: "faulted", 0xF6: "faulted",
        0xF7: "faulted", 0xF8: "faulted", 0xF9: "faulted", 0xFA: "faulted", 0xFB: "faulted", 0xFC: None,
        0xB3: None,
    }),
    "warp_charger": ("input", 1002, {
        0: "available", 1: "preparing", 2: "suspended_ev", 3: "charging", 4: "faulted", 5: None,
    }),
    "openwb_evse_din": ("holding", 1002, {
        0: None, 1: "available", 2: "suspended_ev", 3: "charging", 4: "charging", 5: "faulted", 6: None,
    }),
    "victron_evcs": ("holding", 5015, {
        0: "available", 1: "suspended_ev", 2: "charging", 3: "suspended_ev", 4: "suspended_evse",
        5: "preparing", 6: "preparing", 7: "suspended_evse", 8: "faulted", 9: "faulted", 10: "faulted",
        11: "faulted", 12: "faulted", 13: "faulted", 14: "faulted", 15: None, 20: None, 21: "preparing",
        22: None,
    }),
    "em2go_daheimladen": ("holding", 0, {
        0: None, 1: "available", 2: "preparing", 3: "preparing", 4: "charging", 5: "faulted", 6: "finishing",
        7: None, 8: None, 9: "unavailable",
    }),
    "hesotec_esat": ("holding", 16408, {
        ord("A") << 8: "available", ord("B") << 8: "suspended_ev", ord("C") << 8: "charging",
        ord("D") << 8: "charging", ord("E") << 8: "faulted", ord("F") << 8: "faulted", ord("C"): None,
        ord("G") << 8: None,
    }),
    "sigenergy_evdc": ("input", 31513, {
        0: "available", 1: "preparing", 2: "preparing", 3: "charging", 4: "faulted", 5: "preparing",
        6: "finishing", 7: "unavailable", 8: "charging", 9: "faulted", 10: "preparing", 11: None,
    }),
    "cfos_power_brain": ("holding", 8092, {
        0x0000: "available", 0x0101: "suspended_ev", 0x0102: "charging", 0x0003: "charging", 0x0104: "faulted",
        0x0005: "faulted", 0x0006: None,
    }),
    "cn_rs485_pile_v2": ("holding", 2, {
        0: "preparing", 1: "preparing", 2: "charging", 3: "finishing", 4: "faulted", 5: "unavailable", 6: None,
    }),
}  # fmt: skip
STATUS["victron_evcs_gx"] = ("holding", 3824, STATUS["victron_evcs"][2])
TWO_WORDS = frozenset({"warp_charger"})

UNLISTED = {
    "etrel_inch": 11,
    "solax_evc": 14,
    "sungrow_ac011e": 10,
    "goodwe_hca_g2": 7,
    "abl_emh1": 0xB3,
    "warp_charger": 5,
    "openwb_evse_din": 6,
    "victron_evcs": 22,
    "victron_evcs_gx": 22,
    "em2go_daheimladen": 7,
    "hesotec_esat": ord("G") << 8,
    "sigenergy_evdc": 11,
    "cfos_power_brain": 6,
    "cn_rs485_pile_v2": 6,
}


def said(name: str, raw: int) -> Plate:
    """The device, and ``raw`` in its state."""
    table, address, _ = STATUS[name]
    return MAKES[name]().put(table, address, *([0, raw] if name in TWO_WORDS else [raw]))


@pytest.mark.parametrize("name", MAKES)
def test_a_charging_device_is_read_as_its_maker_means_it(name: str) -> None:
    plate = MAKES[name]()
    assert {key: plate.value(key) for key in VALUES[name]} == VALUES[name]
    sighting = plate.see()
    assert sighting.wrong == ()
    assert sighting.unlisted == ()
    assert sighting.faults == ()
    reading = plate.reading()
    assert reading.status == "charging"
    assert (reading.session_known, reading.session is not None) == (True, True)
    measured = {measure: value for measure in MEASURES if (value := getattr(reading, measure)) is not None}
    assert measured == pytest.approx(READINGS[name])
    assert (sighting.firmware, sighting.model, sighting.serial) == WHO.get(name, (None, None, None))


@pytest.mark.parametrize(
    ("name", "raw", "status"),
    [(name, raw, status) for name, row in STATUS.items() for raw, status in row[2].items()],
)
def test_every_state_has_its_status(name: str, raw: int, status: str | None) -> None:
    assert said(name, raw).status() == status


@pytest.mark.parametrize("name", MAKES)
def test_no_state_of_a_profile_goes_untried(name: str) -> None:
    keys, seen = set(), set()
    for raw in STATUS[name][2]:
        plate = said(name, raw)
        for rule in plate.profile.status:
            if rule.from_ is not None:
                keys |= set(rule.map)
                seen.add(str(view(plate)[rule.from_]))
    assert keys <= seen


@pytest.mark.parametrize(("name", "raw"), UNLISTED.items())
def test_a_state_nobody_listed_is_told_and_no_fault(name: str, raw: int) -> None:
    sighting = said(name, raw).see()
    assert len(sighting.unlisted) == 1
    assert sighting.wrong == ()
    assert sighting.faults == ()
    assert not sighting.readings[0].session_known


@pytest.mark.parametrize("letter", ["Z", "a", "0"])
def test_a_letter_that_is_no_state_tells_nothing(letter: str) -> None:
    sighting = siemens().put("holding", 1599, ord(letter)).see()
    assert sighting.readings[0].status is None
    assert sighting.faults == ()


@pytest.mark.parametrize("name", MAKES)
def test_a_device_that_says_nothing_is_unknown(name: str) -> None:
    plate = Plate(name)
    reading = plate.reading()
    assert reading.status is None
    assert not reading.session_known
    assert plate.faults() == ()


def test_every_fact_is_in_its_profile() -> None:
    assert list(lacking(facts_of(FACTS))) == []


def test_every_map_has_facts_and_what_may_be_written_is_as_given() -> None:
    rows = facts_of(FACTS)
    assert {row["map"] for row in rows} == set(MAKES)
    for row in rows:
        plate = Plate(row["map"])
        there = [
            register.access
            for name, register in plate.device.registers.items()
            if plate.where(name)[1:] == (row["table"], int(row["address"]))
        ]
        assert row["access"].lower() in there, row


@pytest.mark.parametrize("name", MAKES)
def test_what_nobody_checked_is_marked(name: str) -> None:
    profile = MAKES[name]().profile
    assert profile.verified
    if name != "warp_charger":  # the only one whose table is the vendor's own text
        assert profile.doubts()


def test_the_doubts_of_the_facts_are_kept() -> None:
    def doubts(name: str) -> str:
        return "\n".join(MAKES[name]().profile.doubts())

    assert all(f"status state = {state}:" in doubts("solax_evc") for state in (4, 6, 9, 10))
    assert all(f"status status = {state}:" in doubts("cfos_power_brain") for state in (3, 4))
    assert "control_bits:" in doubts("openwb_evse_din")
    assert "evse_status code 4: unknown" in doubts("openwb_evse_din")
    assert "energy_total:" in doubts("siemens_versicharge")
    assert "current_l1:" in doubts("siemens_versicharge")
    assert "energy:" in doubts("victron_evcs")
    assert "power_control:" in doubts("cn_rs485_pile_v2")
    assert all(f"status run_state = {state}:" in doubts("cn_rs485_pile_v2") for state in range(6))
    assert "38400" in doubts("abl_emh1")
