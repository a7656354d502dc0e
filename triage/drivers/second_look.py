"""The second lock on danger: an independent look at the newest raw readings, just before a command leaves.

It shares no code with the core's gates and asks less: only what the devices themselves said on the present connection.
Unknown never permits. It can only refuse; what it lets pass, the core had already decided.

One exception to freshness: for an application that is silent on a live link, the core may set ``args["silent_ok"]`` to
``"1"`` on a soft or hard reset. Silence is then the very fault to be cured, so age alone does not refuse, provided that
the last look of this connection showed no session and no danger.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from triage.core.effects import Command
from triage.core.events import FaultClaim, PileStatus, Reading, Telemetry
from triage.core.vocabulary import Action, ConnectorStatus
from triage.drivers.danger import is_dangerous

PILES_LIMIT = 262_144
CONNECTORS_LIMIT = 64
NEVER_S = float("-inf")
ENERGISED_W = 200.0
ENERGISED_A = 2.0

_RESTARTS = (Action.RESET_SOFT, Action.RESET_HARD, Action.POWER_CYCLE)
_NATURAL = (Action.REPORT, Action.PULL_LOG, Action.SET_AVAILABILITY)
_BUSY = (ConnectorStatus.CHARGING, ConnectorStatus.SUSPENDED_EV, ConnectorStatus.SUSPENDED_EVSE)


class Seen(Struct):
    """What one pile said on this connection; monotonic seconds of receipt, None for never."""

    at_s: float | None = None
    booted_s: float | None = None
    online: bool | None = None
    connectors: dict[int, tuple[float, Reading]] = {}
    faults: tuple[FaultClaim, ...] = ()


class SecondLook:
    """Remembers the newest raw look at each pile, and refuses what that look does not permit."""

    def __init__(self, fresh_s: float, settle_s: float = 0.0, limit: int = PILES_LIMIT) -> None:
        """Readings older than ``fresh_s`` prove nothing.

        Neither does what arrives within ``settle_s`` after a session was resumed: the broker first hands over what it
        had queued, in order, so an old reading can look new.
        """
        self._fresh_s = fresh_s
        self._settle_s = settle_s
        self._limit = limit
        self._connected = False
        self._settled_at_s = 0.0
        self._seen: dict[str, Seen] = {}

    def connected(self, now_s: float, *, resumed: bool) -> None:
        """A connection began: everything seen before it is forgotten."""
        self._seen.clear()
        self._connected = True
        self._settled_at_s = now_s + (self._settle_s if resumed else 0.0)

    def disconnected(self) -> None:
        """The connection is gone; nothing may be sent, and nothing known of it holds."""
        self._seen.clear()
        self._connected = False

    def telemetry(self, event: Telemetry, now_s: float) -> None:
        """Note a reading. Retained ones are history and count for nothing."""
        if event.retained:
            return
        seen = self._of(event.pile)
        settled = now_s >= self._settled_at_s
        if settled:
            seen.at_s = now_s
        if seen.online is False:
            seen.online = True  # a will that came late: the pile talks
        if len(seen.connectors) > CONNECTORS_LIMIT:
            seen.connectors.clear()
        for reading in event.readings:
            seen.connectors[reading.connector] = (now_s if settled else NEVER_S, reading)
        seen.faults = event.faults

    def status(self, event: PileStatus, now_s: float) -> None:
        """Note a birth or a last will; a retained one still says whether the pile is there."""
        seen = self._of(event.pile)
        seen.online = event.online
        if event.online and not event.retained:
            seen.booted_s = now_s

    def _of(self, pile: str) -> Seen:
        seen = self._seen.get(pile)
        if seen is None:
            if len(self._seen) >= self._limit:
                self._seen.pop(next(iter(self._seen)))  # forgotten is unknown, and unknown refuses
            seen = self._seen[pile] = Seen()
        return seen

    def refuse(self, command: Command, now: datetime, now_s: float) -> str | None:
        """Why ``command`` must not leave, or None when nothing speaks against it."""
        if not self._connected:
            return "not_connected"
        if now >= command.expires_at:
            return "expired"
        if command.action in _NATURAL:
            return None
        seen = self._seen.get(command.pile)
        if seen is None or seen.at_s is None:
            return "not_seen_on_this_connection"
        if seen.online is False:
            return "pile_offline"
        return self._stale(command, seen, now_s) or _danger(seen) or _occupied(command, seen)

    def _stale(self, command: Command, seen: Seen, now_s: float) -> str | None:
        """Freshness of the look, and of each connector the command touches."""
        if command.args.get("silent_ok") == "1" and command.action in (Action.RESET_SOFT, Action.RESET_HARD):
            return None
        oldest = min([seen.at_s or 0.0, *(at for at, _ in _touched(command, seen))])
        if now_s - oldest > self._fresh_s:
            return "stale"
        if seen.booted_s is not None and oldest < seen.booted_s:
            return "rebooted_since_reading"
        return None


def _touched(command: Command, seen: Seen) -> list[tuple[float, Reading]]:
    """The connectors a command interrupts: all of them for a restart or for connector 0."""
    if command.action in _RESTARTS or command.connector == 0:
        return list(seen.connectors.values())
    found = seen.connectors.get(command.connector)
    return [] if found is None else [found]


def _danger(seen: Seen) -> str | None:
    for claim in seen.faults:
        if is_dangerous(claim.code, claim.info):
            return "dangerous_fault"
    return None


def _occupied(command: Command, seen: Seen) -> str | None:
    """Whether somebody charges, or may be charging, on a connector the command interrupts."""
    if command.action is Action.STOP_SESSION:
        return None
    touched = _touched(command, seen)
    if not touched:
        return "connectors_unknown"
    for _, reading in touched:
        reason = _busy(reading)
        if reason is not None:
            return reason
    return None


def _busy(reading: Reading) -> str | None:
    if reading.status is None:
        return "status_unknown"
    if reading.status in _BUSY:
        return "charging"
    if not reading.session_known:
        return "session_unknown"
    if reading.session is not None:
        return "session_live"
    # A contactor that welded, or a session nobody reported: current flows all the same.
    if abs(reading.power_w or 0.0) > ENERGISED_W or abs(reading.current_a or 0.0) > ENERGISED_A:
        return "energised"
    return None
