"""Drivers who complain: what they met, what they write, and what they say when called back.

Pure: ``now`` is Unix time in seconds, chance comes from the ``random.Random`` handed in.

API::

    crowd = Crowd(rng, places, now, habits=Habits(), clock=Clock())   # places: [Place(pile, site, connectors)]
    crowd.meet(encounter)                        # from Pile.take_encounters()
    crowd.next_at() -> float
    crowd.advance(now) -> [Submission]           # due; .key is the Idempotency-Key, .body the JSON to POST
    crowd.callback(claim, can_charge=True) -> {"satisfied", "score", "comment"} or None when they stay silent

The same complaint may come twice with the same key and the same body: people tap again. ``Submission.claim`` is the
truth behind it: which pile and connector were really meant, which fault, and whether there was one at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulators.hardware.agenda import Agenda
from simulators.hardware.device import Clock, rfc3339
from simulators.sentences import SENTENCES
from simulators.words import Symptom

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from simulators.truth import Encounter

DAY_S = 86400.0
MINUTE_S = 60.0
BACKGROUND: tuple[tuple[Symptom, int], ...] = (
    (Symptom.OVERCHARGED, 16),
    (Symptom.NOT_REFUNDED, 12),
    (Symptom.PAYMENT, 6),
    (Symptom.BLOCKED_BAY, 16),
    (Symptom.DIRTY, 8),
    (Symptom.QUESTION, 18),
    (Symptom.SUGGESTION, 10),
    (Symptom.SLOW, 8),
    (Symptom.WONT_START, 4),  # the car's own trouble: the pile is sound
    (Symptom.DAMAGE, 2),
)
"""What people write about when nothing is wrong with the pile, and how often."""
CHANNELS = ("app", "app", "app", "qr", "qr", "hotline", "hotline", "chat", "email", "partner", "social", "regulator")
SURNAMES = {"zh": ("王", "李", "张", "陈", "周", "吴", "林", "何"), "en": ("Baker", "Mills", "Novak", "Ito", "Reyes")}
EXPECTATIONS = {
    "zh": ("请尽快修好", "请回电说明", "要求退款", "希望派人看一下"),
    "en": ("please repair it", "please call me back", "I want a refund", "please send somebody"),
}
REMARKS: dict[str, dict[bool, tuple[str, ...]]] = {
    "zh": {True: ("可以用了，谢谢", "好了", "今天充上了"), False: ("还是不行", "没修好，又去试了", "一样充不了")},
    "en": {True: ("works again, thanks", "all fine now", "charged today"), False: ("still broken", "no better")},
}
VAGUE = {
    "zh": ("进门左手第二台", "靠墙那台", "停车场最里面的桩", "不知道编号"),
    "en": ("second one from the left", "the one by the wall", "unknown", "charger next to the exit"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A pile as the public sees it."""

    pile: str
    site: str
    connectors: int
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Shares and rates of what people do.

    ``complains`` after a failed try, ``complains_danger`` after a frightening one, ``complains_slow`` after a slow one;
    ``background_per_day`` complaints per pile with nothing wrong. Delays are drawn evenly within one of the two ranges.
    """

    complains: float = 0.3
    complains_danger: float = 0.95
    complains_slow: float = 0.15
    background_per_day: float = 0.03
    soon_s: tuple[float, float] = (20.0, 15 * MINUTE_S)
    later_s: tuple[float, float] = (20 * MINUTE_S, 5 * 60 * MINUTE_S)
    later: float = 0.2
    twice: float = 0.06
    neighbour: float = 0.05
    other_connector: float = 0.06
    unnamed: float = 0.06
    vague: float = 0.04
    answers_call: float = 0.7
    vip: float = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The truth behind a complaint. ``fault`` is ``None`` when the pile was sound; ``named`` is the pile they named."""

    key: str
    pile: str
    connector: int
    symptom: Symptom
    language: str
    at: float
    fault: str | None = None
    danger: bool = False
    named: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A complaint on its way: ``body`` is the JSON of ``POST /api/v1/complaints``, ``repeat`` marks a second tap."""

    at: float
    key: str
    body: dict[str, Any]
    claim: Claim
    repeat: bool = False


class Crowd:
    """Everybody who uses the fleet."""

    def __init__(
        self,
        rng: Random,
        places: Sequence[Place],
        now: float,
        *,
        habits: Habits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Know the places; background complaints begin at ``now``."""
        self._rng = rng
        self._places = list(places)
        self._by_pile = {place.pile: place for place in places}
        self._habits = habits or Habits()
        self._clock = clock or Clock()
        self._agenda = Agenda()
        self._due: list[Submission] = []
        self._written = 0
        self._await_background(now)

    def next_at(self) -> float:
        """When somebody will write next."""
        return self._agenda.next_at()

    def advance(self, now: float) -> list[Submission]:
        """What was written until ``now``."""
        while self._agenda.next_at() <= now:
            self._agenda.run_next()
        due, self._due = self._due, []
        return due

    def meet(self, encounter: Encounter) -> None:
        """A driver met a pile; whoever was let down may write."""
        place = self._by_pile.get(encounter.pile)
        if place is None or encounter.symptom is None:
            return
        chance = self._habits.complains_slow if encounter.charged else self._habits.complains
        if encounter.danger:
            chance = self._habits.complains_danger
        if self._rng.random() >= chance:
            return
        later = not encounter.danger and self._rng.random() < self._habits.later
        wait_s = self._rng.uniform(*(self._habits.later_s if later else self._habits.soon_s))
        self._agenda.add(encounter.at + wait_s, lambda at: self._write(at, place, encounter))

    def callback(self, claim: Claim, *, can_charge: bool) -> dict[str, Any] | None:
        """What they say when called back, honestly; ``None`` if they do not answer."""
        rng = self._rng
        if rng.random() >= self._habits.answers_call:
            return None
        score = rng.choice((4, 5, 5)) if can_charge else rng.choice((1, 1, 2))
        remark: str = rng.choice(REMARKS[claim.language][can_charge])
        return {"satisfied": can_charge, "score": score, "comment": remark}

    def _await_background(self, now: float) -> None:
        rate = self._habits.background_per_day * len(self._places)
        if rate > 0:
            self._agenda.add(now + self._rng.expovariate(rate / DAY_S), self._background)

    def _background(self, now: float) -> None:
        self._await_background(now)
        rng = self._rng
        place = rng.choice(self._places)
        symptoms, weights = zip(*BACKGROUND, strict=True)
        symptom: Symptom = rng.choices(symptoms, weights)[0]
        self._submit(now, place, rng.randint(1, place.connectors), symptom, None, now - rng.uniform(0, DAY_S / 2))

    def _write(self, now: float, place: Place, encounter: Encounter) -> None:
        symptom = encounter.symptom or Symptom.WONT_START
        self._submit(now, place, encounter.connector, symptom, encounter, encounter.at)

    def _submit(
        self, now: float, place: Place, connector: int, symptom: Symptom, encounter: Encounter | None, happened: float
    ) -> None:
        rng = self._rng
        self._written += 1
        key = f"c-{self._written:06d}-{rng.getrandbits(40):010x}"
        language = place.language if rng.random() < 0.8 else rng.choice(("zh", "en"))  # noqa: PLR2004 - visitors
        body = self._body(language, symptom, happened) | self._naming(place, connector, language)
        claim = Claim(
            key=key,
            pile=place.pile,
            connector=connector,
            symptom=symptom,
            language=language,
            at=happened,
            fault=encounter.fault if encounter else None,
            danger=encounter.danger if encounter else False,
            named=body.get("pile"),
        )
        submission = Submission(at=now, key=key, body=body, claim=claim)
        self._due.append(submission)
        if rng.random() < self._habits.twice:
            self._agenda.add(now + rng.uniform(1.0, 120.0), lambda at: self._again(at, submission))

    def _again(self, now: float, first: Submission) -> None:
        self._due.append(Submission(at=now, key=first.key, body=first.body, claim=first.claim, repeat=True))

    def _body(self, language: str, symptom: Symptom, happened: float) -> dict[str, Any]:
        rng = self._rng
        body: dict[str, Any] = {
            "channel": rng.choice(CHANNELS),
            "text": rng.choice(SENTENCES[language][symptom]),
            "reporter": self._reporter(language),
        }
        if rng.random() < 0.7:  # noqa: PLR2004 - the rest give no time
            body["occurred_at"] = rfc3339(self._clock.wall_s(happened))
        if rng.random() < 0.3:  # noqa: PLR2004 - the rest ask for nothing
            body["expectation"] = rng.choice(EXPECTATIONS[language])
        return body

    def _reporter(self, language: str) -> dict[str, str]:
        rng = self._rng
        reporter = {"tier": "vip" if rng.random() < self._habits.vip else "ordinary"}
        digits = f"{rng.randrange(10**7):07d}"
        # Numbers that no exchange gives out: nobody can be rung by accident.
        reporter["phone"] = f"1200000{digits[:4]}" if language == "zh" else f"+44 7700 900{digits[:3]}"
        reporter["name"] = rng.choice(SURNAMES[language])
        return reporter

    def _naming(self, place: Place, connector: int, language: str) -> dict[str, Any]:
        """How they name the pile: mostly rightly, sometimes the neighbour, vaguely, or only the site."""
        rng, habits = self._rng, self._habits
        draw = rng.random()
        if draw < habits.unnamed:
            return {"site": place.site}
        draw -= habits.unnamed
        if draw < habits.vague:
            return {"site": place.site, "pile": rng.choice(VAGUE[language])}
        draw -= habits.vague
        named = self._neighbour(place) if draw < habits.neighbour else place
        naming: dict[str, Any] = {"pile": named.pile}
        if named.connectors > 1 or rng.random() < 0.3:  # noqa: PLR2004 - most of them see only one anyway
            wrong = rng.random() < habits.other_connector
            naming["connector"] = rng.randint(1, named.connectors) if wrong else min(connector, named.connectors)
        return naming

    def _neighbour(self, place: Place) -> Place:
        others = [each for each in self._places if each.site == place.site and each.pile != place.pile]
        return self._rng.choice(others) if others else place
