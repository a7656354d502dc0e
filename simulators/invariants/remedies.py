"""I19: what the record of remedies counts is what the attempts on record say, to the last one, over every death."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from simulators.invariants.court import Court
from triage.core.incident import Attempt, Incident
from triage.core.vocabulary import READS, Family, Result

_COUNTED = (Result.PASSED, Result.FAILED, Result.UNKNOWN)
_BY_PEOPLE = frozenset({Family.REPORTED, Family.DAMAGE})

Tally = Counter[tuple[str, str, str, str]]
"""How often a model and firmware met an action with a result."""


def exact(court: Court, incidents: Iterable[Incident], settings: Mapping[str, str]) -> None:
    """Hold the counts in ``settings`` against the attempts of all ``incidents`` there ever were."""
    tried, counted = _tried(incidents), _counted(settings)
    for key in sorted(tried.keys() | counted.keys()):
        if tried[key] != counted[key]:
            court.accuse("I19", " ".join(key), f"{counted[key]} on record, {tried[key]} concluded")


def _tried(incidents: Iterable[Incident]) -> Tally:
    found: Tally = Counter()
    for incident in incidents:
        if incident.family in _BY_PEOPLE:
            continue
        for each in incident.attempts:
            if each.action not in READS and each.result in _COUNTED and _carried_out(each):
                found[each.model, each.firmware, each.action.value, each.result.value] += 1
    return found


def _carried_out(attempt: Attempt) -> bool:
    if attempt.left is False:
        return False
    traces = attempt.left or attempt.answer is not None or attempt.rebooted_at is not None
    return bool(traces) or attempt.result is not Result.UNKNOWN


def _counted(settings: Mapping[str, str]) -> Tally:
    found: Tally = Counter()
    for name, text in settings.items():
        if not name.startswith("remedy."):
            continue
        record = json.loads(text)
        for each in record.get("tries", ()):
            for result in _COUNTED:
                number = each.get(result.value, 0)
                if number:
                    found[record["model"], record["firmware"], each["action"], result.value] += number
    return found
