"""The auditor finds the first bad record of a database's journal."""

import sqlite3
from pathlib import Path

import pytest

from tests.unit.core.film import START
from triage.audit import verify
from triage.core.effects import Changes, JournalEntry
from triage.storage.sql import SqlStore


@pytest.fixture
async def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'triage.db'}"
    store = SqlStore(url)
    await store.migrate()
    await store.open()
    for number in range(5):
        entry = JournalEntry(at=START, subject=f"I{number}", kind="note", actor="engine", text=f"line {number}")
        await store.commit(Changes(journal=[entry]))
    await store.close()
    return url


def alter(url: str, statement: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute(statement)
    connection.close()


async def test_an_untouched_journal_holds(url: str) -> None:
    assert await verify(url) == (False, "the chain holds: 5 records")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET text = 'line 9' WHERE seq = 3",
        "DELETE FROM journal WHERE seq = 3",
        "DELETE FROM journal WHERE seq = 5",
        "UPDATE journal SET hash = prev_hash WHERE seq = 3",
    ],
)
async def test_an_altered_or_cut_journal_is_told(url: str, statement: str) -> None:
    alter(url, statement)
    wrong, said = await verify(url)
    assert wrong
    assert "broken at record" in said
