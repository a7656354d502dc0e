"""An HTTP connection with patience: who sends or reads too slowly is let go, so that slow clients hold nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

RECEIVE_S = 15.0
"""Longest time for a whole request, head and body (64 KiB at most)."""
SEND_S = 30.0
"""Longest time a client may leave our bytes unread once its buffers are full."""


class GuardedProtocol(H11Protocol):
    """uvicorn's protocol with deadlines for receiving and for being read."""

    receive_s = RECEIVE_S
    send_s = SEND_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._receiving: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: its request is awaited from now on."""
        super().connection_made(transport)
        self._receiving = self.loop.call_later(self.receive_s, self._abort)

    def data_received(self, data: bytes) -> None:
        """Bytes came: the clock runs while a request is incomplete."""
        super().data_received(data)
        if self.conn.their_state in {h11.IDLE, h11.SEND_BODY}:
            if self._receiving is None:
                self._receiving = self.loop.call_later(self.receive_s, self._abort)
        else:
            self._receiving = _off(self._receiving)

    def pause_writing(self) -> None:
        """The client does not read: give it a while."""
        super().pause_writing()
        if self._sending is None:
            self._sending = self.loop.call_later(self.send_s, self._abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._sending = _off(self._sending)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone, and so are the deadlines."""
        self._receiving = _off(self._receiving)
        self._sending = _off(self._sending)
        super().connection_lost(exc)

    def _abort(self) -> None:
        self.transport.abort()


def _off(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None
