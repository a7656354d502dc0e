"""What a claimed code means: one canonical name, one family, and whether a restart may ever be tried on it.

A code nobody has classified is never harmless: its text is read for danger, and otherwise it is unknown, which forbids
every restart. Codes collide between vendors, so a model's own table is asked before the general one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from triage.core.phrases import Phrase, normalise
from triage.core.safety import SafetyWords
from triage.core.vocabulary import Family

NO_ERROR = "NoError"
"""Canonical name of the code that claims nothing; an engine ignores it."""

OTHER_ERROR = "OtherError"
"""The code that says nothing by itself: its text decides."""

RESETTABLE = frozenset({Family.INTERNAL, Family.UNRESPONSIVE, Family.CONNECTOR_LOCK, Family.SESSION_STUCK})
"""Families in which a restart is a known cure, unless the entry says otherwise."""

WORST_FIRST = (
    Family.SAFETY,
    Family.DAMAGE,
    Family.HARDWARE,
    Family.UNKNOWN,
    Family.THERMAL,
    Family.SUPPLY,
    Family.FLAPPING,
    Family.OFFLINE,
    Family.CONNECTOR_LOCK,
    Family.SESSION_STUCK,
    Family.UNRESPONSIVE,
    Family.INTERNAL,
    Family.REPORTED,
    Family.USER_SIDE,
)
"""Of several codes in one claim the strictest family decides."""

CACHE_SIZE = 4096
"""Answers remembered; when full, all are forgotten and learned again."""

_RANK = {family: rank for rank, family in enumerate(WORST_FIRST)}
_SPLIT = re.compile(r"[;,]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|[_/.\-]+")
_TOKENS = re.compile(r"[^\s;,:()\[\]]+")
_MAX_CODE = 255
_MAX_INFO = 512
_MAX_CODES = 16


class FaultEntry(Struct, frozen=True, kw_only=True):
    """A canonical fault. ``likely_part`` is a guess for the technician; empty when no part is to blame."""

    name: str
    family: Family
    description_en: str
    description_zh: str
    likely_part: str = ""
    reset_allowed: bool = False


class ModelTable(Struct, frozen=True, kw_only=True):
    """A model's own codes: globs over the model's name, and canonical names by code (lower case)."""

    models: tuple[str, ...]
    codes: Mapping[str, str]

    def covers(self, model: str) -> bool:
        """Whether ``model`` (lower case) is one of these."""
        return any(fnmatchcase(model, glob) for glob in self.models)


class FaultTable:
    """All canonical faults, by name, by general code and by the codes of each model."""

    __slots__ = ("_cache", "_codes", "_entries", "_harmless", "_models", "_safety")

    def __init__(
        self,
        entries: Sequence[FaultEntry],
        codes: Mapping[str, str],
        models: Sequence[ModelTable] = (),
        safety: SafetyWords | None = None,
        harmless: Sequence[Phrase] = (),
    ) -> None:
        """Build the table; ``codes`` maps general codes to names of ``entries``, both in any case.

        Raises:
            KeyError: a code maps to a name that no entry has.
        """
        self._entries = {entry.name: entry for entry in entries}
        self._codes = {name.lower(): entry for name, entry in self._entries.items()}
        self._codes |= {code.lower(): self._entries[name] for code, name in codes.items()}
        self._models = [
            (table, {code.lower(): self._entries[name] for code, name in table.codes.items()}) for table in models
        ]
        self._safety = safety or SafetyWords()
        self._harmless = tuple(harmless)
        self._cache: dict[tuple[str, str, str | None], FaultEntry] = {}

    def lookup(self, code: str, info: str = "", model: str | None = None) -> FaultEntry:
        """The meaning of ``code`` on ``model``; total: any text gets an entry.

        Spaces around the code and its case do not matter; several codes joined by ``;`` or ``,`` are one claim, and the
        strictest of them decides. ``info`` is read for danger whatever the code says.
        """
        key = (code, info, model)
        known = self._cache.get(key)
        if known is not None:
            return known
        entry = self._worst(code[:_MAX_CODE].strip(), normalise(info[:_MAX_INFO]), (model or "").strip().lower())
        if len(code) <= _MAX_CODE and len(info) <= _MAX_INFO:
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            self._cache[key] = entry
        return entry

    def entry(self, name: str) -> FaultEntry | None:
        """The canonical fault called ``name``."""
        return self._entries.get(name)

    def names(self) -> tuple[str, ...]:
        """All canonical names, sorted."""
        return tuple(sorted(self._entries))

    def _worst(self, code: str, info: str, model: str) -> FaultEntry:
        whole = self._known(code.lower(), model)
        parts = [part.strip() for part in _SPLIT.split(code) if part.strip()][:_MAX_CODES] or [code]
        found = [whole] if whole else [self._known(part.lower(), model) or self._unclassified(part) for part in parts]
        if any(entry.name == OTHER_ERROR for entry in found):
            found = [entry for entry in found if entry.name != OTHER_ERROR] + [self._by_text(info, model)]
        worst = min(found, key=lambda entry: _RANK[entry.family])
        return worst if worst.family is Family.SAFETY else self._danger(info, worst.name) or worst

    def _known(self, code: str, model: str) -> FaultEntry | None:
        for table, codes in self._models:
            if code in codes and table.covers(model):
                return codes[code]
        return self._codes.get(code)

    def _unclassified(self, code: str) -> FaultEntry:
        return self._danger(normalise(_CAMEL.sub(" ", code)), code) or _unknown(code)

    def _danger(self, text: str, name: str) -> FaultEntry | None:
        heard = self._safety.heard(text) if text else ()
        if not heard:
            return None
        rule, words = heard[0]
        return FaultEntry(
            name=name or OTHER_ERROR,
            family=Family.SAFETY,
            description_en=f"The device's text speaks of danger ({rule.name}: {words}).",
            description_zh=f"设备文本提示危险（{rule.name}：{words}）。",
        )

    def _by_text(self, info: str, model: str) -> FaultEntry:
        """What OtherError means: danger in its text, a code named in it, a known harmless cause, or unknown."""
        danger = self._danger(info, OTHER_ERROR)
        if danger:
            return danger
        tokens = _TOKENS.findall(info)[:_MAX_CODES]
        named = [entry for entry in (self._known(token, model) for token in tokens) if entry]
        named = [entry for entry in named if entry.name not in {OTHER_ERROR, NO_ERROR}]
        if named:
            return min(named, key=lambda entry: _RANK[entry.family])
        if any(words.found(info) for words in self._harmless):
            return FaultEntry(
                name=OTHER_ERROR,
                family=Family.INTERNAL,
                description_en="A fault without a code of its own; its text names a harmless cause.",
                description_zh="无专用代码的故障，文本显示原因无危险。",
                reset_allowed=True,
            )
        return _unknown(OTHER_ERROR)


def _unknown(code: str) -> FaultEntry:
    return FaultEntry(
        name=code or "unnamed",
        family=Family.UNKNOWN,
        description_en="A code that nobody has classified yet; a person must look.",
        description_zh="尚未归类的故障码，需人工判断。",
    )
