"""Texts of plans and lines of the journal written beside the daemon: the same on memory, SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.contract.conftest import Backing, Store
from tests.contract.test_storage import NOW, ODD, incident, line
from triage.core.effects import Changes
from triage.core.plan import PlanText
from triage.storage.chain import verify

SHA = "ab" * 32


def text(sha256: str = SHA, body: str = "name: p\n", at: datetime = NOW) -> PlanText:
    return PlanText(sha256=sha256, name="p", version=1, text=body, first_used_at=at)


def kept(*texts: PlanText) -> Changes:
    return Changes(plans={each.sha256: each for each in texts})


async def test_a_plans_text_is_found_by_its_hash(store: Store) -> None:
    body = f"# {ODD}\nname: p\n".replace("\ud800", "")
    await store.commit(kept(text(body=body)))
    found = await store.fetch("plan", SHA)
    assert found is not None
    assert (found["text"], found["name"], found["version"], found["sha256"]) == (body, "p", 1, SHA)
    assert datetime.fromisoformat(found["first_used_at"]) == NOW
    assert await store.fetch("plan", "cd" * 32) is None


async def test_the_first_copy_stays(store: Store) -> None:
    await store.commit(kept(text()))
    await store.commit(kept(text(at=NOW + timedelta(days=1)), text("cd" * 32, "name: q\n")))
    found = await store.fetch("plan", SHA)
    assert found is not None
    assert datetime.fromisoformat(found["first_used_at"]) == NOW
    assert (await store.fetch("plan", "cd" * 32) or {})["text"] == "name: q\n"


async def test_a_text_outlives_restarts_and_pruning(backing: Backing) -> None:
    store = await backing.open()
    await store.commit(kept(text()))
    again = await backing.open()
    await again.prune(NOW + timedelta(days=4000), timedelta(days=90))
    assert await again.fetch("plan", SHA) is not None


async def test_a_line_is_added_beside_the_writer(backing: Backing) -> None:
    daemon, beside = await backing.open(), await backing.open()
    await daemon.acquire_lease("daemon", NOW, 3600)
    await daemon.commit(Changes(incidents={"I1": incident()}, journal=[line(1)]))
    await beside.note([line(2, subject="plan:p", kind="drill")])
    await daemon.commit(Changes(journal=[line(3)]))
    await daemon.renew_lease(NOW + timedelta(seconds=1))
    assert [entry.text for entry in await daemon.timeline("plan:p")] == ["line 2"]
    found = await verify(beside, await beside.head())
    assert (found.bad, found.count) == (None, 3)
