"""What devices, drivers and receivers report, other than telemetry."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from triage.core import conduct
from triage.core.draft import Draft
from triage.core.effects import Command
from triage.core.events import CommandAnswer, DriverLink, EffectOutcome, PileStatus, Quarantined, Started
from triage.core.observation import observe_status
from triage.core.traces import transitions

LATE_S = 2.0
"""A reset that left so long after it was decided counts from when it left."""


def status(draft: Draft, event: PileStatus) -> None:
    """A birth or a last will."""
    pile = draft.pile(event.pile)
    if pile is None or pile.registration.site != event.site:
        draft.strangers.append((event.site, event.pile))
        return
    seen = observe_status(pile, event, draft.policy)
    if seen == pile:
        return
    draft.changes.moments.extend(transitions(pile, seen, draft.now))
    if seen.boot_id != pile.boot_id and not event.retained:
        reason = event.boot_reason.value if event.boot_reason is not None else "unknown"
        draft.note(pile.id, "boot", f"started again: {reason}", data={"boot_id": (seen.boot_id or "")[:64]})
    draft.put_pile(seen)
    conduct.attend(draft, seen)


def answer(draft: Draft, event: CommandAnswer) -> None:
    """A device answered a command; one that was never sent to it is a security matter."""
    incident = draft.incident(event.command.rsplit(".", 1)[0])
    attempt = next((each for each in incident.attempts if each.id == event.command), None) if incident else None
    if incident is None or attempt is None or incident.pile != event.pile:
        text = "answer for a command this pile was never sent"
        draft.note(event.pile, "security", text, data={"command": event.command[:80]})
        draft.count("quarantined", "mqtt", "unknown_command")
        return
    text = f"device answered {event.result}{': ' if event.reason else ''}{event.reason[:200]}"
    draft.note(incident.id, "answer", text, data={"attempt": attempt.id}, also=(incident.pile,))
    if attempt.result is not None:
        draft.settle(attempt.id, "done", event.result.value)  # a power cycle that ended later than it was judged
    if attempt.result is not None or attempt.answer is not None:
        return
    answered = replace(attempt, answer=event.result.value, answer_reason=event.reason[:200], left=True)
    attempts = tuple(answered if each.id == attempt.id else each for each in incident.attempts)
    conduct.progress(draft, draft.put_incident(replace(incident, attempts=attempts)))


def outcome(draft: Draft, event: EffectOutcome) -> None:
    """What became of an effect."""
    item = draft.state.outbox.get(event.effect)
    if item is None:
        return
    if isinstance(item.effect, Command):
        _command_outcome(draft, event)
    elif event.outcome == "delivered":
        draft.settle(event.effect, "done", event.reference)
        order = draft.order(item.effect.order.id)
        if order is not None:
            draft.put_order(
                replace(
                    order,
                    delivered_at=order.delivered_at or draft.now,
                    delivery_reference=event.reference or order.delivery_reference,
                )
            )
    else:
        tries = item.tries + 1
        draft.changes.outbox[item.id] = replace(item, tries=tries, note=event.reason[:300])


def _command_outcome(draft: Draft, event: EffectOutcome) -> None:
    incident = draft.incident(event.effect.rsplit(".", 1)[0])
    attempt = incident.under_way if incident is not None else None
    if incident is None or attempt is None or attempt.id != event.effect:
        draft.settle(event.effect, "done", event.outcome)
        return
    if event.outcome == "sent":
        settled = replace(attempt, left=True)
        _count_from_now(draft, incident.pile, attempt.sent_at)
    elif event.outcome == "not_sent":
        settled = replace(attempt, left=False, reason=event.reason[:300])
        draft.settle(event.effect, "failed", event.reason[:300])
    elif event.outcome == "restored":
        draft.settle(event.effect, "done", event.outcome)
        return
    else:
        return
    changed = draft.put_incident(replace(incident, attempts=(*incident.attempts[:-1], settled)))
    if settled.left is False:
        _give_back(draft, changed.pile, settled.sent_at)
        conduct.progress(draft, changed)


def _count_from_now(draft: Draft, pile_id: str, sent_at: datetime) -> None:
    """A reset whose commit took its time left later than it was decided: spacing and budgets count from there."""
    pile = draft.pile(pile_id)
    late = draft.now - sent_at >= timedelta(seconds=LATE_S / draft.policy.speed)
    if pile is None or sent_at not in pile.resets or not late:
        return
    draft.put_pile(replace(pile, resets=tuple(draft.now if at == sent_at else at for at in pile.resets)))


def _give_back(draft: Draft, pile_id: str, sent_at: datetime) -> None:
    """A reset that certainly did not leave is no reset: it does not count against the pile."""
    pile = draft.pile(pile_id)
    if pile is not None and sent_at in pile.resets:
        draft.put_pile(replace(pile, resets=tuple(at for at in pile.resets if at != sent_at)))


def link(draft: Draft, event: DriverLink) -> None:
    """Our own way to the field came up or went down."""
    up = draft.state.listening.get(event.driver) is not None
    if up == event.up:
        return
    draft.links.append((event.driver, draft.now if event.up else None))
    draft.note(f"driver:{event.driver}", "link", f"our link is {'up' if event.up else 'down'}")


def started(draft: Draft, event: Started) -> None:
    """The daemon is up (again)."""
    del event
    draft.note("daemon", "started", "the daemon started")


def quarantined(draft: Draft, event: Quarantined) -> None:
    """Keep a sample of what nobody could understand."""
    draft.changes.quarantine.append(event)
    draft.count("quarantined", event.driver, event.reason)
