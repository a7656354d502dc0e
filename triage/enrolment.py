"""Taking piles into the fleet file: read whole, checked whole, written whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from triage.config.fleetfile import FLEET_OPTIONAL, FLEET_REQUIRED, TEAM_COLUMNS, Team, load_fleet, load_teams
from triage.core.events import Registration


def take(source: Path, fleet: Path, teams: Path, *, replace: bool = False) -> str:
    """Add the piles of ``source`` to the file ``fleet``, and the teams beside it to ``teams``; says what changed.

    A pile that is there already gets the new row. With ``replace`` the source is the whole fleet.

    Raises:
        InputError: every fault of every row; nothing is written then.
    """
    beside = source.with_name("teams.csv")
    old_teams = {each.team: each for each in load_teams(teams)} if teams.exists() else {}
    new_teams = {each.team: each for each in load_teams(beside)} if beside.exists() else {}
    all_teams = old_teams | new_teams
    new = {each.pile: each for each in load_fleet(source, set(all_teams) or None)}
    old = {each.pile: each for each in load_fleet(fleet, None)} if fleet.exists() else {}
    whole = new if replace else old | new
    if all_teams:
        _write(teams, TEAM_COLUMNS, [_team_row(each) for each in all_teams.values()])
    _write(fleet, (*FLEET_REQUIRED, *FLEET_OPTIONAL), [_pile_row(each) for each in whole.values()])
    added = len(new.keys() - old.keys())
    changed = sum(old[pile] != new[pile] for pile in new.keys() & old.keys())
    removed = len(old.keys() - whole.keys())
    sites = len({each.site for each in whole.values()})
    return (
        f"{fleet}: {added} added, {changed} changed, {removed} removed; "
        f"{len(whole)} piles on {sites} sites, {len(all_teams)} teams. A running daemon takes it over at SIGHUP."
    )


def _pile_row(pile: Registration) -> list[str]:
    return [
        pile.region,
        pile.site,
        pile.pile,
        pile.profile,
        pile.model,
        str(pile.connectors),
        pile.endpoint,
        "" if pile.unit is None else str(pile.unit),
        pile.team,
        pile.power_switch,
        pile.address,
        "" if pile.latitude is None else repr(pile.latitude),
        "" if pile.longitude is None else repr(pile.longitude),
        ";".join(pile.tags),
    ]


def _team_row(team: Team) -> list[str]:
    return [team.team, team.region, team.language, team.calendar, team.contact]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write beside it, then rename: a reader sees the old file or the new one, never half of it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    draft = path.with_name(path.name + ".new")
    draft.write_text(text.getvalue(), encoding="utf-8")
    draft.replace(path)
