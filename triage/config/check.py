"""Everything an operator wrote, checked at once: every fault of every file, so that one look mends them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from triage.config.faultfile import load_fault_table
from triage.config.fleetfile import load_fleet, load_teams
from triage.config.lexiconfile import load_lexicon
from triage.config.planfile import load_plans
from triage.config.profile.file import Profile, load_profiles
from triage.config.settings import FILES, Settings, load_settings, placed
from triage.config.yamlfile import read_document
from triage.core.classify import Lexicon
from triage.core.faults import FaultTable
from triage.core.plan import PlanBook
from triage.errors import InputError, InputFault

Loaded = TypeVar("Loaded")


def check(path: Path, environ: Mapping[str, str]) -> list[InputFault]:
    """All faults of the settings at ``path`` and of every file they name; empty when all is well.

    The files are checked even when the settings are faulty, as far as their names can be read.
    """
    faults: list[InputFault] = []
    settings = _tried(faults, lambda: load_settings(path, environ))
    files = _files(path, settings)
    lexicon = _tried(faults, lambda: load_lexicon(Path(files["lexicon"])))
    table = _tried(faults, lambda: load_fault_table(Path(files["faults"]), lexicon or Lexicon()))
    book = _tried(faults, lambda: load_plans(Path(files["plans"])))
    if table is not None and book is not None:
        faults.extend(unknown_fault_names(book, table, Path(files["plans"])))
    names = None if table is None else table.names()
    profiles = _tried(faults, lambda: load_profiles(Path(files["profiles"]), names))
    _check_fleet(files, faults, profiles)
    return faults


def unknown_fault_names(book: PlanBook, table: FaultTable, folder: Path) -> list[InputFault]:
    """Plans that wait for a fault no table knows, or for one of another family; they would never be chosen."""
    faults: list[InputFault] = []
    for plan in book.plans:
        document = read_document(folder / f"{plan.name}.yaml")
        for index, name in enumerate(plan.faults):
            at = ("match", "faults", index)
            entry = table.entry(name)
            if entry is None:
                faults.append(document.fault(at, f"no fault table knows {name!r}", "use a name of the fault tables"))
            elif entry.family not in plan.families:
                problem = f"{name} is of family {entry.family}, which the plan does not match"
                faults.append(document.fault(at, problem, "add the family, or leave the fault out"))
    return faults


def _check_fleet(files: Mapping[str, str], faults: list[InputFault], profiles: Mapping[str, Profile] | None) -> None:
    fleet, named = Path(files["fleet"]), files.get("teams")
    teams_path = Path(named) if named else fleet.with_name("teams.csv")
    known: set[str] | None = None
    if named or teams_path.exists():
        teams = _tried(faults, lambda: load_teams(teams_path))
        known = None if teams is None else {team.team for team in teams}
    _tried(faults, lambda: load_fleet(fleet, known, profiles))


def _files(path: Path, settings: Settings | None) -> dict[str, str]:
    """The files the settings name; when the settings cannot be taken, what their text says, else the defaults."""
    if settings is not None:
        return {name: value for name in FILES if (value := getattr(settings, name)) is not None}
    named: dict[str, Any] = {name: Settings.model_fields[name].default for name in FILES}
    try:
        data = read_document(path).data
    except InputError:
        data = None
    if isinstance(data, dict):
        named |= {name: data[name] for name in FILES if isinstance(data.get(name), str)}
    return placed(named, path.parent)


def _tried(faults: list[InputFault], load: Callable[[], Loaded]) -> Loaded | None:
    try:
        return load()
    except InputError as error:
        faults.extend(error.faults)
        return None
