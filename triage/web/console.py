"""The live page: a shell rendered here, filled by its own script from the API."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, select_autoescape

from triage.web.asking import FrontDoor

router = APIRouter(include_in_schema=False)

_PAGES = Environment(loader=PackageLoader("triage.web"), autoescape=select_autoescape(default=True))
LANGUAGES = ("en", "zh")


@router.get("/")
async def console(request: Request, front: FrontDoor) -> Response:
    """The page's shell in the reader's language. It holds no data, so it needs no token."""
    language = preferred(request.headers.get("accept-language", ""))
    page = _PAGES.get_template("console.html").render(
        language=language,
        release=front.parts.release,
        token_needed=not request.app.state.doorkeeper.open,
    )
    return Response(page, media_type="text/html", headers={"Vary": "Accept-Language"})


def preferred(accept: str) -> str:
    """The best of :data:`LANGUAGES` for an Accept-Language header; English when in doubt."""
    best, best_weight = LANGUAGES[0], 0.0
    for part in accept[:500].split(","):
        tag, _, weight_text = part.partition(";q=")
        language = tag.strip().lower().partition("-")[0]
        weight = _weight(weight_text)
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(text: str) -> float:
    try:
        return float(text) if text.strip() else 1.0
    except ValueError:
        return 0.0


def install(api: FastAPI) -> None:
    """Serve the page and its files."""
    api.include_router(router)
    api.mount("/static", StaticFiles(directory=str(files("triage.web") / "static")), name="static")
