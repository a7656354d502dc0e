"""YAML as an operator writes it: every value remembers its line, and what could surprise is refused.

The dialect is YAML 1.2's core schema (``no`` and ``on`` are words, ``12:30`` is text, ``2027-01-01`` is text) without
aliases and tags, so that a file means what it looks like and cannot grow while it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from triage.errors import InputError, InputFault

MAX_BYTES = 1 << 20
"""Largest YAML file that is read at all."""

MAX_DEPTH = 24
"""Deepest nesting that is read; nothing an operator writes comes near it."""

Place = tuple[str | int, ...]
"""Where a value stands in its document: keys and list positions from the root."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]{1,3})?\Z")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+\Z")
_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "value", "seq", "map"})
_PLAIN_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: its name as shown to people, its text, the plain data, and the line of every key and item.

    ``overrides`` names the environment variable of every place whose value came from there.
    """

    file: str
    text: str
    raw: bytes
    data: Any
    lines: dict[Place, int] = field(default_factory=dict)
    overrides: dict[Place, str] = field(default_factory=dict)

    def line(self, at: Place) -> int | None:
        """The line of ``at``, or of the nearest thing around it."""
        while at not in self.lines and at:
            at = at[:-1]
        return self.lines.get(at)

    def fault(self, at: Place, problem: str, remedy: str = "") -> InputFault:
        """A fault at ``at``: of this file, or of the environment variable that overrides it there."""
        for end in range(len(at), 0, -1):
            if at[:end] in self.overrides:
                return InputFault("environment", None, self.overrides[at[:end]], problem, remedy)
        return InputFault(self.file, self.line(at), dotted(at), problem, remedy)


def dotted(at: Place) -> str:
    """``("steps", 0, "id")`` as ``steps[0].id``."""
    shown = ""
    for part in at:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}" if shown else part
    return shown


def read_document(path: Path) -> Document:
    """Read and parse the YAML file at ``path``.

    Raises:
        InputError: unreadable, too large, not UTF-8, not YAML, or with duplicate keys, aliases, tags or deep nesting.
    """
    return parse_document(read_bytes(path), str(path))


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The bytes of ``path``, at most ``limit`` of them.

    Raises:
        InputError: the file is missing, unreadable, a folder or larger than ``limit``.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(limit + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        fault = InputFault(str(path), None, "", f"cannot be read: {reason}", "check the path and its permissions")
        raise InputError([fault]) from error
    if len(raw) > limit:
        fault = InputFault(str(path), None, "", f"larger than {limit} bytes", "split the file or remove what is unused")
        raise InputError([fault])
    return raw


def parse_document(raw: bytes, file: str) -> Document:
    """Parse ``raw``, shown to people as ``file``.

    Raises:
        InputError: see :func:`read_document`.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        fault = InputFault(file, line, "", f"is not UTF-8 (byte {error.start})", "save the file as UTF-8")
        raise InputError([fault]) from error
    try:
        _refuse_bombs(text, file)
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise InputError([_syntax_fault(error, file)]) from error
    builder = _Builder(file)
    data = None if node is None else builder.build(node, ())
    if builder.faults:
        raise InputError(builder.faults)
    return Document(file, text, raw, data, builder.lines)


def parse_scalar(text: str) -> Any:
    """What the unquoted word ``text`` means: nothing, a truth value, a number or the text itself."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text) and not _LEADING_ZERO.match(text):
        return float(text)
    return text


def _refuse_bombs(text: str, file: str) -> None:
    """Refuse aliases and deep nesting before anything is built from them."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = _line(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            raise InputError([InputFault(file, line, "", "aliases (*name) are not allowed", "write the value out")])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            fault = InputFault(file, line, "", f"nested deeper than {MAX_DEPTH} levels", "flatten the structure")
            raise InputError([fault])


def _line(mark: Any) -> int:
    """The line a parser's mark stands on, counted from one."""
    return int(mark.line) + 1


def _syntax_fault(error: yaml.YAMLError, file: str) -> InputFault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0]
    line = None if mark is None else _line(mark)
    return InputFault(file, line, "", f"is not YAML: {problem}", "mend the indentation or quoting here")


class _Builder:
    """Turns composed nodes into plain data, noting lines and collecting faults."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Place, int] = {}
        self.faults: list[InputFault] = []

    def build(self, node: yaml.Node, at: Place) -> Any:
        self.lines.setdefault(at, _line(node.start_mark))
        if node.tag.removeprefix(_PLAIN_TAG) not in _TAGS:
            self._fault(node, at, f"the tag {node.tag} is not allowed", "remove the tag")
            return None
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, at))
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*at, index)) for index, item in enumerate(node.value)]
        return str(node.value) if getattr(node, "style", None) else parse_scalar(node.value)

    def _pairs(self, node: yaml.MappingNode, at: Place) -> Iterator[tuple[str, Any]]:
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = _line(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == f"{_PLAIN_TAG}merge":
                self._fault(key_node, at, "a key must be a plain word", "write the keys out")
                continue
            key = str(key_node.value)
            here = (*at, key)
            if key in first:
                self._fault(key_node, here, f"this key is already given on line {first[key]}", "keep one of them")
                continue
            first[key] = self.lines[here] = line
            yield key, self.build(value_node, here)

    def _fault(self, node: yaml.Node, at: Place, problem: str, remedy: str) -> None:
        self.faults.append(InputFault(self.file, _line(node.start_mark), dotted(at), problem, remedy))
