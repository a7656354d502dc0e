"""Registers of each make against its table, read by hand: the expected words are worked out from the maker's facts."""

from __future__ import annotations

import struct

import pytest

from simulators.wire.modbus.catalogue import MAKES
from simulators.wire.modbus.device import Device
from simulators.wire.modbus.makes.abl import Abl
from simulators.wire.modbus.makes.alfen import Alfen
from simulators.wire.modbus.makes.charx import Charx
from simulators.wire.modbus.makes.heidelberg import Heidelberg
from simulators.wire.modbus.makes.keba import Keba
from simulators.wire.modbus.makes.sungrow import Sungrow
from simulators.wire.modbus.makes.vestel import Vestel
from simulators.wire.modbus.makes.victron import Victron
from simulators.wire.modbus.makes.warp import Warp
from simulators.wire.modbus.protocol import Code, Refusal
from simulators.wire.modbus.troubles import Trouble
from tests.unit.simulators.bench import START
from tests.unit.simulators.modbus_bench import charging, device


def u32(words: list[int]) -> int:
    return words[0] * 65536 + words[1]


def single(words: list[int]) -> float:
    value: float = struct.unpack(">f", struct.pack(">HH", *words))[0]
    return value


@pytest.mark.parametrize("make", MAKES)
def test_a_make_says_what_it_is_and_has_facts_of_its_own(make: type[Device]) -> None:
    found = device(make)
    assert found.profile.islower()
    assert 0 <= found.own_unit <= 255
    assert found.pile.look(START).connectors[0].status == "available"


# --- WARP ------------------------------------------------------------------------------------------------------------


def test_warp_shows_every_number_in_two_registers() -> None:
    warp = device(Warp)
    assert warp.read(START, 1, "input", 1000, 4) == [0, 0, 0, 0]
    version = warp.read(START, 1, "input", 2, 6)
    assert version[0::2] == [0, 0, 0]
    assert version[1] == 2
    now = charging(warp)
    assert warp.read(now, 1, "input", 1000, 4) == [0, 2, 0, 3]
    power_w = single(warp.read(now, 1, "input", 2002, 2))
    assert 3_000 < power_w <= 11_000


def test_warp_restarts_on_the_magic_number_and_its_uptime_drops() -> None:
    warp = device(Warp)
    before_s = u32(warp.read(START, 1, "input", 12, 2))
    warp.write(START, 1, "holding", 0, [302, 45063])  # 0x012EB007
    now = START + 60.0
    warp.pile.advance(now)
    assert warp.pile.reachable
    after_s = u32(warp.read(now, 1, "input", 12, 2))
    assert after_s < 60 < before_s
    assert [str(each.action) for each in warp.pile.truth.resets] == ["reset_hard"]


@pytest.mark.parametrize(
    ("address", "words"),
    [(0, [0, 0]), (0, [45063, 302]), (0, [302]), (1, [45063]), (0, [302, 45064]), (2000, [0, 1])],
)
def test_warp_refuses_every_other_number(address: int, words: list[int]) -> None:
    warp = device(Warp)
    with pytest.raises(Refusal) as refused:
        warp.write(START, 1, "holding", address, words)
    assert refused.value.code is Code.VALUE
    warp.pile.advance(START + 3600.0)
    assert warp.pile.truth.executions == []
    assert [each.taken for each in warp.writes] == [False]


def test_warp_in_trouble_says_error_and_no_more() -> None:
    warp = device(Warp)
    warp.pile.inject(START, "controller_error")
    assert warp.read(START, 1, "input", 1000, 4) == [0, 4, 0, 4]


# --- Heidelberg ------------------------------------------------------------------------------------------------------


def test_heidelberg_locks_unlocks_and_shows_state_f_meanwhile() -> None:
    box = device(Heidelberg)
    assert box.read(START, 1, "input", 4, 2) == [0x0108, 2]
    box.write(START, 1, "holding", 259, [0])
    assert box.read(START + 1, 1, "holding", 259, 1) == [0]
    assert box.read(START + 5, 1, "input", 5, 1) == [10]
    box.write(START + 10, 1, "holding", 259, [1])
    assert box.read(START + 15, 1, "input", 5, 1) == [10]
    assert box.read(START + 20, 1, "input", 5, 1) == [2]
    assert box.pile.truth.resets == []
    assert len(box.pile.truth.boots) == 0


def test_heidelberg_unlocked_too_early_has_done_nothing() -> None:
    box = device(Heidelberg)
    box.write(START, 1, "holding", 259, [0])
    box.write(START + 9, 1, "holding", 259, [1])
    assert not box.pile.condition().operative


def test_heidelberg_sleeps_when_nobody_asks_unless_standby_is_off() -> None:
    box = device(Heidelberg)
    assert box.hears(START)
    assert box.hears(START + 720)
    assert not box.hears(START + 1500)
    assert box.hears(START + 1501)
    box.write(START + 1501, 1, "holding", 258, [4])
    assert box.hears(START + 9000)


def test_heidelberg_measures_in_tenths() -> None:
    box = device(Heidelberg)
    now = charging(box)
    state, *amperes = box.read(now, 1, "input", 5, 4)
    volts = box.read(now, 1, "input", 10, 3)
    (power_va,) = box.read(now, 1, "input", 14, 1)
    assert state == 7
    assert volts == [230, 230, 230]
    assert amperes[0] == amperes[1] == amperes[2]
    assert abs(sum(amperes) / 10.0 * 230.0 - power_va) < 50


# --- ABL -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("contactor_weld", 241),
        ("controller_error", 242),
        ("ground_fault", 243),
        ("lock_jammed", 245),
        ("cable_over_temperature", 250),
    ],
)
def test_abl_tells_its_faults_in_the_status_byte(kind: str, state: int) -> None:
    abl = device(Abl)
    assert abl.read(START, 1, "holding", 4, 1) == [161]
    abl.pile.inject(START, kind)
    assert abl.read(START, 1, "holding", 4, 1) == [state]


def test_abl_disables_and_enables_its_outlet() -> None:
    abl = device(Abl)
    abl.write(START, 1, "holding", 5, [0xE0E0])
    assert abl.read(START + 1, 1, "holding", 4, 1) == [224]
    assert abl.read(START + 1, 1, "holding", 15, 1) == [0]
    abl.write(START + 3, 1, "holding", 5, [0xA1A1])
    assert abl.read(START + 4, 1, "holding", 4, 1) == [161]
    with pytest.raises(Refusal):
        abl.write(START + 5, 1, "holding", 5, [0])


def test_abl_loses_the_first_request_after_a_silence() -> None:
    abl = device(Abl)
    assert [abl.hears(START + at) for at in (0, 900, 2000, 2001)] == [True, True, False, True]


# --- KEBA ------------------------------------------------------------------------------------------------------------


def test_keba_answers_one_value_a_request() -> None:
    keba = device(Keba)
    assert keba.read(START, 255, "holding", 1000, 2) == [0, 1]
    for address, count in ((1000, 4), (1000, 1), (1001, 1), (1002, 2)):
        with pytest.raises(Refusal) as refused:
            keba.read(START, 255, "holding", address, count)
        assert refused.value.code is Code.ADDRESS


def test_keba_in_trouble_has_state_4_and_a_code_of_its_maker() -> None:
    keba = device(Keba)
    keba.pile.inject(START, "controller_error")
    assert keba.read(START, 255, "holding", 1000, 2) == [0, 4]
    assert keba.read(START, 255, "holding", 1006, 2) == [4, 0]  # 262144, shown as 4:0


def test_keba_counts_milliwatts_and_tenths_of_watt_hours() -> None:
    keba = device(Keba)
    now = charging(keba)
    reading = keba.pile.look(now).connectors[0]
    assert u32(keba.read(now, 255, "holding", 1020, 2)) == round(reading.power_w * 1000)
    assert u32(keba.read(now, 255, "holding", 1036, 2)) == round(reading.energy_wh * 10)
    assert keba.read(now, 255, "holding", 1004, 2) == [0, 7]


# --- Vestel ----------------------------------------------------------------------------------------------------------


def test_vestel_says_its_brand_and_shows_plug_charge_and_fault_apart() -> None:
    vestel = device(Vestel)
    assert vestel.read(START, 255, "input", 190, 3) == [0x5665, 0x7374, 0x656C]  # "Ve" "st" "el"
    assert vestel.read(START, 255, "input", 1000, 8) == [0, 0, 1, 0, 0, 0, 0, 0]
    now = charging(vestel)
    assert vestel.read(now, 255, "input", 1000, 5) == [2, 1, 1, 0, 3]
    vestel.pile.inject(now, "ground_fault", 1)
    assert vestel.read(now, 255, "input", 1001, 1) == [0]
    assert vestel.read(now, 255, "input", 1006, 2) == [2, 0]  # bit 17


def test_vestel_clears_the_sign_of_life() -> None:
    vestel = device(Vestel)
    vestel.write(START, 255, "holding", 6000, [1])
    assert vestel.read(START, 255, "holding", 6000, 1) == [0]


# --- CHARX -----------------------------------------------------------------------------------------------------------


def test_charx_has_its_points_a_thousand_registers_apart() -> None:
    charx = device(Charx)
    assert charx.read(START, 1, "holding", 114, 1) == [2]
    charx.pile.inject(START, "ground_fault", 2)
    assert charx.read(START, 1, "holding", 1299, 1) == [0x4100]  # "A"
    assert charx.read(START, 1, "holding", 2299, 1) == [0x4600]  # "F"
    assert charx.read(START, 1, "input", 2299, 1) == [0x4600]


def test_charx_reads_settings_and_refuses_a_current_nobody_can_have() -> None:
    charx = device(Charx)
    assert charx.read(START, 1, "holding", 1300, 2) == [1, 32]
    charx.write(START, 1, "holding", 2301, [16])
    assert charx.read(START, 1, "holding", 2301, 1) == [16]
    with pytest.raises(Refusal):
        charx.write(START, 1, "holding", 2301, [81])


# --- Victron ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("insulation_fault", 8),
        ("contactor_weld", 9),
        ("ground_fault", 11),
        ("supply_low", 12),
        ("cable_over_temperature", 14),
        ("controller_error", 0),
    ],
)
def test_victron_tells_its_faults_as_status(kind: str, status: int) -> None:
    victron = device(Victron)
    victron.pile.inject(START, kind)
    assert victron.read(START, 0, "holding", 5015, 1) == [status]


# --- Sungrow ---------------------------------------------------------------------------------------------------------


def test_sungrow_has_the_low_word_first() -> None:
    sungrow = device(Sungrow)
    energy_wh = round(sungrow.pile.look(START).connectors[0].energy_wh)
    low, high = sungrow.read(START, 248, "input", 21299, 2)
    assert high * 65536 + low == energy_wh
    assert sungrow.read(START, 248, "input", 21316, 1) == [1]
    sungrow.pile.inject(START, "ground_fault")
    assert sungrow.read(START, 248, "input", 21316, 1) == [9]


# --- Alfen -----------------------------------------------------------------------------------------------------------


def test_alfen_is_a_station_and_two_sockets() -> None:
    alfen = device(Alfen)
    assert alfen.read(START, 200, "holding", 1105, 1) == [2]
    alfen.pile.inject(START, "ground_fault", 2)
    assert alfen.read(START, 1, "holding", 1201, 5) == [0x4100, 0, 0, 0, 0]  # "A"
    assert alfen.read(START, 2, "holding", 1201, 5) == [0x4600, 0, 0, 0, 0]  # "F"
    with pytest.raises(Refusal):
        alfen.read(START, 200, "holding", 1201, 5)


def test_alfen_without_a_meter_says_not_a_number() -> None:
    alfen = device(Alfen)
    assert single(alfen.read(START, 1, "holding", 344, 2)) == 0.0
    alfen.pile.inject(START, "meter_failure", 1)
    assert alfen.read(START, 1, "holding", 344, 2) == [0x7FC0, 0]
    assert alfen.read(START, 1, "holding", 374, 4) == [0x7FF8, 0, 0, 0]
    assert single(alfen.read(START, 2, "holding", 306, 2)) == 230.0


def test_alfen_counts_its_uptime_in_milliseconds() -> None:
    alfen = device(Alfen)
    first = alfen.read(START, 200, "holding", 174, 4)
    later = alfen.read(START + 10, 200, "holding", 174, 4)
    value = [sum(word << 16 * (3 - place) for place, word in enumerate(words)) for words in (first, later)]
    assert value[1] - value[0] == pytest.approx(10_000, abs=1)


# --- troubles --------------------------------------------------------------------------------------------------------


def test_a_torn_value_has_its_first_register_from_before() -> None:
    sungrow = device(Sungrow)
    words = iter([[0xFFFF, 1], [0, 2]])
    before, after = next(words), next(words)
    values = list(sungrow.values(START, 248, sungrow.pile.look(START)))
    place = next(number for number, each in enumerate(values) if each.address == 21299)

    def energy(now: float, *_: object) -> list[object]:
        return [*values[:place], values[place]._replace(words=before if now == START else after), *values[place + 1 :]]

    sungrow.values = energy  # type: ignore[method-assign,assignment]
    sungrow.troubles.add(Trouble.TORN)
    assert sungrow.read(START, 248, "input", 21299, 2) == [0xFFFF, 1]
    assert sungrow.read(START + 1, 248, "input", 21299, 2) == [0xFFFF, 2]
    sungrow.troubles.discard(Trouble.TORN)
    assert sungrow.read(START + 2, 248, "input", 21299, 2) == [0, 2]


@pytest.mark.parametrize(("make", "place"), [(Vestel, ("input", 190, 10)), (Keba, ("holding", 1016, 2))])
def test_an_impostor_says_it_is_somebody_else(make: type[Device], place: tuple[str, int, int]) -> None:
    found = device(make)
    table, address, count = place
    own = found.read(START, 255, table, address, count)  # type: ignore[arg-type]
    found.troubles.add(Trouble.IMPOSTOR)
    assert found.read(START, 255, table, address, count) != own  # type: ignore[arg-type]


def test_reading_is_what_tells_of_a_session_and_a_danger() -> None:
    warp = device(Warp)
    now = charging(warp)
    warp.write(now, 1, "holding", 0, [302, 45063])
    assert warp.pile.truth.resets[0].unsafe
    assert not warp.pile.truth.resets[0].reckless
    seen = device(Warp)
    now = charging(seen)
    seen.read(now, 1, "input", 1000, 4)
    seen.write(now, 1, "holding", 0, [302, 45063])
    assert seen.pile.truth.resets[0].reckless
