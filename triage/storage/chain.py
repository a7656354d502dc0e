"""The journal's hash chain: each record's hash covers the record and the hash before it.

Changing, removing or inserting a record breaks the chain from there on. Cutting records off the end leaves a shorter,
valid chain; the head kept apart from the journal (and, better, anchored outside) tells that.
"""

from __future__ import annotations

from hashlib import sha256

from msgspec import Struct

from triage.core.effects import JournalEntry
from triage.interfaces import Journal
from triage.storage.documents import canonical, micros

GENESIS = "0" * 64
"""What the first record names as the hash before it."""


class Head(Struct, frozen=True):
    """The newest record: its sequence number (0: none yet) and its hash."""

    seq: int = 0
    hash: str = GENESIS


class Verified(Struct, frozen=True):
    """What a walk along the chain found: how many records hold, and the first that does not, with the reason."""

    count: int
    bad: int | None = None
    why: str = ""


def link(prev: str, entry: JournalEntry) -> str:
    """The hash of ``entry`` standing after the record whose hash is ``prev``."""
    record = [micros(entry.at), entry.subject, entry.kind, entry.actor, entry.text, entry.data, entry.also]
    return sha256(f"{prev}{canonical(record)}".encode()).hexdigest()


async def verify(journal: Journal, head: Head | None = None) -> Verified:
    """Walk the whole chain; with ``head`` also notice records cut off the end. Stops at the first bad record."""
    count, prev = 0, GENESIS
    async for seq, entry, before, own in journal.walk():
        why = _fault(count, prev, (seq, entry, before, own))
        if why:
            return Verified(count=count, bad=count + 1, why=why)
        count, prev = count + 1, own
    if head is not None and (head.seq, head.hash) != (count, prev):
        return Verified(count=count, bad=count + 1, why=f"the journal ends at {count}, its head says {head.seq}")
    return Verified(count=count)


def _fault(count: int, prev: str, record: tuple[int, JournalEntry, str, str]) -> str:
    seq, entry, before, own = record
    if seq != count + 1:
        return f"record {count + 1} is missing, {seq} follows"
    if before != prev:
        return f"record {seq} does not follow the record before it"
    if link(prev, entry) != own:
        return f"record {seq} was altered"
    return ""
