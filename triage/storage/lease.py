"""Who may write: one daemon at a time. Pure rules; both stores apply them inside the transaction they protect.

A lease is taken for some seconds and renewed; each taking raises the epoch, and every commit names the epoch it was
given (fencing), so a daemon that slept through its lease cannot write a word after another took over.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct, structs

from triage.errors import StoreRefusedError
from triage.storage.documents import micros, moment


class Lease(Struct, frozen=True, kw_only=True):
    """``owner`` None: nobody holds it. ``epoch`` counts the takings."""

    owner: str | None = None
    epoch: int = 0
    renewed_us: int = 0
    ttl_us: int = 0

    def held_at(self, now: datetime) -> bool:
        """Whether somebody holds it; one renewed far in the future is from before a jump of the clock, and void."""
        return self.owner is not None and abs(micros(now) - self.renewed_us) < self.ttl_us

    def taken(self, owner: str, now: datetime, ttl_s: float) -> Lease:
        """The lease in the hands of ``owner``, who may also be the last holder, come back.

        Raises:
            StoreRefusedError: another owner holds it and renewed it in time.
        """
        if self.owner != owner and self.held_at(now):
            until = moment(self.renewed_us + self.ttl_us).isoformat(timespec="seconds")
            raise StoreRefusedError(
                f"the database is in use by {self.owner} until at least {until}; stop that daemon, or wait until then"
            )
        ttl_us = timedelta(seconds=ttl_s) // timedelta(microseconds=1)
        return Lease(owner=owner, epoch=self.epoch + 1, renewed_us=micros(now), ttl_us=ttl_us)

    def renewed(self, epoch: int | None, now: datetime) -> Lease:
        """The same lease, fresh.

        Raises:
            StoreRefusedError: it is not ours any more.
        """
        if epoch is None:
            raise StoreRefusedError("no lease was taken: nothing to renew")
        self.admit(epoch)
        return structs.replace(self, renewed_us=micros(now))

    def released(self) -> Lease:
        """The lease in nobody's hands; the epoch stays, so that the next taking is a new one."""
        return Lease(epoch=self.epoch)

    def admit(self, epoch: int | None) -> None:
        """Let a writer with this epoch in; None is one that took no lease and may write while nobody holds it.

        Raises:
            StoreRefusedError: another daemon took over, or holds it.
        """
        if epoch is None and self.owner is not None:
            raise StoreRefusedError(f"the database is leased to {self.owner}: take the lease before writing")
        if epoch is not None and epoch != self.epoch:
            raise StoreRefusedError(
                f"the lease (epoch {epoch}) was lost to {self.owner} (epoch {self.epoch}); this daemon must stop"
            )
