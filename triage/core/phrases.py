"""Words as people and devices write them: one normal form, and phrases that are found in it.

A phrase is written plainly. In it, ``*`` stands for the rest of a word, ``#`` for a number, ``..`` for a short gap
inside the same sentence, and ``(a|b)`` for a choice. Phrases of Latin letters match whole words, Chinese ones anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from msgspec import Struct

MAX_CHARS = 16_384
"""Longest text that is read; what follows is ignored."""

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
_INVISIBLE = r"\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
_DROPPED = re.compile(f"[{_CONTROLS}{_INVISIBLE}]+")
_SPACES = re.compile(r"[ \t\u3000]+")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "。": ".", "、": ","})
_GAP = r"(?![a-z0-9])[^.!?;\n]{0,24}?(?<![a-z0-9])"
_GAP_CJK = r"[^.!?;\n]{0,10}?"
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_AROUND_GAP = re.compile(r" *\.\. *")
_PIECES = re.compile(r"\.\.|[*#()|]|[^.*#()|]+|\.")
_PLACEHOLDERS = re.compile(r"\.\.|[*#]")
_CJK = re.compile(r"[\u3400-\u9fff]")


def normalise(text: str, variants: dict[int, str] | None = None) -> str:
    """One spelling for what looks alike: NFKC, lower case, no invisible marks, ``variants`` of characters folded."""
    text = _DROPPED.sub("", unicodedata.normalize("NFKC", text[:MAX_CHARS])[:MAX_CHARS])
    text = text.translate(_QUOTES).lower()
    if variants:
        text = text.translate(variants)
    return _SPACES.sub(" ", text)


class Phrase(Struct, frozen=True):
    """One phrase: ``anchors`` of which one must occur before the pattern is worth a search."""

    text: str
    anchors: tuple[str, ...]
    pattern: re.Pattern[str]

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the phrase stands in the normalised ``text``."""
        if any(anchor in text for anchor in self.anchors):
            for match in self.pattern.finditer(text):
                yield match.span()

    def found(self, text: str) -> bool:
        """Whether the phrase stands in the normalised ``text``."""
        return any(anchor in text for anchor in self.anchors) and self.pattern.search(text) is not None


def phrase(text: str, variants: dict[int, str] | None = None) -> Phrase:
    """Compile one phrase.

    Raises:
        ValueError: it is empty, its brackets do not close, or it is nothing but placeholders.
    """
    plain = normalise(text, variants).strip()
    if not _balanced(plain):
        raise ValueError(f"the brackets of {text!r} do not match")
    anchors = _anchors(plain)
    if not anchors:
        raise ValueError(f"{text!r} is nothing but placeholders")
    return Phrase(plain, anchors, re.compile(_pattern(plain)))


def phrases(texts: Iterable[str], variants: dict[int, str] | None = None) -> tuple[Phrase, ...]:
    """Compile many."""
    return tuple(phrase(text, variants) for text in texts)


def _pattern(plain: str) -> str:
    chinese = _CJK.search(plain) is not None
    special = {"..": _GAP_CJK if chinese else _GAP, "*": r"[a-z']*", "#": _NUMBER, "(": "(?:", ")": ")", "|": "|"}
    pieces = _PIECES.findall(_AROUND_GAP.sub("..", plain))
    shown = "".join(special.get(piece) or re.escape(piece).replace(r"\ ", " +") for piece in pieces)
    if chinese:
        return shown
    head = r"(?<![a-z0-9])" if plain[0].isalnum() or plain[0] == "(" else ""
    tail = r"(?![a-z0-9])" if plain[-1].isalnum() or plain[-1] == ")" else ""
    return f"{head}(?:{shown}){tail}"


def _anchors(plain: str) -> tuple[str, ...]:
    """Literals of which one must occur: the longest outside brackets, or those of the most telling bracket."""
    outside, brackets = _top_level(plain)
    candidates: list[tuple[str, ...]] = [(_longest(outside),)] if _longest(outside) else []
    for bracket in brackets:
        options = tuple(_longest(_top_level(option)[0]) for option in _options(bracket))
        if all(options):
            candidates.append(options)
    return max(candidates, key=lambda options: min(map(len, options)), default=())


def _top_level(plain: str) -> tuple[str, list[str]]:
    """What stands outside all brackets, and the contents of the outermost ones."""
    outside, brackets, depth = "", [""], 0
    for char in plain:
        depth += char == "("
        if depth:
            brackets[-1] += char
        else:
            outside += char
        if char == ")":
            depth -= 1
            if depth == 0:
                outside += "*"
                brackets.append("")
    return outside, [bracket[1:-1] for bracket in brackets[:-1]]


def _options(inside: str) -> list[str]:
    """The choices of one bracket, leaving brackets inside it whole."""
    options, depth = [""], 0
    for char in inside:
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 0:
            options.append("")
        else:
            options[-1] += char
    return options


def _longest(literal: str) -> str:
    return max((piece.strip() for piece in _PLACEHOLDERS.split(literal)), key=len)


def _balanced(plain: str) -> bool:
    depth = 0
    for char in plain:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0
