"""Taking piles into the fleet file: whole or not at all."""

from pathlib import Path

import pytest

from triage.config.fleetfile import load_fleet, load_teams
from triage.enrolment import take
from triage.errors import InputError

HEADER = "region,site,pile,profile,model,connectors\n"
FULL = "region,site,pile,profile,model,connectors,endpoint,unit,team,power_switch,address,latitude,longitude,tags\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def enrol(folder: Path, rows: str, *, header: str = HEADER, replace: bool = False) -> str:
    source = write(folder / "in" / "new.csv", header + rows)
    return take(source, folder / "fleet.csv", folder / "teams.csv", replace=replace)


def piles(folder: Path) -> dict[str, str]:
    return {each.pile: each.model for each in load_fleet(folder / "fleet.csv", None)}


def test_a_first_fleet_is_written(folder: Path) -> None:
    said = enrol(folder, "r,s,P1,pile/v1,AC-7,1\nr,s,P2,pile/v1,AC-7,2\n")
    assert piles(folder) == {"P1": "AC-7", "P2": "AC-7"}
    assert "2 added" in said
    assert "SIGHUP" in said


def test_a_second_file_adds_and_changes_and_keeps(folder: Path) -> None:
    enrol(folder, "r,s,P1,pile/v1,AC-7,1\nr,s,P2,pile/v1,AC-7,2\n")
    said = enrol(folder, "r,s,P2,pile/v1,DC-60,2\nr,s,P3,pile/v1,AC-7,1\n")
    assert piles(folder) == {"P1": "AC-7", "P2": "DC-60", "P3": "AC-7"}
    assert "1 added, 1 changed, 0 removed" in said


def test_doing_it_twice_changes_nothing(folder: Path) -> None:
    rows = "r,s,P1,pile/v1,AC-7,1\n"
    enrol(folder, rows)
    before = (folder / "fleet.csv").read_bytes()
    assert "0 added, 0 changed, 0 removed" in enrol(folder, rows)
    assert (folder / "fleet.csv").read_bytes() == before


def test_a_replacement_is_the_whole_fleet(folder: Path) -> None:
    enrol(folder, "r,s,P1,pile/v1,AC-7,1\n")
    assert "1 removed" in enrol(folder, "r,s,P2,pile/v1,AC-7,1\n", replace=True)
    assert list(piles(folder)) == ["P2"]


@pytest.mark.parametrize(
    "bad",
    ["r,s,P/3,pile/v1,AC-7,1\n", "r,s,P3,pile/v1,AC-7,none\n", "r,s,,pile/v1,AC-7,1\n", "r,s,P1,pile/v1,AC-7,1\n" * 2],
)
def test_one_bad_row_and_nothing_is_taken(folder: Path, bad: str) -> None:
    enrol(folder, "r,s,P1,pile/v1,AC-7,1\n")
    before = (folder / "fleet.csv").read_bytes()
    with pytest.raises(InputError) as caught:
        enrol(folder, "r,s,P2,pile/v1,AC-7,1\n" + bad)
    assert caught.value.faults
    assert (folder / "fleet.csv").read_bytes() == before
    assert not list(folder.glob("*.new"))


def test_everything_a_row_says_survives(folder: Path) -> None:
    row = 'r,s,P1,pile/v1,AC-7,2,10.0.0.1:502,7,north,sw-1,"1 Road, level ""B2""",39.91,116.41,fast;covered\n'
    write(folder / "in" / "teams.csv", "team,region,language,calendar,contact\nnorth,r,zh,CN,ops\n")
    enrol(folder, row, header=FULL)
    first = load_fleet(folder / "fleet.csv", {"north"})
    take(
        write(folder / "in" / "again.csv", (folder / "fleet.csv").read_text(encoding="utf-8")),
        folder / "fleet.csv",
        folder / "teams.csv",
    )
    assert load_fleet(folder / "fleet.csv", {"north"}) == first
    only = first[0]
    assert only.address == '1 Road, level "B2"'
    assert only.unit == 7
    assert only.tags == ("fast", "covered")
    assert [team.team for team in load_teams(folder / "teams.csv")] == ["north"]


def test_a_team_nobody_knows_is_refused_when_teams_are_known(folder: Path) -> None:
    write(folder / "in" / "teams.csv", "team,region,language,calendar,contact\nnorth,r,zh,CN,ops\n")
    with pytest.raises(InputError, match="south"):
        enrol(folder, "r,s,P1,pile/v1,AC-7,2,,,south,,,,,\n", header=FULL)
    assert not (folder / "fleet.csv").exists()


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(InputError):
        take(folder / "nothing.csv", folder / "fleet.csv", folder / "teams.csv")
