"""Reading a trace: every line checked, every fault told with file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from triage.channels import dialects
from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.config.planfile import load_plans
from triage.config.profile.file import load_profiles
from triage.config.settings import load_settings
from triage.core.draft import Rules
from triage.core.effects import Snapshot
from triage.errors import InputError, InputFault
from triage.storage.rows import KINDS
from triage.traces import FORMAT, Began, Knew, Line, Sent, Setting, Took

MOST_FAULTS = 20
MOST_LINE_BYTES = 4_000_000
_LINES = msgspec.json.Decoder(Line)
_KNOWN = {kind.batch: msgspec.json.Decoder(kind.type) for kind in KINDS}


class Trace(Struct, frozen=True):
    """A trace as read: how it began, what was known then, what was taken in, and which commands were sent.

    ``cut_off`` tells that the last line was not written to its end, as happens to a process that is killed.
    """

    began: Began
    known: Snapshot
    taken: list[Took]
    sent: list[Sent]
    cut_off: bool = False


def read(path: Path) -> Trace:
    """The trace in the file at ``path``.

    Raises:
        InputError: it cannot be read, or lines of it are none of a trace's; the first faults, with their lines.
    """
    lines: list[tuple[int, Line]] = []
    faults: list[InputFault] = []
    cut_off = False
    for number, raw in _raw_lines(path):
        try:
            lines.append((number, _LINES.decode(raw)))
        except (msgspec.DecodeError, RecursionError) as error:
            if not raw.endswith(b"\n"):
                cut_off = True
                break
            faults.append(_fault(path, number, f"is no line of a trace: {error}"))
        if len(faults) >= MOST_FAULTS:
            break
    if faults:
        raise InputError(faults)
    if not lines or not isinstance(lines[0][1], Began):
        raise InputError([_fault(path, 1, "does not begin with how things stood (type Began)")])
    began = lines[0][1]
    if began.format != FORMAT:
        raise InputError([_fault(path, 1, f"has format {began.format}; this version reads {FORMAT}")])
    return Trace(
        began=began,
        known=_known(path, lines),
        taken=[line for _, line in lines if isinstance(line, Took)],
        sent=[line for _, line in lines if isinstance(line, Sent)],
        cut_off=cut_off,
    )


def rules_of(config: Path, environ: Mapping[str, str]) -> Rules:
    """The rules the settings at ``config`` decide by.

    Raises:
        InputError: every fault of the settings and of the files they name.
    """
    settings = load_settings(config, environ)
    lexicon = load_lexicon(settings.lexicon_path)
    table = load_fault_table(settings.faults_path, lexicon)
    return Rules(
        policy=settings.policy_in_force(),
        plans=load_plans(settings.plans_path),
        faults=table,
        lexicon=lexicon,
        dialects=dialects(load_profiles(settings.profiles_path, table.names())),
    )


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(MOST_LINE_BYTES):
                number += 1
                if raw.strip():
                    yield number, raw
    except OSError as error:
        fault = InputFault(str(path), None, "", f"cannot be read: {error.strerror}", "name a recorded trace")
        raise InputError([fault]) from error


def _known(path: Path, lines: list[tuple[int, Line]]) -> Snapshot:
    snapshot = Snapshot()
    faults: list[InputFault] = []
    for number, line in lines:
        if isinstance(line, Setting):
            snapshot.settings[line.key] = line.value
        elif isinstance(line, Knew):
            decoder: Any = _KNOWN.get(line.kind)
            try:
                if decoder is None:
                    faults.append(
                        _fault(path, number, f"knows things of kind {line.kind!r}, which this version has not")
                    )
                else:
                    getattr(snapshot, line.kind).append(decoder.decode(line.item))
            except msgspec.DecodeError as error:
                faults.append(_fault(path, number, f"cannot be understood: {error}"))
    if faults:
        raise InputError(faults[:MOST_FAULTS])
    return snapshot


def _fault(path: Path, number: int, problem: str) -> InputFault:
    return InputFault(str(path), number, "", problem, "record it again with `triage serve --record`")
