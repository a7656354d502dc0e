"""Which values a device must have said before a profile's word about it can be believed to be missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from triage.config.profile.file import Profile
from triage.config.profile.meaning import FaultRule
from triage.config.profile.units import sources
from triage.core.events import FaultClaim
from triage.drivers.dialect.picture import Picture
from triage.drivers.profiles.values import Value


def inputs(profile: Profile, names: Collection[str]) -> frozenset[str]:
    """``names``, and every value that one of them is made of."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        derived = profile.derived.get(name)
        if derived is not None:
            left += sources(derived)
            left += [each for case in derived.cases or () for each in case.when]
    return frozenset(found)


class Memory:
    """Tells which claims of before still hold because the device has not spoken of their source again.

    A fault that is missing from a reading counts as cleared. After a restart, a reconnection or a garbled payload a
    value may be missing only because nobody has told it yet; that clears nothing.
    """

    def __init__(self, profile: Profile) -> None:
        """Of ``profile`` the fault rules are read."""
        self._profile = profile
        self._made_of = {name: inputs(profile, (name,)) for name in profile.derived}

    def still_hold(
        self, before: Collection[FaultClaim], now: Collection[FaultClaim], picture: Picture, views: Views
    ) -> tuple[FaultClaim, ...]:
        """Those of the claims ``before`` that are absent ``now`` only because their source is not known now."""
        fresh = {(claim.code, claim.connector) for claim in now}
        return tuple(
            claim
            for claim in before
            if (claim.code, claim.connector) not in fresh and self._unheard(claim, picture, views)
        )

    def _unheard(self, claim: FaultClaim, picture: Picture, views: Views) -> bool:
        view = views.get(claim.connector)
        if view is None:
            return False  # it has no such connector any more
        connectors = (claim.connector,) if claim.connector else tuple(views)
        return any(
            not any(self._heard(name, connector, picture, view) for connector in connectors)
            for name in self._sources(claim)
        )

    def _heard(self, name: str, connector: int, picture: Picture, view: Mapping[str, Value]) -> bool:
        made_of = self._made_of.get(name)
        if made_of is None:
            return name not in self._profile.values or picture.heard(name, connector)
        return view.get(name) is not None or all(
            self._heard(part, connector, picture, view) for part in made_of if part != name
        )

    def _sources(self, claim: FaultClaim) -> frozenset[str]:
        """The values that made the claim: the one its words begin with, else all that could have made it."""
        rules = [rule for rule in self._profile.faults if _could_make(rule, claim)]
        first = claim.info.split(" ", 1)[0]
        named = [rule for rule in rules if rule.from_ == first]
        found: set[str] = set()
        for rule in named or rules:
            found.update(rule.when)
            if rule.from_ is not None:
                found.add(rule.from_)
        return frozenset(found)


Views = Mapping[int, Mapping[str, Value]]


def _could_make(rule: FaultRule, claim: FaultClaim) -> bool:
    if rule.from_ is not None and claim.code.startswith(f"{rule.from_} "):
        return True
    meanings = (*rule.codes.values(), *rule.bits.values())
    names = {each if isinstance(each, str) else each.is_ for each in meanings}
    return claim.code in names or claim.code == rule.is_ or (rule.is_ == "unknown" and _said_by(rule, claim))


def _said_by(rule: FaultRule, claim: FaultClaim) -> bool:
    """Whether a claim of a condition without a name is in the words of this one."""
    return any(claim.code.startswith(f"{name} ") or claim.code == name for name in rule.when)
