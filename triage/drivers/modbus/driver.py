"""The Modbus way to the field: every device polled in its own time, commands written after a second look."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from triage.config.profile.actions import Step
from triage.config.profile.file import Profile
from triage.config.profile.writing import UnwritableError
from triage.core.effects import Command
from triage.core.events import DriverLink, Event, FaultClaim, Registration
from triage.drivers.modbus.commands import BUDGET_S, Commands
from triage.drivers.modbus.counters import Counters
from triage.drivers.modbus.device import Device
from triage.drivers.modbus.endpoint import Address, Endpoint
from triage.drivers.modbus.keepalive import keep_alive
from triage.drivers.modbus.messages import AskError
from triage.drivers.modbus.room import DRIVER, Planned, Room, plan
from triage.drivers.profiles.values import Values
from triage.drivers.second_look import SecondLook
from triage.interfaces import Clock, Dispatch, Inlet

log = structlog.get_logger(__name__)

NAMED = 3
"""So many piles are named in a sentence of trouble."""

ENDPOINTS_TO_JUDGE = 2
"""From so many endpoints on, all of them failing at once is our own network rather than theirs."""


def _nothing(_pile: str) -> Sequence[FaultClaim]:
    """Nothing is known of any pile."""
    return ()


class ModbusDriver:
    """Speaks with every device whose profile is for Modbus; implements :class:`triage.interfaces.Driver`.

    Attributes:
        name: ``modbus``, as in ``DriverLink.driver``.
        counters: what happened so far, for the metrics.
    """

    name = DRIVER

    def __init__(
        self,
        devices: Sequence[tuple[Registration, Profile]],
        *,
        clock: Clock,
        fresh_s: float,
        speed: float = 1.0,
        recall: Callable[[str], Sequence[FaultClaim]] = _nothing,
    ) -> None:
        """Prepare; nothing connects before :meth:`start`.

        Args:
            devices: piles and switches with their profiles; a switch is read on demand only, and never reported.
            clock: the edge's clock.
            fresh_s: age in seconds beyond which a reading permits nothing; already divided by the policy's speed.
            speed: divides the times from poll to poll and the waits of actions.
            recall: the faults the core knows of a pile; asked once of each device, at its first reading.

        Raises:
            InputError: endpoints or addresses that cannot be used, all of them.
        """
        self.counters = Counters()
        self._planned = plan(devices)
        self._clock = clock
        self._look = SecondLook(fresh_s)
        self._room = Room(
            clock=clock,
            counters=self.counters,
            look=self._look,
            speed=speed,
            offer=self._offer,
            excused=lambda: self._told_up is False,
            recall=recall,
            chance=random.Random(),  # noqa: S311 -- jitter, not a secret
        )
        self._commands = Commands(self._room)
        self._devices: dict[str, Device] = {}
        self._endpoints: dict[Address, Endpoint] = {}
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        self._inlet: Inlet | None = None
        self._told_up: bool | None = None

    # --- life -----------------------------------------------------------------------------------------------------

    async def start(self, inlet: Inlet) -> None:
        """Poll in the background; events go to ``inlet``."""
        self._inlet = inlet
        self._look.connected(self._clock.monotonic(), resumed=False)
        self._tell_link(up=True)
        for planned in self._planned.values():
            self._add(planned)
        self._settle_endpoints()

    async def stop(self) -> None:
        """Leave within two seconds; an action under way writes first what it has left to write."""
        self._look.disconnected()
        await self._commands.stop()
        tasks = [task for each in self._tasks.values() for task in each]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for endpoint in self._endpoints.values():
            endpoint.close()
        self._tasks.clear()
        self._devices.clear()
        self._endpoints.clear()
        self._inlet = None

    def adopt(self, devices: Sequence[tuple[Registration, Profile]]) -> None:
        """Take over a changed fleet: begin with what is new, leave what is gone, and let the rest go on undisturbed.

        Raises:
            InputError: as at the beginning; then nothing changes.
        """
        planned = plan(devices)
        before, self._planned = self._planned, planned
        if self._inlet is None:
            return
        for pile, old in before.items():
            new = planned.get(pile)
            if new is None or not new.same(old):
                self._remove(pile)
            else:
                self._devices[pile].planned = new
        for pile, new in planned.items():
            if pile not in self._devices:
                self._add(new)
        self._settle_endpoints()

    def _add(self, planned: Planned) -> None:
        pile = planned.registration.pile
        endpoint = self._endpoints.get(planned.address)
        if endpoint is None:
            endpoint = self._endpoints[planned.address] = Endpoint(planned.address, self.counters, self._judge_network)
        device = self._devices[pile] = Device(planned, endpoint, self._room)
        loop = asyncio.get_running_loop()
        profile = planned.kind.profile
        tasks = self._tasks[pile] = []
        if profile.kind == "charger":
            tasks.append(loop.create_task(device.poll(), name=f"modbus poll {pile}"))
        if profile.keepalive is not None and profile.keepalive.enabled:
            beats = self._beats(device)
            tasks.append(loop.create_task(beats, name=f"modbus keepalive {pile}"))

    async def _beats(self, device: Device) -> None:
        wanted = device.kind.profile.keepalive
        if wanted is None:
            return
        try:
            await keep_alive(device, wanted, self.counters, self._room.speed)
        except UnwritableError as error:
            log.warning("the keepalive of a profile cannot be written", pile=device.registration.pile, error=str(error))

    def _remove(self, pile: str) -> None:
        """Poll it no more. An action under way goes on to its end over the connection it has."""
        self._devices.pop(pile, None)
        for task in self._tasks.pop(pile, ()):
            task.cancel()

    def _settle_endpoints(self) -> None:
        """Give each endpoint the pause its devices want, and leave those nobody is behind."""
        wanted: dict[Address, float] = {}
        for device in self._devices.values():
            address = device.endpoint.address
            wanted[address] = max(wanted.get(address, 0.0), device.kind.modbus.spacing_s)
        for address in [address for address in self._endpoints if address not in wanted]:
            self._endpoints.pop(address).retire()
        for address, spacing_s in wanted.items():
            self._endpoints[address].spacing_s = spacing_s
        self._judge_network()

    # --- commands -------------------------------------------------------------------------------------------------

    async def send(self, command: Command) -> Dispatch:
        """Look a second time, then write at most once; see :class:`Commands` for what refuses."""
        device = self._devices.get(command.pile)
        if device is None:
            dispatch = Dispatch("not_sent", "no such pile over Modbus")
            self.counters.refusals["unknown_pile"] += 1
        else:
            dispatch = await self._commands.send(device, command)
        self.counters.dispatches[dispatch.outcome] += 1
        return dispatch

    async def look(self, pile: str) -> Values | None:
        """A reading of this moment, derived values included; None when it cannot be read or not be believed."""
        device = self._devices.get(pile)
        if device is None:
            return None
        try:
            async with asyncio.timeout(BUDGET_S), device.turn:
                look = await device.take(eager=True)
        except (AskError, TimeoutError):
            return None
        device.tell(look)
        views = device.kind.interpreter.views(look.values)
        return Values(pile=views.pop(0), connectors=views)

    def refuse(self, command: Command, now: datetime) -> str | None:
        """What the second look alone has against ``command``; None: nothing."""
        device = self._devices.get(command.pile)
        if device is not None and device.wrong:
            return f"it is left alone: {device.wrong}"
        return self._look.refuse(command, now, self._clock.monotonic())

    async def carry_out(
        self, pile: str, connector: int, steps: Sequence[Step], last_check: Callable[[], str | None] | None = None
    ) -> Dispatch:
        """Steps of another room, which has asked its own gates; see :meth:`Commands.carry_out`."""
        device = self._devices.get(pile)
        if device is None:
            return Dispatch("not_sent", f"{pile} is not known over Modbus")
        return await self._commands.carry_out(device, connector, steps, last_check)

    # --- health ---------------------------------------------------------------------------------------------------

    def trouble(self) -> str | None:
        """What is degraded on our side or flagged on theirs, in one sentence; piles that are gone are incidents."""
        if self._told_up is False:
            return f"none of {len(self._endpoints)} Modbus endpoints can be reached: our own network, it seems"
        wrong = {pile: device.wrong for pile, device in self._devices.items() if device.wrong}
        if not wrong:
            return None
        named = ", ".join(sorted(wrong)[:NAMED]) + (" and others" if len(wrong) > NAMED else "")
        first = wrong[min(wrong)]
        return f"{len(wrong)} Modbus device(s) say what cannot be so and are left alone: {named} ({first})"

    def missing(self) -> dict[str, list[str]]:
        """The values that devices do not have though their profiles name them, by pile."""
        return {pile: names for pile, device in self._devices.items() if (names := device.missing)}

    def _judge_network(self) -> None:
        endpoints = self._endpoints.values()
        all_down = len(endpoints) >= ENDPOINTS_TO_JUDGE and all(endpoint.down for endpoint in endpoints)
        if self._told_up is None or all_down is not self._told_up:
            return
        self._tell_link(up=not all_down)
        if not all_down:
            for device in self._devices.values():
                device.excuse()

    def _tell_link(self, *, up: bool) -> None:
        self._told_up = up
        self._offer([DriverLink(received_at=self._clock.now(), driver=self.name, up=up)])

    def _offer(self, events: Sequence[Event]) -> None:
        if self._inlet is not None:
            self._inlet.offer(events)
