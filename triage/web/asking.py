"""Turning a request into a question for the engine, and its committed answer into a response."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, TypedDict

import msgspec
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from triage.core.effects import Answer
from triage.core.events import Ask
from triage.errors import OverloadedError, StoreError
from triage.interfaces import Queries
from triage.web.auth import Caller
from triage.web.parts import WebParts
from triage.web.problems import FieldFault, Problem, problem, reply

KEY = re.compile(r"[!-~]{1,200}")
ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
SOON_S, LATER_S = 1, 5
NO_CONTENT = 204


class Stamp(TypedDict):
    """The fields every question has."""

    received_at: datetime
    actor: str
    key: str | None
    scope: str
    digest: str


@dataclass(frozen=True, slots=True)
class Front:
    """The web room's side of the inlet."""

    parts: WebParts
    queries: Queries

    def now(self) -> datetime:
        """The present moment."""
        return self.parts.clock.now()

    def stamp(self, request: Request, caller: Caller, scope: str, body: BaseModel | None) -> Stamp:
        """Who asks, when, and the idempotency key with the digest of the body it belongs to.

        Raises:
            Problem: 400, the key is not as it must be.
        """
        content = body.model_dump(mode="json", exclude_none=True) if body is not None else {}
        return Stamp(
            received_at=self.now(),
            actor=caller.name,
            key=_key(request),
            scope=scope,
            digest=digest(content),
        )

    async def ask(self, question: Ask) -> Response:
        """Hand in a question and wait until its answer is committed.

        Raises:
            Problem: 503, it cannot be taken now; the same key may be sent again.
        """
        try:
            async with asyncio.timeout(self.parts.submit_timeout_s):
                return rendered(await self.parts.inlet.submit(question))
        except OverloadedError:
            raise _not_now("the daemon has too much at hand; nothing was accepted", SOON_S) from None
        except StoreError:
            raise _not_now("the database cannot keep anything now; nothing was accepted", LATER_S) from None
        except TimeoutError:
            detail = "no answer in time; whether it was accepted is not known: send it again with the same key"
            raise _not_now(detail, LATER_S) from None


def front_of(request: Request) -> Front:
    """The front of the application that serves ``request``."""
    front: Front = request.app.state.front
    return front


FrontDoor = Annotated[Front, Depends(front_of)]


def digest(content: Mapping[str, Any]) -> str:
    """The SHA-256 of a body in canonical form: keys sorted, no blanks, absent fields left out."""
    return sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def rendered(answer: Answer) -> Response:
    """The engine's answer as a response; errors become problem documents."""
    if answer.status == NO_CONTENT:
        return Response(status_code=NO_CONTENT)
    if answer.status < 400:  # noqa: PLR2004 - where HTTP's errors begin
        return reply(answer.body, answer.status)
    more = dict(answer.body)
    detail = str(more.pop("detail", "") or more.get("error", "") or more.get("reason", ""))
    return problem(answer.status, detail, None, more)


def checked_id(kind: str, id: str) -> str:
    """``id`` itself, when it can be one at all.

    Raises:
        Problem: 404, no id looks like this.
    """
    if not ID.fullmatch(id):
        raise Problem(404, f"there is no such {kind}: ids have letters, digits, dot, colon, dash and underscore only")
    return id


def _key(request: Request) -> str | None:
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not KEY.fullmatch(keys[0]):
        allowed = "one value of 1 to 200 visible ASCII characters"
        fault = FieldFault(field="Idempotency-Key", problem="not a key", allowed=allowed)
        raise Problem(400, "the header Idempotency-Key is not as it must be", errors=[fault])
    return keys[0]


def _not_now(detail: str, retry_s: int) -> Problem:
    return Problem(503, detail, headers={"Retry-After": str(retry_s)})
