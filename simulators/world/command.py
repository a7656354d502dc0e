"""``python -m simulators world``: run one world, or many, and tell what came of them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace

from simulators.planted import PLANTED, planted
from simulators.world.daemon import seldom_collected
from simulators.world.outcome import Outcome, Script
from simulators.world.play import World


def main(argv: list[str]) -> int:
    """Run as told by ``argv``; 0 when every invariant held, 1 when one broke, 2 for a wrong call."""
    args = _parser().parse_args(argv)
    script = Script(
        piles=args.piles,
        days=args.days,
        seed=args.seed,
        crash_every=args.crash_every,
        faults=args.faults,
        plant=args.plant,
    )
    if args.seeds is None:
        return _one(script, as_json=args.json)
    first, last = args.seeds
    return _many(script, range(first, last + 1), as_json=args.json)


def run(script: Script) -> Outcome:
    """Play one world, with its planted bug if it has one."""
    with planted(script.plant), seldom_collected():
        world = World(script)
        outcome = world.play()
        world.scrap()
        return outcome


def _one(script: Script, *, as_json: bool) -> int:
    began = time.perf_counter()
    outcome = run(script)
    seconds = time.perf_counter() - began
    print(json.dumps(outcome.document(), ensure_ascii=False, indent=None if as_json else 2))
    if not as_json:
        print(f"{seconds:.1f} s", file=sys.stderr)
    return _verdict(outcome)


def _many(script: Script, seeds: range, *, as_json: bool) -> int:
    worst = 0
    if not as_json:
        print(f"{'seed':>6} {'s':>6} {'msgs':>8} {'kills':>5} {'inc':>5} {'orders':>6} {'compl':>6}  hash      broken")
    for seed in seeds:
        began = time.perf_counter()
        outcome = run(replace(script, seed=seed))
        seconds = time.perf_counter() - began
        print(json.dumps(outcome.document()) if as_json else _row(outcome, seconds), flush=True)
        worst = max(worst, _verdict(outcome))
    return worst


def _row(outcome: Outcome, seconds: float) -> str:
    counts = outcome.counts
    broken = " ".join(f"{law}×{count}" for law, count in outcome.laws.items()) or "-"
    incidents, orders = sum(counts["incidents"].values()), sum(counts["orders"].values())
    return (
        f"{outcome.script.seed:>6} {seconds:>6.1f} {counts['telemetry']:>8} {counts['kills']:>5} {incidents:>5} "
        f"{orders:>6} {counts['people_complained']:>6}  {outcome.hash[:8]}  {broken}"
    )


def _verdict(outcome: Outcome) -> int:
    if not outcome.violations:
        return 0
    print(f"broken: {outcome.violations[0]}", file=sys.stderr)
    print(f"replay: {outcome.script.replay()}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators world",
        description="A hostile world under virtual time around the real daemon, and auditors who watch it.",
    )
    parser.add_argument("--piles", type=int, default=50, help="how many piles")
    parser.add_argument("--days", type=float, default=1.0, help="days of faults; a quiet half day follows")
    parser.add_argument("--seed", type=int, default=1, help="decides everything that chance decides")
    parser.add_argument("--seeds", type=_range, metavar="A..B", help="run several seeds, one line each")
    parser.add_argument("--crash-every", type=int, default=0, metavar="N", help="one kill per N messages on average")
    parser.add_argument("--faults", type=float, default=1.0, metavar="X", help="X times the catalogue's hazards")
    parser.add_argument("--plant", choices=sorted(PLANTED), help="run with this bug planted; it has to be caught")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def _range(text: str) -> tuple[int, int]:
    first, dots, last = text.partition("..")
    try:
        return int(first), int(last if dots else first)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds such as 1..20") from error
