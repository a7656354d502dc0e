"""Fault tables as files: canonical faults with their general codes, and each model's own codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from triage.config.schema import Strict, validate
from triage.config.yamlfile import Document, read_document
from triage.core.classify import Lexicon
from triage.core.faults import RESETTABLE, FaultEntry, FaultTable, ModelTable
from triage.core.vocabulary import Family
from triage.errors import InputError, InputFault

Name = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{1,63}$")]
Code = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]


class EntryFile(Strict):
    """One canonical fault as written."""

    family: Family
    en: Sentence
    zh: Sentence
    part: str = ""
    reset: bool | None = None
    codes: tuple[Code, ...] = ()


class FaultFile(Strict):
    """One file: canonical faults, and codes that map to them; with ``models`` the codes are of those models alone."""

    faults: dict[Name, EntryFile] = Field(default_factory=dict)
    models: tuple[Code, ...] = ()
    codes: dict[Code, str] = Field(default_factory=dict)


def load_fault_table(folder: Path, lexicon: Lexicon) -> FaultTable:
    """The fault table of ``folder`` (all ``*.yaml`` in it and below it), reading texts with the words of ``lexicon``.

    Raises:
        InputError: every fault of every file.
    """
    files, faults = _read_all(folder)
    entries: dict[str, FaultEntry] = {}
    for document, written in files:
        _gather(document, written, entries, faults)
    codes: dict[str, str] = {}
    for document, written in files:
        faults.extend(_unknown_targets(document, written, entries))
        faults.extend(_gather_codes(document, written, codes, entries))
    if faults:
        raise InputError(faults)
    tables = [
        ModelTable(models=tuple(glob.strip().lower() for glob in written.models), codes=written.codes)
        for _, written in files
        if written.models
    ]
    return FaultTable(tuple(entries.values()), codes, tables, lexicon.safety, lexicon.harmless)


def _read_all(folder: Path) -> tuple[list[tuple[Document, FaultFile]], list[InputFault]]:
    read: list[tuple[Document, FaultFile]] = []
    faults: list[InputFault] = []
    paths = sorted(folder.rglob("*.yaml")) if folder.is_dir() else []
    if not paths:
        problem = "holds no *.yaml file" if folder.is_dir() else "is not a folder"
        faults.append(InputFault(str(folder), None, "", problem, "name the folder with the fault tables"))
    for path in paths:
        try:
            document = read_document(path)
            read.append((document, validate(document, FaultFile)))
        except InputError as error:
            faults.extend(error.faults)
    return read, faults


def _gather(document: Document, written: FaultFile, entries: dict[str, FaultEntry], faults: list[InputFault]) -> None:
    taken = {name.lower() for name in entries}
    for name, entry in written.faults.items():
        at = ("faults", name)
        if name.lower() in taken:
            faults.append(document.fault(at, "this fault is defined twice", "keep one definition"))
            continue
        taken.add(name.lower())
        if entry.reset and entry.family not in RESETTABLE:
            problem = f"reset: true is not allowed in family {entry.family}"
            faults.append(document.fault((*at, "reset"), problem, "choose another family, or leave reset out"))
        entries[name] = FaultEntry(
            name=name,
            family=entry.family,
            description_en=entry.en,
            description_zh=entry.zh,
            likely_part=entry.part,
            reset_allowed=entry.family in RESETTABLE and entry.reset is not False,
        )


def _unknown_targets(document: Document, written: FaultFile, entries: dict[str, FaultEntry]) -> list[InputFault]:
    remedy = "use a name that a fault table defines"
    return [
        document.fault(("codes", code), f"maps to {name!r}, which no table defines", remedy)
        for code, name in written.codes.items()
        if name not in entries
    ]


def _gather_codes(
    document: Document, written: FaultFile, codes: dict[str, str], entries: dict[str, FaultEntry]
) -> list[InputFault]:
    """Add the file's general codes; one code with two meanings is a fault."""
    claims = [(("faults", name, "codes"), code, name) for name, entry in written.faults.items() for code in entry.codes]
    if not written.models:
        claims.extend((("codes", code), code, name) for code, name in written.codes.items())  # type: ignore[misc]
    names = {name.lower(): name for name in entries}
    faults: list[InputFault] = []
    for at, code, name in claims:
        earlier = codes.get(code.lower()) or names.get(code.lower())
        if earlier is not None and earlier != name:
            faults.append(document.fault(at, f"code {code!r} already means {earlier}", "keep one meaning"))
        codes.setdefault(code.lower(), name)
    return faults
