"""What a trace is: the daemon's own memory at its beginning, then every event it took in, one JSON object a line.

A line is one of these, told apart by ``type``; times are RFC 3339 in UTC::

    {"type": "Began", "format": 1, "at": …, "release": …, "masked": true, "listening": {"mqtt": …}, "started_at": …}
    {"type": "Knew", "kind": "piles", "item": {…}}     what was known: piles, incidents, complaints, orders, silences
    {"type": "Setting", "key": …, "value": …}          outbox items and settings, too
    {"type": "Took", "now": …, "event": {"type": "Telemetry", …}}
    {"type": "Sent", "now": …, "id": …, "pile": …, "action": …}   a command the decision led to

Deadlines are not in it: whoever replays finds them again by the rules he replays with.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from triage.core.classify import Lexicon
from triage.core.complaint import Complaint
from triage.core.events import (
    CallbackGiven,
    CommandAnswer,
    CommandWanted,
    ComplaintAct,
    ComplaintReceived,
    DriverLink,
    EffectOutcome,
    Event,
    IncidentAct,
    KillSwitch,
    OrderAct,
    PileStatus,
    Quarantined,
    Reporter,
    SilenceLifted,
    SilenceSet,
    Started,
    Telemetry,
)
from triage.core.incident import Incident
from triage.core.phrases import Phrase, normalise
from triage.core.state import State
from triage.core.vocabulary import Action

FORMAT = 1
KNOWN = ("piles", "incidents", "complaints", "orders", "silences", "outbox")

Taken = (
    Telemetry
    | PileStatus
    | CommandAnswer
    | DriverLink
    | Quarantined
    | ComplaintReceived
    | CallbackGiven
    | ComplaintAct
    | IncidentAct
    | OrderAct
    | SilenceSet
    | SilenceLifted
    | CommandWanted
    | KillSwitch
    | EffectOutcome
    | Started
)
"""Every event but a deadline."""


class Began(Struct, frozen=True, kw_only=True, tag=True):
    """The first line."""

    format: int
    at: datetime
    release: str
    masked: bool
    listening: dict[str, datetime | None]
    started_at: datetime | None


class Knew(Struct, frozen=True, kw_only=True, tag=True):
    """Something known when the trace began; ``kind`` is a field of :class:`triage.core.effects.Snapshot`."""

    kind: str
    item: msgspec.Raw


class Setting(Struct, frozen=True, kw_only=True, tag=True):
    """A setting that stood when the trace began."""

    key: str
    value: str


class Took(Struct, frozen=True, kw_only=True, tag=True):
    """An event, and the moment it was decided."""

    now: datetime
    event: Taken


class Sent(Struct, frozen=True, kw_only=True, tag=True):
    """A command the daemon committed then."""

    now: datetime
    id: str
    pile: str
    action: Action


Line = Began | Knew | Setting | Took | Sent

_ENCODER = msgspec.json.Encoder()
_CHOICE = re.compile(r"\(([^()|]*)(?:\|[^()]*)?\)")
"""An innermost bracket, and the first of its choices."""


class Mask:
    """Takes people out of events and complaints; the same person stays the same stranger within one trace."""

    def __init__(self, salt: str) -> None:
        """``salt`` is forgotten with the recording, so nobody can look a person up by trying."""
        self._salt = salt

    def event(self, event: Event, lexicon: Lexicon) -> Event:
        """``event`` without personal data."""
        if isinstance(event, ComplaintReceived):
            return replace(
                event,
                text=plain_words(event.text, lexicon),
                reporter=self._stranger(event.reporter),
                expectation=None,
                reference=None,
            )
        if isinstance(event, CallbackGiven):
            return replace(event, comment="")
        if isinstance(event, OrderAct):
            return replace(event, cause="", work="")
        if isinstance(event, Quarantined):
            return replace(event, sample=b"")
        return event

    def known(self, item: Any, lexicon: Lexicon) -> Any:
        """Something the engine remembers, without personal data."""
        if isinstance(item, Incident):
            return replace(item, reporters=tuple(self._hash(each) for each in item.reporters))
        if not isinstance(item, Complaint):
            return item
        return replace(
            item,
            text=plain_words(item.text, lexicon),
            reporter=self._stranger(item.reporter),
            expectation=None,
            reference=None,
            comment="",
        )

    def _stranger(self, reporter: Reporter) -> Reporter:
        contact = reporter.phone or reporter.email or reporter.name
        if contact is None:
            return Reporter(tier=reporter.tier)
        return Reporter(name=f"masked-{self._hash(contact)}", tier=reporter.tier)

    def _hash(self, text: str) -> str:
        return hashlib.sha256(f"{self._salt}/{text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def plain_words(text: str, lexicon: Lexicon) -> str:
    """The lexicon's own words that decided how ``text`` is read, and nothing that the person wrote.

    Read again they mean the same, safety above all; only a weight that hung on the very wording may fall differently.
    """
    plain = normalise(text, lexicon.folding)
    fired = [rule for rule in lexicon.rules if rule.fires(plain)]
    heard = [rule.words for rule, _ in lexicon.safety.heard(plain)] + [rule.words for rule in fired]
    words = [_first(each, plain) for each in heard]
    return f"[masked] {'; '.join(filter(None, words))}".strip()


def _first(phrases: tuple[Phrase, ...], plain: str) -> str:
    found = next((each for each in phrases if each.found(plain)), None)
    return "" if found is None else _example(found.text)


def _example(phrase: str) -> str:
    """A phrase as somebody might write it: the first of its choices, a number where one stands, no gaps."""
    shown = phrase
    while (simpler := _CHOICE.sub(r"\1", shown)) != shown:
        shown = simpler
    return shown.replace("..", " ").replace("*", "").replace("#", "1").strip()


def beginning(state: State, at: datetime, release: str, mask: Mask | None, lexicon: Lexicon) -> Iterator[bytes]:
    """The lines a trace begins with: everything the engine remembers."""
    yield encode(
        Began(
            format=FORMAT,
            at=at,
            release=release,
            masked=mask is not None,
            listening=dict(state.listening),
            started_at=state.started_at,
        )
    )
    for key, value in sorted(state.settings.items()):
        yield encode(Setting(key=key, value=value))
    for kind in KNOWN:
        for item in getattr(state, kind).values():
            known = item if mask is None else mask.known(item, lexicon)
            yield encode(Knew(kind=kind, item=msgspec.Raw(_ENCODER.encode(known))))


def encode(line: Line) -> bytes:
    """A line as it stands in the file."""
    return _ENCODER.encode(line) + b"\n"
