"""Faults that a device raises and clears as events; which of them are active is remembered here.

What tells one from another, its key, stands in the claim's text between guillemets. So the core's own record of a claim
is enough to recognise it after a restart, when the device says no more than that this key is cleared.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from triage.core.events import FaultClaim
from triage.drivers.profiles.values import visible

ACTIVE_LIMIT = 64
CODE_CHARS = 64
KEY_CHARS = 120
INFO_CHARS = 500

_DIGEST_CHARS = 12
_TAGGED = re.compile(rf"«([^»]{{1,{KEY_CHARS}}})»")


def tidy_key(key: str) -> str:
    """``key`` as it stands in a claim: printable, without guillemets, and short; long ones end in their digest."""
    shown = visible(key).replace("«", "‹").replace("»", "›")
    if len(shown) <= KEY_CHARS:
        return shown or "-"
    digest = hashlib.sha256(shown.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{shown[: KEY_CHARS - _DIGEST_CHARS - 1]}~{digest}"


def event_claim(key: str, code: str, text: str, connector: int, names: Mapping[str, str]) -> FaultClaim:
    """The claim of one event; ``names`` is the profile's table of codes, and what it does not hold stays as it is."""
    name = names.get(code, "unknown")
    known = name != "unknown"
    said = f"{code}: {text}" if known and text else (code if known else text)
    info = f"«{tidy_key(key)}» {visible(said)}".rstrip()
    return FaultClaim(
        code=name if known else visible(code)[:CODE_CHARS] or "unnamed", connector=connector, info=info[:INFO_CHARS]
    )


def key_of(claim: FaultClaim) -> str | None:
    """The (tidied) key of a claim that an event raised; None for every other claim."""
    found = _TAGGED.match(claim.info)
    return None if found is None else found.group(1)


class ActiveFaults:
    """The faults of one pile that events raised and none has cleared. Bounded; the oldest gives way."""

    def __init__(self) -> None:
        """None is known."""
        self._claims: dict[str, FaultClaim] = {}
        self.dropped = 0

    def seed(self, claims: Iterable[FaultClaim]) -> None:
        """Take up what the core knows; what was heard since is newer."""
        for claim in claims:
            key = key_of(claim)
            if key is not None and key not in self._claims:
                self._put(key, claim)

    def raised(self, key: str, claim: FaultClaim) -> None:
        """An event raised ``claim``."""
        self._put(tidy_key(key), claim)

    def cleared(self, key: str) -> None:
        """An event cleared the fault of this key, if it was active at all."""
        self._claims.pop(tidy_key(key), None)

    def listed(self, claims: Iterable[tuple[str, FaultClaim]]) -> None:
        """The device listed all its active faults: nothing else is active."""
        self._claims.clear()
        for key, claim in claims:
            self._put(tidy_key(key), claim)

    def claims(self) -> tuple[FaultClaim, ...]:
        """Every active fault, the oldest first."""
        return tuple(self._claims.values())

    def _put(self, key: str, claim: FaultClaim) -> None:
        self._claims.pop(key, None)
        if len(self._claims) >= ACTIVE_LIMIT:
            self._claims.pop(next(iter(self._claims)))
            self.dropped += 1
        self._claims[key] = claim
