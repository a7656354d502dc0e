"""What a device wants said again and again to stay under remote control, where an operator wants it to be."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from triage.config.profile.actions import KeepAlive
from triage.drivers.dialect.asking import Mouth
from triage.drivers.dialect.device import Device
from triage.drivers.mqtt.counters import Counters

LEAST_S = 0.2


class Beats:
    """Keeps devices under control. One that is not there, or not what it should be, is left alone."""

    def __init__(self, mouth: Mouth, counters: Counters, speed: float, still: Callable[[Device], bool]) -> None:
        """``speed`` divides the time from beat to beat; ``still`` tells whether a device is of the fleet yet."""
        self._mouth = mouth
        self._counters = counters
        self._speed = speed
        self._still = still
        self._kept: set[str] = set()

    async def keep(self, device: Device, wanted: KeepAlive) -> None:
        """Beat until cancelled, or until it is of the fleet no more; once at a time for each device."""
        if device.pile in self._kept:
            return
        self._kept.add(device.pile)
        try:
            await self._beat(device, wanted)
        finally:
            self._kept.discard(device.pile)

    async def _beat(self, device: Device, wanted: KeepAlive) -> None:
        while True:
            await asyncio.sleep(max(LEAST_S, wanted.every_s / self._speed))
            if not self._still(device):
                return
            if device.heard is None or device.wrong:
                self._counters.count("beats_left_out")
                continue
            for step in wanted.steps:
                if step.wait_s is not None:
                    await asyncio.sleep(step.wait_s / self._speed)
                elif step.publish is not None:
                    said = await self._mouth.say(device, step.publish, 0, f"k-{uuid.uuid4()}")
                    self._counters.count("beats" if said.outcome == "sent" else "beats_failed")
