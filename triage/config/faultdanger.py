"""Words of danger in the texts of devices, read beside those of the lexicon."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from triage.config.faultschema import FaultFile
from triage.config.yamlfile import Document, Place
from triage.core.phrases import Phrase, phrase
from triage.core.safety import SafetyRule, SafetyWords
from triage.errors import InputFault


def with_device_words(
    words: SafetyWords, files: Sequence[tuple[Document, FaultFile]]
) -> tuple[SafetyWords, list[InputFault]]:
    """``words`` and the ``danger`` of all files, which only faults are read by; with what is wrong in them."""
    rules: list[SafetyRule] = []
    faults: list[InputFault] = []
    for document, written in files:
        for name, rule in written.danger.items():
            at = ("danger", name)
            told = _phrases(document, (*at, "words"), rule.words, faults)
            harmless = _phrases(document, (*at, "harmless"), rule.harmless, faults)
            # Where nothing is taken back it does not matter which phrase was heard: one search looks for all of them.
            heard = told if harmless or not told else (_joined(told),)
            rules.append(SafetyRule(name=name, grave=False, words=heard, harmless=harmless))
    return replace(words, rules=(*words.rules, *rules)), faults


def _joined(phrases: tuple[Phrase, ...]) -> Phrase:
    return Phrase(
        text=" | ".join(each.text for each in phrases),
        anchors=tuple(dict.fromkeys(anchor for each in phrases for anchor in each.anchors)),
        pattern=re.compile("|".join(f"(?:{each.pattern.pattern})" for each in phrases)),
    )


def _phrases(document: Document, at: Place, texts: Sequence[str], faults: list[InputFault]) -> tuple[Phrase, ...]:
    compiled: list[Phrase] = []
    for index, text in enumerate(texts):
        try:
            compiled.append(phrase(text))
        except ValueError as error:
            faults.append(document.fault((*at, index), str(error), "see the lexicon's README for phrases"))
    return tuple(compiled)
