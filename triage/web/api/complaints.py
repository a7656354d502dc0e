"""Complaints: intake, reading, calling back, returning, closing, escalating."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from triage.core.events import CallbackGiven, ComplaintAct, ComplaintReceived, Reporter
from triage.core.vocabulary import Channel, Tier
from triage.web import present
from triage.web.api.callers import Agent, Viewer
from triage.web.asking import Front, FrontDoor, checked_id
from triage.web.auth import Caller, Role
from triage.web.bodies import CallbackBody, ComplaintBody, ReasonBody, ReporterBody
from triage.web.documented import KEYED, listed
from triage.web.listing import as_list, fetch_page, wanted
from triage.web.problems import FieldFault, Problem, no_such, reply
from triage.web.strict import StrictRoute

router = APIRouter(prefix="/complaints", tags=["complaints"], route_class=StrictRoute)

CLOCK_TOLERANCE = timedelta(minutes=5)


@router.post(
    "", status_code=201, summary="Record a complaint; the answer is committed when it is sent", openapi_extra=KEYED
)
async def create(request: Request, body: ComplaintBody, caller: Agent, front: FrontDoor) -> Response:
    """Record a complaint. The same Idempotency-Key again gives the same answer and no second complaint."""
    stamp = front.stamp(request, caller, "complaints", body)
    if body.occurred_at is not None and body.occurred_at > stamp["received_at"] + CLOCK_TOLERANCE:
        fault = FieldFault(
            field="occurred_at", problem="lies in the future", allowed="at most 5 minutes ahead of this server's clock"
        )
        raise Problem(422, "1 field(s) are not as they must be; see errors", errors=[fault])
    question = ComplaintReceived(
        **stamp,
        channel=Channel(body.channel),
        text=body.text,
        pile=body.pile,
        connector=body.connector,
        site=body.site,
        occurred_at=body.occurred_at,
        reporter=_reporter(body.reporter),
        expectation=body.expectation,
        reference=body.reference,
    )
    return await front.ask(question)


@router.get("", openapi_extra=listed("complaint"), summary="Complaints, newest first")
async def index(request: Request, caller: Viewer, front: FrontDoor) -> Response:
    """A page of complaints. Contacts are masked; what was written is shown to agents and above."""
    page = await fetch_page(front.queries, "complaint", wanted(request, "complaint"))
    words = caller.at_least(Role.AGENT)
    return reply(as_list([present.complaint(each, words=words) for each in page.items], page.next))


@router.get("/{number}", summary="One complaint with its timeline")
async def show(number: str, caller: Viewer, front: FrontDoor) -> Response:
    """One complaint."""
    queries = front.queries
    stored = await _stored(front, number)
    trusted = caller.at_least(Role.AGENT)
    return reply(present.complaint(stored, await queries.timeline(number), words=trusted, contact=trusted))


@router.post("/{number}/callback", summary="Record what the reporter said when called back", openapi_extra=KEYED)
async def callback(number: str, request: Request, body: CallbackBody, caller: Agent, front: FrontDoor) -> Response:
    """Record a callback; "not fixed" opens the matter again."""
    stamp = front.stamp(request, caller, f"complaints.callback/{checked_id('complaint', number)}", body)
    comment = body.comment or ""
    return await front.ask(
        CallbackGiven(**stamp, complaint=number, satisfied=body.satisfied, score=body.score, comment=comment)
    )


@router.post("/{number}/return", summary="Return a complaint that is not ours, with the reason", openapi_extra=KEYED)
async def give_back(number: str, request: Request, body: ReasonBody, caller: Agent, front: FrontDoor) -> Response:
    """Return a complaint."""
    return await _act("return", number, request, body, caller, front)


@router.post("/{number}/close", summary="Close a complaint, with the reason", openapi_extra=KEYED)
async def close(number: str, request: Request, body: ReasonBody, caller: Agent, front: FrontDoor) -> Response:
    """Close a complaint."""
    return await _act("close", number, request, body, caller, front)


@router.post("/{number}/escalate", summary="Escalate a complaint, with the reason", openapi_extra=KEYED)
async def escalate(number: str, request: Request, body: ReasonBody, caller: Agent, front: FrontDoor) -> Response:
    """Escalate a complaint."""
    return await _act("escalate", number, request, body, caller, front)


async def _act(act: str, number: str, request: Request, body: ReasonBody, caller: Caller, front: Front) -> Response:
    stamp = front.stamp(request, caller, f"complaints.{act}/{checked_id('complaint', number)}", body)
    return await front.ask(ComplaintAct(**stamp, complaint=number, act=act, reason=body.reason))


async def _stored(front: Front, number: str) -> dict[str, Any]:
    stored = await front.queries.fetch("complaint", checked_id("complaint", number))
    if stored is None:
        raise no_such("complaint", number)
    return stored


def _reporter(body: ReporterBody | None) -> Reporter:
    if body is None:
        return Reporter()
    tier = Tier(body.tier) if body.tier is not None else Tier.ORDINARY
    return Reporter(name=body.name, phone=body.phone, email=body.email, tier=tier)
