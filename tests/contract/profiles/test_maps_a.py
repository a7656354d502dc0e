"""The first fourteen Modbus maps: every fact is in its profile, and every state means what it should.

Registers and numbers stand here as the makers print them; what is expected was worked out by hand.
"""

from __future__ import annotations

import pytest

from tests.contract.profiles.plates import Plate, ascii_words, facts_of, lacking

MAPS = (
    "phoenix_charx",
    "phoenix_em_cp_pp_eth",
    "phoenix_ev_eth",
    "abb_terra_ac",
    "keba_p30_p40",
    "alfen_eve",
    "heidelberg_energy_control",
    "mennekes_hcc3",
    "webasto_next_live",
    "vestel_evc04",
    "schneider_evlink_pro_ac",
    "peblar",
    "bender_cc612",
    "delta_ac_max",
)

IEC = {
    "A": "available",
    "B": "suspended_ev",
    "C": "charging",
    "D": "charging",
    "E": "faulted",
    "F": "faulted",
    "G": None,
    "\0": None,
}


def cells(table: dict[str, dict[int, str | None]]) -> list[tuple[str, int, str | None]]:
    return [(name, raw, status) for name, entries in table.items() for raw, status in entries.items()]


# The register that tells the state, and each raw number with its status; None: nobody knows.
STATE_AT = {
    "abb_terra_ac": ("holding", 0x400D),
    "keba_p30_p40": ("holding", 1001),
    "heidelberg_energy_control": ("input", 5),
    "mennekes_hcc3": ("input", 770),
    "webasto_next_live": ("holding", 1000),
    "schneider_evlink_pro_ac": ("holding", 1),
    "bender_cc612": ("holding", 122),
    "delta_ac_max": ("input", 1000),
}
STATES: dict[str, dict[int, str | None]] = {
    "abb_terra_ac": {
        0x0000: "available",
        0x0100: "preparing",
        0x0200: "suspended_ev",
        0x0300: "preparing",
        0x0400: "charging",
        0x8400: "charging",
        0x8000: "available",
        0x0500: "suspended_ev",
        0x0600: None,
        0x0455: "charging",
    },
    "keba_p30_p40": {
        0: "preparing",
        1: "available",
        2: "suspended_ev",
        3: "charging",
        4: "faulted",
        5: "suspended_evse",
        6: None,
    },
    "heidelberg_energy_control": {
        2: "available",
        3: "available",
        4: "suspended_ev",
        5: "suspended_ev",
        6: "charging",
        7: "charging",
        8: "suspended_evse",
        9: "faulted",
        10: "faulted",
        11: "faulted",
        0: None,
        12: None,
    },
    "mennekes_hcc3": {
        1: "available",
        2: "available",
        3: "suspended_ev",
        4: "suspended_ev",
        5: "charging",
        6: "charging",
        0: None,
        7: None,
    },
    "webasto_next_live": {
        0: "available",
        1: "preparing",
        3: "charging",
        4: "suspended_evse",
        7: "faulted",
        8: "unavailable",
        2: None,
        9: None,
    },
    "schneider_evlink_pro_ac": {
        0: "available",
        1: "available",
        2: "available",
        3: "suspended_ev",
        4: "suspended_ev",
        5: "suspended_ev",
        6: "available",
        7: "suspended_ev",
        8: "charging",
        9: "charging",
        10: None,
    },
    "bender_cc612": {
        1: "available",
        2: "suspended_ev",
        3: "charging",
        4: "charging",
        5: "faulted",
        0: None,
        6: None,
    },
    "delta_ac_max": {
        0: "unavailable",
        1: "available",
        2: "preparing",
        3: "preparing",
        4: "charging",
        5: "finishing",
        6: "suspended_ev",
        7: "suspended_evse",
        8: "unavailable",
        9: "faulted",
        10: None,
    },
}


def keba(state: int, cable: int = 0, error: tuple[int, int] = (0, 0)) -> Plate:
    return Plate("keba_p30_p40").put("holding", 1000, 0, state).put("holding", 1004, 0, cable, *error)


def heidelberg(state: int, lock: int | None = 1) -> Plate:
    plate = Plate("heidelberg_energy_control").put("input", 5, state)
    return plate if lock is None else plate.put("holding", 259, lock)


def vestel(*, cable: int = 0, charging: int = 0, point: int = 0, fault: tuple[int, int] = (0, 0)) -> Plate:
    return Plate("vestel_evc04").put("input", 1000, point, charging).put("input", 1004, cable, 0, *fault)


def delta(*, charger: int = 1, outlet: int = 1, fallback: int = 5000, limited: int = 1, power: int = 0) -> Plate:
    plate = Plate("delta_ac_max").put("input", 100, charger).put("input", 1000, outlet)
    return plate.put("holding", 201, limited, 60, 0, fallback).put("input", 1005, 0, power)


def test_every_fact_of_the_maps_is_in_its_profile() -> None:
    rows = facts_of("facts_a.csv")
    assert len(rows) == 268
    assert {row["map"] for row in rows} == set(MAPS)
    assert list(lacking(rows)) == []


@pytest.mark.parametrize(("name", "raw", "status"), cells(STATES))
def test_a_state_by_number_means(name: str, raw: int, status: str | None) -> None:
    table, address = STATE_AT[name]
    plate = Plate(name)
    if name in {"abb_terra_ac", "keba_p30_p40"}:
        plate.put(table, address - 1, 0)  # the high word of 32 bits
    plate.put(table, address, raw)
    assert plate.status() == status


@pytest.mark.parametrize(("letter", "status"), IEC.items())
@pytest.mark.parametrize(
    ("name", "table", "address", "shift"),
    [
        ("phoenix_charx", "holding", 1299, 8),
        ("phoenix_em_cp_pp_eth", "input", 100, 0),
        ("phoenix_ev_eth", "input", 100, 0),
        ("peblar", "input", 30110, 0),
    ],
)
def test_a_state_by_letter_means(
    name: str, table: str, address: int, shift: int, letter: str, status: str | None
) -> None:
    plate = Plate(name).put(table, address, ord(letter) << shift)
    assert plate.status() == status
    assert plate.codes() == ([(1, f"{plate.profile.status[0].from_} {letter}")] if status == "faulted" else [])


@pytest.mark.parametrize(
    ("text", "availability", "status"),
    [
        ("A", 1, "available"),
        ("B1", 1, "suspended_ev"),
        ("B2", 1, "suspended_ev"),
        ("C1", 1, "suspended_evse"),
        ("C2", 1, "charging"),
        ("D1", 1, "suspended_evse"),
        ("D2", 1, "charging"),
        ("E", 1, "available"),
        ("F", 1, "faulted"),
        ("C", 1, None),
        ("A", 0, "unavailable"),
        ("B2", 0, "unavailable"),
        ("C2", 0, "charging"),
        ("F", 0, "faulted"),
        ("A", 0xFFFF, "available"),
    ],
)
def test_an_alfen_socket_means(text: str, availability: int, status: str | None) -> None:
    plate = Plate("alfen_eve").put("holding", 1200, availability, *ascii_words(text, 5))
    assert plate.status() == status
    assert plate.codes() == ([(1, "mode3_state F")] if text == "F" else [])


@pytest.mark.parametrize("name", MAPS)
def test_a_device_that_says_nothing_is_unknown(name: str) -> None:
    plate = Plate(name)
    seen = plate.see()
    assert plate.status() is None
    assert (plate.reading().session, plate.reading().session_known) == (None, False)
    assert seen.faults == ()
    assert seen.uptime_s is None
    # Nothing proves who it is: not even one expectation is met by silence.
    assert len(seen.wrong) == len(plate.profile.identity.expect) > 0


@pytest.mark.parametrize("name", MAPS)
def test_a_state_nobody_lists_is_told(name: str) -> None:
    at = STATE_AT.get(name)
    if at is None:
        plate = {
            "phoenix_charx": lambda: Plate("phoenix_charx").put("holding", 1299, ord("Z") << 8),
            "phoenix_em_cp_pp_eth": lambda: Plate("phoenix_em_cp_pp_eth").put("input", 100, ord("Z")),
            "phoenix_ev_eth": lambda: Plate("phoenix_ev_eth").put("input", 100, ord("Z")),
            "peblar": lambda: Plate("peblar").put("input", 30110, ord("Z")),
            "alfen_eve": lambda: Plate("alfen_eve").put("holding", 1201, *ascii_words("Z", 5)),
            # A Vestel has no table of states: its cable is in or out, whatever the number.
            "vestel_evc04": lambda: vestel(fault=(0, 1 << 5)),
        }[name]()
    else:
        plate = Plate(name).put(*at, 77 << (8 if name == "abb_terra_ac" else 0))
        if name in {"abb_terra_ac", "keba_p30_p40"}:
            plate.put(at[0], at[1] - 1, 0)
    assert plate.see().unlisted != ()


@pytest.mark.parametrize(
    ("cable", "status"), [(0, "available"), (1, "available"), (3, "available"), (5, "preparing"), (7, "preparing")]
)
def test_a_keba_that_is_not_ready_is_free_or_waits_for_its_driver(cable: int, status: str) -> None:
    assert keba(1, cable).status() == status


def test_a_keba_that_is_hot_or_suspended_has_no_fault() -> None:
    plate = keba(5, cable=7)
    assert plate.status() == "suspended_evse"
    assert plate.faults() == ()
    assert plate.reading().session_known


def test_a_keba_shows_its_error_as_groups() -> None:
    (fault,) = keba(4, error=(0x0004, 0x0000)).faults()
    assert (fault.connector, fault.code) == (1, "error_code 262144")
    assert fault.info == "4:0"
    (fault,) = keba(4, error=(0x000A, 0x0010)).faults()
    assert (fault.code, fault.info) == ("error_code 655376", "a:10")


def test_a_keba_in_error_without_a_code_is_a_fault_too() -> None:
    assert keba(4).codes() == [(1, "charging_state 4 error_code 0")]
    assert keba(3).codes() == []


def test_an_abb_error_is_a_fault_of_unknown_meaning() -> None:
    assert Plate("abb_terra_ac").put("holding", 0x4008, 0x0000, 0x0000).codes() == []
    plate = Plate("abb_terra_ac").put("holding", 0x4008, 0x0001, 0x0002)
    assert plate.codes() == [(1, "error_code 65538")]
    assert plate.see().unlisted == ("error_code 65538",)


@pytest.mark.parametrize(
    ("state", "lock", "status", "codes"),
    [
        (8, 1, "suspended_evse", [(1, "HighTemperature")]),
        (9, 1, "faulted", [(1, "vehicle_state 9")]),
        (10, 1, "faulted", [(1, "vehicle_state 10 remote_lock 1")]),
        (10, None, "faulted", [(1, "vehicle_state 10 remote_lock")]),
        (10, 0, "unavailable", []),
        (11, 1, "faulted", [(1, "vehicle_state 11")]),
        (7, 1, "charging", []),
        (2, 0, "available", []),
    ],
)
def test_a_heidelberg_shows_a_fault_or_its_lock(
    state: int, lock: int | None, status: str, codes: list[tuple[int, str]]
) -> None:
    plate = heidelberg(state, lock)
    assert plate.status() == status
    assert plate.codes() == codes


@pytest.mark.parametrize("code", range(1, 17))
def test_a_webasto_error_never_permits_a_restart(code: int) -> None:
    plate = Plate("webasto_next_live").put("holding", 1000, 7).put("holding", 1006, code)
    assert plate.codes() == [(1, f"evse_error_code {code}")]
    assert plate.see().unlisted == ()
    assert plate.faults()[0].info != ""


def test_a_webasto_error_without_code_or_table_is_a_fault_too() -> None:
    plate = Plate("webasto_next_live").put("holding", 1000, 7).put("holding", 1006, 0)
    assert plate.codes() == [(1, "charge_point_state 7 evse_error_code 0")]
    plate.put("holding", 1006, 99)
    assert plate.codes() == [(1, "evse_error_code 99")]
    assert plate.see().unlisted == ("evse_error_code 99",)


@pytest.mark.parametrize(
    ("plate", "status", "codes"),
    [
        (vestel(cable=0), "available", []),
        (vestel(cable=1), "available", []),
        (vestel(cable=2), "suspended_ev", []),
        (vestel(cable=3), "suspended_ev", []),
        (vestel(cable=3, charging=1), "charging", []),
        (vestel(cable=0, point=6), "reserved", []),
        (vestel(cable=0, point=7), "unavailable", []),
        (vestel(cable=0, point=8), "faulted", [(1, "chargepoint_state 8 evse_fault_code 0")]),
        (vestel(cable=2, point=7), "suspended_ev", []),
        (vestel(cable=3, charging=1, fault=(0, 0b100)), "faulted", [(1, "evse_fault_code bit 2")]),
        # A box before specification 1.3 holds its fault in the first register alone.
        (vestel(cable=0, fault=(0b10, 0)), "faulted", [(1, "evse_fault_code bit 17")]),
    ],
)
def test_a_vestel_is_understood_by_cable_charge_and_fault(
    plate: Plate, status: str, codes: list[tuple[int, str]]
) -> None:
    assert plate.status() == status
    assert plate.codes() == codes


@pytest.mark.parametrize(
    ("vehicle", "ocpp", "status", "codes"),
    [
        (1, 0, "available", []),
        (1, 1, "available", []),
        (1, 2, "reserved", []),
        (1, 3, "unavailable", []),
        (1, 4, "faulted", [(1, "ocpp_status 4")]),
        (2, 1, "suspended_ev", []),
        (2, 4, "faulted", [(1, "ocpp_status 4")]),
        (3, 4, "charging", []),
        (3, 3, "charging", []),
        (5, 0, "faulted", [(1, "vehicle_state 5")]),
    ],
)
def test_a_bender_weighs_pilot_and_ocpp_status(
    vehicle: int, ocpp: int, status: str, codes: list[tuple[int, str]]
) -> None:
    plate = Plate("bender_cc612").put("holding", 104, ocpp).put("holding", 122, vehicle)
    assert plate.status() == status
    assert plate.codes() == codes


def test_a_bender_tells_faults_in_four_masks() -> None:
    plate = Plate("bender_cc612").put("holding", 105, 0, 0, 0, 0, 0, 0, 0, 0)
    assert plate.codes() == []
    plate.put("holding", 105, 0x8000, 0x0001, 0, 0x0002, 0, 0x0004, 0x0001, 0)
    assert plate.codes() == [
        (1, "error_mask_1 bit 0"),
        (1, "error_mask_1 bit 31"),
        (1, "error_mask_2 bit 1"),
        (1, "error_mask_3 bit 2"),
        (1, "error_mask_4 bit 16"),
    ]
    plate.put("holding", 105, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF)
    assert plate.codes() == []  # no mask at all


@pytest.mark.parametrize(
    ("plate", "status", "codes"),
    [
        (delta(outlet=1), "available", []),
        (delta(charger=0, outlet=8), "unavailable", []),
        (delta(outlet=9), "faulted", [(1, "evse_state 9")]),
        (delta(charger=10, outlet=1), "available", [(0, "charger_state 10")]),
        (delta(charger=255, outlet=1), None, [(0, "charger_state 255")]),
        (delta(outlet=7, fallback=0), "suspended_evse", [(1, "PowerLimitedToZero")]),
        (delta(outlet=4, fallback=0), "charging", [(1, "PowerLimitedToZero")]),
        (delta(outlet=4, fallback=0, power=7000), "charging", []),
        (delta(outlet=7, fallback=0, limited=0), "suspended_evse", []),
        (delta(outlet=7, fallback=1400), "suspended_evse", []),
        (delta(outlet=1, fallback=0), "available", []),
    ],
)
def test_a_delta_is_understood_by_charger_outlet_and_limit(
    plate: Plate, status: str | None, codes: list[tuple[int, str]]
) -> None:
    assert plate.status() == status
    assert plate.codes() == codes


def test_a_second_outlet_of_a_delta_faults_for_itself() -> None:
    plate = Plate("delta_ac_max", connectors=2).put("input", 100, 1)
    plate.put("input", 1000, 4).put("input", 2000, 9)
    assert (plate.status(1), plate.status(2)) == ("charging", "faulted")
    assert plate.codes() == [(2, "evse_state 9")]


def test_no_profile_gives_a_fault_a_meaning_that_permits_a_restart() -> None:
    allowed = {"unknown", "HighTemperature", "PowerLimitedToZero"}
    found = {
        meaning if isinstance(meaning, str) else meaning.is_
        for name in MAPS
        for rule in Plate(name).profile.faults
        for meaning in (*rule.codes.values(), *rule.bits.values(), *([rule.is_] if rule.is_ else []))
    }
    assert found == allowed
