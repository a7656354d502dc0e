"""Measure everything and print one table; exit 1 when a goal is missed by more than the noise of a shared machine.

``python -m tests.benchmarks [--runs 3] [--only engine|daemon|restart|modbus …]``
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from tests.benchmarks import bench_daemon, bench_engine, bench_modbus, bench_restart
from tests.benchmarks.figures import NOISE, Figure, best, table

BENCHES: dict[str, Callable[[], Sequence[Figure]]] = {
    "engine": bench_engine.figures,
    "daemon": bench_daemon.figures,
    "restart": bench_restart.figures,
    "modbus": bench_modbus.figures,
}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="each figure is the best of so many runs")
    parser.add_argument("--only", choices=BENCHES, action="append")
    options = parser.parse_args()
    figures: list[Figure] = []
    for name in options.only or BENCHES:
        print(f"measuring: {name}, best of {options.runs}", file=sys.stderr, flush=True)
        figures += best(options.runs, BENCHES[name])
    missed = [figure for figure in figures if figure.shortfall > NOISE]
    print(table(figures))
    print(
        f"\nBest of {options.runs}; {os.cpu_count()} cores, load is the machine's load average while measuring. A goal"
        f"\nmissed by up to {NOISE:g} times is slow, for other work on the machine does that; beyond it is a failure."
    )
    for figure in missed:
        print(f"missed: {figure.name}: {figure.value:,.2f} {figure.unit}, goal {figure.goal:,}", file=sys.stderr)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
