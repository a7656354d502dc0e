"""A profile's tables: which value is which status, and which fault; with what the fault tables know of it."""

from __future__ import annotations

from collections.abc import Iterator

from triage.config.profile.file import Profile
from triage.config.profile.meaning import FaultRule, Meaning, StatusRule
from triage.config.profile.topics import FaultEvent
from triage.core.faults import FaultEntry, FaultTable
from triage.workbench import wording
from triage.workbench.lines import FaultLine, StatusLine

_NOBODY = "nobody has checked this meaning"


def status_lines(profile: Profile) -> Iterator[StatusLine]:
    """Every rule for a status, in the order in which they are asked."""
    for rule in profile.status:
        yield from _status(rule)


def fault_lines(profile: Profile, table: FaultTable | None) -> Iterator[FaultLine]:
    """Every code, bit, condition and event that claims a fault."""
    for rule in profile.faults:
        yield from _rule(rule, table)
    for event in profile.mqtt.events if profile.mqtt else ():
        if event.does != "clear":
            yield from _event(event, table)


def _status(rule: StatusRule) -> Iterator[StatusLine]:
    if rule.is_ is not None:
        yield StatusLine(when=wording.condition(rule.when), status=rule.is_)
        return
    also = f" and {wording.condition(rule.when)}" if rule.when else ""
    for key, status in rule.map.items():
        yield StatusLine(
            when=f"{rule.from_} = {key}{also}", status=status, unverified=_NOBODY if key in rule.unverified else ""
        )


def _rule(rule: FaultRule, table: FaultTable | None) -> Iterator[FaultLine]:
    also = f" and {wording.condition(rule.when)}" if rule.when else ""
    if rule.is_ is not None:
        yield _fault(wording.condition(rule.when), rule.is_, rule.text or "", table)
        return
    for sign, meanings in (("", rule.codes), ("bit ", rule.bits)):
        for key, meaning in meanings.items():
            code = f"{rule.from_} {sign}{key}"
            yield _meant(f"{code}{also}", code, meaning, table)
    if rule.ignore:
        listed = ", ".join(map(wording.scalar, rule.ignore))
        yield FaultLine(
            when=f"{rule.from_} {'bits' if rule.bits or rule.is_mask else 'in'} {listed}",
            fault="-", family="-", reset=False, en="A state, not a fault.", zh="是状态，不是故障。",
        )  # fmt: skip
    yield _fault(f"{rule.from_}, anything else{also}", "unknown", "", table)


def _meant(when: str, code: str, meaning: Meaning, table: FaultTable | None) -> FaultLine:
    if isinstance(meaning, str):
        return _fault(when, meaning, "", table, code)
    line = _fault(when, meaning.is_, meaning.text or "", table, code)
    line.unverified = _NOBODY if meaning.unverified else ""
    return line


def _event(event: FaultEvent, table: FaultTable | None) -> Iterator[FaultLine]:
    for code, name in event.codes.items():
        yield _fault(f"{event.does} {code} on {event.topics[0]}", name, "", table, code)
    yield _fault(f"{event.does} anything else on {event.topics[0]}", "unknown", "", table)


def _fault(when: str, name: str, text: str, table: FaultTable | None, code: str = "") -> FaultLine:
    entry = _entry(name, text, table, code)
    return FaultLine(
        when=when,
        fault=name,
        family=entry.family.value if entry else "?",
        reset=bool(entry and entry.reset_allowed),
        en=entry.description_en if entry else "",
        zh=entry.description_zh if entry else "",
        text=text,
    )


def _entry(name: str, text: str, table: FaultTable | None, code: str) -> FaultEntry | None:
    """The fault as the core will read it: the vendor's words may make it worse."""
    if table is None:
        return None
    return table.lookup(code if name == "unknown" and code else name, text)
