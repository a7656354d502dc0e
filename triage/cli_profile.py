"""The commands ``triage profile …``: try a profile out before it is trusted."""

from __future__ import annotations

import asyncio
import json as json_text
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from triage.errors import InputError, InputFault

profile_app = typer.Typer(help="Device profiles: what they say, and what a live device says.", no_args_is_help=True)

FAILED = 1

Config = Annotated[Path, typer.Option("--config", help="The settings file.", show_default=True)]
Named = Annotated[str, typer.Argument(metavar="PROFILE", help="A name in the profiles folder, or a YAML file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Count = Annotated[int | None, typer.Option("--connectors", min=1, max=64, help="How many connectors it has.")]
DEFAULT_CONFIG = Path("config/triage.yaml")


@profile_app.command("list")
def list_command(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Every profile there is: vendor, models, transport, actions, and how much of it nobody has checked."""
    from triage.workbench import pages
    from triage.workbench.folder import open_shelf

    found = open_shelf(config, os.environ).all().values()
    if json:
        _print_json(
            [
                {
                    "profile": each.profile,
                    "vendor": each.vendor,
                    "models": each.models,
                    "transport": each.transport,
                    "kind": each.kind,
                    "actions": list(each.actions.given()),
                    "doubts": len(each.doubts()),
                }
                for each in found
            ]
        )
        return
    _print(pages.profiles(found))


@profile_app.command()
def explain(profile: Named, config: Config = DEFAULT_CONFIG, connectors: Count = None, json: Json = False) -> None:
    """What a profile maps, asks and can do, what it cannot do, and what of it nobody has checked."""
    from triage.workbench import pages
    from triage.workbench.explanation import explain as told
    from triage.workbench.folder import open_shelf

    shelf = open_shelf(config, os.environ, profile)
    explanation = told(shelf.profile(profile), shelf.table, connectors)
    if json:
        _print_json(explanation)
    else:
        _print(pages.explanation(explanation))


@profile_app.command()
def read(
    profile: Named,
    *,
    host: Annotated[str | None, typer.Option(help="Modbus: HOST or HOST:PORT.")] = None,
    unit: Annotated[
        int | None, typer.Option(min=0, max=255, help="As the fleet file's column, else the profile's.")
    ] = None,
    broker: Annotated[str | None, typer.Option(help="MQTT: mqtt://HOST:PORT, else the settings'.")] = None,
    device: Annotated[str | None, typer.Option(help="MQTT: what the fleet file's endpoint says.")] = None,
    listen_s: Annotated[float, typer.Option("--for", min=0.1, max=3600, help="MQTT: seconds to listen.")] = 10,
    ask: Annotated[bool, typer.Option("--ask", help="MQTT: first publish the profile's question.")] = False,
    connectors: Count = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Print every value of a live device, and what it means. No value of it is changed.

    Exit code 1: it cannot be reached, it is not the model, or it says what cannot be.
    """
    from triage.workbench import reportpage
    from triage.workbench.folder import open_shelf

    shelf = open_shelf(config, os.environ, profile)
    chosen = shelf.profile(profile)
    if chosen.modbus is not None:
        from triage.workbench.reading import read as look

        if host is None:
            raise InputError([InputFault("--host", None, "", "this profile speaks Modbus", "name its address")])
        report = asyncio.run(look(chosen, host, unit=unit, connectors=connectors, table=shelf.table))
    else:
        from triage.workbench.listening import Wish, listen

        wish = Wish(device=device, broker=broker, for_s=listen_s, ask=ask, first=unit, connectors=connectors)
        report = asyncio.run(listen(chosen, shelf, wish))
    if json:
        _print_json(report)
    else:
        _print(reportpage.report(report))
    if not report.ok:
        raise SystemExit(FAILED)


@profile_app.command("faults")
def faults_command(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """The canonical names of faults, for the tables of a profile, with what may follow them."""
    from triage.workbench import pages
    from triage.workbench.folder import open_shelf

    table = open_shelf(config, os.environ).table
    if table is None:
        return
    if json:
        _print_json([table.entry(name) for name in table.names()])
    else:
        _print(pages.faults(table))


@profile_app.command()
def keys(
    document: Annotated[
        Path | None, typer.Argument(help="Write the tables into this file, between their marks.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the JSON Schema, for editors.")] = False,
) -> None:
    """Every key a profile may have, with default and meaning."""
    from triage.config.profile.reference import put_into, reference, schema

    if json:
        _print_json(schema())
    elif document is None:
        print(reference())
    else:
        document.write_text(put_into(document.read_text(encoding="utf-8")), encoding="utf-8")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _print_json(document: Any) -> None:
    print(json_text.dumps(msgspec.to_builtins(document), ensure_ascii=False, indent=2))
