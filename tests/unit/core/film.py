"""A film: the pure engine under virtual time, with scripted piles before it and a record of everything it decided.

``Film.run`` advances the time from one happening to the next: heartbeats of the piles, answers on their way, deadlines.
A pile is an :class:`Actor`: a few facts, a beat, and what it does about each command. Nothing here decides anything
about the product; after every happening the standing laws are checked (see :func:`check_laws`).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.config.planfile import load_plans
from triage.core.draft import Decision, Rules
from triage.core.effects import Answer, Command, JournalEntry, OrderNotice, Snapshot
from triage.core.engine import Engine, Quiet
from triage.core.events import (
    CommandAnswer,
    ComplaintReceived,
    DriverLink,
    EffectOutcome,
    Event,
    FaultClaim,
    IncidentAct,
    OrderAct,
    PileStatus,
    Reading,
    Registration,
    Reporter,
    Started,
    Telemetry,
)
from triage.core.fleet import Pile
from triage.core.incident import Attempt, Incident
from triage.core.policy import Policy
from triage.core.vocabulary import (
    REBOOTS,
    Action,
    AnswerResult,
    BootReason,
    Channel,
    ConnectorStatus,
    Family,
    IncidentState,
    Mode,
    OrderState,
)
from triage.core.workorder import WorkOrder

CONFIG = Path(__file__).parents[3] / "config"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SPIN_LIMIT = 60


@cache
def _files() -> tuple[Any, Any, Any]:
    lexicon = load_lexicon(CONFIG / "lexicon")
    return lexicon, load_fault_table(CONFIG / "faults", lexicon), load_plans(CONFIG / "plans")


def rules(*, plan_mode: Mode | None = None, **policy: Any) -> Rules:
    """The shipped plans, words and faults; the policy's defaults in live mode, with what ``policy`` changes."""
    lexicon, faults, plans = _files()
    if plan_mode is not None:
        plans = replace(plans, plans=tuple(replace(plan, mode=plan_mode) for plan in plans.plans))
    numbers = Policy(**{"mode": Mode.LIVE, **policy}).faster()
    return Rules(policy=numbers, plans=plans, faults=faults, lexicon=lexicon)


class Actor:
    """One scripted pile. ``habits`` says what it does about a command; the default cures on a soft reset."""

    def __init__(self, film: Film, registration: Registration, beat_s: float = 30) -> None:
        self.film = film
        self.id = registration.pile
        self.site = registration.site
        self.registration = registration
        self.beat_s = beat_s
        self.talks = True
        self.up_since = film.now - timedelta(hours=1)
        self.boot = 1
        self.seq = 0
        self.status = dict.fromkeys(range(1, registration.connectors + 1), ConnectorStatus.AVAILABLE)
        self.session: dict[int, str | None] = dict.fromkeys(range(1, registration.connectors + 1))
        self.session_known = True
        self.current_a: float | None = None
        self.faults: list[FaultClaim] = []
        self.habits: dict[Action, Callable[[Command], None]] = {}
        self.executed: list[Command] = []
        self.mute_until: datetime | None = None

    # What it does by itself ---------------------------------------------------------------------------------------

    def claim(self, code: str, connector: int = 1, info: str = "") -> None:
        """Claim a fault from the next message on, and say so at once."""
        self.faults.append(FaultClaim(code=code, connector=connector, info=info))
        self.speak()

    def heal(self) -> None:
        """Claim nothing any more, and say so at once."""
        self.faults.clear()
        self.speak()

    def show(self, status: ConnectorStatus, connector: int = 1, session: str | None = None) -> None:
        """Show a status, and say so at once."""
        self.status[connector] = status
        self.session[connector] = session
        self.speak()

    def message(self, **changes: Any) -> Telemetry:
        """The next full reading; numbering goes on."""
        self.seq += 1
        readings = tuple(
            Reading(
                connector=number,
                status=self.status[number],
                session=self.session[number],
                session_known=self.session_known,
                current_a=self.current_a,
            )
            for number in self.status
        )
        plain = Telemetry(
            received_at=self.film.now,
            site=self.site,
            pile=self.id,
            device_at=self.film.now,
            seq=self.seq,
            uptime_s=(self.film.now - self.up_since).total_seconds(),
            readings=readings,
            faults=tuple(self.faults),
        )
        return replace(plain, **changes) if changes else plain

    def speak(self) -> None:
        """Send a reading now, if it can."""
        awake = self.mute_until is None or self.film.now >= self.mute_until
        if self.talks and awake and self.film.connected:
            self.film.play(self.message())

    def birth(self, reason: BootReason = BootReason.POWER_UP, **changes: Any) -> PileStatus:
        """The birth message of the present boot."""
        plain = PileStatus(
            received_at=self.film.now,
            site=self.site,
            pile=self.id,
            online=True,
            boot_id=f"{self.id}-boot-{self.boot}",
            boot_reason=reason,
            firmware="1.0",
            model=self.registration.model,
            device_at=self.film.now,
        )
        return replace(plain, **changes) if changes else plain

    def will(self) -> PileStatus:
        """Its last will."""
        return PileStatus(received_at=self.film.now, site=self.site, pile=self.id, online=False)

    def drop(self) -> None:
        """Lose the link: the last will is published, and nothing more comes."""
        self.talks = False
        if self.film.connected:
            self.film.play(self.will())

    def back(self, *, rebooted: bool = False) -> None:
        """Be there again."""
        self.talks = True
        if rebooted:
            self._fresh_boot()
        if self.film.connected:
            self.film.play(self.birth())
        self.speak()

    def restart(self, *, after_s: float = 30, reason: BootReason = BootReason.REMOTE_RESET, cure: bool = True) -> None:
        """Go down now and come up ``after_s`` later, with or without the faults."""
        self.mute_until = self.film.now + timedelta(seconds=after_s)

        def up() -> None:
            self.mute_until = None
            self._fresh_boot()
            if cure:
                self.faults.clear()
                for number in self.status:
                    self.status[number] = ConnectorStatus.AVAILABLE
                    self.session[number] = None
            self.talks = True
            if self.film.connected:
                self.film.play(self.birth(reason))
            self.speak()

        self.film.later(after_s, up)

    def _fresh_boot(self) -> None:
        self.boot += 1
        self.seq = 0
        self.up_since = self.film.now

    # What it does about commands ----------------------------------------------------------------------------------

    def receive(self, command: Command) -> None:
        """A command has reached it."""
        if not self.film.connected or (not self.talks and command.action not in self.habits):
            return
        self.executed.append(command)
        habit = self.habits.get(command.action)
        if habit is not None:
            habit(command)
        elif command.action is Action.REPORT:
            self.answer(command)
            self.speak()
        elif command.action in REBOOTS:
            self.cure(command)
        else:
            self.answer(command)

    def answer(self, command: Command, result: AnswerResult = AnswerResult.ACCEPTED, reason: str = "") -> None:
        """Answer it."""
        self.film.play(
            CommandAnswer(
                received_at=self.film.now,
                site=self.site,
                pile=self.id,
                command=command.id,
                result=result,
                reason=reason,
            )
        )

    def cure(self, command: Command) -> None:
        """Accept, restart, and come back well."""
        self.answer(command)
        self.restart()

    def stay_ill(self, command: Command) -> None:
        """Accept, restart, and come back with the same faults."""
        self.answer(command)
        self.restart(cure=False)

    def accept_only(self, command: Command) -> None:
        """Accept and do nothing."""
        self.answer(command)

    def refuse(self, command: Command) -> None:
        """Say no."""
        self.answer(command, AnswerResult.REFUSED, "not now")

    def unsupported(self, command: Command) -> None:
        """Know nothing of it."""
        self.answer(command, AnswerResult.UNSUPPORTED)

    def ignore(self, command: Command) -> None:
        """Do nothing and say nothing."""

    def vanish(self, command: Command) -> None:
        """Accept, and never be heard again."""
        self.answer(command)
        self.talks = False


class Film:
    """The engine, its piles, and everything that was decided."""

    def __init__(
        self, piles: int | Iterable[Registration] = 1, *, checked: bool = True, drivers: bool = True, **policy: Any
    ) -> None:
        """``piles`` of one site with one connector each, or the registrations themselves; ``policy`` goes to rules."""
        registrations = [pile(n) for n in range(1, piles + 1)] if isinstance(piles, int) else list(piles)
        self.registrations = registrations
        self.now = START
        self.checked = checked
        self.rules = rules(**policy)
        self.engine = Engine(self.rules, drivers=["mqtt"] if drivers else ())
        self.engine.start(Snapshot(), registrations, self.now)
        self.commands: list[Command] = []
        self.notices: list[OrderNotice] = []
        self.journal: list[JournalEntry] = []
        self.decisions: list[Decision] = []
        self.counts: dict[tuple[str, ...], float] = {}
        self.dispatch: Callable[[Command], tuple[str, str]] = lambda _command: ("sent", "")
        self.checks: list[Callable[[Film], None]] = []
        self.before: list[Callable[[Event], None]] = []
        self.on_command: list[Callable[[Command], None]] = []
        self.seen: set[str] = set()
        self.connected = True
        self._turn = itertools.count()
        self._later: list[tuple[datetime, int, Callable[[], None]]] = []
        self._keys = itertools.count(1)
        self.actors = {each.pile: Actor(self, each) for each in registrations}
        self._beats = {id: self.now + timedelta(seconds=actor.beat_s) for id, actor in self.actors.items()}
        if drivers:
            self.link(up=True)

    # Playing ------------------------------------------------------------------------------------------------------

    def play(self, event: Event) -> Decision | Quiet:
        """Decide and apply one event now."""
        for hook in self.before:
            hook(event)
        decision = self.engine.decide(event, self.now)
        self.engine.apply(decision)
        if isinstance(decision, Decision):
            self._record(decision)
        for check in self.checks:
            check(self)
        return decision

    def ask(self, event: Event) -> Answer:
        """Play an event that asks, and give its answer."""
        decision = self.play(event)
        assert isinstance(decision, Decision)
        assert decision.answer is not None, f"{type(event).__name__} got no answer"
        self.turn()
        return decision.answer

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen ``seconds`` from now."""
        heapq.heappush(self._later, (self.now + timedelta(seconds=seconds), next(self._turn), what))

    def turn(self) -> None:
        """Decide every deadline that has come; one that comes for ever is a defect."""
        for _ in range(SPIN_LIMIT):
            due = self.engine.due(self.now)
            if not due:
                break
            for each in due:
                self.play(each)
        else:
            raise AssertionError(f"the agenda spins at {self.now}: {self.engine.due(self.now)[:3]}")
        if self.checked:
            check_laws(self)

    def run(self, seconds: float, *, talk: bool = True) -> Film:
        """Let ``seconds`` pass; talking piles keep their beat."""
        end = self.now + timedelta(seconds=seconds)
        beats = self._beats
        self.turn()
        while True:
            moments = [end]
            if talk:
                moments.append(min(beats.values(), default=end))
            if self._later:
                moments.append(self._later[0][0])
            due = self.engine.next_due()
            if due is not None:
                moments.append(due)
            self.now = max(self.now, min(moments))
            while self._later and self._later[0][0] <= self.now:
                heapq.heappop(self._later)[2]()
            if talk:
                for id, beat in beats.items():
                    if beat <= self.now:
                        beats[id] = self.now + timedelta(seconds=self.actors[id].beat_s)
                        self.actors[id].speak()
            self.turn()
            if self.now >= end:
                return self

    def until(self, wanted: Callable[[], object], within_s: float, step_s: float = 10) -> float:
        """Run until ``wanted`` holds; how long that took. Fails when it takes longer than ``within_s``."""
        began = self.now
        while not wanted():
            if (self.now - began).total_seconds() > within_s:
                raise AssertionError(f"did not happen within {within_s} s:\n{self.story()}")
            self.run(step_s)
        return (self.now - began).total_seconds()

    def _record(self, decision: Decision) -> None:
        self.decisions.append(decision)
        self.journal.extend(decision.changes.journal)
        for count in decision.counts:
            key = (count.name, *count.labels)
            self.counts[key] = self.counts.get(key, 0) + count.value
        for item in decision.changes.outbox.values():
            if item.id in self.seen:
                continue
            self.seen.add(item.id)
            effect = item.effect
            if isinstance(effect, OrderNotice):
                self.notices.append(effect)
                continue
            assert item.state in {"sent", "pending"}
            self.commands.append(effect)
            for hook in self.on_command:
                hook(effect)
            self._dispatch(effect)

    def _dispatch(self, command: Command) -> None:
        outcome, reason = self.dispatch(command)

        def report() -> None:
            self.play(EffectOutcome(received_at=self.now, effect=command.id, outcome=outcome, reason=reason))

        if outcome != "lost":
            self.later(0.1, report)
        actor = self.actors.get(command.pile)
        if outcome == "sent" and actor is not None:
            self.later(1, lambda: actor.receive(command))

    # Short ways ---------------------------------------------------------------------------------------------------

    def pile(self, id: str = "P1") -> Actor:
        """The actor of a pile."""
        return self.actors[id]

    def known(self, id: str = "P1") -> Pile:
        """What the engine knows of a pile."""
        return self.engine.state.piles[id]

    def link(self, *, up: bool) -> None:
        """Our own way to the field; while it is down, nothing a pile says arrives."""
        self.connected = up
        self.play(DriverLink(received_at=self.now, driver="mqtt", up=up))

    def started(self) -> None:
        """Restart the daemon: everything the state holds is taken over by a new engine."""
        state = self.engine.state
        snapshot = Snapshot(
            piles=list(state.piles.values()),
            incidents=list(state.incidents.values()),
            complaints=list(state.complaints.values()),
            orders=list(state.orders.values()),
            silences=list(state.silences.values()),
            outbox=list(state.outbox.values()),
            settings=dict(state.settings),
        )
        self.engine = Engine(self.rules, drivers=["mqtt"])
        self.engine.start(snapshot, self.registrations, self.now)
        self.play(Started(received_at=self.now))
        self.link(up=True)
        for each in state.outbox.values():
            self.seen.add(each.id)

    def complain(self, text: str, *, pile: str | None = "P1", who: str | None = None, **changes: Any) -> Answer:
        """A person complains."""
        event = ComplaintReceived(
            received_at=self.now,
            channel=Channel.APP,
            text=text,
            pile=pile,
            key=f"k{next(self._keys)}",
            scope="complaints",
            reporter=Reporter(phone=who) if who else Reporter(),
            **changes,
        )
        return self.ask(event)

    def act(self, incident: str, act: str, reason: str = "because") -> Answer:
        """A person decides about an incident."""
        return self.ask(IncidentAct(received_at=self.now, incident=incident, act=act, reason=reason, actor="ops"))

    def order_act(self, order: str, act: str, **details: Any) -> Answer:
        """The team reports."""
        return self.ask(OrderAct(received_at=self.now, order=order, act=act, actor="team", **details))

    def incidents(self, *, open: bool | None = None) -> list[Incident]:  # noqa: A002 - the word for it
        """All incidents the engine remembers, oldest first."""
        found = sorted(self.engine.state.incidents.values(), key=lambda each: each.id)
        return [each for each in found if open is None or each.open is open]

    def the_incident(self) -> Incident:
        """The only incident."""
        found = self.incidents()
        assert len(found) == 1, self.story()
        return found[0]

    def incident(self, id: str) -> Incident:
        """The newest version of an incident, remembered or only decided once."""
        known = self.engine.state.incidents.get(id)
        if known is not None:
            return known
        return next(each.changes.incidents[id] for each in reversed(self.decisions) if id in each.changes.incidents)

    def all_incidents(self) -> list[Incident]:
        """Every incident there ever was, in its newest version."""
        newest: dict[str, Incident] = {}
        for decision in self.decisions:
            newest.update(decision.changes.incidents)
        return [newest[id] for id in sorted(newest)]

    def orders(self) -> list[WorkOrder]:
        """Every order there ever was, in its newest version."""
        newest: dict[str, WorkOrder] = {}
        for decision in self.decisions:
            newest.update(decision.changes.orders)
        return [newest[id] for id in sorted(newest)]

    def the_order(self) -> WorkOrder:
        """The only order there ever was."""
        found = self.orders()
        assert len(found) == 1, self.story()
        return found[0]

    def sent(self, *actions: Action, pile: str | None = None) -> list[Command]:
        """The commands of these actions; all restarts when none is named."""
        wanted = actions or tuple(REBOOTS)
        return [each for each in self.commands if each.action in wanted and pile in {None, each.pile}]

    def attempts(self) -> list[Attempt]:
        """All attempts of all incidents, in order."""
        return [attempt for incident in self.all_incidents() for attempt in incident.attempts]

    def states(self, incident: str) -> list[str]:
        """The states an incident has gone through."""
        moves = [each for each in self.journal if each.subject == incident and each.kind == "moved"]
        return [each.data["to"] for each in moves]

    def story(self) -> str:
        """The journal as text, for a failing test."""
        return "\n".join(
            f"{(each.at - START).total_seconds():9.1f} {each.subject} {each.kind}: {each.text}"
            for each in self.journal[-60:]
        )


def pile(number: int, *, site: str = "S1", connectors: int = 1, **changes: Any) -> Registration:
    """The registration of pile ``P<number>``."""
    return Registration(
        pile=f"P{number}", site=site, region="north", model="AC-7", connectors=connectors, team="field", **changes
    )


def fleet(count: int, sites: int = 1) -> list[Registration]:
    """``count`` piles, spread evenly over sites."""
    return [pile(number, site=f"S{number % sites + 1}") for number in range(1, count + 1)]


def check_laws(film: Film) -> None:
    """What holds at every moment, whatever happened before."""
    state = film.engine.state
    flights: dict[str, int] = {}
    keys: set[tuple[str, int, Family]] = set()
    for incident in state.incidents.values():
        if not incident.open:
            continue
        key = (incident.pile, incident.connector, incident.family)
        assert key not in keys, f"two open incidents of {key}\n{film.story()}"
        keys.add(key)
        if incident.under_way is not None:
            flights[incident.pile] = flights.get(incident.pile, 0) + 1
        standing = any(attempt.result is None for attempt in incident.attempts[:-1])
        assert not standing, f"{incident.id} left an attempt without a result\n{film.story()}"
        assert incident.wake_at is not None, f"{incident.id} ({incident.state}) waits for ever\n{film.story()}"
        when = state.agenda._when.get(("incident", incident.id))
        assert when is not None, f"{incident.id} ({incident.state}) is on no agenda\n{film.story()}"
        assert when > film.now, f"{incident.id} ({incident.state}) was passed over\n{film.story()}"
        if incident.state is IncidentState.RECOVERING:
            assert incident.under_way is not None, f"{incident.id} recovers by nothing\n{film.story()}"
    assert all(count == 1 for count in flights.values()), f"two attempts at once: {flights}\n{film.story()}"
    manned: dict[str, str] = {}
    for order in state.orders.values():
        if order.open:
            assert order.pile not in manned, f"two open orders on {order.pile}\n{film.story()}"
            manned[order.pile] = order.id
            host = state.incidents.get(order.incident)
            if order.state is not OrderState.DONE:
                assert host is not None, f"{order.id} is open and nobody remembers its incident\n{film.story()}"
                assert host.open, f"{order.id} is open and {host.id} is closed\n{film.story()}"
