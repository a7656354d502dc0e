"""What messages do to the picture of a device, without a broker."""

from __future__ import annotations

import pytest

from tests.unit.drivers.dialect.speech import START, Speech, at, telling
from triage.core.events import FaultClaim, PileStatus, Telemetry
from triage.core.vocabulary import ConnectorStatus
from triage.drivers.dialect.device import WrongError
from triage.drivers.dialect.quarantine import Reason

KEYS = """
mqtt:
  values:
    car: {topic: "go/{device}/car", type: number}
    err: {topic: "go/{device}/err", type: number}
    amp: {topic: "go/{device}/amp", unit: A, range: [0, 80]}
    uptime: {topic: "go/{device}/rbt", unit: ms}
    boots: {topic: "go/{device}/rbc"}
    kind: {topic: "go/{device}/typ", payload: text}
  presence: {topic: "go/{device}/mcc", online: [true], offline: [false]}
status:
  - from: car
    map: {"1": available, "2": charging}
faults:
  - from: err
    codes: {"8": GroundFailure}
readings: {current_a: amp}
boot: {uptime: uptime, counter: boots}
identity: {expect: [{kind: go}]}
"""


def box() -> Speech:
    speech = Speech(KEYS)
    speech.say("go/p-1/typ", b"go", retained=True)
    return speech


def reading(speech: Speech) -> Telemetry:
    event = speech.device.tell()[-1]
    assert isinstance(event, Telemetry)
    return event


def test_what_the_broker_kept_is_known_but_proves_no_life() -> None:
    speech = box()
    for key, value in (("car", 1), ("err", 0), ("rbc", 4)):
        assert not speech.say(f"go/p-1/{key}", value, retained=True).spoke
    assert speech.device.tell() == []
    assert speech.say("go/p-1/amp", 0, 7.0).spoke
    news, event = speech.device.tell()
    assert isinstance(news, PileStatus)
    assert (news.online, news.boot_id, news.retained, news.driver) == (True, "4", False, "dialect")
    assert isinstance(event, Telemetry)
    assert event.received_at == at(7.0).at
    assert (event.site, event.pile, event.retained) == ("north", "p-1", False)
    assert event.readings[0].status is ConnectorStatus.AVAILABLE
    assert event.readings[0].current_a == 0


def test_it_is_told_once_which_boot_this_is() -> None:
    speech = box()
    for count, seconds in ((4, 0), (4, 1), (5, 2)):
        speech.say("go/p-1/rbc", count, seconds)
        assert telling(speech.device) == (["Telemetry"] if seconds == 1 else ["PileStatus", "Telemetry"])


def test_an_uptime_runs_on_until_it_is_said_again() -> None:
    speech = box()
    speech.say("go/p-1/rbt", 50_000, retained=True)
    speech.say("go/p-1/car", 1, 1.0)
    assert reading(speech).uptime_s is None, "nobody knows when that was said"
    speech.say("go/p-1/rbt", 60_000, 2.0)
    assert reading(speech).uptime_s == 60.0
    speech.say("go/p-1/car", 1, 32.0)
    assert reading(speech).uptime_s == 90.0


def test_a_garbled_value_is_known_no_more_and_its_fault_stays() -> None:
    speech = box()
    speech.say("go/p-1/car", 1)
    speech.say("go/p-1/err", 8)
    assert [claim.code for claim in reading(speech).faults] == ["GroundFailure"]
    heard = speech.say("go/p-1/err", b"{no json", 1.0)
    assert (heard.problems, heard.spoke) == ([Reason.NOT_JSON], False)
    assert [claim.code for claim in reading(speech).faults] == ["GroundFailure"], "nothing said that it is gone"
    speech.say("go/p-1/car", b"\xff", 2.0)
    assert reading(speech).readings[0].status is None
    speech.say("go/p-1/err", 0, 3.0)
    assert reading(speech).faults == ()


def test_null_says_that_there_is_no_value_and_an_emptied_topic_that_nobody_knows() -> None:
    speech = box()
    speech.say("go/p-1/err", 8)
    reading(speech)
    speech.say("go/p-1/err", b"", 1.0)
    speech.say("go/p-1/car", 1, 1.0)
    assert [claim.code for claim in reading(speech).faults] == ["GroundFailure"]
    speech.say("go/p-1/err", None, 2.0)
    assert reading(speech).faults == ()


def test_an_impossible_value_makes_the_whole_picture_wrong_until_it_is_mended() -> None:
    speech = box()
    speech.say("go/p-1/car", 1)
    assert speech.say("go/p-1/amp", 5_000, 1.0).problems == [Reason.IMPOSSIBLE]
    with pytest.raises(WrongError, match="amp says 5000 A; possible is 0 to 80 A") as caught:
        speech.device.tell()
    assert caught.value.reason is Reason.IMPOSSIBLE
    assert speech.device.wrong
    speech.say("go/p-1/amp", 16, 2.0)
    assert reading(speech).readings[0].current_a == 16
    assert not speech.device.wrong


def test_another_model_is_not_believed_and_an_unknown_one_not_yet() -> None:
    speech = Speech(KEYS)
    speech.say("go/p-1/car", 1)
    with pytest.raises(WrongError) as caught:
        speech.device.tell()
    assert caught.value.reason is None
    speech.say("go/p-1/typ", b"toaster")
    with pytest.raises(WrongError, match="kind is 'toaster' and must be 'go'") as caught:
        speech.device.tell()
    assert caught.value.reason is Reason.WRONG_IDENTITY
    speech.say("go/p-1/typ", b"go")
    assert reading(speech).readings


def test_presence_is_told_on_change_and_with_its_retained_mark() -> None:
    speech = box()
    said = [
        speech.say("go/p-1/mcc", online, seconds, retained=retained)
        for seconds, (online, retained) in enumerate(
            [(True, True), (True, False), (True, False), (False, False), (False, False), (True, False)]
        )
    ]
    told = [[(event.online, event.retained) for event in heard.news] for heard in said]  # type: ignore[attr-defined]
    assert told == [[(True, True)], [(True, False)], [], [(False, False)], [], [(True, False)]]
    assert [heard.spoke for heard in said] == [False, False, True, False, False, False], "a heartbeat is a sign of life"
    assert speech.device.heard is None, "a birth does not say that the values of before still hold"


def test_a_will_that_came_late_is_told_again_later() -> None:
    speech = box()
    assert speech.say("go/p-1/mcc", False).lost
    speech.say("go/p-1/car", 1, 1.0)
    assert speech.device.there is None
    assert [event.online for event in speech.say("go/p-1/mcc", False, 2.0).news] == [False]  # type: ignore[attr-defined]


def test_a_presence_that_says_neither_is_put_aside() -> None:
    assert box().say("go/p-1/mcc", "perhaps").problems == [Reason.WRONG_SHAPE]


def test_a_new_connection_knows_nothing_but_the_faults_nobody_cleared() -> None:
    speech = box()
    speech.say("go/p-1/car", 1)
    speech.say("go/p-1/err", 8)
    reading(speech)
    speech.device.forget()
    assert speech.device.tell() == []
    speech.say("go/p-1/typ", b"go", 5.0)
    event = reading(speech)
    assert event.readings[0].status is None
    assert [claim.code for claim in event.faults] == ["GroundFailure"]
    speech.say("go/p-1/err", 0, 6.0)
    assert reading(speech).faults == ()


def test_after_a_restart_the_cores_claims_hold_until_their_values_are_said() -> None:
    known = (
        FaultClaim(code="GroundFailure", info="err 8"),
        FaultClaim(code="err 99", info=""),
        FaultClaim(code="HighTemperature", info="temp 90"),
    )
    speech = Speech(KEYS, recall=lambda _: known)
    speech.say("go/p-1/typ", b"go")
    assert [claim.code for claim in reading(speech).faults] == ["GroundFailure", "err 99"], "the third no rule can make"
    speech.say("go/p-1/err", 0)
    assert reading(speech).faults == ()


# --- faults as events -------------------------------------------------------------------------------------------------

EVENTS = """
mqtt:
  whole: false
  first_connector: 0
  values:
    state: {topic: "ev/{device}/doc", path: state, type: text}
    starts: {topic: "ev/{device}/doc", path: starts}
  events:
    - does: raise
      topic: "ev/{device}/event"
      when: "kind == 'raise'"
      key: "[type, origin.module]"
      code: type
      info: text
      connector: origin.evse
      codes: {rcd: GroundFailure}
    - does: clear
      topic: "ev/{device}/event"
      when: "kind == 'clear'"
      key: "[type, origin.module]"
    - does: list
      topic: "ev/{device}/active"
      path: errors
      key: "[type, origin.module]"
      code: type
      info: text
      connector: origin.evse
      codes: {rcd: GroundFailure}
status:
  - from: state
    map: {free: available}
boot: {starting: {state: booting}}
"""


def error(kind: str, type_: str = "rcd", module: str = "m", evse: int | None = 1) -> dict[str, object]:
    return {"kind": kind, "type": type_, "text": "words", "origin": {"module": module, "evse": evse}}


def test_faults_are_raised_and_cleared_by_key() -> None:
    speech = Speech(EVENTS, connectors=2)
    heard = speech.say("ev/p-1/event", error("raise"))
    assert (heard.spoke, heard.urgent) == (True, True)
    speech.say("ev/p-1/event", error("raise", "strange", evse=7))
    assert speech.claims() == [("GroundFailure", 2), ("strange", 0)]
    assert [claim.info for claim in speech.device.faults.claims()] == ["«rcd/m» rcd: words", "«strange/m» words"]
    assert speech.say("ev/p-1/event", error("clear", module="other")).spoke
    assert len(speech.claims()) == 2, "another one of the same type was cleared"
    speech.say("ev/p-1/event", error("clear"))
    assert speech.claims() == [("strange", 0)]
    assert not speech.say("ev/p-1/event", {"kind": "greeting"}).spoke


def test_a_list_is_all_there_is() -> None:
    speech = Speech(EVENTS, connectors=2)
    speech.say("ev/p-1/event", error("raise", "strange"))
    speech.say("ev/p-1/active", {"errors": [error("", module="a"), error("", module="b", evse=None)]})
    assert speech.claims() == [("GroundFailure", 2), ("GroundFailure", 0)]
    speech.say("ev/p-1/active", {"errors": []}, retained=True)
    assert speech.claims() == [], "a list that the broker kept is the device's last word"


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("event", b"\x00"),
        ("event", {"kind": "raise", "origin": {"module": None}, "text": "x"}),
        ("event", {"kind": "raise", "type": None, "origin": {"module": "m"}}),
        ("active", {"errors": "none"}),
        ("active", {"errors": [error("", module="a"), {}]}),
    ],
)
def test_garbage_raises_and_clears_nothing(topic: str, payload: object) -> None:
    speech = Speech(EVENTS)
    speech.say("ev/p-1/event", error("raise", evse=0))
    heard = speech.say(f"ev/p-1/{topic}", payload)
    assert heard.problems
    assert not heard.spoke
    assert speech.claims() == [("GroundFailure", 1)]


def test_retained_events_are_history() -> None:
    speech = Speech(EVENTS)
    speech.say("ev/p-1/event", error("raise"), retained=True)
    assert speech.claims() == []


def test_events_of_before_a_restart_are_cleared_by_their_key() -> None:
    kept = (FaultClaim(code="GroundFailure", connector=1, info="«rcd/m» rcd: words"),)
    speech = Speech(EVENTS, recall=lambda _: kept)
    speech.say("ev/p-1/doc", {"state": "free"})
    assert reading(speech).faults == kept
    speech.say("ev/p-1/event", error("clear"))
    assert reading(speech).faults == ()


def test_what_a_batch_leaves_out_keeps_its_value_and_what_was_kept_says_nothing() -> None:
    speech = Speech(EVENTS)
    speech.say("ev/p-1/doc", {"state": "free"}, retained=True)
    speech.say("ev/p-1/doc", {"starts": 1})
    assert reading(speech).readings[0].status is None
    speech.say("ev/p-1/doc", {"state": "free"})
    speech.say("ev/p-1/doc", {"starts": 2})
    assert reading(speech).readings[0].status is ConnectorStatus.AVAILABLE


def test_each_beginning_of_a_start_is_a_boot_with_the_moments_name() -> None:
    speech = Speech(EVENTS)
    states = ["free", "booting", "booting", "free", "booting"]
    boots = []
    for seconds, state in enumerate(states):
        speech.say("ev/p-1/doc", {"state": state}, seconds)
        boots += [event.boot_id for event in speech.device.tell() if isinstance(event, PileStatus)]
    assert boots == [None, "start 2026-11-21T08:00:01Z", "start 2026-11-21T08:00:04Z"]


def test_a_start_too_short_for_a_reading_is_seen_all_the_same() -> None:
    speech = Speech(EVENTS)
    for seconds, state in enumerate(("free", "booting", "free")):
        speech.say("ev/p-1/doc", {"state": state}, seconds)
    news, _ = speech.device.tell()
    assert isinstance(news, PileStatus)
    assert (news.boot_id, news.received_at) == ("start 2026-11-21T08:00:01Z", at(2).at)


SELDOM = """
mqtt:
  values:
    relay: {topic: "sh/{device}/relay", type: bool}
    uptime: {topic: "sh/{device}/sys", path: uptime, unit: s}
status: [{from: relay, map: {"true": available}}]
boot: {uptime: uptime}
"""


def test_a_restart_is_seen_though_other_things_were_said_before_its_uptime() -> None:
    speech = Speech(SELDOM)
    for topic, payload, seconds in (
        ("sys", {"uptime": 5_000}, 0.0),
        ("relay", True, 60.0),
        ("relay", True, 63.0),  # started again 3 s ago; its uptime comes later
        ("sys", {"uptime": 23}, 83.0),
        ("relay", True, 90.0),
    ):
        speech.say(f"sh/p-1/{topic}", payload, seconds)
        *news, event = speech.device.tell()
        assert isinstance(event, Telemetry)
        if seconds == 83.0:
            (born,) = news
            assert isinstance(born, PileStatus)
            assert (born.online, born.boot_id) == (True, f"start {START:%Y-%m-%d}T08:01:23Z")
            assert event.uptime_s == 23
        else:
            assert len(news) == (seconds == 0.0)
    assert reading(speech).uptime_s == 30


def test_a_restart_during_an_outage_of_ours_is_seen_but_not_by_what_waited_at_the_broker() -> None:
    speech = Speech(SELDOM)
    speech.say("sh/p-1/sys", {"uptime": 100}, 0.0)
    speech.device.tell()
    speech.device.forget(at(605.0).at_s)
    speech.say("sh/p-1/sys", {"uptime": 130}, 600.0)  # said long ago
    assert reading(speech).uptime_s is None
    speech.say("sh/p-1/sys", {"uptime": 40}, 640.0)
    born, event = speech.device.tell()
    assert isinstance(born, PileStatus)
    assert isinstance(event, Telemetry)
    assert (born.boot_id, event.uptime_s) == ("start 2026-11-21T08:10:40Z", 40)


OUTLETS = """
connectors: 2
mqtt:
  first_connector: 3
  values:
    state: {topic: "go/{device}/st", path: "ch[?n==`{connector}`] | [0].st", of: connector}
    err: {topic: "go/{device}/st", path: "ch[?n==`{connector}`].err | [0]", of: connector}
    ses: {topic: "go/{device}/st", path: "ch[?n==`{connector}`] | [0].ses", invalid: ["-"], of: connector}
status:
  - from: state
    map: {idle: available, charging: charging}
faults:
  - from: err
    codes: {comm: CommunicationFault}
session: {id: ses}
"""


@pytest.mark.parametrize("nobody", [None, "", 0, "-"])
def test_an_outlet_that_says_null_has_no_fault_and_no_session(nobody: object) -> None:
    speech = Speech(OUTLETS, connectors=2)
    speech.say("go/p-1/st", {"ch": [{"n": 3, "st": "idle", "err": "comm", "ses": "A-1"}]})
    first, second = reading(speech).readings
    assert (first.session, first.session_known) == ("A-1", True)
    assert (second.session, second.session_known) == (None, False), "never heard"
    speech.say("go/p-1/st", {"ch": [{"n": 4, "st": "idle", "err": None, "ses": nobody}]}, 1.0)
    told = reading(speech)
    assert [(claim.code, claim.connector) for claim in told.faults] == [("CommunicationFault", 1)]
    assert [(each.session, each.session_known) for each in told.readings] == [("A-1", True), (None, True)]
    speech.say("go/p-1/st", {"ch": [{"n": 3, "err": None, "ses": nobody}]}, 2.0)
    told = reading(speech)
    assert told.faults == ()
    assert [(each.session, each.session_known) for each in told.readings] == [(None, True), (None, True)]
