"""What the daemon does to devices, held against what it knew and against its limits: I4, I5, I7, I9, I10."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime

from simulators.invariants.court import Court
from simulators.invariants.knowledge import Knowledge, Told
from simulators.invariants.ledger import HEALED, Ledger
from simulators.truth import Execution
from triage.core.effects import Changes, Command
from triage.core.incident import Attempt, Incident
from triage.core.policy import Policy
from triage.core.vocabulary import READS, REBOOTS, Action, CloseCode, Family, Repeat, Result

SLACK_S = 2.0
SLEW = 0.95
"""The daemon's clock may run this much faster or slower while it is drawn towards a wall clock that was set."""


@dataclass(slots=True)
class Deed:
    """A changing command on its way: when it was committed, when it left, what was known."""

    command: Command
    committed: float
    published: list[float] = field(default_factory=list)
    given_back: bool = False


class Acts:
    """Judges every changing command from its commit to what became of it."""

    def __init__(
        self, court: Court, knowledge: Knowledge, ledger: Ledger, policy: Policy, fleet: dict[str, str]
    ) -> None:
        """``policy`` has its durations as they run; ``fleet`` names each pile's site."""
        self.court = court
        self.knowledge = knowledge
        self.ledger = ledger
        self.policy = policy
        self.deeds: dict[str, Deed] = {}
        self.boots: dict[str, list[float]] = {}
        self._sites = fleet
        self._sends: list[float] = []
        self._resets: dict[str, list[float]] = {}

    # -- the commit ------------------------------------------------------------------------------------------------

    def committed(self, changes: Changes) -> None:
        """A transaction took effect: judge the commands it claims."""
        for incident in changes.incidents.values():
            self._given_back(incident)
        for item in changes.outbox.values():
            effect = item.effect
            if isinstance(effect, Command) and effect.id not in self.deeds:
                self.deeds[effect.id] = Deed(effect, self.court.clock())
                if effect.repeat is Repeat.NEVER_BLIND:
                    self._claimed(effect)

    def _claimed(self, command: Command) -> None:
        now, policy = self.court.clock(), self.policy
        self._permitted(command, now)
        if command.action not in REBOOTS:
            return
        self._within(command.id, "fleet, window", self._sends, policy.fleet_window_s, policy.fleet_per_window)
        hourly = max(policy.fleet_hour_floor, int(len(self._sites) * policy.fleet_hour_share))
        self._within(command.id, "fleet, hour", self._sends, policy.hour_s, hourly)
        self._sends.append(now)
        mine = self._resets.setdefault(command.pile, [])
        self._within(command.pile, "pile, day", mine, policy.day_s, policy.resets_per_pile_day)
        if mine and now - mine[-1] < policy.spacing_s * SLEW - SLACK_S:
            self.court.accuse("I7", command.pile, f"{command.action} {now - mine[-1]:.1f} s after the one before")
        mine.append(now)
        self._strikes(command)
        self._site(command)

    def _given_back(self, incident: Incident) -> None:
        """A reset that certainly did not leave counts for nothing."""
        for attempt in incident.attempts:
            deed = self.deeds.get(attempt.id)
            if attempt.left is not False or deed is None or deed.given_back:
                continue
            deed.given_back = True
            if deed.published and deed.command.repeat is Repeat.NEVER_BLIND:
                self.court.accuse("I7", attempt.id, "is on record as not sent, and was sent")
            elif deed.command.action in REBOOTS:
                self._sends.remove(deed.committed)
                self._resets[deed.command.pile].remove(deed.committed)

    def _within(self, subject: str, what: str, times: list[float], window_s: float, allowed: int) -> None:
        now = self.court.clock()
        recent = len(times) - bisect_left(times, now - window_s * SLEW + SLACK_S)
        if recent >= allowed:
            self.court.accuse("I9", subject, f"{what}: {recent + 1} within {window_s:.0f} s, {allowed} allowed")

    def _strikes(self, command: Command) -> None:
        incident = self.ledger.incidents.get(self.ledger.incident_of_attempt.get(command.id, ""))
        if incident is None:
            return
        left = [each for each in incident.attempts if each.action in REBOOTS and each.left is not False]
        if len(left) > self.policy.resets_per_incident and not incident.reopened:
            self.court.accuse("I7", incident.id, f"{len(left)} resets, {self.policy.resets_per_incident} allowed")

    def _site(self, command: Command) -> None:
        site = [pile for pile, where in self._sites.items() if where == command.site]
        rebooting = [
            pile
            for pile in site
            for id in self.ledger.open_of_pile.get(pile, ())
            if (attempt := self.ledger.incidents[id].under_way) is not None and attempt.action in REBOOTS
        ]
        allowed = max(1, int(len(site) * self.policy.site_parallel_share))
        if len(rebooting) > allowed:
            self.court.accuse("I9", command.site, f"{len(rebooting)} piles rebooting at once, {allowed} allowed")

    # -- I4: nothing is sent that the newest known evidence forbids ------------------------------------------------

    def _permitted(self, command: Command, now: float) -> None:
        picture = self.knowledge.of(command.pile)
        if picture.danger_since is not None:
            since = now - picture.danger_since
            self.court.accuse("I4", command.id, f"{command.action} with a danger on record for {since:.0f} s")
        if self.ledger.settings.get("kill_switch"):
            self.court.accuse("I18", command.id, f"{command.action} under the kill switch")
        told = picture.pictures()
        reasons = {self._forbids(command, each, now) for each in told} or {"nothing is known of the pile"}
        if "" not in reasons:
            self.court.accuse("I4", command.id, f"{command.action} on {command.pile}: {'; '.join(sorted(reasons))}")

    def _forbids(self, command: Command, told: Told, now: float) -> str:
        if told.dangers:
            return f"claims {', '.join(sorted(told.dangers))}"
        whole = command.action in REBOOTS or command.connector == 0
        silent = self._family(command) is Family.UNRESPONSIVE
        if not silent and now - told.handed > self.policy.fresh_s / SLEW + SLACK_S:
            return f"newest reading is {now - told.handed:.0f} s old"
        if command.action is Action.STOP_SESSION:
            return ""
        if told.unknown and (whole or command.connector in told.unknown):
            return "session unknown"
        if told.live and (whole or command.connector in told.live):
            return "somebody charges"
        return ""

    def _family(self, command: Command) -> Family | None:
        incident = self.ledger.incidents.get(self.ledger.incident_of_attempt.get(command.id, ""))
        return incident.family if incident else None

    # -- the send --------------------------------------------------------------------------------------------------

    def published(self, command: Command, daemon_now: datetime) -> None:
        """The driver hands ``command`` to the broker at ``daemon_now`` by the daemon's own clock."""
        now, deed = self.court.clock(), self.deeds.get(command.id)
        if deed is None:
            self.court.accuse("I4", command.id, f"{command.action} left before it was committed")
            deed = self.deeds[command.id] = Deed(command, now)
        if deed.published and command.repeat is Repeat.NEVER_BLIND:
            self.court.accuse("I7", command.id, f"{command.action} was sent again")
        late_s = (daemon_now - deed.command.expires_at).total_seconds()
        if late_s > SLACK_S:
            self.court.accuse("I10", command.id, f"{command.action} left {late_s:.0f} s after it expired")
        deed.published.append(now)

    def executed(self, run: Execution) -> None:
        """A device carried a command out."""
        deed = self.deeds.get(run.command)
        if not run.unsafe or deed is None or not deed.published:
            return
        # The native dialect has no word for a running update; a pile that is busy with one only looks unavailable.
        told_at = min((at for at in (run.danger_told_at, run.session_told_at) if at is not None), default=None)
        # Only what had reached the daemon before the command left can be held against it.
        if told_at is None:
            return
        newer = [each for each in self.knowledge.of(run.pile).told if each.handed < deed.published[0]]
        if newer and max(newer, key=lambda each: each.number).born >= told_at:
            self.court.accuse("I4", run.command, f"{run.action} was executed although the pile had told: {run}")

    # -- I5: recovered means seen to work, afterwards, for long enough ---------------------------------------------

    def ended(self, old: Incident | None, new: Incident) -> None:
        """An incident's new version: judge what it claims to have seen."""
        before = {each.id: each for each in old.attempts} if old else {}
        for attempt in new.attempts:
            known = before.get(attempt.id)
            if attempt.result is Result.PASSED and (known is None or known.result is None):
                self._proven(new, attempt)
        if new.open or (old is not None and not old.open) or new.close_code not in HEALED:
            return
        self._clean(new)

    def _proven(self, incident: Incident, attempt: Attempt) -> None:
        deed = self.deeds.get(attempt.id)
        if attempt.action is Action.PULL_LOG or deed is None:
            return
        now, pile = self.court.clock(), incident.pile
        if attempt.action in READS:
            # A reading that came by itself after the decision answers the question as well as one that was asked for.
            newest = self.knowledge.of(pile).last_received_at
            if newest is None or newest <= attempt.sent_at:
                self.court.accuse("I5", attempt.id, f"{attempt.action} passed without a reading newer than it")
            return
        if not deed.published:
            self.court.accuse("I5", attempt.id, f"{attempt.action} passed, and never left")
            return
        left = deed.published[0]
        if self.knowledge.of(pile).last_born <= left:
            self.court.accuse("I5", attempt.id, f"{attempt.action} passed without a reading newer than the command")
        since = left
        if attempt.action in REBOOTS:
            boots = [at for at in self.boots.get(pile, ()) if left <= at <= now]
            since = boots[0] if boots else left
            if not boots:
                self.court.accuse("I5", attempt.id, f"{attempt.action} passed, and the pile has not booted")
        if now - since < self.policy.soak_s * SLEW - SLACK_S:
            self.court.accuse("I5", attempt.id, f"{attempt.action} passed {now - since:.0f} s after it worked: no soak")

    def _clean(self, incident: Incident) -> None:
        picture = self.knowledge.of(incident.pile)
        pictures = picture.pictures()
        shown = [sorted(code for code, at in each.claims if self._meant(incident, code, at)) for each in pictures]
        if pictures and all(shown):
            self.court.accuse(
                "I5", incident.id, f"closed as {incident.close_code}, and the pile still claims {shown[0]}"
            )
        last = max((when for claim, when in picture.claimed_at.items() if self._meant(incident, *claim)), default=None)
        quiet_s = self.policy.soak_s if last is None else self.court.clock() - last
        if quiet_s < self.policy.soak_s * SLEW - SLACK_S:
            text = f"closed as {incident.close_code} {quiet_s:.0f} s after the claim was heard"
            self.court.accuse("I5", incident.id, text)
        if incident.close_code is CloseCode.RECOVERED_REMOTELY and not any(
            each.result is Result.PASSED and each.action not in READS for each in incident.attempts
        ):
            self.court.accuse("I5", incident.id, "closed as recovered_remotely without an attempt that passed")

    def _meant(self, incident: Incident, code: str, connector: int) -> bool:
        """Whether a claim is one of the incident's own, which go by their canonical names."""
        own = code in incident.faults or self.ledger.names.get(code) in incident.faults
        return own and connector == incident.connector
