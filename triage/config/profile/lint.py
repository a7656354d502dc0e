"""What a schema cannot see: names that lead nowhere, writes that cannot be, faults no table knows."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from triage.config.yamlfile import Document
from triage.errors import InputFault

if TYPE_CHECKING:
    from triage.config.profile.file import Profile


def lint(profile: Profile, document: Document, faults: Collection[str] | None) -> list[InputFault]:
    """Every fault between the parts of ``profile``; ``faults`` are the canonical names there are, None: unknown."""
    found: list[InputFault] = []
    if faults is not None:
        found.extend(_strange_faults(profile, document, faults))
    return found


def _strange_faults(profile: Profile, document: Document, faults: Collection[str]) -> list[InputFault]:
    found: list[InputFault] = []
    for index, rule in enumerate(profile.faults):
        if rule.is_ is not None and rule.is_ not in faults and rule.is_ != "unknown":
            found.append(document.fault(("faults", index, "is"), f"no fault table knows {rule.is_!r}"))
    return found
