"""The live page in a real browser: what it shows, that it follows, that it fits a phone, that text stays text."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.browser.chromium import Tab, chromium
from tests.unit.web.stand import (
    TOKENS,
    FixedLive,
    WallClock,
    a_complaint,
    a_fault,
    a_line,
    a_pile,
    an_incident,
    an_order,
    keep,
    parts_of,
)
from triage.core.events import Reporter
from triage.core.means import Dialect
from triage.core.vocabulary import (
    Category,
    CloseCode,
    ComplaintState,
    ComplaintSymptom,
    ConnectorStatus,
    Family,
    Grade,
    IncidentState,
    Link,
    OrderReason,
    OrderState,
    Priority,
    Verdict,
)
from triage.errors import StoreError
from triage.interfaces import Page
from triage.storage.memory import MemoryStore
from triage.web.parts import TokenEntry, WebParts
from triage.web.server import WebServer

pytestmark = [pytest.mark.browser, pytest.mark.integration]

NASTY = '<img src=x onerror="document.title=1"><script>document.title="owned"</script> \u202egnp.exe ' + "long" * 60
MANY_SITES = ("HARBOUR-01", "LIBRARY", "MARKET-HALL", "N-STATION", "PARK-AND-RIDE-EASTERN-RING-ROAD-7", "ZOO")


class MoodyStore(MemoryStore):
    """A store whose lists can be away for a while."""

    sick = False

    async def page(self, kind: str, filters: Mapping[str, str], cursor: str | None, limit: int) -> Page:
        if self.sick:
            raise StoreError("disk full")
        return await super().page(kind, filters, cursor, limit)


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with chromium(tmp_path / "profile") as opened:
        yield opened


@asynccontextmanager
async def served(tokens: tuple[TokenEntry, ...] = (), *, busy: bool = True) -> AsyncIterator[tuple[str, WebParts]]:
    store, live = MoodyStore(), FixedLive()
    if busy:
        await a_busy_day(store, live)
    parts = parts_of(tokens, WallClock(), store, live=live)
    server = WebServer(parts)
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}/", parts
    finally:
        await server.stop()


def live_of(parts: WebParts) -> FixedLive:
    assert isinstance(parts.live, FixedLive)
    return parts.live


def store_of(parts: WebParts) -> MoodyStore:
    assert isinstance(parts.queries, MoodyStore)
    return parts.queries


async def a_busy_day(store: MemoryStore, live: FixedLive) -> None:
    now = datetime.now(UTC)
    statuses = [
        ConnectorStatus.AVAILABLE,
        ConnectorStatus.CHARGING,
        ConnectorStatus.AVAILABLE,
        ConnectorStatus.FINISHING,
    ]
    live.fleet = [
        a_pile(n, site=MANY_SITES[n * len(MANY_SITES) // 41], now=now, status=statuses[n % 4]) for n in range(1, 37)
    ]
    live.fleet[3:4] = [a_pile(4, site="HARBOUR-01", now=now, faults=(a_fault(now),))]
    live.fleet.append(a_pile(37, site="ZOO", now=now, link=Link.OFFLINE))
    live.fleet.append(a_pile(38, site="ZOO", now=now, hazard="smoke was reported", hazard_at=now))
    live.fleet.append(a_pile(39, site="ZOO", now=now, link=Link.UNKNOWN, seen_since_start=False))
    live.strangers = [("HARBOUR-01", "X-1", now)]
    live.dialects = {"pile/v1": Dialect(driver="mqtt", doubts=("status state = 8: out of service", NASTY))}
    live.parts = {"database": "ok", "intake": "ok", "mqtt": "down: the broker at 127.0.0.1 refuses connections"}
    nobody = {"attempts": (), "refusals": (), "judgements": (), "complaints": (), "run": None}
    await keep(
        store,
        an_incident("I-1", now),
        an_incident(
            "I-2",
            now - timedelta(minutes=30),
            pile="P-038",
            site="ZOO",
            state=IncidentState.FIELD,
            family=Family.SAFETY,
            safety=True,
            summary="smoke was reported; nothing is reset",
            work_order="W-1",
            faults=(),
            **nobody,
        ),
        an_incident(
            "I-3",
            now - timedelta(minutes=2),
            pile="P-037",
            site="ZOO",
            connector=0,
            state=IncidentState.OBSERVING,
            family=Family.OFFLINE,
            summary="no link for 2 minutes",
            faults=(),
            **nobody,
        ),
        an_incident(
            "I-4", now, state=IncidentState.CLOSED, close_code=CloseCode.REPAIRED, closed_at=now, summary="gone"
        ),
        an_order("W-1", now, pile="P-038", reason=OrderReason.FORBIDDEN_SAFETY, priority=Priority.CRITICAL),
        an_order("W-2", now - timedelta(hours=3), pile="P-012", state=OrderState.EN_ROUTE, priority=Priority.NORMAL),
        a_complaint("C-1", now),
        a_complaint(
            "C-2",
            now - timedelta(hours=1),
            text=NASTY,
            pile=None,
            pile_text=NASTY[:200],
            incident=None,
            verdict=Verdict.BLIND,
            grade=Grade.MAJOR,
            safety=True,
            category=Category.SAFETY,
            symptom=ComplaintSymptom.SMOKE_FIRE,
            reporter=Reporter(),
        ),
        a_complaint("C-3", now - timedelta(hours=9), state=ComplaintState.CLOSED, text="billed twice"),
        a_line("I-1", now - timedelta(minutes=8), "held for 2 minutes: the incident is opened"),
        a_line("I-1", now - timedelta(minutes=4), "soft reset sent"),
    )


async def assert_fits(tab: Tab) -> None:
    wide = await tab.js(
        """[...document.querySelectorAll("body *")]
           .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
           .map((each) => each.tagName + "." + each.className).slice(0, 5)"""
    )
    assert wide == []
    assert await tab.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


async def text(tab: Tab, selector: str) -> str:
    return str(await tab.js(f"document.querySelector('{selector}').innerText"))


async def picture(tab: Tab, name: str) -> None:
    """Keep a picture when somebody wants to look."""
    if folder := os.environ.get("TRIAGE_PICTURES"):
        await tab.picture(Path(folder) / f"{name}.png")


@pytest.mark.parametrize(
    ("width", "dark", "language"),
    [(1280, False, "en"), (1280, True, "zh"), (360, False, "en"), (360, True, "zh"), (768, False, "en")],
)
async def test_page_shows_the_day_and_fits(tab: Tab, width: int, dark: bool, language: str) -> None:
    async with served() as (address, _):
        await tab.look(width, 1600, dark=dark, language=language, phone=width < 600)
        await tab.go(address)
        await tab.until("document.querySelectorAll('#incidents details').length === 3")
        await tab.until("document.querySelector('#live').classList.contains('good')")
        await tab.js("document.querySelector('#incidents details:nth-of-type(1) summary').click()")
        await tab.until("document.querySelector('#incidents details[open]')?.innerText.includes('state = 8')")
        await assert_fits(tab)
        await picture(tab, f"console-{width}-{language}")
        shown = await text(tab, "body")
        for words in (
            "P-001",
            "ZOO",
            "W-1",
            "C-1",
            "HARBOUR-01",
            "1.2.3",
            "the broker at 127.0.0.1 refuses connections",
        ):
            assert words in shown
        own = {"en": ("Open incidents", "commands allowed", "ago"), "zh": ("未结事件", "允许下发命令", "前")}
        for words in own[language]:
            assert words in shown
        assert "138****5678" not in await text(tab, "#incidents")
        assert "13812345678" not in shown
        assert "gone" not in shown
        assert tab.complaints == []


async def test_incident_unfolds_with_attempts_refusals_verdicts_and_timeline(tab: Tab) -> None:
    async with served() as (address, _):
        await tab.look(1280)
        await tab.go(address)
        await tab.until("document.querySelectorAll('#incidents details').length === 3")
        await tab.js(
            "[...document.querySelectorAll('#incidents summary')].find((s) => s.innerText.includes('P-001')).click()"
        )
        await tab.until("document.querySelector('#incidents details[open]')?.innerText.includes('soft reset sent')")
        shown = await text(tab, "#incidents details[open]")
        for words in (
            *("InternalError", "reset soft", "failed", "the fault is still claimed", "no new boot was seen"),
            *(
                "spacing",
                "the last reset is 4 minutes ago",
                "next look in",
                "× 3",
                "confirmed",
                "90 %",
                "internal-reset v3",
            ),
            *("Unverified facts of this model", "status state = 8: out of service", "onerror"),
        ):
            assert words in shown


async def test_unfolded_incident_stays_open_while_the_page_follows_changes(tab: Tab) -> None:
    async with served() as (address, parts):
        await tab.look(1280)
        await tab.go(address)
        await tab.until("document.querySelector('#live').classList.contains('good')")
        await tab.js(
            "[...document.querySelectorAll('#incidents summary')].find((s) => s.innerText.includes('P-001')).click()"
        )
        await tab.until("document.querySelector('#incidents details[open]')?.innerText.includes('soft reset sent')")
        now = datetime.now(UTC)
        await keep(store_of(parts), an_incident("I-9", now, pile="P-020", summary="freshly opened"))
        live_of(parts).stopped = "storm over the harbour"
        parts.bulletin.publish({"kind": "incident", "id": "I-9"})
        await tab.until("document.querySelector('#incidents').innerText.includes('freshly opened')")
        assert "soft reset sent" in await text(tab, "#incidents details[open]")
        assert "commands stopped: storm over the harbour" in await text(tab, "#switch")


async def test_text_of_people_stays_text(tab: Tab) -> None:
    async with served() as (address, _):
        await tab.look(360, phone=True)
        await tab.go(address)
        await tab.until("document.querySelector('#complaints').innerText.includes('onerror')")
        assert await tab.js("document.title") == "pile-triage"
        assert await tab.js("document.querySelectorAll('#board img, #board script').length") == 0
        await assert_fits(tab)


async def test_language_is_switched_and_remembered(tab: Tab) -> None:
    async with served() as (address, _):
        await tab.look(1280)
        await tab.go(address)
        await tab.until("document.querySelector('#t-incidents').innerText === 'Open incidents'")
        await tab.js("document.querySelector('#language').click()")
        await tab.until("document.querySelector('#t-incidents').innerText === '未结事件'")
        await tab.go(address)
        await tab.until("document.querySelector('#t-incidents')?.innerText === '未结事件'")
        assert await tab.js("document.documentElement.lang") == "zh"


async def test_token_is_asked_for_and_kept_for_the_tab(tab: Tab) -> None:
    async with served(TOKENS) as (address, _):
        await tab.look(360, phone=True)
        await tab.go(address)
        await tab.until("!document.querySelector('#token').hidden && document.querySelector('#board').hidden")
        await picture(tab, "token-360")
        enter = "document.querySelector('#token-text').value = '{}'; document.querySelector('#token').requestSubmit()"
        await tab.js(enter.format("wrong"))
        await tab.until("document.querySelector('#token-note').innerText.includes('not accepted')")
        assert await tab.js("sessionStorage.length") == 0
        await tab.js(enter.format("secret-viewer"))
        await tab.until("!document.querySelector('#board').hidden && document.querySelector('#token').hidden")
        await tab.until("document.querySelector('#live').classList.contains('good')")
        shown = await text(tab, "#complaints")
        assert "shown to agents" in shown
        assert "screen says error" not in shown
        assert await tab.js("localStorage.getItem('triage.token')") is None
        await tab.go(address)
        await tab.until("!document.querySelector('#board')?.hidden")


async def test_quiet_day_says_so(tab: Tab) -> None:
    async with served(busy=False) as (address, parts):
        live_of(parts).fleet = [a_pile(now=datetime.now(UTC))]
        await tab.look(1280, 700)
        await tab.go(address)
        await tab.until("document.querySelector('#incidents').innerText.includes('All quiet')")
        await picture(tab, "quiet-1280")
        assert await text(tab, "#banners") == ""


async def test_page_says_when_the_daemon_is_gone(tab: Tab) -> None:
    async with served() as (address, _):
        await tab.look(1280)
        await tab.go(address)
        await tab.until("document.querySelector('#live').classList.contains('good')")
    await tab.until("document.querySelector('#banners').innerText.includes('does not answer')")
    assert "no connection" in await text(tab, "#live")
    assert "P-001" in await text(tab, "#incidents")


async def test_page_says_when_the_database_is_away_and_recovers(tab: Tab) -> None:
    async with served() as (address, parts):
        await tab.look(1280)
        await tab.go(address)
        await tab.until("document.querySelector('#live').classList.contains('good')")
        store = store_of(parts)
        store.sick = True
        live_of(parts).parts["database"] = "down: disk full"
        parts.bulletin.publish({"kind": "health", "id": "database"})
        await tab.until("document.querySelector('#banners').innerText.includes('database cannot be read')")
        assert "Complaints cannot be taken now" in await text(tab, "#banners")
        assert "P-001" in await text(tab, "#incidents")
        store.sick = False
        live_of(parts).parts["database"] = "ok"
        parts.bulletin.publish({"kind": "health", "id": "database"})
        await tab.until("!document.querySelector('#banners').innerText.includes('database')")
