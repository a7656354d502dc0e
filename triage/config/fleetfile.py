"""The fleet and its teams as CSV: every bad row is told with line and column, and all or nothing is taken."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from charset_normalizer import from_bytes
from msgspec import Struct
from msgspec.structs import replace

from triage.config.profile.file import Profile
from triage.config.profile.wiring import device_of, misfits, switch_of
from triage.config.yamlfile import read_bytes
from triage.core.events import Registration
from triage.errors import InputError, InputFault

MAX_BYTES = 64 << 20
"""Largest CSV file that is read: a fleet of several hundred thousand piles."""

SAMPLE_BYTES = 65_536
"""How much of the text that is not ASCII is looked at to tell the encoding."""

MAX_FAULTS = 1_000
"""Faults told of one file; after that the file is simply wrong."""

FLEET_REQUIRED = ("region", "site", "pile", "profile", "model", "connectors")
"""Columns the fleet file must have."""

FLEET_OPTIONAL = ("endpoint", "unit", "team", "power_switch", "address", "latitude", "longitude", "tags")
"""Columns that may be empty or missing."""

TEAM_COLUMNS = ("team", "region", "language", "calendar", "contact")
"""Columns of the teams file; all but ``team`` may be empty."""

MOST_CONNECTORS = 64
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_REGION = re.compile(r"[^\x00-\x1f\x7f]{1,64}\Z")
_PROFILE = re.compile(r"[A-Za-z0-9._-]{1,64}(?:/[A-Za-z0-9._-]{1,64})?\Z")
_WHOLE = re.compile(r"[0-9]{1,9}\Z")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,3}(?:\.[0-9]{0,20})?\Z")
_LANGUAGES = frozenset({"en", "zh"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 500
_CHINESE = ("gb18030", "big5")


class Team(Struct, frozen=True, kw_only=True):
    """A field team. ``contact`` is where its orders go; ``calendar`` names its working days."""

    team: str
    region: str = ""
    language: str = "zh"
    calendar: str = ""
    contact: str = ""


class _Table(Struct):
    """A CSV file with its header, and the faults found in it."""

    file: str
    columns: list[str]
    rows: list[tuple[int, list[str]]]
    faults: list[InputFault]

    def fault(self, line: int | None, column: str, problem: str, remedy: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(InputFault(self.file, line, column, problem, remedy))


def load_fleet(
    path: Path, teams: Collection[str] | None = None, profiles: Mapping[str, Profile] | None = None
) -> tuple[Registration, ...]:
    """The fleet in the CSV file at ``path``; with ``teams`` given, each named team must be one of them.

    With ``profiles`` given, each row must fit its profile.

    Raises:
        InputError: every fault of the file, with line and column; nothing is taken then.
    """
    table = _read(path, FLEET_REQUIRED, FLEET_OPTIONAL)
    piles: list[Registration] = []
    seen: dict[str, int] = {}
    devices: dict[str, str] = {}
    for line, cells in table.rows:
        row = _Row(table, line, cells)
        pile = row.registration(teams)
        if pile.pile in seen and pile.pile:
            row.fault("pile", f"pile {pile.pile!r} is already on line {seen[pile.pile]}", "give every pile its own id")
        seen.setdefault(pile.pile, line)
        found = list(misfits(pile, profiles)) if profiles is not None else []
        for column, problem, remedy in found:
            row.fault(column, problem, remedy)
        if not found and profiles is not None and pile.profile in profiles:
            device = device_of(pile, profiles[pile.profile])
            other = devices.setdefault(device, pile.pile)
            if other != pile.pile:
                row.fault("endpoint", f"{device} is pile {other} already", "give each device one row")
        piles.append(pile)
    if table.faults:
        raise InputError(table.faults)
    return tuple(piles) if profiles is None else tuple(_spelled_alike(pile, profiles) for pile in piles)


def _spelled_alike(pile: Registration, profiles: Mapping[str, Profile]) -> Registration:
    """``pile`` with the one spelling of its switch, so that all piles behind one are known to be."""
    if not pile.power_switch:
        return pile
    return replace(pile, power_switch=switch_of(pile.power_switch, profiles).name)


def load_teams(path: Path) -> tuple[Team, ...]:
    """The teams in the CSV file at ``path``.

    Raises:
        InputError: every fault of the file, with line and column; nothing is taken then.
    """
    table = _read(path, TEAM_COLUMNS[:1], TEAM_COLUMNS[1:])
    teams: list[Team] = []
    seen: dict[str, int] = {}
    for line, cells in table.rows:
        row = _Row(table, line, cells)
        language = row.text("language") or "zh"
        if language not in _LANGUAGES:
            row.fault("language", f"{language!r} is not a language of the product", "use en or zh")
        name = row.id("team")
        if name in seen and name:
            row.fault("team", f"team {name!r} is already on line {seen[name]}", "give every team its own name")
        seen.setdefault(name, line)
        region, calendar, contact = row.text("region"), row.text("calendar"), row.text("contact")
        teams.append(Team(team=name, region=region, language=language, calendar=calendar, contact=contact))
    if table.faults:
        raise InputError(table.faults)
    return tuple(teams)


class _Row:
    """One row under its header; reading a bad cell notes a fault and gives a harmless value."""

    __slots__ = ("cells", "line", "table")

    def __init__(self, table: _Table, line: int, cells: list[str]) -> None:
        self.table = table
        self.line = line
        self.cells = dict(zip(table.columns, cells, strict=False))

    def fault(self, column: str, problem: str, remedy: str) -> None:
        self.table.fault(self.line, column, problem, remedy)

    def registration(self, teams: Collection[str] | None) -> Registration:
        team = self.text("team")
        if team and teams is not None and team not in teams:
            self.fault("team", f"team {team!r} is not in the teams file", "add it there, or mend the name")
        return Registration(
            pile=self.id("pile"),
            site=self.id("site"),
            region=self._matching("region", _REGION, "name the region with at most 64 characters"),
            profile=self._matching("profile", _PROFILE, "a profile is a name such as pile/v1"),
            model=self.text("model"),
            connectors=self._whole("connectors", 1, MOST_CONNECTORS) or 1,
            endpoint=self.text("endpoint"),
            unit=self._whole("unit", 0, 255),
            team=team,
            power_switch=self.text("power_switch"),
            address=self.text("address"),
            latitude=self._degrees("latitude", 90),
            longitude=self._degrees("longitude", 180),
            tags=tuple(tag for tag in re.split(r"[;|\s]+", self.text("tags")) if tag),
        )

    def text(self, column: str) -> str:
        """A cell as text; a formula stays the text it is."""
        cell = self.cells.get(column, "").strip()
        if len(cell) > _LONGEST:
            self.fault(column, f"longer than {_LONGEST} characters", "shorten it")
        elif not cell.isprintable() and _CONTROL.search(cell):
            self.fault(column, "holds control characters", "remove them")
        return cell

    def id(self, column: str) -> str:
        """A cell that names something on topics and in addresses."""
        return self._matching(column, _ID, "use letters, digits, dot, underscore and hyphen, at most 64")

    def _matching(self, column: str, pattern: re.Pattern[str], remedy: str) -> str:
        cell = self.cells.get(column, "").strip()
        if not cell:
            self.fault(column, "is empty", remedy)
        elif not pattern.match(cell):
            self.fault(column, f"{cell[:80]!r} is not allowed", remedy)
        return cell

    def _whole(self, column: str, least: int, most: int) -> int | None:
        cell = self.cells.get(column, "").strip()
        if not cell:
            return None
        if _WHOLE.match(cell) and least <= int(cell) <= most:
            return int(cell)
        self.fault(column, f"{cell[:80]!r} is not such a number", f"write a whole number from {least} to {most}")
        return None

    def _degrees(self, column: str, most: float) -> float | None:
        cell = self.cells.get(column, "").strip()
        if not cell:
            return None
        if _DECIMAL.match(cell) and -most <= float(cell) <= most:
            return float(cell)
        self.fault(column, f"{cell[:80]!r} is not such a number", f"write degrees from -{most:g} to {most:g}")
        return None


def _read(path: Path, required: Sequence[str], optional: Sequence[str]) -> _Table:
    text = _decode(read_bytes(path, MAX_BYTES), str(path))
    table = _Table(str(path), [], [], [])
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if table.columns:
                _take(table, reader.line_num, cells)
            else:
                table.columns = [cell.strip().lower() for cell in cells]
                _check_header(table, reader.line_num, required, optional)
    except csv.Error as error:
        table.fault(reader.line_num, "", f"is not CSV: {error}", "check the quotes on this line")
    if not table.columns:
        table.fault(None, "", "is empty", f"begin with a header: {','.join((*required, *optional))}")
    return table


def _take(table: _Table, line: int, cells: list[str]) -> None:
    if len(cells) > len(table.columns) and any(cell.strip() for cell in cells[len(table.columns) :]):
        problem = f"has {len(cells)} cells, the header has {len(table.columns)}"
        table.fault(line, "", problem, 'put cells that hold a comma into "quotes"')
    table.rows.append((line, cells))


def _check_header(table: _Table, line: int, required: Sequence[str], optional: Sequence[str]) -> None:
    known = (*required, *optional)
    for column in required:
        if column not in table.columns:
            table.fault(line, column, "this column is missing", f"the header needs {','.join(required)}")
    for index, column in enumerate(table.columns):
        if column not in known:
            table.fault(line, column or f"column {index + 1}", "unknown column", f"known: {','.join(known)}")
        elif column in table.columns[:index]:
            table.fault(line, column, "this column is there twice", "keep one of them")
    if table.faults:
        raise InputError(table.faults)


def _decode(raw: bytes, file: str) -> str:
    """The text: UTF-8 with or without BOM, else one of the Chinese encodings spreadsheets write."""
    if b"\x00" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\x00")) + 1
        raise InputError([InputFault(file, line, "", "holds NUL bytes", "save the file as UTF-8 CSV")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    foreign = b"\n".join(text for text in raw.splitlines() if not text.isascii())[:SAMPLE_BYTES]
    best = from_bytes(foreign.rsplit(b"\n", 1)[0], cp_isolation=[*_CHINESE, "cp1252"]).best()
    if best is not None and best.encoding in _CHINESE:
        try:
            return raw.decode(best.encoding)
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
    raise InputError([InputFault(file, line, "", "is neither UTF-8 nor a Chinese encoding", "save it as UTF-8 CSV")])
