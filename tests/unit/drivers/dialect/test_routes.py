"""Whom a topic is about."""

from __future__ import annotations

import pytest

from tests.unit.drivers.dialect.speech import fleet_of, profile_of, row
from triage.drivers.dialect.fleet import Fleet
from triage.drivers.dialect.routes import Target
from triage.errors import InputError

BODY = """
mqtt:
  device: "[^+#]+"
  device_example: site/box-1
  first_connector: 0
  values:
    state: {topic: "box/{device}/{connector}/state", of: connector}
    power: {topic: "box/{device}/all", path: "power[{connector}]", of: connector}
    model: {topic: "box/{device}/all", path: model}
  presence: {topic: "box/{device}/online", online: [true]}
status:
  - from: state
    map: {"1": available}
actions:
  reset_soft:
    does: {en: x, zh: x}
    steps: [{publish: {topic: "box/{device}/cmd"}}]
    answer: {topic: "box/{device}/answer/{id}", accepted: [1]}
"""


def targets(fleet: Fleet, topic: str) -> list[tuple[str, list[tuple[str, int]]]]:
    return [
        (target.device.pile, [(each.name, each.connector) for each in target.uses.values])
        for target in fleet.routes.find(topic)
    ]


def test_topics_lead_to_devices_and_their_values() -> None:
    fleet = fleet_of((row("p-1", endpoint="a", connectors=2), profile_of(BODY)), (row("b/c"), profile_of(BODY)))
    assert targets(fleet, "box/a/0/state") == [("p-1", [("state", 1)])]
    assert targets(fleet, "box/a/1/state") == [("p-1", [("state", 2)])]
    assert targets(fleet, "box/a/all") == [("p-1", [("power", 1), ("power", 2), ("model", 0)])]
    assert targets(fleet, "box/b/c/0/state") == [("b/c", [("state", 1)])]
    assert fleet.routes.find("box/a/online")[0].uses.presence
    assert fleet.routes.find("box/a/all") is fleet.routes.find("box/a/all"), "learned once"


@pytest.mark.parametrize("topic", ["box/a/2/state", "box/b/c/1/state", "box/z/all", "box/a", "x", "", "box/p-1/all"])
def test_topics_of_nobody(topic: str) -> None:
    fleet = fleet_of((row("p-1", endpoint="a", connectors=2), profile_of(BODY)), (row("b/c"), profile_of(BODY)))
    assert fleet.routes.find(topic) == ()


def test_the_id_in_an_answers_topic_is_told_and_the_topic_not_remembered() -> None:
    fleet = fleet_of((row("p-1", endpoint="a"), profile_of(BODY)))
    (target,) = fleet.routes.find("box/a/answer/r-1")
    assert isinstance(target, Target)
    assert target.id == "r-1"
    assert fleet.routes.find("box/a/answer/r-2")[0].id == "r-2"


def test_piles_may_share_a_box_and_number_their_connectors_as_the_fleet_says() -> None:
    profile = profile_of(BODY)
    fleet = fleet_of((row("p-1", endpoint="a", unit=3), profile), (row("p-2", endpoint="a", unit=7), profile))
    assert targets(fleet, "box/a/3/state") == [("p-1", [("state", 1)])]
    assert targets(fleet, "box/a/7/state") == [("p-2", [("state", 1)])]
    assert [pile for pile, _ in targets(fleet, "box/a/all")] == ["p-1", "p-2"]
    assert ("box/a/7/state", 1) in fleet.filters(list(fleet.devices.values()))


def test_two_profiles_may_listen_to_one_topic() -> None:
    fleet = fleet_of(
        (row("p-1", endpoint="a"), profile_of(BODY)), (row("p-2", endpoint="a"), profile_of(BODY, "other"))
    )
    assert [pile for pile, _ in targets(fleet, "box/a/all")] == ["p-1", "p-2"]


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("a+", "'a+' is no device of box (give one such as site/box-1)"),
        ("a//b", "'a//b' is no device of box (give one such as site/box-1)"),
    ],
)
def test_a_device_that_cannot_be_named_is_refused_with_its_pile(endpoint: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        fleet_of((row("p-1", endpoint=endpoint), profile_of(BODY)))
    assert str(caught.value) == f"fleet: pile p-1: endpoint: {said}"


def test_one_device_cannot_be_two_piles_and_then_nothing_changes() -> None:
    profile = profile_of(BODY)
    fleet = fleet_of((row("p-1", endpoint="a"), profile))
    before = dict(fleet.devices)
    with pytest.raises(InputError, match="pile p-2: endpoint: 'a' is pile p-1 already"):
        fleet.adopt([(row("p-1", endpoint="a"), profile), (row("p-2", endpoint="a"), profile)])
    assert fleet.devices == before
    assert targets(fleet, "box/a/all")


def test_a_changed_fleet_keeps_whom_it_knows() -> None:
    profile = profile_of(BODY)
    fleet = fleet_of((row("p-1", endpoint="a"), profile), (row("p-2", endpoint="b"), profile))
    first, second = fleet.devices.values()
    moved = row("p-1", endpoint="a", address="moved")
    fresh = fleet.adopt([(moved, profile_of(BODY)), (row("p-2", endpoint="c"), profile), (row("p-3"), profile)])
    assert fleet.devices["p-1"] is first
    assert first.registration is moved
    assert fleet.devices["p-2"] is not second
    assert [device.pile for device in fresh] == ["p-2", "p-3"]
    assert targets(fleet, "box/b/all") == []
    assert fleet.adopt([(moved, profile)]) == []
    changed = profile_of(BODY.replace('"1": available', '"1": charging'))
    assert [device.pile for device in fleet.adopt([(moved, changed)])] == ["p-1"], "another meaning is another device"


def test_many_devices_cost_one_look_and_few_filters() -> None:
    profile = profile_of(BODY)
    fleet = fleet_of(*((row(f"p-{number}", endpoint=f"site/{number}"), profile) for number in range(500)))
    assert sorted(topic for topic, _ in fleet.filters(list(fleet.devices.values()))) == [
        "box/+/+/+/state",
        "box/+/+/all",
        "box/+/+/answer/+",
        "box/+/+/online",
    ]
    assert targets(fleet, "box/site/499/all") == [("p-499", [("power", 1), ("model", 0)])]
