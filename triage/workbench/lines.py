"""The lines an explanation is made of."""

from __future__ import annotations

from msgspec import Struct


class ValueLine(Struct, kw_only=True):
    """One value: where it stands (``FC03 40001``, or a topic), how it is read, and what it is used for.

    ``possible`` is its range, ``nothing`` what means that it has no value, as the device says it.
    """

    name: str
    of: str
    where: str
    wire: str = ""
    type: str
    unit: str = ""
    possible: str = ""
    nothing: str = ""
    used: str = ""
    writes: str = ""
    unverified: str = ""


class StatusLine(Struct, kw_only=True):
    """When a connector has which status."""

    when: str
    status: str
    unverified: str = ""


class FaultLine(Struct, kw_only=True):
    """What one code, bit or condition claims; ``reset`` tells whether a restart may ever follow it."""

    when: str
    fault: str
    family: str
    reset: bool
    en: str
    zh: str
    text: str = ""
    unverified: str = ""


class ActionLine(Struct, kw_only=True):
    """What one action really does on this model, and how it is known to have worked.

    ``repeating`` says in words what ``repeat`` allows after a crash.
    """

    action: str
    kind: str
    repeat: str
    repeating: str
    en: str
    zh: str
    require: str
    steps: list[str]
    answer: str
    restart: str
    unverified: str = ""
