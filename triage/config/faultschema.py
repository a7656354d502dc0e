"""What a file of fault tables may hold: canonical faults, and the codes that mean them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from triage.config.schema import Strict
from triage.core.vocabulary import Family

Name = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{1,63}$")]
Code = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Versions = Annotated[str, StringConstraints(pattern=r"^(<=|>=|<|>|=) ?[0-9][0-9A-Za-z.\-]{0,31}$")]

Phrasing = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]

Severity = Literal["info", "minor", "major", "critical"]
"""How much it matters to operation: told only; works on, with less; a connector is out; danger, or nothing works."""

Hazard = Literal["none", "shock", "fire", "heat", "injury", "unspecified"]
"""What threatens people; ``unspecified``: some danger that the code does not name."""

OnReset = Literal["helps", "nothing", "harms"]
"""What a restart does to it."""

UNTOLD = "untold"
Stage = Literal["idle", "start", "charging", "finish", "untold"]
"""In which part of a session a code was told; ``untold``: what it means when nobody said in which."""


class Words(Strict):
    """One short text in both languages."""

    en: Sentence
    zh: Sentence


class EntryFile(Strict):
    """One canonical fault as written; what is left out follows from the family."""

    family: Family
    en: Sentence
    zh: Sentence
    part: str = ""
    part_zh: str = ""
    no_part: str = Field("", description="why no part is to blame")
    reset: bool | None = None
    severity: Severity | None = None
    hazard: Hazard | None = None
    on_reset: OnReset | None = None
    cause: Words | None = None
    codes: tuple[Code, ...] = ()


class CodeMeaning(Strict):
    """One meaning of a code; with ``stage`` or ``firmware`` only in that stage, or with firmware of these versions."""

    is_: str = Field(alias="is", description="canonical name")
    stage: Stage | None = None
    firmware: Versions | None = None


def _kind(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "meanings"
    return "meaning" if isinstance(value, (dict, CodeMeaning)) else "name"


Meanings = Annotated[
    Annotated[str, Tag("name")]
    | Annotated[CodeMeaning, Tag("meaning")]
    | Annotated[tuple[CodeMeaning, ...], Field(min_length=1, max_length=16), Tag("meanings")],
    Discriminator(_kind),
]
"""What a code means: one canonical name, or several meanings that stage or firmware tell apart."""


class DangerWords(Strict):
    """Phrases of one kind of danger in what devices write; ``harmless`` phrases contain them without the danger."""

    words: tuple[Phrasing, ...] = Field(min_length=1)
    harmless: tuple[Phrasing, ...] = ()


class FaultFile(Strict):
    """One file: canonical faults, and codes that map to them; with ``models`` the codes are of those models alone."""

    faults: dict[Name, EntryFile] = Field(default_factory=dict)
    models: tuple[Code, ...] = ()
    codes: dict[Code, Meanings] = Field(default_factory=dict)
    danger: dict[RuleName, DangerWords] = Field(default_factory=dict)


def listed(written: str | CodeMeaning | tuple[CodeMeaning, ...]) -> tuple[CodeMeaning, ...]:
    """The meanings of a code as a list, however they were written."""
    if isinstance(written, str):
        return (CodeMeaning.model_validate({"is": written}),)
    return (written,) if isinstance(written, CodeMeaning) else written
