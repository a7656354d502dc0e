"""What the OpenAPI document says beyond what the routes' signatures tell: filters, keys, errors."""

from __future__ import annotations

from typing import Any

from fastapi.security import HTTPBearer
from pydantic import BaseModel

from triage.web.listing import DEFAULT_LIMIT, FILTERS, MOST_ITEMS

BEARER = HTTPBearer(auto_error=False, description="A token with a role; needed unless the daemon runs without tokens")

KEYED: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "1 to 200 visible ASCII characters; the same key with the same body is done once",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        }
    ]
}


class FaultDocument(BaseModel):
    """One wrong field."""

    field: str
    problem: str
    allowed: str | None = None


class ProblemDocument(BaseModel):
    """RFC 9457: what is wrong, and how to mend it."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[FaultDocument] | None = None


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "A problem document (application/problem+json): what is wrong with the request",
        "model": ProblemDocument,
    },
    503: {"description": "Not now; Retry-After tells when", "model": ProblemDocument},
}


def listed(kind: str) -> dict[str, Any]:
    """The query parameters of a list."""
    text = {"type": "string", "maxLength": 200}
    filters = [{"name": name, "in": "query", "schema": text} for name in FILTERS[kind]]
    limit = {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": DEFAULT_LIMIT}
    cursor = {"name": "cursor", "in": "query", "schema": {"type": "string"}, "description": "next of the page before"}
    return {"parameters": [*filters, {"name": "limit", "in": "query", "schema": limit}, cursor]}
