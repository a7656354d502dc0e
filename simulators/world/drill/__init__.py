"""Drills: one recovery plan played against one pile that is broken in a known way (see ``config/drills``)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from simulators.world.daemon import CONFIG
from simulators.world.drill.scenario import load_scenario
from simulators.world.drill.stage import Stage
from simulators.world.drill.verdict import judge
from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.config.planfile import load_plan
from triage.config.settings import load_settings
from triage.core.draft import Rules
from triage.core.plan import Plan, PlanBook
from triage.core.policy import Policy
from triage.core.vocabulary import Mode
from triage.errors import InputError, TriageError

if TYPE_CHECKING:
    from simulators.world.drill.scenario import Scenario
    from simulators.world.drill.timeline import Timeline

__all__ = ["InputError", "drill", "rules_of", "run"]


def run(plan_file: Path, scenario_file: Path, *, config: Path | None, as_json: bool) -> bool:
    """Drill and print; whether everything was as expected.

    Raises:
        InputError: every fault of the plan, of the scenario and of the settings.
    """
    faults = []
    for load in (lambda: load_plan(plan_file), lambda: load_scenario(scenario_file), lambda: rules_of(config)):
        try:
            load()
        except InputError as error:
            faults.extend(error.faults)
    if faults:
        raise InputError(faults)
    plan, scenario = load_plan(plan_file), load_scenario(scenario_file)
    shown, wrong = drill(plan, scenario, rules_of(config))
    if as_json:
        print(json.dumps(_document(plan, scenario, shown, wrong), ensure_ascii=False))
    else:
        _print(plan, scenario, shown, wrong)
    return not wrong


def drill(plan: Plan, scenario: Scenario, rules: Rules) -> tuple[Timeline, list[str]]:
    """The decision log of ``plan`` in ``scenario``, and what in it was not as expected.

    The plan is drilled as if it were live: a drill is what a plan in shadow is made live by.
    """
    live = replace(plan, mode=Mode.LIVE)
    stage = Stage(scenario, replace(rules, plans=PlanBook(plans=(live,))))
    try:
        shown = stage.play()
    except TriageError as error:
        return stage.timeline, [str(error)]
    runs = [each.run.plan for each in shown.incidents.values() if each.run is not None]
    idle = [] if plan.name in runs else [f"plan {plan.name} was never chosen: see its match"]
    # A drill of danger never reaches the plan, and that is the point of it.
    forbidden = any(each.safety for each in shown.incidents.values())
    return shown, [*([] if forbidden else idle), *judge(scenario.expect, shown), *stage.broken]


def rules_of(config: Path | None) -> Rules:
    """Policy, words and fault tables of the settings at ``config``, or those that are shipped."""
    if config is None:
        policy, words, tables = Policy().faster(), CONFIG / "lexicon", CONFIG / "faults"
    else:
        settings = load_settings(config, os.environ)
        # In virtual time there is nothing to hurry for.
        policy = replace(settings.policy_as_written(), speed=1.0).faster()
        words, tables = settings.lexicon_path, settings.faults_path
    lexicon = load_lexicon(words)
    return Rules(
        policy=replace(policy, mode=Mode.LIVE, holdback_share=0.0),  # a drill is drawn by no lot
        plans=PlanBook(),
        faults=load_fault_table(tables, lexicon),
        lexicon=lexicon,
    )


def _print(plan: Plan, scenario: Scenario, shown: Timeline, wrong: list[str]) -> None:
    print(f"plan {plan.name} v{plan.version} ({plan.mode.value}, drilled as live)  sha256 {plan.sha256[:12]}")
    print(f"scenario {scenario.name}: {scenario.title.get('en', '')} {scenario.title.get('zh', '')}".rstrip())
    for line in shown.lines:
        print(line)
    for each in wrong:
        print(f"NOT AS EXPECTED  {each}")
    print(f"{'FAILED' if wrong else 'PASSED'}  {plan.name} in {scenario.name}")


def _document(plan: Plan, scenario: Scenario, shown: Timeline, wrong: list[str]) -> dict[str, object]:
    return {
        "plan": plan.name,
        "version": plan.version,
        "sha256": plan.sha256,
        "scenario": scenario.name,
        "passed": not wrong,
        "wrong": wrong,
        "timeline": [{"at_s": round(each.at_s, 3), "sort": each.sort, "text": each.text} for each in shown.lines],
    }
