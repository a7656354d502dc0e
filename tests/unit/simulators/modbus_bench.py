"""A Modbus pile under test."""

from __future__ import annotations

from random import Random
from typing import Any, TypeVar

from simulators.pile import Nature, Pile
from simulators.temperaments import Temperament
from simulators.wire.modbus.device import Device
from tests.unit.simulators.bench import START

D = TypeVar("D", bound=Device)


def device(make: type[D], seed: int = 1, **nature: Any) -> D:
    """A sound, well-behaved device nobody comes to, on its line."""
    quiet: dict[str, Any] = {"fault_rate": 0.0, "sessions_per_day": 0.0, "temperament": Temperament()}
    pile = Pile(
        Nature(
            pile="HZ01-003",
            site="HZ01",
            model=make.model,
            connectors=make.model.connectors,
            polled=True,
            **(quiet | nature),
        ),
        Random(seed),
        START,
    )
    pile.link(START, up=True)
    return make(pile)


def charging(device: Device, connector: int = 1) -> float:
    """Let somebody charge; the time when they do, with the meter running for a minute."""
    now = START
    device.pile.driver(now, connector)
    while device.pile.condition(connector).session is None:
        now += 1.0
        assert now < START + 3600.0
        device.pile.advance(now)
    return now + 60.0
