"""What drivers write, in their own words: twelve sentences or more for each symptom and language."""

from __future__ import annotations

from simulators.sentences.en import ENGLISH
from simulators.sentences.zh import CHINESE
from simulators.words import Symptom

SENTENCES: dict[str, dict[Symptom, tuple[str, ...]]] = {"en": ENGLISH, "zh": CHINESE}
"""By language code and symptom."""
