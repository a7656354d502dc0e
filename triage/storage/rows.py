"""Entities as rows and back: one JSON document, beside it the columns to filter and load by. Pure; both stores use it.

``live_us`` is the moment until which the engine has to know an entity: for ever while it is open, then its end. A
restart loads what is live after some moment and never looks at the rest, however long the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, structs

from triage.core.complaint import Complaint
from triage.core.effects import Changes, JournalEntry, KeptAnswer, OutboxItem
from triage.core.events import Moment, Quarantined
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.silence import Silence
from triage.core.vocabulary import ComplaintState
from triage.core.workorder import WorkOrder
from triage.storage.documents import FOREVER, UndecodableError, decode, encode, escape, micros, moment, unescape

Row = dict[str, Any]

EMPTY_OUTBOX = frozenset({"done", "failed"})
"""States in which an outbox item wants nothing more."""


class Kind(Struct, frozen=True, kw_only=True):
    """How one kind of entity is kept. ``listed``: pages show it; ``batch`` is its field in Changes and Snapshot."""

    name: str
    batch: str
    type: type[Any]
    filters: tuple[str, ...] = ()
    key: str = "id"
    at: Callable[[Any], datetime] | None = None
    live: Callable[[Any], int] | None = None
    listed: bool = True

    def row(self, entity: Any) -> Row:
        """The row of ``entity``."""
        row: Row = {"id": escape(getattr(entity, self.key))}
        if self.at is not None:
            row["at_us"] = micros(self.at(entity))
        if self.live is not None:
            row["live_us"] = self.live(entity)
        for name in self.filters:
            row[name] = column(getattr(entity, name))
        row["doc"] = encode(entity)
        return row


def column(value: object) -> str | None:
    """A filter column's value: text, as the API writes it."""
    if value is None:
        return None
    return escape(value) if type(value) is str else escape(f"{value}")


def _until(closed_at: datetime | None, state_since: datetime) -> int:
    return micros(closed_at or state_since)


def _incident_live(incident: Incident) -> int:
    return FOREVER if incident.open else _until(incident.closed_at, incident.state_since)


def _complaint_live(complaint: Complaint) -> int:
    closed = complaint.state is ComplaintState.CLOSED
    return _until(complaint.closed_at, complaint.state_since) if closed else FOREVER


def _order_live(order: WorkOrder) -> int:
    return FOREVER if order.open else _until(order.closed_at, order.state_since)


def _silence_live(silence: Silence) -> int:
    return 0 if silence.lifted_at is not None else micros(silence.ends_at)


def _item_live(item: OutboxItem) -> int:
    return 0 if item.state in EMPTY_OUTBOX else FOREVER


PILE = Kind(name="pile", batch="piles", type=Pile, filters=("site", "region"), listed=False)
INCIDENT = Kind(
    name="incident",
    batch="incidents",
    type=Incident,
    filters=("state", "pile", "site", "region", "family", "kind", "close_code", "connector"),
    at=lambda incident: incident.opened_at,
    live=_incident_live,
)
COMPLAINT = Kind(
    name="complaint",
    batch="complaints",
    type=Complaint,
    filters=("state", "category", "symptom", "pile", "site", "channel", "route", "grade", "incident"),
    key="number",
    at=lambda complaint: complaint.received_at,
    live=_complaint_live,
)
ORDER = Kind(
    name="order",
    batch="orders",
    type=WorkOrder,
    filters=("state", "pile", "site", "region", "reason", "team", "incident"),
    at=lambda order: order.opened_at,
    live=_order_live,
)
SILENCE = Kind(
    name="silence",
    batch="silences",
    type=Silence,
    filters=("pile", "site", "region"),
    at=lambda silence: silence.created_at,
    live=_silence_live,
)
OUTBOX = Kind(
    name="outbox",
    batch="outbox",
    type=OutboxItem,
    filters=("state",),
    at=lambda item: item.created_at,
    live=_item_live,
    listed=False,
)
KINDS = (PILE, INCIDENT, COMPLAINT, ORDER, SILENCE, OUTBOX)
LISTED = {kind.name: kind for kind in KINDS if kind.listed}

QUARANTINE_FILTERS = ("driver", "reason", "pile")


class Prepared(Struct, frozen=True):
    """Changes as rows, nothing linked yet. ``journal`` stays entries: their place in the chain is known later."""

    entities: dict[str, list[Row]]
    settings: list[Row]
    moments: list[Row]
    quarantine: list[Row]
    answers: list[Row]
    journal: list[JournalEntry]

    def without(self, full: Landed, landed: Landed) -> Prepared:
        """The same rows, prepared from ``full``, less what of the appended ones has ``landed`` already."""
        return structs.replace(
            self,
            moments=self.moments[_landed(full.moments, landed.moments) :],
            quarantine=self.quarantine[_landed(full.quarantine, landed.quarantine) :],
            journal=self.journal[_landed(full.journal, landed.journal) :],
        )


class Landed(Struct, frozen=True):
    """The appended lists of a batch that may have been committed already: what must not be appended twice."""

    moments: tuple[Moment, ...]
    journal: tuple[JournalEntry, ...]
    quarantine: tuple[Quarantined, ...]

    @classmethod
    def of(cls, changes: Changes) -> Landed:
        """The lists of ``changes`` as they are now (the caller may extend them before it tries again)."""
        return cls(tuple(changes.moments), tuple(changes.journal), tuple(changes.quarantine))


def _landed(items: tuple[Any, ...], landed: tuple[Any, ...]) -> int:
    return len(landed) if items[: len(landed)] == landed else 0


def prepare(changes: Changes) -> Prepared:
    """Encode ``changes``; this is where a value that cannot be kept is found, before anything is written.

    Raises:
        TypeError: a value has no place in JSON.
    """
    return Prepared(
        entities={kind.name: [kind.row(entity) for entity in getattr(changes, kind.batch).values()] for kind in KINDS},
        settings=[{"key": escape(key), "value": escape(value)} for key, value in changes.settings.items()],
        moments=[moment_row(item) for item in changes.moments],
        quarantine=[quarantine_row(item) for item in changes.quarantine],
        answers=[answer_row(kept) for kept in changes.answers],
        journal=list(changes.journal),
    )


def moment_row(item: Moment) -> Row:
    """One row of a pile's history."""
    return {
        "pile": escape(item.pile),
        "at_us": micros(item.at),
        "connector": item.connector,
        "link": column(item.link),
        "status": column(item.status),
        "faults": encode(item.faults) if item.faults else None,
        "session": column(item.session),
        "cause": escape(item.cause),
    }


def moment_of(row: Mapping[Any, Any]) -> Moment:
    """The moment of :func:`moment_row`.

    Raises:
        UndecodableError: its faults cannot be read.
    """
    return Moment(
        pile=unescape(row["pile"]),
        at=moment(row["at_us"]),
        connector=row["connector"],
        link=_text(row["link"]),
        status=_text(row["status"]),
        faults=decode(row["faults"], tuple[str, ...]) if row["faults"] else (),
        session=_text(row["session"]),
        cause=unescape(row["cause"]),
    )


def _text(value: str | None) -> str | None:
    return None if value is None else unescape(value)


def quarantine_row(item: Quarantined) -> Row:
    """One payload nobody understood."""
    row: Row = {name: column(getattr(item, name)) for name in QUARANTINE_FILTERS}
    return row | {"at_us": micros(item.received_at), "doc": encode(item)}


def answer_row(kept: KeptAnswer) -> Row:
    """One kept answer."""
    return {
        "scope": escape(kept.scope),
        "key": escape(kept.key),
        "digest": escape(kept.digest),
        "at_us": micros(kept.at),
        "doc": encode(kept),
    }


def journal_row(seq: int, entry: JournalEntry, prev_hash: str, own_hash: str) -> Row:
    """One record of the chain."""
    return {
        "seq": seq,
        "at_us": micros(entry.at),
        "subject": escape(entry.subject),
        "also": encode(entry.also),
        "kind": escape(entry.kind),
        "actor": escape(entry.actor),
        "text": escape(entry.text),
        "data": encode(entry.data),
        "prev_hash": prev_hash,
        "hash": own_hash,
    }


def subjects(entry: JournalEntry) -> Iterable[str]:
    """The subjects whose timeline shows ``entry``, each once."""
    return dict.fromkeys(escape(subject) for subject in (entry.subject, *entry.also))


def entry_of(row: Mapping[Any, Any]) -> JournalEntry:
    """The entry of :func:`journal_row`; one that cannot be read says so in its own words, and fails its hash."""
    try:
        return JournalEntry(
            at=moment(row["at_us"]),
            subject=unescape(row["subject"]),
            kind=unescape(row["kind"]),
            actor=unescape(row["actor"]),
            text=unescape(row["text"]),
            data=decode(row["data"], dict[str, Any]),
            also=decode(row["also"], tuple[str, ...]),
        )
    except (UndecodableError, OverflowError) as error:
        text = f"This record cannot be read: {error}"
        return JournalEntry(at=moment(0), subject="", kind="undecodable", actor="", text=text)
