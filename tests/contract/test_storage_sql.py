"""What only real databases do: schemas, full disks, lost connections, corrupt files."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.contract.conftest import SqlBacking
from tests.contract.test_storage import NOW, complaint, incident, incidents, line, pile, texts
from triage.core.effects import Changes
from triage.core.events import Moment
from triage.errors import StoreError, StoreRefusedError
from triage.storage import schema
from triage.storage.chain import verify
from triage.storage.sql import SqlStore
from triage.storage.tables import METADATA

# Schema.


async def test_the_migrations_build_exactly_the_tables(sql_backing: SqlBacking) -> None:
    with sql_backing.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert not schema.outdated(connection)


def test_there_is_one_newest_revision() -> None:
    assert ScriptDirectory.from_config(schema._config()).get_heads() == [schema.NEWEST]


async def test_migrating_again_changes_nothing(sql_backing: SqlBacking) -> None:
    store = await sql_backing.open()
    await store.commit(Changes(journal=[line()]))
    await store.migrate()
    assert await texts(store) == ["line 1"]


async def test_a_newer_schema_is_refused(sql_backing: SqlBacking) -> None:
    sql_backing.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreRefusedError, match="newer version"):
        await sql_backing.open()
    with pytest.raises(StoreRefusedError, match="9999"):
        await SqlStore(sql_backing.url).migrate()


async def test_a_new_sqlite_file_gets_its_schema_by_itself(tmp_path: Path) -> None:
    backing = SqlBacking(f"sqlite:///{tmp_path / 'new.db'}")
    store = await backing.open()
    await store.commit(Changes(piles={"P1": pile()}))
    assert backing.execute("PRAGMA journal_mode") == [("wal",)]
    await backing.close()


async def test_an_empty_postgresql_database_waits_for_migrate(postgres_url: str) -> None:
    store = SqlStore(postgres_url)
    with pytest.raises(StoreRefusedError, match="triage migrate"):
        await store.open()
    await store.migrate()
    await store.open()
    await store.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "no url", ""])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(StoreRefusedError, match="sqlite:///FILE"):
        SqlStore(url)


# All or nothing.


async def test_a_batch_that_fails_in_the_middle_keeps_nothing(sql_backing: SqlBacking) -> None:
    store = await sql_backing.open()
    await store.commit(Changes(journal=[line(1)]))
    sql_backing.execute(  # somebody else's row stands where the next journal record has to go
        "INSERT INTO journal SELECT 2, at_us, subject, also, kind, actor, text, data, prev_hash, hash FROM journal"
    )
    changes = Changes(complaints={"C1": complaint(text="call me: 555 0100")}, journal=[line(2)])
    changes.moments.append(Moment(pile="P1", at=NOW))
    with pytest.raises(StoreRefusedError) as told:
        await store.commit(changes)
    assert "555" not in f"{told.value!r} {told.value.__cause__!r}"
    assert (await store.load(NOW)).complaints == []
    assert await store.moments("P1", NOW, NOW) == []
    sql_backing.cut(2)
    await store.commit(changes)
    assert await texts(store) == ["line 1", "line 2"]
    assert (await verify(store, await store.head())).count == 2


WRITER = """
import asyncio, sys
from tests.contract.test_storage import incident, line, Changes
from triage.storage.sql import SqlStore

async def main():
    store = SqlStore(sys.argv[1])
    for number in range(int(sys.argv[2]), 100_000):
        name = f"I{number}"
        await store.commit(Changes(incidents={name: incident(name)}, journal=[line(number)]))
        print(number, flush=True)

asyncio.run(main())
"""


async def test_a_writer_killed_in_the_act_loses_nothing_it_had_committed(sql_backing: SqlBacking) -> None:
    done = -1
    for lines in (1, 7, 30):
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, sql_backing.url, str(done + 1), stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        for _ in range(lines):
            done = int(await writer.stdout.readline())
        writer.kill()
        told = (await writer.stdout.read()).split()
        await writer.wait()
        store = await sql_backing.open()
        found = await texts(store)
        done = max([done, *map(int, told)])
        # The last one may have landed without a word of it.
        assert found in ([f"line {n}" for n in range(done + 1)], [f"line {n}" for n in range(done + 2)])
        assert len((await store.load(NOW)).incidents) == len(found)
        assert (await verify(store, await store.head())).count == len(found)
        done = len(found) - 1


# SQLite.


@pytest.fixture
async def on_file(tmp_path: Path) -> AsyncIterator[SqlBacking]:
    backing = SqlBacking(f"sqlite:///{tmp_path / 'triage.db'}")
    yield backing
    await backing.close()


async def test_a_full_disk_is_an_error_to_try_again_after(on_file: SqlBacking, tmp_path: Path) -> None:
    store = await on_file.open()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "triage.db-wal").stat().st_size + 20_000, hard))
    changes = Changes(
        incidents={f"I{number}": incident(f"I{number}", summary="x" * 500) for number in range(200)}, journal=[line()]
    )
    try:
        for _ in range(3):
            with pytest.raises(StoreError):
                await store.commit(changes)
        assert (await store.load(NOW)).incidents == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await store.commit(changes)
    assert len((await store.load(NOW)).incidents) == 200
    assert await texts(store) == ["line 1"]


async def test_a_read_only_file_is_an_error_to_try_again_after(on_file: SqlBacking, tmp_path: Path) -> None:
    await (await on_file.open()).commit(incidents(incident()))
    store = SqlStore(f"sqlite:///file:{tmp_path / 'triage.db'}?mode=ro&uri=true")
    await store.open()
    with pytest.raises(StoreError, match="readonly"):
        await store.commit(Changes(journal=[line()]))
    assert len((await store.load(NOW)).incidents) == 1
    await store.close()


async def test_a_file_held_by_another_process_is_an_error_to_try_again_after(
    on_file: SqlBacking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triage.storage.sqlite.BUSY_TIMEOUT_S", 0.1)
    store = await on_file.open()
    other = sqlite3.connect(tmp_path / "triage.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        await store.commit(Changes(journal=[line()]))
    other.close()
    await store.commit(Changes(journal=[line()]))
    assert await texts(store) == ["line 1"]


@pytest.fixture
async def held(on_file: SqlBacking, tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    """The write lock in the hands of another process."""
    store = await on_file.open()
    await store.commit(Changes(moments=[Moment(pile="P1", at=NOW)]))
    other = sqlite3.connect(tmp_path / "triage.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


async def test_reading_goes_on_while_a_commit_waits(on_file: SqlBacking, held: sqlite3.Connection) -> None:
    store = await on_file.open()
    commit = asyncio.ensure_future(store.commit(Changes(journal=[line()])))
    for _ in range(20):
        assert len(await store.moments("P1", NOW, NOW)) == 1
    assert not commit.done()
    held.execute("ROLLBACK")
    await commit
    assert await texts(store) == ["line 1"]


async def test_closing_waits_for_a_commit_whose_caller_went_away(on_file: SqlBacking, held: sqlite3.Connection) -> None:
    store = await on_file.open()
    commit = asyncio.ensure_future(store.commit(Changes(journal=[line()])))
    await store.moments("P1", NOW, NOW)  # time enough for the commit to set out
    commit.cancel()
    closing = asyncio.ensure_future(store.close())
    await asyncio.wait([commit])
    assert commit.cancelled()
    assert not closing.done()
    held.execute("ROLLBACK")
    await closing
    assert await texts(store) == ["line 1"]


async def test_a_commit_given_up_on_may_land_later_and_once(
    on_file: SqlBacking, held: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await on_file.open()
    changes = Changes(journal=[line()], moments=[Moment(pile="P2", at=NOW)])
    with monkeypatch.context() as hasty:
        hasty.setattr("triage.storage.sqlite.TRANSACTION_TIMEOUT_S", 0.05)
        with pytest.raises(StoreError, match="in time"):
            await store.commit(changes)
    held.execute("ROLLBACK")
    changes.absorb(Changes(journal=[line(2)]))
    await store.commit(changes)
    assert await texts(store) == ["line 1", "line 2"]
    assert len(await store.moments("P2", NOW, NOW)) == 1
    assert (await verify(store, await store.head())).count == 2


async def test_a_missing_folder_is_an_error_to_try_again_after(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'later' / 'triage.db'}")
    with pytest.raises(StoreError, match=r"triage\.db"):
        await store.open()
    (tmp_path / "later").mkdir()
    await store.open()
    await store.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "triage.db").write_text("this is a diary, not a database\n" * 500)
    with pytest.raises(StoreRefusedError, match="backup"):
        await SqlStore(f"sqlite:///{tmp_path / 'triage.db'}").open()


async def test_broken_utf_8_harms_its_own_row_alone(on_file: SqlBacking) -> None:
    store = await on_file.open()
    await store.commit(incidents(incident("I1"), incident("I2")))
    on_file.execute("UPDATE incidents SET doc = CAST(x'7b22696422ff' AS TEXT) WHERE id = 'I2'")
    assert [one.id for one in (await store.load(NOW)).incidents] == ["I1"]
    assert on_file.asides() == [("incident", "I2")]
    assert [one["id"] for one in (await store.page("incident", {}, None, 10)).items] == ["I1"]
    assert await store.fetch("incident", "I2") is None


async def test_an_unreadable_journal_record_is_named_by_the_chain(sql_backing: SqlBacking) -> None:
    store = await sql_backing.open()
    await store.commit(Changes(journal=[line(1), line(2)]))
    sql_backing.execute("UPDATE journal SET data = '{' WHERE seq = 2")
    assert (await verify(store)).bad == 2
    assert [entry.kind for entry in await store.timeline("I1")] == ["note", "undecodable"]


# PostgreSQL.


class Wire:
    """A TCP way to the server that can be cut around a commit."""

    def __init__(self, url: str) -> None:
        self._server_url = sa.make_url(url)
        self.cut: str | None = None  # "before" or "after" the server has seen the next COMMIT
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Wire]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        url = self._server_url.set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
        self.url = url.render_as_string(hide_password=False)
        try:
            yield self
        finally:
            server.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        folder = self._server_url.query.get("host")
        if isinstance(folder, str):
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        return await asyncio.open_connection(self._server_url.host, self._server_url.port or 5432)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await self._reach()
        back = asyncio.ensure_future(self._pump(from_server, writer))
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if self.cut is not None and b"COMMIT" in data:
                    back.cancel()
                    await asyncio.wait([back])
                    if self.cut == "after":
                        to_server.write(data)
                        await from_server.read(1)
                    self.cut = None
                    break
                to_server.write(data)
        writer.close()
        to_server.close()
        back.cancel()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_connection_lost_at_the_commit_leaves_one_copy(postgres_url: str, cut: str) -> None:
    async with Wire(postgres_url).open() as wire:
        store = SqlStore(wire.url)
        await store.migrate()
        for number in range(5):
            changes = Changes(journal=[line(number)], moments=[Moment(pile="P1", at=NOW)])
            wire.cut = cut
            with pytest.raises(StoreError):
                await store.commit(changes)
            assert len(await texts(store)) == number + (cut == "after")
            changes.absorb(incidents(incident(f"I{number}")))
            await store.commit(changes)
        assert await texts(store) == [f"line {number}" for number in range(5)]
        assert len((await store.load(NOW)).incidents) == 5
        assert (await verify(store, await store.head())).count == 5
        await store.close()


async def test_a_database_that_went_away_and_came_back(postgres_url: str) -> None:
    store = SqlStore(postgres_url)
    await store.migrate()
    await store.commit(Changes(journal=[line(1)]))
    backing = SqlBacking(postgres_url)
    backing.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(StoreError):
        await store.commit(Changes(journal=[line(2)]))
    await store.commit(Changes(journal=[line(2)]))
    assert await texts(store) == ["line 1", "line 2"]
    await store.close()


async def test_a_server_that_is_not_there() -> None:
    store = SqlStore("postgresql://ann:secret-word@127.0.0.1:1/triage")
    with pytest.raises(StoreError) as told:
        await store.open()
    assert "secret-word" not in str(told.value)


async def test_a_read_only_server_is_an_error_to_try_again_after(postgres_url: str) -> None:
    store = SqlStore(postgres_url)
    await store.migrate()
    backing = SqlBacking(postgres_url)
    name = sa.make_url(postgres_url).database
    backing.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await store.close()
    with pytest.raises(StoreError, match="read-only"):
        await store.commit(Changes(journal=[line()]))
    backing.execute(f"SET transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only")
    await store.close()
    await store.commit(Changes(journal=[line()]))
    await store.close()
