"""Records what the daemon takes in, so that changed rules can be tried on what really happened.

Bounded: a file that has grown full is put aside as ``FILE.1``, and the oldest is dropped. Each file begins with what
was known, so each can be replayed alone. A disk that is full ends the recording, never the daemon.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import structlog
from msgspec import Struct

from triage.core.draft import Decision
from triage.core.effects import Command
from triage.core.engine import Engine, Quiet
from triage.core.events import Due, Event
from triage.traces import Mask, Sent, Took, beginning, encode

log = structlog.get_logger(__name__)

MEGABYTE = 1_000_000


class Recording(Struct, frozen=True, kw_only=True):
    """Where a recording goes and how much of it is kept. ``max_bytes`` bounds the events of one file."""

    file: Path
    max_bytes: int = 64 * MEGABYTE
    files: int = 4
    personal: bool = False


class Recorder:
    """One recording of one engine."""

    def __init__(self, wanted: Recording, engine: Engine, release: str = "") -> None:
        """Nothing is written before :meth:`begin`."""
        self._wanted = wanted
        self._engine = engine
        self._release = release
        self._mask = None if wanted.personal else Mask(secrets.token_hex(16))
        self._file: BinaryIO | None = None
        self._written = 0
        self.left_out = 0
        self.trouble: str | None = None

    def begin(self, now: datetime) -> None:
        """Begin a file with what is known now; one that is there is put aside."""
        try:
            self._open(now)
        except OSError as error:
            self._give_up(error)

    def record(self, event: Event, now: datetime, decision: Decision | Quiet | None) -> None:
        """Note an event that was decided at ``now``, and the commands it led to. Deadlines are found again."""
        if self._file is None:
            return
        try:
            if not isinstance(event, Due):
                masked = event if self._mask is None else self._mask.event(event, self._engine.rules.lexicon)
                self._write(Took(now=now, event=masked))  # type: ignore[arg-type]
            if isinstance(decision, Decision):
                for item in decision.changes.outbox.values():
                    effect = item.effect
                    if isinstance(effect, Command) and item.created_at == decision.at:
                        self._write(Sent(now=now, id=effect.id, pile=effect.pile, action=effect.action))
            if self._written >= self._wanted.max_bytes:
                self._open(now)
        except OSError as error:
            self._give_up(error)

    def end(self) -> None:
        """Close the file; harmless when nothing is recorded."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self._give_up(error)

    def _open(self, now: datetime) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        path = self._wanted.file
        _put_aside(path, self._wanted.files)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever may read it reads what drivers and technicians did.
        path.touch(mode=0o600)
        self._file = path.open("wb")
        for line in beginning(self._engine.state, now, self._release, self._mask, self._engine.rules.lexicon):
            self._file.write(line)
        self._file.flush()
        self._written = 0

    def _write(self, line: Took | Sent) -> None:
        if self._file is None:
            return
        try:
            written = encode(line)
        except (TypeError, ValueError):  # half a character, as broken devices send it
            self.left_out += 1
            self.trouble = f"{self.left_out} event(s) cannot be written and are left out of the recording"
            return
        self._file.write(written)
        self._written += len(written)

    def _give_up(self, error: OSError) -> None:
        self._file = None
        self.trouble = f"the recording ended: {error.strerror or error}"
        log.error("the recording ended", file=str(self._wanted.file), reason=error.strerror or str(error))


def _put_aside(path: Path, files: int) -> None:
    """``FILE`` becomes ``FILE.1``, that becomes ``FILE.2``; of all of them ``files`` are kept."""
    for number in range(files - 1, 0, -1):
        older = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
