"""Fault tables as files: canonical faults with their general codes, and each model's own codes."""

from __future__ import annotations

from pathlib import Path

from triage.config.faultcards import FaultCard, card_of, contradictions, reset_allowed
from triage.config.faultcodes import Claim, claims_of
from triage.config.faultdanger import with_device_words
from triage.config.faultschema import FaultFile
from triage.config.schema import validate
from triage.config.yamlfile import Document, read_document
from triage.core.classify import Lexicon
from triage.core.faults import FaultEntry, FaultTable, ModelTable
from triage.errors import InputError, InputFault


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
    tables: list[ModelTable] = []
    taken: dict[tuple[str, str], tuple[str, str]] = {}
    for document, written in files:
        claims, wrong = claims_of(document, written, entries)
        faults.extend(wrong)
        faults.extend(_gather_codes(document, written, claims, codes, entries))
        if written.models:
            globs = tuple(glob.strip().lower() for glob in written.models)
            faults.extend(_told_twice(document, globs, claims, taken))
            tables.append(ModelTable(models=globs, codes={claim.code: claim.name for claim in claims}))
    safety, wrong = with_device_words(lexicon.safety, files)
    faults.extend(wrong)
    if faults:
        raise InputError(faults)
    return FaultTable(tuple(entries.values()), codes, tables, safety, lexicon.harmless)


def load_fault_cards(folder: Path) -> dict[str, FaultCard]:
    """What the tables of ``folder`` say about each canonical fault beyond its family, by name.

    Raises:
        InputError: every fault of every file.
    """
    files, faults = _read_all(folder)
    entries: dict[str, FaultEntry] = {}
    for document, written in files:
        _gather(document, written, entries, faults)
    if faults:
        raise InputError(faults)
    return {name: card_of(name, entry) for _, written in files for name, entry in written.faults.items()}


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
        faults.extend(contradictions(document, name, entry))
        entries[name] = FaultEntry(
            name=name,
            family=entry.family,
            description_en=entry.en,
            description_zh=entry.zh,
            likely_part=entry.part,
            reset_allowed=reset_allowed(entry),
        )


def _told_twice(
    document: Document,
    globs: tuple[str, ...],
    claims: list[Claim],
    taken: dict[tuple[str, str], tuple[str, str]],
) -> list[InputFault]:
    """Codes that another file gives another meaning for the same models."""
    faults: dict[str, InputFault] = {}
    for claim in claims:
        for glob in globs:
            name, file = taken.setdefault((glob, claim.code), (claim.name, document.file))
            if name != claim.name:
                problem = f"means {name} for {glob!r} in {file}"
                fault = document.fault(("codes", claim.written), problem, "keep one meaning")
                faults.setdefault(claim.written, fault)
    return list(faults.values())


def _gather_codes(
    document: Document,
    written: FaultFile,
    spelled: list[Claim],
    codes: dict[str, str],
    entries: dict[str, FaultEntry],
) -> list[InputFault]:
    """Add the file's general codes; one code with two meanings is a fault."""
    claims: list[tuple[tuple[str, ...], str, str]] = [
        (("faults", name, "codes"), code, name) for name, entry in written.faults.items() for code in entry.codes
    ]
    if not written.models:
        claims.extend((("codes", claim.written), claim.code, claim.name) for claim in spelled)
    names = {name.lower(): name for name in entries}
    faults: list[InputFault] = []
    for at, code, name in claims:
        earlier = codes.get(code.lower()) or names.get(code.lower())
        if earlier is not None and earlier != name:
            faults.append(document.fault(at, f"code {code!r} already means {earlier}", "keep one meaning"))
        codes.setdefault(code.lower(), name)
    return faults
