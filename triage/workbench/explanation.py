"""What a profile says, laid out for a person who has to trust it: nothing here is read from a device."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from triage.config.profile.actions import ActionSpec
from triage.config.profile.file import Profile
from triage.config.profile.uses import steps
from triage.core.faults import FaultTable
from triage.core.vocabulary import REBOOTS, REPEAT, Action
from triage.workbench import wording
from triage.workbench.limits import cannot
from triage.workbench.lines import ActionLine, FaultLine, StatusLine, ValueLine
from triage.workbench.meanings import fault_lines, status_lines
from triage.workbench.polling import Request, requests, widest
from triage.workbench.valuelines import value_lines


class Explanation(Struct, kw_only=True):
    """A profile in words, for a device with so many connectors."""

    profile: str
    title: dict[str, str]
    vendor: str
    models: list[str]
    kind: str
    transport: str
    connectors: int
    sources: list[str]
    verified: str
    unverified: list[str]
    quirks: list[str]
    speaks: dict[str, Any]
    requests: list[Request]
    topics: list[str]
    values: list[ValueLine]
    status: list[StatusLine]
    faults: list[FaultLine]
    session: list[str]
    identity: list[str]
    restart: str
    actions: list[ActionLine]
    switching: list[str]
    keepalive: list[str]
    cannot: list[str]


def explain(profile: Profile, table: FaultTable | None, connectors: int | None = None) -> Explanation:
    """``profile`` in words; without a ``table`` of faults their families are not told.

    Raises:
        AddressError: a register of one of the ``connectors`` has no address.
    """
    count = connectors or widest(profile)
    return Explanation(
        profile=profile.profile,
        title={language: profile.title.get(language, "") for language in ("en", "zh")},
        vendor=profile.vendor,
        models=list(profile.models),
        kind=profile.kind,
        transport=profile.transport,
        connectors=count,
        sources=list(profile.sources),
        verified=profile.verified,
        unverified=list(profile.doubts()),
        quirks=list(profile.quirks),
        speaks=_speaks(profile),
        requests=requests(profile, count),
        topics=_topics(profile),
        values=list(value_lines(profile)),
        status=list(status_lines(profile)),
        faults=list(fault_lines(profile, table)),
        session=_session(profile),
        identity=[wording.condition(each) for each in profile.identity.expect],
        restart=_restart_seen(profile),
        actions=[_action(profile, action, spec) for action, spec in profile.actions.given().items()],
        switching=_switching(profile),
        keepalive=_keepalive(profile),
        cannot=cannot(profile),
    )


def _topics(profile: Profile) -> list[str]:
    """What is listened to, answers included, and what is published: all that a broker's rights must allow."""
    mqtt = profile.mqtt
    if mqtt is None:
        return []
    places = [place for value in mqtt.values.values() for place in (value, *value.also)]
    places += [mqtt.presence] if mqtt.presence is not None else []
    heard = [topic for place in (*places, *mqtt.events) for topic in place.topics]
    answers = [
        f"{topic} (answer to {action})"
        for action, spec in profile.actions.given().items()
        if spec.answer is not None
        for topic in spec.answer.topics
    ]
    asked = [f"{ask.topic} {ask.payload!r} (asked by us)" for ask in mqtt.ask]
    told = [f"{step.publish.topic} (published by us)" for _, step in steps(profile) if step.publish is not None]
    return list(dict.fromkeys([*heard, *answers, *asked, *told]))


def _session(profile: Profile) -> list[str]:
    session = profile.session
    if session is None:
        return ["live while charging, suspended, preparing or finishing; none while available; otherwise by the meter"]
    lines = [f"its id is {session.id}; empty, 0 or JSON null: none; `invalid`: unknown"] if session.id else []
    lines += [f"live when {wording.condition(each)}" for each in session.live]
    lines += [f"none when {wording.condition(each)}" for each in session.none]
    return [*lines, "otherwise unknown: no restart"]


def _switching(profile: Profile) -> list[str]:
    switching = profile.switching
    if switching is None:
        return []
    steps = [f"{name}: {wording.step(step)}" for name in ("off", "on") for step in getattr(switching, name)]
    return [*steps, f"read back from {switching.state} within {switching.within_s:g} s; off for {switching.off_s:g} s"]


def _keepalive(profile: Profile) -> list[str]:
    beat = profile.keepalive
    if beat is None:
        return []
    state = "on" if beat.enabled else "off"
    steps = ", ".join(wording.step(step) for step in beat.steps)
    return [
        f"{state}; every {beat.every_s:g} s: {steps}",
        *(beat.does[key] for key in ("en", "zh") if key in beat.does),
    ]


def _speaks(profile: Profile) -> dict[str, Any]:
    """The settings of the transport that differ from device to device."""
    section = profile.modbus or profile.mqtt
    if section is None:
        return {}
    return section.model_dump(exclude={"registers", "values", "presence", "events", "ask", "note", "connectors"})


def _action(profile: Profile, action: Action, spec: ActionSpec) -> ActionLine:
    answer = "none; only what is read afterwards tells"
    if spec.answer is not None:
        answer = f"{', '.join(spec.answer.topics)} within {spec.answer.within_s:g} s"
    elif profile.modbus is not None and any(step.write for step in spec.steps):
        answer = "the device's echo of the write: it was taken, not that it worked"
    return ActionLine(
        action=action.value,
        kind=spec.kind,
        repeat=REPEAT[action].value,
        repeating=wording.REPEATS[REPEAT[action]],
        en=spec.does.get("en", ""),
        zh=spec.does.get("zh", ""),
        require=wording.condition(spec.require) if spec.require else "-",
        steps=wording.steps(spec.steps, _stateful(profile)),
        answer=answer,
        restart=_restart(profile, action, spec),
        unverified=spec.unverified or "",
    )


def _stateful(profile: Profile) -> set[str]:
    """The registers that hold a state: writing it twice changes nothing."""
    registers = profile.modbus.registers if profile.modbus is not None else {}
    return {name for name, register in registers.items() if register.access == "rw"}


def _restart(profile: Profile, action: Action, spec: ActionSpec) -> str:
    """How a restart after ``action`` is seen."""
    away = f"; away for at most {spec.boot_s:g} s" if spec.boot_s else ""
    if not spec.seen_to_boot(action):
        return f"none is expected{away}" if action in REBOOTS or away else "-"
    return _restart_seen(profile) + away


def _restart_seen(profile: Profile) -> str:
    boot = profile.boot
    if boot is None:
        return "cannot be seen: the profile has no `boot`"
    ways = [f"{boot.uptime} begins anew"] if boot.uptime else []
    ways += [f"{boot.counter} changes"] if boot.counter else []
    ways += [f"it was starting ({wording.condition(boot.starting)})"] if boot.starting else []
    return "seen when " + " or ".join(ways)
