"""A driver in front of a plant: a profile of its own, an inlet that can be waited at, and commands."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.integration.modbus_plant import Plant
from triage.config.profile.file import Profile
from triage.core.effects import Answer, Command
from triage.core.events import Ask, CommandAnswer, Event, Registration
from triage.core.vocabulary import Action
from triage.drivers.modbus.driver import ModbusDriver

PILE = "p-1"

E = TypeVar("E", bound=Event)

Plain = dict[str, Any]


class WallClock:
    """Both of the edge's clocks, as they are."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Inbox:
    """Keeps what is offered, and lets a test wait for it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._news = asyncio.Event()

    def offer(self, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        self.events.extend(events)
        self._news.set()

    async def submit(self, event: Ask) -> Answer:
        raise AssertionError(f"nobody asks here: {event}")

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def first(
        self, kind: type[E], holds: Callable[[E], bool] = lambda _: True, since: int = 0, timeout_s: float = 10.0
    ) -> E:
        """The first event of ``kind`` for which ``holds`` from the ``since``-th event on."""
        async with asyncio.timeout(timeout_s):
            while True:
                for event in self.events[since:]:
                    if isinstance(event, kind) and holds(event):
                        return event
                self._news.clear()
                await self._news.wait()


def profile(**changes: Any) -> Profile:
    """A made-up charger: status, fault, energy and power in holding registers, writes that reset it.

    ``modbus`` and ``registers`` change those sections, all else is a section of the profile.
    """
    registers: Plain = {
        "state": {"table": "holding", "address": 100, "type": "u16"},
        "error": {"table": "holding", "address": 101, "type": "u16"},
        "power": {"table": "holding", "address": 102, "type": "u32", "unit": "W"},
        "energy": {"table": "holding", "address": 104, "type": "u32", "unit": "Wh"},
        "uptime": {"table": "holding", "address": 106, "type": "u32", "unit": "s"},
        "model": {"table": "holding", "address": 200, "type": "text", "words": 4, "read": "start"},
        "firmware": {"table": "holding", "address": 204, "type": "u16", "read": "start"},
        "lock": {"table": "holding", "address": 300, "type": "u16", "access": "rw", "allowed": [0, 1]},
        "reset": {"table": "holding", "address": 400, "type": "u16", "access": "w", "forbidden": [0]},
    }
    registers.update(changes.pop("registers", {}))
    modbus: Plain = {"poll_s": 0.2, "timeout_s": 0.3, "retries": 1, "gap": 8, "registers": registers}
    modbus.update(changes.pop("modbus", {}))
    document: Plain = {
        "profile": "made_up",
        "title": {"en": "Made up", "zh": "虚构"},
        "vendor": "Nobody",
        "models": ["One"],
        "sources": ["this test"],
        "verified": "made up",
        "rated_power_w": 22_000,
        "modbus": modbus,
        "status": [{"from": "state", "map": {"0": "available", "1": "preparing", "2": "charging", "9": "faulted"}}],
        "faults": [{"from": "error", "codes": {"7": "InternalError", "8": "GroundFailure"}}],
        "readings": {"power_w": "power", "energy_wh": "energy"},
        "identity": {"model": "model", "firmware": "firmware", "expect": [{"model": "ONE"}]},
        "boot": {"uptime": "uptime"},
        "actions": {"reset_soft": action({"write": {"reset": 1}})},
    }
    document.update(changes)
    if document["modbus"]["registers"].get("model") is None:
        document["modbus"]["registers"] = {n: r for n, r in registers.items() if r is not None}
    return Profile.model_validate_json(json.dumps(document))


def action(*steps: Plain, **more: Any) -> Plain:
    return {"does": {"en": "something", "zh": "某事"}, "steps": list(steps), **more}


def fill(unit_holding: dict[int, int], **changes: int) -> None:
    """An idle device, as the made-up profile sees it."""
    values = {"state": 0, "error": 0, "power": 0, "energy": 5_000, "uptime": 1_000, "lock": 0, "firmware": 7} | changes
    unit_holding.update(
        {
            100: values["state"],
            101: values["error"],
            102: values["power"] >> 16,
            103: values["power"] & 0xFFFF,
            104: values["energy"] >> 16,
            105: values["energy"] & 0xFFFF,
            106: values["uptime"] >> 16,
            107: values["uptime"] & 0xFFFF,
            200: 0x4F4E,  # "ON"
            201: 0x4500,  # "E"
            202: 0,
            203: 0,
            204: values["firmware"],
            300: values["lock"],
        }
    )


def registration(plant: Plant, pile: str = PILE, unit: int | None = 1, connectors: int = 1) -> Registration:
    return Registration(
        pile=pile,
        site="s",
        region="r",
        profile="made_up",
        connectors=connectors,
        endpoint=f"127.0.0.1:{plant.port}",
        unit=unit,
    )


def command(
    wanted: Action = Action.RESET_SOFT, connector: int = 0, ttl_s: float = 60.0, pile: str = PILE, **args: str
) -> Command:
    now = datetime.now(UTC)
    return Command(
        id="i-1.1",
        site="s",
        pile=pile,
        driver_profile="made_up",
        action=wanted,
        connector=connector,
        issued_at=now,
        expires_at=now + timedelta(seconds=ttl_s),
        args=args,
    )


@contextlib.asynccontextmanager
async def driving(
    *devices: tuple[Registration, Profile], speed: float = 1.0, **options: Any
) -> AsyncIterator[tuple[ModbusDriver, Inbox]]:
    """A running driver."""
    driver, inbox = ModbusDriver(devices, clock=WallClock(), fresh_s=60.0, speed=speed, **options), Inbox()
    await driver.start(inbox)
    try:
        yield driver, inbox
    finally:
        async with asyncio.timeout(2.0):
            await driver.stop()


async def answer(inbox: Inbox) -> CommandAnswer:
    return await inbox.first(CommandAnswer, lambda each: each.command == "i-1.1")
