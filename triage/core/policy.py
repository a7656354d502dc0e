"""The numbers an operator may choose. Durations are in seconds; the defaults say where they come from.

``faster`` divides every duration by ``speed``, for demo, drills and tests; counts and shares stay.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct, structs

from triage.core.vocabulary import Family, Mode


def _holds() -> dict[Family, float]:
    # Devices clear many faults by themselves (GFCI retries every 15 min, soft faults within a minute or two): the
    # self-clear window comes before any action. Safety and damage have none: a person is sent at once.
    return {
        Family.SAFETY: 0,
        Family.DAMAGE: 0,
        Family.HARDWARE: 300,
        Family.INTERNAL: 120,
        Family.UNRESPONSIVE: 120,
        Family.OFFLINE: 300,
        Family.CONNECTOR_LOCK: 120,
        Family.SESSION_STUCK: 0,  # the stuck threshold is the hold
        Family.THERMAL: 900,
        Family.SUPPLY: 900,
        Family.USER_SIDE: 900,
        Family.FLAPPING: 0,  # counted over a window already
        Family.REPORTED: 60,
        Family.UNKNOWN: 300,
    }


LEAST_TTL_S = 3.0


class Policy(Struct, frozen=True, kw_only=True):
    """Thresholds, holds, budgets and clocks."""

    mode: Mode = Mode.SHADOW
    speed: float = 1.0
    hold_s: dict[Family, float] = {}  # families named here override the defaults
    # Link and application. Two heartbeats and a margin make a pile silent (two missed heartbeats are the usual rule).
    heartbeat_s: float = 60
    silent_after_s: float = 180
    fresh_s: float = 150
    stuck_after_s: float = 900
    flap_window_s: float = 1800
    flap_count: int = 6
    sample_interval_s: float = 900
    history_keep_s: float = 7_776_000  # 90 days of state history
    # Attempts.
    command_ttl_s: float = 60
    boot_window_s: float = 300
    soak_s: float = 120
    reopen_s: float = 1800
    approval_s: float = 3600
    held_max_s: float = 14_400
    retry_look_s: float = 60
    # Limits (spacing and strikes follow the practice of protective devices: 15 min, at most 4 tries).
    cool_s: float = 900
    spacing_s: float = 600
    resets_per_incident: int = 2
    resets_per_pile_day: int = 3
    day_s: float = 86_400
    site_parallel_share: float = 0.1
    fleet_per_window: int = 10
    fleet_window_s: float = 60
    fleet_hour_share: float = 0.01
    fleet_hour_floor: int = 10
    hour_s: float = 3600
    minimum_available: int = 0
    outage_share: float = 0.5
    outage_least: int = 4
    outage_window_s: float = 600
    breaker_window_s: float = 600
    breaker_least: int = 6
    breaker_failed_share: float = 0.5
    # People.
    desk_s: float = 1800
    callback_s: float = 86_400
    callback_reminders: int = 2
    complaint_window_s: float = 7200
    independent_complaints: int = 2
    # Field.
    accept_s: float = 1800
    accept_emergency_s: float = 300
    on_site_s: float = 86_400
    on_site_emergency_s: float = 7200
    proof_s: float = 1800

    def hold(self, family: Family) -> timedelta:
        """How long a condition of ``family`` must last before it is acted on (already sped up)."""
        return timedelta(seconds=self.hold_s[family])

    def span(self, name: str) -> timedelta:
        """The duration setting ``name`` (without ``_s``) as a timedelta."""
        return timedelta(seconds=getattr(self, f"{name}_s"))

    def faster(self) -> Policy:
        """The same policy with every duration divided by ``speed``, holds filled in. Call it once, at the edge."""
        spans = {
            field: getattr(self, field) / self.speed
            for field in self.__struct_fields__
            if field.endswith("_s") and field != "hold_s"
        }
        # A command's way does not get shorter: below this a slow link would refuse them all.
        spans["command_ttl_s"] = max(spans["command_ttl_s"], min(self.command_ttl_s, LEAST_TTL_S))
        holds = {family: seconds / self.speed for family, seconds in (_holds() | self.hold_s).items()}
        return structs.replace(self, hold_s=holds, **spans)
