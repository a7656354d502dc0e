"""Incidents: what is wrong, what was tried, and what a person does about it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from triage.core.events import IncidentAct
from triage.web import present, present_pile
from triage.web.api.callers import Operator, Viewer
from triage.web.asking import FrontDoor, checked_id
from triage.web.bodies import IncidentActionBody
from triage.web.documented import KEYED, listed
from triage.web.listing import as_list, fetch_page, wanted
from triage.web.problems import no_such, reply
from triage.web.strict import StrictRoute

router = APIRouter(prefix="/incidents", tags=["incidents"], route_class=StrictRoute)


@router.get("", openapi_extra=listed("incident"), summary="Incidents, newest first")
async def index(request: Request, _: Viewer, front: FrontDoor) -> Response:
    """A page of incidents, without their timelines."""
    page = await fetch_page(front.queries, "incident", wanted(request, "incident"))
    return reply(as_list([present.incident(each) for each in page.items], page.next))


@router.get("/{id}", summary="One incident: faults, verdicts, attempts, refusals, work order, timeline")
async def show(id: str, _: Viewer, front: FrontDoor) -> Response:
    """One incident."""
    queries = front.queries
    stored = await queries.fetch("incident", checked_id("incident", id))
    if stored is None:
        raise no_such("incident", id)
    live = front.parts.live
    pile = live.pile(str(stored.get("pile")))
    dialect = None if pile is None else present_pile.profile(pile, live.dialect(pile.registration.profile))
    return reply(present.incident(stored, await queries.timeline(id)) | {"dialect": dialect})


@router.post(
    "/{id}/actions", summary="Retry, hold, release, dispatch, approve or dismiss, with the reason", openapi_extra=KEYED
)
async def act(id: str, request: Request, body: IncidentActionBody, caller: Operator, front: FrontDoor) -> Response:
    """Act on an incident; what was refused says why."""
    stamp = front.stamp(request, caller, f"incidents.actions/{checked_id('incident', id)}", body)
    return await front.ask(IncidentAct(**stamp, incident=id, act=body.action, reason=body.reason))
