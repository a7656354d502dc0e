"""First reading of a complaint: safety words before anything else, in Chinese and English.

The words are data (config/lexicon); here is only how they are weighed. Every rule that fires gives its weight to its
category and to its symptom; the heaviest wins, and ``why`` names the rules, so that a person can see what decided. The
text is only ever compared with words: nothing in it can choose an action.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TypeVar

from msgspec import Struct

from triage.core.phrases import Phrase, normalise
from triage.core.safety import SafetyRule, SafetyWords
from triage.core.vocabulary import Category, ComplaintSymptom

NATURAL_CATEGORY: dict[ComplaintSymptom, Category] = {
    ComplaintSymptom.WONT_START: Category.TECHNICAL_FAULT,
    ComplaintSymptom.STOPS_MIDWAY: Category.TECHNICAL_FAULT,
    ComplaintSymptom.OFFLINE: Category.TECHNICAL_FAULT,
    ComplaintSymptom.DISPLAY_ERROR: Category.TECHNICAL_FAULT,
    ComplaintSymptom.CONNECTOR_STUCK: Category.TECHNICAL_FAULT,
    ComplaintSymptom.PHYSICAL_DAMAGE: Category.TECHNICAL_FAULT,
    ComplaintSymptom.PAYMENT_FAILED: Category.TECHNICAL_FAULT,
    ComplaintSymptom.SLOW_CHARGING: Category.TECHNICAL_FAULT,
    ComplaintSymptom.OVERCHARGED: Category.BILLING_DISPUTE,
    ComplaintSymptom.NOT_REFUNDED: Category.BILLING_DISPUTE,
    ComplaintSymptom.BLOCKED_BAY: Category.SERVICE_EXPERIENCE,
    ComplaintSymptom.CLEANLINESS: Category.SERVICE_EXPERIENCE,
    ComplaintSymptom.SMOKE_FIRE: Category.SAFETY,
    ComplaintSymptom.ELECTRIC_SHOCK: Category.SAFETY,
    ComplaintSymptom.OTHER: Category.SERVICE_EXPERIENCE,
}
"""The category of a symptom when no rule names another."""

Key = TypeVar("Key", Category, ComplaintSymptom)


class Reading(Struct, frozen=True, kw_only=True):
    """What the words say. ``why`` names the rules that decided; ``labels`` lists every symptom that was heard."""

    category: Category
    symptom: ComplaintSymptom
    safety: bool
    labels: tuple[str, ...]
    why: str


class WordRule(Struct, frozen=True, kw_only=True):
    """Words that speak for a category, a symptom, or both; ``harmless`` phrases contain them without meaning them."""

    name: str
    weight: float
    words: tuple[Phrase, ...]
    category: Category | None = None
    symptom: ComplaintSymptom | None = None
    harmless: tuple[Phrase, ...] = ()

    def fires(self, text: str) -> bool:
        """Whether one of the words stands in the normalised ``text`` and means it."""
        if not any(words.found(text) for words in self.words):
            return False
        if not self.harmless:
            return True
        excused = [span for words in self.harmless for span in words.spans(text)]
        found = (span for words in self.words for span in words.spans(text))
        return any(not any(one[0] <= span[0] and span[1] <= one[1] for one in excused) for span in found)


class Lexicon(Struct, frozen=True, kw_only=True, dict=True):
    """The words, as data (see config/lexicon). ``harmless`` are device texts known to be no danger."""

    safety: SafetyWords = SafetyWords()
    rules: tuple[WordRule, ...] = ()
    variants: Mapping[str, str] = {}
    harmless: tuple[Phrase, ...] = ()

    @cached_property
    def folding(self) -> dict[int, str]:
        """``variants`` as a translation table."""
        return {ord(variant): plain for variant, plain in self.variants.items()}


def classify(text: str, lexicon: Lexicon) -> Reading:
    """Read ``text``; total: any string gets a reading, and in doubt safety wins."""
    plain = normalise(text, lexicon.folding)
    dangers = lexicon.safety.heard(plain)
    fired = [rule for rule in lexicon.rules if rule.fires(plain)]
    symptoms, categories = _weights(fired)
    grave = [rule for rule, _ in dangers if rule.grave]
    symptom = _symptom(symptoms, grave)
    if grave:
        category = Category.SAFETY
    else:
        category = _heaviest(categories) or (Category.TECHNICAL_FAULT if dangers else NATURAL_CATEGORY[symptom])
    labels = dict.fromkeys([symptom, *(rule.symptom for rule, _ in dangers), *sorted(symptoms)])
    heard = [f"safety {rule.name} ({words})" for rule, words in dangers]
    return Reading(
        category=category,
        symptom=symptom,
        safety=bool(dangers),
        labels=tuple(label for label in labels if label is not ComplaintSymptom.OTHER),
        why="; ".join([*heard, *(rule.name for rule in fired)]) or "no rule fired",
    )


def _weights(fired: list[WordRule]) -> tuple[dict[ComplaintSymptom, float], dict[Category, float]]:
    symptoms: dict[ComplaintSymptom, float] = {}
    categories: dict[Category, float] = {}
    for rule in fired:
        if rule.symptom is not None:
            symptoms[rule.symptom] = symptoms.get(rule.symptom, 0) + rule.weight
        category = rule.category or NATURAL_CATEGORY[rule.symptom or ComplaintSymptom.OTHER]
        categories[category] = max(categories.get(category, 0), rule.weight)
    return symptoms, categories


def _symptom(symptoms: dict[ComplaintSymptom, float], grave: list[SafetyRule]) -> ComplaintSymptom:
    named = [rule.symptom for rule in grave if rule.symptom is not ComplaintSymptom.OTHER]
    return named[0] if named else _heaviest(symptoms) or ComplaintSymptom.OTHER


def _heaviest(weights: dict[Key, float]) -> Key | None:
    """The heaviest key; of equals the one whose rule stands first in the lexicon."""
    return max(weights, key=lambda key: weights[key]) if weights else None
