"""``python -m simulators drill PLAN --scenario FILE``: play one recovery plan against one pile, and judge it.

Exit codes: 0 everything was as the scenario expects, 1 something was not, 2 bad usage or input.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

BAD_INPUT = 2


def main(argv: list[str]) -> int:
    """Drill as told by ``argv``; the result is the exit code."""
    args = _parser().parse_args(argv)
    from simulators.world import drill  # noqa: PLC0415 - needs the whole daemon, and the other commands do not

    try:
        passed = drill.run(args.plan, args.scenario, config=args.config, as_json=args.json)
    except drill.InputError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return BAD_INPUT
    return 0 if passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators drill", description="One recovery plan against one simulated pile, in virtual time."
    )
    parser.add_argument("plan", type=Path, help="the plan's file")
    parser.add_argument("--scenario", type=Path, required=True, help="what is broken, and what is expected")
    parser.add_argument("--config", type=Path, help="settings whose policy, words and fault tables are used")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser
