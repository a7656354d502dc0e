"""Invented makes of piles: what each can do, how strong it is, and the codes only its maker knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulators.words import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL_ACTIONS = tuple(Action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One make. ``codes`` translates catalogue codes into the maker's own; ``boot_s`` is the range of a start's length.

    ``guards_session``: refuses resets while somebody charges. ``guards_update``: refuses resets during an update.
    ``unlocks_live``: an unlock ends a running session instead of being refused. ``has_clock``: honours ``expires_at``.
    """

    name: str
    firmwares: tuple[str, ...]
    connectors: int
    voltage_v: float
    power_w: float
    actions: tuple[Action, ...] = ALL_ACTIONS
    has_clock: bool = True
    guards_session: bool = False
    guards_update: bool = True
    unlocks_live: bool = False
    says_goodbye: bool = True
    boot_s: tuple[float, float] = (20.0, 90.0)
    codes: Mapping[str, str] = field(default_factory=dict)


def _without(*actions: Action) -> tuple[Action, ...]:
    return tuple(action for action in ALL_ACTIONS if action not in actions)


MODELS: tuple[Model, ...] = (
    Model(
        name="Longteng DC120",
        firmwares=("3.2.1", "3.2.4", "3.3.0"),
        connectors=2,
        voltage_v=560.0,
        power_w=60_000.0,
        guards_session=True,
        codes={"vendor:internal": "LT-E21"},
    ),
    Model(
        name="Heron 60",
        firmwares=("1.8.0", "1.9.2"),
        connectors=1,
        voltage_v=420.0,
        power_w=60_000.0,
        actions=_without(Action.POWER_CYCLE),
        boot_s=(40.0, 150.0),
        codes={"vendor:internal": "H-1107"},
    ),
    Model(
        name="Qinghe AC7",
        firmwares=("0.9.17", "1.0.3"),
        connectors=1,
        voltage_v=230.0,
        power_w=7_000.0,
        actions=_without(Action.POWER_CYCLE, Action.PULL_LOG, Action.UNLOCK),
        has_clock=False,
        guards_update=False,
        unlocks_live=True,
        says_goodbye=False,
        boot_s=(8.0, 40.0),
        codes={"vendor:internal": "E77"},
    ),
    Model(
        name="Borealis Twin 22",
        firmwares=("5.0.2", "5.1.0"),
        connectors=2,
        voltage_v=400.0,
        power_w=22_000.0,
        unlocks_live=True,
        boot_s=(25.0, 120.0),
        codes={"vendor:internal": "BT4003"},
    ),
)
"""The makes a simulated fleet is built from."""
