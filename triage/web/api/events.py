"""The stream of changes, as server-sent events."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from triage.errors import OverloadedError
from triage.web.api.callers import Viewer
from triage.web.asking import FrontDoor
from triage.web.bulletin import Bulletin, Subscription
from triage.web.problems import Problem

router = APIRouter(tags=["events"])


class NewsStream(StreamingResponse):
    """One reader's stream. It ends with the daemon, however the reader behaves, and never stays subscribed."""

    def __init__(self, bulletin: Bulletin, reader: Subscription, stop: asyncio.Event) -> None:
        super().__init__(reader.frames(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._bulletin = bulletin
        self._reader = reader
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client leaves or the daemon stops."""
        stopping = asyncio.ensure_future(self._stop.wait())
        stopping.add_done_callback(lambda _: self._reader.close())
        try:
            await super().__call__(scope, receive, send)
        finally:
            stopping.cancel()
            self._bulletin.leave(self._reader)


@router.get("/events", summary="Changes as they happen (text/event-stream: events `change` and `gap`)")
async def events(_: Viewer, front: FrontDoor) -> Response:
    """Follow the changes. After a `gap`, or a new connection, read the lists again."""
    bulletin = front.parts.bulletin
    try:
        reader = bulletin.subscribe()
    except OverloadedError as exc:
        raise Problem(503, str(exc), headers={"Retry-After": "15"}) from None
    return NewsStream(bulletin, reader, front.parts.stop_event)
