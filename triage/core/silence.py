"""Maintenance: a time in which nothing is done to a pile, a site or a region."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from triage.core.fleet import Pile


class Silence(Struct, frozen=True, kw_only=True):
    """Exactly one of ``pile``, ``site``, ``region`` is set; none set would match nothing, never everything."""

    id: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    by: str
    created_at: datetime
    pile: str | None = None
    site: str | None = None
    region: str | None = None
    lifted_at: datetime | None = None

    def covers(self, pile: Pile, now: datetime) -> bool:
        """Whether it holds for ``pile`` at ``now``."""
        if self.lifted_at is not None or not self.starts_at <= now < self.ends_at:
            return False
        return (
            (self.pile is not None and self.pile == pile.id)
            or (self.site is not None and self.site == pile.site)
            or (self.region is not None and self.region == pile.region)
        )
