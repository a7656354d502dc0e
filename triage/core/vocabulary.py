"""The words of the field, each with one meaning.

Adapters translate at the edge, so nothing here is a vendor's word. Values are what the API and the database show.
"""

from __future__ import annotations

from enum import StrEnum


class ConnectorStatus(StrEnum):
    """State of one connector; names follow OCPP 1.6 §7.7, spelled as in the native dialect."""

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
    """Why a pile last started, as it says itself."""

    POWER_UP = "power_up"
    REMOTE_RESET = "remote_reset"
    LOCAL_RESET = "local_reset"
    WATCHDOG = "watchdog"
    FIRMWARE_UPDATE = "firmware_update"
    UNKNOWN = "unknown"


class Link(StrEnum):
    """What is known of the way to a pile. Unknown is never a safe default."""

    ONLINE = "online"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """Remote actions, gentlest first."""

    REPORT = "report"
    PULL_LOG = "pull_log"
    SET_AVAILABILITY = "set_availability"
    STOP_SESSION = "stop_session"
    UNLOCK = "unlock"
    RESET_SOFT = "reset_soft"
    RESET_HARD = "reset_hard"
    POWER_CYCLE = "power_cycle"


class Repeat(StrEnum):
    """What a crash may do to an effect (law 3)."""

    NATURAL = "natural"  # repeating it changes nothing
    KEYED = "keyed"  # the receiver, or our table, tells duplicates by the key
    NEVER_BLIND = "never_blind"  # once sent it is never sent again; evidence tells what became of it


REPEAT: dict[Action, Repeat] = {
    Action.REPORT: Repeat.NATURAL,
    Action.PULL_LOG: Repeat.NATURAL,
    Action.SET_AVAILABILITY: Repeat.NATURAL,
    Action.STOP_SESSION: Repeat.NEVER_BLIND,
    Action.UNLOCK: Repeat.NEVER_BLIND,
    Action.RESET_SOFT: Repeat.NEVER_BLIND,
    Action.RESET_HARD: Repeat.NEVER_BLIND,
    Action.POWER_CYCLE: Repeat.NEVER_BLIND,
}

REBOOTS = frozenset({Action.RESET_SOFT, Action.RESET_HARD, Action.POWER_CYCLE})
"""Actions that restart the controller and so interrupt every connector of the pile."""

READS = frozenset({Action.REPORT, Action.PULL_LOG})
"""Actions that change nothing on the device."""


class Result(StrEnum):
    """Outcome of an attempt. A refusal, a failure and silence are three different things."""

    PASSED = "passed"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class AnswerResult(StrEnum):
    """A device's answer to a command. *Accepted* means it will try, never that it worked."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"


class Family(StrEnum):
    """Fault families: what is treated alike. At most one open incident per (pile, connector, family)."""

    SAFETY = "safety"  # never reset, a person must look
    DAMAGE = "damage"  # physical: nothing remote can mend it
    HARDWARE = "hardware"  # a part has failed; a reset is useless
    INTERNAL = "internal"  # controller or software; reset candidates
    UNRESPONSIVE = "unresponsive"  # link alive, application silent
    OFFLINE = "offline"  # no link
    CONNECTOR_LOCK = "connector_lock"  # cable cannot be locked or released
    SESSION_STUCK = "session_stuck"  # preparing or finishing without a session
    THERMAL = "thermal"  # derating; wait, never reset while hot
    SUPPLY = "supply"  # mains side; wait
    USER_SIDE = "user_side"  # vehicle or user; advise
    FLAPPING = "flapping"  # comes and goes
    REPORTED = "reported"  # people say so, the device does not
    UNKNOWN = "unknown"  # a code nobody has classified: not resettable until someone does


class SymptomKind(StrEnum):
    """What the engine holds true about a pile once the hold time has passed."""

    FAULT_CLAIMED = "fault_claimed"
    OFFLINE = "offline"
    SILENT = "silent"
    STUCK = "stuck"
    FLAPPING = "flapping"
    REPORTED = "reported"


class Category(StrEnum):
    """Class of a complaint."""

    TECHNICAL_FAULT = "technical_fault"
    BILLING_DISPUTE = "billing_dispute"
    SERVICE_EXPERIENCE = "service_experience"
    SAFETY = "safety"
    APP_ISSUE = "app_issue"
    CONSULT = "consult"
    SUGGESTION = "suggestion"


class ComplaintSymptom(StrEnum):
    """What a person says happened."""

    WONT_START = "wont_start"
    STOPS_MIDWAY = "stops_midway"
    OFFLINE = "offline"
    DISPLAY_ERROR = "display_error"
    CONNECTOR_STUCK = "connector_stuck"
    PHYSICAL_DAMAGE = "physical_damage"
    PAYMENT_FAILED = "payment_failed"
    OVERCHARGED = "overcharged"
    NOT_REFUNDED = "not_refunded"
    SLOW_CHARGING = "slow_charging"
    BLOCKED_BAY = "blocked_bay"
    CLEANLINESS = "cleanliness"
    SMOKE_FIRE = "smoke_fire"
    ELECTRIC_SHOCK = "electric_shock"
    OTHER = "other"


class Channel(StrEnum):
    """How a complaint reached us."""

    APP = "app"
    HOTLINE = "hotline"
    CHAT = "chat"
    EMAIL = "email"
    PARTNER = "partner"
    SOCIAL = "social"
    REGULATOR = "regulator"
    QR = "qr"
    CSV = "csv"
    MQTT = "mqtt"
    REST = "rest"


class Tier(StrEnum):
    """The reporter's standing."""

    ORDINARY = "ordinary"
    VIP = "vip"


class Grade(StrEnum):
    """How gravely a complaint is taken (普通, 升级, 重大)."""

    ORDINARY = "ordinary"
    ESCALATED = "escalated"
    MAJOR = "major"


class Priority(StrEnum):
    """Urgency × impact."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class Route(StrEnum):
    """Who owns a complaint."""

    TECHNICAL = "technical"
    FINANCE = "finance"
    REGIONAL = "regional"
    SUPPLIER = "supplier"
    SERVICE = "service"
    MANAGEMENT = "management"
    KNOWLEDGE = "knowledge"


class Verdict(StrEnum):
    """What the device's own record says about a complaint."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    BLIND = "blind"


class ComplaintState(StrEnum):
    """Life of a complaint as far as the engine drives it."""

    RECEIVED = "received"
    IN_PROGRESS = "in_progress"
    ROUTED = "routed"
    RESOLVED = "resolved"
    CLOSED = "closed"


class IncidentState(StrEnum):
    """Life of an incident."""

    OBSERVING = "observing"
    HELD = "held"
    RECOVERING = "recovering"
    PROBATION = "probation"
    DESK = "desk"
    FIELD = "field"
    CONFIRMING = "confirming"
    CLOSED = "closed"


class CloseCode(StrEnum):
    """How an incident ended."""

    SELF_CLEARED = "self_cleared"
    RECOVERED_REMOTELY = "recovered_remotely"
    REPAIRED = "repaired"
    NO_FAULT_FOUND = "no_fault_found"
    MERGED = "merged"
    DISMISSED = "dismissed"


class OrderState(StrEnum):
    """Life of a work order."""

    ISSUED = "issued"
    ACCEPTED = "accepted"
    EN_ROUTE = "en_route"
    ON_SITE = "on_site"
    WAITING = "waiting"
    DONE = "done"
    CLOSED = "closed"
    RECALLED = "recalled"
    RETURNED = "returned"


class OrderReason(StrEnum):
    """Why remote recovery ended at a person's hands."""

    REMOTE_FAILED = "remote_failed"
    FORBIDDEN_SAFETY = "forbidden_safety"
    PHYSICAL_DAMAGE = "physical_damage"
    NO_REMOTE_CHANNEL = "no_remote_channel"
    UNKNOWN_OUTCOME = "unknown_outcome"
    DESK_DECISION = "desk_decision"


class Gate(StrEnum):
    """The gates before every step, in the order in which they are asked; the first refusal wins."""

    KILL_SWITCH = "kill_switch"
    PLAN_MODE = "plan_mode"
    UNREGISTERED = "unregistered"
    SAFETY = "safety"
    SILENCE = "silence"
    LINK = "link"
    STALE = "stale"
    SESSION = "session"
    FIRMWARE = "firmware"
    OUT_OF_SERVICE = "out_of_service"
    OUTAGE = "outage"
    MINIMUM_AVAILABLE = "minimum_available"
    BUSY = "busy"
    SPACING = "spacing"
    SERVICED = "serviced"
    STRIKES = "strikes"
    BREAKER = "breaker"
    SITE_BUDGET = "site_budget"
    FLEET_BUDGET = "fleet_budget"
    APPROVAL = "approval"
    SECOND_LOOK = "second_look"


class Mode(StrEnum):
    """How far a plan may act; the policy's mode is the ceiling over all plans."""

    DISABLED = "disabled"
    SHADOW = "shadow"
    APPROVE = "approve"
    LIVE = "live"
