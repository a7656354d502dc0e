"""Which schema a database has, and how it gets the newest one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from triage.errors import StoreRefusedError


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def outdated(connection: Connection) -> bool:
    """Whether the database needs :func:`upgrade`: it is empty, or of an older version.

    Raises:
        StoreRefusedError: a newer version of the product wrote it.
    """
    script = ScriptDirectory.from_config(_config())
    present = MigrationContext.configure(connection).get_current_revision()
    if present is not None and present not in {revision.revision for revision in script.walk_revisions()}:
        raise StoreRefusedError(
            f"the database has schema {present}, which this version does not know (its newest is "
            f"{script.get_current_head()}): a newer version wrote it; install that one, or restore a backup"
        )
    return present != script.get_current_head()


def upgrade(connection: Connection) -> None:
    """Bring the database to the newest schema, within the caller's transaction.

    Raises:
        StoreRefusedError: a newer version of the product wrote it.
    """
    if outdated(connection):
        command.upgrade(_config(connection), "head")
