"""From a device's values to what the core understands. Pure and total: any values give a sighting, never a guess."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from triage.config.profile.file import Profile
from triage.config.profile.meaning import Condition
from triage.config.profile.uses import RESERVED, SESSION, STATUS
from triage.core.events import FaultClaim, Reading
from triage.core.vocabulary import BootReason
from triage.drivers.profiles.conditions import prepare, why_not
from triage.drivers.profiles.derived import Compute, derivations, own_names, units
from triage.drivers.profiles.faults import FaultReader
from triage.drivers.profiles.readings import Meter, SessionReader, StatusReader, factor
from triage.drivers.profiles.values import ImpossibleError, Value, Values, find, number, table, text, visible

__all__ = ["RESERVED", "Interpreter", "Sighting"]

_WORD_LIMIT = 100


class Sighting(Struct, frozen=True, kw_only=True):
    """What one look at a device says.

    ``wrong`` is not empty when the look must not be used: the device is another model, or says what cannot be.
    ``unlisted`` are values that no table explains; the look is used, their meaning is unknown. ``starting`` while the
    device says that it is just starting.
    ``blind`` are the values faults are read from that nobody knows now: what is missing in ``faults`` for their sake is
    not cleared.
    """

    readings: tuple[Reading, ...] = ()
    faults: tuple[FaultClaim, ...] = ()
    uptime_s: float | None = None
    boot_id: str | None = None
    boot_reason: BootReason | None = None
    starting: bool = False
    firmware: str | None = None
    model: str | None = None
    serial: str | None = None
    wrong: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    blind: frozenset[str] = frozenset()


class _Look(Struct):
    """One look while it is worked out: the views of pile and connectors, and what was found so far."""

    pile: dict[str, Value]
    connectors: list[tuple[int, dict[str, Value]]] = []
    readings: list[Reading] = []
    wrong: list[str] = []
    unlisted: list[str] = []


class Interpreter:
    """One profile, prepared for a device with so many connectors."""

    def __init__(self, profile: Profile, connectors: int) -> None:
        self._profile = profile
        self._numbers = range(1, connectors + 1)
        self._own = own_names(profile)
        known = units(profile)
        derived = derivations(profile)
        self._of_pile = [(each.name, each.compute) for each in derived if not each.own]
        self._of_connector = [(each.name, each.compute) for each in derived if each.own]
        self._status = StatusReader(profile.status)
        self._meter = Meter(profile, known)
        self._session = SessionReader(profile.session, profile.values)
        self._faults = FaultReader(profile.faults, self._own)
        self._expected = [(each, prepare(each), self._asks_connectors(each)) for each in profile.identity.expect]
        boot = profile.boot
        self._start = prepare(boot.starting if boot is not None else {})
        self._uptime_s = factor(known.get(boot.uptime)) if boot is not None and boot.uptime is not None else 1.0
        self._reasons = table(boot.reasons) if boot is not None else {}

    @property
    def fault_sources(self) -> frozenset[str]:
        """The values that faults are read from."""
        return self._faults.sources

    def see(self, values: Values) -> Sighting:
        """What ``values`` say."""
        look = self._look(values)
        look.wrong.extend(self._strange(look))
        faults, unlisted = self._faults.read(look.pile, look.connectors)
        who = self._profile.identity
        uptime_s, boot_id, reason = self._boot(look)
        return Sighting(
            readings=tuple(look.readings),
            faults=faults,
            uptime_s=uptime_s,
            boot_id=boot_id,
            boot_reason=reason,
            starting=self._starting(look),
            firmware=self._word(look, who.firmware),
            model=self._word(look, who.model),
            serial=self._word(look, who.serial),
            wrong=tuple(dict.fromkeys(look.wrong)),
            unlisted=tuple(dict.fromkeys((*look.unlisted, *unlisted))),
            blind=self._faults.blind(look.pile, look.connectors),
        )

    def views(self, values: Values) -> dict[int, dict[str, Value]]:
        """All that is known by name: derived values and reserved names included. 0: the pile's."""
        look = self._look(values)
        return {0: look.pile, **dict(look.connectors)}

    def unmet(self, condition: Condition, values: Values, connector: int) -> str | None:
        """The first thing of ``condition`` that does not hold for ``connector``, None when all does.

        For connector 0 it must hold for the pile, or for every connector where it asks for their values.
        """
        views = self.views(values)
        if connector:
            return why_not(condition, views.get(connector, {}))
        if not self._asks_connectors(condition):
            return why_not(condition, views[0])
        for number_, view in views.items():
            if number_ and (reason := why_not(condition, view)) is not None:
                return f"connector {number_}: {reason}"
        return None

    def _look(self, values: Values) -> _Look:
        pile = dict(values.pile)
        look = _Look(pile, [], [], list(values.impossible), [])
        _make(self._of_pile, pile, look.wrong, "")
        for connector in self._numbers:
            own = values.connectors.get(connector)
            view = {**pile, **own} if own else dict(pile)
            _make(self._of_connector, view, look.wrong, f" of connector {connector}")
            look.readings.append(self._reading(connector, view, look))
            look.connectors.append((connector, view))
        return look

    def _reading(self, connector: int, view: dict[str, Value], look: _Look) -> Reading:
        status = self._status.read(view, look.unlisted)
        measured = self._meter.read(view, look.wrong)
        view[STATUS] = None if status is None else status.value
        session, known = self._session.read(view, status, measured)
        view[SESSION] = session is not None if known else None
        return Reading(
            connector=connector,
            status=status,
            session=session,
            session_known=known,
            voltage_v=measured.get("voltage_v"),
            current_a=measured.get("current_a"),
            power_w=measured.get("power_w"),
            energy_wh=measured.get("energy_wh"),
            temperature_c=measured.get("temperature_c"),
        )

    def _strange(self, look: _Look) -> list[str]:
        """Why this is not the model the profile is for."""
        found: list[str] = []
        for condition, holds, of_connectors in self._expected:
            views: list[dict[str, Value]] = [view for _, view in look.connectors] if of_connectors else [look.pile]
            found.extend(why_not(condition, view) or "" for view in views if not holds(view))
        return found

    def _asks_connectors(self, condition: Condition) -> bool:
        return any(name in self._own or name in RESERVED for name in condition)

    def _starting(self, look: _Look) -> bool:
        boot = self._profile.boot
        if boot is None or not boot.starting or self._value(look, boot.uptime) is not None:
            # An uptime tells of a restart better: a state that only looks like one must not contradict it.
            return False
        return any(self._start(view) for view in (look.pile, *(view for _, view in look.connectors)))

    def _boot(self, look: _Look) -> tuple[float | None, str | None, BootReason | None]:
        boot = self._profile.boot
        if boot is None:
            return None, None, None
        uptime = number(self._value(look, boot.uptime))
        uptime_s = None if uptime is None or uptime < 0 else float(uptime * self._uptime_s)
        reason = self._value(look, boot.reason)
        if reason is None:
            return uptime_s, self._word(look, boot.counter), None
        return uptime_s, self._word(look, boot.counter), BootReason(find(self._reasons, reason) or "unknown")

    def _value(self, look: _Look, name: str | None) -> Value:
        """A value of the whole device; one that belongs to connectors is taken from the first."""
        if name is None:
            return None
        if name in self._own and look.connectors:
            return look.connectors[0][1].get(name)
        return look.pile.get(name)

    def _word(self, look: _Look, name: str | None) -> str | None:
        return visible(text(self._value(look, name)))[:_WORD_LIMIT] or None


def _make(made: Sequence[tuple[str, Compute]], view: dict[str, Value], wrong: list[str], of: str) -> None:
    """Put into ``view`` what is made of its values; what cannot be is none, and is added to ``wrong``."""
    for name, compute in made:
        try:
            view[name] = compute(view)
        except ImpossibleError as error:
            view[name] = None
            wrong.append(f"{name}{of} {error}")
