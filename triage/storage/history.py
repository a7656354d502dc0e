"""Statements over a pile's state history, and what is dropped when it is old enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Delete, Select, delete, exists, func, select, tuple_

from triage.storage.documents import escape
from triage.storage.tables import ANSWER, MOMENT, QUARANTINE

MOMENTS_LIMIT = 500
"""The most rows one look into a pile's history returns."""

ANSWERS_KEPT = timedelta(days=30)
QUARANTINE_KEPT = 10_000
"""The newest payloads nobody understood; older ones give way, and are counted."""

CHUNK = 5_000


class Pruned(Struct, frozen=True):
    """How many rows were dropped, by table."""

    moments: int = 0
    answers: int = 0
    quarantine: int = 0


def standing(pile: str, since_us: int) -> Select[Any]:
    """Per connector the rows that held at ``since_us`` (several of one moment: the last written counts)."""
    newest = (
        select(MOMENT.c.connector, func.max(MOMENT.c.at_us).label("at_us"))
        .where(MOMENT.c.pile == escape(pile), MOMENT.c.at_us <= since_us)
        .group_by(MOMENT.c.connector)
        .subquery()
    )
    return (
        select(MOMENT)
        .join(newest, (newest.c.connector == MOMENT.c.connector) & (newest.c.at_us == MOMENT.c.at_us))
        .where(MOMENT.c.pile == escape(pile))
        .order_by(MOMENT.c.at_us, MOMENT.c.seq)
    )


def window(pile: str, since_us: int, until_us: int) -> Select[Any]:
    """The newest rows after ``since_us`` until ``until_us``, newest first."""
    return (
        select(MOMENT)
        .where(MOMENT.c.pile == escape(pile), MOMENT.c.at_us > since_us, MOMENT.c.at_us <= until_us)
        .order_by(MOMENT.c.at_us.desc(), MOMENT.c.seq.desc())
        .limit(MOMENTS_LIMIT)
    )


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


def drop_quarantine() -> Delete:
    """Delete a chunk of what lies beyond the newest :data:`QUARANTINE_KEPT` payloads."""
    newest = select(QUARANTINE.c.id).order_by(QUARANTINE.c.id.desc()).offset(QUARANTINE_KEPT).limit(CHUNK)
    return delete(QUARANTINE).where(QUARANTINE.c.id.in_(newest))
