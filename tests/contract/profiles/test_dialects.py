"""The wallboxes that speak MQTT: topics and payloads as their makers print them, and what must be seen in them.

Every expected value was worked out by hand from the makers' descriptions.
"""

from __future__ import annotations

import json

import pytest

from tests.contract.profiles.ears import Ear
from triage.core.vocabulary import Action, BootReason

GO_E_STABLE = {
    1: "RcdTripped",
    2: "RcdTripped",
    3: "PowerLoss",
    4: "OverVoltage",
    5: "OverCurrentFailure",
    6: "EVCommunicationError",
    7: "ProximityFault",
    8: "ProtectiveEarthFault",
    9: "ContactorWelded",
    10: "EVSEContactorFault",
}
GO_E_NEW = GO_E_STABLE | {
    12: "LockOpenedWhileCharging",
    13: "ConnectorLockFailure",
    14: "RcdTripped",
    15: "err 15",
    16: "HighTemperature",
    17: "CommunicationFault",
    18: "PilotFault",
    23: "RcdTripped",
}
GO_E_OLD = GO_E_STABLE | {
    11: "RcdTripped",
    12: "err 12",
    13: "HighTemperature",
    14: "CommunicationFault",
    15: "LockOpenedWhileCharging",
    16: "ConnectorLockFailure",
}
GO_E_UNSURE = GO_E_STABLE | {code: f"err {code}" for code in range(11, 19)}


def go_e(**keys: object) -> Ear:
    """A go-eCharger that has said these keys."""
    ear = Ear("go_e", "072246")
    return ear.tell({f"go-eCharger/072246/{key}": json.dumps(value) for key, value in keys.items()})


class TestGoE:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_both_spellings_of_its_topics_are_heard(self, slash: str) -> None:
        ear = Ear("go_e", "072246").tell({f"{slash}go-eCharger/072246/car": "2", f"{slash}go-eCharger/072246/err": "0"})
        assert ear.status() == "charging"
        assert ear.codes() == []
        assert ear.there(f"{slash}go-eCharger/072246/mcc", "false") is False
        assert ear.there(f"{slash}go-eCharger/072246/mcc", "true") is True

    @pytest.mark.parametrize(
        ("car", "status", "session"),
        [
            (1, "available", "none"),
            (2, "charging", "live"),
            (3, "suspended_ev", "live"),
            (4, "finishing", "live"),
            (5, "faulted", "unknown"),
            (0, None, "unknown"),
            (6, None, "unknown"),
            (None, None, "unknown"),
        ],
    )
    def test_what_the_car_key_says(self, car: int | None, status: str | None, session: str) -> None:
        ear = go_e(car=car, err=0)
        assert ear.status() == status
        assert ear.session() == session

    def test_a_faulted_one_without_current_has_no_session(self) -> None:
        ear = go_e(car=5, err=8, nrg=[231, 232, 230, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        assert (ear.status(), ear.session()) == ("faulted", "none")

    def test_state_0_is_an_error_only_beside_one(self) -> None:
        assert go_e(car=0, err=17, fwv="60.5").status() == "faulted"

    @pytest.mark.parametrize(("firmware", "codes"), [("60.5", GO_E_NEW), ("059.4", GO_E_NEW), ("053.3", GO_E_OLD)])
    def test_errors_are_numbered_by_firmware(self, firmware: str, codes: dict[int, str]) -> None:
        for code, name in codes.items():
            assert go_e(fwv=firmware, car=5, err=code).codes() == [(1, name)], code

    @pytest.mark.parametrize("keys", [{}, {"fwv": "055.5"}, {"fwv": "58.1"}, {"fwv": "35.6-1-ga0d44e5-x"}])
    def test_what_differs_is_unknown_while_the_numbering_is(self, keys: dict[str, str]) -> None:
        codes = GO_E_OLD if keys.get("fwv", "").startswith("35") else GO_E_UNSURE
        for code, name in codes.items():
            assert go_e(car=5, err=code, **keys).codes() == [(1, name)], code

    def test_an_unsure_code_that_may_be_a_residual_current_says_so(self) -> None:
        (claim,) = go_e(car=5, err=14).faults()
        assert "RCD" in claim.info

    def test_an_error_state_without_a_code_is_of_unknown_meaning(self) -> None:
        assert go_e(car=5, err=0, fwv="60.5").codes() == [(1, "car 5 err 0")]

    def test_a_code_nobody_listed_is_claimed_as_it_is(self) -> None:
        ear = go_e(car=5, err=99, fwv="60.5")
        assert ear.codes() == [(1, "err 99")]
        assert ear.see().unlisted == ("err 99",)

    def test_null_takes_back_what_was_said(self) -> None:
        ear = go_e(car=1, err=9, fwv="60.5")
        ear.tell({"go-eCharger/072246/car": "null", "go-eCharger/072246/err": "null"})
        assert (ear.status(), ear.codes()) == (None, [])

    def test_its_readings(self) -> None:
        nrg = [231, 232, 230, 1, 15.9, 16.1, 15.8, 3670, 3735, 3634, 0, 11039, 99, 99, 99, 0]
        reading = go_e(car=2, nrg=nrg, eto=1234567, tma=[32.75, None, 37.75]).reading()
        assert (reading.voltage_v, reading.current_a, reading.power_w) == (231.0, 16.1, 11039.0)
        assert (reading.energy_wh, reading.temperature_c) == (1234567.0, 37.75)

    def test_how_a_restart_is_seen(self) -> None:
        sighting = go_e(rbc=93, rbt=138861, rr=6, fwv="60.5", typ="go-eCharger").see()
        assert sighting.boot_id == "93"
        assert sighting.uptime_s == pytest.approx(138.861)
        assert sighting.boot_reason is BootReason.WATCHDOG
        assert (sighting.firmware, sighting.model) == ("60.5", "go-eCharger")

    def test_stopping_writes_frc_1_and_reads_the_answer(self) -> None:
        ear = Ear("go_e", "072246")
        assert ear.sent(Action.STOP_SESSION) == [
            ("/go-eCharger/072246/frc/set", "1"),
            ("go-eCharger/072246/frc/set", "1"),
        ]
        for topic in ("go-eCharger/072246/frc/result", "/go-eCharger/072246/frc/result"):
            assert ear.answer(Action.STOP_SESSION, topic, "success") == "accepted"
            assert ear.answer(Action.STOP_SESSION, topic, '"success"') == "accepted"
            assert ear.answer(Action.STOP_SESSION, topic, "api writes not allowed") == "refused"
        assert ear.answer(Action.STOP_SESSION, "go-eCharger/072246/amp/result", "success") is None

    def test_it_has_no_restart(self) -> None:
        assert set(Ear("go_e", "072246").profile.actions.given()) == {Action.STOP_SESSION}


def warp(**state: object) -> Ear:
    """A WARP charger whose evse/state says this; what is left out is as in a free charger without trouble."""
    document = {
        "iec61851_state": 0,
        "charger_state": 0,
        "contactor_state": 1,
        "contactor_error": 0,
        "allowed_charging_current": 32000,
        "error_state": 0,
        "lock_state": 0,
        "dc_fault_current_state": 0,
    }
    return Ear("warp_mqtt", "warp2/AbC").say("warp2/AbC/evse/state", json.dumps(document | state))


class TestWarp:
    @pytest.mark.parametrize(
        ("state", "status"),
        [(0, "available"), (1, "preparing"), (2, "suspended_ev"), (3, "charging"), (4, "faulted"), (9, None)],
    )
    def test_its_states(self, state: int, status: str | None) -> None:
        assert warp(charger_state=state).status() == status

    @pytest.mark.parametrize(
        ("state", "codes"),
        [
            ({"error_state": 2}, ["WrongConfiguration"]),
            ({"error_state": 3}, ["RcdTripped"]),
            ({"error_state": 4}, ["EVSEContactorFault"]),
            ({"error_state": 5}, ["CommunicationFault"]),
            ({"error_state": 1}, ["error_state 1"]),
            ({"error_state": 4, "contactor_error": 4}, ["EVSEContactorFault"]),
            ({"error_state": 4, "contactor_error": 6}, ["EVSEContactorFault"]),
            ({"error_state": 3, "dc_fault_current_state": 1}, ["RcdTripped"]),
            ({"error_state": 2, "lock_state": 5}, ["ConnectorLockFailure", "WrongConfiguration"]),
            ({}, ["charger_state 4 error_state 0"]),
        ],
    )
    def test_its_errors(self, state: dict[str, int], codes: list[str]) -> None:
        assert warp(charger_state=4, **state).codes() == [(1, code) for code in codes]

    def test_a_free_one_claims_nothing(self) -> None:
        assert warp().codes() == []

    @pytest.mark.parametrize(
        ("state", "code"),
        [
            ({"contactor_error": 12}, "EVSEContactorFault"),
            ({"dc_fault_current_state": 4}, "RcdTripped"),
            ({"lock_state": 5}, "ConnectorLockFailure"),
        ],
    )
    def test_its_monitors_speak_in_every_state(self, state: dict[str, int], code: str) -> None:
        assert warp(charger_state=2, **state).codes() == [(1, code)]

    def test_its_readings_and_who_it_is(self) -> None:
        ear = warp(charger_state=3)
        ear.say("warp2/AbC/meter/values", '{"power": 10870.5, "energy_rel": 4.2, "energy_abs": 1234.567}')
        ear.say("warp2/AbC/info/version", '{"firmware": "2.4.0+66558ade", "config": "2.2.0", "config_type": "warp2"}')
        ear.say(
            "warp2/AbC/info/name", '{"name": "warp2-AbC", "type": "warp2", "display_type": "WARP2 Pro", "uid": "AbC"}'
        )
        ear.say("warp2/AbC/info/keep_alive", '{"uptime": 61500}')
        assert ear.reading().power_w == 10870.5
        assert ear.reading().energy_wh == pytest.approx(1234567.0)
        sighting = ear.see()
        assert (sighting.firmware, sighting.model, sighting.serial) == ("2.4.0+66558ade", "WARP2 Pro", "AbC")
        assert sighting.uptime_s == 61.5

    def test_what_it_is_told(self) -> None:
        ear = Ear("warp_mqtt", "warp2/AbC")
        assert ear.sent(Action.RESET_HARD) == [("warp2/AbC/reboot", "null")]
        assert ear.sent(Action.STOP_SESSION) == [("warp2/AbC/evse/stop_charging", "null")]
        assert ear.expected(Action.STOP_SESSION) == [{"charger_state": {"one_of": (0, 1, 2)}}]
        assert set(ear.profile.actions.given()) == {Action.STOP_SESSION, Action.RESET_HARD}


def openwb(**values: object) -> Ear:
    """An openWB whose charge point has said this."""
    ear = Ear("openwb", "openWB", unit=3)
    return ear.tell({f"openWB/chargepoint/3/get/{key}": json.dumps(value) for key, value in values.items()})


class TestOpenWB:
    @pytest.mark.parametrize(
        ("values", "status"),
        [
            ({"plug_state": False, "charge_state": False, "fault_state": 0}, "available"),
            ({"plug_state": True, "charge_state": False, "fault_state": 0}, "suspended_ev"),
            ({"plug_state": True, "charge_state": True, "fault_state": 0}, "charging"),
            ({"plug_state": True, "charge_state": True, "fault_state": 2}, "charging"),
            ({"plug_state": True, "charge_state": False, "fault_state": 2}, "faulted"),
            ({"plug_state": False, "fault_state": 1}, "available"),
            ({"fault_state": 0}, None),
        ],
    )
    def test_its_states(self, values: dict[str, object], status: str | None) -> None:
        assert openwb(**values).status() == status

    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            ("Kommunikationsfehler mit dem Modul", {"fault_state 2"}),
            ("DC-Fehlerstrom erkannt", {"RcdTripped", "fault_state 2"}),
            ("Schütz klebt", {"EVSEContactorFault", "fault_state 2"}),
            ("Schutzleiter fehlt", {"ProtectiveEarthFault", "fault_state 2"}),
            ("Überspannung L1", {"OverVoltage", "fault_state 2"}),
            ("Kurzschluss", {"OverCurrentFailure", "fault_state 2"}),
            ("Übertemperatur", {"HighTemperature", "fault_state 2"}),
        ],
    )
    def test_its_words_are_read_and_shown(self, text: str, codes: set[str]) -> None:
        ear = openwb(plug_state=False, fault_state=2, fault_str=text)
        assert {code for _, code in ear.codes()} == codes
        assert all(text in claim.info for claim in ear.faults())

    def test_a_warning_is_no_fault_but_for_words_of_danger(self) -> None:
        assert openwb(fault_state=1, fault_str="Kein Zähler konfiguriert").codes() == []
        assert openwb(fault_state=1, fault_str="RCD ausgelöst").codes() == [(1, "RcdTripped")]
        assert openwb(fault_state=0, fault_str="RCD geprüft").codes() == []

    def test_its_readings(self) -> None:
        reading = openwb(power=6900.5, currents=[9.9, 10.1, 0], voltages=[229.8, 231.2, 0], imported=7654321).reading()
        assert (reading.power_w, reading.current_a, reading.voltage_v) == (6900.5, 10.1, 231.2)
        assert reading.energy_wh == 7654321.0

    def test_charge_points_are_told_apart(self) -> None:
        ear = Ear("openwb", "site7/openWB", connectors=2, unit=3)
        ear.tell({"site7/openWB/chargepoint/3/get/plug_state": "false"})
        ear.tell(
            {"site7/openWB/chargepoint/4/get/plug_state": "true", "site7/openWB/chargepoint/4/get/charge_state": "true"}
        )
        assert (ear.status(1), ear.status(2)) == ("available", "charging")

    def test_the_restart_and_its_proof(self) -> None:
        ear = openwb()
        (topic, payload) = ear.sent(Action.RESET_HARD)[0]
        assert topic == "openWB/set/command/triage/todo"
        assert json.loads(payload) == {"command": "systemReboot", "data": {}}
        assert ear.say("openWB/system/boot_done", "false").see().starting is True
        assert ear.say("openWB/system/boot_done", "true").see().starting is False


def openevse(**values: object) -> Ear:
    """An OpenEVSE that has said this."""
    return Ear("openevse", "openevse").tell({f"openevse/{key}": str(value) for key, value in values.items()})


class TestOpenEVSE:
    @pytest.mark.parametrize(
        ("state", "status", "codes"),
        [
            (0, None, []),
            (1, "available", []),
            (2, "suspended_ev", []),
            (3, "charging", []),
            (4, "faulted", ["InvalidVehicleMode"]),
            (5, "faulted", ["EVCommunicationError"]),
            (6, "faulted", ["GroundFailure"]),
            (7, "faulted", ["ProtectiveEarthFault"]),
            (8, "faulted", ["ContactorWelded"]),
            (9, "faulted", ["RcdTripped"]),
            (10, "faulted", ["HighTemperature"]),
            (11, "faulted", ["OverCurrentFailure"]),
            (254, "unavailable", []),
            (255, "unavailable", []),
            (77, None, ["state 77"]),
        ],
    )
    def test_its_states(self, state: int, status: str | None, codes: list[str]) -> None:
        ear = openevse(state=state)
        assert ear.status() == status
        assert ear.codes() == [(1, code) for code in codes]

    def test_sleeping_with_a_vehicle_holds_it_back(self) -> None:
        assert openevse(state=254, vehicle=1).status() == "suspended_evse"
        assert openevse(state=254, vehicle=0).status() == "unavailable"

    def test_its_readings(self) -> None:
        reading = openevse(state=3, amp=15900, voltage=240, temp=282).reading()
        assert reading.current_a == pytest.approx(15.9)
        assert reading.voltage_v == 240.0
        assert reading.temperature_c == pytest.approx(28.2)

    def test_a_missing_sensor_is_no_temperature(self) -> None:
        ear = openevse(temp=-2560)
        assert ear.reading().temperature_c is None
        assert ear.see().wrong == ()

    def test_the_restart_its_answer_and_its_proof(self) -> None:
        ear = openevse(state=6)
        assert ear.sent(Action.RESET_HARD) == [("openevse/rapi/in/$FR", "")]
        assert ear.answer(Action.RESET_HARD, "openevse/rapi/out", "$OK") == "accepted"
        assert ear.answer(Action.RESET_HARD, "openevse/rapi/out", "$OK^20") == "accepted"
        assert ear.answer(Action.RESET_HARD, "openevse/rapi/out", "$NK^21") == "refused"
        assert ear.see().starting is False
        assert ear.say("openevse/state", "0").see().starting is True
