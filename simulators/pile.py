"""A charging pile as a pure model: it is told the time, and says what it sends.

Nothing here reads a clock, sleeps or opens a socket. ``now`` is Unix time in seconds (float, virtual or real), all
chance comes from the ``random.Random`` handed in, and every payload is the native dialect's JSON as a ``dict``.

API::

    nature = Nature(pile="HZ01-003", site="HZ01", model=MODELS[0], temperament=Temperament(), connectors=2)
    pile = Pile(nature, random.Random("seed/HZ01-003"), now)   # running, not connected yet
    pile.link(now, up=True)      -> [Message]   connects: status message, telemetry
    pile.next_at()               -> float       when something will happen by itself (inf: never)
    pile.advance(now)            -> [Message]   everything that happened until now, each at its own time
    pile.command(now, command)   -> [Message]   a payload of the command topic; the answer may come later by advance()
    pile.power(now, on=False)    -> [Message]   mains of this pile
    pile.inject(now, "ground_fault", connector=1) -> [Message]   let a fault of the catalogue begin
    pile.repair(now, fixed=True) -> [Message]   a technician worked here: restarted and, if fixed, sound and safe
    pile.topic(message)          -> "pile/v1/HZ01/HZ01-003/telemetry"
    pile.command_topic           -> "pile/v1/HZ01/HZ01-003/command"
    pile.look(now)               -> Look        what somebody sees who reads it (Nature(polled=True): it tells nothing)

    pile.reachable               -> bool        it holds a connection; commands sent meanwhile reach it
    pile.condition(1)            -> Condition   the truth about connector 1 (0: the whole pile)
    pile.truth                   -> Truth       executions, faults, boots; see simulators.truth
    pile.take_encounters()       -> [Encounter] drivers who came since the last call, and how it went

A ``Message`` is ``(topic, payload, retain, by_broker)``. ``by_broker`` marks a last will, due 1 to 1.5 keepalives after
the connection broke; on a real broker leave these out and break the connection. Commands to an unreachable pile are
lost. Call ``advance`` at ``next_at()`` or as late as you like: late calls give the same messages, with the times at
which they were due.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulators.faults import KINDS
from simulators.hardware.controller import Controller
from simulators.hardware.device import Clock, Device, Message, Nature
from simulators.hardware.obedience import Obedience
from simulators.hardware.sessions import Sessions, blocking, chargeable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from simulators.hardware.look import Look
    from simulators.truth import Encounter, Truth

__all__ = ["Clock", "Condition", "Message", "Nature", "Pile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The truth about one connector, or about the whole pile.

    ``can_charge``: a driver who came now would get energy. ``blocked_by``: the fault that prevents it. ``danger``: the
    danger that is present. ``session``: who charges. ``updating``: an update runs. ``dead``: it waits for a visit.
    """

    can_charge: bool
    faults: tuple[str, ...]
    blocked_by: str | None
    danger: str | None
    session: str | None
    updating: bool
    operative: bool
    running: bool
    reachable: bool
    dead: bool


class Pile:
    """One simulated pile; the module's text is its manual."""

    def __init__(self, nature: Nature, rng: Random, now: float, clock: Clock | None = None) -> None:
        """A sound pile that has been running for a while; connect it with :meth:`link`."""
        self.nature = nature
        self._device = Device(nature, rng, now, clock or Clock())
        self._sessions = Sessions(self._device, now)
        self._controller = Controller(self._device, self._sessions, now)
        self._obedience = Obedience(self._device, self._sessions, self._controller)
        self._prefix = f"pile/v1/{nature.site}/{nature.pile}/"

    @property
    def id(self) -> str:
        """The pile's id."""
        return self.nature.pile

    @property
    def site(self) -> str:
        """The site it stands on."""
        return self.nature.site

    @property
    def command_topic(self) -> str:
        """Where it listens."""
        return self._prefix + "command"

    @property
    def reachable(self) -> bool:
        """Whether it holds a connection to its broker."""
        return self._device.reachable

    @property
    def wants_link(self) -> bool:
        """Whether it would hold a connection if the network let it: running, its own side sound."""
        device = self._device
        return device.powered and device.up and not device.dead and not device.link_broken

    @property
    def silent(self) -> bool:
        """Whether its application says nothing and answers nobody although the link may live."""
        return self._device.silent

    @property
    def left_politely(self) -> bool:
        """Whether it closed its last connection properly, so that no last will is published."""
        return self._device.left_politely

    @property
    def truth(self) -> Truth:
        """What really happened here so far."""
        return self._device.truth

    @property
    def boot(self) -> int:
        """Number of the present run of the controller."""
        return self._device.boot

    def topic(self, message: Message) -> str:
        """The full topic a message goes to."""
        return self._prefix + message.topic

    def next_at(self) -> float:
        """When something will happen by itself, in seconds; it may lie in the past if time was not advanced."""
        return min(self._device.beat_at, self._device.agenda.next_at())

    def advance(self, now: float) -> list[Message]:
        """Let everything happen that is due until ``now``."""
        self._run(now)
        return self._take()

    def command(self, now: float, command: Mapping[str, Any]) -> list[Message]:
        """Take a command as it stands on the command topic."""
        self._run(now)
        self._obedience.take(now, command)
        self._run(now)
        return self._take()

    def look(self, now: float) -> Look:
        """What it shows to somebody who reads it now; whatever it would tell meanwhile is dropped."""
        self._run(now)
        self._take()
        return self._device.look(now)

    def link(self, now: float, *, up: bool) -> list[Message]:
        """The network between pile and broker comes or goes, whatever the pile itself does."""
        self._run(now)
        self._device.wire_up = up
        self._device.review(now)
        return self._take()

    def power(self, now: float, *, on: bool) -> list[Message]:
        """Mains come or go."""
        self._run(now)
        self._controller.power(now, on=on)
        return self._take()

    def inject(self, now: float, kind: str, connector: int | None = None) -> list[Message]:
        """Let a fault begin.

        Raises:
            KeyError: no such kind in the catalogue.
        """
        self._run(now)
        self._controller.troubles.strike(now, KINDS[kind], connector)
        return self._take()

    def repair(self, now: float, *, fixed: bool) -> list[Message]:
        """A technician worked here and restarted the pile; if ``fixed``, nothing is wrong any more."""
        self._run(now)
        self._controller.repair(now, fixed=fixed)
        return self._take()

    def driver(self, now: float, connector: int = 1) -> list[Message]:
        """Let a driver arrive at a connector right now, beyond those who come by chance."""
        self._run(now)
        bay = self._device.connector(connector)
        if bay is not None:
            self._sessions.visit(now, bay)
        return self._take()

    def condition(self, connector: int = 0) -> Condition:
        """The truth about a connector; 0 asks for the whole pile (it can charge if any connector can)."""
        device = self._device
        chosen = [each for each in device.connectors if connector in {0, each.number}]
        faults = [fault for fault in device.faults if any(fault.covers(each.number) for each in chosen)]
        blocks = [fault for fault in (blocking(device, each) for each in chosen) if fault is not None]
        dangers = [fault for fault in faults if fault.kind.danger]
        return Condition(
            can_charge=any(chargeable(device, each) for each in chosen),
            faults=tuple(fault.kind.name for fault in faults),
            blocked_by=blocks[0].kind.name if blocks else None,
            danger=dangers[0].kind.name if dangers else None,
            session=next((each.session for each in chosen if each.session is not None), None),
            updating=device.updating is not None,
            operative=all(each.operative for each in chosen),
            running=device.powered and device.up,
            reachable=device.reachable,
            dead=device.dead,
        )

    def take_encounters(self) -> list[Encounter]:
        """Drivers who came since the last call."""
        taken = self._device.truth.encounters
        self._device.truth.encounters = []
        return taken

    def _run(self, now: float) -> None:
        device = self._device
        agenda = device.agenda
        while True:
            due_at = agenda.next_at()
            if device.beat_at < due_at:
                if device.beat_at > now:
                    return
                device.beat(device.beat_at)
            elif due_at <= now:
                agenda.run_next()
            else:
                return

    def _take(self) -> list[Message]:
        taken = self._device.out
        if taken:
            self._device.out = []
        return taken
