"""Statements over a pile's state history, and what is dropped when it is old enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Delete, Select, bindparam, delete, exists, func, select, tuple_

from triage.storage.tables import ANSWER, MOMENT, QUARANTINE

MOMENTS_LIMIT = 500
"""The most rows one look into a pile's history returns."""

ANSWERS_KEPT = timedelta(days=30)
QUARANTINE_KEPT = 10_000
"""The newest payloads nobody understood; older ones give way, and are counted."""

CHUNK = 200
"""Rows dropped in one transaction; a commit waits behind one such at most."""


_PILE = MOMENT.c.pile == bindparam("pile")
_NEWEST = (
    select(MOMENT.c.connector, func.max(MOMENT.c.at_us).label("at_us"))
    .where(_PILE, MOMENT.c.at_us <= bindparam("since_us"))
    .group_by(MOMENT.c.connector)
    .subquery()
)
STANDING = (
    select(MOMENT)
    .join(_NEWEST, (_NEWEST.c.connector == MOMENT.c.connector) & (_NEWEST.c.at_us == MOMENT.c.at_us))
    .where(_PILE)
    .order_by(MOMENT.c.at_us, MOMENT.c.seq)
)
"""Per connector of ``pile`` the rows that held at ``since_us`` (several of one moment: the last written counts)."""

WINDOW = (
    select(MOMENT)
    .where(_PILE, MOMENT.c.at_us > bindparam("since_us"), MOMENT.c.at_us <= bindparam("until_us"))
    .order_by(MOMENT.c.at_us.desc(), MOMENT.c.seq.desc())
    .limit(MOMENTS_LIMIT)
)
"""The newest rows of ``pile`` after ``since_us`` until ``until_us``, newest first."""


class Pruned(Struct, frozen=True):
    """How many rows were dropped, by table."""

    moments: int = 0
    answers: int = 0
    quarantine: int = 0


def bounded(standing: Sequence[Any], newest_first: Sequence[Any]) -> list[Any]:
    """What held at the start, then the changes in order of time; the oldest changes give way to the bound."""
    base = list(standing)[-MOMENTS_LIMIT:]
    changes = list(newest_first)[: MOMENTS_LIMIT - len(base)]
    return [*base, *reversed(changes)]


def outdated(cutoff_us: int, after: tuple[int, int]) -> Select[Any]:
    """The next rows that ended before the cutoff: another row of the same connector had taken over by then."""
    later = MOMENT.alias()
    replaced = exists().where(
        later.c.pile == MOMENT.c.pile,
        later.c.connector == MOMENT.c.connector,
        later.c.at_us.between(MOMENT.c.at_us, cutoff_us),
        tuple_(later.c.at_us, later.c.seq) > tuple_(MOMENT.c.at_us, MOMENT.c.seq),
    )
    place = tuple_(MOMENT.c.at_us, MOMENT.c.seq)
    return (
        select(MOMENT.c.at_us, MOMENT.c.seq)
        .where(MOMENT.c.at_us <= cutoff_us, place > tuple_(*after), replaced)
        .order_by(MOMENT.c.at_us, MOMENT.c.seq)
        .limit(CHUNK)
    )


def drop_moments(seqs: Sequence[int]) -> Delete:
    """Delete these rows."""
    return delete(MOMENT).where(MOMENT.c.seq.in_(seqs))


def drop_answers(cutoff_us: int) -> Delete:
    """Delete a chunk of answers older than the cutoff."""
    old = select(ANSWER.c.scope, ANSWER.c.key).where(ANSWER.c.at_us <= cutoff_us).limit(CHUNK)
    return delete(ANSWER).where(tuple_(ANSWER.c.scope, ANSWER.c.key).in_(old))


QUARANTINE_EDGE = select(QUARANTINE.c.id).order_by(QUARANTINE.c.id.desc()).offset(QUARANTINE_KEPT).limit(1)
"""The newest payload beyond the newest :data:`QUARANTINE_KEPT`, if there are so many."""


def drop_quarantine(edge: int) -> Delete:
    """Delete a chunk of the payloads up to ``edge``."""
    old = select(QUARANTINE.c.id).where(QUARANTINE.c.id <= edge).order_by(QUARANTINE.c.id).limit(CHUNK)
    return delete(QUARANTINE).where(QUARANTINE.c.id.in_(old))
