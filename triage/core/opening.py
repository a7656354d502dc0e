"""Opening an incident, and opening one again."""

from __future__ import annotations

from msgspec.structs import replace

from triage.core.draft import Draft
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.lifecycle import Trigger
from triage.core.vocabulary import CloseCode, Family, IncidentState, SymptomKind


def open_incident(
    draft: Draft, pile: Pile, family: Family, connector: int, kind: SymptomKind, summary: str
) -> Incident:
    """A new incident, observing. The caller has made sure that none is open for this pile, connector and family."""
    before = [each for each in draft.incidents_of(pile.id) if each.family is family and each.connector == connector]
    incident = Incident(
        id=draft.serial("I"),
        pile=pile.id,
        site=pile.site,
        region=pile.region,
        connector=connector,
        family=family,
        kind=kind.value,
        state=IncidentState.OBSERVING,
        state_since=draft.now,
        opened_at=draft.now,
        wake_at=draft.now + draft.policy.hold(family),
        faults=claimed(pile, family, connector),
        summary=summary[:300],
        previous=before[-1].id if before else None,
        safety=family is Family.SAFETY,
    )
    draft.note(
        incident.id,
        "opened",
        summary[:300],
        data={"family": family.value, "connector": connector, "kind": kind.value},
        also=(pile.id,),
    )
    draft.count("incident_transitions", "none", IncidentState.OBSERVING)
    return draft.put_incident(incident)


def claimed(pile: Pile, family: Family, connector: int) -> tuple[str, ...]:
    """Canonical names of the faults the pile claims in ``family`` on ``connector``."""
    return tuple(
        sorted({fault.name for fault in pile.faults if fault.family is family and fault.connector == connector})
    )


def reopen(draft: Draft, incident: Incident, trigger: Trigger, text: str, *, to_desk: bool = False) -> Incident:
    """The same trouble within the reopen window is the same incident.

    ``to_desk``: a person said so, so a person decides.
    """
    target = IncidentState.DESK if to_desk else IncidentState.OBSERVING
    wake = draft.policy.span("desk") if to_desk else draft.policy.hold(incident.family)
    run = incident.run
    if run is not None:
        # A new round: the ladder keeps its place, its time begins anew.
        run = replace(run, round=run.round + 1, deadline_at=None)
    spoiled = incident.close_code in {CloseCode.RECOVERED_REMOTELY, CloseCode.REPAIRED}
    return draft.move(
        incident,
        trigger,
        target,
        text,
        reopened=incident.reopened + 1,
        run=run,
        closed_at=None,
        close_code=None,
        soak_code=None,
        clear_since=None,
        held_since=None,
        wake_at=draft.now + wake,
        desk_reason=text if to_desk else "",
        no_reset_again=incident.no_reset_again or (to_desk and spoiled),
        work_order=None if _order_ended(draft, incident) else incident.work_order,
    )


def _order_ended(draft: Draft, incident: Incident) -> bool:
    order = draft.order(incident.work_order or "")
    return order is None or not order.open
