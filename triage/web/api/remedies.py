"""Which remedy cured what, by model, firmware and fault."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from fastapi import APIRouter, Request, Response

from triage.core.remedies import Key, Remedies
from triage.web import present
from triage.web.api.callers import Viewer
from triage.web.asking import FrontDoor
from triage.web.documented import listed
from triage.web.listing import Wanted, as_list, wanted
from triage.web.problems import FieldFault, Problem, reply
from triage.web.strict import StrictRoute

router = APIRouter(prefix="/remedies", tags=["fleet"], route_class=StrictRoute)


@router.get(
    "",
    openapi_extra=listed("remedy"),
    summary="What each remedy cured by model, firmware and fault, with 95 % intervals, and what heals by itself",
)
async def index(request: Request, _: Viewer, front: FrontDoor) -> Response:
    """A page of records in order of model, firmware and fault."""
    page = wanted(request, "remedy")
    records = [each for each in front.parts.live.remedies() if _as_wanted(each, page)]
    start = _start(records, page.cursor)
    shown = records[start : start + page.limit]
    more = _cursor(shown[-1].key) if start + page.limit < len(records) else None
    return reply(as_list([present.remedies(each) for each in shown], more))


def _as_wanted(record: Remedies, page: Wanted) -> bool:
    known: dict[str, Any] = {
        "model": (record.model,),
        "firmware": (record.firmware,),
        "fault": (record.fault,),
        "action": [each.action.value for each in record.tries],
    }
    return all(value in known[name] for name, value in page.filters.items())


def _start(records: list[Remedies], cursor: str | None) -> int:
    if cursor is None:
        return 0
    for place, record in enumerate(records):
        if _cursor(record.key) == cursor:
            return place + 1
    fault = FieldFault(field="cursor", problem="not a cursor", allowed="a value of next from the page before")
    raise Problem(400, "the cursor is not understood; start again without it", errors=[fault])


def _cursor(key: Key) -> str:
    return sha256("\n".join(key).encode()).hexdigest()[:32]
