"""What the web room is given by whoever wires it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from triage.interfaces import Clock, Inlet, LiveView, Queries
from triage.web.bulletin import Bulletin

TokenEntry = tuple[str, str, str]
"""A token's name, its role, and the SHA-256 of its text in hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """Everything the web room uses; it owns none of it.

    Args:
        inlet: takes what people ask.
        queries: reads entities and journals.
        live: the engine's present picture of the fleet.
        clock: both clocks of the edge.
        stop_event: set when the daemon stops; open streams end then.
        tokens: who may come in; empty means that no token is needed (loopback only).
        metrics_exposition: renders the metrics page.
        bulletin: where the application publishes changes for open pages.
        release: the product's version, shown on pages.
        submit_timeout_s: longest wait for a committed answer.
        read_timeout_s: longest wait for the database when reading.
    """

    inlet: Inlet
    queries: Queries
    live: LiveView
    clock: Clock
    stop_event: asyncio.Event
    tokens: tuple[TokenEntry, ...] = ()
    metrics_exposition: Callable[[], bytes] = bytes
    bulletin: Bulletin = field(default_factory=Bulletin)
    release: str = ""
    submit_timeout_s: float = 30.0
    read_timeout_s: float = 10.0
