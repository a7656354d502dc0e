"""Errors as RFC 9457 problem documents: what is wrong, where, and how to mend it. Never the offending input itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from msgspec import Struct
from starlette.exceptions import HTTPException

from triage.errors import StoreError
from triage.web.allowed import allowed_here

MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 50
"""Faults listed in one answer; a body of 64 KiB can hold thousands of unknown fields."""


class FieldFault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One wrong field: its dotted name, the problem in words, and what would be accepted."""

    field: str
    problem: str
    allowed: str = ""


class Problem(HTTPException):
    """An answer of status 400 or above."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldFault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the parts; ``detail`` is one sentence for the person who must mend it."""
        super().__init__(status, detail, dict(headers or {}))
        self.errors = tuple(errors)


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status, dict(headers or {}), "application/json")


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None
) -> Response:
    """A problem document; ``more`` are members beyond the standard ones."""
    body = {"type": "about:blank", "title": title(status), **(more or {}), "status": status}
    if detail:
        body["detail"] = detail
    return Response(msgspec.json.encode(body), status, dict(headers or {}), MEDIA_TYPE)


def title(status: int) -> str:
    """The usual name of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def no_such(kind: str, id: str) -> Problem:
    """The 404 of an entity; ``id`` has been checked to be harmless."""
    return Problem(404, f"there is no {kind} {id!r}")


async def _on_problem(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, Problem):
        raise exc
    more = {"errors": exc.errors[:MOST_FAULTS]} if exc.errors else None
    return problem(exc.status_code, exc.detail, exc.headers, more)


_DETAILS = {
    404: "nothing is served under this address; /api/openapi.json lists what is",
    405: "this address does not take this method",
}


async def _on_http(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    return problem(exc.status_code, _DETAILS.get(exc.status_code, str(exc.detail)), exc.headers)


async def _on_invalid(request: Request, exc: Exception) -> Response:
    if not isinstance(exc, RequestValidationError):
        raise exc
    found = exc.errors()
    faults = [_fault(request, error) for error in found[:MOST_FAULTS]]
    in_body = any(error["loc"][:1] == ("body",) for error in found)
    detail = f"{len(found)} field(s) are not as they must be; see errors"
    return problem(422 if in_body else 400, detail, None, {"errors": faults})


def _fault(request: Request, error: Mapping[str, Any]) -> FieldFault:
    place = [str(part)[:64] for part in error["loc"]]
    allowed = allowed_here(request, error)
    return FieldFault(field=".".join(place[1:]) or place[0], problem=str(error["msg"]), allowed=allowed)


async def _on_store(_: Request, __: Exception) -> Response:
    return problem(503, "the database cannot be read now", {"Retry-After": "5"})


async def _on_crash(_: Request, __: Exception) -> Response:
    return problem(500, "the daemon failed at this request; its log has the reason")


def install(api: FastAPI) -> None:
    """Render every error of ``api`` as a problem document."""
    api.add_exception_handler(Problem, _on_problem)
    api.add_exception_handler(HTTPException, _on_http)
    api.add_exception_handler(RequestValidationError, _on_invalid)
    api.add_exception_handler(StoreError, _on_store)
    api.add_exception_handler(Exception, _on_crash)
