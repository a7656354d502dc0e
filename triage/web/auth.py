"""Who is asking, and what they may do. Tokens are random and long; only their SHA-256 is ever kept."""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from hashlib import sha256

from fastapi import Request
from msgspec import Struct

from triage.interfaces import Clock
from triage.web.parts import TokenEntry
from triage.web.problems import Problem

WINDOW_S = 60.0
MOST_FAILURES = 10
MOST_ADDRESSES = 4096
MOST_ACTOR = 64


class Role(IntEnum):
    """Roles; each may do what those before it may."""

    VIEWER = 1
    AGENT = 2
    DISPATCHER = 3
    OPERATOR = 4
    ADMIN = 5


class Caller(Struct, frozen=True):
    """Who asks; ``name`` goes into the journal."""

    name: str
    role: Role

    def at_least(self, role: Role) -> bool:
        """Whether this caller may do what ``role`` may."""
        return self.role >= role


class FailedAttempts:
    """Wrong tokens per client address, in a bounded table: the address that failed longest ago is forgotten first."""

    def __init__(self, clock: Clock, most: int = MOST_FAILURES, window_s: float = WINDOW_S) -> None:
        self._clock = clock
        self._most = most
        self._window_s = window_s
        self._seen: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Seconds until this address may try again; 0 while it may."""
        count, since = self._seen.get(address, (0, 0.0))
        left = since + self._window_s - self._clock.monotonic()
        if count < self._most or left <= 0:
            return 0
        return int(left) + 1

    def note(self, address: str) -> None:
        """One more failure."""
        now = self._clock.monotonic()
        count, since = self._seen.pop(address, (0, now))
        if now - since >= self._window_s:
            count, since = 0, now
        self._seen[address] = (count + 1, since)
        while len(self._seen) > MOST_ADDRESSES:
            self._seen.popitem(last=False)


class Doorkeeper:
    """Admits callers by their bearer token; without any tokens configured, everybody is admitted as administrator.

    Raises:
        ValueError: an entry names a role that does not exist, or its digest is no SHA-256.
    """

    def __init__(self, tokens: Sequence[TokenEntry], clock: Clock) -> None:
        self._entries = [(Caller(name, _role(name, role)), _digest(name, digest)) for name, role, digest in tokens]
        self._failures = FailedAttempts(clock)

    @property
    def open(self) -> bool:
        """Whether no token is needed."""
        return not self._entries

    def admit(self, request: Request) -> Caller:
        """Tell who is asking.

        Raises:
            Problem: 401 without a valid token, 429 after too many wrong ones from one address.
        """
        if self.open:
            return Caller(_named(request), Role.ADMIN)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorized("this call needs a token: send the header Authorization: Bearer <token>")
        address = request.client.host if request.client else ""
        if wait_s := self._failures.wait_s(address):
            detail = f"too many wrong tokens from this address; try again in {wait_s} s"
            raise Problem(429, detail, headers={"Retry-After": str(wait_s)})
        if (caller := self._match(token.strip())) is None:
            self._failures.note(address)
            raise _unauthorized("this token is not known here")
        return caller

    def _match(self, token: str) -> Caller | None:
        presented = sha256(token.encode("utf-8", "replace")).digest()
        found = None
        for caller, kept in self._entries:  # every entry is compared, so that time tells nothing
            if hmac.compare_digest(presented, kept):
                found = caller
        return found


def needs(role: Role) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that admits callers of at least ``role``."""

    async def check(request: Request) -> Caller:
        doorkeeper: Doorkeeper = request.app.state.doorkeeper
        caller = doorkeeper.admit(request)
        if not caller.at_least(role):
            raise Problem(403, f"this needs the role {role.name.lower()}; yours is {caller.role.name.lower()}")
        return caller

    return check


def _unauthorized(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})


def _named(request: Request) -> str:
    name = request.headers.get("x-actor", "").strip()
    return name if name and len(name) <= MOST_ACTOR and name.isprintable() else "anonymous"


def _role(name: str, role: str) -> Role:
    try:
        return Role[role.upper()]
    except KeyError:
        known = ", ".join(each.name.lower() for each in Role)
        raise ValueError(f"token {name!r}: role {role!r} does not exist; the roles are {known}") from None


def _digest(name: str, digest: str) -> bytes:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise ValueError(f"token {name!r}: its digest must be a SHA-256 of 64 hexadecimal digits")
    return bytes.fromhex(digest)
