from datetime import UTC, datetime, timedelta

import pytest

from triage.errors import StoreRefusedError
from triage.storage.lease import Lease

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(("after_s", "held"), [(0, True), (9.999, True), (10, False), (-9.999, True), (-10, False)])
def test_a_lease_holds_for_its_time_and_no_longer(after_s: float, held: bool) -> None:
    lease = Lease().taken("one", NOW, 10)
    assert lease.held_at(NOW + timedelta(seconds=after_s)) is held


def test_each_taking_is_a_new_epoch() -> None:
    lease = Lease().taken("one", NOW, 10)
    assert [lease.epoch, lease.taken("one", NOW, 10).epoch, lease.released().taken("two", NOW, 10).epoch] == [1, 2, 2]
    with pytest.raises(StoreRefusedError, match="in use by one until at least 2026-03-01T12:00:10"):
        lease.taken("two", NOW, 10)


def test_who_may_write() -> None:
    free, held = Lease(), Lease().taken("one", NOW, 10)
    free.admit(None)
    held.admit(1)
    for lease, epoch in ((held, None), (held, 0), (free, 1)):
        with pytest.raises(StoreRefusedError):
            lease.admit(epoch)


def test_renewing_goes_on_from_now() -> None:
    lease = Lease().taken("one", NOW, 10).renewed(1, NOW + timedelta(seconds=9))
    assert lease.held_at(NOW + timedelta(seconds=18))
    with pytest.raises(StoreRefusedError):
        lease.renewed(None, NOW)
