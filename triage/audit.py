"""The auditor: walks the journal's hash chain of a database."""

from __future__ import annotations

from triage.storage import chain
from triage.storage.sql import SqlStore


async def verify(url: str) -> tuple[bool, str]:
    """(whether something is wrong, what was found), in one sentence.

    Raises:
        StoreError: the database cannot be read.
        StoreRefusedError: its schema does not fit.
    """
    store = SqlStore(url)
    await store.open()
    try:
        found = await chain.verify(store, await store.head())
    finally:
        await store.close()
    if found.bad is not None:
        return True, f"the chain is broken at record {found.bad}: {found.why}; {found.count} records before it hold"
    return False, f"the chain holds: {found.count} records"
