"""The life of an incident and of a work order, as total tables.

Every (state, trigger) pair has an entry: the states it may lead to, or the reason why it is ignored there. The engine
moves through :func:`~triage.core.draft.Draft.move` alone, which refuses an edge that is not declared here.
"""

from __future__ import annotations

from enum import StrEnum

from triage.core.vocabulary import ComplaintState as C
from triage.core.vocabulary import IncidentState as S
from triage.core.vocabulary import OrderState as O


class Trigger(StrEnum):
    """What can happen to an incident."""

    SYMPTOM = "symptom"  # fresh evidence shows the trouble; what people reported becomes part of it
    CLEAR = "clear"  # fresh evidence shows it gone
    DANGER = "danger"  # a safety claim, or safety words
    COMPLAINT = "complaint"  # a person complains about it
    PERMIT = "permit"  # all gates passed; an attempt is committed
    REFUSAL = "refusal"  # a gate said no
    PASSED = "passed"  # proof seen
    FAILED = "failed"  # proof of the contrary, or none in time while the pile speaks
    REFUSED = "refused"  # the device refused, or the command never left
    UNKNOWN = "unknown"  # silence
    EXHAUSTED = "exhausted"  # no step is left, or none is allowed
    SOAKED = "soaked"  # good long enough
    TIMEOUT = "timeout"  # the state's own deadline
    ORDER = "order"  # the field reported
    CALLBACK = "callback"  # the reporter was called back
    PERSON = "person"  # somebody decided


class Ignore(str):
    """Why a trigger changes no state."""

    __slots__ = ()


_WAITS = Ignore("decided at the next look, from current evidence")
_BUSY = Ignore("the attempt under way is judged first")
_PERSON = Ignore("a person is deciding")
_TEAM = Ignore("the field team is on it")
_OVER = Ignore("closed; new trouble opens or reopens through the pile")
_NO_ATTEMPT = Ignore("no attempt is under way in this state")
_NO_STEP = Ignore("no step is considered in this state")
_NO_SOAK = Ignore("nothing soaks in this state")
_NO_ORDER = Ignore("no order is open in this state")
_KEPT = Ignore("attached; the state is right already")
_TIMELESS = Ignore("a closed incident has no deadline")

Entry = tuple[S, ...] | Ignore

TABLE: dict[S, dict[Trigger, Entry]] = {
    S.OBSERVING: {
        Trigger.SYMPTOM: (S.CLOSED,),
        Trigger.CLEAR: (S.PROBATION,),
        Trigger.DANGER: (S.FIELD, S.CLOSED),
        Trigger.COMPLAINT: Ignore("attached; corroboration ends the hold at the next look"),
        Trigger.PERMIT: (S.RECOVERING,),
        Trigger.REFUSAL: (S.HELD, S.DESK),
        Trigger.PASSED: _NO_ATTEMPT,
        Trigger.FAILED: _NO_ATTEMPT,
        Trigger.REFUSED: _NO_ATTEMPT,
        Trigger.UNKNOWN: _NO_ATTEMPT,
        Trigger.EXHAUSTED: (S.FIELD, S.DESK, S.CLOSED),
        Trigger.SOAKED: _NO_SOAK,
        Trigger.TIMEOUT: (S.DESK,),
        Trigger.ORDER: _NO_ORDER,
        Trigger.CALLBACK: (S.DESK,),
        Trigger.PERSON: (S.HELD, S.DESK, S.FIELD, S.CLOSED),
    },
    S.HELD: {
        Trigger.SYMPTOM: (S.CLOSED,),
        Trigger.CLEAR: (S.PROBATION,),
        Trigger.DANGER: (S.FIELD, S.CLOSED),
        Trigger.COMPLAINT: _WAITS,
        Trigger.PERMIT: (S.RECOVERING,),
        Trigger.REFUSAL: (S.HELD, S.DESK),
        Trigger.PASSED: _NO_ATTEMPT,
        Trigger.FAILED: _NO_ATTEMPT,
        Trigger.REFUSED: _NO_ATTEMPT,
        Trigger.UNKNOWN: _NO_ATTEMPT,
        Trigger.EXHAUSTED: (S.FIELD, S.DESK, S.CLOSED),
        Trigger.SOAKED: _NO_SOAK,
        Trigger.TIMEOUT: (S.DESK,),
        Trigger.ORDER: _NO_ORDER,
        Trigger.CALLBACK: (S.DESK,),
        Trigger.PERSON: (S.HELD, S.OBSERVING, S.DESK, S.FIELD, S.CLOSED),
    },
    S.RECOVERING: {
        Trigger.SYMPTOM: _BUSY,
        Trigger.CLEAR: _BUSY,
        Trigger.DANGER: (S.FIELD, S.CLOSED),
        Trigger.COMPLAINT: _BUSY,
        Trigger.PERMIT: (S.RECOVERING,),
        Trigger.REFUSAL: (S.HELD, S.DESK),
        Trigger.PASSED: (S.PROBATION, S.HELD, S.DESK),
        Trigger.FAILED: (S.HELD, S.PROBATION),
        Trigger.REFUSED: (S.HELD,),
        Trigger.UNKNOWN: (S.HELD, S.DESK, S.FIELD, S.CLOSED),
        Trigger.EXHAUSTED: (S.FIELD, S.DESK, S.CLOSED),
        Trigger.SOAKED: _NO_SOAK,
        Trigger.TIMEOUT: _BUSY,
        Trigger.ORDER: _NO_ORDER,
        Trigger.CALLBACK: _BUSY,
        Trigger.PERSON: (S.HELD, S.DESK, S.FIELD, S.CLOSED),
    },
    S.PROBATION: {
        Trigger.SYMPTOM: (S.HELD, S.CLOSED),
        Trigger.CLEAR: Ignore("good so far; the soak goes on"),
        Trigger.DANGER: (S.FIELD, S.CLOSED),
        Trigger.COMPLAINT: (S.DESK,),
        Trigger.PERMIT: _NO_STEP,
        Trigger.REFUSAL: _NO_STEP,
        Trigger.PASSED: _NO_ATTEMPT,
        Trigger.FAILED: (S.HELD,),
        Trigger.REFUSED: _NO_ATTEMPT,
        Trigger.UNKNOWN: (S.HELD, S.DESK, S.FIELD, S.CLOSED),
        Trigger.EXHAUSTED: _NO_STEP,
        Trigger.SOAKED: (S.CONFIRMING, S.CLOSED),
        Trigger.TIMEOUT: (S.HELD,),
        Trigger.ORDER: _NO_ORDER,
        Trigger.CALLBACK: (S.DESK,),
        Trigger.PERSON: (S.HELD, S.DESK, S.FIELD, S.CLOSED),
    },
    S.DESK: {
        Trigger.SYMPTOM: (S.CLOSED,),
        Trigger.CLEAR: (S.PROBATION,),
        Trigger.DANGER: (S.FIELD, S.CLOSED),
        Trigger.COMPLAINT: _PERSON,
        Trigger.PERMIT: (S.RECOVERING,),
        Trigger.REFUSAL: (S.HELD, S.DESK),
        Trigger.PASSED: _NO_ATTEMPT,
        Trigger.FAILED: _NO_ATTEMPT,
        Trigger.REFUSED: _NO_ATTEMPT,
        Trigger.UNKNOWN: _NO_ATTEMPT,
        Trigger.EXHAUSTED: (S.FIELD, S.DESK, S.CLOSED),
        Trigger.SOAKED: _NO_SOAK,
        Trigger.TIMEOUT: (S.FIELD, S.CLOSED),
        Trigger.ORDER: (S.FIELD,),
        Trigger.CALLBACK: (S.CLOSED,),
        Trigger.PERSON: (S.HELD, S.OBSERVING, S.FIELD, S.CLOSED),
    },
    S.FIELD: {
        Trigger.SYMPTOM: _TEAM,
        Trigger.CLEAR: Ignore("proven clean by the soak, then recalled or closed"),
        Trigger.DANGER: Ignore("already with the field; the order is raised"),
        Trigger.COMPLAINT: _TEAM,
        Trigger.PERMIT: _NO_STEP,
        Trigger.REFUSAL: _NO_STEP,
        Trigger.PASSED: _NO_ATTEMPT,
        Trigger.FAILED: _NO_ATTEMPT,
        Trigger.REFUSED: _NO_ATTEMPT,
        Trigger.UNKNOWN: _NO_ATTEMPT,
        Trigger.EXHAUSTED: _NO_STEP,
        Trigger.SOAKED: (S.CONFIRMING, S.CLOSED),
        Trigger.TIMEOUT: Ignore("the order's own clocks escalate"),
        Trigger.ORDER: (S.DESK, S.FIELD),
        Trigger.CALLBACK: _TEAM,
        Trigger.PERSON: (S.CLOSED,),
    },
    S.CONFIRMING: {
        Trigger.SYMPTOM: (S.OBSERVING,),
        Trigger.CLEAR: _KEPT,
        Trigger.DANGER: (S.FIELD, S.CLOSED),
        Trigger.COMPLAINT: (S.DESK,),
        Trigger.PERMIT: _NO_STEP,
        Trigger.REFUSAL: _NO_STEP,
        Trigger.PASSED: _NO_ATTEMPT,
        Trigger.FAILED: _NO_ATTEMPT,
        Trigger.REFUSED: _NO_ATTEMPT,
        Trigger.UNKNOWN: _NO_ATTEMPT,
        Trigger.EXHAUSTED: _NO_STEP,
        Trigger.SOAKED: _NO_SOAK,
        Trigger.TIMEOUT: (S.CONFIRMING, S.CLOSED),
        Trigger.ORDER: _NO_ORDER,
        Trigger.CALLBACK: (S.DESK, S.CLOSED),
        Trigger.PERSON: (S.DESK, S.FIELD, S.CLOSED),
    },
    S.CLOSED: {
        Trigger.SYMPTOM: (S.OBSERVING,),
        Trigger.CLEAR: _OVER,
        Trigger.DANGER: _OVER,
        Trigger.COMPLAINT: (S.DESK, S.OBSERVING),
        Trigger.PERMIT: _OVER,
        Trigger.REFUSAL: _OVER,
        Trigger.PASSED: _OVER,
        Trigger.FAILED: _OVER,
        Trigger.REFUSED: _OVER,
        Trigger.UNKNOWN: _OVER,
        Trigger.EXHAUSTED: _OVER,
        Trigger.SOAKED: _OVER,
        Trigger.TIMEOUT: _TIMELESS,
        Trigger.ORDER: _OVER,
        Trigger.CALLBACK: (S.DESK,),
        Trigger.PERSON: _OVER,
    },
}


class OrderAct(StrEnum):
    """What a field team, a dispatcher or the engine does to an order."""

    ACCEPT = "accept"
    DEPART = "depart"
    ARRIVE = "arrive"
    WAIT = "wait"
    DONE = "done"
    RETURN = "return"
    INCOMPLETE = "incomplete"
    REISSUE = "reissue"  # the engine: not proven, or dispatched again
    PROVE = "prove"  # the engine: telemetry proves the repair
    RECALL = "recall"  # the engine: the pile healed before departure


_ENDED = Ignore("the order has ended")
_PASSED_BY = Ignore("the order is further along already")
_BEFORE = Ignore("nobody has been on site yet")

ORDER_TABLE: dict[O, dict[OrderAct, O | Ignore]] = {
    O.ISSUED: {
        OrderAct.ACCEPT: O.ACCEPTED,
        OrderAct.DEPART: O.EN_ROUTE,  # a phone that was offline may skip a report; the later one implies the earlier
        OrderAct.ARRIVE: O.ON_SITE,
        OrderAct.WAIT: _BEFORE,
        OrderAct.DONE: O.DONE,
        OrderAct.RETURN: O.RETURNED,
        OrderAct.INCOMPLETE: _BEFORE,
        OrderAct.REISSUE: Ignore("it is issued"),
        OrderAct.PROVE: Ignore("nothing was done yet: healed piles are recalled"),
        OrderAct.RECALL: O.RECALLED,
    },
    O.ACCEPTED: {
        OrderAct.ACCEPT: _PASSED_BY,
        OrderAct.DEPART: O.EN_ROUTE,
        OrderAct.ARRIVE: O.ON_SITE,
        OrderAct.WAIT: _BEFORE,
        OrderAct.DONE: O.DONE,
        OrderAct.RETURN: O.RETURNED,
        OrderAct.INCOMPLETE: _BEFORE,
        OrderAct.REISSUE: O.ISSUED,
        OrderAct.PROVE: Ignore("nothing was done yet: healed piles are recalled"),
        OrderAct.RECALL: O.RECALLED,
    },
    O.EN_ROUTE: {
        OrderAct.ACCEPT: _PASSED_BY,
        OrderAct.DEPART: _PASSED_BY,
        OrderAct.ARRIVE: O.ON_SITE,
        OrderAct.WAIT: O.WAITING,
        OrderAct.DONE: O.DONE,
        OrderAct.RETURN: O.RETURNED,
        OrderAct.INCOMPLETE: O.ISSUED,
        OrderAct.REISSUE: O.ISSUED,
        OrderAct.PROVE: Ignore("somebody is driving there"),
        OrderAct.RECALL: Ignore("the team has departed; the visit goes on"),
    },
    O.ON_SITE: {
        OrderAct.ACCEPT: _PASSED_BY,
        OrderAct.DEPART: _PASSED_BY,
        OrderAct.ARRIVE: _PASSED_BY,
        OrderAct.WAIT: O.WAITING,
        OrderAct.DONE: O.DONE,
        OrderAct.RETURN: O.RETURNED,
        OrderAct.INCOMPLETE: O.ISSUED,
        OrderAct.REISSUE: O.ISSUED,
        OrderAct.PROVE: Ignore("somebody is working there"),
        OrderAct.RECALL: Ignore("the team is there"),
    },
    O.WAITING: {
        OrderAct.ACCEPT: _PASSED_BY,
        OrderAct.DEPART: O.EN_ROUTE,
        OrderAct.ARRIVE: O.ON_SITE,
        OrderAct.WAIT: _PASSED_BY,
        OrderAct.DONE: O.DONE,
        OrderAct.RETURN: O.RETURNED,
        OrderAct.INCOMPLETE: O.ISSUED,
        OrderAct.REISSUE: O.ISSUED,
        OrderAct.PROVE: Ignore("work is interrupted, not done"),
        OrderAct.RECALL: Ignore("the team has been there; it decides"),
    },
    O.DONE: {
        OrderAct.ACCEPT: _PASSED_BY,
        OrderAct.DEPART: _PASSED_BY,
        OrderAct.ARRIVE: _PASSED_BY,
        OrderAct.WAIT: _PASSED_BY,
        OrderAct.DONE: _PASSED_BY,
        OrderAct.RETURN: _PASSED_BY,
        OrderAct.INCOMPLETE: O.ISSUED,
        OrderAct.REISSUE: O.ISSUED,
        OrderAct.PROVE: O.CLOSED,
        OrderAct.RECALL: Ignore("the visit is over; proof closes it"),
    },
    O.RETURNED: {
        OrderAct.ACCEPT: O.ACCEPTED,
        OrderAct.DEPART: Ignore("it was returned; accept it first"),
        OrderAct.ARRIVE: Ignore("it was returned; accept it first"),
        OrderAct.WAIT: Ignore("it was returned; accept it first"),
        OrderAct.DONE: Ignore("it was returned; accept it first"),
        OrderAct.RETURN: _PASSED_BY,
        OrderAct.INCOMPLETE: Ignore("it was returned; accept it first"),
        OrderAct.REISSUE: O.ISSUED,
        OrderAct.PROVE: Ignore("nobody has it"),
        OrderAct.RECALL: O.RECALLED,
    },
    O.CLOSED: dict.fromkeys(OrderAct, _ENDED),
    O.RECALLED: dict.fromkeys(OrderAct, _ENDED),
}


class ComplaintAct(StrEnum):
    """What happens to a complaint."""

    LINK = "link"  # joined to an incident
    ROUTE = "route"  # belongs to another department
    RESOLVE = "resolve"  # the trouble is proven gone; the reporter is to be called back
    SATISFY = "satisfy"
    DISSATISFY = "dissatisfy"
    RETURN = "return"
    CLOSE = "close"
    ESCALATE = "escalate"
    REOPEN = "reopen"


_LINKED = Ignore("it is joined to an incident already")
_DONE = Ignore("the complaint is closed")

COMPLAINT_TABLE: dict[C, dict[ComplaintAct, C | Ignore]] = {
    C.RECEIVED: {
        ComplaintAct.LINK: C.IN_PROGRESS,
        ComplaintAct.ROUTE: C.ROUTED,
        ComplaintAct.RESOLVE: C.RESOLVED,
        ComplaintAct.SATISFY: C.CLOSED,
        ComplaintAct.DISSATISFY: C.IN_PROGRESS,
        ComplaintAct.RETURN: C.ROUTED,
        ComplaintAct.CLOSE: C.CLOSED,
        ComplaintAct.ESCALATE: C.RECEIVED,
        ComplaintAct.REOPEN: Ignore("it is open"),
    },
    C.IN_PROGRESS: {
        ComplaintAct.LINK: C.IN_PROGRESS,
        ComplaintAct.ROUTE: _LINKED,
        ComplaintAct.RESOLVE: C.RESOLVED,
        ComplaintAct.SATISFY: C.CLOSED,
        ComplaintAct.DISSATISFY: C.IN_PROGRESS,
        ComplaintAct.RETURN: C.ROUTED,
        ComplaintAct.CLOSE: C.CLOSED,
        ComplaintAct.ESCALATE: C.IN_PROGRESS,
        ComplaintAct.REOPEN: Ignore("it is open"),
    },
    C.ROUTED: {
        ComplaintAct.LINK: C.IN_PROGRESS,
        ComplaintAct.ROUTE: C.ROUTED,
        ComplaintAct.RESOLVE: C.RESOLVED,
        ComplaintAct.SATISFY: C.CLOSED,
        ComplaintAct.DISSATISFY: C.ROUTED,
        ComplaintAct.RETURN: C.ROUTED,
        ComplaintAct.CLOSE: C.CLOSED,
        ComplaintAct.ESCALATE: C.ROUTED,
        ComplaintAct.REOPEN: Ignore("it is open"),
    },
    C.RESOLVED: {
        ComplaintAct.LINK: C.IN_PROGRESS,
        ComplaintAct.ROUTE: C.ROUTED,
        ComplaintAct.RESOLVE: C.RESOLVED,
        ComplaintAct.SATISFY: C.CLOSED,
        ComplaintAct.DISSATISFY: C.IN_PROGRESS,
        ComplaintAct.RETURN: C.ROUTED,
        ComplaintAct.CLOSE: C.CLOSED,
        ComplaintAct.ESCALATE: C.RESOLVED,
        ComplaintAct.REOPEN: C.IN_PROGRESS,
    },
    C.CLOSED: {
        ComplaintAct.LINK: _DONE,
        ComplaintAct.ROUTE: _DONE,
        ComplaintAct.RESOLVE: _DONE,
        ComplaintAct.SATISFY: _DONE,
        ComplaintAct.DISSATISFY: C.IN_PROGRESS,
        ComplaintAct.RETURN: _DONE,
        ComplaintAct.CLOSE: _DONE,
        ComplaintAct.ESCALATE: _DONE,
        ComplaintAct.REOPEN: C.IN_PROGRESS,
    },
}
