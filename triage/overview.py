"""The engine's present picture of the fleet, for pages and gauges. Read only; nothing here decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from triage.core.engine import Engine
from triage.core.fleet import Pile
from triage.core.means import Dialect
from triage.core.plan import Plan
from triage.core.vocabulary import ConnectorStatus, Link
from triage.interfaces import Clock
from triage.metrics import Metrics


class Overview:
    """Implements :class:`triage.interfaces.LiveView`; ``troubles`` tells what is degraded, by part."""

    def __init__(self, engine: Engine, troubles: Callable[[], Mapping[str, str]]) -> None:
        """Look at ``engine``."""
        self._engine = engine
        self._troubles = troubles

    def piles(self) -> Sequence[Pile]:
        """See :class:`~triage.interfaces.LiveView`."""
        piles = self._engine.state.piles
        return [piles[id] for id in sorted(piles)]

    def pile(self, id: str) -> Pile | None:
        """See :class:`~triage.interfaces.LiveView`."""
        return self._engine.state.piles.get(id)

    def unregistered(self) -> Sequence[tuple[str, str, datetime]]:
        """See :class:`~triage.interfaces.LiveView`."""
        strangers = self._engine.state.unregistered.items()
        return sorted(((site, pile, at) for (site, pile), at in strangers), key=lambda each: each[2], reverse=True)

    def health(self) -> Mapping[str, str]:
        """See :class:`~triage.interfaces.LiveView`."""
        return self._troubles()

    def kill_switch(self) -> str | None:
        """See :class:`~triage.interfaces.LiveView`."""
        return self._engine.state.settings.get("kill_switch") or None

    def plans(self) -> Sequence[Plan]:
        """See :class:`~triage.interfaces.LiveView`."""
        return self._engine.rules.plans.plans

    def dialect(self, profile: str) -> Dialect | None:
        """See :class:`~triage.interfaces.LiveView`."""
        return self._engine.rules.dialects.get(profile)


def state_of(pile: Pile) -> str:
    """One word for a pile: its gravest condition, else what its connectors are doing."""
    if pile.hazard is not None:
        return "danger"
    if pile.symptoms:
        return "troubled"
    if not pile.seen_since_start:
        return "unseen"
    statuses = {each.status for each in pile.connectors}
    for status in (ConnectorStatus.CHARGING, ConnectorStatus.UNAVAILABLE, ConnectorStatus.AVAILABLE):
        if status in statuses:
            return status.value
    return "occupied" if statuses else "unseen"


def gauge(engine: Engine, metrics: Metrics, clock: Clock, pending: tuple[int, datetime | None]) -> None:
    """Set every gauge from the present state; called when somebody scrapes."""
    state = engine.state
    piles: Counter[tuple[str, ...]] = Counter()
    connectors: Counter[tuple[str, ...]] = Counter()
    for pile in state.piles.values():
        piles[pile.link.value, state_of(pile)] += 1
        for number in range(1, pile.registration.connectors + 1):
            connectors[(_connector_state(pile, number),)] += 1
    metrics.piles.replace(piles)
    metrics.connectors.replace(connectors)
    incidents = [incident for incident in state.incidents.values() if incident.open]
    metrics.incidents.replace(Counter((incident.state.value,) for incident in incidents))
    metrics.safety_incidents.set(sum(incident.safety for incident in incidents))
    metrics.work_orders.replace(Counter((order.state.value,) for order in state.orders.values() if order.open))
    for driver, since in state.listening.items():
        metrics.driver_up.labels(driver).set(0 if since is None else 1)
    count, oldest = pending
    metrics.outbox_pending.set(count)
    metrics.outbox_oldest_seconds.set(0 if oldest is None else max(0.0, (clock.now() - oldest).total_seconds()))


def _connector_state(pile: Pile, number: int) -> str:
    if pile.link is Link.OFFLINE:
        return Link.OFFLINE.value
    connector = pile.connector(number)
    if not pile.seen_since_start or connector is None or connector.status is None:
        return Link.UNKNOWN.value
    return connector.status.value
