"""The fleet as a whole: summary, plans, outages, quarantine, the kill switch."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from triage.core.events import KillSwitch
from triage.web import present
from triage.web.api.callers import Operator, Viewer
from triage.web.asking import FrontDoor
from triage.web.auth import Role
from triage.web.board import Board
from triage.web.bodies import KillSwitchBody
from triage.web.documented import KEYED, listed
from triage.web.listing import as_list, fetch_page, wanted
from triage.web.problems import reply
from triage.web.strict import StrictRoute

router = APIRouter(tags=["fleet"], route_class=StrictRoute)


@router.get("/summary", summary="The fleet in figures, with one tile a site")
async def summary(request: Request, _: Viewer) -> Response:
    """Counts by link and state; sites in trouble first."""
    return reply(await _board(request).fleet())


@router.get("/board", summary="Everything the live page shows: fleet, open incidents and orders, newest complaints")
async def board(request: Request, caller: Viewer) -> Response:
    """The board, at most a second old."""
    return reply(await _board(request).read(words=caller.at_least(Role.AGENT)))


@router.get("/plans", summary="The recovery plans in force")
async def plans(_: Viewer, front: FrontDoor) -> Response:
    """Every plan with its steps, mode and hash."""
    return reply(as_list([present.plan(each) for each in front.parts.live.plans()], None))


@router.get("/outages", summary="Outages: many piles failing together")
async def outages(_: Viewer) -> Response:
    """None are told apart from incidents yet."""
    return reply(as_list([], None))


@router.get("/quarantine", openapi_extra=listed("quarantine"), summary="Payloads nobody could understand, newest first")
async def quarantine(request: Request, _: Viewer, front: FrontDoor) -> Response:
    """A page of samples."""
    page = await fetch_page(front.queries, "quarantine", wanted(request, "quarantine"))
    return reply(as_list(page.items, page.next))


@router.get("/kill-switch", summary="Whether changing commands are stopped, and why")
async def kill_switch(_: Viewer, front: FrontDoor) -> Response:
    """The switch."""
    reason = front.parts.live.kill_switch()
    return reply({"on": reason is not None, "reason": reason})


@router.put("/kill-switch", summary="Stop every changing command, or allow them again", openapi_extra=KEYED)
async def throw(request: Request, body: KillSwitchBody, caller: Operator, front: FrontDoor) -> Response:
    """Throw the switch."""
    stamp = front.stamp(request, caller, "kill-switch", body)
    return await front.ask(KillSwitch(**stamp, on=body.on, reason=body.reason))


def _board(request: Request) -> Board:
    board: Board = request.app.state.board
    return board
