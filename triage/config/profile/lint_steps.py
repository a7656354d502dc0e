"""Steps that cannot be taken: writes a register refuses, messages without a broker, places no one fills."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING

from triage.config.profile.actions import ActionSpec, Publish, Step
from triage.config.profile.registers import Modbus
from triage.config.profile.topics import COMMAND_PLACES
from triage.config.profile.uses import Findings, near, steps
from triage.config.profile.writing import UnwritableError, raw_for, writes_whole_words
from triage.config.yamlfile import Place
from triage.core.vocabulary import READS, REBOOTS, Action

if TYPE_CHECKING:
    from triage.config.profile.file import Profile

_BRACES = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}")
_EXAMPLE = re.compile(r"\{(device|connector|id|now_ms)\}")
_LIKELY = 0.75


def lint_steps(findings: Findings) -> None:
    """Every step of actions, keep-alive and switching, and how commands are answered."""
    profile = findings.profile
    for at, step in steps(profile):
        _transport(findings, at, step)
        if step.write is not None and profile.modbus is not None:
            _write(findings, (*at, "write"), step, profile.modbus)
        if step.publish is not None and profile.mqtt is not None:
            _publish(findings, (*at, "publish"), step.publish)
    for index, ask in enumerate(profile.mqtt.ask if profile.mqtt is not None else ()):
        _template(findings, ("mqtt", "ask", index), ask.topic, ask.payload, COMMAND_PLACES - {"connector"})
    for action, spec in profile.actions.given().items():
        if spec.answer is not None and profile.modbus is not None:
            findings.add(("actions", action.value, "answer"), "Modbus answers no commands", "use `expect` in the steps")
        if action not in READS and all(step.write is None and step.publish is None for step in spec.steps):
            findings.add(("actions", action.value, "steps"), "nothing is told to the device", "add what is sent to it")
        _whole_pile(findings, action, spec)


def _whole_pile(findings: Findings, action: Action, spec: ActionSpec) -> None:
    """What ends one connector's session, or releases its cable, must not be told to all of them unawares."""
    profile = findings.profile
    one = action in REBOOTS | READS | {Action.SET_AVAILABILITY} or spec.note is not None
    if one or not _several(profile):
        return
    sent = [
        text for step in spec.steps if step.publish is not None for text in (step.publish.topic, step.publish.payload)
    ]
    registers = profile.modbus.registers if profile.modbus is not None else {}
    written = [registers[name] for step in spec.steps for name in step.write or () if name in registers]
    if any("{connector}" in text for text in sent) or any(register.of == "connector" for register in written):
        return
    if sent or written:
        what = "name {connector} in the topic or the payload" if sent else "write a register that is `of: connector`"
        problem = "is told to the whole pile, and the model has several connectors"
        findings.add(("actions", action.value, "steps"), problem, f"{what}, or say in a `note` why that is right")


def _several(profile: Profile) -> bool:
    if profile.connectors is not None:
        return profile.connectors > 1
    return any(value.of == "connector" for value in profile.values.values())


def _transport(findings: Findings, at: Place, step: Step) -> None:
    if step.write is not None and findings.profile.modbus is None:
        findings.add((*at, "write"), "there are no registers over MQTT", "use `publish`")
    if step.publish is not None and findings.profile.mqtt is None:
        findings.add((*at, "publish"), "there is no broker over Modbus", "use `write`")


def _write(findings: Findings, at: Place, step: Step, device: Modbus) -> None:
    for name, value in (step.write or {}).items():
        register = device.registers.get(name)
        if register is None:
            known = [each for each, found in device.registers.items() if found.access != "r"]
            findings.add((*at, name), f"no register is called {name!r}", near(name, known))
            continue
        try:
            raw_for(register, value)
        except UnwritableError as error:
            findings.add((*at, name), f"cannot be written: {error}", "see `access`, `allowed` and `limits` of it")
            continue
        if not writes_whole_words(register):
            remedy = "name the whole register as a value of its own, and write that"
            findings.add((*at, name), "writing a part of a register would clear its other bits", remedy)


def _publish(findings: Findings, at: Place, publish: Publish) -> None:
    _template(findings, at, publish.topic, publish.payload, COMMAND_PLACES)


def _template(findings: Findings, at: Place, topic: str, payload: str, places: frozenset[str]) -> None:
    known = ", ".join(f"{{{place}}}" for place in sorted(places))
    for word in _BRACES.findall(topic):
        if word not in places:
            findings.add((*at, "topic"), f"nothing fills {{{word}}}", f"known: {known}")
    if "{device}" not in topic:
        findings.add((*at, "topic"), "without {device} every device would hear it", "name the device in the topic")
    if "+" in topic or "#" in topic or "\0" in topic:
        findings.add((*at, "topic"), "nothing can be published to a wildcard", "write the topic out")
    for word in _BRACES.findall(payload):
        if word not in places and difflib.get_close_matches(word.lower(), places, n=1, cutoff=_LIKELY):
            findings.add((*at, "payload"), f"nothing fills {{{word}}}", f"known: {known}")
            return
    _json(findings, (*at, "payload"), payload)


def _json(findings: Findings, at: Place, payload: str) -> None:
    """A payload that looks like JSON must be JSON once its places are filled."""
    filled = _EXAMPLE.sub(lambda hit: "1" if hit[1] in {"connector", "now_ms"} else "x", payload)
    if not filled.lstrip().startswith(("{", "[")):
        return
    try:
        json.loads(filled)
    except ValueError as error:
        problem = f"is no JSON once its places are filled: {error}"
        findings.add(at, problem, 'texts stand between quotes: {"id": "{id}", "n": {connector}}')
