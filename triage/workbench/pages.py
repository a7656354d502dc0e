"""An explanation as text for a terminal, and the lists of profiles and faults; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from triage.config.profile.file import Profile
from triage.core.faults import FaultTable
from triage.workbench.explanation import Explanation
from triage.workbench.lines import ActionLine, FaultLine, ValueLine
from triage.workbench.polling import Request
from triage.workbench.wording import columns, doubt, listed, restart, tabled

_FAULT_HEAD = ("when", "fault", "family", "restart", "meaning", "")
_REQUEST_HEAD = ("when", "function", "unit", "first", "", "count", "values")
_VALUE_HEAD = (
    "name",
    "of",
    "where",
    "on the wire",
    "type",
    "scale and unit",
    "possible",
    "no value",
    "used for",
    "writing",
    "",
)


def explanation(told: Explanation) -> Iterator[str]:
    """A profile in words."""
    yield from _head(told)
    yield from listed(f"Not verified ({len(told.unverified)})", told.unverified)
    yield from listed("Oddities", told.quirks)
    polled = sum(each.when == "poll" for each in told.requests)
    requests = [_request(each) for each in told.requests]
    yield from tabled(f"Requests: {polled} a poll, {told.connectors} connector(s)", requests, _REQUEST_HEAD)
    yield from listed("Topics", told.topics)
    yield from tabled("Values", [_value(each) for each in told.values], _VALUE_HEAD)
    statuses = [(each.when, each.status, doubt(each.unverified)) for each in told.status]
    yield from tabled("Status: the first that holds", statuses, ("when", "status", ""))
    yield from tabled("Faults", [_fault(each) for each in told.faults], _FAULT_HEAD)
    yield from listed("Does somebody charge?", told.session)
    yield from listed("Is it this model?", told.identity or ["nothing is checked"])
    yield from listed("A restart", [told.restart])
    for action in told.actions:
        yield from listed(f"{action.action} ({action.kind}, {action.repeat})", _action(action))
    yield from listed("Switching", told.switching)
    yield from listed("Keep-alive", told.keepalive)
    yield from listed("What it cannot do", told.cannot)


def profiles(found: Iterable[Profile]) -> Iterator[str]:
    """One line a profile."""
    rows = [("profile", "vendor", "models", "transport", "kind", "actions", "doubts")]
    rows += [
        (
            each.profile,
            each.vendor,
            ", ".join(each.models),
            each.transport,
            each.kind,
            ", ".join(each.actions.given()) or "-",
            str(len(each.doubts())),
        )
        for each in found
    ]
    return columns(rows, "")


def faults(table: FaultTable) -> Iterator[str]:
    """The canonical faults, one a line."""
    rows = [("fault", "family", "restart", "meaning", "")]
    entries = [entry for name in table.names() if (entry := table.entry(name)) is not None]
    for entry in sorted(entries, key=lambda entry: (entry.family, entry.name)):
        may = restart(may=entry.reset_allowed)
        rows.append((entry.name, entry.family.value, may, entry.description_en, entry.description_zh))
    return columns(rows, "")


def _head(told: Explanation) -> Iterator[str]:
    settings = [f"{key} {value}" for key, value in told.speaks.items() if value not in (None, False, [], ())]
    rows = [
        ("profile", told.profile),
        ("title", f"{told.title['en']} / {told.title['zh']}"),
        ("vendor", told.vendor),
        ("models", ", ".join(told.models)),
        ("speaks", f"{told.transport}: {', '.join(settings)}"),
        ("verified", told.verified),
    ]
    return columns([*rows, *(("source", source) for source in told.sources)], "")


def _request(each: Request) -> tuple[str, ...]:
    where = (str(each.unit), str(each.first), each.first_hex, str(each.count))
    return (each.when, each.function, *where, ", ".join(each.values))


def _value(each: ValueLine) -> tuple[str, ...]:
    said = (each.name, each.of, each.where, each.wire, each.type, each.unit, each.possible, each.nothing, each.used)
    return (*said, each.writes, doubt(each.unverified))


def _fault(each: FaultLine) -> tuple[str, ...]:
    words = f" ({each.text})" if each.text else ""
    meaning = f"{each.en} {each.zh}{words}".strip()
    return (each.when, each.fault, each.family, restart(may=each.reset), meaning, doubt(each.unverified))


def _action(each: ActionLine) -> list[str]:
    lines = [each.en, each.zh, f"{each.repeat}: {each.repeating}", f"only if: {each.require}"]
    lines += [f"{number}. {step}" for number, step in enumerate(each.steps, 1)]
    lines += [f"answer: {each.answer}", f"restart: {each.restart}"]
    return [*lines, *([doubt(each.unverified)] if each.unverified else [])]
