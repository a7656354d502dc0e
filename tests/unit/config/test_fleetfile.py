"""Fleet and teams: every bad row with line and column, all or nothing."""

import time
from pathlib import Path

import pytest

from triage.config.fleetfile import Team, load_fleet, load_teams
from triage.errors import InputError, InputFault

HEADER = "region,site,pile,profile,model,connectors,endpoint,unit,team,power_switch,address,latitude,longitude,tags"
ROW = "north,mall,P1,pile/v1,AC-7,2,tcp://10.0.0.1:502,3,field-a,relay-1,1 Garden Road,39.9,116.4,fast roof"


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "fleet.csv"
    path.write_bytes(text.encode(encoding))
    return path


def faults(path: Path, teams: set[str] | None = None) -> list[InputFault]:
    with pytest.raises(InputError) as caught:
        load_fleet(path, teams)
    return caught.value.faults


def test_a_row_becomes_a_registration(tmp_path: Path) -> None:
    (pile,) = load_fleet(written(tmp_path, f"{HEADER}\n{ROW}\n"), {"field-a"})
    assert (pile.pile, pile.site, pile.region, pile.profile) == ("P1", "mall", "north", "pile/v1")
    assert (pile.connectors, pile.unit, pile.latitude, pile.longitude) == (2, 3, 39.9, 116.4)
    assert pile.tags == ("fast", "roof")


def test_columns_after_connectors_may_be_missing_or_empty(tmp_path: Path) -> None:
    text = "region,site,pile,profile,model,connectors\r\nnorth,mall,P1,pile/v1,,\r\n\r\nnorth,mall,P2,pile/v1,AC\r\n"
    first, second = load_fleet(written(tmp_path, text))
    assert (first.connectors, first.unit, first.team, first.tags) == (1, None, "", ())
    assert second.pile == "P2"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "big5"])
def test_chinese_addresses_survive_every_encoding(tmp_path: Path, encoding: str) -> None:
    text = f"{HEADER}\nnorth,mall,P1,pile/v1,AC,1,,,,,台北市信义路五号地下停车场,,,\n"
    text = (
        text.replace("义", "義").replace("号", "號").replace("场", "場").replace("车", "車")
        if encoding == "big5"
        else text
    )
    (pile,) = load_fleet(written(tmp_path, text, encoding))
    assert pile.address in text


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        ("north,mall,P/1,pile/v1,AC,1", "pile", "is not allowed"),
        ("north,mall,,pile/v1,AC,1", "pile", "is empty"),
        ("north,ma ll,P1,pile/v1,AC,1", "site", "is not allowed"),
        ("n" * 65 + ",mall,P1,pile/v1,AC,1", "region", "is not allowed"),
        (f"north,mall,{'x' * 65},pile/v1,AC,1", "pile", "is not allowed"),
        ("north,mall,P1,,AC,1", "profile", "is empty"),
        ("north,mall,P1,pile/v1/x,AC,1", "profile", "is not allowed"),
        ("north,mall,P1,pile/v1,AC,0", "connectors", "is not such a number"),
        ("north,mall,P1,pile/v1,AC,two", "connectors", "is not such a number"),
        ("north,mall,P1,pile/v1,AC,65", "connectors", "is not such a number"),
        ("north,mall,P1,pile/v1,AC,١", "connectors", "is not such a number"),
        ("north,mall,P1,pile/v1,AC,1,,300", "unit", "is not such a number"),
        ("north,mall,P1,pile/v1,AC,1,,,ghosts", "team", "not in the teams file"),
        ("north,mall,P1,pile/v1,AC,1,,,,,,91,0", "latitude", "is not such a number"),
        ("north,mall,P1,pile/v1,AC,1,,,,,,nan,0", "latitude", "is not such a number"),
        ("north,mall,P1,pile/v1,AC,1,,,,,,1,181", "longitude", "is not such a number"),
        (f"north,mall,P1,pile/v1,{'m' * 501},1", "model", "longer than"),
        ("north,mall,P1,pile/v1,A\x07C,1", "model", "control characters"),
        ("north,mall,P1,pile/v1,AC,1,,,,,,,,,surplus", "", "the header has 14"),
    ],
)
def test_each_kind_of_bad_cell_is_addressed(tmp_path: Path, row: str, column: str, problem: str) -> None:
    (fault,) = faults(written(tmp_path, f"{HEADER}\n{ROW.replace('P1', 'P0')}\n{row}\n"), {"field-a"})
    assert (fault.line, fault.field) == (3, column)
    assert problem in fault.problem
    assert fault.remedy


def test_every_bad_row_is_listed_and_nothing_is_taken(tmp_path: Path) -> None:
    text = f"{HEADER}\n{ROW}\nnorth,mall,P1,pile/v1,AC,1\nnorth,mall,P2,pile/v1,AC,x\n"
    found = faults(written(tmp_path, text))
    assert [(fault.line, fault.field) for fault in found] == [(3, "pile"), (4, "connectors")]
    assert "already on line 2" in found[0].problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("region,site,pile,profile,model\n", "this column is missing"),
        (f"{HEADER},colour\n", "unknown column"),
        (f"{HEADER},pile\n", "there twice"),
        (f'{HEADER}\nnorth,"mall,P1\n', "is not CSV"),
        (f"{HEADER}\nnorth,\x00\n", "NUL"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in faults(written(tmp_path, text))[0].problem


def test_a_western_encoding_is_refused_not_garbled(tmp_path: Path) -> None:
    text = f"{HEADER}\nnorth,mall,P1,pile/v1,AC,1,,,,,Königstraße 5 Köln Süd,,,\n"
    assert "neither UTF-8 nor" in faults(written(tmp_path, text, "latin-1"))[0].problem


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    assert "cannot be read" in faults(tmp_path / "none.csv")[0].problem


def test_formulas_stay_text(tmp_path: Path) -> None:
    (pile,) = load_fleet(written(tmp_path, f"{HEADER}\nnorth,mall,P1,pile/v1,=cmd|x,1,,,,,+1 Road,,,\n"))
    assert (pile.model, pile.address) == ("=cmd|x", "+1 Road")


def test_faults_are_bounded(tmp_path: Path) -> None:
    assert len(faults(written(tmp_path, f"{HEADER}\n" + "a,b,/,c,d,x\n" * 5000))) == 1000


def test_teams(tmp_path: Path) -> None:
    path = written(tmp_path, "team,region,language,calendar,contact\nfield-a,north,en,CN,x@example.com\nfield-b\n")
    assert load_teams(path) == (
        Team(team="field-a", region="north", language="en", calendar="CN", contact="x@example.com"),
        Team(team="field-b"),
    )


@pytest.mark.parametrize(
    ("row", "field", "problem"),
    [
        ("a,north,fr", "language", "not a language"),
        ("a b", "team", "is not allowed"),
        ("twice\ntwice", "team", "already on line 2"),
    ],
)
def test_bad_teams(tmp_path: Path, row: str, field: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        load_teams(written(tmp_path, f"team,region,language\n{row}\n"))
    assert caught.value.faults[0].field == field
    assert problem in caught.value.faults[0].problem


def test_a_hundred_thousand_rows_are_quick(tmp_path: Path) -> None:
    rows = "\n".join(ROW.replace("P1", f"P{number}") for number in range(100_000))
    path = written(tmp_path, f"{HEADER}\n{rows}\n")
    began = time.process_time()
    assert len(load_fleet(path, {"field-a"})) == 100_000
    assert time.process_time() - began < 3
