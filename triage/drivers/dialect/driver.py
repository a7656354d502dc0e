"""The way to the field for every dialect that a profile describes: values in, readings out, commands as they want."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

import structlog

from triage.config.profile.actions import Step
from triage.config.profile.file import Profile
from triage.core.effects import Command
from triage.core.events import DriverLink, Event, FaultClaim, Registration
from triage.drivers.dialect.answers import Answers
from triage.drivers.dialect.asking import A_SECOND, Mouth, ask_all
from triage.drivers.dialect.commands import Commands, Surroundings
from triage.drivers.dialect.device import Device, WrongError
from triage.drivers.dialect.ears import Ears
from triage.drivers.dialect.fleet import Fleet
from triage.drivers.dialect.keepalive import Beats
from triage.drivers.dialect.quarantine import DRIVER
from triage.drivers.mqtt.client import MqttClient
from triage.drivers.mqtt.connection import RefusedError
from triage.drivers.mqtt.counters import Counters
from triage.drivers.mqtt.options import KEEPALIVE_S, broker_options
from triage.drivers.mqtt.packets import Received
from triage.drivers.profiles.values import Values
from triage.drivers.second_look import SecondLook
from triage.interfaces import Clock, Dispatch, Inlet

log = structlog.get_logger(__name__)

SETTLE_S = 5.0
LOOK_S = 3.0
NAMED = 3


def _nothing(_pile: str) -> Sequence[FaultClaim]:
    """Nothing is known of any pile."""
    return ()


class DialectDriver:
    """Speaks every dialect of the profiles through one broker; implements :class:`triage.interfaces.Driver`.

    Attributes:
        name: ``dialect``, as in ``DriverLink.driver``.
        counters: what happened so far, for the metrics.
    """

    name = DRIVER

    def __init__(  # noqa: PLR0913 -- one argument a setting
        self,
        url: str,
        devices: Sequence[tuple[Registration, Profile]],
        *,
        client_id: str,
        clock: Clock,
        fresh_s: float,
        speed: float = 1.0,
        recall: Callable[[str], Sequence[FaultClaim]] = _nothing,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        keepalive_s: float = KEEPALIVE_S,
    ) -> None:
        """Prepare; nothing connects before :meth:`start`.

        Args:
            url: ``mqtt://…`` or ``mqtts://…``.
            devices: piles and switches with their profiles; of a switch nothing is reported.
            client_id: names the daemon; our session at the broker is called ``<client_id>-dialects``.
            clock: the edge's clock.
            fresh_s: age in seconds beyond which a reading permits nothing; already divided by the policy's speed.
            speed: divides the times in which readings are gathered and steps wait.
            recall: the faults the core knows of a pile; asked once of each pile, when it first speaks.
            username: the broker's account, if it asks for one.
            password: its password.
            ca_file: certificates that vouch for the broker, when the system's do not.
            cert_file: our own certificate.
            key_file: its key.
            keepalive_s: a silent broker is noticed within twice this time.

        Raises:
            InputError: the URL, the client id, a TLS file or the endpoint of a device cannot be used.
        """
        options = broker_options(
            url,
            client_id=f"{client_id}-dialects",
            username=username,
            password=password,
            ca_file=ca_file,
            cert_file=cert_file,
            key_file=key_file,
            keepalive_s=keepalive_s,
        )
        self.counters = Counters()
        self._clock = clock
        self._fresh_s = fresh_s
        self._speed = speed
        self._look = SecondLook(fresh_s, SETTLE_S / speed)
        self._fleet = Fleet(recall, speed)
        self._fleet.adopt(devices)
        topics = self._fleet.filters(list(self._fleet.devices.values()))
        self._client = MqttClient(
            options, topics, self, self.counters, speed, renew=True, lenient=True, subscribed=self._subscribed
        )
        self._mouth = Mouth(self._client, clock)
        self._answers = Answers(self.counters)
        self._ears = Ears(
            self._fleet, self._answers, self._look, self.counters, clock=clock, offer=self._offer, speed=speed
        )
        self._commands = Commands(
            Surroundings(
                clock=clock,
                look=self._look,
                mouth=self._mouth,
                answers=self._answers,
                counters=self.counters,
                offer=self._offer,
                fresh_s=fresh_s,
                speed=speed,
            )
        )
        self._beats = Beats(self._mouth, self.counters, speed, still=self._fleet.has)
        self._settles_in_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._inlet: Inlet | None = None

    # --- life -----------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._client.connected

    @property
    def last_error(self) -> str:
        """Why the last connection ended or could not be made; empty when none ever failed."""
        return self._client.last_error

    def trouble(self) -> str | None:
        """What is degraded on our side or flagged on theirs, in one sentence; piles that are gone are incidents."""
        if self._inlet is not None and not self.connected and self.last_error:
            return f"no broker: {self.last_error}"
        if refused := sorted(self._client.refused):
            more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            return f"the broker refuses to let us hear {refused[0]}{more}; look at its access list"
        wrong = {pile: device.wrong for pile, device in self._fleet.devices.items() if device.wrong}
        if not wrong:
            return None
        named = ", ".join(sorted(wrong)[:NAMED]) + (" and others" if len(wrong) > NAMED else "")
        return f"{len(wrong)} device(s) say what cannot be so and are left alone: {named} ({wrong[min(wrong)]})"

    async def start(self, inlet: Inlet) -> None:
        """Connect, and keep connected, in the background; events go to ``inlet``."""
        self._inlet = inlet
        self._client.start()

    async def stop(self) -> None:
        """Leave cleanly; unacknowledged messages stay with the broker."""
        tasks = [*self._interrupt()]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.stop()
        self._inlet = None

    def adopt(self, devices: Sequence[tuple[Registration, Profile]]) -> None:
        """Take over a changed fleet; what is new is listened to and asked, and the rest goes on undisturbed.

        Raises:
            InputError: as at the beginning; then nothing changes.
        """
        fresh = self._fleet.adopt(devices)
        if not fresh:
            return
        filters = self._fleet.filters(fresh)
        self._client.add(filters)
        if self._inlet is not None:
            self._spawn(self._welcome(fresh, filters), "dialect adopt")

    async def _welcome(self, fresh: Sequence[Device], filters: Sequence[tuple[str, int]]) -> None:
        """Listen to new devices: also what is listened to already, so that the broker tells what it retains of them."""
        try:
            await self._client.subscribe(filters)
        except (OSError, RefusedError) as error:
            log.warning("new devices cannot be listened to yet", reason=str(error))
            return
        if not self.connected:
            return  # the next connection looks after all of them
        self._look_after(fresh, 0.0)

    def _interrupt(self) -> list[asyncio.Task[None]]:
        """Nothing may be sent, and nothing known holds."""
        self._look.disconnected()
        self._ears.clear()
        tasks = [*self._commands.break_off(), *self._tasks]
        for task in tasks:
            task.cancel()
        for device in self._fleet.devices.values():
            device.forget()
        return tasks

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- what the client tells ------------------------------------------------------------------------------------

    def up(self, *, resumed: bool) -> None:
        """The connection stands: what was seen before it no longer counts."""
        now_s = self._clock.monotonic()
        self._settles_in_s = SETTLE_S / self._speed if resumed else 0.0
        for device in self._fleet.devices.values():
            device.forget(now_s + self._settles_in_s)
        self._look.connected(now_s, resumed=resumed)
        self._offer([DriverLink(received_at=self._clock.now(), driver=self.name, up=True)])

    def down(self, reason: str) -> None:  # noqa: ARG002 -- kept by the client as last_error
        """The connection is gone: nothing may be sent, and silence says nothing about piles."""
        self._interrupt()
        self._offer([DriverLink(received_at=self._clock.now(), driver=self.name, up=False)])

    def _subscribed(self) -> None:
        self._look_after(list(self._fleet.devices.values()), self._settles_in_s)

    def _look_after(self, devices: Sequence[Device], settles_in_s: float) -> None:
        self._spawn(self._ask(devices, settles_in_s), "dialect ask")
        for device in devices:
            keepalive = device.tongue.profile.keepalive
            if keepalive is not None and keepalive.enabled:
                self._spawn(self._beats.keep(device, keepalive), "dialect keepalive")

    async def _ask(self, devices: Sequence[Device], after_s: float) -> None:
        """Ask for their state, once what the broker had queued has gone by."""
        askable = [device for device in devices if device.tongue.mqtt.ask]
        if askable:
            await asyncio.sleep(after_s)
            await ask_all(askable, lambda device: self._mouth.ask(device, _some_id()), 1 / A_SECOND)

    # --- messages -------------------------------------------------------------------------------------------------

    def receive(self, messages: Sequence[Received], ack: Callable[[], None]) -> None:
        """Take in a burst, and hand over as one batch what must be told at once."""
        events = self._ears.hear(messages)
        if events and self._inlet is not None:
            self._inlet.offer(events, ack)
        else:
            ack()

    def _offer(self, events: Sequence[Event]) -> None:
        if events and self._inlet is not None:
            self._inlet.offer(events)

    # --- commands -------------------------------------------------------------------------------------------------

    async def send(self, command: Command) -> Dispatch:
        """Look a second time, then publish at most once; see :class:`Commands` for what refuses."""
        device = self._fleet.devices.get(command.pile)
        if device is None:
            dispatch = Dispatch("not_sent", "no such pile among the dialects")
            self.counters.refusals["unknown_pile"] += 1
        else:
            dispatch = await self._commands.send(device, command)
        self.counters.dispatches[dispatch.outcome] += 1
        return dispatch

    def refuse(self, command: Command, now: datetime) -> str | None:
        """What the second look alone has against ``command``; None: nothing."""
        device = self._fleet.devices.get(command.pile)
        if device is not None and device.wrong:
            return f"it is left alone: {device.wrong}"
        return self._look.refuse(command, now, self._clock.monotonic())

    async def look(self, pile: str) -> Values | None:
        """What the device says now, derived values included; None when it is not known to be there or not believed.

        A device that can be asked is asked, and counts as gone when it says nothing within three seconds.
        """
        device = self._fleet.devices.get(pile)
        if device is None or not self.connected:
            return None
        now_s = self._clock.monotonic()
        since_s = fresh_s = now_s - self._fresh_s
        if device.tongue.mqtt.ask:
            since_s = now_s
            asked = await self._mouth.ask(device, _some_id())
            if asked.outcome != "sent" or not await self._replies(device, since_s):
                return None
        elif device.heard is None or device.heard.at_s < fresh_s:
            return None
        try:
            device.look()
        except WrongError as error:
            device.wrong = str(error)
            return None
        values = device.recent(since_s, fresh_s)
        views = device.tongue.interpreter.views(values)
        return Values(pile=views.pop(0), connectors=views)

    async def _replies(self, device: Device, since_s: float) -> bool:
        """Wait until the device has said all that matters since it was asked; whether it said what matters most."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + LOOK_S
        while not device.has_said(since_s) and (left_s := deadline_s - loop.time()) > 0:
            await device.speaks(left_s)
        return device.has_said(since_s, most=False)

    async def carry_out(
        self, pile: str, connector: int, steps: Sequence[Step], last_check: Callable[[], str | None] | None = None
    ) -> Dispatch:
        """Steps of another room, which has asked its own gates; see :meth:`Commands.carry_out`."""
        device = self._fleet.devices.get(pile)
        if device is None:
            return Dispatch("not_sent", f"{pile} is not known among the dialects")
        return await self._commands.carry_out(device, connector, steps, last_check)


def _some_id() -> str:
    """An id for a question whose answer is known by what it says."""
    return f"q-{uuid.uuid4()}"
