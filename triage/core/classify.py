"""First reading of a complaint: safety words before anything else, in Chinese and English."""

from __future__ import annotations

from msgspec import Struct

from triage.core.vocabulary import Category, ComplaintSymptom


class Reading(Struct, frozen=True, kw_only=True):
    """What the words say. ``why`` names the rules that decided; ``labels`` lists every symptom that was heard."""

    category: Category
    symptom: ComplaintSymptom
    safety: bool
    labels: tuple[str, ...]
    why: str


class Lexicon(Struct, frozen=True, kw_only=True):
    """The words, as data (see config/lexicon)."""


def classify(text: str, lexicon: Lexicon) -> Reading:
    """Read ``text``; total: any string gets a reading, and in doubt safety wins."""
    raise NotImplementedError
