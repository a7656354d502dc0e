"""Words of danger, in what people write and in what devices report; a clear "no" before them takes them back.

Only a negation that stands directly before the word counts ("no smoke", "没有冒烟"); whatever is less clear
than that is taken for danger.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from triage.core.phrases import Phrase
from triage.core.vocabulary import ComplaintSymptom


class SafetyRule(Struct, frozen=True, kw_only=True):
    """One kind of danger. ``harmless`` phrases contain the words without the danger (a shocking price).

    ``grave`` dangers make a complaint one about safety; the others are technical trouble, handled as dangerous.
    """

    name: str
    symptom: ComplaintSymptom = ComplaintSymptom.OTHER
    grave: bool = True
    words: tuple[Phrase, ...]
    harmless: tuple[Phrase, ...] = ()


class SafetyWords(Struct, frozen=True, kw_only=True):
    """All kinds of danger, and what takes a word back.

    ``denial`` must match right up to the word; when its group ``doubt`` took part ("有没有"), it does not count.
    """

    rules: tuple[SafetyRule, ...] = ()
    denial: re.Pattern[str] | None = None
    joiner: re.Pattern[str] | None = None

    def heard(self, text: str) -> tuple[tuple[SafetyRule, str], ...]:
        """The rules that a normalised text sets off, each with the words that did it."""
        hits: list[tuple[int, int, int]] = []
        for index, rule in enumerate(self.rules):
            hits.extend((start, end, index) for start, end in _spans(rule, text))
        return self._standing(text, sorted(hits)) if hits else ()

    def _standing(self, text: str, hits: list[tuple[int, int, int]]) -> tuple[tuple[SafetyRule, str], ...]:
        """The hits that are not denied; a denial carries over to a word joined to it ("no smoke or fire")."""
        heard: dict[int, str] = {}
        denied_until = -1
        for start, end, index in hits:
            if start < denied_until or self._denied(text, start, denied_until):
                denied_until = max(denied_until, end)
            else:
                heard.setdefault(index, text[start:end])
        return tuple((self.rules[index], words) for index, words in sorted(heard.items()))

    def _denied(self, text: str, start: int, denied_until: int) -> bool:
        if self.joiner and denied_until >= 0 and self.joiner.fullmatch(text, denied_until, start):
            return True
        match = self.denial.search(text, max(0, start - 48), start) if self.denial else None
        return match is not None and match["doubt"] is None


def denial(words: Sequence[str], fillers: Sequence[str], doubts: Sequence[str]) -> re.Pattern[str]:
    """The pattern of a denial: one of ``words``, then only ``fillers``, right up to the danger; ``doubts`` undo it."""
    return re.compile(rf"(?P<doubt>{_either(doubts)} ?)?{_either(words)}(?: ?{_either(fillers)}){{0,4}} ?\Z")


def joiner(words: Sequence[str]) -> re.Pattern[str]:
    """The pattern of what may stand between two dangers that one denial covers ("no smoke or fire")."""
    return re.compile(rf" ?{_either(words)}(?: ?{_either(words)})? ?")


def _either(words: Sequence[str]) -> str:
    """Any of ``words``; Latin ones as whole words."""
    longest_first = sorted(words, key=len, reverse=True)
    shown = (rf"(?<![a-z]){re.escape(word)}(?![a-z])" if word[0].isascii() and word[0].isalpha() else re.escape(word)
             for word in longest_first)  # fmt: skip
    return f"(?:{'|'.join(shown)})"


def _spans(rule: SafetyRule, text: str) -> list[tuple[int, int]]:
    found = [span for words in rule.words for span in words.spans(text)]
    if not found or not rule.harmless:
        return found
    excused = [span for words in rule.harmless for span in words.spans(text)]
    return [span for span in found if not any(one[0] <= span[0] and span[1] <= one[1] for one in excused)]
