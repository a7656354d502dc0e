"""The crowd over HTTP: complaints go in until they are answered, and callbacks are given when asked for."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulators.people import Claim, Crowd, Submission
    from simulators.wire.api import Api
    from simulators.wire.berth import Berth
    from simulators.wire.pace import Pace

POSTING = 4
QUEUED = 10_000
LONGEST_LOOK_S = 0.5
POLL_S = 2.0


class PeopleOnTheWire:
    """Posts what the crowd writes. ``numbers`` maps each answered key to its complaint number."""

    def __init__(self, crowd: Crowd, api: Api, pace: Pace, berths: dict[str, Berth]) -> None:
        """``berths`` by pile id are where people look whether it works again."""
        self.counts: Counter[str] = Counter()
        self.numbers: dict[str, str] = {}
        self.refusals: list[str] = []
        self._crowd = crowd
        self._api = api
        self._pace = pace
        self._berths = berths
        self._queue: asyncio.Queue[Submission] = asyncio.Queue(QUEUED)
        self._keys: set[str] = set()
        self._claims: dict[str, Claim] = {}
        self._called: set[str] = set()

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            group.create_task(self._answer_calls())
            for _ in range(POSTING):
                group.create_task(self._post())

    async def _write(self) -> None:
        while True:
            for submission in self._crowd.advance(self._pace.now()):
                self.counts["repeated" if submission.key in self._keys else "submitted"] += 1
                self._keys.add(submission.key)
                await self._queue.put(submission)
            await asyncio.sleep(min(self._pace.wait_s(self._crowd.next_at()), LONGEST_LOOK_S))

    async def _post(self) -> None:
        while True:
            submission = await self._queue.get()
            answer = await self._api.post("/complaints", submission.body, submission.key)
            if not answer.is_success:
                self.counts["refused"] += 1
                self._remember_refusal(f"{answer.status_code} {answer.text[:200]}")
                continue
            self._answered(submission, answer.json())

    def _answered(self, submission: Submission, body: dict[str, Any]) -> None:
        number = str(body["number"])
        known = self.numbers.setdefault(submission.key, number)
        self.counts["answered_otherwise"] += known != number
        if number not in self._claims:
            self._claims[number] = submission.claim
            self.counts["answered"] += 1

    def _remember_refusal(self, text: str) -> None:
        if len(self.refusals) < 20:  # noqa: PLR2004 - a sample is enough to see why
            self.refusals.append(text)

    async def _answer_calls(self) -> None:
        while True:
            for incident in await self._api.items("/incidents", state="confirming"):
                for number in incident["complaints"]:
                    await self._be_called(str(number))
            await asyncio.sleep(POLL_S)

    async def _be_called(self, number: str) -> None:
        claim = self._claims.get(number)
        if claim is None or number in self._called:
            return
        self._called.add(number)
        condition = self._berths[claim.pile].pile.condition(claim.connector)
        answer = self._crowd.callback(claim, can_charge=condition.can_charge)
        if answer is None:
            self.counts["calls_unanswered"] += 1
            return
        reply = await self._api.post(f"/complaints/{number}/callback", answer, f"call-{number}")
        self.counts["calls_answered" if reply.is_success else "calls_refused"] += 1
