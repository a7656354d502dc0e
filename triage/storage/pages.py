"""What a page of a list is, whatever keeps it: filters, cursor, bounds. Pure; both stores use it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from triage.interfaces import Page
from triage.storage.documents import UndecodableError, decode, escape
from triage.storage.rows import LISTED, QUARANTINE_FILTERS

PAGE_LIMIT = 500
QUARANTINE = "quarantine"


class PageWanted(Struct, frozen=True):
    """A checked request: column values to match, the moment and id of the row to go on after, the bound."""

    kind: str
    filters: dict[str, str]
    after: tuple[int, str | int] | None
    limit: int


class Listed(Struct, frozen=True):
    """One row as a list needs it."""

    at_us: int
    id: str | int
    doc: str


def wanted(kind: str, filters: Mapping[str, str], cursor: str | None, limit: int) -> PageWanted:
    """Check a request.

    Raises:
        KeyError: there is no such list, or it has no such filter.
        ValueError: the cursor is none of ours.
    """
    known = QUARANTINE_FILTERS if kind == QUARANTINE else LISTED[kind].filters
    for name in filters:
        if name not in known:
            raise KeyError(f"{kind} has no filter {name!r}; it has {', '.join(known)}")
    values = {name: escape(value) for name, value in filters.items()}
    after = None if cursor is None else _read_cursor(kind, cursor)
    return PageWanted(kind, values, after, min(max(limit, 1), PAGE_LIMIT))


def page(kind: str, rows: Sequence[Listed], limit: int) -> Page:
    """The page of ``rows`` (one more than ``limit`` if there are more); what cannot be read is left out."""
    shown = rows[:limit]
    items = [item for row in shown if (item := document(kind, row)) is not None]
    more = _cursor(shown[-1]) if len(rows) > limit else None
    return Page(items=items, next=more)


def document(kind: str, row: Listed) -> dict[str, Any] | None:
    """A row's document as a JSON-ready dict; None if it is corrupt."""
    try:
        item = decode(row.doc, dict[str, Any])
    except UndecodableError:
        return None
    return {"id": row.id, **item} if kind == QUARANTINE else item


def _cursor(row: Listed) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([row.at_us, row.id])).decode().rstrip("=")


def _read_cursor(kind: str, cursor: str) -> tuple[int, str | int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        if kind == QUARANTINE:
            return msgspec.json.decode(text, type=tuple[int, int])
        return msgspec.json.decode(text, type=tuple[int, str])
    except (binascii.Error, ValueError):
        raise ValueError(f"the cursor does not belong to a list of {kind}; start again without one") from None
