"""The first fourteen Modbus maps: raw words, and the values, readings, sessions and identities they must give.

Words are literals; each expected value was worked out by hand from the makers' scales and orders of words and bytes.
"""

from __future__ import annotations

import pytest

from tests.contract.profiles.plates import Plate, ascii_words
from triage.core.events import Reading
from triage.drivers.profiles.values import Value

NAN = (0x7FC0, 0x0000)
ONES = (0xFFFF, 0xFFFF)


def measured(reading: Reading) -> tuple[float | None, float | None, float | None, float | None, float | None]:
    """Voltage, current, power, energy and temperature, in V, A, W, Wh and degC."""
    return reading.voltage_v, reading.current_a, reading.power_w, reading.energy_wh, reading.temperature_c


def charx(connectors: int = 1) -> Plate:
    plate = Plate("phoenix_charx", connectors)
    plate.put("holding", 100, *ascii_words("CHARX control", 10)).put("holding", 110, *ascii_words("1.5.0", 4))
    plate.put("holding", 114, connectors)
    # 230.125 V, 229.9 V, 231 V; 15.9 A, 16.005 A, 0 A; 7360 W; 1 234 567 Wh, state C
    plate.put("holding", 1232, 0x0003, 0x82ED, 0x0003, 0x820C, 0x0003, 0x8658)
    plate.put("holding", 1238, 0x0000, 0x3E1C, 0x0000, 0x3E85, 0x0000, 0x0000)
    plate.put("holding", 1244, 0x0070, 0x4E00)
    plate.put("holding", 1250, 0x0000, 0x0000, 0x0012, 0xD687)
    plate.put("holding", 1264, 55).put("holding", 1285, 0x0001, 0x0001, 0x0000, 0x0E10, 0x0000, 0x07D0)
    return plate.put("holding", 1299, 0x4300, 1, 16)


def em_cp() -> Plate:
    plate = Plate("phoenix_em_cp_pp_eth").put("input", 100, 0x0043)
    # Low words first: 65 537 s; 230.05 V and 230 V; 16.5 A and 16 A; 3.68 kW; 12 345.67 kWh
    plate.put("input", 102, 0x0001, 0x0001)
    plate.put("input", 108, 0x59DD, 0x0000, 0x59D8, 0x0000, 0x0000, 0x0000)
    plate.put("input", 114, 0x4074, 0x0000, 0x3E80, 0x0000, 0x0000, 0x0000)
    plate.put("input", 120, 0x0170, 0x0000).put("input", 128, 0xD687, 0x0012)
    return plate.put("holding", 300, 16).put("coil", 400, 1)


def ev_eth() -> Plate:
    plate = Plate("phoenix_ev_eth").put("input", 100, 0x0042).put("input", 102, 0x0E10, 0x0000)
    plate.put("input", 105, 0x2E31, 0x3131)  # "1.11", bytes swapped
    plate.put("input", 108, 231, 0, 229, 0, 230, 0).put("input", 114, 10, 0, 11, 0, 0xFFFF, 0xFFFF)
    plate.put("input", 120, 0x1CC0, 0x0000).put("coil", 400, 1).put("coil", 419, 0)
    return plate.put("holding", 528, 160).put("holding", 904, 0x86A0, 0x0001)


def abb() -> Plate:
    plate = Plate("abb_terra_ac").put("holding", 0x4000, 0x0000, 0x0001, 0x0000, 0x0002)
    plate.put("holding", 0x4004, 0x0106, 0x0500).put("holding", 0x4006, 0x0000, 0x7D00)
    plate.put("holding", 0x4008, 0, 0, 0x0001, 0x0101, 0x0000, 0x8400, 0x0000, 0x3E80)
    plate.put("holding", 0x4010, 0x0000, 0x3E1C, 0x0000, 0x3E80, 0x0000, 0x0000)
    plate.put("holding", 0x4016, 0x0000, 0x08FD, 0x0000, 0x0900, 0x0000, 0x0000)
    return plate.put("holding", 0x401C, 0x0000, 0x1CC0, 0x0001, 0x86A0, 0x003C)


def keba() -> Plate:
    plate = Plate("keba_p30_p40").put("holding", 1000, 0, 3).put("holding", 1004, 0, 7, 0, 0)
    plate.put("holding", 1008, 0x0000, 0x3E1C, 0x0000, 0x3E80, 0x0000, 0x0000)
    plate.put("holding", 1014, 0x0107, 0x4C5C, 0x0004, 0xA31C, 0x0301, 0x0A00)  # 17 255 516; 303 900; 50 399 744
    plate.put("holding", 1020, 0x0070, 0x4E00).put("holding", 1036, 0x0012, 0xD687)
    return plate.put("holding", 1040, 0, 231).put("holding", 1502, 0x0000, 0x3039)


def alfen(connectors: int = 1) -> Plate:
    plate = Plate("alfen_eve", connectors)
    plate.put("holding", 100, *ascii_words("ALF_1000", 17), unit=200)
    plate.put("holding", 123, *ascii_words("6.4.0-4210", 17), unit=200)
    plate.put("holding", 174, 0, 0, 0x0149, 0x9700, unit=200)  # 21 600 000 ms
    plate.put("holding", 1100, 0x4200, 0, 0x41CA, 0, 1, connectors, unit=200)  # 32 A, 25.25 degC
    for unit in range(1, connectors + 1):
        plate.put("holding", 306, 0x4366, 0x8000, *NAN, *ONES, unit=unit)  # 230.5 V on L1 alone
        plate.put("holding", 320, 0x4180 if unit == 1 else 0x4120, 0, *NAN, *ONES, unit=unit)  # 16 A or 10 A
        plate.put("holding", 344, 0x45E6, 0x0000, unit=unit)  # 7360 W
        plate.put("holding", 374, 0x4136, 0xE360, 0x0000, 0x0000, unit=unit)  # 1 500 000 Wh
        plate.put("holding", 1200, 1, *ascii_words("C2", 5), unit=unit)
        plate.put("holding", 1206, 0x4180, 0, 0, 60, 0x4180, 0, 0x40C0, 0, 1, 3, unit=unit)
    return plate


def heidelberg() -> Plate:
    plate = Plate("heidelberg_energy_control").put("input", 4, 0x0108, 7, 158, 160, 0, 0xFFCE, 231)  # -5.0 degC
    plate.put("input", 14, 7300).put("input", 17, 0x0001, 0x86A0)
    return plate.put("holding", 257, 15000, 4, 1).put("holding", 261, 160, 60)


def mennekes() -> Plate:
    plate = Plate("mennekes_hcc3").put("input", 770, 5).put("input", 776, 3)
    plate.put("input", 779, 0x7856, 0x3412)  # 0x12345678, words and bytes swapped
    plate.put("input", 781, 0x86A0, 0x0001, 0x1CC0, 0x0000)
    plate.put("input", 785, 0x4D41, 0x5254, 0x4E4F, 0x5820, 0, 0, 0, 0, 0, 0, 0)  # "AMTRON X", bytes swapped
    return plate.put("holding", 1024, 16)


def webasto() -> Plate:
    plate = Plate("webasto_next_live").put("holding", 1000, 3, 1, 2).put("holding", 1004, 3).put("holding", 1006, 0)
    plate.put("input", 1008, 15900).put("input", 1010, 16000).put("input", 1012, 0)
    plate.put("holding", 1020, 0x0000, 0x1CC0).put("holding", 1036, 0x0012, 0xD687)
    return plate.put("holding", 1100, 32).put("holding", 1102, 6)


def vestel(*, wide: bool = True) -> Plate:
    def text(letters: str, words: int) -> tuple[int, ...]:
        return tuple(ord(each) for each in letters.ljust(words, "\0")) if wide else ascii_words(letters, words)

    plate = Plate("vestel_evc04").put("input", 100, *text("7300012345", 25)).put("input", 190, *text("Vestel", 10))
    plate.put("input", 210, *text("EVC04", 5)).put("input", 230, *text("v3.156.0-1.0", 50))
    plate.put("input", 1000, 2, 1, 1).put("input", 1004, 3, 0, 0, 0)
    plate.put("input", 1008, 15900).put("input", 1010, 16000).put("input", 1012, 0)
    plate.put("input", 1014, 229).put("input", 1016, 231).put("input", 1018, 0)
    return plate.put("input", 1020, 0x0000, 0x1CC0).put("input", 1036, 0x0000, 0x3039)


def schneider() -> Plate:
    plate = Plate("schneider_evlink_pro_ac").put("holding", 1, 8).put("holding", 4000, 0)
    plate.put("holding", 2999, 0x0000, 0x4180, 0x0000, 0x4120, *NAN[::-1])
    plate.put("holding", 3027, 0x8000, 0x4366, 0x0000, 0x4366, 0x0000, 0x0000)
    plate.put("holding", 3059, 0x0000, 0x40F0)  # 7.5 kW
    return plate.put("holding", 3203, 0xD687, 0x0012, 0x0001, 0x0000)


def peblar(phases: int = 3) -> Plate:
    plate = Plate("peblar").put("input", 30000, 0, 0, 0x0012, 0xD687).put("input", 30008, 0, 3680)
    plate.put("input", 30014, 0x0000, 0x1CC0, 0, 229, 0, 231, 0, 230)
    plate.put("input", 30022, 0, 15900, 0, 16000, 0, 0)
    plate.put("input", 30050, *ascii_words("23-01-A1B-2C3", 12), *ascii_words("6004-2300-7002", 12))
    plate.put("input", 30074, *ascii_words("1.6.1+1+WL-1", 12)).put("input", 30092, phases, 0)
    return plate.put("input", 30110, 0x0043)


def bender() -> Plate:
    plate = Plate("bender_cc612").put("holding", 100, *ascii_words("5.22", 2)).put("holding", 104, 1)
    plate.put("holding", 105, 0, 0, 0, 0, 0, 0, 0, 0).put("holding", 120, *ascii_words("0.7", 2))
    plate.put("holding", 122, 3).put("holding", 140, 1).put("holding", 142, *ascii_words("CC613_ELPR4PR", 10))
    plate.put("holding", 200, 0, 1000, 0, 2000, 0, 3000).put("holding", 212, 0, 15900, 0, 16000, 0, 0)
    return plate.put("holding", 218, 0, 6001, 0, 7360, 0, 229, 0, 231, 0, 230)


def delta(connectors: int = 1) -> Plate:
    plate = Plate("delta_ac_max", connectors).put("input", 100, 1).put("input", 102, connectors)
    plate.put("input", 110, *ascii_words("KKB233100224WE", 20), *ascii_words("EIAW-E22KSE5A04", 20))
    plate.put("holding", 201, 1, 300, 0, 1600)
    for base in range(1000, 1000 * connectors + 1, 1000):
        plate.put("input", base, 4, 3).put("input", base + 3, 0x43C8, 0x0000)  # 400 V
        plate.put("input", base + 5, 0x0000, 0xC350)  # 50 000 W
        plate.put("input", base + 7, 0x42FA, 0x0000)  # 125 A
        plate.put("input", base + 9, 0x4743, 0x5000, 655)  # 50 000 W, 65.5 %
        plate.put("input", base + 17, 0, 3600, 0, 12000).put("holding", base + 600, 0, 0xFFFF, 0)
    return plate


@pytest.mark.parametrize(
    ("plate", "expected"),
    [
        (charx(), (231.0, 16.005, 7360.0, 1234567.0, None)),
        (em_cp(), (230.05, 16.5, 3680.0, 12345670.0, None)),
        (ev_eth(), (231.0, 11.0, 7360.0, 100000.0, None)),
        (abb(), (230.4, 16.0, 7360.0, None, None)),
        (keba(), (231.0, 16.0, 7360.0, 123456.7, None)),
        (alfen(), (230.5, 16.0, 7360.0, 1500000.0, 25.25)),
        (heidelberg(), (231.0, 16.0, 7300.0, 100000.0, -5.0)),
        (mennekes(), (None, None, 7360.0, None, None)),
        (webasto(), (None, 16.0, 7360.0, 1234567.0, None)),
        (vestel(), (231.0, 16.0, 7360.0, 1234500.0, None)),
        (schneider(), (230.5, 16.0, 7500.0, 4296201863.0, None)),
        (peblar(), (231.0, 16.0, 7360.0, 1234567.0, None)),
        (bender(), (231.0, 16.0, 7360.0, 6001.0, None)),
        (delta(), (400.0, 125.0, 50000.0, None, None)),
    ],
    ids=lambda each: each.profile.profile if isinstance(each, Plate) else "",
)
def test_a_charging_device_measures(plate: Plate, expected: tuple[float | None, ...]) -> None:
    seen = plate.see()
    assert seen.wrong == ()
    assert seen.unlisted == ()
    assert seen.faults == ()
    assert measured(plate.reading()) == pytest.approx(expected)
    assert (plate.reading().session, plate.reading().session_known) == ("live", True)


VALUES: list[tuple[Plate, dict[str, Value]]] = [
    (
        charx(),
        {
            "name": "CHARX control",
            "firmware": "1.5.0",
            "controller_count": 1,
            "voltage_l1": 230.125,
            "voltage_l2": 229.9,
            "current_l1": 15.9,
            "soc": 55,
            "connection_time": 65537,
            "charge_time": 3600,
            "session_energy": 2000,
            "status": "C",
            "enable": 1,
            "max_current": 16,
        },
    ),
    (
        em_cp(),
        {
            "status": "C",
            "charge_time": 65537,
            "voltage_l2": 230.0,
            "current_l2": 16.0,
            "power": 3.68,
            "energy_total": 12345.67,
            "max_current": 16,
            "enable": True,
        },
    ),
    (
        ev_eth(),
        {
            "status": "B",
            "charge_time": 3600,
            "firmware": "1.11",
            "voltage_l3": 230,
            "current_l3": -1,
            "max_current": 16.0,
            "energy_wh": 100000,
            "rfid_enabled": False,
            "firmware_wallbe": None,
        },
    ),
    (
        abb(),
        {
            "serial": 0x0000_0001_0000_0002,
            "firmware": 0x01060500,
            "max_rated_current": 32.0,
            "error_code": 0,
            "socket_lock": 0x00010101,
            "charging_state": 4,
            "current_limited": 1,
            "current_limit_actual": 16.0,
            "voltage_l1": 230.1,
            "session_energy": 100000,
            "comm_timeout_read": 60,
        },
    ),
    (
        keba(),
        {
            "charging_state": 3,
            "cable_state": 7,
            "serial": 17255516,
            "product": 303900,
            "firmware": 50399744,
            "current_l1": 15.9,
            "energy_total": 123456.7,
            "session_energy": 1234.5,
        },
    ),
    (
        alfen(),
        {
            "station_name": "ALF_1000",
            "firmware": "6.4.0-4210",
            "uptime": 21600.0 * 1000,
            "voltage_l2": None,
            "voltage_l3": None,
            "availability": 1,
            "mode3_state": "C2",
            "max_current_valid_time": 60,
            "max_current": 16.0,
            "safe_current": 6.0,
            "phases": 3,
            "socket_count": 1,
            "backoffice_connected": 1,
            "station_active_max_current": 32.0,
        },
    ),
    (
        heidelberg(),
        {
            "register_layout": 0x108,
            "vehicle_state": 7,
            "current_l1": 15.8,
            "pcb_temperature": -5.0,
            "watchdog_timeout": 15000,
            "standby": 4,
            "remote_lock": 1,
            "max_current": 16.0,
            "failsafe_current": 6.0,
        },
    ),
    (
        mennekes(),
        {"serial": 0x12345678, "session_energy": 100000, "power": 7360, "name": "AMTRON X", "phases": 3},
    ),
    (
        vestel(),
        {"brand_wide": "Vestel", "model_wide": "EVC04", "energy_total": 1234.5, "current_l1": 15.9},
    ),
    (
        schneider(),
        {"current_l3": None, "power": 7.5, "energy_total": 4296201863},
    ),
    (
        peblar(),
        {"serial": "23-01-A1B-2C3", "product": "6004-2300-7002", "firmware": "1.6.1+1+WL-1", "cp_state": "C"},
    ),
    (
        bender(),
        {"firmware": "5.22", "protocol_version": "0.7", "model": "CC613_ELPR4PR", "energy_l3": 3000, "relay_state": 1},
    ),
    (
        delta(),
        {
            "evse_count": 1,
            "serial": "KKB233100224WE",
            "model": "EIAW-E22KSE5A04",
            "fallback_power": 1600,
            "comm_timeout": 300,
            "soc": 65.5,
            "charge_time": 3600,
            "session_energy": 12000,
            "power_limit": 65535,
            "evse_charger_state": 3,
        },
    ),
]


@pytest.mark.parametrize(("plate", "expected"), VALUES, ids=lambda each: "" if isinstance(each, dict) else "plate")
def test_words_decode_to(plate: Plate, expected: dict[str, Value]) -> None:
    found = {name: plate.value(name) for name in expected}
    assert {name: found[name] for name in expected if found[name] != pytest.approx(expected[name])} == {}


@pytest.mark.parametrize(
    ("plate", "model", "firmware", "serial"),
    [
        (charx(), "CHARX control", "1.5.0", None),
        (em_cp(), None, None, None),
        (ev_eth(), None, "1.11", None),
        (abb(), None, "1.6.5", "4294967298"),
        (keba(), "303900", "50399744", "17255516"),
        (alfen(), "ALF_1000", "6.4.0-4210", None),
        (heidelberg(), None, "264", None),
        (mennekes(), "AMTRON X", None, "305419896"),
        (vestel(), "EVC04", "v3.156.0-1.0", "7300012345"),
        (vestel(wide=False), "EVC04", "v3.156.0-1.0", "7300012345"),
        (peblar(), "6004-2300-7002", "1.6.1+1+WL-1", "23-01-A1B-2C3"),
        (bender(), "CC613_ELPR4PR", "5.22", None),
        (delta(), "EIAW-E22KSE5A04", None, "KKB233100224WE"),
    ],
)
def test_a_device_says_who_it_is(plate: Plate, model: str | None, firmware: str | None, serial: str | None) -> None:
    seen = plate.see()
    assert seen.wrong == ()
    assert (seen.model, seen.firmware, seen.serial) == (model, firmware, serial)


@pytest.mark.parametrize(
    "plate",
    [
        charx().put("holding", 114, 0),
        charx().put("holding", 110, 0, 0, 0, 0),
        em_cp().put("holding", 300, 2300),
        ev_eth().put("input", 105, 0, 0),
        abb().put("holding", 0x4006, 0x7D00, 0x0000),
        abb().put("holding", 0x4000, 0, 0, 0, 0),
        keba().put("holding", 1016, 0, 0),
        keba().put("holding", 1014, 0, 0),
        alfen().put("holding", 1105, 3, unit=200),
        heidelberg().put("holding", 258, 7),
        mennekes().put("input", 779, 0, 0),
        webasto().put("holding", 1100, 0),
        webasto().put("holding", 1102, 0xFFFF),
        vestel().put("input", 190, *[0] * 10),
        vestel().put("input", 210, *[0xFFFF] * 5),
        schneider().put("holding", 4000, 17),
        peblar().put("input", 30092, 0),
        bender().put("holding", 120, 0, 0),
        delta().put("input", 100, 3),
        delta().put("input", 102, 0),
    ],
)
def test_another_device_is_left_alone(plate: Plate) -> None:
    assert len(plate.see().wrong) == 1


@pytest.mark.parametrize(
    "plate",
    [
        charx().put("holding", 1232, 0x7FFF, 0xFFFF),
        em_cp().put("input", 108, 0x0000, 0x0001),  # words the other way round: 655.36 V
        ev_eth().put("input", 120, 0x0000, 0x1CC0),
        abb().put("holding", 0x4016, 0xFFFF, 0xFFFF),
        keba().put("holding", 1008, 0xFFFF, 0xFFFF),
        alfen().put("holding", 306, 0x7F7F, 0xFFFF),
        heidelberg().put("input", 9, 0x7FFF),
        mennekes().put("input", 783, 0x0000, 0x1CC0),
        webasto().put("holding", 1020, 0xFFFF, 0xFFFF),
        vestel().put("input", 1014, 0xFFFF),
        schneider().put("holding", 3027, 0x4366, 0x8000, 0x4366, 0x0000, 0x497A, 0x497A),
        delta().put("input", 1003, 0x497A, 0x497A),
    ],
    ids=lambda plate: plate.profile.profile,
)
def test_what_cannot_be_is_never_a_reading(plate: Plate) -> None:
    wrong = plate.see().wrong
    assert len(wrong) == 1
    assert "possible is" in wrong[0]


def test_a_bender_without_power_is_not_one_of_4_gigawatts() -> None:
    plate = bender().put("holding", 212, *ONES, *ONES, *ONES).put("holding", 218, *ONES, *ONES, *ONES, *ONES, *ONES)
    assert plate.see().wrong == ()
    # The total is gone, so the three phases are added: 1000 + 2000 + 3000 Wh.
    assert measured(plate.reading()) == (None, None, None, 6000.0, None)
    for phase in (200, 202, 204):
        assert bender().put("holding", 218, *ONES).put("holding", phase, *ONES).reading().energy_wh is None


def test_an_old_bender_has_no_totals() -> None:
    plate = bender().take("holding", 142, 10).take("holding", 218, 10)
    assert plate.see().wrong == ()
    assert measured(plate.reading()) == (None, 16.0, None, 6000.0, None)


@pytest.mark.parametrize(
    ("product", "firmware", "energy_wh"),
    [
        ((0x003D, 0x0900), (0x0000, 0x27D8), 1234567.0),  # 4 000 000, 10 200: before 1.2.1
        ((0x003D, 0x0900), (0x0000, 0x27D9), 123456.7),  # 10 201: 1.2.1
        ((0x0004, 0xA31C), (0x0000, 0x27D8), 123456.7),  # a P30, whatever its software
    ],
)
def test_a_keba_counts_by_model_and_software(
    product: tuple[int, int], firmware: tuple[int, int], energy_wh: float
) -> None:
    plate = keba().put("holding", 1016, *product, *firmware)
    assert plate.reading().energy_wh == pytest.approx(energy_wh)


def test_a_wallbe_counts_and_names_itself_elsewhere() -> None:
    plate = ev_eth().put("holding", 904, 0x86A0).put("holding", 2980, 0x4240, 0x000F, 0, 0)
    assert plate.reading().energy_wh == 1000000.0
    plate.put("input", 149, 0x3276, 0x312E, 0, 0, 0, 0)  # "v2.1", bytes swapped
    assert plate.see().firmware == "v2.1"


def test_a_peblar_of_one_phase_is_measured_on_it_alone() -> None:
    plate = peblar(phases=1).put("input", 30018, 0x7FFF, 0xFFFF, 0x7FFF, 0xFFFF).put("input", 30024, 0, 65000)
    assert plate.see().wrong == ()
    assert (plate.reading().voltage_v, plate.reading().current_a) == pytest.approx((229.0, 15.9))


def test_an_alfen_tells_its_uptime_and_no_restart_by_a_marker() -> None:
    assert alfen().see().uptime_s == pytest.approx(21600.0)
    assert alfen().put("holding", 174, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, unit=200).see().uptime_s is None


def test_an_alfen_marks_what_it_does_not_know_with_ones() -> None:
    plate = alfen().put("holding", 300, 0xFFFF).put("holding", 1208, *ONES).put("holding", 1214, 0xFFFF)
    plate.put("holding", 1104, 0xFFFF, 0xFFFF, unit=200)
    unknown = ("meter_state", "max_current_valid_time", "setpoint_accounted", "backoffice_connected", "socket_count")
    assert [plate.value(name) for name in unknown] == [None] * 5
    assert plate.put("holding", 300, 0x0003).value("meter_state") == 3


def test_a_second_point_of_a_charx_stands_a_thousand_further() -> None:
    plate = charx(2).put("holding", 2299, 0x4200).put("holding", 2232, 0x0003, 0x82ED)
    plate.put("holding", 2250, 0, 0, 0, 77)
    assert plate.where("status", 2) == (1, "holding", 2299)
    assert plate.where("enable", 2) == (1, "holding", 2300)
    assert plate.where("firmware", 2) == (1, "holding", 110)
    assert plate.status(2) == "suspended_ev"
    assert measured(plate.reading(2)) == (230.125, None, None, 77.0, None)
    assert plate.status(1) == "charging"


def test_a_second_socket_of_an_alfen_is_another_unit() -> None:
    plate = alfen(2)
    assert plate.where("mode3_state", 1) == (1, "holding", 1201)
    assert plate.where("mode3_state", 2) == (2, "holding", 1201)
    assert plate.where("uptime", 2) == (200, "holding", 174)
    assert (plate.reading(1).current_a, plate.reading(2).current_a) == (16.0, 10.0)
    assert plate.reading(2).temperature_c == 25.25


def test_a_second_outlet_of_a_delta_stands_a_thousand_further() -> None:
    plate = delta(2).put("input", 2000, 1).put("input", 2005, 0, 0)
    assert plate.where("evse_state", 2) == (1, "input", 2000)
    assert plate.where("power_limit", 2) == (1, "holding", 2600)
    assert plate.where("fallback_power", 2) == (1, "holding", 203)
    assert (plate.status(1), plate.status(2)) == ("charging", "available")
    assert (plate.reading(2).power_w, plate.reading(2).session_known, plate.reading(2).session) == (0.0, True, None)


@pytest.mark.parametrize(
    ("current", "power", "known"),
    [((0, 0), (0, 0), True), ((0, 16000), (0, 3680), False), (ONES, ONES, False)],
)
def test_a_faulted_device_has_no_session_only_when_nothing_flows(
    current: tuple[int, int], power: tuple[int, int], *, known: bool
) -> None:
    plate = bender().put("holding", 122, 5).put("holding", 212, *current, *current, *current)
    plate.put("holding", 220, *power)
    assert (plate.reading().session, plate.reading().session_known) == (None, known)
