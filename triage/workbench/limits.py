"""What a model cannot do or say, and what follows from that for whoever runs it."""

from __future__ import annotations

from collections.abc import Iterator

from triage.config.profile.file import Profile
from triage.core.vocabulary import Action

_ABSENT = {
    Action.RESET_SOFT: "no gentle restart",
    Action.RESET_HARD: "no full restart",
    Action.UNLOCK: "no remote unlocking: a stuck cable needs a person",
    Action.STOP_SESSION: "no remote end of a session",
    Action.SET_AVAILABILITY: "cannot be put into or out of service",
    Action.PULL_LOG: "hands over no log",
}


def cannot(profile: Profile) -> list[str]:
    """Every such limit, in one sentence each."""
    if profile.kind == "switch":
        return list(_switch(profile))
    return [*_actions(profile), *_proof(profile), *_faults(profile), *_session(profile), *_presence(profile)]


def _actions(profile: Profile) -> Iterator[str]:
    given = profile.actions.given()
    resets = [given[action] for action in (Action.RESET_SOFT, Action.RESET_HARD) if action in given]
    if not resets:
        yield "no restart of any kind: what only a restart mends goes to a person, or to a `power_switch` of the fleet"
    for action, text in _ABSENT.items():
        if action not in given and (resets or action not in {Action.RESET_SOFT, Action.RESET_HARD}):
            yield text
    for action, spec in given.items():
        if spec.kind == "pseudo":
            yield f"`{action}` is not the real thing: {spec.does.get('en', '')}"


def _proof(profile: Profile) -> Iterator[str]:
    seen = [str(action) for action, spec in profile.actions.given().items() if spec.seen_to_boot(action)]
    if profile.boot is None and seen:
        yield f"tells neither uptime nor a count of starts, so {', '.join(seen)} cannot be proven by a new boot"
    elif profile.boot is None:
        yield "tells neither uptime nor a count of starts: a restart goes unseen"
    if not profile.identity.expect:
        yield "nothing tells whether it really is this model: a wrong address would be believed"


def _faults(profile: Profile) -> Iterator[str]:
    if not profile.faults and not (profile.mqtt and profile.mqtt.events):
        yield "tells no fault codes: `faulted` says that something is wrong, not what"
        return
    if any(rule.is_ is None and not rule.codes and not rule.bits for rule in profile.faults):
        yield "has codes whose meaning nobody knows: each is a fault of unknown meaning, never reset"


def _session(profile: Profile) -> Iterator[str]:
    read = profile.readings
    if profile.session is None and read.current_a is None and read.power_w is None:
        yield "measures neither current nor power: while it is faulted a session may be live, so nothing restarts it"
    elif profile.session is None:
        yield "tells no session: whether somebody charges follows from status, current and power"
    if not read.energy_wh:
        yield "tells no meter reading"


def _presence(profile: Profile) -> Iterator[str]:
    if profile.mqtt is not None and profile.mqtt.presence is None:
        yield "does not say when it is gone: only its silence shows it"


def _switch(profile: Profile) -> Iterator[str]:
    switching = profile.switching
    if switching is None:
        return
    if switching.load_w is None and switching.load_a is None:
        yield "measures no load: whether somebody draws power must be known from the piles behind it"
    if not switching.restores_itself:
        yield "does not switch on again by itself: if the daemon dies in between, the power stays away"
