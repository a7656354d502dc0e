"""Reads every value of a live Modbus device once, and keeps what came for each: words, value, or why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from triage.config.profile.file import Profile
from triage.config.profile.registers import Modbus
from triage.core.faults import FaultTable
from triage.drivers.modbus.blocks import Block, Place, blocks
from triage.drivers.modbus.counters import Counters
from triage.drivers.modbus.endpoint import Address, Endpoint, address_of
from triage.drivers.modbus.messages import NOT_THERE, AskError, BusyError, ExceptionReplyError, UnreachableError
from triage.drivers.modbus.reader import Layout, layout
from triage.drivers.profiles.derived import units
from triage.drivers.profiles.values import ImpossibleError, Value, Values
from triage.errors import InputError, InputFault, TriageError
from triage.workbench.polling import blocks_of, printed, widest
from triage.workbench.report import Judge, Report, ValueRead

BUSY_S = 0.5
"""Least pause before a busy device is asked again."""

HOPELESS = 3
"""After so many requests without any answer at first, nobody waits for the rest."""


class UnreachableDeviceError(TriageError):
    """Nothing answers there."""


async def read(
    profile: Profile, host: str, *, unit: int | None, connectors: int | None, table: FaultTable | None
) -> Report:
    """Everything the device at ``host`` (``host`` or ``host:port``) says, through ``profile``.

    Raises:
        InputError: the profile does not speak Modbus, or the address is none.
        AddressError: a register of one of the ``connectors`` has no address.
        UnreachableDeviceError: no connection, or no answer at all.
    """
    modbus = profile.modbus
    if modbus is None:
        problem = "does not speak Modbus; listen to it with --broker and --device"
        raise InputError([InputFault(profile.profile, None, "", problem)])
    count = connectors or widest(profile)
    address = _address(host, modbus)
    look = _Look(layout(modbus, unit, count), address, profile)
    try:
        await look.take()
    finally:
        look.leave()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    where = f"{address} unit {modbus.unit_id if unit is None else unit}"
    return Judge(profile, count, table).report(where, at, look.read, look.values)


def _address(host: str, modbus: Modbus) -> Address:
    try:
        return address_of(host, modbus.port, modbus.framing)
    except ValueError as error:
        raise InputError([InputFault("--host", None, "", str(error), "write HOST or HOST:PORT")]) from None


class _Look:
    """One look; unlike the driver's it goes on after a value that fails, for that is what is looked for here."""

    def __init__(self, plan: Layout, address: Address, profile: Profile) -> None:
        self._plan = plan
        self._profile = profile
        self._units = units(profile)
        self._endpoint = Endpoint(address, Counters(), lambda: None)
        self._endpoint.spacing_s = plan.modbus.spacing_s
        self._silent = 0
        self._heard = False
        self.read: list[ValueRead] = []
        self.values = Values(connectors={number: {} for number in range(1, plan.connectors + 1)})

    async def take(self) -> None:
        try:
            await self._endpoint.connect(self._plan.modbus.timeout_s)
        except UnreachableError as error:
            raise UnreachableDeviceError(str(error)) from None
        wanted = [*blocks_of(self._plan, self._plan.kept), *blocks_of(self._plan, self._plan.polled)]
        for block in wanted:
            await self._block(block)
        order = {name: at for at, name in enumerate(self._plan.modbus.registers)}
        self.read.sort(key=lambda each: (order[each.name], each.connector))

    def leave(self) -> None:
        self._endpoint.close()

    async def _block(self, block: Block) -> None:
        try:
            words = await self._ask(block)
        except ExceptionReplyError as error:
            if error.code not in NOT_THERE or block.alone:
                self._fail(block, error)
                return
            for part in blocks(block.places, limit=1, gap=0, single=True):
                await self._block(part)
        except AskError as error:
            self._fail(block, error)
        else:
            for place in block.places:
                self._keep(place, block.words(place, words))

    async def _ask(self, block: Block) -> Sequence[int]:
        modbus = self._plan.modbus
        for left in range(modbus.retries, -1, -1):
            try:
                words = await self._endpoint.ask(block.unit, block.read, modbus.timeout_s, eager=True)
            except AskError as error:
                self._note(error)
                refused = isinstance(error, ExceptionReplyError) and not isinstance(error, BusyError)
                if not left or (refused and error.alive):
                    raise
                await asyncio.sleep(BUSY_S if isinstance(error, BusyError) else 0)
            else:
                self._heard = True
                return words
        raise AssertionError  # the last round returns or raises

    def _note(self, error: AskError) -> None:
        self._heard = self._heard or error.alive
        self._silent = 0 if error.alive else self._silent + 1
        if not self._heard and self._silent >= HOPELESS:
            raise UnreachableDeviceError(
                f"{self._endpoint.address}: connected, but nothing answers as this unit: {error}; "
                "check --unit, and whether Modbus is switched on in the device"
            )

    def _fail(self, block: Block, error: AskError) -> None:
        for place in block.places:
            self.read.append(self._line(place, error=str(error) or error.kind))

    def _keep(self, place: Place, words: Sequence[int]) -> None:
        line = self._line(place)
        line.words = list(words)
        line.raw = " ".join(f"{word:04X}" for word in words) if place.register.type != "bool" else str(int(words[0]))
        try:
            line.value = self._plan.decoders[place.name](words)
        except ImpossibleError as error:
            line.error = str(error)
            where = f" of connector {place.connector}" if place.connector else ""
            self.values.impossible.append(f"{place.name}{where} {error}")
        self._room(place)[place.name] = line.value
        self.read.append(line)

    def _line(self, place: Place, error: str = "") -> ValueRead:
        return ValueRead(
            name=place.name,
            connector=place.connector,
            where=printed(place.register),
            type=place.register.type,
            wire=f"{place.address} (0x{place.address:04X})",
            unit=self._units.get(place.name) or "",
            error=error,
            unverified=place.register.unverified or "",
        )

    def _room(self, place: Place) -> dict[str, Value]:
        return self.values.connectors[place.connector] if place.connector else self.values.pile
