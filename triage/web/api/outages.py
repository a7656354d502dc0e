"""Outages: many piles failing together, with extent, likely cause and life."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from triage.web import present
from triage.web.api.callers import Viewer
from triage.web.asking import FrontDoor, checked_id
from triage.web.documented import listed
from triage.web.listing import as_list, fetch_page, wanted
from triage.web.problems import no_such, reply
from triage.web.strict import StrictRoute

router = APIRouter(prefix="/outages", tags=["outages"], route_class=StrictRoute)


@router.get("", openapi_extra=listed("outage"), summary="Outages, newest first: many piles failing together")
async def index(request: Request, _: Viewer, front: FrontDoor) -> Response:
    """A page of outages with their extents, without their members."""
    page = await fetch_page(front.queries, "outage", wanted(request, "outage"))
    return reply(as_list([present.outage(each) for each in page.items], page.next))


@router.get("/{id}", summary="One outage: extent, likely cause, every member, work order, timeline")
async def show(id: str, _: Viewer, front: FrontDoor) -> Response:
    """One outage."""
    stored = await front.queries.fetch("outage", checked_id("outage", id))
    if stored is None:
        raise no_such("outage", id)
    return reply(present.outage(stored, await front.queries.timeline(id)))
