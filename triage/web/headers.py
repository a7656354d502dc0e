"""What every response says to browsers, and which host names a daemon without tokens answers to."""

from __future__ import annotations

from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage.web.problems import problem

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'"
)
_ALWAYS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class SafeHeaders:
    """Adds the headers that keep a browser from doing more than the page means."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and dress its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, dressed)


class LocalNames:
    """Refuses foreign host names where no token is asked for.

    A page elsewhere can let its own name point at this machine and so be of one origin with us; then it would need no
    token either. Addresses and names without a dot cannot be taken over that way.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when its Host is an address or a local name."""
        if scope["type"] == "http" and not is_local_name(Headers(scope=scope).get("host", "")):
            detail = "without tokens configured, only an address or a local host name is answered"
            await problem(421, detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_local_name(host: str) -> bool:
    """Whether a Host header holds an IP address or a name without a dot."""
    name = host[: host.rindex("]") + 1] if "]" in host else host.partition(":")[0]
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return "." not in name and ":" not in name
    return True
