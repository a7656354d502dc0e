"""The steps of an action: what is said, waited for, and read back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from triage.config.profile.actions import Step
from triage.config.profile.meaning import Condition
from triage.drivers.dialect.asking import Mouth
from triage.drivers.dialect.device import Device, WrongError
from triage.drivers.dialect.inputs import inputs
from triage.interfaces import Clock, Dispatch


class Order(Struct):
    """Steps to be carried out on a device; ``since_s`` is when something was last published."""

    device: Device
    connector: int
    id: str
    steps: Sequence[Step]
    since_s: float = 0.0


class Steps:
    """Carries out single steps."""

    def __init__(self, mouth: Mouth, clock: Clock, speed: float) -> None:
        """Speak through ``mouth``; ``speed`` divides how long is waited."""
        self._mouth = mouth
        self._clock = clock
        self._speed = speed

    async def say(self, order: Order, step: Step, patience_s: float) -> Dispatch:
        """Publish what ``step`` says, at most once."""
        if step.publish is None:
            return Dispatch("not_sent", "cannot_be_written")
        order.since_s = self._clock.monotonic()
        return await self._mouth.say(order.device, step.publish, order.connector, order.id, patience_s)

    async def until_unmet(self, order: Order, steps: Sequence[Step]) -> str | None:
        """Wait as the steps say; what did not come true in time, or None."""
        for step in steps:
            if step.wait_s is not None:
                await asyncio.sleep(step.wait_s / self._speed)
            elif step.expect is not None:
                unmet = await self._expect(order, step.expect, step.within_s / self._speed)
                if unmet is not None:
                    return unmet
        return None

    async def _expect(self, order: Order, condition: Condition, within_s: float) -> str | None:
        """Wait until the device itself says, after what was published, that ``condition`` holds."""
        device, loop = order.device, asyncio.get_running_loop()
        deadline_s = loop.time() + within_s
        if device.tongue.mqtt.ask:
            await self._mouth.ask(device, order.id, order.connector)
        names = inputs(device.tongue.profile, condition) & device.tongue.profile.values.keys()
        while True:
            unmet = self._unseen(order, condition, names)
            left_s = deadline_s - loop.time()
            if unmet is None or left_s <= 0:
                return unmet
            await device.speaks(left_s)

    def _unseen(self, order: Order, condition: Condition, names: frozenset[str]) -> str | None:
        device = order.device
        try:
            device.look()
        except WrongError as error:
            return str(error)
        unmet = device.tongue.interpreter.unmet(condition, device.picture.values(), order.connector)
        if unmet is not None:
            return unmet
        if names:
            fresh = any(at_s >= order.since_s for (_, name), at_s in device.said.items() if name in names)
        else:
            fresh = device.heard is not None and device.heard.at_s >= order.since_s
        return None if fresh else f"it did not say {' or '.join(sorted(names) or ['anything'])} again"
