"""Keys of a profile's tables: what stands left of the colon, as the value that it matches."""

from __future__ import annotations

import re

_HEX = re.compile(r"[-+]?0[xX][0-9A-Fa-f]{1,16}\Z")


def plain_key(key: str) -> str:
    """``key`` as values are written: ``0x4000`` is ``16384``; everything else is itself."""
    return str(int(key, 16)) if _HEX.match(key) else key
