"""Work orders: why the field is sent, and what it reports."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from triage.core.events import OrderAct
from triage.web import present
from triage.web.api.callers import Dispatcher, Viewer
from triage.web.asking import FrontDoor, checked_id
from triage.web.bodies import OrderEventBody
from triage.web.documented import KEYED, listed
from triage.web.listing import as_list, fetch_page, wanted
from triage.web.problems import no_such, reply
from triage.web.strict import StrictRoute

router = APIRouter(prefix="/work-orders", tags=["work orders"], route_class=StrictRoute)


@router.get("", openapi_extra=listed("order"), summary="Work orders, newest first")
async def index(request: Request, _: Viewer, front: FrontDoor) -> Response:
    """A page of work orders, without their timelines."""
    page = await fetch_page(front.queries, "order", wanted(request, "order"))
    return reply(as_list([present.work_order(each) for each in page.items], page.next))


@router.get("/{id}", summary="One work order: reason, evidence, parts guess, clocks, visits, timeline")
async def show(id: str, _: Viewer, front: FrontDoor) -> Response:
    """One work order."""
    queries = front.queries
    stored = await queries.fetch("order", checked_id("work order", id))
    if stored is None:
        raise no_such("work order", id)
    return reply(present.work_order(stored, await queries.timeline(id)))


@router.post("/{id}/events", summary="What the field team reports", openapi_extra=KEYED)
async def report(id: str, request: Request, body: OrderEventBody, caller: Dispatcher, front: FrontDoor) -> Response:
    """Report a step of the team on its order."""
    stamp = front.stamp(request, caller, f"work-orders.events/{checked_id('work order', id)}", body)
    question = OrderAct(
        **stamp,
        order=id,
        act=body.event,
        reason=body.reason,
        cause=body.cause,
        work=body.work,
        parts=tuple(body.parts),
        no_fault_found=body.no_fault_found,
    )
    return await front.ask(question)
