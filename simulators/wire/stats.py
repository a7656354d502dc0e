"""What really happened, as JSON: the figures an auditor holds against the daemon's own account."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.truth import Execution
    from simulators.wire.berth import Berth
    from simulators.wire.pace import Pace
    from simulators.wire.people import PeopleOnTheWire
    from simulators.wire.technicians import TechniciansOnTheWire

MOST_LISTED = 10_000
"""Executions and answers listed one by one, at most; the counts go on."""
TRAFFIC = ("telemetry", "status", "acks", "will", "commands", "commands_unreadable", "dropped")


def totals(berths: Iterable[Berth]) -> Counter[str]:
    """The counters of all berths, added up."""
    total: Counter[str] = Counter()
    for berth in berths:
        total.update(berth.counts)
    return total


def status_line(berths: list[Berth], people: PeopleOnTheWire | None, technicians: TechniciansOnTheWire | None) -> str:
    """How things stand, in one line for a person."""
    total = totals(berths)
    reachable = sum(berth.pile.reachable for berth in berths)
    faulty = sum(bool(berth.pile.condition().faults) for berth in berths)
    parts = [
        f"piles {reachable}/{len(berths)} connected, {faulty} in trouble",
        f"telemetry {total['telemetry']}",
        f"commands {total['commands']}",
    ]
    if people is not None:
        parts.append(f"complaints {people.counts['answered']}/{people.counts['submitted']}")
    if technicians is not None:
        parts.append(f"visits {technicians.force.tally.visits}")
    return "; ".join(parts)


def account(
    berths: list[Berth], pace: Pace, people: PeopleOnTheWire | None, technicians: TechniciansOnTheWire | None
) -> dict[str, Any]:
    """Everything, ready for JSON."""
    total = totals(berths)
    executions = [execution for berth in berths for execution in berth.pile.truth.executions]
    return {
        "piles": len(berths),
        "seconds": round(pace.elapsed_s(), 1),
        "simulated_seconds": round(pace.elapsed_s() * pace.speed, 1),
        "connections": total["connections"],
        "connection_failures": total["connection_failures"],
        **{name: total[name] for name in TRAFFIC},
        "drivers": {"came": total["drivers"], "charged": total["drivers_charged"]},
        "faults": dict(sorted(Counter(_faults(berths)).items())),
        "faults_ended_by": dict(sorted(Counter(_ends(berths)).items())),
        "still_broken": [berth.pile.id for berth in berths if not berth.pile.condition().can_charge],
        "resets": _resets(executions),
        "double_executions": _doubles(berths),
        "executions": [asdict(each) for each in executions[:MOST_LISTED]],
        "complaints": _complaints(people),
        "work_orders": _work_orders(technicians),
    }


def _faults(berths: list[Berth]) -> Iterable[str]:
    return (fault.kind for berth in berths for fault in berth.pile.truth.faults)


def _ends(berths: list[Berth]) -> Iterable[str]:
    return (fault.ended_by or "open" for berth in berths for fault in berth.pile.truth.faults)


def _doubles(berths: list[Berth]) -> dict[str, int]:
    found: dict[str, int] = {}
    for berth in berths:
        found |= berth.pile.truth.doubles
    return found


def _resets(executions: list[Execution]) -> dict[str, Any]:
    resets = [each for each in executions if each.reboots]
    return {
        "executed": len(resets),
        "unsafe": sum(each.unsafe for each in resets),
        "reckless": sum(each.reckless for each in resets),
        "unsafe_list": [asdict(each) for each in resets if each.unsafe][:MOST_LISTED],
    }


def _complaints(people: PeopleOnTheWire | None) -> dict[str, Any]:
    if people is None:
        return {"submitted": 0, "answered": 0}
    numbers = dict(list(people.numbers.items())[:MOST_LISTED])
    counted = {name: people.counts[name] for name in ("submitted", "answered", "repeated", "refused")}
    calls = {name: people.counts[name] for name in ("calls_answered", "calls_unanswered", "calls_refused")}
    otherwise = {"answered_otherwise": people.counts["answered_otherwise"]}
    return counted | otherwise | calls | {"refusals": people.refusals, "numbers": numbers}


def _work_orders(technicians: TechniciansOnTheWire | None) -> dict[str, Any]:
    if technicians is None:
        return {"orders": 0, "visits": 0}
    return asdict(technicians.force.tally) | dict(technicians.counts)
