"""Bugs on purpose: the world is itself tested, by whether it sees them.

Each is one mechanism of the daemon left out or turned round, the way it is forgotten in practice. They are patches put
on from outside for the length of one world; the product knows nothing of them and has no switch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from msgspec.structs import replace

from triage.batch import Batch
from triage.core import draft, engine, evidence, gates, observation
from triage.core.effects import Command, OutboxItem
from triage.core.events import Event, Telemetry
from triage.core.faults import FaultTable
from triage.core.fleet import Pile
from triage.core.policy import Policy
from triage.core.state import Agenda
from triage.core.vocabulary import Family, Result
from triage.drivers import second_look
from triage.inbox import Entry
from triage.interfaces import Dispatch
from triage.outbox import Outbox
from triage.runtime import Runtime

Plant = Callable[["Bed"], None]


class Bed:
    """Where bugs are planted; everything is taken out again when it closes."""

    def __init__(self, stack: ExitStack) -> None:
        """``stack`` undoes what is done here."""
        self._stack = stack

    def put(self, owner: Any, name: str, value: Any) -> None:
        """Replace an attribute of a module or class."""
        before = getattr(owner, name)
        setattr(owner, name, value)
        self._stack.callback(setattr, owner, name, before)

    def everywhere(self, original: Callable[..., Any], value: Callable[..., Any]) -> None:
        """Replace a function in every module of the product that has imported it by name."""
        word = str(getattr(original, "__name__", ""))
        for name, module in sorted(sys.modules.items()):
            if name.startswith("triage.") and getattr(module, word, None) is original:
                self.put(module, word, value)

    def no_gate(self, name: str) -> None:
        """Leave one gate open, for whatever asks."""
        found = False
        for tuple_name in ("_ALL_GATES", "_READ_GATES"):
            before = getattr(gates, tuple_name)
            kept = tuple(gate for gate in before if gate.__name__ != name)
            found = found or len(kept) < len(before)
            self.put(gates, tuple_name, kept)
        if not found:
            raise LookupError(f"there is no gate {name}")


# What a crash may do --------------------------------------------------------------------------------------------------


def _resend_blind(bed: Bed) -> None:
    def resume(self: Outbox, items: Sequence[OutboxItem]) -> None:
        self._take(items)

    bed.put(Outbox, "resume", resume)


def _ack_before_commit(bed: Bed) -> None:
    offer = Runtime.offer

    def hasty(self: Runtime, events: Sequence[Event], ack: Callable[[], None] | None = None) -> None:
        offer(self, events)
        if ack is not None:
            ack()

    bed.put(Runtime, "offer", hasty)


def _send_before_commit(bed: Bed) -> None:
    commit = Runtime._commit  # noqa: SLF001 - planting reaches inside

    async def hasty(self: Runtime, batch: Batch) -> None:
        self._release(batch.changes.outbox.values())
        await commit(self, batch)

    bed.put(Runtime, "_commit", hasty)


def _answer_before_commit(bed: Bed) -> None:
    handle = Runtime._handle  # noqa: SLF001 - planting reaches inside

    def hasty(self: Runtime, entry: Entry, now: Any) -> None:
        handle(self, entry, now)
        for asked, answer in self._batch.answers:
            if asked.future is not None and not asked.future.done():
                asked.future.set_result(answer)

    bed.put(Runtime, "_handle", hasty)


def _key_forgotten(bed: Bed) -> None:
    bed.put(Runtime, "_keep", lambda _self, _event, answer, _changes: answer)


def _spacing_forgotten(bed: Bed) -> None:
    forget = observation.forget_liveness
    bed.everywhere(forget, lambda pile: replace(forget(pile), resets=()))


def _hazard_forgotten(bed: Bed) -> None:
    forget = observation.forget_liveness
    bed.everywhere(forget, lambda pile: replace(forget(pile), hazard=None, hazard_at=None))


def _session_remembered(bed: Bed) -> None:
    bed.everywhere(observation.forget_liveness, lambda pile: replace(pile, seen_since_start=True))


def _deadlines_lost(bed: Bed) -> None:
    start = engine.Engine.start

    def forgetful(self: engine.Engine, snapshot: Any, registrations: Any, now: Any) -> None:
        start(self, snapshot, registrations, now)
        self.state.agenda = Agenda()

    bed.put(engine.Engine, "start", forgetful)


def _order_again(bed: Bed) -> None:
    resume = Outbox.resume

    def again(self: Outbox, items: Sequence[OutboxItem]) -> None:
        renamed = []
        for item in items:
            effect: Any = item.effect
            if hasattr(effect, "change"):
                effect = replace(effect, id=f"{effect.id}:{self._clock.monotonic()}")
            renamed.append(replace(item, effect=effect))
        resume(self, renamed)

    bed.put(Outbox, "resume", again)


def _notice_dropped(bed: Bed) -> None:
    bed.put(Outbox, "resume", lambda _self, _items: None)


# What gates are for ---------------------------------------------------------------------------------------------------


def _unknown_session(bed: Bed) -> None:
    occupied = gates._occupied  # noqa: SLF001 - planting reaches inside
    bed.put(
        gates, "_occupied", lambda question, pile, each: occupied(question, pile, replace(each, session_known=True))
    )
    bed.no_gate("_stale")


def _expiry_ignored(bed: Bed) -> None:
    send = Outbox._send  # noqa: SLF001 - planting reaches inside

    async def late(self: Outbox, command: Command) -> Dispatch:
        return await send(self, replace(command, expires_at=command.expires_at + Policy().span("day")))

    bed.put(Outbox, "_send", late)


# What evidence is -----------------------------------------------------------------------------------------------------


def _hazard_not_sticky(bed: Bed) -> None:
    observe = observation.observe

    def lenient(pile: Pile, message: Telemetry, *rest: Any) -> Pile:
        seen = observe(pile, message, *rest)
        claimed = any(fault.family is Family.SAFETY for fault in seen.faults)
        return seen if claimed else replace(seen, hazard=None, hazard_at=None)

    bed.everywhere(observe, lenient)


def _answer_is_proof(bed: Bed) -> None:
    find = evidence.find

    def gullible(attempt: Any, *rest: Any) -> Any:
        if attempt.answer == "accepted":
            return evidence.Finding(result=Result.PASSED, text="the device said so")
        return find(attempt, *rest)

    bed.everywhere(find, gullible)


def _stale_evidence(bed: Bed) -> None:
    bed.put(evidence, "_since", lambda attempt, _pile: attempt.sent_at - Policy().span("hour"))


def _retained_is_fresh(bed: Bed) -> None:
    late, look = observation.is_late, second_look.SecondLook.telemetry
    bed.everywhere(late, lambda pile, message, policy: late(pile, replace(message, retained=False), policy))
    bed.put(
        second_look.SecondLook,
        "telemetry",
        lambda self, event, now_s: look(self, replace(event, retained=False), now_s),
    )


def _order_of_messages(bed: Bed) -> None:
    bed.everywhere(observation.is_late, lambda _pile, message, _policy: message.retained)


def _soak_skipped(bed: Bed) -> None:
    span = Policy.span
    bed.put(Policy, "span", lambda self, name: span(self, name) * (0.01 if name == "soak" else 1))


def _closed_blindly(bed: Bed) -> None:
    bed.everywhere(draft.present, lambda _pile, _incident: False)


def _danger_unknown(bed: Bed) -> None:
    lookup = FaultTable.lookup

    def harmless(self: FaultTable, *words: Any) -> Any:
        found = lookup(self, *words)
        return replace(found, family=Family.INTERNAL) if found.family is Family.SAFETY else found

    bed.put(FaultTable, "lookup", harmless)


def _open_gate(name: str) -> Plant:
    def plant(bed: Bed) -> None:
        bed.no_gate(name)

    return plant


PLANTED: dict[str, Plant] = {
    "resend_blind": _resend_blind,  # a never-blind command is sent again after a crash
    "ack_before_commit": _ack_before_commit,  # the broker is told before the database has it
    "send_before_commit": _send_before_commit,  # a command leaves before its commit
    "answer_before_commit": _answer_before_commit,  # a person gets a number that is not durable
    "key_forgotten": _key_forgotten,  # the same complaint twice becomes two
    "spacing_forgotten": _spacing_forgotten,  # a restart forgets when resets were sent
    "hazard_forgotten": _hazard_forgotten,  # a restart forgets a danger
    "session_remembered": _session_remembered,  # a restart believes that it knows who is charging
    "deadlines_lost": _deadlines_lost,  # a restart forgets every deadline
    "order_again": _order_again,  # a restart tells the desk again under another key
    "notice_dropped": _notice_dropped,  # a restart forgets what it owed the desk
    "unknown_session": _unknown_session,  # unknown is taken for free
    "hazard_not_sticky": _hazard_not_sticky,  # a danger is over when the claim is
    "answer_is_proof": _answer_is_proof,  # accepted is taken for worked
    "stale_evidence": _stale_evidence,  # a reading older than the command proves it
    "retained_is_fresh": _retained_is_fresh,  # what the broker kept is taken for news
    "order_of_messages": _order_of_messages,  # boot and sequence are not looked at
    "soak_skipped": _soak_skipped,  # good for a moment is good for ever
    "closed_blindly": _closed_blindly,  # closed while the pile still claims the fault
    "gate_busy": _open_gate("_busy"),  # two attempts on one pile at once
    "gate_kill_switch": _open_gate("_kill_switch"),
    "gate_session": _open_gate("_session"),
    "gate_spacing": _open_gate("_spacing"),
    "gate_strikes": _open_gate("_strikes"),
    "gate_site_budget": _open_gate("_site_budget"),
    "gate_fleet_budget": _open_gate("_fleet_budget"),
    "danger_unknown": _danger_unknown,  # a dangerous code is taken for one of the controller's
    "expiry_ignored": _expiry_ignored,  # a command leaves long after it was decided
}
"""Every planted bug by name."""


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant the bug called ``name`` for the length of the block; None plants nothing.

    Raises:
        KeyError: there is no such bug.
    """
    with ExitStack() as stack:
        if name is not None:
            PLANTED[name](Bed(stack))
        yield
