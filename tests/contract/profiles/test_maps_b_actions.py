"""The second half of the Modbus maps: what goes over the wire when something is done, and what never does."""

from __future__ import annotations

import pytest

from tests.contract.profiles.devices_b import MAKES, warp
from triage.core.vocabulary import Action
from triage.drivers.profiles.registers import UnwritableError

ACTIONS: dict[str, dict[Action, list[object]]] = {
    "etrel_inch": {},
    "solax_evc": {
        Action.STOP_SESSION: [(1, "holding", 1575, (3,)), {"state": {"ne": 2}}],
    },
    "sungrow_ac011e": {
        Action.SET_AVAILABILITY: [(248, "holding", 21210, (1,)), {"availability": 1}],
        Action.STOP_SESSION: [(248, "holding", 21211, (1,)), {"state": {"ne": 3}}],
    },
    "goodwe_hca_g2": {
        Action.STOP_SESSION: [(247, "holding", 10060, (1,)), {"charge_command": 1}, {"status": {"ne": 3}}],
    },
    "siemens_versicharge": {},
    "abl_emh1": {
        Action.SET_AVAILABILITY: [(1, "holding", 5, (0xA1A1,)), {"state": {"ne": 224}}],
        Action.RESET_SOFT: [
            (1, "holding", 5, (0xE0E0,)),
            3.0,
            {"state": {"known": True}},
            (1, "holding", 5, (0xA1A1,)),
            {"state": {"ne": 224}},
        ],
    },
    "warp_charger": {Action.RESET_HARD: [(1, "holding", 0, (0x012E, 0xB007))]},
    "openwb_evse_din": {},
    "victron_evcs": {},
    "victron_evcs_gx": {},
    "em2go_daheimladen": {
        Action.STOP_SESSION: [(255, "holding", 95, (2,)), {"charge_command": 2}, {"charging_state": {"ne": 4}}],
    },
    "hesotec_esat": {
        Action.STOP_SESSION: [(1, "holding", 4097, (1,)), {"cp_state": {"none_of": ("C", "D")}}],
    },
    "sigenergy_evdc": {
        Action.STOP_SESSION: [(1, "holding", 41000, (1,)), {"running_state": {"none_of": (3, 8)}}],
    },
    "cfos_power_brain": {Action.RESET_SOFT: [(1, "holding", 8086, (5,))]},
    "cn_rs485_pile_v2": {},
}


@pytest.mark.parametrize("name", MAKES)
def test_actions_write_exactly_this(name: str) -> None:
    plate = MAKES[name]()
    given = plate.profile.actions.given()
    assert set(given) == set(ACTIONS[name])
    assert {action: plate.steps(action) for action in given} == ACTIONS[name]


def test_what_is_no_restart_is_called_so() -> None:
    for name, action, real, boots in (
        ("abl_emh1", Action.RESET_SOFT, False, False),
        ("cfos_power_brain", Action.RESET_SOFT, False, False),
        ("warp_charger", Action.RESET_HARD, True, True),
        ("solax_evc", Action.STOP_SESSION, True, False),
    ):
        spec = MAKES[name]().profile.spec(action)
        assert spec is not None
        assert (spec.kind == "real", spec.seen_to_boot(action)) == (real, boots)


@pytest.mark.parametrize(
    ("name", "action", "address", "permitted", "refused"),
    [
        ("abl_emh1", Action.RESET_SOFT, 4, {0xA1, 0xB1, 0xB2, 0xE0, 0xF2, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8},
         {0xC2, 0xC3, 0xC4, 0xF1, 0xF3, 0xF9, 0xFA, 0xFB, 0xE1, 0xE2, 0xFC}),
        ("abl_emh1", Action.SET_AVAILABILITY, 4, {0xE0}, {0xA1, 0xC2, 0xE1, 0xE2, 0xE3, 0xF1}),
        ("cfos_power_brain", Action.RESET_SOFT, 8092, {0, 1, 4}, {2, 3, 5, 6}),
        ("goodwe_hca_g2", Action.STOP_SESSION, 10017, {1, 2, 3, 4, 6, 10}, {0, 5, 7, 8, 9}),
        ("em2go_daheimladen", Action.STOP_SESSION, 0, {2, 3, 4, 6}, {1, 5, 9, 7}),
        ("hesotec_esat", Action.STOP_SESSION, 16408, {ord("B") << 8, ord("C") << 8, ord("D") << 8},
         {ord("A") << 8, ord("E") << 8, ord("F") << 8, 0}),
    ],
)  # fmt: skip
def test_an_action_is_refused_where_it_must_not_be(
    name: str, action: Action, address: int, permitted: set[int], refused: set[int]
) -> None:
    for word in permitted:
        assert MAKES[name]().put("holding", address, word).refusal(action) is None
    for word in refused:
        assert MAKES[name]().put("holding", address, word).refusal(action) is not None
    assert MAKES[name]().take("holding", address).refusal(action) is not None


@pytest.mark.parametrize(
    ("name", "action", "address", "permitted", "refused"),
    [
        ("solax_evc", Action.STOP_SESSION, 29, {1, 2, 3, 7, 8, 11, 12, 13, 17}, {0, 4, 5, 6, 9, 10}),
        ("sungrow_ac011e", Action.STOP_SESSION, 21316, {2, 3, 4, 5, 6}, {1, 7, 8, 9}),
        ("sungrow_ac011e", Action.SET_AVAILABILITY, 21316, {8}, {1, 2, 3, 9}),
        ("sigenergy_evdc", Action.STOP_SESSION, 31513, {1, 2, 3, 5, 6, 8, 10}, {0, 4, 7, 9, 11}),
    ],
)
def test_an_action_asks_the_input_registers_too(
    name: str, action: Action, address: int, permitted: set[int], refused: set[int]
) -> None:
    for word in permitted:
        assert MAKES[name]().put("input", address, word).refusal(action) is None
    for word in refused:
        assert MAKES[name]().put("input", address, word).refusal(action) is not None
    assert MAKES[name]().take("input", address).refusal(action) is not None


@pytest.mark.parametrize(
    ("charger", "iec", "allowed"),
    [
        (0, 0, True),
        (1, 1, True),
        (4, 4, True),
        (2, 1, False),
        (3, 2, False),
        (3, 3, False),
        (4, 2, False),
        (0, 3, False),
    ],
)
def test_warp_restarts_only_while_nothing_can_flow(charger: int, iec: int, allowed: bool) -> None:
    refusal = warp().put("input", 1000, 0, iec, 0, charger).refusal(Action.RESET_HARD)
    assert (refusal is None) is allowed


NEVER: list[tuple[str, str, float]] = [
    ("warp_charger", "reboot", 0),
    ("warp_charger", "reboot", 1),
    ("warp_charger", "reboot", 0x012EB006),
    ("warp_charger", "reset_energy", 0),
    ("warp_charger", "current_setpoint", 33),
    ("abl_emh1", "modify_state", 0),
    ("abl_emh1", "modify_state", 0xE0E1),
    ("sigenergy_evdc", "power_limit", 0),
    ("sigenergy_evdc", "power_limit", 499),
    ("sigenergy_evdc", "start_stop", 2),
    ("goodwe_hca_g2", "max_power", 1.3),
    ("goodwe_hca_g2", "max_power", 22.1),
    ("goodwe_hca_g2", "charge_command", 0),
    ("hesotec_esat", "max_current", 0),
    ("hesotec_esat", "stop", 2),
    ("solax_evc", "command", 0),
    ("sungrow_ac011e", "remote_control", 2),
    ("em2go_daheimladen", "charge_command", 0),
    ("cfos_power_brain", "disconnect_cp", 0),
    ("cn_rs485_pile_v2", "power_control", 0),
    ("openwb_evse_din", "control_bits", 1),
    ("etrel_inch", "status", 1),
    ("victron_evcs", "status", 0),
    ("siemens_versicharge", "error_code", 0),
]


@pytest.mark.parametrize(("name", "register", "value"), NEVER)
def test_this_is_never_written(name: str, register: str, value: float) -> None:
    with pytest.raises(UnwritableError):
        MAKES[name]().write_of(register, value)


@pytest.mark.parametrize(
    ("name", "register", "value", "write"),
    [
        ("etrel_inch", "max_current", 6.0, (1, "holding", 8, (0x40C0, 0x0000))),
        ("solax_evc", "max_current", 10.5, (1, "holding", 1576, (1050,))),
        ("sungrow_ac011e", "set_current", 16, (248, "holding", 21202, (1600,))),
        ("goodwe_hca_g2", "max_power", 11, (247, "holding", 10029, (110,))),
        ("siemens_versicharge", "max_current", 16, (2, "holding", 1633, (16,))),
        ("abl_emh1", "set_current", 266, (1, "holding", 20, (266,))),
        ("warp_charger", "current_setpoint", 16, (1, "holding", 1002, (0, 16000))),
        ("warp_charger", "enable_charging", 1, (1, "coil", 1000, (1,))),
        ("openwb_evse_din", "set_current", 16, (1, "holding", 1000, (16,))),
        ("victron_evcs", "set_current", 16, (0, "holding", 5016, (16,))),
        ("victron_evcs_gx", "set_current", 16, (100, "holding", 3825, (16,))),
        ("em2go_daheimladen", "current_limit", 6.5, (255, "holding", 91, (65,))),
        ("hesotec_esat", "max_current", 32, (1, "holding", 4099, (32,))),
        ("sigenergy_evdc", "power_limit", 500, (1, "holding", 41002, (0, 500))),
        ("sigenergy_evdc", "power_limit", 70000, (1, "holding", 41002, (0x0001, 0x1170))),
        ("cfos_power_brain", "max_current", 13.5, (1, "holding", 8093, (135,))),
        ("cn_rs485_pile_v2", "power_control", 3.5, (1, "holding", 8192, (35,))),
    ],
)
def test_setpoints_go_over_the_wire_like_this(
    name: str, register: str, value: float, write: tuple[object, ...]
) -> None:
    assert MAKES[name]().write_of(register, value) == write


def test_how_each_device_is_spoken_to() -> None:
    spoken = {
        name: (device.framing, device.unit_id, device.port) for name in MAKES for device in [MAKES[name]().device]
    }
    assert spoken == {
        "etrel_inch": ("tcp", 1, 502),
        "solax_evc": ("tcp", 1, 502),
        "sungrow_ac011e": ("tcp", 248, 502),
        "goodwe_hca_g2": ("tcp", 247, 502),
        "siemens_versicharge": ("tcp", 2, 502),
        "abl_emh1": ("ascii", 1, 502),
        "warp_charger": ("tcp", 1, 502),
        "openwb_evse_din": ("tcp", 1, 502),
        "victron_evcs": ("tcp", 0, 502),
        "victron_evcs_gx": ("tcp", 100, 502),
        "em2go_daheimladen": ("tcp", 255, 502),
        "hesotec_esat": ("tcp", 1, 502),
        "sigenergy_evdc": ("tcp", 1, 502),
        "cfos_power_brain": ("tcp", 1, 502),
        "cn_rs485_pile_v2": ("tcp", 1, 502),
    }
