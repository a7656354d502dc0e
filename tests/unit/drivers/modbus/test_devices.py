"""From the fleet's rows to addresses, layouts and the requests of an action."""

from __future__ import annotations

import pytest

from tests.integration.modbus_stand import action, profile
from triage.config.profile.file import Profile
from triage.config.profile.writing import UnwritableError
from triage.core.events import Registration
from triage.core.vocabulary import Action
from triage.drivers.modbus.course import Await, Pause, Send, moves
from triage.drivers.modbus.endpoint import Address, address_of
from triage.drivers.modbus.messages import ExceptionReplyError, SilentError, reply_error
from triage.drivers.modbus.room import Kind, plan
from triage.errors import InputError


def row(pile: str = "p", endpoint: str = "10.0.0.1", unit: int | None = None, connectors: int = 1) -> Registration:
    return Registration(pile=pile, site="s", region="r", endpoint=endpoint, unit=unit, connectors=connectors)


def kind(wanted: Profile, connectors: int = 1, unit: int | None = None) -> Kind:
    return plan([(row(connectors=connectors, unit=unit), wanted)])["p"].kind


# --- endpoints ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.0.0.1", "10.0.0.1", 502),
        ("10.0.0.1:1502", "10.0.0.1", 1502),
        ("box.site.example:503", "box.site.example", 503),
        ("modbus://10.0.0.1:503", "10.0.0.1", 503),
        ("tcp://10.0.0.1", "10.0.0.1", 502),
        ("[fe80::1]:1502", "fe80::1", 1502),
        ("fe80::1", "fe80::1", 502),
    ],
)
def test_an_endpoint_is_a_host_and_perhaps_a_port(text: str, host: str, port: int) -> None:
    assert address_of(text, 502) == Address(host, port)


@pytest.mark.parametrize(
    "text", ["", " ", ":502", "a:b", "a:0", "a:70000", "a/b", "a?b", "user@a", "http://a", "[fe80::1"]
)
def test_what_is_no_endpoint_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        address_of(text, 502)


def test_an_address_is_shown_as_it_is_written() -> None:
    assert str(Address("10.0.0.1", 502)) == "10.0.0.1:502"
    assert str(Address("fe80::1", 502)) == "[fe80::1]:502"


def test_all_faulty_rows_are_told_at_once() -> None:
    wanted = profile(modbus={"connectors": {"unit_stride": 200}}, registers={"own": connector_register()})
    with pytest.raises(InputError) as caught:
        plan([(row("a", "x/y"), wanted), (row("b", connectors=3), wanted), (row("c"), wanted)])
    assert [fault.field for fault in caught.value.faults] == ["a", "b"]


def connector_register(**more: object) -> dict[str, object]:
    return {"table": "holding", "address": 900, "type": "u16", "of": "connector", "stride": 10, "access": "rw", **more}


def test_devices_alike_share_what_was_prepared_for_them() -> None:
    wanted = profile()
    planned = plan([(row("a"), wanted), (row("b", "10.0.0.2"), wanted), (row("c", unit=7), wanted)])
    assert planned["a"].kind is planned["b"].kind
    assert planned["a"].kind is not planned["c"].kind
    assert [planned[pile].kind.layout.unit for pile in "ac"] == [1, 7]


def test_what_is_written_only_or_never_read_is_not_asked_for() -> None:
    hidden = {"table": "holding", "address": 700, "type": "u16", "read": "never"}
    layout = kind(profile(registers={"hidden": hidden})).layout
    polled, kept = {place.name for place in layout.polled}, {place.name for place in layout.kept}
    assert "hidden" not in polled | kept
    assert "reset" not in polled | kept
    assert kept == {"model", "firmware"}


# --- actions --------------------------------------------------------------------------------------------------------


def todo(wanted: Profile, connector: int = 0, connectors: int = 1, speed: float = 1.0) -> list[object]:
    spec = wanted.spec(Action.UNLOCK)
    assert spec is not None
    return list(moves(spec.steps, connector, kind(wanted, connectors), speed))


def acting(*steps: dict[str, object], **more: object) -> Profile:
    return profile(actions={"unlock": action(*steps)}, **more)


def test_steps_become_requests_and_waits() -> None:
    wanted = acting({"write": {"lock": 1}}, {"wait_s": 3}, {"expect": {"state": 0}, "within_s": 20})
    send, pause, wait = todo(wanted, speed=2.0)
    assert isinstance(send, Send)
    assert (send.unit, send.write.address, send.write.words, send.within_s, send.again) == (1, 300, (1,), 30.0, True)
    assert pause == Pause(1.5)
    assert isinstance(wait, Await)
    assert wait.within_s == 10.0


def test_no_speed_makes_a_device_answer_sooner_than_it_can() -> None:
    send, wait = todo(acting({"write": {"lock": 1}}, {"expect": {"state": 0}, "within_s": 0.5}), speed=1_000.0)
    assert isinstance(send, Send)
    assert isinstance(wait, Await)
    assert (send.within_s, wait.within_s) == (2.0, 0.5)


def test_a_trigger_is_not_repeated_unless_it_says_so() -> None:
    trigger, told = todo(acting({"write": {"reset": 1}}, {"write": {"reset": 1}, "again": True}))
    assert isinstance(trigger, Send)
    assert isinstance(told, Send)
    assert (trigger.again, told.again) == (False, True)


@pytest.mark.parametrize(("connector", "addresses"), [(0, [900, 910, 920]), (1, [900]), (3, [920])])
def test_a_connectors_register_is_written_where_it_is_meant(connector: int, addresses: list[int]) -> None:
    wanted = acting({"write": {"own": 1}}, registers={"own": connector_register()})
    sends = [each for each in todo(wanted, connector, connectors=3) if isinstance(each, Send)]
    assert [each.write.address for each in sends] == addresses


@pytest.mark.parametrize(
    ("write", "text"),
    [({"reset": 0}, "forbidden"), ({"lock": 2}, "lock"), ({"state": 1}, "read-only"), ({"nothing": 1}, "no register")],
)
def test_what_must_not_be_written_makes_no_request(write: dict[str, int], text: str) -> None:
    with pytest.raises(UnwritableError, match=text):
        todo(acting({"write": {"lock": 1}}, {"write": write}))


def test_a_message_cannot_be_published_over_modbus() -> None:
    with pytest.raises(UnwritableError, match="publish"):
        todo(acting({"publish": {"topic": "a/b"}}))


# --- exceptions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind_", "alive", "arrived"),
    [
        (1, "exception", True, False),
        (2, "exception", True, False),
        (3, "exception", True, False),
        (4, "exception", True, True),
        (5, "busy", True, True),
        (6, "busy", True, False),
        (10, "gateway", False, False),
        (11, "gateway", False, True),
        (99, "exception", True, False),
    ],
)
def test_exceptions_are_told_apart(code: int, kind_: str, alive: bool, arrived: bool) -> None:
    error = reply_error(code)
    assert isinstance(error, ExceptionReplyError)
    assert (error.kind, error.alive, error.arrived, error.code) == (kind_, alive, arrived, code)


@pytest.mark.parametrize("code", [1, 2, 3, 7, 8, 99])
def test_an_exception_is_the_devices_no(code: int) -> None:
    assert reply_error(code).declined


@pytest.mark.parametrize("code", [4, 5, 6, 10, 11])
def test_failing_taking_its_time_and_being_busy_or_away_are_no_refusals(code: int) -> None:
    assert not reply_error(code).declined


def test_what_did_not_answer_declined_nothing() -> None:
    assert not SilentError("no answer").declined
