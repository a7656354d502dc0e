"""What a schema cannot see: names that lead nowhere, writes that cannot be, faults no table knows."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from triage.config.profile.lint_meaning import lint_meaning
from triage.config.profile.lint_names import lint_names
from triage.config.profile.lint_registers import lint_registers
from triage.config.profile.lint_steps import lint_steps
from triage.config.profile.lint_topics import lint_topics
from triage.config.profile.uses import Findings
from triage.config.yamlfile import Document
from triage.errors import InputFault

if TYPE_CHECKING:
    from triage.config.profile.file import Profile


def lint(profile: Profile, document: Document, faults: Collection[str] | None) -> list[InputFault]:
    """Every fault between the parts of ``profile``; ``faults`` are the canonical names there are, None: unknown."""
    findings = Findings(profile, document)
    lint_names(findings)
    lint_registers(findings)
    lint_topics(findings)
    lint_meaning(findings, faults)
    lint_steps(findings)
    return sorted(findings.faults, key=lambda fault: fault.line or 0)
