"""What one transaction is, written once for every database: work on a synchronous connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from triage.errors import TriageError

T = TypeVar("T")

TRANSACTION_TIMEOUT_S = 30
"""The longest a commit may take; a link gone dead is noticed no later."""


def kept(connection: Connection, work: Callable[[Connection], T]) -> T:
    """Do ``work`` in a transaction that is kept at its end, and undone by any error."""
    try:
        connection.begin()
        done = work(connection)
        connection.commit()
    except TriageError:
        raise
    except BaseException:
        # Whatever state it is in, the next try begins on a fresh connection.
        connection.invalidate()
        raise
    return done


def seen(connection: Connection, work: Callable[[Connection], T]) -> T:
    """Do ``work`` in a transaction of which nothing is to be kept."""
    return work(connection)
