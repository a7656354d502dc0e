"""The first fourteen Modbus maps: what each can be told to do, word by word, and what must never be written."""

from __future__ import annotations

import pytest

from tests.contract.profiles.plates import Plate
from tests.contract.profiles.test_maps_a import MAPS
from triage.config.profile.writing import UnwritableError
from triage.core.vocabulary import Action


def heidelberg(state: int, lock: int | None = 1, current: int | None = 0) -> Plate:
    plate = Plate("heidelberg_energy_control").put("input", 5, state)
    if lock is not None:
        plate.put("holding", 259, lock)
    return plate if current is None else plate.put("input", 6, current, current, current)


@pytest.mark.parametrize("name", [each for each in MAPS if each != "heidelberg_energy_control"])
def test_a_model_without_a_known_action_has_none(name: str) -> None:
    assert Plate(name).profile.actions.given() == {}


def test_a_heidelberg_is_locked_for_ten_seconds_and_unlocked_again() -> None:
    plate = heidelberg(2)
    assert set(plate.profile.actions.given()) == {Action.RESET_SOFT, Action.SET_AVAILABILITY}
    assert plate.steps(Action.RESET_SOFT) == [
        (1, "holding", 259, (0,)),
        10,
        (1, "holding", 259, (1,)),
        {"remote_lock": 1},
    ]
    assert plate.steps(Action.SET_AVAILABILITY) == [(1, "holding", 259, (1,)), {"remote_lock": 1}]


def test_a_heidelberg_lock_is_no_restart() -> None:
    spec = heidelberg(2).profile.spec(Action.RESET_SOFT)
    assert spec is not None
    assert (spec.kind, spec.boots) == ("pseudo", False)
    assert not spec.seen_to_boot(Action.RESET_SOFT)


@pytest.mark.parametrize(
    ("plate", "why"),
    [
        (heidelberg(2), None),
        (heidelberg(3), None),
        (heidelberg(9), None),
        (heidelberg(10), None),
        (heidelberg(11), None),
        (heidelberg(4), "vehicle_state"),
        (heidelberg(5), "vehicle_state"),
        (heidelberg(6), "vehicle_state"),
        (heidelberg(7), "vehicle_state"),
        (heidelberg(8), "vehicle_state"),
        (heidelberg(0), "vehicle_state"),
        (heidelberg(2, lock=0), "remote_lock"),  # somebody locked it, and not we
        (heidelberg(2, lock=None), "remote_lock"),
        (heidelberg(9, current=160), "session_live"),  # 16 A flow, whatever the state says
        (heidelberg(9, current=None), "session_live"),
        (Plate("heidelberg_energy_control"), "vehicle_state"),
    ],
)
def test_a_heidelberg_is_locked_only_while_nobody_charges(plate: Plate, why: str | None) -> None:
    refusal = plate.refusal(Action.RESET_SOFT)
    assert (refusal is None) if why is None else (refusal is not None and refusal.startswith(f"{why} is "))


@pytest.mark.parametrize(
    ("plate", "allowed"),
    [(heidelberg(10, lock=0), True), (heidelberg(10), False), (heidelberg(2, lock=0), False), (heidelberg(7), False)],
)
def test_a_heidelberg_is_unlocked_only_where_its_lock_is_what_stops_it(plate: Plate, *, allowed: bool) -> None:
    assert (plate.refusal(Action.SET_AVAILABILITY) is None) is allowed


SETPOINTS = [
    ("phoenix_charx", "max_current", 16, (1, "holding", 1301, (16,))),
    ("phoenix_charx", "enable", 1, (1, "holding", 1300, (1,))),
    ("phoenix_em_cp_pp_eth", "max_current", 6, (180, "holding", 300, (6,))),
    ("phoenix_em_cp_pp_eth", "enable", 1, (180, "coil", 400, (1,))),
    ("phoenix_ev_eth", "enable", 1, (255, "coil", 400, (1,))),
    ("abb_terra_ac", "set_current", 16, (1, "holding", 0x4100, (0x0000, 0x3E80))),
    ("keba_p30_p40", "set_current", 16, (255, "holding", 5004, (0x3E80,))),
    ("keba_p30_p40", "enable", 1, (255, "holding", 5014, (1,))),
    ("alfen_eve", "max_current", 16, (1, "holding", 1210, (0x4180, 0x0000))),
    ("alfen_eve", "phases", 3, (1, "holding", 1215, (3,))),
    ("heidelberg_energy_control", "max_current", 7.5, (1, "holding", 261, (75,))),
    ("heidelberg_energy_control", "standby", 4, (1, "holding", 258, (4,))),
    ("mennekes_hcc3", "max_current", 16, (1, "holding", 1024, (16,))),
    ("webasto_next_live", "charge_current", 16, (255, "holding", 5004, (16,))),
    ("vestel_evc04", "max_current", 16, (255, "holding", 5004, (16,))),
    ("schneider_evlink_pro_ac", "setpoint", 16, (255, "holding", 4004, (16,))),
    ("peblar", "modbus_current_limit", 16, (255, "holding", 40000, (0x0000, 0x3E80))),
    ("bender_cc612", "hems_current", 16, (255, "holding", 1000, (16,))),
    ("bender_cc612", "hems_current_tenth", 16.5, (255, "holding", 1001, (165,))),
    ("bender_cc612", "hems_power", 11000, (255, "holding", 1002, (11000,))),
    ("delta_ac_max", "fallback_power", 0xFFFF, (1, "holding", 203, (0x0000, 0xFFFF))),
    ("delta_ac_max", "power_limit", 70000, (1, "holding", 1600, (0x0001, 0x1170))),
    ("delta_ac_max", "suspend", 0, (1, "holding", 1602, (0,))),
]


@pytest.mark.parametrize(("name", "register", "value", "write"), SETPOINTS)
def test_a_value_is_written_as(name: str, register: str, value: float, write: tuple[object, ...]) -> None:
    assert Plate(name).write_of(register, value) == write


NEVER = [
    ("phoenix_charx", "max_current", 0),
    ("phoenix_charx", "enable", 0),
    ("phoenix_em_cp_pp_eth", "max_current", 0),
    ("phoenix_em_cp_pp_eth", "enable", 0),
    ("phoenix_ev_eth", "enable", 0),
    ("phoenix_ev_eth", "max_current", 16),
    ("abb_terra_ac", "set_current", 0),
    ("abb_terra_ac", "set_current", 5.999),
    ("keba_p30_p40", "set_current", 0),
    ("keba_p30_p40", "enable", 0),
    ("alfen_eve", "max_current", 0),
    ("alfen_eve", "phases", 2),
    ("heidelberg_energy_control", "max_current", 0),
    ("heidelberg_energy_control", "standby", 1),
    ("heidelberg_energy_control", "remote_lock", 2),
    ("mennekes_hcc3", "max_current", 0),
    ("webasto_next_live", "charge_current", 0),
    ("webasto_next_live", "life_bit", 0),
    ("vestel_evc04", "max_current", 0),
    ("schneider_evlink_pro_ac", "setpoint", 0),
    ("schneider_evlink_pro_ac", "lifebit", 2),
    ("peblar", "modbus_current_limit", 0),
    ("bender_cc612", "hems_current", 0),
    ("bender_cc612", "hems_current_tenth", 0),
    ("bender_cc612", "hems_power", 0),
    ("delta_ac_max", "fallback_power", 0),
    ("delta_ac_max", "power_limit", 0),
    ("delta_ac_max", "suspend", 1),
]


@pytest.mark.parametrize(("name", "register", "value"), NEVER)
def test_a_pause_is_never_written(name: str, register: str, value: float) -> None:
    with pytest.raises(UnwritableError):
        Plate(name).write_of(register, value)


@pytest.mark.parametrize(
    ("name", "every_s", "write"),
    [
        ("webasto_next_live", 10, (255, "holding", 6000, (1,))),
        ("vestel_evc04", 5, (255, "holding", 6000, (1,))),
        ("schneider_evlink_pro_ac", 2, (255, "holding", 4000, (1,))),
    ],
)
def test_a_life_bit_is_written_only_when_somebody_wants_it(
    name: str, every_s: float, write: tuple[object, ...]
) -> None:
    plate = Plate(name)
    keepalive = plate.profile.keepalive
    assert keepalive is not None
    assert not keepalive.enabled
    assert keepalive.every_s == every_s
    (step,) = keepalive.steps
    assert step.write is not None
    assert [plate.write_of(register, value) for register, value in step.write.items()] == [write]


def test_no_other_model_is_kept_alive() -> None:
    kept = {name for name in MAPS if Plate(name).profile.keepalive is not None}
    assert kept == {"webasto_next_live", "vestel_evc04", "schneider_evlink_pro_ac"}


def test_a_keba_is_read_one_value_at_a_time() -> None:
    assert {name for name in MAPS if Plate(name).device.one_value_per_read} == {"keba_p30_p40"}


def test_nobody_reads_whose_card_or_vehicle_it_is() -> None:
    private = {"rfid", "card_uid", "user_id", "evccid"}
    found = [
        (name, register)
        for name in MAPS
        for register, spec in Plate(name).device.registers.items()
        if register in private and spec.read != "never"
    ]
    assert found == []
