"""The way to a pile that nothing else can restart: its power, cut and restored by the switch that feeds it.

Everything behind a switch goes dark with it, so the second look is asked about every pile there, the switch's own
meter is read where it has one, and both switchings are read back. Cutting happens at most once; restoring is repeated
until it is seen, also by the next process when this one dies in between: nobody may be left in the dark by us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import structlog
from msgspec import Struct
from msgspec.structs import replace

from triage.config.profile.actions import Step, Switching
from triage.config.profile.file import Profile
from triage.config.profile.wiring import Switch, switch_of
from triage.core.effects import Command
from triage.core.events import CommandAnswer, DriverLink, EffectOutcome, Registration
from triage.core.means import POWER_SWITCH
from triage.core.vocabulary import Action, AnswerResult
from triage.drivers.profiles.interpreter import Interpreter
from triage.drivers.profiles.values import Value, Values, number
from triage.interfaces import Clock, Dispatch, Inlet

log = structlog.get_logger(__name__)

LOOK_S = 0.5
HURRY_S = 2.0
"""How long what is dark may take to be lit again when the daemon leaves."""
LEAVING_S = 0.1
PAUSE_FIRST_S = 1.0
PAUSE_MOST_S = 30.0


LastCheck = Callable[[], str | None]
"""Why nothing must leave after all, or None."""


class Hands(Protocol):
    """What reaches the switches of one protocol."""

    async def look(self, pile: str) -> Values | None:
        """A fresh reading of the device so called, None when it cannot be had."""

    async def carry_out(
        self, pile: str, connector: int, steps: Sequence[Step], last_check: LastCheck | None = None
    ) -> Dispatch:
        """Do the steps on one of its channels; ``last_check`` is asked just before the first of them leaves."""


class Witness(Protocol):
    """What saw the piles of one dialect with its own eyes."""

    def refuse(self, command: Command, now: datetime) -> str | None:
        """Why ``command`` must not leave, or None."""


class _Feed(Struct, frozen=True, kw_only=True):
    """One channel: the switch, how it switches, and the piles behind it."""

    switch: Switch
    profile: Profile
    switching: Switching
    interpreter: Interpreter
    piles: tuple[Registration, ...]

    @property
    def key(self) -> tuple[str, int]:
        """The channel."""
        return self.switch.device, self.switch.channel


def switch_registrations(registrations: Sequence[Registration], profiles: Mapping[str, Profile]) -> list[Registration]:
    """The switches that feed ``registrations``, as devices for the drivers that reach them."""
    found: dict[str, Switch] = {}
    for row in registrations:
        if row.power_switch:
            switch = switch_of(row.power_switch, profiles)
            known = found.get(switch.device)
            if known is None or switch.channel > known.channel:
                found[switch.device] = switch
    return [_registration(switch, profiles[switch.profile]) for switch in found.values()]


def _registration(switch: Switch, profile: Profile) -> Registration:
    return Registration(
        pile=switch.device,
        site="",
        region="",
        profile=switch.profile,
        connectors=profile.connectors or switch.channel,
        endpoint=switch.endpoint,
        unit=switch.unit,
    )


class PowerSwitches:
    """Carries out power cycles; implements :class:`triage.interfaces.Driver` and ``Restorer``."""

    name = POWER_SWITCH

    def __init__(self, *, clock: Clock, speed: float = 1.0) -> None:
        """``speed`` divides how long the power stays away."""
        self._clock = clock
        self._speed = speed
        self._feeds: dict[str, _Feed] = {}
        self._channels: dict[tuple[str, int], _Feed] = {}
        self._at_work: dict[tuple[str, int], _Feed] = {}
        self._leaving = asyncio.Event()
        self._hands: Mapping[str, Hands] = {}
        self._witnesses: Mapping[str, Witness] = {}
        self._cycles: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._dark: set[str] = set()
        self._inlet: Inlet | None = None

    def adopt(
        self,
        registrations: Sequence[Registration],
        profiles: Mapping[str, Profile],
        hands: Mapping[str, Hands],
        witnesses: Mapping[str, Witness],
    ) -> None:
        """The fleet as it is now; ``hands`` and ``witnesses`` by the profile they speak."""
        busy = {feed.switch.profile for feed in self._at_work.values()}
        self._hands = {name: each for name, each in self._hands.items() if name in busy} | dict(hands)
        self._witnesses = witnesses
        behind: dict[Switch, list[Registration]] = {}
        for row in registrations:
            if row.power_switch:
                behind.setdefault(switch_of(row.power_switch, profiles), []).append(row)
        self._feeds = {}
        for switch, rows in behind.items():
            profile = profiles[switch.profile]
            assert profile.switching is not None  # noqa: S101 - switch_of takes no other
            channels = max(profile.connectors or 1, switch.channel)
            interpreter = Interpreter(profile, channels)
            feed = _Feed(
                switch=switch,
                profile=profile,
                switching=profile.switching,
                interpreter=interpreter,
                piles=tuple(rows),
            )
            self._feeds.update({row.pile: feed for row in rows})
        self._channels = {feed.key: feed for feed in self._feeds.values()}

    def at_work(self) -> list[tuple[Registration, Profile]]:
        """The switches that are switching now: they must stay reachable, even when no pile names them any more."""
        found = {feed.switch.device: feed for feed in self._at_work.values()}
        return [(_registration(feed.switch, feed.profile), feed.profile) for feed in found.values()]

    async def start(self, inlet: Inlet) -> None:
        """Nothing to connect: the protocols' own drivers reach the switches."""
        self._leaving.clear()
        self._inlet = inlet
        inlet.offer([DriverLink(received_at=self._clock.now(), driver=self.name, up=True)])

    async def stop(self) -> None:
        """Leave. What is dark is lit at once; what cannot be lit so soon is restored by the next process."""
        self._leaving.set()
        tasks = list(self._cycles.values())
        if tasks:
            await asyncio.wait(tasks, timeout=HURRY_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def trouble(self) -> str | None:
        """What could not be switched on again yet, in one sentence."""
        return f"still without power: {', '.join(sorted(self._dark))}" if self._dark else None

    async def send(self, command: Command) -> Dispatch:
        """Look at everything behind the switch, then cut its power, at most once."""
        feed = self._feeds.get(command.pile)
        if feed is None or command.action is not Action.POWER_CYCLE:
            return Dispatch("not_sent", f"no switch can do {command.action} for {command.pile}")
        if feed.key in self._cycles:
            return Dispatch("not_sent", "the switch is at work")
        refusal = self._refuse(command, feed) or await self._loaded(feed)
        if refusal is None:
            refusal = self._too_late(command, feed)  # reading the switch took time
        if refusal is not None or feed.key in self._cycles:
            return Dispatch("not_sent", refusal or "the switch is at work")
        ours: asyncio.Future[Dispatch] = asyncio.get_running_loop().create_future()
        self._begin(feed, self._cycle(command, feed, ours))
        return await ours

    async def restore(self, command: Command) -> None:
        """An earlier process may have died between off and on: see that the power is back."""
        feed = self._feeds.get(command.pile)
        if feed is None:
            log.error("an interrupted power cycle cannot be ended: the pile names no switch now", pile=command.pile)
            self._restored(command)
        elif feed.key not in self._cycles:
            self._begin(feed, self._restore(command, feed))

    async def _restore(self, command: Command, feed: _Feed) -> None:
        await self._switch_on(feed)
        self._restored(command)

    def _restored(self, command: Command) -> None:
        """Tell that nothing of ``command`` is left to be put right."""
        if self._inlet is not None:
            seen = EffectOutcome(received_at=self._clock.now(), effect=command.id, outcome="restored")
            self._inlet.offer([seen])

    def _begin(self, feed: _Feed, work: Coroutine[Any, Any, object]) -> None:
        key = feed.key

        async def run() -> None:
            try:
                await work
            except Exception:  # a defect must not leave the channel marked as busy
                log.exception("a power cycle broke", switch=key[0], channel=key[1])
            finally:
                self._cycles.pop(key, None)
                self._at_work.pop(key, None)

        self._at_work[key] = feed
        self._cycles[key] = asyncio.create_task(run(), name=f"power {key[0]}#{key[1]}")

    # Looking -------------------------------------------------------------------------------------------------------

    def _too_late(self, command: Command, feed: _Feed) -> str | None:
        """Why the power must not be cut after all, asked again just before it is."""
        if self._leaving.is_set():
            return "the daemon leaves"
        return "expired" if self._clock.now() >= command.expires_at else self._refuse(command, feed)

    def _refuse(self, command: Command, feed: _Feed) -> str | None:
        """What the drivers of the piles behind the switch saw, each with its own eyes."""
        now = self._clock.now()
        for row in feed.piles:
            witness = self._witnesses.get(row.profile)
            if witness is None:
                return f"{row.pile}: nobody sees it"
            args = command.args if row.pile == command.pile else {}
            asked = replace(command, pile=row.pile, site=row.site, connector=0, args=args)
            reason = witness.refuse(asked, now)
            if reason is not None:
                return reason if row.pile == command.pile else f"{row.pile}: {reason}"
        return None

    async def _view(self, feed: _Feed) -> dict[str, Value] | None:
        hands = self._hands.get(feed.switch.profile)
        try:
            values = None if hands is None else await hands.look(feed.switch.device)
        except Exception:  # a defect there must not end the care for what is dark
            log.exception("a switch could not be looked at", switch=feed.switch.device)
            values = None
        if values is None or values.impossible:
            return None
        return feed.interpreter.views(values).get(feed.switch.channel)

    async def _is_on(self, feed: _Feed) -> bool | None:
        view = await self._view(feed)
        said = None if view is None else number(_plain(view.get(feed.switching.state)))
        return None if said is None else said != 0

    async def _loaded(self, feed: _Feed) -> str | None:
        """Why the switch must stay as it is, by its own word."""
        view = await self._view(feed)
        if view is None:
            return "the switch cannot be read"
        switching = feed.switching
        state = number(_plain(view.get(switching.state)))
        if state is None:
            return "the switch does not tell whether it is on"
        if state == 0:
            return "the switch is off already, and not by us"
        for name, most, unit in (
            (switching.load_w, switching.idle_below_w, "W"),
            (switching.load_a, switching.idle_below_a, "A"),
        ):
            if name is None:
                continue
            load = number(view.get(name))
            if load is None:
                return "the switch does not tell its load"
            if abs(load) >= most:
                return f"{load:g} {unit} flow through the switch"
        return None

    # Switching -----------------------------------------------------------------------------------------------------

    async def _cycle(self, command: Command, feed: _Feed, told: asyncio.Future[Dispatch]) -> None:
        try:
            dispatch = await self._do(feed, feed.switching.off, lambda: self._too_late(command, feed))
        except asyncio.CancelledError:
            if not told.done():
                told.set_result(Dispatch("unknown", "the daemon left"))
            raise
        if not told.done():
            told.set_result(dispatch)
        if dispatch.outcome == "not_sent":
            return
        was_off = await self._reached(feed, wanted=False)
        await self._rest(feed.switching.off_s / self._speed)
        await self._switch_on(feed, cut=True)
        if was_off:
            self._answer(command, AnswerResult.ACCEPTED, "seen off and on again")
        else:
            self._answer(command, AnswerResult.REFUSED, "the switch was never seen off")

    async def _do(self, feed: _Feed, steps: Sequence[Step], last_check: LastCheck | None = None) -> Dispatch:
        """Do the steps; whatever fails there may have worked."""
        switch = feed.switch
        hands = self._hands.get(switch.profile)
        if hands is None:
            return Dispatch("not_sent", f"nothing reaches {switch.device} now")
        try:
            return await hands.carry_out(switch.device, switch.channel, steps, last_check)
        except Exception as error:
            log.exception("a switch's driver failed", switch=switch.device)
            return Dispatch("unknown", f"the switch's driver failed: {type(error).__name__}")

    async def _switch_on(self, feed: _Feed, *, cut: bool = False) -> None:
        """Until it is seen on: whatever else happens, the power comes back.

        After a ``cut`` of ours it is told once whatever is seen: a plug that tells its state now and then may not have
        spoken since, or not yet have heard that it should switch off.
        """
        switch, pause_s = feed.switch, PAUSE_FIRST_S
        names = ", ".join(row.pile for row in feed.piles)
        if feed.switching.restores_itself and await self._reached(feed, wanted=True):
            return
        untold = cut and not feed.switching.restores_itself
        while untold or await self._is_on(feed) is not True:
            feed = self._channels.get(feed.key, feed)  # as the newest files say how
            dispatch = await self._do(feed, feed.switching.on)
            untold = untold and dispatch.outcome == "not_sent"
            if not untold and await self._reached(feed, wanted=True):
                break
            self._dark.add(names)
            log.error("the power is not back yet", switch=switch.device, piles=names, reason=dispatch.reason)
            await self._rest(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MOST_S)
        self._dark.discard(names)

    async def _rest(self, seconds: float) -> None:
        """Wait, but not for longer than we stay; and when we leave, a moment all the same."""
        if self._leaving.is_set():
            await asyncio.sleep(LEAVING_S)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._leaving.wait()
        except TimeoutError:
            return

    async def _reached(self, feed: _Feed, *, wanted: bool) -> bool:
        """Whether the switch is seen as ``wanted`` in time."""
        until_s = self._clock.monotonic() + feed.switching.within_s
        while True:
            if await self._is_on(feed) is wanted:
                return True
            if self._clock.monotonic() >= until_s or (self._leaving.is_set() and not wanted):
                return False
            await asyncio.sleep(LOOK_S)

    def _answer(self, command: Command, result: AnswerResult, reason: str) -> None:
        if self._inlet is not None:
            answer = CommandAnswer(
                received_at=self._clock.now(),
                site=command.site,
                pile=command.pile,
                command=command.id,
                result=result,
                reason=reason,
            )
            self._inlet.offer([answer])


def _plain(value: Value) -> Value:
    """A switch's state as a number: plugs say ON and OFF."""
    if isinstance(value, str):
        return {"on": 1, "off": 0, "true": 1, "false": 0}.get(value.strip().lower(), value)
    return value
