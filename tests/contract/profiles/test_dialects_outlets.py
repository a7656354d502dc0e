"""Shelly and Tasmota outlets for e-bikes, and the switches that cut power: what they say and what they are told.

Every expected value was worked out by hand from the makers' descriptions.
"""

from __future__ import annotations

import json

import pytest

from tests.contract.profiles.ears import Ear
from tests.contract.profiles.plates import Plate, profile_of
from triage.core.vocabulary import Action, BootReason

PLUS = "shellyplus1pm-a8032ab12345"
GEN1 = "shelly1pm-A4CF12"


def gen2(**status: object) -> Ear:
    """A Shelly whose first switch has told this status."""
    ear = Ear("shelly_gen2", PLUS)
    return ear.say(f"{PLUS}/status/switch:0", json.dumps({"id": 0, "source": "init", **status}))


class TestShellyGen2:
    @pytest.mark.parametrize(
        ("status", "seen", "session"),
        [
            ({"output": False, "apower": 0.0}, "available", "none"),
            ({"output": True, "apower": 181.5}, "charging", "live"),
            ({"output": True, "apower": 5.0}, "charging", "live"),
            ({"output": True, "apower": 1.2}, "suspended_ev", "live"),
            ({"output": True}, None, "live"),
            ({"apower": 0.0}, None, "unknown"),
            ({"output": False, "apower": 0.0, "errors": ["overpower"]}, "faulted", "none"),
        ],
    )
    def test_an_outlet_charges_when_power_flows(self, status: dict[str, object], seen: str, session: str) -> None:
        ear = gen2(**status)
        assert ear.status() == seen
        assert ear.session() == session

    @pytest.mark.parametrize(
        ("errors", "codes"),
        [
            ([], []),
            (["overtemp"], ["HighTemperature"]),
            (["overpower"], ["Overload"]),
            (["overcurrent"], ["OverCurrentFailure"]),
            (["overvoltage"], ["OverVoltage"]),
            (["undervoltage"], ["UnderVoltage"]),
            (["overtemp", "overpower"], ["HighTemperature", "Overload"]),
            (["something_new"], ["strange_errors something_new"]),
            (["overtemp", "x"], ["HighTemperature", "strange_errors overtemp;x"]),
        ],
    )
    def test_its_errors(self, errors: list[str], codes: list[str]) -> None:
        assert gen2(output=False, apower=0, errors=errors).codes() == [(1, code) for code in codes]

    def test_a_status_without_errors_clears_them(self) -> None:
        ear = gen2(output=False, apower=0, errors=["overtemp"])
        assert ear.codes() == [(1, "HighTemperature")]
        ear.say(f"{PLUS}/status/switch:0", '{"id": 0, "output": false, "apower": 0.0}')
        assert (ear.status(), ear.codes()) == ("available", [])

    def test_notifications_say_only_what_changed(self) -> None:
        ear = gen2(output=True, apower=180.0, errors=["overtemp"])
        news = {"src": PLUS, "dst": f"{PLUS}/events", "method": "NotifyStatus"}
        ear.say(f"{PLUS}/events/rpc", json.dumps({**news, "params": {"ts": 1.0, "switch:0": {"id": 0, "apower": 0.4}}}))
        assert (ear.reading().power_w, ear.value("output", 1)) == (0.4, True)
        assert ear.codes() == [(1, "HighTemperature")]
        ear.say(f"{PLUS}/events/rpc", json.dumps({**news, "params": {"ts": 2.0, "switch:0": {"id": 0, "errors": []}}}))
        assert ear.codes() == []
        ear.say(f"{PLUS}/events/rpc", json.dumps({**news, "params": {"ts": 3.0, "sys": {"available_updates": {}}}}))
        assert ear.status() == "suspended_ev"

    def test_it_is_asked_and_answers_with_everything(self) -> None:
        ear = Ear("shelly_gen2", PLUS, connectors=2)
        ((topic, payload),) = ear.asked()
        assert topic == f"{PLUS}/rpc"
        assert json.loads(payload) == {"id": "triage-ask", "src": f"triage/{PLUS}", "method": "Shelly.GetStatus"}
        result = {
            "switch:0": {"id": 0, "output": False, "apower": 0.0, "voltage": 231.4, "errors": ["overpower"]},
            "switch:1": {
                "id": 1,
                "output": True,
                "apower": 150.2,
                "voltage": 231.5,
                "current": 0.66,
                "aenergy": {"total": 11250.5, "by_minute": [1.0], "minute_ts": 1},
                "temperature": {"tC": 41.5, "tF": 106.7},
            },
            "sys": {"mac": "A8032AB12345", "uptime": 3605, "reset_reason": 1},
        }
        ear.say(f"triage/{PLUS}/rpc", json.dumps({"id": "triage-ask", "src": PLUS, "dst": "x", "result": result}))
        assert (ear.status(1), ear.status(2)) == ("faulted", "charging")
        assert ear.codes() == [(1, "Overload")]
        reading = ear.reading(2)
        assert (reading.power_w, reading.voltage_v, reading.current_a) == (150.2, 231.5, 0.66)
        assert (reading.energy_wh, reading.temperature_c) == (11250.5, 41.5)
        sighting = ear.see()
        assert (sighting.serial, sighting.uptime_s, sighting.boot_reason) == (
            "A8032AB12345",
            3605.0,
            BootReason.POWER_UP,
        )

    def test_the_answer_to_a_command_changes_nothing_of_what_is_known(self) -> None:
        ear = gen2(output=True, apower=180.0)
        ear.say(f"triage/{PLUS}/rpc", '{"id": "A-1", "src": "x", "result": {"was_on": true}}')
        ear.say(f"triage/{PLUS}/rpc", '{"id": "A-2", "src": "x", "result": null}')
        assert ear.status() == "charging"

    def test_what_it_is_told(self) -> None:
        ear = Ear("shelly_gen2", PLUS, connectors=2)
        ((topic, payload),) = ear.sent(Action.RESET_HARD, id="A-7")
        assert topic == f"{PLUS}/rpc"
        assert json.loads(payload) == {
            "id": "A-7",
            "src": f"triage/{PLUS}",
            "method": "Shelly.Reboot",
            "params": {"delay_ms": 1000},
        }
        ((topic, payload),) = ear.sent(Action.STOP_SESSION, connector=2, id="A-8")
        assert json.loads(payload) == {
            "id": "A-8",
            "src": f"triage/{PLUS}",
            "method": "Switch.Set",
            "params": {"id": 1, "on": False},
        }

    @pytest.mark.parametrize(
        ("reply", "meaning"),
        [
            ({"id": "A-1", "result": None}, "accepted"),
            ({"id": "A-1", "result": {"was_on": True}}, "accepted"),
            ({"id": "A-1", "error": {"code": 404, "message": "No handler for Shelly.Reboot"}}, "unsupported"),
            ({"id": "A-1", "error": {"code": -103, "message": "Invalid argument"}}, "refused"),
            ({"id": "A-2", "result": None}, None),
        ],
    )
    def test_what_its_answers_mean(self, reply: dict[str, object], meaning: str | None) -> None:
        ear = Ear("shelly_gen2", PLUS)
        assert ear.answer(Action.RESET_HARD, f"triage/{PLUS}/rpc", json.dumps(reply)) == meaning

    def test_its_will(self) -> None:
        ear = Ear("shelly_gen2", PLUS)
        assert ear.there(f"{PLUS}/online", "true") is True
        assert ear.there(f"{PLUS}/online", "false") is False


class TestShellyGen1:
    @pytest.mark.parametrize(
        ("relay", "power", "seen", "session"),
        [
            ("off", "0.00", "available", "none"),
            ("on", "120.53", "charging", "live"),
            ("on", "0.00", "suspended_ev", "live"),
            ("overpower", "0.00", "faulted", "none"),
            ("off", "80.0", "available", "live"),
        ],
    )
    def test_its_relay(self, relay: str, power: str, seen: str, session: str) -> None:
        ear = Ear("shelly_gen1", GEN1)
        ear.tell({f"shellies/{GEN1}/relay/0": relay, f"shellies/{GEN1}/relay/0/power": power})
        assert (ear.status(), ear.session()) == (seen, session)
        assert ear.reading().power_w == float(power)

    def test_its_faults(self) -> None:
        ear = Ear("shelly_gen1", GEN1).tell({f"shellies/{GEN1}/relay/0": "overpower"})
        assert ear.codes() == [(1, "Overload")]
        ear = Ear("shelly_gen1", GEN1).tell({f"shellies/{GEN1}/overtemperature": "1"})
        assert ear.codes() == [(0, "HighTemperature")]
        assert ear.say(f"shellies/{GEN1}/overtemperature", "0").codes() == []

    def test_channels_count_from_0(self) -> None:
        ear = Ear("shelly_gen1", GEN1, connectors=2)
        ear.tell({f"shellies/{GEN1}/relay/0": "off", f"shellies/{GEN1}/relay/1": "on"})
        ear.tell({f"shellies/{GEN1}/relay/1/power": "90.1", f"shellies/{GEN1}/temperature": "44.7"})
        assert (ear.status(1), ear.status(2)) == ("available", "charging")
        assert ear.sent(Action.STOP_SESSION, connector=2) == [(f"shellies/{GEN1}/relay/1/command", "off")]
        assert ear.expected(Action.STOP_SESSION) == [{"relay": {"one_of": ("off", "overpower")}}]

    def test_who_it_is_how_long_it_runs_and_whether_it_is_there(self) -> None:
        ear = Ear("shelly_gen1", GEN1)
        ear.say(f"shellies/{GEN1}/announce", '{"id": "x", "model": "SHSW-PM", "mac": "A4CF12", "fw_ver": "1.14.0"}')
        ear.say(f"shellies/{GEN1}/info", '{"uptime": 512, "mac": "A4CF12"}')
        sighting = ear.see()
        assert (sighting.model, sighting.serial, sighting.firmware) == ("SHSW-PM", "A4CF12", "1.14.0")
        assert sighting.uptime_s == 512.0
        assert ear.there(f"shellies/{GEN1}/online", "true") is True
        assert ear.there(f"shellies/{GEN1}/online", "false") is False
        assert ear.asked() == [(f"shellies/{GEN1}/command", "announce"), (f"shellies/{GEN1}/command", "update")]

    def test_it_has_no_restart(self) -> None:
        assert set(profile_of("shelly_gen1").actions.given()) == {Action.STOP_SESSION}


class TestTasmota:
    @pytest.mark.parametrize(
        ("state", "power", "seen", "session"),
        [
            ({"POWER": "OFF"}, 0, "available", "none"),
            ({"POWER": "ON"}, 96, "charging", "live"),
            ({"POWER": "ON"}, 2, "suspended_ev", "live"),
            ({"POWER1": "ON"}, 96, "charging", "live"),
        ],
    )
    def test_its_relay(self, state: dict[str, str], power: int, seen: str, session: str) -> None:
        ear = Ear("tasmota", "outlet-7").say("tele/outlet-7/STATE", json.dumps({"UptimeSec": 615, **state}))
        ear.say("tele/outlet-7/SENSOR", json.dumps({"ENERGY": {"Power": power, "Voltage": 229, "Current": 0.418}}))
        assert (ear.status(), ear.session()) == (seen, session)
        reading = ear.reading()
        assert (reading.power_w, reading.voltage_v, reading.current_a) == (float(power), 229.0, 0.418)
        assert ear.see().uptime_s == 615.0

    def test_several_relays_and_a_meter_with_several_channels(self) -> None:
        ear = Ear("tasmota", "outlet-7", connectors=2)
        ear.say("tele/outlet-7/STATE", '{"POWER1": "ON", "POWER2": "OFF"}')
        ear.say("tele/outlet-7/SENSOR", '{"ENERGY": {"Power": [150, 0], "Voltage": 230, "Current": [0.65, 0.0]}}')
        assert (ear.status(1), ear.status(2)) == ("charging", "available")
        assert (ear.reading(1).power_w, ear.reading(2).power_w) == (150.0, 0.0)

    def test_an_answer_about_one_relay_keeps_the_others(self) -> None:
        ear = Ear("tasmota", "outlet-7", connectors=2).say("tele/outlet-7/STATE", '{"POWER1": "ON", "POWER2": "ON"}')
        ear.say("stat/outlet-7/RESULT", '{"POWER1": "OFF"}')
        assert (ear.value("relay", 1), ear.value("relay", 2)) == ("OFF", "ON")
        ear.say("stat/outlet-7/RESULT", '{"TelePeriod": 300}')
        ear.say("stat/outlet-7/POWER2", "OFF")
        assert (ear.value("relay", 1), ear.value("relay", 2)) == ("OFF", "OFF")

    def test_how_a_restart_is_seen(self) -> None:
        ear = Ear("tasmota", "outlet-7")
        ear.say("tele/outlet-7/INFO3", '{"Info3": {"RestartReason": "Power On", "BootCount": 57}}')
        sighting = ear.see()
        assert (sighting.boot_id, sighting.boot_reason) == ("57", BootReason.POWER_UP)
        assert Ear("tasmota", "outlet-7").say("tele/outlet-7/INFO3", '{"RestartReason": "x"}').see().boot_id is None

    def test_what_it_is_told(self) -> None:
        ear = Ear("tasmota", "outlet-7", connectors=2)
        assert ear.sent(Action.RESET_HARD) == [("cmnd/outlet-7/Restart", "1")]
        assert ear.answer(Action.RESET_HARD, "stat/outlet-7/RESULT", '{"Restart": "Restarting"}') == "accepted"
        assert ear.answer(Action.RESET_HARD, "stat/outlet-7/RESULT", '{"Command": "Unknown"}') == "unsupported"
        assert ear.sent(Action.STOP_SESSION, connector=2) == [("cmnd/outlet-7/Power2", "OFF")]
        assert ear.expected(Action.STOP_SESSION) == [{"relay": "OFF"}]
        assert ear.asked() == [("cmnd/outlet-7/TelePeriod", "")]

    def test_its_will(self) -> None:
        ear = Ear("tasmota", "outlet-7")
        assert ear.there("tele/outlet-7/LWT", "Online") is True
        assert ear.there("tele/outlet-7/LWT", "Offline") is False


class TestSwitches:
    def test_a_shelly_restores_itself(self) -> None:
        ear = Ear("shelly_gen2_switch", PLUS, connectors=4)
        switching = ear.profile.switching
        assert switching is not None
        ((topic, payload),) = ear.messages(switching.off, connector=2, id="s-1")
        assert topic == f"{PLUS}/rpc"
        assert json.loads(payload)["params"] == {"id": 1, "on": False, "toggle_after": 15}
        ((topic, payload),) = ear.messages(switching.on, connector=2, id="s-1")
        assert json.loads(payload)["params"] == {"id": 1, "on": True}
        assert (switching.restores_itself, switching.off_s) == (True, 15.0)
        ear.say(f"{PLUS}/status/switch:1", '{"id": 1, "output": true, "apower": 7360.0, "current": 32.0}')
        assert (ear.value("output", 2), ear.value("power", 2), ear.value("current", 2)) == (True, 7360.0, 32.0)
        assert (switching.state, switching.load_w, switching.load_a) == ("output", "power", "current")

    def test_a_gen1_relay_is_switched_and_read_back(self) -> None:
        ear = Ear("shelly_gen1_switch", GEN1)
        switching = ear.profile.switching
        assert switching is not None
        assert ear.messages(switching.off) == [(f"shellies/{GEN1}/relay/0/command", "off")]
        assert ear.messages(switching.on) == [(f"shellies/{GEN1}/relay/0/command", "on")]
        assert switching.restores_itself is False
        for said, closed in (("on", True), ("off", False), ("overpower", False)):
            ear.say(f"shellies/{GEN1}/relay/0", said)
            assert ear.closed() is closed

    def test_a_tasmota_relay_restores_itself(self) -> None:
        ear = Ear("tasmota_switch", "breaker-2", connectors=2)
        switching = ear.profile.switching
        assert switching is not None
        assert ear.messages(switching.off, connector=2) == [
            ("cmnd/breaker-2/Backlog", "Power2 OFF; Delay 150; Power2 ON")
        ]
        assert ear.messages(switching.on, connector=2) == [("cmnd/breaker-2/Power2", "ON")]
        assert (switching.restores_itself, switching.off_s) == (True, 15.0)
        ear.say("stat/breaker-2/RESULT", '{"POWER1": "OFF", "POWER2": "ON"}')
        assert (ear.closed(1), ear.closed(2)) == (False, True)

    def test_a_relay_board_has_a_coil_for_each_channel(self) -> None:
        plate = Plate("modbus_relay", connectors=8).put("coil", 0, 1, 0, 1)
        assert [plate.value("relay", channel) for channel in (1, 2, 3)] == [True, False, True]
        switching = plate.profile.switching
        assert switching is not None
        off, on = (step.write for step in (switching.off[0], switching.on[0]))
        assert off is not None
        assert on is not None
        assert plate.write_of("relay", off["relay"], 3) == (1, "coil", 2, (0,))
        assert plate.write_of("relay", on["relay"], 1) == (1, "coil", 0, (1,))
        assert plate.device.write_function == "single"
        assert switching.restores_itself is False
