"""The second half of the Modbus maps: what is odd about single models."""

from __future__ import annotations

from tests.contract.profiles.devices_b import abl, cfos, chinese, em2go, etrel, evse_din, siemens, sigenergy, view, warp


def test_etrel_has_a_second_socket_a_hundred_addresses_further() -> None:
    plate = etrel()
    plate.connectors = 2
    plate.put("input", 100, 8).put("input", 104, 0, 0).put("input", 114, 0, 0, 0, 0, 0, 0).put("input", 126, 0, 0)
    assert plate.status(1) == "charging"
    assert plate.status(2) == "faulted"
    assert plate.codes() == [(2, "status 8")]
    assert plate.reading(2).current_a == 0.0
    assert (plate.reading(2).session_known, plate.reading(2).session) == (True, None)


def test_single_phase_siemens_counts_one_phase() -> None:
    plate = siemens().put("holding", 1662, 3200, 0xFFFF, 0xFFFF).put("holding", 1647, 14, 0xFFFF, 0xFFFF)
    plate.put("holding", 1651, 229, 0xFFFF, 0xFFFF)
    reading = plate.reading()
    assert (reading.power_w, reading.current_a, reading.voltage_v) == (3200.0, 14.0, 229.0)


def test_abl_without_a_sensor_measures_nothing_and_knows_no_session_while_faulted() -> None:
    plate = abl().put("holding", 2, 0x0000).put("holding", 4, 0xF2).put("holding", 48, 0, 0, 0)
    assert plate.reading().current_a is None
    assert not plate.reading().session_known
    plate.put("holding", 2, 0x0020)
    assert plate.reading().current_a == 0.0
    assert (plate.reading().session_known, plate.reading().session) == (True, None)
    plate.put("holding", 48, 1000, 1000, 1000)
    assert plate.reading().current_a is None


def test_warp_tells_its_uptime_and_who_charges() -> None:
    plate = warp()
    assert plate.see().uptime_s == 93784.0
    plate.put("input", 12, 0, 9)
    assert plate.see().uptime_s == 9.0
    for state, live in ((0, False), (1, True), (2, True), (3, True)):
        plate.put("input", 1002, 0, state)
        assert (plate.reading().session_known, plate.reading().session is not None) == (True, live)


def test_warp_in_error_is_free_only_when_that_is_known() -> None:
    plate = warp().put("input", 1000, 0, 4, 0, 4)
    assert not plate.reading().session_known  # 7360 W flow, and user 7 charges
    plate.put("input", 2002, 0x0000, 0)
    assert (plate.reading().session_known, plate.reading().session) == (True, None)
    plate.put("input", 2004, 0, 0)  # no meter: 0 W proves nothing
    assert plate.reading().power_w is None
    assert not plate.reading().session_known
    plate.put("input", 1004, 0xFFFF, 0xFFFF)  # it says itself that no charge goes on
    assert (plate.reading().session_known, plate.reading().session) == (True, None)


def test_evse_din_counts_hundredths_when_its_config_says_so() -> None:
    for config, limit, amperes in ((0x0000, 16, 16), (0x0080, 1650, 16.5), (0x0011, 16, 16)):
        plate = evse_din().put("holding", 1000, limit).put("holding", 2005, config)
        assert view(plate)["current_limit"] == amperes


def test_evse_din_measures_nothing_so_a_fault_leaves_the_session_unknown() -> None:
    assert not evse_din().put("holding", 1002, 5).reading().session_known


def test_em2go_that_delivers_nothing_waits_for_its_vehicle() -> None:
    assert em2go().put("holding", 12, 0, 0).status() == "suspended_ev"
    assert em2go().put("holding", 12, 0, 1).status() == "charging"
    assert em2go().put("holding", 0, 6).put("holding", 12, 0, 0).status() == "finishing"


def test_sigenergy_feeding_back_is_a_session_with_negative_power() -> None:
    plate = sigenergy().put("input", 31513, 8).put("input", 31502, 0xFFFF, 0xEC78)
    assert plate.reading().power_w == -5000.0
    assert plate.reading().session is not None


def test_cfos_without_a_meter_measures_nothing() -> None:
    plate = cfos().put("holding", 8057, *[0] * 13)
    reading = plate.reading()
    assert (reading.power_w, reading.current_a, reading.energy_wh) == (None, None, None)
    assert not plate.put("holding", 8092, 4).reading().session_known


def test_cfos_is_known_in_either_word_order() -> None:
    assert cfos().put("holding", 8000, 0xCF05, 0).see().wrong == ()


def test_an_idle_chinese_pile_is_free_only_without_a_plug() -> None:
    assert chinese().put("holding", 2, 0).put("holding", 5, 2).status() == "available"
    assert chinese().put("holding", 2, 0).put("holding", 5, 1).status() == "preparing"
