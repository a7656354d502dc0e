"""A pile under test."""

from __future__ import annotations

from random import Random
from typing import Any

from simulators.models import MODELS
from simulators.pile import Message, Nature, Pile
from simulators.temperaments import Temperament
from simulators.words import Topic

START = 1_760_000_000.0


class Bench:
    """One pile under test, with everything it ever said."""

    def __init__(self, pile: Pile) -> None:
        self.pile = pile
        self.now = START
        self.said: list[Message] = []

    def connect(self) -> list[Message]:
        return self._keep(self.pile.link(self.now, up=True))

    def run(self, seconds: float) -> list[Message]:
        self.now += seconds
        return self._keep(self.pile.advance(self.now))

    def command(self, number: str, action: str, **more: Any) -> list[Message]:
        wanted = {"id": number, "action": action, "connector": 0, "args": {}, "expires_at": None} | more
        return self._keep(self.pile.command(self.now, wanted))

    def inject(self, kind: str, connector: int | None = None) -> list[Message]:
        return self._keep(self.pile.inject(self.now, kind, connector))

    def telemetry(self) -> dict[str, Any]:
        return next(each.payload for each in reversed(self.said) if each.topic is Topic.TELEMETRY)

    def acks(self, number: str) -> list[dict[str, Any]]:
        return [each.payload for each in self.said if each.topic is Topic.ACK and each.payload["id"] == number]

    def births(self) -> list[dict[str, Any]]:
        return [each.payload for each in self.said if each.topic is Topic.STATUS and each.payload["online"]]

    def _keep(self, messages: list[Message]) -> list[Message]:
        self.said += messages
        return messages


def make(
    seed: int = 1,
    model: int = 0,
    temperament: Temperament | None = None,
    fault_rate: float = 0.0,
    sessions_per_day: float = 0.0,
    heartbeat_s: float = 60.0,
) -> Bench:
    """A connected pile; without other wishes a quiet, well-behaved one."""
    nature = Nature(
        pile="HZ01-003",
        site="HZ01",
        model=MODELS[model],
        temperament=temperament or Temperament(),
        connectors=MODELS[model].connectors,
        fault_rate=fault_rate,
        sessions_per_day=sessions_per_day,
        heartbeat_s=heartbeat_s,
    )
    bench = Bench(Pile(nature, Random(f"{seed}"), START))
    bench.connect()
    return bench
