"""What each model can be told to do, and who does it: the pile itself, or the switch that feeds it.

A plan says what should be tried; not every model can. A step nobody can carry out is skipped with its reason on record,
and a model without any remedy is a case for the field, for there is no channel. A hard restart of a model that has none
is done by its power switch, where it has one: both restart all of its hardware.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from triage.core.events import Registration
from triage.core.vocabulary import REBOOTS, Action

POWER_SWITCH = "power_switch"
"""The driver profile of commands that a switch carries out for a pile."""

_BY_SWITCH = frozenset({Action.RESET_HARD, Action.POWER_CYCLE})


class Dialect(Struct, frozen=True, kw_only=True):
    """What a profile means for decisions: who speaks it, what it can do, and whether a restart can be seen.

    ``boots`` tells for each action whether a restart is to be seen after it; ``restarts_seen`` whether the model tells
    of restarts at all. ``doubts`` are the facts of the profile that nobody has checked, for the operator's eyes.
    """

    driver: str
    boots: Mapping[Action, bool] = field(default_factory=dict)
    restarts_seen: bool = True
    doubts: tuple[str, ...] = ()


class Way(Struct, frozen=True, kw_only=True):
    """How a wanted action is carried out: as which action, through which driver profile, and whether it then boots."""

    action: Action
    profile: str
    boots: bool


Dialects = Mapping[str, Dialect]
"""By profile; a profile that is not there, such as the native one, can do everything."""


def way(dialects: Dialects, registration: Registration, action: Action) -> Way | None:
    """How ``action`` is carried out on this pile, or None when nothing can."""
    dialect = dialects.get(registration.profile)
    if action is Action.POWER_CYCLE and registration.power_switch:
        return _by_switch(dialect)
    if dialect is None:
        return Way(action=action, profile=registration.profile, boots=action in REBOOTS)
    if action in dialect.boots:
        return Way(action=action, profile=registration.profile, boots=dialect.boots[action])
    if action in _BY_SWITCH and registration.power_switch:
        return _by_switch(dialect)
    return None


def _by_switch(dialect: Dialect | None) -> Way:
    return Way(action=Action.POWER_CYCLE, profile=POWER_SWITCH, boots=dialect is None or dialect.restarts_seen)
