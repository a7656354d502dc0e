"""State history: one row for everything that changed on a pile, and a sample of everything now and then."""

from __future__ import annotations

from datetime import datetime

from triage.core.events import Moment
from triage.core.fleet import Pile


def transitions(before: Pile, after: Pile, now: datetime) -> list[Moment]:
    """History rows for what changed: link, faults, or a connector's status."""
    found = []
    faults = after.faults != before.faults
    old = {each.number: each for each in before.connectors}
    for each in after.connectors:
        known = old.get(each.number)
        if faults or known is None or known.status is not each.status or known.session != each.session:
            found.append(moment(after, each.number, now))
    if not found and (faults or before.link is not after.link):
        found.append(moment(after, 0, now))
    return found


def moment(pile: Pile, number: int, now: datetime, cause: str = "transition") -> Moment:
    """What holds for one connector of ``pile`` now."""
    connector = pile.connector(number)
    return Moment(
        pile=pile.id,
        at=now,
        connector=number,
        link=pile.link.value,
        status=connector.status.value if connector is not None and connector.status is not None else None,
        faults=tuple(fault.code for fault in pile.faults if fault.connector in {0, number}),
        session="live" if connector is not None and connector.session is not None else None,
        cause=cause,
    )
