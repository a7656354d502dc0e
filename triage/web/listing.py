"""Lists: which filters each kind takes, cursors, limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from msgspec import Struct

from triage.interfaces import Page, Queries
from triage.web.problems import FieldFault, Problem

DEFAULT_LIMIT = 50
MOST_ITEMS = 200
MOST_VALUE = 200
_CURSOR = re.compile(r"[!-~]{1,500}")
_LIMIT = re.compile(r"[0-9]{1,4}")
_PAGING = ("cursor", "limit")

FILTERS: Mapping[str, tuple[str, ...]] = {
    "complaint": ("status", "category", "symptom", "pile", "site", "channel", "route", "grade", "incident"),
    "incident": ("state", "pile", "site", "region", "family", "kind", "close_code", "connector"),
    "order": ("state", "pile", "site", "region", "reason", "team", "incident"),
    "silence": ("pile", "site", "region"),
    "quarantine": ("driver", "reason", "pile"),
    "pile": ("site", "region", "profile", "model", "firmware", "team", "link", "state", "registered"),
}
"""What each list can be filtered by, in outward names."""

_STORED = {"complaint": {"status": "state"}}


class Wanted(Struct, frozen=True):
    """One page of one list, as asked for."""

    filters: dict[str, str]
    cursor: str | None
    limit: int


def wanted(request: Request, kind: str) -> Wanted:
    """Read filters, cursor and limit from the query.

    Raises:
        Problem: 400, naming every parameter that is wrong and what is allowed.
    """
    pairs = request.query_params.multi_items()
    faults = [fault for name, value in pairs if (fault := _fault(kind, name, value)) is not None]
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults += [FieldFault(field=name[:64], problem="given more than once", allowed="once") for name in twice]
    if faults:
        raise Problem(400, "the query is not as it must be; see errors", errors=faults)
    given = dict(pairs)
    limit = int(given.pop("limit", DEFAULT_LIMIT))
    return Wanted(filters=given, cursor=given.pop("cursor", None), limit=limit)


def _fault(kind: str, name: str, value: str) -> FieldFault | None:
    if name == "limit":
        fits = _LIMIT.fullmatch(value) and 1 <= int(value) <= MOST_ITEMS
        return None if fits else FieldFault(field=name, problem="out of range", allowed=f"1 to {MOST_ITEMS}")
    if name == "cursor":
        allowed = "a value of next from the page before"
        return None if _CURSOR.fullmatch(value) else FieldFault(field=name, problem="not a cursor", allowed=allowed)
    if name not in FILTERS[kind]:
        allowed = ", ".join((*FILTERS[kind], *_PAGING))
        return FieldFault(field=name[:64], problem="unknown filter", allowed=allowed)
    if not 0 < len(value) <= MOST_VALUE or not value.isprintable():
        return FieldFault(field=name, problem="not a value", allowed=f"1 to {MOST_VALUE} printable characters")
    return None


async def fetch_page(queries: Queries, kind: str, page: Wanted) -> Page:
    """The page from storage.

    Raises:
        Problem: 400, storage does not know a filter, a value or the cursor.
    """
    stored = {_STORED.get(kind, {}).get(name, name): value for name, value in page.filters.items()}
    try:
        return await queries.page(kind, stored, page.cursor, page.limit)
    except KeyError as exc:
        unknown = str(exc.args[0]) if exc.args else ""
        allowed = ", ".join(name for name in FILTERS[kind] if name != unknown)
        fault = FieldFault(field=unknown[:64], problem="unknown filter", allowed=allowed)
        raise Problem(400, "the query is not as it must be; see errors", errors=[fault]) from None
    except ValueError as exc:
        detail = "the cursor or a filter's value is not understood; start again without the cursor"
        raise Problem(400, detail, errors=[FieldFault(field="cursor", problem=str(exc)[:200])]) from None


def as_list(items: list[dict[str, Any]], next_cursor: str | None) -> dict[str, Any]:
    """The outward form of a page."""
    return {"items": items, "next": next_cursor}
