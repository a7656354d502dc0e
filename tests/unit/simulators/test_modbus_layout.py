"""A share of a fleet on Modbus: who, where, and that the others stay as they are."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from simulators.fleet import build
from simulators.wire.command import main
from simulators.wire.modbus.catalogue import MAKES
from simulators.wire.modbus.layout import Lying, berthed, lying


def _units(place: Lying) -> tuple[int, ...]:
    return (place.unit, *place.make.others)


def test_every_fourth_pile_speaks_modbus_and_every_make_is_there() -> None:
    fleet = berthed(build(40, 1), 5020)
    profiles = Counter(entry.profile for entry in fleet.entries)
    assert profiles.pop("pile/v1") == 30
    assert set(profiles) == {make.profile for make in MAKES}


def test_a_small_fleet_has_each_make_once_as_far_as_it_goes() -> None:
    assert len(lying(berthed(build(12, 1), 5020))) == 9
    assert len(lying(berthed(build(3, 1), 5020))) == 3


def test_the_other_piles_stay_as_they_are() -> None:
    plain, mixed = build(40, 1), berthed(build(40, 1), 5020)
    assert [each for each in mixed.entries if each.profile == "pile/v1"] == [
        each for each, other in zip(plain.entries, mixed.entries, strict=True) if other.profile == "pile/v1"
    ]


def test_no_two_devices_share_a_unit_of_a_port() -> None:
    places = lying(berthed(build(4000, 1), 5020))
    assert len(places) == 1000
    units = [(each.port, unit) for each in places for unit in _units(each)]
    assert len(set(units)) == len(units)
    assert max(each.unit for each in places) <= 247
    shared = {each.port for each in places if not each.make.others}
    alone = {each.port for each in places if each.make.others}
    assert len(shared) == 4
    assert len(alone) == 111
    assert shared | alone == set(range(5020, 5020 + 115))


def test_apart_every_device_has_a_port_and_its_own_unit() -> None:
    places = lying(berthed(build(40, 1), 5020, apart=True))
    assert [each.port for each in places] == list(range(5020, 5030))
    assert all(each.unit == each.make.own_unit for each in places)


def test_ports_beyond_the_last_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="begin lower"):
        berthed(build(40, 1), 65_530, apart=True)
    with pytest.raises(SystemExit):
        main(["--piles", "40", "--modbus-port", "65530", "--modbus-apart", "--write-fleet", "fleet.csv"])
    assert "begin lower" in capsys.readouterr().err


def test_the_fleet_file_says_profile_endpoint_and_unit(tmp_path: Path) -> None:
    file = tmp_path / "fleet.csv"
    assert main(["--piles", "40", "--modbus-port", "5020", "--write-fleet", str(file)]) == 0
    with file.open(encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    found = {row["profile"]: (row["endpoint"], row["unit"], row["connectors"]) for row in rows}
    assert found["pile/v1"][:2] == ("", "")
    assert found["phoenix_charx"] == ("127.0.0.1:5020", "6", "2")
    assert found["alfen_eve"] == ("127.0.0.1:5021", "1", "2")
