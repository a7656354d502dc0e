"""Profiles written in tests, checked like an operator's, and devices that speak by them without a broker."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from triage.config.profile.file import Profile
from triage.config.profile.lint import lint
from triage.config.schema import validate
from triage.config.yamlfile import parse_document
from triage.core.events import FaultClaim, Registration
from triage.drivers.dialect.device import Device, Moment
from triage.drivers.dialect.fleet import Fleet
from triage.drivers.dialect.hearing import Heard, hear
from triage.drivers.mqtt.packets import Received

START = datetime(2026, 11, 21, 8, tzinfo=UTC)
HEAD = """
profile: {name}
title: {{en: A box, zh: 盒子}}
vendor: Somebody
models: [Box]
sources: [this test]
verified: by nobody
"""


def profile_of(body: str, name: str = "box") -> Profile:
    """The profile with this body, loaded and linted as from a file."""
    document = parse_document((HEAD.format(name=name) + body).encode(), f"{name}.yaml")
    profile = validate(document, Profile)
    assert [str(fault) for fault in lint(profile, document, None)] == []
    return profile


def row(pile: str = "p-1", **more: Any) -> Registration:
    fields: dict[str, Any] = {"site": "north", "region": "r", "profile": "box"} | more
    return Registration(pile=pile, **fields)


def at(seconds: float = 0.0) -> Moment:
    return Moment(START + timedelta(seconds=seconds), 1000.0 + seconds)


def fleet_of(
    *devices: tuple[Registration, Profile], recall: Callable[[str], Sequence[FaultClaim]] = lambda _: ()
) -> Fleet:
    fleet = Fleet(recall, 1.0)
    fleet.adopt(devices)
    return fleet


class Speech:
    """One device that is spoken for."""

    def __init__(
        self, body: str, recall: Callable[[str], Sequence[FaultClaim]] = lambda _: (), **registration: Any
    ) -> None:
        self.fleet = fleet_of((row(**registration), profile_of(body)), recall=recall)
        (self.device,) = self.fleet.devices.values()

    def say(self, topic: str, payload: Any, seconds: float = 0.0, *, retained: bool = False) -> Heard:
        """The device publishes ``payload``, as JSON unless it is bytes."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        (target,) = self.fleet.routes.find(topic)
        heard = hear(target.device, target.uses, Received(topic, raw, retained), at(seconds))
        if heard.lost:
            target.device.lost()
        return heard

    def claims(self) -> list[tuple[str, int]]:
        return [(claim.code, claim.connector) for claim in self.device.faults.claims()]


def telling(device: Device) -> list[str]:
    return [type(event).__name__ for event in device.tell()]
