from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.faults import CATALOGUE, KINDS
from simulators.temperaments import Temperament
from simulators.words import Action, BootReason, Shown, Topic
from tests.unit.simulators.bench import START, Bench, make

OCPP = {
    "available": {"preparing", "charging", "suspended_ev", "suspended_evse", "reserved", "unavailable", "faulted"},
    "preparing": {"available", "charging", "suspended_ev", "suspended_evse", "finishing", "faulted"},
    "charging": {"available", "suspended_ev", "suspended_evse", "finishing", "unavailable", "faulted"},
    "suspended_ev": {"available", "charging", "suspended_evse", "finishing", "unavailable", "faulted"},
    "suspended_evse": {"available", "charging", "suspended_ev", "finishing", "unavailable", "faulted"},
    "finishing": {"available", "preparing", "unavailable", "faulted"},
    "reserved": {"available", "preparing", "unavailable", "faulted"},
    "unavailable": {"available", "preparing", "charging", "suspended_ev", "suspended_evse", "faulted"},
    "faulted": {"available", "preparing", "charging", "finishing", "reserved", "unavailable", "suspended_ev"},
}
DAY_S = 86400.0
FATE = Temperament(answers_after_s=(0.1, 0.1))


def test_a_connecting_pile_says_who_it_is_and_how_it_is() -> None:
    bench = make()
    status, telemetry = bench.said
    assert (status.topic, status.retain) == (Topic.STATUS, True)
    assert status.payload["online"] is True
    assert status.payload["boot_id"] == f"HZ01-003-{bench.pile.boot}"
    assert status.payload["model"] == "Longteng DC120"
    assert [each["status"] for each in telemetry.payload["connectors"]] == ["available", "available"]
    assert telemetry.payload["faults"] == []
    assert bench.pile.topic(telemetry) == "pile/v1/HZ01/HZ01-003/telemetry"
    assert json.loads(json.dumps(telemetry.payload)) == telemetry.payload


def test_telemetry_comes_at_the_heartbeat_and_counts_up() -> None:
    bench = make(heartbeat_s=30.0)
    messages = bench.run(95.0)
    assert [each.topic for each in messages] == [Topic.TELEMETRY] * 3
    seqs = [each.payload["seq"] for each in messages]
    assert seqs == [seqs[0], seqs[0] + 1, seqs[0] + 2]
    uptimes = [each.payload["uptime_s"] for each in messages]
    assert uptimes[2] - uptimes[0] == 60
    times = [datetime.fromisoformat(each.payload["ts"]) for each in messages]
    assert times[0] == datetime.fromtimestamp(START + 30.0, UTC)


def test_late_calls_give_the_same_messages_as_punctual_ones() -> None:
    punctual, late = make(5, fault_rate=30.0, sessions_per_day=30.0), make(5, fault_rate=30.0, sessions_per_day=30.0)
    end = START + DAY_S
    while punctual.pile.next_at() <= end:
        punctual.run(max(punctual.pile.next_at() - punctual.now, 0.0))
    late.run(DAY_S)
    assert punctual.said == late.said
    assert len(late.said) > 1000


def test_a_driver_charges_and_leaves() -> None:
    bench = make(3)
    bench.said += bench.pile.driver(bench.now, connector=1)
    bench.run(90.0)
    live = bench.telemetry()["connectors"][0]
    assert live["status"] == "charging"
    assert live["session"]
    before_wh = live["energy_wh"]
    bench.run(300.0)
    live = bench.telemetry()["connectors"][0]
    assert live["power_w"] > 10_000
    assert live["current_a"] == pytest.approx(live["power_w"] / live["voltage_v"], abs=0.02)
    assert live["energy_wh"] > before_wh
    bench.run(3 * 3600.0)
    idle = bench.telemetry()["connectors"][0]
    assert (idle["status"], idle["session"], idle["power_w"]) == ("available", None, 0)
    (met,) = bench.pile.take_encounters()
    assert met.charged
    assert met.symptom is None


@given(
    seed=st.integers(0, 10_000),
    model=st.integers(0, 3),
    rate=st.sampled_from([0.0, 20.0, 200.0]),
    commands=st.lists(st.sampled_from(list(Action)), max_size=6),
)
def test_every_told_transition_is_one_that_ocpp_knows(
    seed: int, model: int, rate: float, commands: list[Action]
) -> None:
    bench = make(seed, model, fault_rate=rate, sessions_per_day=60.0)
    for number, action in enumerate(commands):
        bench.run(3000.0)
        args = {"available": "false"} if action is Action.SET_AVAILABILITY and number % 2 else {}
        bench.command(f"c{number}", action, args=args)
    bench.run(20_000.0)
    shown: dict[int, str] = {}
    for message in bench.said:
        if message.topic is Topic.STATUS:
            shown = {}
        elif message.topic is Topic.TELEMETRY:
            for each in message.payload["connectors"]:
                before, after = shown.get(each["id"], each["status"]), str(each["status"])
                assert before == after or after in OCPP[before], (before, after)
                shown[each["id"]] = after


@given(seed=st.integers(0, 10_000), model=st.integers(0, 3), rate=st.sampled_from([1.0, 50.0]))
def test_counters_are_consistent(seed: int, model: int, rate: float) -> None:
    bench = make(seed, model, fault_rate=rate, sessions_per_day=40.0)
    bench.run(60_000.0)
    meters: dict[int, int] = {}
    last: dict[str, Any] = {"seq": -1, "uptime_s": -1}
    for message in bench.said:
        if message.topic is Topic.STATUS and message.payload["online"]:
            if message.payload["boot_reason"] != BootReason.POWER_UP:
                last = {"seq": -1, "uptime_s": -1}
        elif message.topic is Topic.TELEMETRY:
            payload = message.payload
            assert payload["seq"] > last["seq"]
            assert payload["uptime_s"] >= last["uptime_s"]
            last = payload
            for each in payload["connectors"]:
                assert each["energy_wh"] >= meters.get(each["id"], 0)
                meters[each["id"]] = each["energy_wh"]
                assert (each["session"] is None) <= (each["power_w"] == 0)


@pytest.mark.parametrize("kind", [kind.name for kind in CATALOGUE])
def test_every_fault_shows_as_the_catalogue_says(kind: str) -> None:
    bench = make(2)
    seen = len(bench.said)
    bench.inject(kind, 1)
    bench.run(200.0 if KINDS[kind].shown is not Shown.SILENT else 600.0)
    told = bench.said[seen:]
    status = bench.telemetry()["connectors"][0]["status"]
    codes = [each["code"] for each in bench.telemetry()["faults"]]
    if kind == "link_lost":
        assert [each.payload for each in told] == [{"online": False}]
        assert told[0].by_broker
        assert not bench.pile.reachable
    elif KINDS[kind].shown is Shown.SILENT:
        assert told == []
        assert bench.pile.reachable
        assert bench.pile.next_at() == inf or bench.pile.next_at() > bench.now
    elif KINDS[kind].shown is Shown.HIDDEN:
        assert (status, codes) == ("available", [])
        assert not bench.pile.condition(1).can_charge
    elif KINDS[kind].shown is Shown.FAULTED:
        assert status == "faulted"
        assert codes == [bench.pile.nature.model.codes.get(KINDS[kind].code or "", KINDS[kind].code)]
        assert bench.pile.truth.faults[0].told_at is not None
    elif KINDS[kind].shown is Shown.STUCK_PREPARING:
        assert status == "preparing"
    elif KINDS[kind].shown is Shown.STUCK_FINISHING:
        assert status == "finishing"
    elif KINDS[kind].shown is Shown.UPDATING:
        assert status == "unavailable"
        assert bench.pile.condition().updating
    elif KINDS[kind].shown is Shown.WARNING:
        assert status == "available"
        assert codes == [KINDS[kind].code]
        assert bench.pile.condition(1).can_charge


def test_a_third_of_what_stops_drivers_sits_on_piles_that_look_healthy() -> None:
    blocking = sum(kind.per_day for kind in CATALOGUE if kind.blocks)
    hidden = sum(kind.per_day for kind in CATALOGUE if kind.shown is Shown.HIDDEN)
    assert 0.28 < hidden / blocking < 0.4


def test_a_flapping_fault_comes_and_goes() -> None:
    bench = make(4)
    bench.inject("controller_flapping")
    bench.run(3600.0)
    statuses = [each.payload["connectors"][0]["status"] for each in bench.said if each.topic is Topic.TELEMETRY]
    changes = sum(a != b for a, b in pairwise(statuses))
    assert changes >= 4


def test_an_update_ends_in_a_boot_of_its_own() -> None:
    bench = make(6)
    bench.inject("firmware_update")
    bench.run(3600.0)
    assert bench.births()[-1]["boot_reason"] == BootReason.FIRMWARE_UPDATE
    assert bench.births()[-1]["firmware"] != bench.births()[0]["firmware"]


def test_a_soft_reset_is_answered_and_ends_in_a_new_boot() -> None:
    bench = make(1, temperament=FATE)
    first = bench.pile.boot
    bench.command("a1", "reset_soft")
    bench.run(300.0)
    assert bench.acks("a1") == [{"id": "a1", "result": "accepted", "reason": ""}]
    assert bench.births()[-1]["boot_id"] == f"HZ01-003-{first + 1}"
    assert bench.births()[-1]["boot_reason"] == "remote_reset"
    assert bench.telemetry()["uptime_s"] < 300
    assert [each.command for each in bench.pile.truth.resets] == ["a1"]


@given(seed=st.integers(0, 500), repeats=st.integers(1, 6), gap=st.floats(0.0, 400.0), forgets=st.booleans())
def test_one_id_is_carried_out_at_most_once_within_a_boot(
    seed: int, repeats: int, gap: float, *, forgets: bool
) -> None:
    bench = make(seed, temperament=Temperament(forgets_ids=forgets))
    for _ in range(repeats):
        bench.command("same", "reset_hard")
        bench.run(gap)
    bench.run(600.0)
    runs = bench.pile.truth.by_command().get("same", [])
    assert len({each.boot for each in runs}) == len(runs)
    if not forgets:
        assert len(runs) == 1
        assert not bench.pile.truth.doubles


def test_a_forgetful_pile_can_be_made_to_restart_twice() -> None:
    bench = make(1, temperament=Temperament(forgets_ids=True))
    for _ in range(2):
        bench.command("same", "reset_hard")
        bench.run(600.0)
    assert bench.pile.truth.doubles == {"same": 2}


def test_an_expired_command_is_refused_by_whoever_has_a_clock() -> None:
    past = (datetime.fromtimestamp(START, UTC) - timedelta(seconds=5)).isoformat()
    careful, careless = make(1, 0), make(1, 2)
    for bench in (careful, careless):
        bench.command("late", "reset_soft", expires_at=past)
        bench.run(1.0)
    assert careful.acks("late")[0]["result"] == "refused"
    assert careful.acks("late")[0]["reason"] == "expired"
    assert careful.pile.truth.executions == []
    assert len(careless.pile.truth.executions) == 1


def test_a_wrong_clock_shows_and_misjudges_expiry() -> None:
    bench = make(1, temperament=Temperament(clock_error_s=8 * 3600.0))
    bench.command("c", "report", expires_at=(datetime.fromtimestamp(START, UTC) + timedelta(hours=1)).isoformat())
    bench.run(61.0)
    assert bench.acks("c")[0]["reason"] == "expired"
    told = datetime.fromisoformat(bench.telemetry()["ts"])
    assert told - datetime.fromtimestamp(bench.now, UTC) > timedelta(hours=7)


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ({"action": "dance"}, "unsupported"),
        ({"action": None}, "unsupported"),
        ({"action": "unlock", "connector": 9}, "refused"),
        ({"action": "unlock", "connector": "one"}, "refused"),
        ({"action": "report", "expires_at": "soon"}, "refused"),
        ({"action": "stop_session", "connector": 1}, "refused"),
        ({"action": "pull_log", "args": "none"}, "accepted"),
    ],
)
def test_what_it_cannot_do_is_answered_and_harms_nothing(command: dict[str, Any], result: str) -> None:
    bench = make()
    bench.said += bench.pile.command(bench.now, {"id": "x"} | command)
    bench.run(2.0)
    assert [each["result"] for each in bench.acks("x")] == [result]
    assert bench.pile.truth.resets == []


def test_a_make_without_a_relay_does_not_know_power_cycles() -> None:
    bench = make(1, model=1)
    bench.command("p", "power_cycle")
    bench.run(2.0)
    assert bench.acks("p")[0]["result"] == "unsupported"


def test_a_guarding_make_refuses_a_reset_while_somebody_charges_and_another_records_the_harm() -> None:
    guarding, obeying = make(3, model=0), make(3, model=3)
    for bench in (guarding, obeying):
        bench.said += bench.pile.driver(bench.now, connector=1)
        bench.run(90.0)
        assert bench.pile.condition(1).session is not None
        bench.command("r", "reset_soft")
        bench.run(2.0)
    assert guarding.acks("r")[0] == {"id": "r", "result": "refused", "reason": "transaction in progress"}
    (harm,) = obeying.pile.truth.resets
    assert harm.unsafe
    assert harm.reckless
    assert harm.session is not None


def test_a_danger_nobody_could_know_of_is_unsafe_but_not_reckless() -> None:
    bench = make(1)
    bench.inject("smouldering_plug", 1)
    bench.command("r", "reset_soft")
    (harm,) = bench.pile.truth.resets
    assert (harm.danger, harm.unsafe, harm.reckless) == ("smouldering_plug", True, False)


def test_a_hung_application_hears_only_a_hard_reset() -> None:
    bench = make(1)
    bench.inject("application_hung")
    bench.command("soft", "reset_soft")
    bench.command("report", "report")
    bench.run(10.0)
    assert bench.acks("soft") == bench.acks("report") == []
    for number in range(5):
        bench.command(f"hard{number}", "reset_hard")
        bench.run(300.0)
    assert bench.pile.condition().faults == ()
    assert bench.telemetry()["connectors"][0]["status"] == "available"


def test_characters_differ() -> None:
    mute, idle, late = (
        make(1, temperament=Temperament(mute=True)),
        make(1, temperament=Temperament(idle_hands=True)),
        make(1, temperament=Temperament(answers_after_s=(40.0, 60.0))),
    )
    for bench in (mute, idle, late):
        bench.command("u", "pull_log")
        bench.run(5.0)
    assert mute.acks("u") == []
    assert len(mute.pile.truth.executions) == 1
    assert idle.acks("u")[0]["result"] == "accepted"
    assert idle.pile.truth.executions == []
    assert late.acks("u") == []
    late.run(60.0)
    assert late.acks("u")[0]["result"] == "accepted"


def test_a_liar_says_available_whatever_is_wrong() -> None:
    bench = make(1, temperament=Temperament(says_available=True))
    bench.inject("ground_fault", 1)
    bench.run(61.0)
    assert bench.telemetry()["connectors"][0]["status"] == "available"
    assert bench.telemetry()["faults"] == []
    assert not bench.pile.condition(1).can_charge
    assert bench.pile.truth.faults[0].told_at is None


def test_a_pile_that_never_returns_waits_for_a_visit() -> None:
    bench = make(1, temperament=Temperament(never_returns=1.0))
    bench.command("r", "reset_hard")
    bench.run(4000.0)
    assert not bench.pile.reachable
    assert bench.pile.condition().dead
    assert bench.said[-1].payload == {"online": False}
    bench.said += bench.pile.repair(bench.now, fixed=False)
    assert bench.pile.condition().dead
    bench.said += bench.pile.repair(bench.now, fixed=True)
    bench.run(300.0)
    assert bench.births()[-1]["boot_reason"] == "local_reset"


def test_a_repair_ends_every_fault_and_danger() -> None:
    bench = make(1)
    bench.inject("contactor_weld", 1)
    bench.inject("screen_dark")
    assert bench.pile.condition().danger == "contactor_weld"
    bench.said += bench.pile.repair(bench.now, fixed=True)
    bench.run(300.0)
    condition = bench.pile.condition()
    assert (condition.faults, condition.danger, condition.can_charge) == ((), None, True)
    assert bench.births()[-1]["boot_reason"] == "local_reset"
    assert {each.ended_by for each in bench.pile.truth.faults} == {"visit"}


def test_set_availability_survives_a_restart() -> None:
    bench = make(1)
    bench.command("off", "set_availability", args={"available": "false"})
    bench.run(2.0)
    assert bench.telemetry()["connectors"][1]["status"] == "unavailable"
    bench.command("r", "reset_hard")
    bench.run(300.0)
    assert bench.telemetry()["connectors"][1]["status"] == "unavailable"
    bench.command("on", "set_availability", args={"available": "true"})
    bench.run(2.0)
    assert bench.telemetry()["connectors"][1]["status"] == "available"


def test_a_lost_link_leaves_a_will_and_what_was_kept_comes_later() -> None:
    bench = make(3, temperament=Temperament(buffers=True))
    bench.said += bench.pile.link(bench.now, up=False)
    bench.run(200.0)
    assert [each.payload for each in bench.said[2:] if each.by_broker] == [{"online": False}]
    bench.said += bench.pile.driver(bench.now, connector=1)
    bench.run(120.0)
    before = len(bench.said)
    bench.said += bench.pile.link(bench.now, up=True)
    after = bench.said[before:]
    assert after[0].topic is Topic.STATUS
    statuses = [each.payload["connectors"][0]["status"] for each in after[1:]]
    assert statuses == ["preparing", "charging", "charging"]
    seqs = [each.payload["seq"] for each in after[1:]]
    assert seqs == sorted(set(seqs))


def test_a_quick_return_shows_the_will_before_the_birth() -> None:
    bench = make(1)
    bench.said += bench.pile.link(bench.now, up=False)
    bench.run(5.0)
    back = bench.pile.link(bench.now, up=True)
    assert [(each.topic, each.payload.get("online")) for each in back] == [
        (Topic.STATUS, False),
        (Topic.STATUS, True),
        (Topic.TELEMETRY, None),
    ]


def test_commands_to_an_unreachable_pile_are_lost() -> None:
    bench = make(1)
    bench.inject("link_lost")
    bench.command("r", "reset_hard")
    bench.run(300.0)
    assert bench.pile.truth.executions == []
    assert bench.pile.truth.commands_lost == 1


def test_a_power_cut_ends_sessions_and_power_brings_a_new_boot() -> None:
    bench = make(3)
    bench.said += bench.pile.driver(bench.now, connector=1)
    bench.run(90.0)
    boot = bench.pile.boot
    bench.said += bench.pile.power(bench.now, on=False)
    bench.run(600.0)
    assert not bench.pile.condition().running
    assert bench.pile.condition(1).session is None
    bench.said += bench.pile.power(bench.now, on=True)
    bench.run(600.0)
    assert bench.pile.boot == boot + 1
    assert bench.births()[-1]["boot_reason"] == "power_up"


def test_a_driver_who_cannot_charge_is_an_encounter() -> None:
    bench: Bench = make(1)
    bench.inject("start_ignored", 1)
    bench.said += bench.pile.driver(bench.now, connector=1)
    (met,) = bench.pile.take_encounters()
    assert (met.charged, met.fault, met.danger, met.connector) == (False, "start_ignored", False, 1)
    assert bench.pile.take_encounters() == []
    bench.run(200.0)
    assert bench.telemetry()["connectors"][0]["status"] == "available"
