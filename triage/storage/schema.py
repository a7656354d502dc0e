"""Which schema a database has, and how it gets the newest one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from triage.errors import StoreRefusedError

NEWEST = "0001"
"""The newest revision in ``migrations/versions``; a test keeps them equal."""


def outdated(connection: Connection) -> bool:
    """Whether the database needs :func:`upgrade`: it is empty, or of an older version.

    Raises:
        StoreRefusedError: a newer version of the product wrote it.
    """
    present = _present(connection)
    if present == NEWEST:
        return False
    if present is not None and present not in _known():
        raise StoreRefusedError(
            f"the database has schema {present}, which this version does not know (its newest is "
            f"{NEWEST}): a newer version wrote it; install that one, or restore a backup"
        )
    return True


def upgrade(connection: Connection) -> None:
    """Bring the database to the newest schema, within the caller's transaction.

    Raises:
        StoreRefusedError: a newer version of the product wrote it.
    """
    if not outdated(connection):
        return
    from alembic import command  # noqa: PLC0415 - costs half a second, and a daemon that restarts needs none of it

    command.upgrade(_config(connection), "head")


def _present(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _known() -> set[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see upgrade()

    return {revision.revision for revision in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config(connection: Connection | None = None) -> Any:
    from alembic.config import Config  # noqa: PLC0415 - see upgrade()

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
