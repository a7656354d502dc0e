"""What is understood over MQTT: expressions that are none, connectors that are not told apart, presence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jmespath
import jmespath.exceptions
import jmespath.functions

from triage.config.profile.topics import FaultEvent, Mqtt, Place, Presence
from triage.config.profile.uses import Findings, near
from triage.config.yamlfile import Place as At

_CONNECTOR = "{connector}"
_UNLIKELY = "735190264"
"""Stands for a connector's number, to be found again in an expression."""

_BARE = re.compile(r"[=<>]\s*\{connector\}|\{connector\}\s*[=!<>]")
_KNOWN = frozenset(jmespath.functions.Functions.FUNCTION_TABLE)


def lint_topics(findings: Findings) -> None:
    """The whole ``mqtt`` section, and the answers of actions."""
    for action, spec in findings.profile.actions.given().items():
        if spec.answer is not None:
            at: At = ("actions", action.value, "answer")
            _place(findings, at, spec.answer)
            _paths(
                findings, at, {"id": spec.answer.id, "reason": spec.answer.reason}, text=spec.answer.payload == "text"
            )
    mqtt = findings.profile.mqtt
    if mqtt is None:
        return
    _device(findings, mqtt)
    for name, value in mqtt.values.items():
        _place(findings, ("mqtt", "values", name), value)
        _connectors(findings, ("mqtt", "values", name), value, of_connector=value.of == "connector")
        for index, place in enumerate(value.also):
            _place(findings, ("mqtt", "values", name, "also", index), place)
            at = ("mqtt", "values", name, "also", index)
            _connectors(findings, at, place, of_connector=value.of == "connector")
    if mqtt.presence is not None:
        _place(findings, ("mqtt", "presence"), mqtt.presence)
        _connectors(findings, ("mqtt", "presence"), mqtt.presence, of_connector=False)
        _presence(findings, mqtt.presence)
    for index, event in enumerate(mqtt.events):
        _place(findings, ("mqtt", "events", index), event)
        _event(findings, ("mqtt", "events", index), event)


def _place(findings: Findings, at: At, place: Place) -> None:
    _paths(findings, at, {"path": place.path}, text=place.payload == "text")


def _paths(findings: Findings, at: At, paths: dict[str, str | None], *, text: bool) -> None:
    for field, path in paths.items():
        if path is None:
            continue
        if text:
            findings.add((*at, field), "a bare text has no parts", "use `payload: json`, or leave the path out")
        try:
            parsed = jmespath.compile(path.replace(_CONNECTOR, "1")).parsed
        except jmespath.exceptions.JMESPathError as error:
            where = getattr(error, "lex_position", getattr(error, "lexer_position", None))
            column = "" if where is None else f" (column {where + 1})"
            remedy = 'quote names with other signs: "switch:0".output'
            if _BARE.search(path):
                remedy = "a number in a filter stands between backticks: [?n == `{connector}`]"
            findings.add((*at, field), f"is no JMESPath{column}", remedy)
            continue
        if _CONNECTOR in path and _is_text(jmespath.compile(path.replace(_CONNECTOR, _UNLIKELY)).parsed):
            problem = "'{connector}' in quotes is a text, and no number is equal to it"
            remedy = "write [?n == `{connector}`]; where the device may say a text: [?to_string(n) == '{connector}']"
            findings.add((*at, field), problem, remedy)
        for name in _functions(parsed):
            if name not in _KNOWN:
                findings.add((*at, field), f"JMESPath has no function {name!r}", near(name, _KNOWN))


def _functions(node: Mapping[str, Any]) -> Iterator[str]:
    """The functions an expression calls."""
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _functions(child)


def _is_text(node: Mapping[str, Any]) -> bool:
    """Whether a part of a message, as it comes, is compared with a connector's number written as a text."""
    children = [child for child in node["children"] if isinstance(child, dict)]  # those of a slice are numbers
    if node["type"] == "comparator":
        texts = [child for child in children if child["type"] == "literal" and child["value"] == _UNLIKELY]
        return bool(texts) and not any(child["type"] == "function_expression" for child in children)
    return any(map(_is_text, children))


def _connectors(findings: Findings, at: At, place: Place, *, of_connector: bool) -> None:
    told = _CONNECTOR in (place.path or "") or all(_CONNECTOR in topic for topic in place.topics)
    named = _CONNECTOR in (place.path or "") or any(_CONNECTOR in topic for topic in place.topics)
    if of_connector and not told and findings.profile.connectors != 1:
        remedy = "put {connector} into the topic or the path, or say `connectors: 1`"
        findings.add(at, "all connectors would get the same value", remedy)
    if named and not of_connector:
        findings.add(at, "{connector} without a connector", "say `of: connector`, or leave it out")


def _device(findings: Findings, mqtt: Mqtt) -> None:
    try:
        expression = re.compile(mqtt.device)
    except re.error as error:
        findings.add(("mqtt", "device"), f"is no regular expression: {error}", "mend it; [^+#/]+ is one level")
        return
    if mqtt.device_example is not None and expression.fullmatch(mqtt.device_example) is None:
        problem = f"the example {mqtt.device_example!r} does not match `device`"
        findings.add(("mqtt", "device_example"), problem, "mend one of them")


def _presence(findings: Findings, presence: Presence) -> None:
    for index, value in enumerate(presence.offline):
        if value in presence.online:
            findings.add(("mqtt", "presence", "offline", index), f"{value!r} also means online", "keep one of them")


def _event(findings: Findings, at: At, event: FaultEvent) -> None:
    paths = {name: getattr(event, name) for name in ("when", "key", "code", "info", "connector")}
    _paths(findings, at, paths, text=event.payload == "text")
    if event.code is None and event.does in {"raise", "list"}:
        findings.add(at, f"`{event.does}` needs the fault's `code`", "give the path to it; it may be that of the key")
    if _CONNECTOR in (event.path or "") or any(_CONNECTOR in topic for topic in event.topics):
        findings.add(at, "{connector} without a connector", "give the path to its number with `connector`")
