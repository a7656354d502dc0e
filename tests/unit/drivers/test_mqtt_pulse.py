"""The keepalive of a connection, beat by beat."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from triage.drivers.mqtt.pulse import Beat, Pulse

SILENCE_S = 8.0


def test_a_talk_in_both_directions_needs_no_ping() -> None:
    pulse = Pulse(SILENCE_S, 0.0)
    for second in range(1, 100):
        pulse.heard(second)
        pulse.said(second)
        assert pulse.beat(second + 0.5, listening=True) is Beat.REST


def test_silence_is_asked_about_once_and_then_believed() -> None:
    pulse = Pulse(SILENCE_S, 0.0)
    assert [pulse.beat(second, listening=True) for second in range(8)] == [Beat.REST] * 8
    assert pulse.beat(8, listening=True) is Beat.PING
    assert [pulse.beat(second, listening=True) for second in range(9, 16)] == [Beat.REST] * 7
    assert pulse.beat(16, listening=True) is Beat.GIVE_UP


def test_any_byte_is_an_answer() -> None:
    pulse = Pulse(SILENCE_S, 0.0)
    assert pulse.beat(8, listening=True) is Beat.PING
    pulse.heard(15.9)
    assert pulse.beat(16, listening=True) is Beat.PING, "the broker has not heard of us for as long"
    pulse.heard(23.9)
    assert pulse.beat(24, listening=True) is Beat.PING


def test_a_broker_that_talks_must_hear_of_us_too() -> None:
    pulse = Pulse(SILENCE_S, 0.0)
    beats = []
    for second in range(1, 33):
        pulse.heard(second)
        beats.append(pulse.beat(second, listening=True))
    assert [second for second, beat in enumerate(beats, 1) if beat is Beat.PING] == [8, 16, 24, 32]
    assert Beat.GIVE_UP not in beats


def test_whoever_talks_himself_still_asks_a_silent_broker() -> None:
    pulse = Pulse(SILENCE_S, 0.0)
    beats = []
    for second in range(1, 17):
        pulse.said(second)
        beats.append(pulse.beat(second, listening=True))
    assert (beats.index(Beat.PING), beats.index(Beat.GIVE_UP)) == (7, 15)


def test_a_broker_is_not_judged_while_nobody_listens() -> None:
    pulse = Pulse(SILENCE_S, 0.0)
    assert pulse.beat(8, listening=True) is Beat.PING
    beats = [pulse.beat(second, listening=False) for second in range(9, 1_000)]
    assert set(beats) == {Beat.REST, Beat.PING}
    assert beats.count(Beat.PING) == 991 // 8
    pulse.heard(1_000)
    assert pulse.beat(1_007, listening=True) is not Beat.GIVE_UP
    assert pulse.beat(1_009, listening=True) is not Beat.GIVE_UP, "it has a full silence to answer the ping"
    assert pulse.beat(1_020, listening=True) is Beat.GIVE_UP


@given(
    st.lists(
        st.tuples(st.sampled_from(["heard", "said", "beat", "deaf"]), st.floats(0.1, 3.0)), min_size=20, max_size=200
    )
)
def test_we_are_never_silent_for_long_and_never_give_up_who_was_just_heard(steps: list[tuple[str, float]]) -> None:
    now_s = heard_s = said_s = 0.0
    pulse = Pulse(SILENCE_S, now_s)
    for what, after_s in steps:
        now_s += after_s
        if what == "heard":
            pulse.heard(heard_s := now_s)
        elif what == "said":
            pulse.said(said_s := now_s)
        beat = pulse.beat(now_s, listening=what != "deaf")
        if what == "deaf":
            heard_s = now_s
        if beat is Beat.GIVE_UP:
            assert now_s - heard_s >= SILENCE_S
            return
        if beat is Beat.PING:
            said_s = now_s
        assert now_s - said_s < SILENCE_S
