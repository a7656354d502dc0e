"""What a scenario expects, held against what the drill showed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from triage.core.vocabulary import REBOOTS

if TYPE_CHECKING:
    from simulators.world.drill.scenario import Expected
    from simulators.world.drill.timeline import Timeline
    from triage.core.incident import Incident


def judge(expected: Expected, shown: Timeline) -> list[str]:
    """Everything that is not as expected, one sentence each."""
    first = next(iter(shown.incidents.values()), None)
    if first is None:
        return ["no incident was opened: the trouble never showed, or not for long enough"]
    return [*_incident(expected, first), *_speed(expected, shown, first.id), *_counts(expected, shown)]


def _incident(expected: Expected, first: Incident) -> Iterator[str]:
    if expected.state is not None and first.state is not expected.state:
        yield f"state: expected {expected.state.value}, found {first.state.value}"
    if expected.close_code is not None and first.close_code is not expected.close_code:
        found = first.close_code.value if first.close_code is not None else f"not closed, but in {first.state.value}"
        yield f"close_code: expected {expected.close_code.value}, found {found}"
    tried = [f"{each.step} {each.result.value if each.result else 'under way'}" for each in first.attempts]
    if expected.attempts is not None and tried != list(expected.attempts):
        yield f"attempts: expected {', '.join(expected.attempts) or 'none'}; found {', '.join(tried) or 'none'}"
    refused = [each.gate for each in first.refusals]
    for gate in expected.refused_by:
        if gate not in refused:
            found = ", ".join(dict.fromkeys(each.value for each in refused)) or "no refusal"
            yield f"refused_by: expected {gate.value}, found {found}"


def _speed(expected: Expected, shown: Timeline, first: str) -> Iterator[str]:
    if expected.within_s is None:
        return
    settled = shown.settled_at_s.get(first)
    if settled is None:
        yield f"within_s: expected {expected.within_s:g}, found neither closed nor with the field"
    elif settled - shown.opened_at_s[first] > expected.within_s:
        yield f"within_s: expected {expected.within_s:g}, found {settled - shown.opened_at_s[first]:.0f}"


def _counts(expected: Expected, shown: Timeline) -> Iterator[str]:
    resets = sum(each.action in REBOOTS for each in shown.commands.values())
    if expected.resets_at_most is not None and resets > expected.resets_at_most:
        yield f"resets_at_most: expected {expected.resets_at_most}, found {resets}"
    orders = list(shown.orders.values())
    if expected.orders is not None and len(orders) != expected.orders:
        yield f"orders: expected {expected.orders}, found {len(orders)}"
    if expected.work_order is not None:
        found = orders[0].reason.value if orders else "none"
        if found != expected.work_order:
            yield f"work_order: expected {expected.work_order}, found {found}"
