"""What each code of a file means when stage and firmware are not told: the strictest of its meanings.

A code that stages tell apart can also be claimed with its stage before it (``charging.0x08``); then that stage alone
decides. A number written in hexadecimal is one code, however many zeros it is filled with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from triage.config.faultschema import UNTOLD, CodeMeaning, FaultFile, Stage, listed
from triage.config.yamlfile import Document
from triage.core.faults import NO_ERROR, WORST_FIRST, FaultEntry
from triage.errors import InputFault

_HEX = re.compile(r"(?P<head>(?:.*[^0-9a-z])?0x)(?P<digits>[0-9a-f]{1,8})\Z")
_WIDTHS = (1, 2, 4)
_RANK = {family: rank for rank, family in enumerate(WORST_FIRST)}
_TARGET = "use a name that a fault table defines"
_TELL = "add a meaning that forbids a restart, such as {is: AmbiguousCode, stage: untold}"


class Claim(NamedTuple):
    """One spelling of a code, what it means, and how it was written."""

    code: str
    name: str
    written: str


def claims_of(
    document: Document, file: FaultFile, entries: Mapping[str, FaultEntry]
) -> tuple[list[Claim], list[InputFault]]:
    """Every spelling of every code in ``codes`` of one file, lower case, with its strictest meaning.

    Returns what could be settled, and a fault for every code that cannot be.
    """
    told = {code: listed(written) for code, written in file.codes.items()}
    stages = tuple(
        dict.fromkeys(one.stage for meanings in told.values() for one in meanings if one.stage not in {None, UNTOLD})
    )
    claims: list[Claim] = []
    faults: list[InputFault] = []
    for code, meanings in told.items():
        found = _faults(document, code, meanings, entries, general=not file.models)
        faults.extend(found)
        if not found:
            claims.extend(_spelled(code, meanings, entries, stages))
    return claims, faults + _clashes(document, claims)


def strictest(meanings: Sequence[FaultEntry]) -> FaultEntry:
    """The meaning that asks for most care; that nothing is wrong counts least."""
    return min(meanings, key=lambda entry: (_RANK[entry.family], entry.name == NO_ERROR))


def spellings(code: str) -> tuple[str, ...]:
    """The ways ``code`` may be claimed, lower case: a hexadecimal number with any filling of zeros."""
    code = code.strip().lower()
    number = _HEX.match(code)
    if number is None:
        return (code,)
    digits = number["digits"].lstrip("0") or "0"
    return tuple(dict.fromkeys([code, *(f"{number['head']}{digits.zfill(width)}" for width in _WIDTHS)]))


def _spelled(
    code: str, meanings: Sequence[CodeMeaning], entries: Mapping[str, FaultEntry], stages: Sequence[Stage]
) -> list[Claim]:
    """The code alone and, where a file tells stages apart, behind each stage in which it has a meaning."""
    claims: list[Claim] = []
    for stage in (None, *stages):
        meant = [entries[one.is_] for one in meanings if stage is None or one.stage in {None, stage}]
        if meant:
            name, before = strictest(meant).name, f"{stage}." if stage else ""
            claims.extend(Claim(f"{before}{each}", name, code) for each in spellings(code))
    return claims


def _faults(
    document: Document,
    code: str,
    meanings: Sequence[CodeMeaning],
    entries: Mapping[str, FaultEntry],
    *,
    general: bool,
) -> list[InputFault]:
    at = ("codes", code)
    missing = dict.fromkeys(one.is_ for one in meanings if one.is_ not in entries)
    if missing:
        return [document.fault(at, f"maps to {name!r}, which no table defines", _TARGET) for name in missing]
    if general and any(one.stage or one.firmware for one in meanings):
        problem = "a general code must mean the same in every stage and with every firmware"
        return [document.fault(at, problem, "put it into a file with `models`")]
    for stage in dict.fromkeys([None, *(one.stage for one in meanings)]):
        known = [entries[one.is_] for one in meanings if stage is None or one.stage in {None, stage}]
        if strictest(known).reset_allowed and not all(entry.reset_allowed for entry in known):
            problem = "one of its meanings may be restarted and another may not; unasked, nobody knows which it is"
            return [document.fault(at, problem, _TELL)]
    return []


def _clashes(document: Document, claims: Sequence[Claim]) -> list[InputFault]:
    """Codes of one file that are spelled differently and yet the same."""
    first: dict[str, str] = {}
    faults: dict[str, InputFault] = {}
    for claim in claims:
        earlier = first.setdefault(claim.code, claim.written)
        if earlier != claim.written and claim.written not in faults:
            problem = f"is the same code as {earlier!r}"
            fault = document.fault(("codes", claim.written), problem, "give one entry with all meanings")
            faults[claim.written] = fault
    return list(faults.values())
