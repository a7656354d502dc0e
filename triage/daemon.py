"""From settings to a running daemon: read the files, make the parts, serve until told to stop, reload when told to."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import hashlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO, NamedTuple, Self

import structlog

from triage.app import App, Parts
from triage.channels import Channels, dialects
from triage.clock import SteadyClock
from triage.config.check import unknown_fault_names
from triage.config.faultfile import load_fault_table
from triage.config.fleetfile import load_fleet, load_teams
from triage.config.lexiconfile import load_lexicon
from triage.config.planfile import load_plans
from triage.config.profile.file import Profile, load_profiles
from triage.config.sections import WebhookDesk
from triage.config.settings import Settings, load_settings
from triage.core.draft import Rules
from triage.core.events import FaultClaim, Registration
from triage.desks.local import LocalDesk
from triage.drivers.embedded import EmbeddedBroker
from triage.errors import InputError, StoreRefusedError
from triage.interfaces import Desk
from triage.storage.sql import SqlStore

log = structlog.get_logger(__name__)

SWITCH_S = 0.0005


class Files(NamedTuple):
    """Everything an operator wrote beside the settings, read and found sound."""

    rules: Rules
    profiles: Mapping[str, Profile]
    registrations: tuple[Registration, ...]


def load_files(settings: Settings) -> Files:
    """Plans, fault tables, words, profiles and fleet as the files say.

    Raises:
        InputError: every fault of every file.
    """
    lexicon = load_lexicon(settings.lexicon_path)
    table = load_fault_table(settings.faults_path, lexicon)
    plans = load_plans(settings.plans_path)
    strange = unknown_fault_names(plans, table, settings.plans_path)
    if strange:
        raise InputError(strange)
    profiles = load_profiles(settings.profiles_path, table.names())
    teams = {team.team for team in load_teams(settings.teams_path)} if settings.teams_path.exists() else None
    registrations = load_fleet(settings.fleet_path, teams, profiles)
    rules = Rules(
        policy=settings.policy_in_force(), plans=plans, faults=table, lexicon=lexicon, dialects=dialects(profiles)
    )
    return Files(rules, profiles, registrations)


def make_desks(settings: Settings) -> dict[str, Desk]:
    """Where work orders go, by name."""
    desks: dict[str, Desk] = {}
    for desk in settings.desks:
        if isinstance(desk, WebhookDesk):
            # Loaded only where it is used: an HTTP client is a part of a restart's time.
            from triage.desks.webhook import WebhookDesk as Receiver  # noqa: PLC0415

            desks[desk.name] = Receiver(desk.name, desk.url, desk.secret, timeout_s=desk.timeout_s)
        else:
            desks[desk.name] = LocalDesk()
    return desks


class HostLock:
    """One daemon per database on this host; the operating system frees it however the process ends.

    It makes the database's lease ours again at once after a crash, for no other process here can be alive with it.
    """

    def __init__(self, url: str) -> None:
        """Choose the file: beside an SQLite database, else in the system's temporary folder."""
        if url.startswith("sqlite:///"):
            self._path = Path(url.removeprefix("sqlite:///") + ".lock")
        else:
            name = hashlib.sha256(url.encode()).hexdigest()[:16]
            self._path = Path(tempfile.gettempdir()) / f"pile-triage-{name}.lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take it.

        Raises:
            StoreRefusedError: another daemon on this host has it, or the file cannot be made.
        """
        try:
            self._file = self._path.open("a+", encoding="ascii")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreRefusedError(
                f"another daemon on this machine uses this database ({self._path}); stop that one first"
            ) from None
        except OSError as error:
            raise StoreRefusedError(
                f"{self._path}: cannot be written: {error.strerror}; check the folder and its permissions"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Free it."""
        if self._file is not None:
            self._file.close()


def make_app(settings: Settings, clock: SteadyClock, broker_url: str) -> App:
    """Read every file the settings name, and join everything.

    Raises:
        InputError: a file is faulty.
    """
    return join(settings, clock, broker_url, load_files(settings))


def join(settings: Settings, clock: SteadyClock, broker_url: str, files: Files) -> App:
    """Join everything the settings name, with files that were read before."""

    def recall(pile: str) -> tuple[FaultClaim, ...]:
        known = app.engine.state.piles.get(pile)
        faults = () if known is None else known.faults
        return tuple(FaultClaim(code=each.code, connector=each.connector, info=each.info) for each in faults)

    channels = Channels(settings, clock, broker_url, recall)
    tokens = tuple((token.name, token.role.value, token.sha256) for token in settings.auth.tokens)
    parts = Parts(
        rules=files.rules,
        registrations=files.registrations,
        store=SqlStore(settings.database.url),
        drivers=channels.adopt(files.registrations, files.profiles, files.rules.policy.mode),
        devices=channels,
        desks=make_desks(settings),
        clock=clock,
        http=(settings.http.host, settings.http.port),
        tokens=tokens if settings.auth.mode == "token" else (),
    )
    app = App(parts)
    return app


def broker_folder(settings: Settings) -> Path:
    """Where the embedded broker keeps its sessions: beside an SQLite database, else in the working folder."""
    url = settings.database.url
    database = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else Path("triage")
    return database.with_name(database.name + ".broker")


async def serve(path: Path, environ: Mapping[str, str], *, ready: Callable[[App], None] | None = None) -> None:
    """Run the daemon until SIGTERM or SIGINT; SIGHUP reads plans, profiles, words, fault tables and fleet again.

    Raises:
        InputError: the configuration is faulty; nothing was started.
        StoreError: the database cannot be reached.
        StoreRefusedError: the database must not be used as it is.
        EmbeddedBrokerError: the embedded broker cannot run.
        OSError: the HTTP address is taken.
    """
    # Threads of the database hand back to the loop sooner: with a busy loop a commit's p99 falls by a quarter.
    sys.setswitchinterval(SWITCH_S)
    settings = load_settings(path, environ)
    # Every file is read before anything is started.
    files = load_files(settings)
    clock = SteadyClock()
    async with AsyncExitStack() as stack:
        stack.enter_context(HostLock(settings.database.url))
        url = settings.mqtt.url
        if url == "embedded":
            folder = broker_folder(settings)
            broker = EmbeddedBroker(folder, settings.mqtt.port)
            await stack.enter_async_context(broker)
            url = broker.url
        app = join(settings, clock, url, files)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        reloading = Reloading(app, path, environ)
        loop.add_signal_handler(signal.SIGHUP, reloading.wanted)
        if settings.policy.speed != 1:  # type: ignore[attr-defined]
            log.warning(
                "policy.speed is set: every clock runs that many times as fast", speed=app.parts.rules.policy.speed
            )
        log.info("starting", release=os.environ.get("TRIAGE_RELEASE", ""), mode=app.parts.rules.policy.mode.value)
        try:
            async with reloading.turn:
                await app.start()
            # What was loaded stays for good: the collector need not walk it again and again.
            gc.collect()
            gc.freeze()
            if app.web is not None:
                log.info("ready", http_port=app.web.port, piles=len(app.parts.registrations))
            if ready is not None:
                ready(app)
            await wait_for_end(app, stop)
        finally:
            await reloading.stop()
            await app.stop()


async def wait_for_end(app: App, stop: asyncio.Event) -> None:
    """Return when ``stop`` is set.

    Raises:
        Exception: what broke the daemon.
    """
    stopped = asyncio.create_task(stop.wait())
    failed = app.failed
    if failed is None:
        await stopped
        return
    failed.add_done_callback(lambda _: stop.set())
    await stopped
    if failed.done():
        failed.result()


class Reloading:
    """Reads the files again whenever it is wanted, beside the loop: a large fleet takes a second to read."""

    def __init__(self, app: App, path: Path, environ: Mapping[str, str]) -> None:
        """Nothing is read yet; nothing is taken over while somebody else has :attr:`turn`."""
        self.turn = asyncio.Lock()
        self._app, self._path, self._environ = app, path, environ
        self._wanted = False
        self._task: asyncio.Task[None] | None = None

    def wanted(self) -> None:
        """Read them, after what is being read now; asked several times meanwhile, once."""
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="reload")

    async def stop(self) -> None:
        """Take nothing over any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async with self.turn:
            while self._wanted:
                self._wanted = False
                files = await asyncio.to_thread(read_again, self._path, self._environ)
                if files is not None:
                    take_over(self._app, files)


def reload(app: App, path: Path, environ: Mapping[str, str]) -> None:
    """Read the files again. A faulty file is refused, and what was in force stays in force."""
    files = read_again(path, environ)
    if files is not None:
        take_over(app, files)


def read_again(path: Path, environ: Mapping[str, str]) -> Files | None:
    """The files as they are now; None, and every fault in the log, when one is faulty."""
    try:
        return load_files(load_settings(path, environ))
    except InputError as error:
        _refused(error)
    except Exception:  # whatever it is, the daemon has good files
        log.exception("reload failed; the old files stay in force")
    return None


def take_over(app: App, files: Files) -> None:
    """Go on with ``files``, from the next event on."""
    devices = app.parts.devices
    mode = files.rules.policy.mode
    try:
        drivers = None if devices is None else devices.adopt(files.registrations, files.profiles, mode)
    except InputError as error:
        _refused(error)
        return
    app.adopt(files.rules, files.registrations, drivers)
    log.info("reloaded", plans=len(files.rules.plans.plans), piles=len(files.registrations))


def _refused(error: InputError) -> None:
    for fault in error.faults:
        log.error("reload refused; the old files stay in force", fault=str(fault))
