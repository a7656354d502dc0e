"""The desk of a fleet without a system of its own: orders live in the console and the API, and nowhere else."""

from __future__ import annotations

from triage.core.effects import OrderNotice


class LocalDesk:
    """Implements :class:`triage.interfaces.Desk`.

    The order is on record already, so that is where the team finds it.
    """

    name = "local"

    async def deliver(self, notice: OrderNotice) -> str:
        """Nothing to hand over; the reference is the order's own id."""
        return notice.order.id
