"""Logs to standard error, one record a line, with nobody's phone number in them.

Whatever is logged may hold words of a stranger (a complaint, a payload, a topic). So every value is cut to a bound,
masked, and stripped of the control characters that forge lines or steer terminals.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
"""Names of levels as the configuration spells them."""

LONGEST_VALUE = 4000
"""Characters of one value that are kept."""

DEEPEST = 6
"""Levels of nesting that are kept."""

LARGEST = 100
"""Items of one collection that are kept."""

MASK = "***"

_SECRET_KEY = re.compile(r"(?i)passw(or)?d|secret|token|authori[sz]ation|api_?key|credential|cookie|signature")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SECRETS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"(://[^\s:/@]*):[^\s/@]+@"), rf"\1:{MASK}@"),
    (
        re.compile(
            r"(?i)([\"']?\b\w*(?:password|passwd|secret|token|api_?key)[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&]+)"
        ),
        rf"\1{MASK}",
    ),
)
_EMAIL = re.compile(r"([\w.+-])[\w.+-]*@((?:[\w-]+\.)+\w{2,})")
_PHONES = (
    re.compile(r"(?<!\d)(?:(?:\+|00)86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)", re.ASCII),  # mobile, China
    re.compile(r"(?<![\d-])0\d{2,3}[ -]\d{7,8}(?!\d)", re.ASCII),  # landline, China
    re.compile(r"(?<![\w+])\+\d(?:[ ()-]{0,2}\d){7,14}(?!\d)", re.ASCII),  # international
)

Record = MutableMapping[str, Any]
Processor = Callable[[Any, str, Record], Record]


def configure(level: str = "info", *, json: bool = True, stream: TextIO | None = None) -> None:
    """Send this process's records to ``stream`` (standard error), as JSON or for a person's eyes.

    Raises:
        ValueError: ``level`` is none of :data:`LEVELS`.
    """
    if level not in LEVELS:
        message = f"log level {level!r} is unknown; use one of {', '.join(LEVELS)}"
        raise ValueError(message)
    structlog.configure(
        processors=[*_gathering(), _renderer(json=json)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def bridge(*, json: bool = True, stream: TextIO | None = None) -> logging.Handler:
    """A handler that gives records of the standard library's logging (uvicorn, SQLAlchemy) the same treatment."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_gathering(),
                _renderer(json=json),
            ],
        )
    )
    return handler


def sanitize(_logger: Any, _method: str, record: Record) -> Record:
    """Processor: every value masked, cut and freed of control characters."""
    return {_escape(str(key)): _value(str(key), value) for key, value in record.items()}


def mask(text: str) -> str:
    """``text`` without phone numbers (138****1234), mail addresses and secrets."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    text = _EMAIL.sub(rf"\1{MASK}@\2", text)
    for pattern in _PHONES:
        text = pattern.sub(_mask_phone, text)
    return text


def _gathering() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        sanitize,
    ]


def _renderer(*, json: bool) -> Any:
    if json:
        return structlog.processors.JSONRenderer(ensure_ascii=False, default=repr)
    return structlog.dev.ConsoleRenderer(colors=False, sort_keys=False)


def _value(key: str, value: Any, depth: int = 0) -> Any:
    """``value`` as plain data that is safe to print; ``key`` alone may make it a secret."""
    if value is None or isinstance(value, bool | float):
        return value
    if _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, int):
        return value if abs(value) < 10**10 else _text(str(value))
    if isinstance(value, str):
        return _text(value) if key not in {"exception", "stack"} else _traceback(value)
    if depth >= DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        items = list(value.items())[:LARGEST]
        return {_text(str(name)): _value(str(name), item, depth + 1) for name, item in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(key, item, depth + 1) for item in list(value)[:LARGEST]]
    return _text(repr(value))


def _text(text: str) -> str:
    cut = text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text)} characters)"
    return _escape(mask(cut))


def _traceback(text: str) -> str:
    """A traceback keeps its lines, each set in, so that none can pass for a record of its own."""
    return "\n".join(f"    {_text(line)}" for line in text.split("\n")[-LARGEST:])


def _escape(text: str) -> str:
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def _mask_phone(found: re.Match[str]) -> str:
    digits = [character for character in found.group() if character.isdigit()]
    return f"{''.join(digits[-11:-8])}****{''.join(digits[-4:])}"
