"""A witness: keeps its own picture of what was said, and judges every command that cannot be taken back.

It shares no rule with the engine; it is written from the laws and the safety table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from tests.unit.core.film import Film
from triage.core.effects import Command
from triage.core.events import (
    ComplaintReceived,
    DriverLink,
    Event,
    IncidentAct,
    KillSwitch,
    OrderAct,
    PileStatus,
    SilenceSet,
    Started,
    Telemetry,
)
from triage.core.vocabulary import READS, REBOOTS, Action, ConnectorStatus, Family

SAFETY_CODES = {"GroundFailure", "EmergencyStop", "SmokeDetected"}
UNKNOWN_CODES = {"XJ-1"}
HOT_CODES = {"HighTemperature"}
DANGER_TEXT = "sparks and smoke at the plug"
CAR = {ConnectorStatus.CHARGING, ConnectorStatus.SUSPENDED_EV, ConnectorStatus.SUSPENDED_EVSE}


class Witness:
    """Watches one film."""

    def __init__(self, film: Film) -> None:
        self.film = film
        self.newest: dict[str, Telemetry] = {}
        self.heard_since_start: set[str] = set()
        self.danger: set[str] = set()
        self.hot: dict[str, datetime] = {}
        self.offline: set[str] = set()
        self.killed = False
        self.up = True
        self.silences: list[tuple[str, datetime]] = []
        self.restarts: dict[str, list[datetime]] = {}
        self.not_left: set[str] = set()
        self.deaf = False
        film.before.append(self.hear)
        film.on_command.append(self.judge)

    @contextmanager
    def distracted(self) -> Iterator[None]:
        """What is played inside is history or an echo: no news."""
        self.deaf = True
        try:
            yield
        finally:
            self.deaf = False

    def hear(self, event: Event) -> None:
        """An event reaches the engine."""
        if isinstance(event, Telemetry):
            self._telemetry(event)
        elif isinstance(event, PileStatus) and not event.retained:
            (self.offline.discard if event.online else self.offline.add)(event.pile)
        elif isinstance(event, DriverLink):
            self.up = event.up
        elif isinstance(event, Started):
            self.heard_since_start.clear()
        elif isinstance(event, KillSwitch):
            self.killed = event.on
        elif isinstance(event, SilenceSet) and event.pile is not None:
            self.silences.append((event.pile, event.ends_at))
        elif isinstance(event, ComplaintReceived) and event.text == DANGER_TEXT and event.pile is not None:
            self.danger.add(event.pile)

    def _telemetry(self, event: Telemetry) -> None:
        codes = {claim.code for claim in event.faults}
        if codes & SAFETY_CODES and not event.retained:
            self.danger.add(event.pile)
        if self.deaf:
            return
        self.newest[event.pile] = event
        self.heard_since_start.add(event.pile)
        self.offline.discard(event.pile)
        if codes & HOT_CODES:
            self.hot[event.pile] = event.received_at

    def person_cleared(self, pile: str) -> None:
        """A visit is done, or a person dismissed the danger."""
        self.danger.discard(pile)

    def judge(self, command: Command) -> None:
        """A command has been decided."""
        if command.action in READS:
            return
        film, now, pile = self.film, self.film.now, command.pile
        story = f"{command.action} for {pile}\n{film.story()}"
        assert not self.killed, story
        assert self.up, story
        assert pile not in self.offline, story
        assert pile not in self.danger, story
        assert not any(each == pile and now < until for each, until in self.silences), story
        assert pile in self.heard_since_start, story
        self._nobody_charges(command, story)
        incident = film.engine.state.incidents.get(command.id.rsplit(".", 1)[0])
        if command.action in REBOOTS:
            self._restart(command, story)
        if incident is not None and incident.family is not Family.UNRESPONSIVE:
            assert now - self.newest[pile].received_at <= timedelta(seconds=150), story

    def _nobody_charges(self, command: Command, story: str) -> None:
        for reading in self.newest[command.pile].readings:
            if command.action in REBOOTS or command.connector in {0, reading.connector}:
                assert reading.session_known, story
                assert reading.status not in CAR, story
                assert reading.session is None or command.action is Action.STOP_SESSION, story

    def _restart(self, command: Command, story: str) -> None:
        pile, now = command.pile, self.film.now
        codes = {claim.code for claim in self.newest[pile].faults}
        assert not codes & (UNKNOWN_CODES | HOT_CODES), story
        assert now - self.hot.get(pile, datetime.min.replace(tzinfo=now.tzinfo)) >= timedelta(minutes=15), story
        before = [at for at in self.restarts.get(pile, []) if at.isoformat() not in self.not_left]
        assert all(now - at >= timedelta(seconds=600) for at in before), story
        assert sum(now - at < timedelta(days=1) for at in before) < 3, story
        self.restarts.setdefault(pile, []).append(now)

    def did_not_leave(self, command: Command) -> None:
        """The driver says that it certainly did not leave: it is no restart of the pile."""
        if command.action in REBOOTS:
            self.restarts[command.pile].remove(command.issued_at)

    def person(self, event: IncidentAct | OrderAct, status: int, pile: str) -> None:
        """A person's act was answered."""
        done = isinstance(event, OrderAct) and event.act == "done"
        dismissed = isinstance(event, IncidentAct) and event.act == "dismiss"
        if status == 200 and (done or dismissed):
            self.person_cleared(pile)
