"""The lexicon as files: words of danger, words of trouble, spelling variants, and device texts known to be harmless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from triage.config.schema import Strict, validate
from triage.config.yamlfile import Document, Place, read_document
from triage.core.classify import Lexicon, WordRule
from triage.core.phrases import Phrase, phrase
from triage.core.safety import SafetyRule, SafetyWords, denial, joiner
from triage.core.vocabulary import Category, ComplaintSymptom
from triage.errors import InputError, InputFault

Words = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class DangerFile(Strict):
    """One kind of danger as written."""

    name: RuleName
    symptom: ComplaintSymptom = ComplaintSymptom.OTHER
    grave: bool = True
    words: tuple[Words, ...] = Field(min_length=1)
    harmless: tuple[Words, ...] = ()


class DenialFile(Strict):
    """What takes a danger back: "no smoke", "没有冒烟"."""

    words: tuple[Words, ...] = Field(min_length=1)
    fillers: tuple[Words, ...] = Field(min_length=1)
    joiners: tuple[Words, ...] = Field(min_length=1)
    doubts: tuple[Words, ...] = Field(min_length=1)


class RuleFile(Strict):
    """Words that speak for a category, a symptom, or both."""

    name: RuleName
    category: Category | None = None
    symptom: ComplaintSymptom | None = None
    weight: Annotated[float, Field(gt=0, le=100)] = 2.0
    words: tuple[Words, ...] = Field(min_length=1)
    harmless: tuple[Words, ...] = ()


class LexiconFile(Strict):
    """One file; every key may be left out, the files of a folder are joined in the order of their names."""

    safety: tuple[DangerFile, ...] = ()
    denial: DenialFile | None = None
    rules: tuple[RuleFile, ...] = ()
    variants: dict[str, str] = Field(default_factory=dict)
    harmless: tuple[Words, ...] = ()


@dataclass
class _Gathering:
    """What the files have given so far."""

    folding: dict[int, str] = field(default_factory=dict)
    faults: list[InputFault] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    dangers: list[SafetyRule] = field(default_factory=list)
    rules: list[WordRule] = field(default_factory=list)
    harmless: list[Phrase] = field(default_factory=list)
    denial: DenialFile | None = None

    def phrases(self, document: Document, at: Place, texts: Sequence[str]) -> tuple[Phrase, ...]:
        compiled: list[Phrase] = []
        for index, text in enumerate(texts):
            try:
                compiled.append(phrase(text, self.folding))
            except ValueError as error:
                self.faults.append(document.fault((*at, index), str(error), "see the lexicon's README for phrases"))
        return tuple(compiled)

    def name(self, document: Document, at: Place, name: str) -> None:
        if name in self.names:
            problem = f"a second rule is called {name!r}"
            self.faults.append(document.fault((*at, "name"), problem, "give every rule its own name"))
        self.names.add(name)


def load_lexicon(folder: Path) -> Lexicon:
    """The lexicon of ``folder``: all ``*.yaml`` in it, joined.

    Raises:
        InputError: every fault of every file; a lexicon without words of danger is one.
    """
    gathering = _Gathering()
    files = _read_all(folder, gathering.faults)
    variants = _variants(files, gathering)
    for document, written in files:
        _gather(document, written, gathering)
    if files and not gathering.dangers and not gathering.faults:
        remedy = "bring back safety.yaml: without it nobody is warned of smoke or shock"
        gathering.faults.append(InputFault(str(folder), None, "safety", "there are no words of danger", remedy))
    if gathering.faults:
        raise InputError(gathering.faults)
    denied = gathering.denial
    return Lexicon(
        safety=SafetyWords(
            rules=tuple(gathering.dangers),
            denial=denial(denied.words, denied.fillers, denied.doubts) if denied else None,
            joiner=joiner(denied.joiners) if denied else None,
        ),
        rules=tuple(gathering.rules),
        variants=variants,
        harmless=tuple(gathering.harmless),
    )


def _read_all(folder: Path, faults: list[InputFault]) -> list[tuple[Document, LexiconFile]]:
    read: list[tuple[Document, LexiconFile]] = []
    paths = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not paths:
        problem = "holds no *.yaml file" if folder.is_dir() else "is not a folder"
        faults.append(InputFault(str(folder), None, "", problem, "name the folder with the lexicon"))
    for path in paths:
        try:
            document = read_document(path)
            read.append((document, validate(document, LexiconFile)))
        except InputError as error:
            faults.extend(error.faults)
    return read


def _variants(files: Sequence[tuple[Document, LexiconFile]], gathering: _Gathering) -> dict[str, str]:
    variants: dict[str, str] = {}
    for document, written in files:
        for variant, plain in written.variants.items():
            if len(variant) != len(plain):
                problem = "variants and plain characters must pair up one to one"
                gathering.faults.append(document.fault(("variants", variant), problem, "write as many as on the left"))
                continue
            variants.update(zip(variant, plain, strict=True))
    gathering.folding = {ord(variant): plain for variant, plain in variants.items()}
    return variants


def _gather(document: Document, written: LexiconFile, gathering: _Gathering) -> None:
    for index, danger in enumerate(written.safety):
        at: Place = ("safety", index)
        gathering.name(document, at, danger.name)
        gathering.dangers.append(
            SafetyRule(
                name=danger.name,
                symptom=danger.symptom,
                grave=danger.grave,
                words=gathering.phrases(document, (*at, "words"), danger.words),
                harmless=gathering.phrases(document, (*at, "harmless"), danger.harmless),
            )
        )
    for index, rule in enumerate(written.rules):
        at = ("rules", index)
        gathering.name(document, at, rule.name)
        if rule.category is None and rule.symptom is None:
            gathering.faults.append(document.fault(at, "the rule says nothing", "give it a category or a symptom"))
        gathering.rules.append(
            WordRule(
                name=rule.name,
                weight=rule.weight,
                category=rule.category,
                symptom=rule.symptom,
                words=gathering.phrases(document, (*at, "words"), rule.words),
                harmless=gathering.phrases(document, (*at, "harmless"), rule.harmless),
            )
        )
    gathering.harmless.extend(gathering.phrases(document, ("harmless",), written.harmless))
    if written.denial and gathering.denial:
        gathering.faults.append(document.fault(("denial",), "is already given in another file", "keep one of them"))
    gathering.denial = written.denial or gathering.denial
