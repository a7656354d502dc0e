"""From a message to what is known of the pile.

Receive order and (boot, sequence) order decide; the device's clock is only used to tell a late message of an older
boot. A message that is older than what is known changes nothing, and neither does one the broker had retained: both are
history, not evidence.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from triage.core.events import PileStatus, Reading, Telemetry
from triage.core.faults import NO_ERROR, FaultTable
from triage.core.fleet import Connector, Fault, Pile
from triage.core.policy import Policy
from triage.core.vocabulary import BootReason, Family, Link

ONSETS_KEPT = 16
DRIFT_SHARE = 0.06
"""By how much of an uptime two clocks may differ, a little more than our own clock is ever slewed."""

NO_NUMBER = -1
"""Stands for the number of a late reading that has none."""

BOOT_SLACK_S = 10.0
"""How much the ways of two messages may differ in time before a boot is told wrongly."""


def is_late(pile: Pile, message: Telemetry, policy: Policy) -> bool:
    """Whether ``message`` is older than what is already known (reordered, repeated, or from the boot before).

    Order can be judged wrongly, by a device whose clock or counter went back. So that such a pile is not deaf for ever,
    readings that follow each other are believed again once nothing else was heard for as long as makes a pile silent.
    """
    if message.retained:
        return True
    if not (_of_older_boot(pile, message, policy) or _out_of_order(pile, message, policy)):
        return False
    overdue = pile.heard_at is None or message.received_at - pile.heard_at > policy.span("silent_after")
    return not (overdue and _follows(pile, message) and _apart(pile, message, policy))


def doubt(pile: Pile, message: Telemetry) -> Pile:
    """``pile`` after a late message: only its number is kept, to see whether the next one follows it."""
    if message.retained:
        return pile
    since = pile.late[1] if pile.late is not None and _follows(pile, message) else message.received_at
    return replace(pile, late=(NO_NUMBER if message.seq is None else message.seq, since))


def _follows(pile: Pile, message: Telemetry) -> bool:
    if pile.late is None:
        return False
    return message.seq is None or message.seq > pile.late[0]  # a polled device numbers nothing, and queues nothing


def _apart(pile: Pile, message: Telemetry, policy: Policy) -> bool:
    """Whether the late readings came as a pile speaks, and not as one burst out of a queue."""
    return pile.late is not None and message.received_at - pile.late[1] >= policy.span("heartbeat") / 2


def _of_older_boot(pile: Pile, message: Telemetry, policy: Policy) -> bool:
    """Whether the reading was taken before the controller last started."""
    if pile.boot_device_at is not None and message.device_at is not None and message.device_at < pile.boot_device_at:
        return True
    if pile.before_boot_at is None or message.uptime_s is None:
        return False
    # What started before we last heard the boot before is that boot. Our clock may run slower or faster than the
    # device's while it follows a wall clock that jumped, so a long uptime tells its start less exactly.
    slack_s = BOOT_SLACK_S + DRIFT_SHARE * message.uptime_s
    return _boot_of(message, policy) < pile.before_boot_at - timedelta(seconds=slack_s / policy.speed)


def _out_of_order(pile: Pile, message: Telemetry, policy: Policy) -> bool:
    if message.seq is None or pile.seq is None or message.seq > pile.seq:
        return False
    return not _rebooted(pile, message, policy)


def _boot_of(message: Telemetry, policy: Policy) -> datetime:
    return message.received_at - timedelta(seconds=(message.uptime_s or 0.0) / policy.speed)


def _spoken_before(pile: Pile, message: Telemetry) -> bool:
    """Whether number and device clock agree that the message is not newer than what is known."""
    told_s = _device_s(message)
    if message.seq is None or pile.seq is None or told_s is None or pile.device_s is None:
        return False
    return message.seq <= pile.seq and told_s <= pile.device_s


def _device_s(message: Telemetry) -> float | None:
    return None if message.device_at is None else message.device_at.timestamp()


def _began(pile: Pile, message: Telemetry, policy: Policy, *, rebooted: bool) -> float | None:
    if message.uptime_s is None:
        return pile.began_s
    began_s = _boot_of(message, policy).timestamp()
    return began_s if rebooted or pile.began_s is None or began_s < pile.began_s else pile.began_s


def _last_spoken(pile: Pile, policy: Policy) -> datetime | None:
    """When the newest reading was spoken, however long it was on its way: its boot's start and its uptime tell."""
    if pile.heard_at is None or pile.began_s is None or pile.uptime_s is None:
        return pile.heard_at
    return min(pile.heard_at, datetime.fromtimestamp(pile.began_s + pile.uptime_s / policy.speed, UTC))


def _rebooted(pile: Pile, message: Telemetry, policy: Policy) -> bool:
    """Whether the uptime says the controller restarted after we last heard it.

    A late message of the same boot has a smaller uptime too; but its boot lies before our last hearing.
    """
    if message.uptime_s is None or pile.uptime_s is None or pile.heard_at is None:
        return False
    if _spoken_before(pile, message):
        return False
    if message.uptime_s >= pile.uptime_s:
        # After our own restart the uptime on record is an old one: a boot that has run longer shows by its numbers.
        behind = message.seq is not None and pile.seq is not None and message.seq <= pile.seq
        # And a device that counts from the start again while its clock went on has started again, even twice at once.
        told_s = _device_s(message)
        later = told_s is not None and pile.device_s is not None and told_s > pile.device_s
        if not behind or (pile.seen_since_start and not later):
            return False
    return _boot_of(message, policy) > pile.heard_at - timedelta(seconds=2 / policy.speed)


def observe(pile: Pile, message: Telemetry, faults: FaultTable, policy: Policy) -> Pile:
    """``pile`` after a telemetry message that is not late."""
    now = message.received_at
    rebooted = _rebooted(pile, message, policy)
    known = _normalise(pile, message, faults)
    hazard, hazard_at = pile.hazard, pile.hazard_at
    if hazard is None and known:
        dangers = [fault for fault in known if fault.family is Family.SAFETY]
        if dangers:
            hazard, hazard_at = f"device claims {dangers[0].name}", now
    return replace(
        pile,
        heard_at=now,
        seen_since_start=True,
        link=Link.ONLINE,
        link_as_of=pile.link_as_of if pile.link is Link.ONLINE else now,
        connectors=_connectors(pile.connectors, message.readings, now),
        faults=known,
        uptime_s=message.uptime_s,
        seq=message.seq if message.seq is not None else pile.seq,
        began_s=_began(pile, message, policy, rebooted=rebooted),
        late=None,
        device_s=_device_s(message),
        booted_at=_boot_of(message, policy) if rebooted else pile.booted_at,
        before_boot_at=_last_spoken(pile, policy) if rebooted else pile.before_boot_at,
        boot_reason=BootReason.UNKNOWN if rebooted else pile.boot_reason,
        hot_at=now if any(fault.family is Family.THERMAL for fault in known) else pile.hot_at,
        hazard=hazard,
        hazard_at=hazard_at,
        onsets=_onsets(pile, known, now),
    )


def observe_status(pile: Pile, message: PileStatus, policy: Policy) -> Pile:
    """``pile`` after a birth or a last will. A retained birth tells who it is, not that it is there now."""
    now = message.received_at
    if not message.online:
        if message.retained and pile.seen_since_start:
            return pile
        onsets = pile.onsets if pile.link is Link.OFFLINE else (*pile.onsets, now)[-ONSETS_KEPT:]
        as_of = pile.link_as_of if pile.link is Link.OFFLINE else now
        return replace(pile, link=Link.OFFLINE, link_as_of=as_of, onsets=onsets)
    new_boot = message.boot_id is not None and message.boot_id != pile.boot_id
    facts = {
        "boot_id": message.boot_id or pile.boot_id,
        "firmware": message.firmware or pile.firmware,
        "model": message.model or pile.model,
    }
    if message.retained:
        # What was retained may be hours old: the identity is taken, the moment is not.
        if new_boot and pile.boot_id is not None:
            facts["seq"] = None
            facts["device_s"] = None
        told_at = message.device_at if new_boot else pile.boot_device_at
        return replace(pile, boot_device_at=told_at, **facts)
    changes: dict[str, object] = dict(facts)
    changes.update(
        link=Link.ONLINE,
        link_as_of=pile.link_as_of if pile.link is Link.ONLINE else now,
    )
    if new_boot:
        # Readings may have told of this boot before its birth arrived; then the newest one is not of the boot before.
        told = pile.boot_reason == BootReason.UNKNOWN
        updating = message.boot_reason is BootReason.FIRMWARE_UPDATE
        changes.update(
            booted_at=now,
            before_boot_at=pile.before_boot_at if told else _last_spoken(pile, policy),
            began_s=pile.began_s if told else None,
            boot_reason=message.boot_reason,
            seq=None,
            device_s=None,
            uptime_s=None,
            boot_device_at=message.device_at,
            updating_until=now + policy.span("boot_window") if updating else pile.updating_until,
        )
    return replace(pile, **changes)


def dangers_in(pile: Pile, message: Telemetry, faults: FaultTable) -> tuple[str, ...]:
    """Canonical names of the safety faults a message claims."""
    if not message.faults:
        return ()
    return tuple(fault.name for fault in _normalise(pile, message, faults) if fault.family is Family.SAFETY)


def forget_liveness(pile: Pile) -> Pile:
    """``pile`` as it must be taken after our own restart: who is charging is unknown until it speaks again."""
    unknown = tuple(replace(each, session=None, session_known=False) for each in pile.connectors)
    link = Link.OFFLINE if pile.link is Link.OFFLINE else Link.UNKNOWN
    return replace(pile, connectors=unknown, seen_since_start=False, link=link)


def _normalise(pile: Pile, message: Telemetry, faults: FaultTable) -> tuple[Fault, ...]:
    if not message.faults:
        return ()
    before = {(fault.code, fault.connector): fault for fault in pile.faults}
    known: list[Fault] = []
    for claim in message.faults:
        old = before.get((claim.code, claim.connector))
        if old is not None and old.info == claim.info:
            known.append(old)
            continue
        entry = faults.lookup(claim.code, claim.info, pile.model or pile.registration.model)
        if entry.name == NO_ERROR:
            continue
        known.append(
            Fault(
                code=claim.code,
                connector=claim.connector,
                name=entry.name,
                family=entry.family,
                since=old.since if old is not None else message.received_at,
                info=claim.info,
            )
        )
    return tuple(known)


def _connectors(before: tuple[Connector, ...], readings: tuple[Reading, ...], now: datetime) -> tuple[Connector, ...]:
    if len(before) == len(readings) and all(
        old.number == new.connector for old, new in zip(before, readings, strict=True)
    ):
        return tuple(_connector(old, new, now) for old, new in zip(before, readings, strict=True))
    merged = {old.number: old for old in before}
    for new in readings:
        merged[new.connector] = _connector(merged.get(new.connector), new, now)
    return tuple(merged[number] for number in sorted(merged))


def _connector(old: Connector | None, new: Reading, now: datetime) -> Connector:
    same = old is not None and old.status is new.status
    return Connector(
        number=new.connector,
        as_of=now,
        status=new.status,
        status_since=old.status_since if same and old is not None else now,
        session=new.session,
        session_known=new.session_known,
        voltage_v=new.voltage_v,
        current_a=new.current_a,
        power_w=new.power_w,
        energy_wh=new.energy_wh,
        temperature_c=new.temperature_c,
    )


def _onsets(pile: Pile, known: tuple[Fault, ...], now: datetime) -> tuple[datetime, ...]:
    if not known:
        return pile.onsets
    before = {(fault.code, fault.connector) for fault in pile.faults}
    if all((fault.code, fault.connector) in before for fault in known):
        return pile.onsets
    return (*pile.onsets, now)[-ONSETS_KEPT:]
