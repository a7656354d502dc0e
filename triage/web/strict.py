"""Reading JSON bodies strictly: no NaN, no lone surrogates, no recursion bombs, no other media type."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute

from triage.web.problems import Problem

MOST_BODY = 64 * 1024


class StrictRequest(Request):
    """A request whose body is decoded by rules tighter than the standard library's."""

    async def body(self) -> bytes:
        """Read the body, never more of it than is taken.

        Raises:
            Problem: 413, it is larger than :data:`MOST_BODY`.
        """
        if not hasattr(self, "_body"):
            declared = self.headers.get("content-length", "")
            if declared.isdecimal() and int(declared) > MOST_BODY:
                raise _too_large()
            read = bytearray()
            async for chunk in self.stream():
                read += chunk
                if len(read) > MOST_BODY:
                    raise _too_large()
            self._body = bytes(read)
        return self._body

    async def json(self) -> Any:
        """Decode the body.

        Raises:
            Problem: 400, it is no JSON document, or one with values that have no safe meaning.
        """
        try:
            return msgspec.json.decode(await self.body())
        except RecursionError:
            raise Problem(400, "the body is nested too deeply") from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise Problem(400, f"the body is not valid JSON: {exc}") from None


class StrictRoute(APIRoute):
    """A route that reads its body through :class:`StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given the strict request."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if self.body_field is not None:
                _check_media_type(request)
            return await inner(StrictRequest(request.scope, request.receive))

        return handle


def _too_large() -> Problem:
    return Problem(413, "the body is larger than 64 KiB", headers={"Connection": "close"})


def _check_media_type(request: Request) -> None:
    # A page of another origin can post text/plain without asking first, JSON it cannot: so only JSON is read.
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(415, "send the body as application/json (header Content-Type)")
