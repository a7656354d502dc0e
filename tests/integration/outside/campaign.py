"""Load for the kill campaign: piles that break and mend, teams, and people who insist until they are answered."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from typing import Any

import aiomqtt
import httpx

from tests.integration.outside.api import Api, Shown
from tests.integration.outside.pile import ScriptedPile, Temper

TEMPERS = (Temper.CURED, Temper.CURED, Temper.CURED_BY_HARD, Temper.NOT_CURED, Temper.IDLE, Temper.REFUSES)
CODES = ("InternalError", "InternalError", "InternalError", "CommunicationFault", "GroundFailure")
TEXTS = ("does not charge", "充不了电", "the screen is black", "the plug is stuck", "my card was charged twice")
BETWEEN_FAULTS_S = 0.12
BETWEEN_COMPLAINTS_S = 0.12
BETWEEN_VISITS_S = 0.25
RETRY_S = 0.25


class People:
    """Complain by HTTP with a key and insist until answered with 2xx, and by MQTT. ``numbers`` by reference."""

    def __init__(self, api: Api, piles: list[ScriptedPile], chance: random.Random) -> None:
        self.numbers: dict[str, str] = {}
        self.by_mqtt: list[str] = []
        self.contradictions: list[str] = []
        self.tries = 0
        self._api = api
        self._piles = piles
        self._chance = chance
        self._count = 0
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """No new complaints; what was begun is still insisted on."""
        self._stopped.set()

    async def by_http(self) -> None:
        while not self._stopped.is_set():
            self._count += 1
            reference = f"http-{self._count}"
            pile = self._chance.choice(self._piles)
            text = self._chance.choice(TEXTS)
            body = {"channel": "app", "pile": pile.id, "text": text, "reference": reference}
            await self._insist(reference, body)
            if self._chance.random() < 0.2:
                await self._insist(reference, body)
            await asyncio.sleep(BETWEEN_COMPLAINTS_S * self._chance.uniform(0.5, 1.5))

    async def _insist(self, reference: str, body: Shown) -> None:
        while True:
            self.tries += 1
            try:
                answer = await self._api.post("/complaints", body, reference)
            except httpx.HTTPError:
                await asyncio.sleep(RETRY_S)
                continue
            if answer.is_success:
                number = str(answer.json()["number"])
                if self.numbers.setdefault(reference, number) != number:
                    self.contradictions.append(f"{reference}: {self.numbers[reference]} and {number}")
                return
            assert answer.status_code >= 500, answer.text
            await asyncio.sleep(RETRY_S)

    async def by_broker(self, port: int) -> None:
        async with aiomqtt.Client("127.0.0.1", port, identifier="partner") as client:
            while not self._stopped.is_set():
                reference = f"mqtt-{len(self.by_mqtt) + 1}"
                pile = self._chance.choice(self._piles)
                body = {"id": reference, "pile": pile.id, "text": self._chance.choice(TEXTS), "reference": reference}
                await client.publish("pile/v1/complaints", json.dumps(body), qos=1)
                self.by_mqtt.append(reference)
                await asyncio.sleep(BETWEEN_COMPLAINTS_S * self._chance.uniform(1, 3))


class Misfortune:
    """Breaks piles, plugs cars in, and changes how they take a reset."""

    def __init__(self, piles: list[ScriptedPile], chance: random.Random) -> None:
        self.faults: Counter[str] = Counter()
        self._piles = piles
        self._chance = chance

    async def run(self) -> None:
        while True:
            await asyncio.sleep(BETWEEN_FAULTS_S)
            pile = self._chance.choice(self._piles)
            luck = self._chance.random()
            if not pile.faults and luck < 0.6:
                pile.temper = self._chance.choice(TEMPERS)
                code = self._chance.choice(CODES)
                self.faults[code] += 1
                pile.breaks(code)
            elif not pile.faults and luck < 0.75 and pile.session is None:
                pile.plug_in(f"tx-{self._chance.randrange(10**6)}")
            elif pile.session is not None:
                pile.unplug()
            elif luck > 0.93:
                pile.heals()


class Crew:
    """Takes every order through its visit, and mends the pile."""

    def __init__(self, api: Api, piles: list[ScriptedPile]) -> None:
        self.visits = 0
        self._api = api
        self._piles = {pile.id: pile for pile in piles}

    async def run(self) -> None:
        while True:
            try:
                for order in (await self._api.items("/work-orders", state="issued"))[:4]:
                    await self._visit(order)
            except (httpx.HTTPError, AssertionError):
                pass  # the daemon is down: the crew tries again
            await asyncio.sleep(BETWEEN_VISITS_S)

    async def _visit(self, order: Shown) -> None:
        for event in ("accept", "depart", "arrive"):
            await self._api.post(f"/work-orders/{order['id']}/events", {"event": event})
        self._piles[order["pile"]].heals()
        done = await self._api.post(f"/work-orders/{order['id']}/events", {"event": "done", "work": "mended"})
        self.visits += done.is_success


def repeated(piles: list[ScriptedPile]) -> dict[str, int]:
    """Reset commands that arrived, or were carried out, more than once."""
    arrived = Counter(each.id for pile in piles for each in pile.resets)
    found = {id: times for id, times in arrived.items() if times > 1}
    for pile in piles:
        found |= pile.doubles
    return found


def shortest_gap_s(piles: list[ScriptedPile]) -> float:
    """The shortest time between two resets at one pile, as they arrived."""
    gaps = [later.at_s - earlier.at_s for pile in piles for earlier, later in itertools.pairwise(pile.resets)]
    return min(gaps, default=float("inf"))


def overlapping(orders: list[Shown]) -> list[tuple[str, str]]:
    """Pairs of orders of one incident that were open at the same time."""
    found = []
    by_incident: dict[str, list[Shown]] = {}
    for order in orders:
        by_incident.setdefault(order["incident"], []).append(order)
    for together in by_incident.values():
        ordered = sorted(together, key=lambda each: str(each["opened_at"]))
        for earlier, later in itertools.pairwise(ordered):
            if earlier["closed_at"] is None or earlier["closed_at"] > later["opened_at"]:
                found.append((str(earlier["id"]), str(later["id"])))
    return found


def times_of(complaints: list[Shown]) -> Counter[Any]:
    """How often each reference is on record."""
    return Counter(each["reference"] for each in complaints)
