"""What people are told of a canonical fault beside its family, and where a file contradicts itself about it."""

from __future__ import annotations

from msgspec import Struct

from triage.config.faultschema import EntryFile, Hazard, OnReset, Severity
from triage.config.yamlfile import Document
from triage.core.faults import RESETTABLE
from triage.core.vocabulary import Family
from triage.errors import InputFault

_SEVERITY: dict[Family, Severity] = {
    Family.SAFETY: "critical",
    Family.DAMAGE: "critical",
    Family.THERMAL: "minor",
    Family.USER_SIDE: "info",
}
_DANGEROUS = frozenset({Family.SAFETY, Family.DAMAGE})
_MAY_ENDANGER = {Family.THERMAL: ("none", "heat"), Family.UNKNOWN: ("none", "unspecified")}
_HARMED = frozenset({Family.SAFETY, Family.DAMAGE, Family.THERMAL})


class FaultCard(Struct, frozen=True, kw_only=True):
    """What else is known of a canonical fault, for people; nothing in it decides what may be sent.

    ``no_part`` says why no part is to blame; otherwise ``part_en`` and ``part_zh`` name the likely one.
    """

    name: str
    family: Family
    severity: Severity
    hazard: Hazard
    on_reset: OnReset
    cause_en: str = ""
    cause_zh: str = ""
    part_en: str = ""
    part_zh: str = ""
    no_part: str = ""


def card_of(name: str, entry: EntryFile) -> FaultCard:
    """The card of a fault; what its file leaves out follows from the family."""
    untold: OnReset = "harms" if entry.family in _HARMED else "nothing"
    return FaultCard(
        name=name,
        family=entry.family,
        severity=entry.severity or _SEVERITY.get(entry.family, "major"),
        hazard=entry.hazard or ("unspecified" if entry.family in _DANGEROUS else "none"),
        on_reset=entry.on_reset or ("helps" if reset_allowed(entry) else untold),
        cause_en=entry.cause.en if entry.cause else "",
        cause_zh=entry.cause.zh if entry.cause else "",
        part_en=entry.part,
        part_zh=entry.part_zh,
        no_part=entry.no_part,
    )


def reset_allowed(entry: EntryFile) -> bool:
    """Whether a restart may be tried on a fault written so."""
    return entry.family in RESETTABLE and entry.reset is not False and entry.on_reset in {None, "helps"}


def contradictions(document: Document, name: str, entry: EntryFile) -> list[InputFault]:
    """Where the keys of a fault say different things about it."""
    at = ("faults", name)
    found: list[InputFault] = []
    if entry.reset and entry.family not in RESETTABLE:
        problem = f"reset: true is not allowed in family {entry.family}"
        found.append(document.fault((*at, "reset"), problem, "choose another family, or leave reset out"))
    if entry.on_reset is not None and (entry.on_reset == "helps") != (entry.family in RESETTABLE):
        problem = f"on_reset: {entry.on_reset} contradicts family {entry.family}, which decides about restarts"
        found.append(document.fault((*at, "on_reset"), problem, "choose the family that fits"))
    if entry.hazard is not None and not _hazard_fits(entry.family, entry.hazard):
        problem = f"hazard: {entry.hazard} contradicts family {entry.family}"
        found.append(document.fault((*at, "hazard"), problem, "a danger to people belongs into family safety"))
    if entry.part and entry.no_part:
        problem = "part and no_part exclude each other"
        found.append(document.fault((*at, "no_part"), problem, "keep one of them"))
    return found


def _hazard_fits(family: Family, hazard: Hazard) -> bool:
    if family in _DANGEROUS:
        return hazard != "none"
    return hazard in _MAY_ENDANGER.get(family, ("none",))
