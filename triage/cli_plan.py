"""The commands ``triage plan …``: look over a recovery plan, and drill it before it may act."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from triage.drills import Played

plan_app = typer.Typer(help="Recovery plans: lint one, drill one.", no_args_is_help=True)

FAILED, BAD_INPUT = 1, 2

PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan's file.")]


@plan_app.command()
def lint(
    plan: PlanFile,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings whose fault tables and other plans it has to fit.")
    ] = None,
) -> None:
    """Look one plan over: every finding with its line, and what should be mended soon. Exit code 2: it may not run."""
    from triage.config.check import check_plan
    from triage.config.planfile import load_plan, plan_warnings
    from triage.config.settings import load_settings
    from triage.errors import InputError

    found = load_plan(plan)
    faults = [] if config is None else check_plan(plan, load_settings(config, os.environ))
    if faults:
        raise InputError(faults)
    for warning in plan_warnings(plan, datetime.now(UTC).date()):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{plan}: {found.name} v{found.version}, {len(found.steps)} steps, all is well  sha256 {found.sha256}")


@plan_app.command("test")
def drill_command(
    plan: PlanFile,
    *,
    scenario: Annotated[Path, typer.Option("--scenario", help="What is broken, and what is expected.")],
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings whose policy, words and fault tables are used.")
    ] = None,
    record_in: Annotated[
        Path | None, typer.Option("--record-in", help="Settings whose database remembers the drill.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Drill a plan against a simulated pile in virtual time, and print what was decided and why.

    Exit code 1: something was not as the scenario expects.
    """
    from triage import drills

    played = asyncio.run(drills.play(plan, scenario, config, as_json=json))
    print(played.output, end="")
    print(played.faults, end="", file=sys.stderr)
    if played.code != BAD_INPUT and record_in is not None:
        _record(record_in, plan, scenario, played)
    if played.code:
        raise SystemExit(played.code)


def _record(config: Path, plan: Path, scenario: Path, played: Played) -> None:
    from triage import drills
    from triage.config.planfile import load_plan
    from triage.config.settings import load_settings

    url = load_settings(config, os.environ).database.url
    asyncio.run(drills.record(url, load_plan(plan), scenario, played, datetime.now(UTC), _who()))


def _who() -> str:
    """Who drills, as the system knows them; a system without names knows nobody."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
