"""The engine as a whole, under events in any order: it never raises, never forgets, and never harms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.core.film import Film, check_laws, pile
from tests.unit.core.witness import DANGER_TEXT, Witness
from triage.core.draft import Decision
from triage.core.effects import Command, Snapshot
from triage.core.engine import Engine, Quiet
from triage.core.events import (
    CallbackGiven,
    CommandWanted,
    Due,
    Event,
    FaultClaim,
    IncidentAct,
    KillSwitch,
    OrderAct,
    SilenceSet,
    Telemetry,
)
from triage.core.vocabulary import REBOOTS, Action, ConnectorStatus

CODES = ("InternalError", "InternalError", "ConnectorLockFailure", "HighTemperature", "XJ-1", "PowerModuleFailure")
PILES = ("P1", "P2", "P3")
HABITS = ("cure", "stay_ill", "accept_only", "refuse", "unsupported", "ignore", "vanish")

piles = st.sampled_from(PILES)
# Trouble that a restart is tried on, and what may come between: single moves alone hardly ever reach a restart.
crises = st.tuples(
    st.just("crisis"),
    piles,
    st.sampled_from(["InternalError", "InternalError", "ConnectorLockFailure"]),
    st.sampled_from([40, 119, 121, 122, 123, 200]),
    st.sampled_from(
        ["", "", "car", "unknown", "GroundFailure", "XJ-1", "HighTemperature", "mute", "kill", "silence", "boot"]
    ),
    st.sampled_from([5, 130, 700, 1500]),
)
moves = st.one_of(
    crises,
    crises,
    crises,
    crises,
    st.tuples(st.just("run"), st.sampled_from([1, 20, 45, 90, 200, 700, 2000, 7200])),
    st.tuples(st.just("run"), st.sampled_from([130, 260, 400])),
    st.tuples(st.just("claim"), piles, st.sampled_from(CODES)),
    st.tuples(st.just("claim"), piles, st.sampled_from(["GroundFailure", "EmergencyStop", "InternalError"])),
    st.tuples(st.just("heal"), piles),
    st.tuples(st.just("show"), piles, st.sampled_from(ConnectorStatus), st.sampled_from([None, None, "s1"])),
    st.tuples(st.just("know"), piles, st.booleans()),
    st.tuples(st.just("talk"), piles, st.booleans()),
    st.tuples(st.just("drop"), piles),
    st.tuples(st.just("back"), piles, st.booleans()),
    st.tuples(st.just("restart"), piles, st.booleans()),
    st.tuples(
        st.just("habit"), piles, st.sampled_from([*REBOOTS, Action.UNLOCK, Action.REPORT]), st.sampled_from(HABITS)
    ),
    st.tuples(st.just("echo"), piles, st.sampled_from(["twice", "late", "retained"])),
    st.tuples(st.just("link"), st.booleans()),
    st.tuples(st.just("kill"), st.booleans()),
    st.tuples(st.just("silence"), piles, st.sampled_from([600, 4000])),
    st.tuples(st.just("complain"), piles, st.sampled_from(["it will not start", DANGER_TEXT]), st.sampled_from("123")),
    st.tuples(
        st.just("act"),
        st.integers(0, 9),
        st.sampled_from(["retry", "hold", "release", "dispatch", "approve", "dismiss"]),
    ),
    st.tuples(
        st.just("order"),
        st.integers(0, 9),
        st.sampled_from(["accept", "depart", "arrive", "wait", "done", "return", "incomplete"]),
    ),
    st.tuples(st.just("callback"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("want"), piles, st.sampled_from(Action), st.integers(0, 1)),
    st.tuples(st.just("daemon")),
    st.tuples(st.just("driver"), st.sampled_from(["sent", "sent", "not_sent", "lost"])),
)


class Stage:
    """A film of three piles, a witness, and the moves that hypothesis makes."""

    def __init__(self, **policy: Any) -> None:
        self.film = Film([pile(1), pile(2), pile(3, site="S2")], **policy)
        self.witness = Witness(self.film)
        self.driver = "sent"
        self.film.dispatch = self._dispatch
        self.messages: dict[str, list[Telemetry]] = {id: [] for id in PILES}
        self.film.before.append(self._keep)
        for actor in self.film.actors.values():
            actor.back()
        self.film.run(600)

    def _keep(self, event: Event) -> None:
        if isinstance(event, Telemetry) and not self.witness.deaf:
            self.messages[event.pile].append(event)

    def _dispatch(self, command: Command) -> tuple[str, str]:
        if self.driver == "not_sent":
            self.witness.did_not_leave(command)
        return self.driver, "the driver says so"

    def play(self, move: tuple[Any, ...]) -> None:
        """Make one move."""
        name, *values = move
        handler: Callable[..., None] = getattr(self, f"_{name}")
        handler(*values)
        self.film.turn()
        check_laws(self.film)

    def _run(self, seconds: float) -> None:
        self.film.run(seconds)

    def _claim(self, id: str, code: str) -> None:
        self.film.pile(id).claim(code)

    def _crisis(self, id: str, code: str, before_s: float, twist: str, after_s: float) -> None:
        actor = self.film.pile(id)
        if not actor.talks:
            actor.back()
        actor.session_known = True
        actor.show(ConnectorStatus.FAULTED)
        actor.claim(code)
        self.film.run(before_s)
        if twist == "car":
            actor.show(ConnectorStatus.CHARGING, session="s2")
        elif twist == "unknown":
            actor.session_known = False
            actor.speak()
        elif twist == "mute":
            actor.talks = False
        elif twist == "kill":
            self._kill(on=True)
        elif twist == "silence":
            self._silence(id, 900)
        elif twist == "boot":
            actor.restart(cure=False)
        elif twist:
            actor.claim(twist)
        self.film.run(after_s)
        if twist == "kill":
            self._kill(on=False)

    def _heal(self, id: str) -> None:
        self.film.pile(id).heal()

    def _show(self, id: str, status: ConnectorStatus, session: str | None) -> None:
        self.film.pile(id).show(status, session=session)

    def _know(self, id: str, known: bool) -> None:
        self.film.pile(id).session_known = known

    def _talk(self, id: str, talks: bool) -> None:
        self.film.pile(id).talks = talks

    def _drop(self, id: str) -> None:
        self.film.pile(id).drop()

    def _back(self, id: str, rebooted: bool) -> None:
        self.film.pile(id).back(rebooted=rebooted)

    def _restart(self, id: str, cure: bool) -> None:
        self.film.pile(id).restart(cure=cure)

    def _habit(self, id: str, action: Action, habit: str) -> None:
        actor = self.film.pile(id)
        actor.habits[action] = getattr(actor, habit)

    def _echo(self, id: str, kind: str) -> None:
        if not self.messages[id] or not self.film.connected:
            return
        if id not in self.witness.heard_since_start:
            return  # the numbering is forgotten with the process: an echo from before it cannot be told from news
        old = self.messages[id][-1 if kind == "twice" else -3 if len(self.messages[id]) > 2 else 0]
        with self.witness.distracted():
            self.film.play(replace(old, received_at=self.film.now, retained=kind == "retained"))

    def _link(self, up: bool) -> None:
        self.film.link(up=up)

    def _kill(self, on: bool) -> None:
        assert self.film.ask(KillSwitch(received_at=self.film.now, on=on, reason="x")).status == 200

    def _silence(self, id: str, seconds: float) -> None:
        event = SilenceSet(
            received_at=self.film.now,
            starts_at=self.film.now,
            ends_at=self.film.now + timedelta(seconds=seconds),
            reason="works",
            pile=id,
        )
        assert self.film.ask(event).status == 201

    def _complain(self, id: str, text: str, who: str) -> None:
        assert self.film.complain(text, pile=id, who=who).status == 201

    def _act(self, which: int, act: str) -> None:
        known = self.film.incidents()
        if known:
            incident = known[which % len(known)]
            event = IncidentAct(received_at=self.film.now, incident=incident.id, act=act, reason="x")
            answer = self.film.ask(event)
            assert answer.status in {200, 409}
            self.witness.person(event, answer.status, incident.pile)

    def _order(self, which: int, act: str) -> None:
        known = sorted(self.film.engine.state.orders.values(), key=lambda each: each.id)
        if known:
            order = known[which % len(known)]
            event = OrderAct(received_at=self.film.now, order=order.id, act=act)
            answer = self.film.ask(event)
            assert answer.status in {200, 409}
            self.witness.person(event, answer.status, order.pile)

    def _callback(self, which: int, satisfied: bool) -> None:
        known = sorted(self.film.engine.state.complaints)
        if known:
            event = CallbackGiven(received_at=self.film.now, complaint=known[which % len(known)], satisfied=satisfied)
            assert self.film.ask(event).status in {200, 409}

    def _want(self, id: str, action: Action, connector: int) -> None:
        event = CommandWanted(received_at=self.film.now, pile=id, action=action, connector=connector, reason="x")
        assert self.film.ask(event).status in {202, 409}

    def _daemon(self) -> None:
        self.film.started()

    def _driver(self, outcome: str) -> None:
        self.driver = outcome

    def peace(self) -> None:
        """All trouble ends, and everybody does their work: everything has to come to an end (I6)."""
        film = self.film
        self.driver = "sent"
        self._kill(on=False)
        film.link(up=True)
        for actor in film.actors.values():
            actor.habits.clear()
            actor.beat_s = 120
            actor.faults.clear()
            actor.session_known = True
            actor.mute_until = None
            for number in actor.status:
                actor.status[number] = ConnectorStatus.AVAILABLE
                actor.session[number] = None
            actor.back()
        for _ in range(30):
            film.run(4 * 3600)
            open_orders = [each for each in film.engine.state.orders.values() if each.open]
            for order in open_orders:
                for act in ("accept", "arrive", "done"):
                    event = OrderAct(received_at=film.now, order=order.id, act=act)
                    self.witness.person(event, film.ask(event).status, order.pile)
            if not open_orders and not film.incidents(open=True):
                return
        left = [(each.id, each.family, each.state) for each in film.incidents(open=True)]
        orders = [(each.id, each.state) for each in film.engine.state.orders.values() if each.open]
        raise AssertionError(f"never ends: {left} {orders}\n{film.story()}")


@settings(max_examples=100)
@given(st.lists(moves, min_size=4, max_size=30))
def test_whatever_happens_the_laws_hold_and_everything_ends(story: list[tuple[Any, ...]]) -> None:
    stage = Stage(fleet_hour_floor=100)
    for move in story:
        note(str(move))
        stage.play(move)
    stage.peace()


danger = st.fixed_dictionaries(
    {
        "before": st.lists(st.sampled_from(["run", "claim", "heal"]), max_size=4),
        "drop": st.sets(st.integers(0, 60)),
        "twice": st.sets(st.integers(0, 60)),
        "retain": st.sets(st.integers(0, 60)),
    }
)


@settings(max_examples=60)
@given(danger)
def test_no_lost_repeated_or_retained_reading_turns_danger_into_a_reset(plan: dict[str, Any]) -> None:
    """The danger itself is heard once; what happens to every other message can only make it later or stricter."""
    film = Film(1)
    actor = film.pile()
    actor.back()
    film.run(600)
    for step in plan["before"]:
        {"run": lambda: film.run(40), "claim": lambda: actor.claim("InternalError"), "heal": actor.heal}[step]()
    sent = len(film.sent())
    actor.faults = [FaultClaim(code="InternalError", connector=1), FaultClaim(code="GroundFailure", connector=1)]
    film.play(actor.message())
    actor.faults = [FaultClaim(code="InternalError", connector=1)]
    for number in range(60):
        message = actor.message()
        if number in plan["drop"]:
            continue
        if number in plan["retain"]:
            message = replace(message, retained=True)
        film.play(message)
        if number in plan["twice"]:
            film.play(replace(message, received_at=film.now))
        film.run(30, talk=False)
    assert len(film.sent()) == sent


@settings(max_examples=40)
@given(st.lists(moves, min_size=2, max_size=14))
def test_deciding_twice_gives_the_same_and_changes_nothing(story: list[tuple[Any, ...]]) -> None:
    """I14: a decision is a function of the state, the event and the moment."""
    stage = Stage(fleet_hour_floor=100)
    engine = stage.film.engine

    def again(event: Event) -> None:
        now = stage.film.now
        first, second = stage.film.engine.decide(event, now), stage.film.engine.decide(event, now)
        assert first == second

    stage.film.before.append(again)
    for move in story:
        stage.play(move)
    assert engine is not None


@settings(max_examples=30)
@given(st.lists(moves, min_size=2, max_size=14))
def test_a_restart_forgets_nothing_that_matters(story: list[tuple[Any, ...]]) -> None:
    stage = Stage(fleet_hour_floor=100)
    for move in story:
        stage.play(move)
    film = stage.film
    before = film.engine.state
    film.started()
    after = film.engine.state
    assert after.incidents == before.incidents
    assert after.orders == before.orders
    assert after.complaints == before.complaints
    assert after.settings == before.settings
    assert {id: (each.hazard, each.resets, each.cures) for id, each in after.piles.items()} == {
        id: (each.hazard, each.resets, each.cures) for id, each in before.piles.items()
    }
    assert not any(c.session_known for each in after.piles.values() for c in each.connectors)
    wakes = {key for key in before.agenda._when if key[0] in {"incident", "order"}}
    assert wakes <= set(after.agenda._when)


def test_healthy_telemetry_is_quiet_and_touches_no_record() -> None:
    film = Film(1)
    film.pile().back()
    film.run(120)
    decision = film.engine.decide(film.pile().message(), film.now)
    assert isinstance(decision, Quiet)
    assert decision.result == "accepted"


def test_every_event_kind_has_a_handler() -> None:
    from triage.core import engine as module  # noqa: PLC0415
    from triage.core import events  # noqa: PLC0415

    kinds = {
        each
        for each in vars(events).values()
        if isinstance(each, type) and issubclass(each, Event) and each not in {Event, events.Ask, Telemetry}
    }
    assert kinds == set(module._HANDLERS)


def test_a_due_of_something_forgotten_changes_nothing() -> None:
    film = Film(1)
    for kind in ("pile", "incident", "complaint", "order", "silence"):
        decision = film.play(Due(received_at=film.now, kind=kind, id="gone"))
        assert isinstance(decision, Decision)
        assert not decision.changes


def test_a_late_reading_is_told_so() -> None:
    film = Film(1)
    film.pile().back()
    old = film.pile().message()
    film.pile().speak()
    decision = film.engine.decide(old, film.now)
    assert decision.result == "late"
    assert film.engine.decide(replace(old, retained=True), film.now).result == "retained"


def test_an_empty_engine_has_nothing_to_do() -> None:
    film = Film([])
    engine = Engine(film.rules)
    engine.start(Snapshot(), [], film.now)
    assert engine.next_due() is None
    assert engine.due(film.now) == []
