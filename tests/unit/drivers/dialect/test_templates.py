"""Which topics are asked for, and what is read out of those that come."""

from __future__ import annotations

import pytest

from triage.drivers.dialect.templates import EXACT_BELOW, Template, filters, fit_for_topics, publishable

MANY = [f"d{number}" for number in range(EXACT_BELOW)]


def test_few_devices_are_listened_to_by_name() -> None:
    found = list(filters("box/{device}/{connector}/state", ["b", "a/x"], (0, 1)))
    assert found == ["box/a/x/0/state", "box/a/x/1/state", "box/b/0/state", "box/b/1/state"]
    assert list(filters("box/{device}/all", ["b"], (0, 1))) == ["box/b/all"]
    assert list(filters("box/{device}/answer={id}", ["b"], (1,))) == ["box/b/+"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("box/{device}/state", ["box/+/state"]),
        ("box/{device}/evse{connector}/state", ["box/+/+/state"]),
        ("box/shelly-{device}/rpc", ["box/+/rpc"]),
        ("/sys/{device}/post", ["/sys/+/post"]),
        ("$oc/{device}/request_id={id}", ["$oc/+/+"]),
    ],
)
def test_many_devices_are_listened_to_with_wildcards(template: str, expected: list[str]) -> None:
    assert list(filters(template, MANY, (1, 2))) == expected


def test_a_name_of_several_segments_has_as_many_wildcards() -> None:
    names = [*(f"pk/{name}" for name in MANY), "single"]
    assert list(filters("/sys/{device}/post", names, (1,))) == ["/sys/+/post", "/sys/+/+/post"]


@pytest.mark.parametrize(
    ("text", "names", "topic", "device"),
    [
        ("box/{device}/state", ["a"], "box/a/state", "a"),
        ("/sys/{device}/post", ["p/d", "x"], "/sys/p/d/post", "p/d"),
        ("/sys/{device}/post", ["p/d", "x"], "/sys/x/post", "x"),
        ("{device}/status/switch:0", ["a/b"], "a/b/status/switch:0", "a/b"),
        ("s-{device}.x/{device}", ["a"], "s-a.x/a", "a"),
    ],
)
def test_the_device_is_read_out_of_a_topic(text: str, names: list[str], topic: str, device: str) -> None:
    hit = Template(text, names).match(topic)
    assert hit is not None
    assert hit.device == device


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("box/{device}/state", "box/a/b/state"),
        ("box/{device}/state", "box//state"),
        ("box/{device}/state", "box/a/states"),
        ("s-{device}/{device}", "s-a/b"),
        ("box.{device}", "boxxa"),
    ],
)
def test_other_shapes_are_no_topics_of_it(text: str, topic: str) -> None:
    assert Template(text, ["a"]).match(topic) is None


def test_the_id_of_a_command_is_read_out_of_its_answers_topic() -> None:
    hit = Template("$oc/{device}/response/request_id={id}", ["a"]).match("$oc/a/response/request_id=r-7")
    assert hit is not None
    assert (hit.device, hit.id) == ("a", "r-7")


@pytest.mark.parametrize("name", ["", "a//b", "/a", "a/", "a+", "#", "a\x00", "a\nb", "x" * 257])
def test_names_that_fit_in_no_topic(name: str) -> None:
    assert not fit_for_topics(name)


def test_what_can_be_published_on() -> None:
    assert publishable("/sys/p/d/thing")
    assert not publishable("box/+/x")
    assert not publishable("box/a\nb")
    assert not publishable("")
