"""Piles: what is known of each, and actions a person wants on one."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from triage.core.events import CommandWanted
from triage.core.fleet import Pile
from triage.core.vocabulary import Action
from triage.web import present_pile
from triage.web.api.callers import Operator, Viewer
from triage.web.asking import FrontDoor, checked_id
from triage.web.bodies import CommandBody
from triage.web.documented import KEYED, listed
from triage.web.listing import Wanted, as_list, wanted
from triage.web.problems import FieldFault, Problem, no_such, reply
from triage.web.strict import StrictRoute

router = APIRouter(prefix="/piles", tags=["piles"], route_class=StrictRoute)


@router.get(
    "",
    openapi_extra=listed("pile"),
    summary="Piles in order of id; registered=false lists those that speak but are not in the fleet",
)
async def index(request: Request, _: Viewer, front: FrontDoor) -> Response:
    """A page of piles with the newest knowledge of each."""
    page = wanted(request, "pile")
    live = front.parts.live
    if page.filters.get("registered", "true") == "false":
        strangers = [present_pile.stranger(*each) for each in live.unregistered()]
        return reply(as_list([each for each in strangers if _as_wanted(each, page.filters)], None))
    return reply(_page(live.piles(), page))


@router.get("/{id}", summary="One pile: every value with the moment it was learned")
async def show(id: str, _: Viewer, front: FrontDoor) -> Response:
    """One pile."""
    live = front.parts.live
    pile = live.pile(checked_id("pile", id))
    if pile is None:
        raise no_such("pile", id)
    return reply(present_pile.full(pile, live.dialect(pile.registration.profile)))


@router.post("/{id}/commands", summary="Ask for an action on a pile; the same gates are asked", openapi_extra=KEYED)
async def command(id: str, request: Request, body: CommandBody, caller: Operator, front: FrontDoor) -> Response:
    """Ask for an action."""
    stamp = front.stamp(request, caller, f"piles.commands/{checked_id('pile', id)}", body)
    action = Action(body.action)
    return await front.ask(CommandWanted(**stamp, pile=id, action=action, connector=body.connector, reason=body.reason))


def _page(piles: Sequence[Pile], page: Wanted) -> dict[str, Any]:
    after = _after(page.cursor)
    found: list[dict[str, Any]] = []
    for pile in piles:
        if pile.id <= after:
            continue
        shown = present_pile.brief(pile)
        if not _as_wanted(shown, page.filters):
            continue
        if len(found) == page.limit:
            return as_list(found, _cursor(found[-1]["id"]))
        found.append(shown)
    return as_list(found, None)


def _as_wanted(shown: Mapping[str, Any], filters: Mapping[str, str]) -> bool:
    return all(_value(shown, name) == value for name, value in filters.items() if name != "registered")


def _value(shown: Mapping[str, Any], name: str) -> Any:
    return shown["link"]["value"] if name == "link" and "link" in shown else shown.get(name)


def _cursor(id: str) -> str:
    return urlsafe_b64encode(id.encode()).decode().rstrip("=")


def _after(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        text = ""
    if not text or _cursor(text) != cursor:
        fault = FieldFault(field="cursor", problem="not a cursor", allowed="a value of next from the page before")
        raise Problem(400, "the query is not as it must be; see errors", errors=[fault])
    return text
