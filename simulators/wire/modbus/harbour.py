"""The Modbus piles of a fleet on their ports, and the time that passes for them when nobody asks."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from simulators.wire.modbus.layout import HOST, Lying, lying
from simulators.wire.modbus.quay import Berthed, Quay
from simulators.wire.modbus.troubles import Trouble, Troubles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.fleet import Fleet
    from simulators.wire.berth import Berth
    from simulators.wire.modbus.device import Device
    from simulators.wire.pace import Pace

LOOK_AFTER_S = 0.25
"""How often, in real seconds, time passes for piles that nobody reads."""
BY_CHANCE = (Trouble.STALL, Trouble.BUSY, Trouble.LOST, Trouble.CUT, Trouble.TORN)


class Harbour:
    """All Modbus piles of ``fleet``; ``chance`` is that of each trouble, a request."""

    def __init__(self, fleet: Fleet, berths: Mapping[str, Berth], pace: Pace, chance: float = 0.0) -> None:
        """Nothing listens before :meth:`run`."""
        self._pace = pace
        chances = dict.fromkeys(BY_CHANCE, chance) if chance else {}
        self._berths = {each.pile: berths[each.pile] for each in lying(fleet)}
        self.devices: dict[str, Device] = {}
        ports: dict[int, list[Lying]] = {}
        for each in lying(fleet):
            ports.setdefault(each.port, []).append(each)
            troubles = Troubles(fleet.stream(f"modbus/{each.pile}"), chances)
            self.devices[each.pile] = each.make(berths[each.pile].pile, troubles)
        self.quays = [self._quay(port, there) for port, there in ports.items()]

    def _quay(self, port: int, there: list[Lying]) -> Quay:
        alone = len(there) == 1 and there[0].unit == there[0].make.own_unit
        berths: dict[int, Berthed] = {}
        for each in there:
            device = self.devices[each.pile]
            hidden = {each.unit: device.own_unit} if not alone else {unit: unit for unit in device.units}
            berths |= {outer: Berthed(device, inner) for outer, inner in hidden.items()}
        return Quay(HOST, port, berths, self._pace.now, gateway=not alone)

    @property
    def counts(self) -> Counter[str]:
        """What came and what became of it, all ports together."""
        total: Counter[str] = Counter()
        for quay in self.quays:
            total.update(quay.counts)
        total["writes"] = sum(len(device.writes) for device in self.devices.values())
        return total

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            OSError: a port is taken.
        """
        async with AsyncExitStack() as stack:
            for quay in self.quays:
                await stack.enter_async_context(quay)
            for berth in self._berths.values():
                berth.do(lambda pile, now: pile.link(now, up=True))
            while True:
                for berth in self._berths.values():
                    berth.take()
                await asyncio.sleep(LOOK_AFTER_S)
