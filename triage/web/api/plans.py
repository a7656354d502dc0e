"""Recovery plans: those in force with their review and last drill, and the text of every plan that was ever run."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Response

from triage.core.effects import JournalEntry
from triage.core.plan import drills_of
from triage.web import present
from triage.web.api.callers import Viewer
from triage.web.asking import FrontDoor, checked_id
from triage.web.listing import as_list
from triage.web.problems import no_such, reply
from triage.web.strict import StrictRoute

router = APIRouter(prefix="/plans", tags=["plans"], route_class=StrictRoute)

HASH = re.compile(r"[0-9a-f]{64}\Z")
DRILLS_READ = 20


@router.get("", summary="The recovery plans in force, with review date and last drill")
async def index(_: Viewer, front: FrontDoor) -> Response:
    """Every plan with its steps, mode and hash; ``overdue`` tells that its review date has passed."""
    now = front.parts.clock.now()
    shown = [present.plan(each, now, await _drills(front, each.name)) for each in front.parts.live.plans()]
    return reply(as_list(shown, None))


@router.get("/{sha256}", summary="The very text a run was pinned to, by its hash, however long ago")
async def text(sha256: str, _: Viewer, front: FrontDoor) -> Response:
    """The text, kept since the first run; of a plan in force also before that."""
    if not HASH.match(checked_id("plan", sha256)):
        raise no_such("plan", sha256)
    stored = await front.queries.fetch("plan", sha256)
    if stored is not None:
        return reply(present.plan_text(stored))
    found = next((each for each in front.parts.live.plans() if each.sha256 == sha256), None)
    if found is None:
        raise no_such("plan", sha256)
    fresh: dict[str, Any] = {name: getattr(found, name) for name in ("sha256", "name", "version", "text")}
    return reply(present.plan_text(fresh))


async def _drills(front: FrontDoor, name: str) -> list[JournalEntry]:
    lines = await front.queries.timeline(drills_of(name), DRILLS_READ)
    return [each for each in lines if each.kind == "drill"]
