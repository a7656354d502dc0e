"""Silences: maintenance on a pile, a site or a region."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from triage.core.events import SilenceLifted, SilenceSet
from triage.web import present
from triage.web.api.callers import Operator, Viewer
from triage.web.asking import FrontDoor, checked_id
from triage.web.bodies import SilenceBody
from triage.web.documented import KEYED, listed
from triage.web.listing import as_list, fetch_page, wanted
from triage.web.problems import FieldFault, Problem, reply
from triage.web.strict import StrictRoute

router = APIRouter(prefix="/silences", tags=["silences"], route_class=StrictRoute)

LONGEST = timedelta(days=366)


@router.get("", openapi_extra=listed("silence"), summary="Silences, newest first")
async def index(request: Request, _: Viewer, front: FrontDoor) -> Response:
    """A page of silences; ``active`` tells whether one holds now."""
    page = await fetch_page(front.queries, "silence", wanted(request, "silence"))
    now = front.now()
    return reply(as_list([present.silence(each, now) for each in page.items], page.next))


@router.post("", status_code=201, summary="Silence exactly one pile, site or region for a time", openapi_extra=KEYED)
async def create(request: Request, body: SilenceBody, caller: Operator, front: FrontDoor) -> Response:
    """Set a silence."""
    stamp = front.stamp(request, caller, "silences", body)
    now = stamp["received_at"]
    starts_at = body.starts_at or now
    problem = ""
    if body.ends_at <= max(starts_at, now):
        problem = "is over before it begins"
    elif body.ends_at - starts_at > LONGEST:
        problem = "is too far away"
    if problem:
        allowed = f"after now and after starts_at, at most {LONGEST.days} days later"
        fault = FieldFault(field="ends_at", problem=problem, allowed=allowed)
        raise Problem(422, "1 field(s) are not as they must be; see errors", errors=[fault])
    question = SilenceSet(
        **stamp,
        starts_at=starts_at,
        ends_at=body.ends_at,
        reason=body.reason,
        pile=body.pile,
        site=body.site,
        region=body.region,
    )
    return await front.ask(question)


@router.delete("/{id}", summary="Lift a silence", openapi_extra=KEYED)
async def lift(id: str, request: Request, caller: Operator, front: FrontDoor) -> Response:
    """End a silence now."""
    stamp = front.stamp(request, caller, f"silences.lift/{checked_id('silence', id)}", None)
    return await front.ask(SilenceLifted(**stamp, silence=id))
