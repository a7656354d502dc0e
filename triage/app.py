"""The only place where the rooms are joined: build, start, stop. No globals; embeddable in tests and in the world."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import structlog

from triage.clock import SteadyClock
from triage.core.draft import Rules
from triage.core.effects import Changes
from triage.core.engine import Engine
from triage.core.events import Registration, Started
from triage.core.vocabulary import Mode
from triage.errors import StoreError, StoreRefusedError
from triage.interfaces import Desk, Driver, Ledger, Lookups, Queries, Restorer
from triage.metrics import Metrics
from triage.outbox import Outbox
from triage.overview import Overview, gauge
from triage.runtime import Runtime
from triage.tallies import Tallies, Tally, tally
from triage.web.bulletin import Bulletin
from triage.web.parts import TokenEntry, WebParts
from triage.web.server import WebServer

log = structlog.get_logger(__name__)

LEASE_TTL_S = 15.0
LEASE_RENEW_S = 3.0
STOP_S = 10.0
PRUNE_EVERY_S = 3600.0


class Store(Ledger, Lookups, Queries, Protocol):
    """Everything the daemon asks of storage."""

    async def open(self) -> None:
        """Connect; refuse a schema that does not fit."""

    async def close(self) -> None:
        """Let go."""

    async def acquire_lease(self, owner: str, now: Any, ttl_s: float) -> int:
        """Become the only writer."""

    async def renew_lease(self, now: Any) -> None:
        """Stay the only writer."""

    async def release_lease(self) -> None:
        """Let another daemon in at once."""

    async def prune(self, now: Any, keep: timedelta) -> Any:
        """Drop history that nobody needs any more."""


class Devices(Protocol):
    """Who makes the drivers that a fleet needs."""

    def adopt(self, registrations: Any, profiles: Any, mode: Mode) -> Mapping[str, Driver]:
        """The drivers by the profile they speak, for the fleet as it is now."""

    def trouble(self) -> Mapping[str, str]:
        """What is wrong with single devices, by driver."""


@dataclass(kw_only=True)
class Parts:
    """What an application is made of. ``drivers`` by the profile they speak."""

    rules: Rules
    registrations: tuple[Registration, ...]
    store: Store
    drivers: Mapping[str, Driver]
    desks: Mapping[str, Desk]
    devices: Devices | None = None
    clock: SteadyClock = field(default_factory=SteadyClock)
    metrics: Metrics = field(default_factory=Metrics)
    http: tuple[str, int] | None = None
    tokens: tuple[TokenEntry, ...] = ()
    owner: str = field(default_factory=socket.gethostname)


class App:
    """One running daemon. ``failed`` is set when it must not go on: its lease is lost, or its loop broke."""

    def __init__(self, parts: Parts) -> None:
        """Join the parts; nothing runs before :meth:`start`."""
        self.parts = parts
        self.clock = parts.clock
        self.metrics = parts.metrics
        self.drivers = dict(parts.drivers)
        self.engine = Engine(parts.rules, drivers={driver.name for driver in self.drivers.values()})
        self.overview = Overview(self.engine, self.health)
        self.outbox = Outbox(
            self.drivers,
            parts.desks,
            parts.clock,
            halted=self.overview.kill_switch,
            speed=parts.rules.policy.speed,
        )
        self.bulletin = Bulletin()
        self.runtime = Runtime(
            self.engine,
            parts.store,
            parts.clock,
            parts.metrics,
            release=self.outbox.release,
            publish=self._publish,
            anchor=parts.clock.anchor,
        )
        parts.metrics.registry.register(Tallies(self._tallies))
        self.failed: asyncio.Future[None] | None = None
        self.web: WebServer | None = None
        self._stop_event = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        for plan in parts.rules.plans.plans:
            parts.metrics.foresee(plan.name, [step.id for step in plan.steps])

    async def start(self) -> None:
        """Load, take the lease, and begin. Whoever is charging is unknown from here until the pile says so.

        Raises:
            StoreError: the database cannot be reached.
            StoreRefusedError: it must not be used as it is, or another daemon uses it.
            OSError: the HTTP address is taken.
        """
        parts = self.parts
        await parts.store.open()
        await self._take_lease()
        snapshot = await parts.store.load(self.clock.now())
        self.clock.resume(snapshot.settings.get("clock", ""))
        self.engine.start(snapshot, parts.registrations, self.clock.now())
        self.failed = asyncio.get_running_loop().create_future()
        self.outbox.resume(snapshot.outbox)
        self.outbox.start(self.runtime)
        self._spawn(self.runtime.run(), "runtime")
        self._spawn(self._keep_lease(), "lease")
        self._spawn(self._prune(), "prune")
        self.runtime.offer([Started(received_at=self.clock.now())])
        if parts.http is not None:
            self.web = WebServer(self._web_parts(), *parts.http)
            await self.web.start()
        for driver in set(self.drivers.values()):
            await driver.start(self.runtime)
        await self.outbox.restore()

    async def stop(self) -> None:
        """Stop taking in, finish what was taken, and let go of everything."""
        self._stop_event.set()
        if self.web is not None:
            await self.web.stop()
        # Those that must not leave things in the middle need the others for it.
        for driver in sorted(set(self.drivers.values()), key=lambda each: not isinstance(each, Restorer)):
            await driver.stop()
        self.runtime.stop()
        running = [task for task in self._tasks if task.get_name() == "runtime"]
        await asyncio.wait(running, timeout=STOP_S) if running else None
        await self.outbox.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(StoreError, StoreRefusedError):
            await self.parts.store.release_lease()
        await self.parts.store.close()

    def adopt(
        self, rules: Rules, registrations: tuple[Registration, ...], drivers: Mapping[str, Driver] | None = None
    ) -> None:
        """Decide by other rules, for another fleet, from the next event on; new drivers are started."""
        self.engine.reload(rules)
        self.engine.enrol(registrations)
        fresh = set((drivers or {}).values()) - set(self.drivers.values())
        self.drivers.update(drivers or {})
        for driver in fresh:
            self.engine.state.listening.setdefault(driver.name, None)
            self._spawn(driver.start(self.runtime), f"start {driver.name}")
        for plan in rules.plans.plans:
            self.metrics.foresee(plan.name, [step.id for step in plan.steps])

    def health(self) -> Mapping[str, str]:
        """Each part by name: ``ok``, or what is degraded."""
        database = self.runtime.store_trouble
        driver_trouble = {
            f"driver {name}": "ok" if since is not None else "degraded: our link to the field is down"
            for name, since in self.engine.state.listening.items()
        }
        loop = "ok" if self.failed is None or not self.failed.done() else "down: the daemon is stopping"
        outbox = self.outbox.trouble()
        jumped = self.clock.jumped()
        ahead = self.clock.offset().total_seconds()
        return {
            "intake": loop,
            "database": "ok" if database is None else f"down: {database}",
            **driver_trouble,
            **self._device_trouble(),
            "outbox": "ok" if outbox is None else f"degraded: {outbox}",
            "clock": f"degraded: the wall clock differs by {ahead:.0f} s; deadlines follow slowly" if jumped else "ok",
        }

    def _device_trouble(self) -> dict[str, str]:
        devices = self.parts.devices
        said = {} if devices is None else devices.trouble()
        return {f"{name} devices": f"degraded: {trouble}" for name, trouble in said.items()}

    def _tallies(self) -> list[Tally]:
        drivers = {driver.name: driver for driver in self.drivers.values()}
        counted = {name: counters for name, each in drivers.items() if (counters := getattr(each, "counters", None))}
        return [tally(name, counters) for name, counters in counted.items()]

    def exposition(self) -> bytes:
        """The metrics page."""
        gauge(self.engine, self.metrics, self.clock, self.outbox.pending())
        return self.metrics.exposition()

    def _web_parts(self) -> WebParts:
        return WebParts(
            inlet=self.runtime,
            queries=self.parts.store,
            live=self.overview,
            clock=self.clock,
            stop_event=self._stop_event,
            tokens=self.parts.tokens,
            metrics_exposition=self.exposition,
            bulletin=self.bulletin,
            release=release(),
        )

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part that ends by an error ends the daemon: half a daemon is worse than none."""
        if task.cancelled() or self.failed is None or self.failed.done():
            return
        error = task.exception()
        if error is not None:
            log.error("a part of the daemon failed; it stops", part=task.get_name(), reason=str(error))
            self.failed.set_exception(error)

    async def _take_lease(self) -> None:
        await self.parts.store.acquire_lease(self.parts.owner, self.clock.now(), LEASE_TTL_S)

    async def _keep_lease(self) -> None:
        """Renew the lease. A database that is down for a while is no reason to stop; a lease that was taken is."""
        while True:
            await asyncio.sleep(LEASE_RENEW_S)
            with contextlib.suppress(StoreError):
                await self.parts.store.renew_lease(self.clock.now())

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            keep = self.engine.rules.policy.span("history_keep")
            with contextlib.suppress(StoreError):
                await self.parts.store.prune(self.clock.now(), keep)

    def _publish(self, changes: Changes) -> None:
        """Tell open pages what changed, by id; they fetch what they show."""
        for kind, ids in (
            ("incident", changes.incidents),
            ("complaint", changes.complaints),
            ("work_order", changes.orders),
            ("silence", changes.silences),
            ("pile", changes.piles),
        ):
            for id in ids:
                self.bulletin.publish({"kind": kind, "id": id})
        if "kill_switch" in changes.settings:
            self.bulletin.publish({"kind": "kill_switch", "id": "kill-switch"})


def release() -> str:
    """The product's version."""
    try:
        return importlib.metadata.version("pile-triage")
    except importlib.metadata.PackageNotFoundError:
        return "0"
