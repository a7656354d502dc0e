"""News for open pages: each change is told to every reader; who reads too slowly is told that there is a gap."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from triage.errors import OverloadedError

KEEPALIVE_S = 15.0


class Subscription:
    """One reader's bounded queue. The oldest change gives way when it is full, for pages want the newest."""

    def __init__(self, most: int) -> None:
        self._waiting: deque[bytes] = deque()
        self._most = most
        self._awake = asyncio.Event()
        self._missed = 0
        self._open = True

    def put(self, frame: bytes) -> bool:
        """Queue one frame; False when an older one had to give way."""
        full = len(self._waiting) >= self._most
        if full:
            self._waiting.popleft()
            self._missed += 1
        self._waiting.append(frame)
        self._awake.set()
        return not full

    def close(self) -> None:
        """End the stream; what is still queued is not sent."""
        self._open = False
        self._awake.set()

    def open(self) -> bool:
        """Whether it still goes on."""
        return self._open

    async def frames(self, keepalive_s: float = KEEPALIVE_S) -> AsyncIterator[bytes]:
        """The frames as they come, with a comment whenever nothing came for ``keepalive_s``."""
        while self.open():
            with suppress(TimeoutError):
                async with asyncio.timeout(keepalive_s):
                    await self._awake.wait()
            if self.open():
                yield self._take()

    def _take(self) -> bytes:
        if self._missed:
            missed, self._missed = self._missed, 0
            return frame("gap", {"missed": missed})
        if not self._waiting:
            return b": still here\n\n"
        head = self._waiting.popleft()
        if not self._waiting and self._open:
            self._awake.clear()
        return head


class Bulletin:
    """Where the application publishes changes. Used from the event loop's own thread only."""

    def __init__(self, *, queue: int = 256, readers: int = 100) -> None:
        self._readers: set[Subscription] = set()
        self._queue = queue
        self._most = readers
        self._number = 0
        self._closed = False
        self.dropped = 0
        """Frames that gave way to newer ones, over all readers."""

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return len(self._readers)

    def publish(self, change: Mapping[str, Any]) -> None:
        """Tell every reader. ``change`` is a small JSON-ready dict, such as ``{"kind": "incident", "id": …}``.

        It reaches every role, so it must hold no personal data. Never blocks, never raises for slow readers.
        """
        self._number += 1
        if not self._readers:
            return
        news = frame("change", change, self._number)
        for reader in self._readers:
            if not reader.put(news):
                self.dropped += 1

    def subscribe(self) -> Subscription:
        """Open a stream; :meth:`leave` must follow.

        Raises:
            OverloadedError: as many streams are open as are allowed, or the daemon is stopping.
        """
        if self._closed or len(self._readers) >= self._most:
            raise OverloadedError("no further event stream can be opened now")
        reader = Subscription(self._queue)
        self._readers.add(reader)
        return reader

    def leave(self, reader: Subscription) -> None:
        """Forget a reader."""
        reader.close()
        self._readers.discard(reader)

    def close(self) -> None:
        """End every stream, and open no other."""
        self._closed = True
        for reader in self._readers:
            reader.close()


def frame(event: str, data: Mapping[str, Any], number: int | None = None) -> bytes:
    """One server-sent event on the wire."""
    head = f"event: {event}\n" + ("" if number is None else f"id: {number}\n")
    return head.encode() + b"data: " + msgspec.json.encode(data) + b"\n\n"
