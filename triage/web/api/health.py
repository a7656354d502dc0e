"""For probes and scrapers: does the process live, what is degraded, the metrics. They need no token."""

from __future__ import annotations

from fastapi import APIRouter, Response

from triage.web.asking import FrontDoor
from triage.web.problems import reply

router = APIRouter(tags=["health"])

_INTAKE = ("database", "intake")
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz", summary="The process lives")
@router.head("/healthz", include_in_schema=False)
async def healthz(front: FrontDoor) -> Response:
    """Answers as long as the event loop turns."""
    return reply({"status": "ok", "release": front.parts.release})


@router.get("/readyz", summary="What is degraded; 503 when complaints cannot be taken")
@router.head("/readyz", include_in_schema=False)
async def readyz(front: FrontDoor) -> Response:
    """Every part by name, `ok` or what is wrong with it."""
    parts = dict(front.parts.live.health())
    shut = any(str(parts.get(name, "")).startswith("down:") for name in _INTAKE)
    degraded = sorted(name for name, words in parts.items() if words != "ok")
    status = "unavailable" if shut else "degraded" if degraded else "ok"
    headers = {"Retry-After": "5"} if shut else None
    return reply({"status": status, "degraded": degraded, "parts": parts}, 503 if shut else 200, headers)


@router.get("/metrics", summary="Figures for Prometheus")
async def metrics(front: FrontDoor) -> Response:
    """The exposition."""
    return Response(front.parts.metrics_exposition(), media_type=EXPOSITION)
