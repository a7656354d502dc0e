from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest

from simulators.fleet import build
from simulators.people import CHANNELS, Claim, Crowd, Habits, Submission
from simulators.sentences import SENTENCES
from simulators.truth import Encounter
from simulators.words import Symptom
from tests.unit.simulators.bench import START

CHINESE = re.compile(r"[\u4e00-\u9fff]")
QUIET = Habits(background_per_day=0.0)


def crowd(seed: int = 1, habits: Habits = QUIET) -> Crowd:
    return Crowd(Random(f"{seed}"), build(32, 1).places(), START, habits=habits)


def meeting(symptom: Symptom | None = Symptom.WONT_START, *, charged: bool = False, danger: bool = False) -> Encounter:
    return Encounter(
        at=START,
        pile="HZ01-003",
        site="HZ01",
        connector=1,
        charged=charged,
        symptom=symptom,
        fault=None if symptom is None else "start_ignored",
        danger=danger,
    )


def listen(people: Crowd, days: float = 1.0) -> list[Submission]:
    return people.advance(START + days * 86400.0)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("symptom", list(Symptom))
def test_there_are_twelve_sentences_for_everything(language: str, symptom: Symptom) -> None:
    sentences = SENTENCES[language][symptom]
    assert len(set(sentences)) >= 12
    assert all(bool(CHINESE.search(each)) == (language == "zh") for each in sentences)


def test_no_sentence_serves_two_symptoms() -> None:
    seen = Counter(each for table in SENTENCES.values() for each in {s for group in table.values() for s in group})
    total = sum(len(set(group)) for table in SENTENCES.values() for group in table.values())
    assert len(seen) == total


def test_whoever_charged_well_does_not_complain() -> None:
    people = crowd()
    for _ in range(200):
        people.meet(meeting(None, charged=True))
    assert listen(people) == []


def test_some_of_those_let_down_complain_truthfully_or_not() -> None:
    people = crowd(habits=Habits(background_per_day=0.0, twice=0.0))
    for _ in range(3000):
        people.meet(meeting())
    said = listen(people)
    assert 700 < len(said) < 1100
    named = Counter(each.body.get("pile") for each in said)
    assert named["HZ01-003"] / len(said) > 0.8
    neighbours = [name for name in named if name and name.startswith("HZ01-") and name != "HZ01-003"]
    assert neighbours
    assert named[None] > 10
    assert {each.claim.pile for each in said} == {"HZ01-003"}
    assert {each.claim.fault for each in said} == {"start_ignored"}
    assert {each.body["channel"] for each in said} == set(CHANNELS)
    assert {each.body["reporter"]["tier"] for each in said} == {"vip", "ordinary"}
    languages = Counter(bool(CHINESE.search(each.body["text"])) for each in said)
    assert min(languages.values()) > 50
    assert min(each.at for each in said) - START >= QUIET.soon_s[0]
    assert max(each.at for each in said) - START > 3600.0


def test_bodies_have_the_fields_of_the_contract_and_no_others() -> None:
    people = crowd(habits=Habits(background_per_day=3.0))
    allowed = {"channel", "text", "pile", "connector", "site", "occurred_at", "reporter", "expectation", "reference"}
    said = listen(people, days=3.0)
    assert len(said) > 200
    for each in said:
        assert set(each.body) <= allowed
        assert {"channel", "text"} <= set(each.body)
        assert each.claim.fault is None


def test_a_second_tap_is_the_same_complaint() -> None:
    people = crowd(habits=Habits(background_per_day=0.0, twice=1.0, complains=1.0))
    people.meet(meeting())
    first, second = listen(people)
    assert (first.key, first.body, first.repeat) == (second.key, second.body, False)
    assert second.repeat


def test_frightened_people_nearly_always_write_and_soon() -> None:
    people = crowd(habits=Habits(background_per_day=0.0, twice=0.0))
    for _ in range(100):
        people.meet(meeting(Symptom.SMOKE, danger=True))
    said = listen(people)
    assert len(said) > 85
    assert max(each.at for each in said) <= START + 900.0


@pytest.mark.parametrize("works", [True, False])
def test_they_answer_truthfully_or_not_at_all(works: bool) -> None:
    people = crowd()
    claim = Claim(key="k", pile="HZ01-003", connector=1, symptom=Symptom.SLOW, language="zh", at=START)
    answers = [people.callback(claim, can_charge=works) for _ in range(200)]
    given = [each for each in answers if each is not None]
    assert 0 < len(given) < 200
    assert {each["satisfied"] for each in given} == {works}
    assert all((each["score"] >= 4) == works for each in given)


def test_the_same_seed_writes_the_same() -> None:
    first, second = (listen(crowd(9, Habits(background_per_day=1.0))) for _ in range(2))
    assert first == second
    assert first != listen(crowd(10, Habits(background_per_day=1.0)))
