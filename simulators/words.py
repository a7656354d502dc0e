"""The words the simulated field speaks: the native dialect's values, written down a second time.

They repeat what the daemon has on purpose. Were both ends to share one list, a wrong value would be wrong on both ends
and nobody would notice.
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Status of a connector, after OCPP 1.6."""

    AVAILABLE = "available"
    PREPARING = "preparing"
    CHARGING = "charging"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"
    FINISHING = "finishing"
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"


class BootReason(StrEnum):
    """Why the controller last started."""

    POWER_UP = "power_up"
    REMOTE_RESET = "remote_reset"
    LOCAL_RESET = "local_reset"
    WATCHDOG = "watchdog"
    FIRMWARE_UPDATE = "firmware_update"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What a pile can be told to do."""

    REPORT = "report"
    STOP_SESSION = "stop_session"
    UNLOCK = "unlock"
    SET_AVAILABILITY = "set_availability"
    RESET_SOFT = "reset_soft"
    RESET_HARD = "reset_hard"
    POWER_CYCLE = "power_cycle"
    PULL_LOG = "pull_log"


REBOOTS = (Action.RESET_SOFT, Action.RESET_HARD, Action.POWER_CYCLE)
"""Actions that restart the controller."""


class Answer(StrEnum):
    """Result in a command's acknowledgement."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"


class Topic(StrEnum):
    """Last part of the topic a message goes to."""

    TELEMETRY = "telemetry"
    STATUS = "status"
    ACK = "command/ack"


class Shown(StrEnum):
    """How a fault shows itself to the outside."""

    FAULTED = "faulted"  # status faulted and a code
    WARNING = "warning"  # a code; the connector goes on working
    SILENT = "silent"  # the link lives, telemetry stops
    OFFLINE = "offline"  # the link is gone
    STUCK_PREPARING = "stuck_preparing"
    STUCK_FINISHING = "stuck_finishing"
    HIDDEN = "hidden"  # looks healthy, and nobody can charge
    FLAPPING = "flapping"  # the code comes and goes
    FLAPPING_LINK = "flapping_link"  # the link comes and goes
    UPDATING = "updating"  # a firmware update runs


class Symptom(StrEnum):
    """What a person notices and writes about."""

    WONT_START = "wont_start"
    STOPS_MIDWAY = "stops_midway"
    OFFLINE = "offline"
    SCREEN = "screen"
    STUCK = "stuck"
    SLOW = "slow"
    SMOKE = "smoke"
    SHOCK = "shock"
    DAMAGE = "damage"
    PAYMENT = "payment"
    OVERCHARGED = "overcharged"
    NOT_REFUNDED = "not_refunded"
    BLOCKED_BAY = "blocked_bay"
    DIRTY = "dirty"
    QUESTION = "question"
    SUGGESTION = "suggestion"
