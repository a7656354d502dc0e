"""Which conditions hold on a pile, read from its present state (level, not edge).

Every condition starts at a known moment and is held true once the hold time of its family has passed; devices clear
many faults by themselves, and we do not race their own retries.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from triage.core.fleet import Connector, Pile, Symptom
from triage.core.policy import Policy
from triage.core.vocabulary import ConnectorStatus, Family, Link, SymptomKind

_WAITING = frozenset({ConnectorStatus.PREPARING, ConnectorStatus.FINISHING})
_TELLING = _WAITING | {ConnectorStatus.FAULTED}


def symptoms(pile: Pile, policy: Policy, now: datetime, listening_since: datetime | None) -> tuple[Symptom, ...]:
    """All conditions on ``pile`` at ``now``, matured or not.

    ``listening_since`` is the moment from which our own way to the field has been up, or None while it is down: what
    nobody could hear is no silence.
    """
    gone = _gone(pile, policy, now, listening_since)
    if gone is not None:
        # Who is silent shows nothing else: the last claims are history until it speaks again.
        return (gone,)
    if not pile.faults and not pile.onsets and not any(each.status in _TELLING for each in pile.connectors):
        return ()
    found = _claimed(pile, policy)
    found.extend(_stuck(pile, policy, now))
    flapping = _flapping(pile, policy, now)
    if flapping is not None:
        found.append(flapping)
    return tuple(found)


def next_look(pile: Pile, policy: Policy, now: datetime, listening_since: datetime | None) -> datetime | None:
    """When time alone may change what :func:`symptoms` says, or None when only a message can."""
    looks = [symptom.holds_at for symptom in pile.symptoms if symptom.holds_at > now]
    if listening_since is not None and pile.heard_at is not None and pile.link is not Link.OFFLINE:
        silent = _silent_from(pile, policy, pile.heard_at, listening_since)
        if silent > now:
            looks.append(silent)
    for connector in pile.connectors:
        if connector.status in _WAITING and connector.status_since is not None:
            stuck = connector.status_since + policy.span("stuck_after")
            if stuck > now:
                looks.append(stuck)
    if any(symptom.kind is SymptomKind.FLAPPING for symptom in pile.symptoms):
        # It stops flapping when so many onsets have left the window that too few are inside.
        ends = [onset + policy.span("flap_window") for onset in pile.onsets]
        looks.append(min((end for end in ends if end > now), default=now) + timedelta(seconds=1))
    return min(looks, default=None)


def _gone(pile: Pile, policy: Policy, now: datetime, listening_since: datetime | None) -> Symptom | None:
    if listening_since is None:
        return next((each for each in pile.symptoms if each.kind in {SymptomKind.OFFLINE, SymptomKind.SILENT}), None)
    if pile.link is Link.OFFLINE and pile.link_as_of is not None:
        return _symptom(
            SymptomKind.OFFLINE, Family.OFFLINE, 0, max(pile.link_as_of, listening_since), "link down", policy
        )
    if pile.heard_at is None:
        return None  # never heard: not commissioned yet, nothing to say about it
    since = _silent_from(pile, policy, pile.heard_at, listening_since)
    if now < since:
        return None
    if pile.link is Link.ONLINE:
        return _symptom(SymptomKind.SILENT, Family.UNRESPONSIVE, 0, since, "link up, application silent", policy)
    return _symptom(SymptomKind.OFFLINE, Family.OFFLINE, 0, since, "silent, link unknown", policy)


def _silent_from(pile: Pile, policy: Policy, heard_at: datetime, listening_since: datetime) -> datetime:
    """From when on silence counts: after the last message, after our own link came up, after the pile's did."""
    newest = max(heard_at, listening_since)
    if pile.link is Link.ONLINE and pile.link_as_of is not None:
        newest = max(newest, pile.link_as_of)
    return newest + policy.span("silent_after")


def _claimed(pile: Pile, policy: Policy) -> list[Symptom]:
    grouped: dict[tuple[Family, int], list[str]] = {}
    since: dict[tuple[Family, int], datetime] = {}
    covered: set[int] = set()
    for fault in pile.faults:
        covered.add(fault.connector)
        key = (fault.family, fault.connector)
        grouped.setdefault(key, []).append(fault.name)
        since[key] = min(since.get(key, fault.since), fault.since)
    for connector in pile.connectors:
        bare = connector.status is ConnectorStatus.FAULTED and not covered & {0, connector.number}
        if bare and connector.status_since is not None:
            key = (Family.UNKNOWN, connector.number)
            grouped.setdefault(key, []).append("FaultedWithoutCode")
            since[key] = connector.status_since
    return [
        _symptom(
            SymptomKind.FAULT_CLAIMED, family, number, since[family, number], ", ".join(sorted(set(names))), policy
        )
        for (family, number), names in grouped.items()
    ]


def _stuck(pile: Pile, policy: Policy, now: datetime) -> list[Symptom]:
    found = []
    for connector in pile.connectors:
        if _waits_for_nobody(connector) and connector.status_since is not None:
            since = connector.status_since + policy.span("stuck_after")
            if now >= since:
                what = f"{connector.status} without a session"
                found.append(_symptom(SymptomKind.STUCK, Family.SESSION_STUCK, connector.number, since, what, policy))
    return found


def _waits_for_nobody(connector: Connector) -> bool:
    return connector.status in _WAITING and connector.session_known and connector.session is None


def _flapping(pile: Pile, policy: Policy, now: datetime) -> Symptom | None:
    recent = [onset for onset in pile.onsets if onset > now - policy.span("flap_window")]
    if len(recent) < policy.flap_count:
        return None
    what = f"{len(recent)} onsets in {policy.flap_window_s * policy.speed:.0f} s"
    return _symptom(SymptomKind.FLAPPING, Family.FLAPPING, 0, recent[0], what, policy)


def _symptom(kind: SymptomKind, family: Family, connector: int, since: datetime, what: str, policy: Policy) -> Symptom:
    return Symptom(
        kind=kind, family=family, connector=connector, since=since, holds_at=since + policy.hold(family), what=what
    )
