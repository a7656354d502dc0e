"""What proves an attempt, read from what is known of the pile now.

Evidence is newer than the command and independent of the device's answer: *accepted* is not *worked*, silence is not
health, and a device that refuses, one that fails and one that is silent are three different things.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from triage.core.draft import gone, present
from triage.core.fleet import Connector, Pile
from triage.core.incident import Attempt, Evidence, Incident
from triage.core.plan import Step
from triage.core.policy import Policy
from triage.core.vocabulary import READS, REBOOTS, AnswerResult, ConnectorStatus, Family, Result

SEEN_TO_START = "start"
"""Drivers name a boot so that they saw beginning; devices count theirs."""


class Finding(Struct, frozen=True, kw_only=True):
    """``result`` None: still open. ``by_itself``: the trouble went away without this attempt having done it."""

    result: Result | None
    text: str = ""
    by_itself: bool = False


def rebooted(pile: Pile, attempt: Attempt) -> datetime | None:
    """When the pile was seen to start again after the command, or None."""
    if pile.booted_at is None or pile.booted_at <= attempt.sent_at:
        return None
    return None if _only_told_its_boot(pile, attempt) else pile.booted_at


def _only_told_its_boot(pile: Pile, attempt: Attempt) -> bool:
    """Whether all that is new is that the pile named its boot, for the first time ever: a counter tells no moment.

    An uptime that began after the command proves the boot all the same, and so does a start that was seen itself.
    """
    if attempt.boot_before is not None or pile.boot_id is None or pile.boot_id.startswith(SEEN_TO_START):
        return False
    return pile.began_s is None or pile.began_s < attempt.sent_at.timestamp()


def find(attempt: Attempt, step: Step, incident: Incident, pile: Pile, policy: Policy, now: datetime) -> Finding:
    """Judge an attempt by present knowledge; ``None`` until it is proven or its time is over."""
    if attempt.left is False:
        return Finding(result=Result.REFUSED, text=f"not sent: {attempt.reason}")
    if attempt.answer in {AnswerResult.REFUSED, AnswerResult.UNSUPPORTED}:
        detail = f": {attempt.answer_reason}" if attempt.answer_reason else ""
        return Finding(result=Result.REFUSED, text=f"device answered {attempt.answer}{detail}")
    wanted = wanted_proof(attempt, step)
    missing = [proof for proof in wanted if not _seen(proof, attempt, incident, pile)]
    if not missing and _may_have_left(attempt, pile):
        return Finding(result=Result.PASSED, text=f"seen: {', '.join(wanted)}")
    early = _early_failure(attempt, incident, pile, policy, now)
    if early:
        return Finding(result=Result.FAILED, text=early)
    if now < attempt.verify_by:
        return Finding(result=None)
    if not missing:
        # The process died around the send, and the trouble went away: nobody may read that the command cured it.
        text = f"seen: {', '.join(wanted)}; but there is no trace that the command ever left"
        return Finding(result=Result.UNKNOWN, text=text, by_itself=True)
    return _at_the_end(attempt, incident, pile, missing)


def wanted_proof(attempt: Attempt, step: Step) -> tuple[str, ...]:
    """What must be seen. Where a model shows no restart, its own word and the trouble gone stand for it."""
    if attempt.boots or "booted" not in step.proof:
        return step.proof
    others = [proof for proof in step.proof if proof not in {"booted", "answer", "fault_absent"}]
    return ("answer", "fault_absent", *others)


def patient(attempt: Attempt, listening_since: datetime | None) -> Attempt:
    """``attempt`` with its full time for proof from the moment on at which we could hear (again)."""
    if listening_since is None or listening_since <= attempt.sent_at:
        return attempt
    return replace(attempt, verify_by=max(attempt.verify_by, listening_since + (attempt.verify_by - attempt.sent_at)))


def facts(attempt: Attempt, incident: Incident, pile: Pile, now: datetime) -> tuple[Evidence, ...]:
    """What is known of the attempt at ``now``, for the record."""
    found: list[Evidence] = []
    if attempt.answer is not None:
        found.append(Evidence(at=now, kind="answer", text=f"device answered {attempt.answer}"))
    boot = rebooted(pile, attempt)
    if boot is not None:
        found.append(
            Evidence(at=boot, kind="boot", text=f"pile started again ({pile.boot_reason or 'unknown reason'})")
        )
    heard = pile.heard_at
    if heard is None or heard <= attempt.sent_at:
        found.append(Evidence(at=now, kind="silence", text="nothing heard since the command"))
    elif present(pile, incident):
        found.append(Evidence(at=heard, kind="fault_present", text="the trouble still shows in telemetry"))
    else:
        found.append(Evidence(at=heard, kind="fault_absent", text="telemetry shows the trouble gone"))
    return tuple(found)


def _may_have_left(attempt: Attempt, pile: Pile) -> bool:
    """Whether anything shows that the command left; a read changes nothing, so its proof is proof enough."""
    return (
        attempt.left is True
        or attempt.answer is not None
        or attempt.action in READS
        or rebooted(pile, attempt) is not None
    )


def _since(attempt: Attempt, pile: Pile) -> datetime:
    boot = rebooted(pile, attempt)
    return boot if boot is not None and attempt.action in REBOOTS else attempt.sent_at


def _seen(proof: str, attempt: Attempt, incident: Incident, pile: Pile) -> bool:
    heard = pile.heard_at is not None and pile.heard_at > _since(attempt, pile)
    if proof == "fresh":
        return heard
    if proof == "booted":
        return rebooted(pile, attempt) is not None
    if proof == "answer":
        return attempt.answer == AnswerResult.ACCEPTED
    if not heard or gone(pile):
        return False
    if proof == "fault_absent":
        return not present(pile, incident)
    # Read where the trouble is, from that connector's own words since the command.
    connector = pile.connector(attempt.connector or incident.connector)
    return connector is not None and connector.as_of > _since(attempt, pile) and _idle(proof, connector)


def _idle(proof: str, connector: Connector) -> bool:
    if proof == "status_idle":
        return connector.status is ConnectorStatus.AVAILABLE
    if proof == "session_ended":
        return connector.session_known and connector.session is None
    return False  # an unknown proof proves nothing


def _early_failure(attempt: Attempt, incident: Incident, pile: Pile, policy: Policy, now: datetime) -> str:
    """Why waiting longer is pointless, or an empty string."""
    heard = pile.heard_at is not None and pile.heard_at > _since(attempt, pile)
    if not heard or not present(pile, incident) or incident.family is Family.REPORTED:
        return ""
    if (
        attempt.left is None
        and attempt.answer is None
        and attempt.action in REBOOTS
        and rebooted(pile, attempt) is None
    ):
        return ""
    if attempt.action not in REBOOTS:
        # A read is answered by a full reading; what it still shows is not cured. Others get their time.
        return "fresh telemetry still shows the trouble" if attempt.action == "report" else ""
    boot = rebooted(pile, attempt)
    if boot is not None and now - boot >= policy.span("soak"):
        return "it started again and still shows the trouble"
    return ""


def _at_the_end(attempt: Attempt, incident: Incident, pile: Pile, missing: list[str]) -> Finding:
    heard = pile.heard_at is not None and pile.heard_at > attempt.sent_at
    if not heard or gone(pile):
        if not heard:
            return Finding(result=Result.UNKNOWN, text="nothing heard since the command")
        return Finding(result=Result.UNKNOWN, text="it fell silent again")
    if not present(pile, incident) and incident.family is not Family.REPORTED:
        text = f"not seen: {', '.join(missing)}; the trouble is gone all the same"
        return Finding(result=Result.FAILED, text=text, by_itself=True)
    if attempt.left is None and attempt.answer is None and rebooted(pile, attempt) is None:
        # The process died around the send: no answer, no boot. Whether it ever left, nobody knows.
        return Finding(result=Result.UNKNOWN, text="no trace of it: it may never have left")
    return Finding(result=Result.FAILED, text=f"not seen in time: {', '.join(missing)}")
