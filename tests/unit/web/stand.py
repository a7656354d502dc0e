"""A web room that stands alone: a scripted inlet, a fixed picture of the fleet, a real store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx

from triage.core.complaint import Complaint
from triage.core.effects import Answer, Changes, JournalEntry
from triage.core.events import Ask, Event, Quarantined, Registration, Reporter
from triage.core.fleet import Connector, Fault, Pile
from triage.core.incident import Attempt, Evidence, Incident, Judgement, PlanRun, Refusal
from triage.core.means import Dialect
from triage.core.plan import Plan, Step
from triage.core.silence import Silence
from triage.core.vocabulary import (
    Action,
    Category,
    Channel,
    ComplaintState,
    ComplaintSymptom,
    ConnectorStatus,
    Family,
    Gate,
    Grade,
    IncidentState,
    Link,
    Mode,
    OrderReason,
    OrderState,
    Priority,
    Result,
    Route,
    Verdict,
)
from triage.core.workorder import FieldClock, Visit, WorkOrder
from triage.storage.memory import MemoryStore
from triage.web.parts import TokenEntry, WebParts
from triage.web.server import create_api

NOW = datetime(2026, 5, 1, 8, 30, tzinfo=UTC)
ROLES = ("viewer", "agent", "dispatcher", "operator", "admin")
TOKENS: tuple[TokenEntry, ...] = tuple(
    (f"{role}-token", role, sha256(f"secret-{role}".encode()).hexdigest()) for role in ROLES
)
PHONE = "13812345678"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, start: datetime = NOW) -> None:
        self.wall = start
        self.steady = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def move(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds


class WallClock(HandClock):
    """For real servers: time passes."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class ScriptedInlet:
    """Keeps what it is asked; answers as told."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []
        self.reply: Callable[[Ask], Answer] = lambda _: Answer(status=200, body={"ok": True})
        self.hold: asyncio.Event | None = None

    def offer(self, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        raise NotImplementedError

    async def submit(self, event: Ask) -> Answer:
        self.asked.append(event)
        if self.hold is not None:
            await self.hold.wait()
        return self.reply(event)


@dataclass
class FixedLive:
    """The picture of the fleet, as set by the test."""

    fleet: list[Pile] = field(default_factory=list)
    strangers: list[tuple[str, str, datetime]] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=lambda: {"database": "ok", "intake": "ok"})
    stopped: str | None = None
    book: list[Plan] = field(default_factory=list)
    dialects: dict[str, Dialect] = field(default_factory=dict)

    def piles(self) -> Sequence[Pile]:
        return self.fleet

    def pile(self, id: str) -> Pile | None:
        return next((pile for pile in self.fleet if pile.id == id), None)

    def unregistered(self) -> Sequence[tuple[str, str, datetime]]:
        return self.strangers

    def health(self) -> Mapping[str, str]:
        return self.parts

    def kill_switch(self) -> str | None:
        return self.stopped

    def plans(self) -> Sequence[Plan]:
        return self.book

    def dialect(self, profile: str) -> Dialect | None:
        return self.dialects.get(profile)


@dataclass
class Stand:
    """The parts, and a client of the application over them."""

    parts: WebParts
    inlet: ScriptedInlet
    live: FixedLive
    store: MemoryStore
    clock: HandClock
    http: httpx.AsyncClient

    def last(self) -> Any:
        return self.inlet.asked[-1]


def parts_of(
    tokens: Sequence[TokenEntry] = (), clock: HandClock | None = None, store: MemoryStore | None = None, **more: Any
) -> WebParts:
    chosen: dict[str, Any] = {
        "inlet": ScriptedInlet(),
        "queries": store or MemoryStore(),
        "live": FixedLive(),
        "clock": clock or HandClock(),
        "stop_event": asyncio.Event(),
        "tokens": tuple(tokens),
        "metrics_exposition": lambda: b"triage_up 1\n",
        "release": "1.2.3",
    }
    return WebParts(**(chosen | more))


@asynccontextmanager
async def standing(tokens: Sequence[TokenEntry] = (), **more: Any) -> AsyncIterator[Stand]:
    clock, inlet, live, store = HandClock(), ScriptedInlet(), FixedLive(), MemoryStore()
    parts = parts_of(tokens, clock, store, inlet=inlet, live=live, **more)
    transport = httpx.ASGITransport(create_api(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield Stand(parts, inlet, live, store, clock, http)


def bearer(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer secret-{role}"}


# Samples -------------------------------------------------------------------------------------------------------------


def a_pile(number: int = 1, **more: Any) -> Pile:
    site = more.pop("site", f"SITE-{(number - 1) // 4 + 1}")
    known = Registration(pile=f"P-{number:03}", site=site, region="EAST", model="DC120", connectors=2, team="east-1")
    now = more.pop("now", NOW)
    gun = Connector(
        number=1,
        as_of=now,
        status=more.pop("status", ConnectorStatus.AVAILABLE),
        status_since=now - timedelta(hours=1),
        session_known=True,
        voltage_v=230.5,
    )
    chosen: dict[str, Any] = {
        "link": Link.ONLINE,
        "link_as_of": now - timedelta(seconds=30),
        "heard_at": now - timedelta(seconds=4),
        "seen_since_start": True,
        "connectors": (gun,),
        "firmware": "4.1",
        "boot_id": "b-7",
        "booted_at": now - timedelta(days=2),
    }
    return Pile(registration=known, **(chosen | more))


def a_fault(now: datetime = NOW, **more: Any) -> Fault:
    chosen: dict[str, Any] = {
        "code": "E77",
        "connector": 1,
        "name": "InternalError",
        "family": Family.INTERNAL,
        "since": now - timedelta(minutes=6),
        "info": "watchdog",
    }
    return Fault(**(chosen | more))


def an_incident(id: str = "I-1", now: datetime = NOW, **more: Any) -> Incident:
    seen = Evidence(at=now - timedelta(minutes=3), kind="fault_present", text="the fault is still claimed")
    tried = Attempt(
        id="A-1",
        step="soft",
        action=Action.RESET_SOFT,
        connector=0,
        sent_at=now - timedelta(minutes=4),
        expires_at=now - timedelta(minutes=3),
        verify_by=now + timedelta(minutes=1),
        answer="accepted",
        result=Result.FAILED,
        evidence=(seen,),
        reason="no new boot was seen",
    )
    refused = Refusal(
        gate=Gate.SPACING,
        reason="the last reset is 4 minutes ago",
        at=now - timedelta(minutes=1),
        next_look_at=now + timedelta(minutes=6),
        count=3,
    )
    judged = Judgement(complaint="C-1", verdict=Verdict.CONFIRMED, confidence=0.9, why="the fault was there then")
    chosen: dict[str, Any] = {
        "pile": "P-001",
        "site": "SITE-1",
        "region": "EAST",
        "connector": 1,
        "family": Family.INTERNAL,
        "kind": "fault_claimed",
        "state": IncidentState.HELD,
        "state_since": now - timedelta(minutes=1),
        "opened_at": now - timedelta(minutes=8),
        "wake_at": now + timedelta(minutes=6),
        "faults": ("InternalError",),
        "complaints": ("C-1",),
        "reporters": (PHONE,),
        "judgements": (judged,),
        "run": PlanRun(plan="internal-reset", version=3, sha256="ab" * 32, step=1),
        "attempts": (tried,),
        "refusals": (refused,),
        "summary": "controller claims an internal error",
    }
    return Incident(id=id, **(chosen | more))


def a_complaint(number: str = "C-1", now: datetime = NOW, **more: Any) -> Complaint:
    chosen: dict[str, Any] = {
        "channel": Channel.APP,
        "text": "the screen says error and nothing starts",
        "received_at": now - timedelta(minutes=5),
        "reporter": Reporter(name="Zhang San", phone=PHONE, email="zhang@example.org"),
        "category": Category.TECHNICAL_FAULT,
        "symptom": ComplaintSymptom.WONT_START,
        "safety": False,
        "why": "rule wont_start",
        "grade": Grade.ORDINARY,
        "priority": Priority.NORMAL,
        "route": Route.TECHNICAL,
        "state": ComplaintState.IN_PROGRESS,
        "state_since": now - timedelta(minutes=5),
        "pile": "P-001",
        "incident": "I-1",
        "verdict": Verdict.CONFIRMED,
        "expectation": "a working charger",
    }
    return Complaint(number=number, **(chosen | more))


def an_order(id: str = "W-1", now: datetime = NOW, **more: Any) -> WorkOrder:
    clock = FieldClock(name="accept", due_at=now + timedelta(minutes=20))
    visit = Visit(at=now - timedelta(minutes=1), act="accept", by="team east")
    chosen: dict[str, Any] = {
        "incident": "I-2",
        "pile": "P-002",
        "site": "SITE-1",
        "region": "EAST",
        "connector": 0,
        "reason": OrderReason.REMOTE_FAILED,
        "reason_text": "two resets were proven to have changed nothing",
        "state": OrderState.ISSUED,
        "state_since": now - timedelta(minutes=2),
        "opened_at": now - timedelta(minutes=2),
        "priority": Priority.HIGH,
        "team": "east-1",
        "evidence": ("reset_soft failed", "reset_hard failed"),
        "parts_guess": ("controller board",),
        "safety_notes": ("isolate before opening",),
        "clocks": (clock,),
        "visits": (visit,),
    }
    return WorkOrder(id=id, **(chosen | more))


def a_silence(id: str = "S-1", now: datetime = NOW, **more: Any) -> Silence:
    chosen: dict[str, Any] = {
        "starts_at": now - timedelta(hours=1),
        "ends_at": now + timedelta(hours=1),
        "reason": "paving",
        "by": "operator-token",
        "created_at": now - timedelta(hours=1),
        "site": "SITE-1",
    }
    return Silence(id=id, **(chosen | more))


def a_plan() -> Plan:
    step = Step(id="soft", action=Action.RESET_SOFT, proof=("booted", "fault_absent"), verify_s=300)
    return Plan(
        name="internal-reset",
        version=3,
        title={"en": "Reset the controller"},
        families=(Family.INTERNAL,),
        steps=(step,),
        mode=Mode.LIVE,
        deadline_s=1800,
        responsible="operations",
        review_by="2027-01-01",
        soak_s=120,
        exhausted="field",
        exhausted_reason=OrderReason.REMOTE_FAILED,
        sha256="ab" * 32,
        text="name: internal-reset",
    )


def a_sample(now: datetime = NOW) -> Quarantined:
    return Quarantined(
        received_at=now, driver="mqtt", reason="not_json", topic="t", sample=b"\xff{", size=2, sha256="cd" * 32
    )


def a_line(subject: str, now: datetime = NOW, text: str = "a gate refused") -> JournalEntry:
    return JournalEntry(at=now, subject=subject, kind="refused", actor="engine", text=text, data={"gate": "spacing"})


async def keep(store: MemoryStore, *things: Any) -> None:
    """Commit entities, samples and journal lines."""
    changes = Changes()
    for thing in things:
        match thing:
            case Incident():
                changes.incidents[thing.id] = thing
            case Complaint():
                changes.complaints[thing.number] = thing
            case WorkOrder():
                changes.orders[thing.id] = thing
            case Silence():
                changes.silences[thing.id] = thing
            case Quarantined():
                changes.quarantine.append(thing)
            case _:
                changes.journal.append(thing)
    await store.commit(changes)
