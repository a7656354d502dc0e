"""``python -m simulators COMMAND``: the simulated field and what is built on it.

Each command is a module with ``main(argv) -> int``; it is loaded only when it is asked for, because a world needs far
more than a fleet does.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

COMMANDS = {
    "fleet": ("simulators.wire.command", "piles, drivers and field teams on real sockets"),
    "world": ("simulators.world", "a whole world under virtual time"),
    "league": ("simulators.world_league", "the same worlds under several strategies, side by side"),
}
BAD_USAGE = 2


def main(argv: list[str]) -> int:
    """Run the command named first; the result is the exit code."""
    offered = {name: entry for name, entry in COMMANDS.items() if find_spec(entry[0]) is not None}
    usage = "usage: python -m simulators COMMAND [options]\n" + "".join(
        f"  {name:8} {what}\n" for name, (_, what) in offered.items()
    )
    if argv[:1] in (["-h"], ["--help"]):
        print(usage, end="")
        return 0
    if not argv or argv[0] not in offered:
        print(usage, end="", file=sys.stderr)
        return BAD_USAGE
    result: int = import_module(offered[argv[0]][0]).main(argv[1:])
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
