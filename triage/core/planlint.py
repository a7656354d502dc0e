"""What must hold of every recovery plan before it may run. Pure: a plan in, findings out.

A plan moves hardware far away, so it is checked like a contract: each disruptive step has proof that is not the
device's own answer, gentler steps come first, evidence is taken before a restart destroys it, nothing follows a
decision to send a person, and the worst case fits the time that was promised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from msgspec import Struct

from triage.core.plan import PROOFS, ROUTES, Plan, Step
from triage.core.vocabulary import READS, REBOOTS, Action, Family

NO_RESET_FAMILIES = frozenset(
    {
        Family.SAFETY,
        Family.DAMAGE,
        Family.THERMAL,
        Family.SUPPLY,
        Family.USER_SIDE,
        Family.HARDWARE,
        Family.UNKNOWN,
    }
)
"""Families for which a restart is unsafe or useless: a person looks, or one waits."""

MOST_RESETS = 2
"""Most restarts in one plan, whatever the policy's budgets say."""

LANGUAGES = ("en", "zh")
"""Languages every title must have."""

_RESET_ORDER = {Action.RESET_SOFT: 0, Action.RESET_HARD: 1, Action.POWER_CYCLE: 2}
_OUTCOMES = ("passed", "failed", "refused", "unknown")


class Finding(Struct, frozen=True):
    """One broken rule: where in the plan file, what, and how to mend it."""

    at: tuple[str | int, ...]
    problem: str
    remedy: str


Rule = Callable[[Plan], Iterator[Finding]]


def lint(plan: Plan, boot_window_s: float = 300.0) -> list[Finding]:
    """Every finding against ``plan``; a restart must be given longer than ``boot_window_s`` to prove itself."""
    findings = [finding for rule in RULES for finding in rule(plan)]
    findings.extend(_boot_time(plan, boot_window_s))
    return findings


def worst_case_s(plan: Plan) -> float:
    """The longest a plan can take when every step waits its whole window and the last one is soaked, in seconds."""
    return sum(step.verify_s for step in plan.steps) + plan.soak_s


def overlaps(one: Plan, other: Plan) -> str:
    """What two plans of equal rank both match, or the empty string when the choice between them is never by chance."""
    families = set(one.families) & set(other.families)
    if not families or bool(one.faults) != bool(other.faults) or bool(one.models) != bool(other.models):
        return ""
    shared: list[str] = sorted(families)
    for mine, theirs in ((one.faults, other.faults), (one.models, other.models)):
        both = sorted(set(mine) & set(theirs))
        if mine and not both:
            return ""
        shared.extend(both)
    return ", ".join(shared)


def _titles(plan: Plan) -> Iterator[Finding]:
    for language in LANGUAGES:
        if not plan.title.get(language, "").strip():
            yield Finding(("title",), f"has no title in {language!r}", f"add {language}: … under title")


def _ids(plan: Plan) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, step in enumerate(plan.steps):
        if step.id in seen:
            yield Finding(("steps", index, "id"), f"a step called {step.id!r} is already there", "give it its own id")
        seen.add(step.id)


def _proofs(plan: Plan) -> Iterator[Finding]:
    for index, step in enumerate(plan.steps):
        at = ("steps", index, "proof")
        for name in step.proof:
            if name not in PROOFS:
                yield Finding(at, f"unknown proof {name!r}", f"known: {', '.join(PROOFS)}")
        if step.action not in READS and not set(step.proof) - {"answer"}:
            problem = f"{step.action} has no proof but the pile's own answer"
            yield Finding(at, problem, "add proof from telemetry, such as fresh and fault_absent")
        if step.action in REBOOTS and "booted" not in step.proof:
            yield Finding(at, f"{step.action} is not proven by a new boot", "add booted")


def _routes(plan: Plan) -> Iterator[Finding]:
    for index, step in enumerate(plan.steps):
        for outcome in _OUTCOMES:
            route = getattr(step, outcome)
            if route not in ROUTES:
                problem = f"leads to {route!r}, which is no route"
                yield Finding(("steps", index, outcome), problem, f"routes: {', '.join(ROUTES)}")
        if step.action in REBOOTS and step.unknown in {"next", "wait"}:
            problem = f"an unknown outcome of {step.action} goes on to {step.unknown!r}"
            yield Finding(("steps", index, "unknown"), problem, "a pile that vanished needs field or desk")


def _reachable(plan: Plan) -> Iterator[Finding]:
    for index, (before, _) in enumerate(pairwise(plan.steps), start=1):
        if "next" not in _ways(before):
            problem = f"cannot be reached: no outcome of {before.id!r} leads to next"
            yield Finding(("steps", index, "id"), problem, "route an outcome of the step before to next, or remove it")
            return


def _nothing_after_field(plan: Plan) -> Iterator[Finding]:
    """Once every failing way of a step sends a person, nothing may restart the pile under that person's hands."""
    sent = ""
    for index, step in enumerate(plan.steps):
        if sent and step.action in REBOOTS:
            problem = f"{step.action} comes after {sent!r} has sent a person to the pile"
            yield Finding(("steps", index, "action"), problem, "restart before the field is called, or not at all")
        if step.failed == "field":
            sent = step.id


def _forbidden_resets(plan: Plan) -> Iterator[Finding]:
    refused = sorted(NO_RESET_FAMILIES & set(plan.families))
    for index, step in enumerate(plan.steps):
        if refused and step.action in REBOOTS:
            problem = f"{step.action} is not allowed for family {', '.join(refused)}"
            yield Finding(("steps", index, "action"), problem, "report, wait, and send a person")


def _reset_order(plan: Plan) -> Iterator[Finding]:
    resets = [(index, step.action) for index, step in enumerate(plan.steps) if step.action in REBOOTS]
    if len(resets) > MOST_RESETS:
        at = ("steps", resets[MOST_RESETS][0], "action")
        yield Finding(at, f"a plan has at most {MOST_RESETS} restarts", "remove the others: they only lose time")
    for (_, before), (index, action) in pairwise(resets):
        if _RESET_ORDER[action] <= _RESET_ORDER[before]:
            yield Finding(("steps", index, "action"), f"{action} after {before}", "soft, then hard, power cycle last")
    first = resets[0] if resets else None
    if first and first[1] is Action.RESET_HARD:
        yield Finding(("steps", first[0], "action"), "reset_hard without reset_soft before it", "begin with reset_soft")


def _before_resets(plan: Plan) -> Iterator[Finding]:
    actions = [step.action for step in plan.steps]
    first = next((index for index, action in enumerate(actions) if action in REBOOTS), None)
    if first is None:
        return
    if Action.PULL_LOG not in actions[:first]:
        yield Finding(("steps", first, "action"), "no pull_log before the first restart", "take the log first: the "
                      "restart destroys it")  # fmt: skip
    for index, action in enumerate(actions[first:], start=first):
        if action in {Action.UNLOCK, Action.STOP_SESSION}:
            yield Finding(("steps", index, "action"), f"{action} after a restart", "put it before the first restart")


def _first_step(plan: Plan) -> Iterator[Finding]:
    if set(plan.families) == {Family.OFFLINE} or not plan.steps:
        return
    if plan.steps[0].action is not Action.REPORT:
        yield Finding(("steps", 0, "action"), "the first step is not a report", "ask first: it may have healed")


def _deadline(plan: Plan) -> Iterator[Finding]:
    needed = worst_case_s(plan)
    if needed > plan.deadline_s:
        problem = f"the worst case takes {needed:g} s (all verify_s and the soak)"
        yield Finding(("deadline_s",), problem, f"raise it to {needed:g} or shorten the steps")


def _boot_time(plan: Plan, boot_window_s: float) -> Iterator[Finding]:
    for index, step in enumerate(plan.steps):
        if step.action in REBOOTS and step.verify_s <= boot_window_s:
            problem = f"{step.action} is given {step.verify_s:g} s, a start may take {boot_window_s:g} s"
            yield Finding(("steps", index, "verify_s"), problem, f"give it more than {boot_window_s:g}")


def _ways(step: Step) -> set[str]:
    return {getattr(step, outcome) for outcome in _OUTCOMES}


RULES: tuple[Rule, ...] = (
    _titles,
    _ids,
    _proofs,
    _routes,
    _reachable,
    _nothing_after_field,
    _forbidden_resets,
    _reset_order,
    _before_resets,
    _first_step,
    _deadline,
)
"""All rules but the boot time, which needs a number from outside."""
