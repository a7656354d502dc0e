"""When to show the broker that we live, and when to conclude that it does not; pure.

paho's own keepalive waits for the answer to its ping, which stands behind everything that was sent before it: under a
backlog a healthy broker would be given up. Here any byte is a sign of life, and a broker is not judged while we do not
listen to it.
"""

from __future__ import annotations

from enum import Enum, auto

PING = b"\xc0\x00"
_NEVER_S = float("-inf")


class Beat(Enum):
    """What to do now."""

    REST = auto()
    PING = auto()
    GIVE_UP = auto()


class Pulse:
    """The keepalive of one connection; all times are seconds of one monotonic clock."""

    def __init__(self, silence_s: float, now_s: float) -> None:
        """``silence_s``: how long either side may be silent before we ping, and how long an answer may take."""
        self._silence_s = silence_s
        self._heard_s = now_s
        self._said_s = now_s
        self._pinged_s = _NEVER_S

    def heard(self, now_s: float) -> None:
        """The broker sent something, or we begin to listen again."""
        self._heard_s = now_s

    def said(self, now_s: float) -> None:
        """We sent something."""
        self._said_s = now_s

    def beat(self, now_s: float, *, listening: bool) -> Beat:
        """To be asked several times in every ``silence_s``; a ping counts as sent."""
        if not listening:
            self._heard_s = now_s
        asked = self._pinged_s > self._heard_s
        if asked and now_s - self._pinged_s >= self._silence_s:
            return Beat.GIVE_UP
        unheard = not asked and now_s - self._heard_s >= self._silence_s
        if unheard or now_s - self._said_s >= self._silence_s:
            self._said_s = self._pinged_s = now_s
            return Beat.PING
        return Beat.REST
