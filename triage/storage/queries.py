"""The reading statements over entities and the journal."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, bindparam, literal, or_, select, tuple_
from sqlalchemy.sql.expression import ColumnElement

from triage.storage.documents import escape
from triage.storage.pages import QUARANTINE as QUARANTINE_LIST
from triage.storage.pages import PageWanted
from triage.storage.rows import PILE, Kind
from triage.storage.tables import ANSWER, ENTITIES, JOURNAL, JOURNAL_SUBJECT, QUARANTINE, SETTING

LOAD_BATCH = 5_000
ANSWER_BATCH = 500

# Building a statement costs more than running it: what every complaint asks is built once.
ANSWER_OF = select(ANSWER.c.doc).where(ANSWER.c.scope == bindparam("scope"), ANSWER.c.key == bindparam("key"))
"""The kept answer of ``scope`` and ``key``."""

ANSWERS_OF = select(ANSWER.c.doc).where(
    tuple_(ANSWER.c.scope, ANSWER.c.key).in_(bindparam("pairs", expanding=True)),
)
"""The kept answers of ``pairs``, at most :data:`ANSWER_BATCH`."""


def live(kind: Kind, cutoff_us: int, after: str | None) -> Select[Any]:
    """The next batch of documents the engine has to know, by id."""
    table = ENTITIES[kind.name]
    statement = select(table.c.id, table.c.doc)
    if after is not None:
        statement = statement.where(table.c.id > after)
    if kind is not PILE:
        statement = statement.where(table.c.live_us > cutoff_us)
    return statement.order_by(table.c.id).limit(LOAD_BATCH)


def settings() -> Select[Any]:
    """All settings."""
    return select(SETTING.c.key, SETTING.c.value).order_by(SETTING.c.key)


def one(kind: str, id: str) -> Select[Any]:
    """One entity's document."""
    table = ENTITIES[kind]
    return select(table.c.doc).where(table.c.id == escape(id))


def page(want: PageWanted) -> Select[Any]:
    """The rows of a page, and one more that tells whether another page follows."""
    table = QUARANTINE if want.kind == QUARANTINE_LIST else ENTITIES[want.kind]
    statement = select(table.c.at_us, table.c.id, table.c.doc)
    for name, value in want.filters.items():
        statement = statement.where(table.c[name] == value)
    if want.after is not None:
        statement = statement.where(_older(table.c.at_us, table.c.id, want.after))
    return statement.order_by(table.c.at_us.desc(), table.c.id.desc()).limit(want.limit + 1)


def _older(at_us: ColumnElement[Any], id: ColumnElement[Any], after: tuple[int, str | int]) -> ColumnElement[bool]:
    # The first condition alone lets the index find the place; the pair then settles equal moments.
    return and_(at_us <= after[0], or_(at_us < after[0], id < literal(after[1], id.type)))


def timeline(subject: str, limit: int) -> Select[Any]:
    """The newest lines of one subject, newest first."""
    return (
        select(JOURNAL)
        .join(JOURNAL_SUBJECT, JOURNAL_SUBJECT.c.seq == JOURNAL.c.seq)
        .where(JOURNAL_SUBJECT.c.subject == escape(subject))
        .order_by(JOURNAL_SUBJECT.c.seq.desc())
        .limit(limit)
    )


def records(after: int, limit: int) -> Select[Any]:
    """The next batch of the chain."""
    return select(JOURNAL).where(JOURNAL.c.seq > after).order_by(JOURNAL.c.seq).limit(limit)
