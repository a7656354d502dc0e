"""The commands. They parse and print; what they start is made elsewhere.

Exit codes: 0 done, 1 failed, 2 bad usage, configuration or input.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from triage.cli_profile import profile_app
from triage.errors import InputError, TriageError

FAILED, BAD_INPUT = 1, 2

app = typer.Typer(
    name="triage",
    help="Joins what charging piles report with what drivers complain about, and recovers them with proof.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
fleet_app = typer.Typer(help="The fleet file.", no_args_is_help=True)
audit_app = typer.Typer(help="The journal's hash chain.", no_args_is_help=True)
app.add_typer(fleet_app, name="fleet")
app.add_typer(audit_app, name="audit")
app.add_typer(profile_app, name="profile")

Config = Annotated[Path, typer.Option("--config", help="The settings file.", show_default=True)]
DEFAULT_CONFIG = Path("config/triage.yaml")


def main() -> None:
    """Run the command line; every error on purpose ends with one readable message and its exit code."""
    try:
        app()
    except InputError as error:
        _fail(BAD_INPUT, *[str(fault) for fault in error.faults])
    except TriageError as error:
        _fail(FAILED, str(error))
    except OSError as error:
        _fail(FAILED, f"{error.filename or ''} {error.strerror or error}".strip())


def _fail(code: int, *lines: str) -> NoReturn:
    for line in lines:
        print(line, file=sys.stderr)
    raise SystemExit(code)


def _run(work: Any) -> Any:
    """Run a coroutine on the fastest loop there is."""
    try:
        import uvloop
    except ImportError:  # a platform uvloop does not support; the standard loop does the same, slower
        return asyncio.run(work)
    return uvloop.run(work)


@app.command()
def serve(
    config: Config = DEFAULT_CONFIG,
    log_level: Annotated[str, typer.Option(help="debug, info, warning, error")] = "info",
    log_console: Annotated[bool, typer.Option("--log-console", help="Log for a person's eyes, not as JSON.")] = False,
) -> None:
    """Run the daemon. SIGTERM stops it cleanly; SIGHUP reads plans, profiles, words, fault tables and fleet again."""
    from triage.daemon import serve as serve_daemon
    from triage.logs import configure

    configure(log_level, json=not log_console)
    _run(serve_daemon(config, os.environ))


@app.command("demo")
def demo_command(
    piles: Annotated[int, typer.Option(min=1, max=2000)] = 40,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="Simulated seconds per second.")] = 30,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the console; 0 takes a free one.")] = 8080,
    seed: Annotated[int, typer.Option()] = 1,
    run_for: Annotated[float | None, typer.Option("--for", min=1, help="End by itself after so many seconds.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object on the last line.")
    ] = False,
) -> None:
    """A whole operation on this machine: broker, database, simulated fleet, drivers, field team, daemon and console."""
    from triage import demo
    from triage.logs import configure

    configure("warning", json=False)
    wishes = demo.Wishes(piles=piles, speed=speed, port=port, seed=seed, run_for_s=run_for, json=json)
    raise SystemExit(_run(demo.run(wishes)))


@app.command()
def check(config: Config = DEFAULT_CONFIG) -> None:
    """Validate settings, fleet, plans, profiles, words and fault tables; list ALL faults."""
    from triage.config.check import check as check_everything

    faults = check_everything(config, os.environ)
    if faults:
        _fail(BAD_INPUT, *[str(fault) for fault in faults], f"{len(faults)} fault(s)")
    print(f"{config}: all is well")


@app.command()
def migrate(config: Config = DEFAULT_CONFIG) -> None:
    """Bring the database to the newest schema."""
    from triage.config.settings import load_settings
    from triage.storage.sql import SqlStore

    settings = load_settings(config, os.environ)

    async def work() -> None:
        store = SqlStore(settings.database.url)
        try:
            await store.migrate()
        finally:
            await store.close()

    _run(work())
    print("the database has the newest schema")


@app.command()
def classify(
    text: Annotated[str | None, typer.Argument(help="One complaint's text.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Show how a complaint's text is read, and why."""
    from triage.config.lexiconfile import load_lexicon
    from triage.config.settings import load_settings
    from triage.core.classify import classify as read_text

    if text is None:
        _fail(BAD_INPUT, 'give a text: triage classify "the screen is black"')
    settings = load_settings(config, os.environ)
    reading = read_text(text, load_lexicon(settings.lexicon_path))
    safety = "SAFETY" if reading.safety else "-"
    print(f"{reading.category}\t{reading.symptom}\t{safety}\t{', '.join(reading.labels)}\t{reading.why}")


@fleet_app.command("import")
def fleet_import(
    file: Annotated[Path, typer.Argument(help="The CSV file; teams.csv beside it is taken along.")],
    config: Config = DEFAULT_CONFIG,
    replace: Annotated[bool, typer.Option("--replace", help="The file is the whole fleet; others leave.")] = False,
) -> None:
    """Take regions, sites, piles, connectors and teams into the fleet file: every bad row is named, all or nothing."""
    from triage import enrolment
    from triage.config.settings import load_settings

    settings = load_settings(config, os.environ)
    outcome = enrolment.take(file, settings.fleet_path, settings.teams_path, replace=replace)
    print(outcome)


@audit_app.command("verify")
def audit_verify(config: Config = DEFAULT_CONFIG) -> None:
    """Walk the journal's hash chain and name the first record that does not fit."""
    from triage import audit
    from triage.config.settings import load_settings

    settings = load_settings(config, os.environ)
    fault, text = _run(audit.verify(settings.database.url))
    if fault:
        _fail(FAILED, text)
    print(text)


@app.command(hidden=True)
def tables(document: Annotated[Path, typer.Argument()] = Path("DESIGN.md")) -> None:
    """Draw the state tables of the code into DESIGN.md."""
    from triage.core.lifetables import write_into

    write_into(document)
