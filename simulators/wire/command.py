"""``python -m simulators fleet``: a fleet, its drivers and its field teams on real sockets."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from simulators.fleet import Fleet, Rates, build
from simulators.people import Habits
from simulators.wire.field import Field, Wishes
from simulators.wire.modbus.layout import berthed, lying
from simulators.wire.mqtt import Broker

if TYPE_CHECKING:
    from collections.abc import Sequence

OK, FAILED, BAD_USAGE = 0, 1, 2
MOST_PILES = 100_000
MOST_PORTS = 65_535


def main(argv: Sequence[str]) -> int:
    """Run the command; the result is the exit code: 0 done, 1 failed, 2 bad usage (argparse exits with 2 itself)."""
    parser = _parser()
    given = parser.parse_args(argv)
    rates = Rates(
        fault_rate=given.fault_rate,
        heartbeat_s=given.heartbeat,
        sessions_per_day=given.sessions,
        tempers=not given.well_behaved,
        keepalive_s=given.keepalive,
    )
    fleet = build(given.piles, given.seed, rates)
    if given.modbus_port is not None:
        try:
            fleet = berthed(fleet, given.modbus_port, apart=given.modbus_apart)
        except ValueError as error:
            parser.error(str(error))
    if given.write_fleet is not None:
        try:
            fleet.write(given.write_fleet)
        except OSError as error:
            print(f"cannot write the fleet file: {error}", file=sys.stderr)
            return BAD_USAGE
        if given.broker is None:
            return OK
    if given.broker is None:
        parser.error("--broker is needed (only --write-fleet alone can do without)")
    return _run(fleet, given)


def _run(fleet: Fleet, given: argparse.Namespace) -> int:
    wishes = Wishes(
        broker=given.broker,
        speed=given.speed,
        connections=given.connections,
        modbus_troubles=given.modbus_troubles,
        api=given.api,
        token=given.token,
        run_for_s=given.run_for,
        habits=Habits(complains=given.complains, background_per_day=given.background),
    )
    account = asyncio.run(_live(fleet, wishes))
    text = json.dumps(account, ensure_ascii=False)
    if given.stats is None:
        print(text, flush=True)
    else:
        try:
            given.stats.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            print(f"cannot write the account: {error}", file=sys.stderr)
            return FAILED
    if not account["connections"] and len(lying(fleet)) < len(fleet.entries):
        print(f"no connection to the broker at {given.broker.host}:{given.broker.port} was made", file=sys.stderr)
        return FAILED
    return OK


async def _live(fleet: Fleet, wishes: Wishes) -> dict[str, Any]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await Field(fleet, wishes).run(stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators fleet", description=__doc__)
    add = parser.add_argument
    add("--broker", type=_broker, metavar="URL", help="mqtt[s]://[user:password@]host[:port]")
    add("--piles", type=_count, default=40, metavar="N", help="number of piles (40)")
    add("--seed", type=int, default=1, metavar="S", help="seed of the fleet and of everything that happens (1)")
    add("--speed", type=_positive, default=1.0, metavar="X", help="simulated seconds per second (1)")
    add("--for", dest="run_for", type=_positive, metavar="SECONDS", help="end by itself after so many real seconds")
    add("--api", type=_http, metavar="URL", help="address of the daemon: drivers complain there, teams take its orders")
    add("--token", metavar="T", help="bearer token for the API")
    add("--write-fleet", type=Path, metavar="FILE.csv", help="write the fleet file, and teams.csv beside it")
    add(
        "--connections", type=_whole, default=0, metavar="N", help="share N connections (0: one each, with a last will)"
    )
    add("--modbus-port", type=_port, metavar="P", help="every fourth pile speaks Modbus, at this port and those above")
    add("--modbus-apart", action="store_true", help="each Modbus pile has a port of its own, not a unit of a gateway")
    add("--modbus-troubles", type=_share, default=0.0, metavar="SHARE", help="of requests that meet each trouble (0)")
    add("--stats", type=Path, metavar="FILE", help="write the true account there; else it is the last line of output")
    add("--heartbeat", type=_positive, default=60.0, metavar="SECONDS", help="telemetry interval, simulated (60)")
    add("--keepalive", type=_positive, default=60.0, metavar="SECONDS", help="until a lost pile is noticed (60)")
    add("--fault-rate", type=_rate, default=1.0, metavar="X", help="multiplies how often faults happen (1)")
    add("--sessions", type=_rate, default=8.0, metavar="X", help="drivers per connector and day (8)")
    add("--complains", type=_share, default=0.3, metavar="SHARE", help="of drivers who were let down (0.3)")
    add("--background", type=_rate, default=0.03, metavar="X", help="other complaints per pile and day (0.03)")
    add("--well-behaved", action="store_true", help="no device with a bad character")
    return parser


def _broker(text: str) -> Broker:
    try:
        return Broker.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    number = _whole(text)
    if not 1 <= number <= MOST_PILES:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {MOST_PILES}")
    return number


def _port(text: str) -> int:
    number = _whole(text)
    if not 1 <= number <= MOST_PORTS:
        raise argparse.ArgumentTypeError(f"{text} is no port, 1 to {MOST_PORTS}")
    return number


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def _rate(text: str) -> float:
    number = _number(text)
    if not 0.0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is below 0 or without bound")
    return number


def _positive(text: str) -> float:
    number = _rate(text)
    if number == 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _share(text: str) -> float:
    number = _rate(text)
    if number > 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _http(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is no http:// or https:// address")
    return text
