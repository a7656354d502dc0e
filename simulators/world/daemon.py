"""The daemon under test: the real shell, composed for one life, killed, and composed again over the same disk."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from triage import app, runtime
from triage.app import App, Parts
from triage.clock import SteadyClock
from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.config.planfile import load_plans
from triage.core.draft import Rules
from triage.core.events import Registration
from triage.core.policy import Policy
from triage.core.vocabulary import Mode

if TYPE_CHECKING:
    from simulators.loop import VirtualLoop
    from simulators.world.desk import WorldDesk
    from simulators.world.driver import WorldDriver
    from simulators.world.store import FlakyStore

CONFIG = Path(__file__).resolve().parents[2] / "config"
LONGEST_LOG = 50  # nothing: the auditors look, nobody reads


def rules() -> Rules:
    """The shipped plans, fault names and words, live, for piles that speak every ten minutes."""
    policy = Policy(mode=Mode.LIVE, heartbeat_s=600, fresh_s=1500, silent_after_s=1800, callback_s=3600)
    lexicon = load_lexicon(CONFIG / "lexicon")
    return Rules(
        policy=policy.faster(),
        plans=load_plans(CONFIG / "plans"),
        faults=load_fault_table(CONFIG / "faults", lexicon),
        lexicon=lexicon,
    )


class Life:
    """One life of the daemon, from start to kill or stop. Everything in it belongs to its process."""

    def __init__(self, loop: VirtualLoop, number: int, wall: Callable[[], float]) -> None:
        """Not started yet."""
        self.process = f"daemon-{number}"
        self.clock = SteadyClock(wall, loop.time, lambda: "world")
        self.app: App | None = None

    async def start(
        self,
        rules: Rules,
        registrations: tuple[Registration, ...],
        store: FlakyStore,
        driver: WorldDriver,
        desk: WorldDesk,
    ) -> App:
        """Join the parts and run.

        Raises:
            StoreError: the database does not answer; a daemon that cannot load does not start.
        """
        self.app = daemon = App(
            Parts(
                rules=rules,
                registrations=registrations,
                store=store,
                drivers={"pile/v1": driver},
                desks={desk.name: desk},
                clock=self.clock,
                owner="world",
            )
        )
        await daemon.start()
        return daemon

    def defects(self) -> list[str]:
        """What the daemon itself counted or felt as its own fault."""
        daemon = self.app
        found: list[str] = []
        if daemon is not None and daemon.runtime.defects:
            found.append(f"{daemon.runtime.defects} events could not be handled")
        if daemon is not None and daemon.failed is not None and daemon.failed.done():
            found.append(f"a part failed: {daemon.failed.exception()!r}")
        return found

    def bury(self) -> None:
        """After a kill: forget what the dead process held.

        Its frames live on unfinished (see :mod:`simulators.loop`); what they refer to is emptied, so that a world of
        many deaths does not keep many copies of the daemon's memory.
        """
        dead, self.app = self.app, None
        if dead is not None:
            for part in (dead.engine.state, dead.engine, dead.runtime, dead.outbox, dead.metrics, dead.parts, dead):
                part.__dict__.clear()


def prepare() -> None:
    """Let nobody log, for a world makes millions of lines; and sleep as long as there is nothing to do.

    The runtime wakes every second for the sake of a wall clock that may be drawn forward; under virtual time it would
    spend most of a world on that.
    """
    runtime.LONGEST_SLEEP_S = 20.0
    app.LEASE_RENEW_S, app.LEASE_TTL_S = 100.0, 500.0
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(LONGEST_LOG), cache_logger_on_first_use=False
    )


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Collect garbage rarely: a world allocates much and keeps most of it, and lives a minute."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
