"""What a device wants written again and again to stay under remote control, where an operator wants it to be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from triage.config.profile.actions import KeepAlive
from triage.drivers.modbus.counters import Counters
from triage.drivers.modbus.course import Move, Pause, Send, moves
from triage.drivers.modbus.device import Device
from triage.drivers.modbus.messages import AskError

LEAST_S = 0.2


async def keep_alive(device: Device, wanted: KeepAlive, counters: Counters, speed: float) -> None:
    """Beat for ever. A device that was not understood at its last reading is left alone.

    Raises:
        UnwritableError: the profile's values must not or cannot be written.
    """
    todo = moves(wanted.steps, 0, device.kind, speed)
    period_s = max(LEAST_S, wanted.every_s / speed)
    while True:
        await asyncio.sleep(period_s)
        if not device.trusted:
            counters.count("beats_left_out")
            continue
        try:
            await _beat(device, todo)
        except AskError:
            counters.count("beats_failed")
        else:
            counters.count("beats")


async def _beat(device: Device, todo: Sequence[Move]) -> None:
    for move in todo:
        if isinstance(move, Send):
            await device.endpoint.ask(move.unit, move.write, device.kind.modbus.timeout_s)
        elif isinstance(move, Pause):
            await asyncio.sleep(move.wait_s)
