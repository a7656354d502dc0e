"""What a device claims to be wrong: codes, bits and conditions become claims with canonical names.

What no table lists is still claimed, under its own name: the core reads its text for danger and never restarts on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from triage.config.profile.meaning import FaultRule, Meaning
from triage.core.events import FaultClaim
from triage.drivers.profiles.conditions import Holds, prepare
from triage.drivers.profiles.values import Value, find, number, same, table, text, visible

UNKNOWN = "unknown"
"""What a profile writes where nobody knows the meaning."""

INFO_LIMIT = 400
_RAW_LIMIT = 64
_BITS = 64

View = Mapping[str, Value]


class _Found(Struct, frozen=True):
    """One thing a rule sees: its canonical name or None, what the device said, and the words beside it."""

    name: str | None
    said: str
    words: str
    listed: bool = True


class FaultReader:
    """All fault rules of a profile, ready for many looks."""

    def __init__(self, rules: Sequence[FaultRule], own: frozenset[str]) -> None:
        """Prepare ``rules``; ``own`` are the values that belong to a connector."""
        self._rules = [_Rule(rule, own) for rule in rules]
        self.sources = frozenset(name for rule in self._rules for name in rule.names)
        self._own, self._of_pile = sorted(self.sources & own), sorted(self.sources - own)

    def blind(self, pile: View, connectors: Sequence[tuple[int, View]]) -> frozenset[str]:
        """The sources of faults that are not known in a look, at the pile or at any of its connectors."""
        found = [name for name in self._of_pile if pile.get(name) is None]
        found += [name for name in self._own if any(view.get(name) is None for _, view in connectors)]
        return frozenset(found)

    def read(self, pile: View, connectors: Sequence[tuple[int, View]]) -> tuple[tuple[FaultClaim, ...], list[str]]:
        """The claims in a look, and what of it no table lists."""
        claims: dict[tuple[int, str], list[str]] = {}
        unlisted: dict[str, None] = {}
        for rule in self._rules:
            for connector, view in connectors if rule.own else ((0, pile),):
                for found in rule.see(view):
                    infos = claims.setdefault((connector if rule.local else 0, found.name or found.said), [])
                    if (info := rule.info(found, view)) not in infos:
                        infos.append(info)
                    if not found.listed:
                        unlisted[found.said] = None
        made = [
            FaultClaim(code=code, connector=connector, info="; ".join(filter(None, infos))[:INFO_LIMIT])
            for (connector, code), infos in claims.items()
        ]
        return tuple(made), list(unlisted)


class _Rule:
    """One rule: ``own`` when it is asked of every connector, ``local`` when its claims stand there too."""

    def __init__(self, rule: FaultRule, own: frozenset[str]) -> None:
        names = {*rule.when, rule.from_} if rule.from_ is not None else set(rule.when)
        self.names = names
        self.own = bool(names & own)
        stands = self.own if rule.from_ is None else rule.from_ in own
        self.local = stands and rule.connector == "own"
        self._rule = rule
        self._holds: Holds = prepare(rule.when)
        self._codes = table(rule.codes)
        self._mask = bool(rule.bits) or rule.is_mask

    def see(self, view: View) -> Iterator[_Found]:
        """What the rule sees in ``view``."""
        if not self._holds(view):
            return
        rule = self._rule
        if rule.from_ is None:
            said = " ".join(f"{name} {text(view.get(name))}".strip() for name in rule.when)
            yield _Found(_name(rule.is_), said[:_RAW_LIMIT], "")
            return
        value = view.get(rule.from_)
        if value is None or any(same(value, each) for each in rule.none):
            return
        mask = number(value) if self._mask else None
        if mask is not None and mask == int(mask):
            yield from self._bits(rule.from_, int(mask))
        else:
            yield from self._code(rule.from_, value)

    def info(self, found: _Found, view: View) -> str:
        """The words shown beside a claim: what was said, what the vendor calls it, and the device's own text."""
        rule = self._rule
        own = visible(text(view.get(rule.info))) if rule.info is not None else ""
        words = [each for each in (found.words, rule.text, own) if each]
        if found.name is None:
            return " - ".join(words)
        said = found.said if rule.from_ is not None or not words else ""
        return ": ".join(filter(None, (said, " - ".join(words))))

    def _code(self, name: str, value: Value) -> Iterator[_Found]:
        meaning = find(self._codes, value)
        said = f"{name} {visible(text(value))[:_RAW_LIMIT]}"
        if meaning is not None:
            yield _Found(_name(meaning), said, _words(meaning))
        elif not any(same(value, each) for each in self._rule.ignore):
            yield _Found(None, said, "", listed=False)

    def _bits(self, name: str, mask: int) -> Iterator[_Found]:
        rule = self._rule
        for bit in range(_BITS):
            if not mask >> bit & 1:
                continue
            said = f"{name} bit {bit}"
            meaning = rule.bits.get(str(bit))
            if meaning is not None:
                yield _Found(_name(meaning), said, _words(meaning))
            elif not any(same(bit, each) for each in rule.ignore):
                yield _Found(None, said, "", listed=False)


def _name(meaning: Meaning | None) -> str | None:
    name = meaning if meaning is None or isinstance(meaning, str) else meaning.is_
    return None if name == UNKNOWN else name


def _words(meaning: Meaning) -> str:
    return "" if isinstance(meaning, str) else meaning.text or ""
