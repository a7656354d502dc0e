"""The words beside a fault are read for danger like a device's own; none may frighten where it means a mild one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.config.profile.file import Profile, load_profiles
from triage.core.faults import FaultTable

CONFIG = Path(__file__).resolve().parents[3] / "config"
PROFILES = load_profiles(CONFIG / "profiles")


@pytest.fixture(scope="module")
def faults() -> FaultTable:
    return load_fault_table(CONFIG / "faults", load_lexicon(CONFIG / "lexicon"))


def told(profile: Profile) -> Iterator[tuple[str, str]]:
    """Every canonical name that the profile gives a meaning, with the text that goes with it."""
    for rule in profile.faults:
        if rule.is_ is not None:
            yield rule.is_, rule.text or ""
        for meanings in (rule.codes, rule.bits):
            for key, meaning in meanings.items():
                name, text = (meaning, None) if isinstance(meaning, str) else (meaning.is_, meaning.text)
                yield name, f"{rule.from_} {key}: {text or rule.text or ''}"


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_text_does_not_make_a_fault_another_one(faults: FaultTable, name: str) -> None:
    heard = [(fault, text) for fault, text in told(PROFILES[name]) if fault != "unknown"]
    families = {(fault, text): faults.lookup(fault, text).family for fault, text in heard}
    assert families == {(fault, text): faults.lookup(fault).family for fault, text in heard}
