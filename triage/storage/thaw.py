"""From stored documents back to entities: whatever cannot be read is set aside, and everything else is served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

from triage.core.effects import Snapshot
from triage.storage.documents import UndecodableError, decode, unescape
from triage.storage.rows import Kind


class Aside(Struct, frozen=True):
    """A row that could not be read. It stays where it is; this copy survives a later version of the entity."""

    kind: str
    id: str
    digest: str
    reason: str
    doc: str


class Thaw(Struct):
    """A snapshot under way."""

    snapshot: Snapshot
    asides: list[Aside]

    @classmethod
    def begin(cls) -> Thaw:
        """An empty one."""
        return cls(Snapshot(), [])

    def add(self, kind: Kind, rows: Iterable[tuple[str, str]]) -> None:
        """Decode ``rows`` (id and document) of one kind."""
        entities = getattr(self.snapshot, kind.batch)
        for id, doc in rows:
            try:
                entities.append(decode(doc, kind.type))
            except UndecodableError as error:
                digest = sha256(doc.encode(errors="surrogatepass")).hexdigest()
                self.asides.append(Aside(kind.name, id, digest, str(error), doc))

    def settle(self, settings: Iterable[tuple[str, str]]) -> Snapshot:
        """Add the settings, put the outbox in the order in which it was filled, and hand the snapshot over."""
        self.snapshot.settings = {unescape(key): unescape(value) for key, value in settings}
        self.snapshot.outbox.sort(key=lambda item: (item.created_at, item.id))
        return self.snapshot

    @property
    def counts(self) -> dict[str, int]:
        """How many rows of each kind could not be read."""
        return dict(Counter(aside.kind for aside in self.asides))
