"""The templates for IoT platforms: envelopes as the platforms have them, around identifiers that are only examples.

Every expected value was worked out by hand from the platforms' descriptions.
"""

from __future__ import annotations

import json

import pytest

from tests.contract.profiles.ears import NOW_MS, Ear, Station
from tests.contract.profiles.plates import profile_of
from triage.core.vocabulary import Action

ALINK = "/sys/a1B2c3D4e5F/charger-0007/thing"
IOTDA = "$oc/devices/p_charger0007/sys"
TENCENT = "ABCDE12345/charger-0007"

STATUSES = [
    (0, None),
    (1, "available"),
    (2, "preparing"),
    (3, "charging"),
    (4, "reserved"),
    (5, "finishing"),
    (255, "faulted"),
    (99, None),
]


def alink(**properties: object) -> str:
    """A property report of the Alink format."""
    return json.dumps({"id": "1", "version": "1.0", "method": "thing.event.property.post", "params": properties})


class TestAliyun:
    def ear(self, connectors: int = 2) -> Ear:
        return Ear("aliyun", "a1B2c3D4e5F/charger-0007", connectors)

    @pytest.mark.parametrize(("number", "status"), STATUSES)
    def test_its_states(self, number: int, status: str | None) -> None:
        assert self.ear().say(f"{ALINK}/event/property/post", alink(Status_1=number)).status() == status

    def test_all_shapes_of_a_property_are_read(self) -> None:
        ear = self.ear().say(f"{ALINK}/event/property/post", alink(Power_1={"value": 6.6, "time": 1524448722000}))
        assert ear.reading().power_w == 6600.0
        ear.say(f"{ALINK}/event/property/post", alink(Power_1=3.3))
        assert ear.reading().power_w == 3300.0
        rule_engine = {"deviceName": "charger-0007", "gmtCreate": 1, "items": {"Power_1": {"value": 1.1, "time": 2}}}
        ear.say(f"{ALINK}/event/property/post", json.dumps(rule_engine))
        assert ear.reading().power_w == 1100.0
        ear.say(f"{ALINK}/service/property/get_reply", '{"code": 200, "id": "1", "data": {"Power_1": 0}}')
        assert ear.reading().power_w == 0.0

    def test_a_batch_keeps_what_it_does_not_speak_of(self) -> None:
        ear = self.ear().say(f"{ALINK}/event/property/post", alink(Status_1=3, Status_2=1, FaultCode_1="GroundFailure"))
        ear.say(f"{ALINK}/event/property/post", alink(Uptime=3600, Status_2=2))
        assert (ear.status(1), ear.status(2)) == ("charging", "preparing")
        assert ear.codes() == [(1, "GroundFailure")]
        assert ear.see().uptime_s == 3600.0
        ear.say(f"{ALINK}/event/property/post", alink(FaultCode_1=0))
        assert ear.codes() == []

    def test_a_vendors_number_stays_unknown(self) -> None:
        ear = self.ear().say(f"{ALINK}/event/property/post", alink(FaultCode_2=17, FaultText_2="漏电"))
        (claim,) = ear.faults()
        assert (claim.connector, claim.code, claim.info) == (2, "fault_code 17", "漏电")

    def test_fault_events_occur_and_recover(self) -> None:
        station = Station("aliyun", "a1B2c3D4e5F/charger-0007", connectors=2)
        event = {"id": "1", "version": "1.0", "method": "thing.event.Fault.post"}
        body = {"Code": 17, "State": 1, "Connector": 2, "Text": "过温"}
        station.say(f"{ALINK}/event/Fault/post", {**event, "params": {"value": body, "time": 1}})
        assert station.claims() == [(2, "17")]
        station.say(f"{ALINK}/event/Fault/post", {**event, "params": {**body, "State": 2}})
        assert station.claims() == []

    def test_what_it_is_told_and_how_it_answers(self) -> None:
        ear = self.ear()
        ((topic, payload),) = ear.sent(Action.RESET_HARD, id="A-1")
        assert topic == f"{ALINK}/service/Reboot"
        assert json.loads(payload) == {"id": "A-1", "version": "1.0", "method": "thing.service.Reboot", "params": {}}
        ((topic, payload),) = ear.sent(Action.STOP_SESSION, connector=2, id="A-2")
        assert topic == f"{ALINK}/service/StopCharging"
        assert json.loads(payload)["params"] == {"Connector": 2}
        reply = f"{ALINK}/service/Reboot_reply"
        assert ear.answer(Action.RESET_HARD, reply, '{"id": "A-1", "code": 200, "data": {}}') == "accepted"
        assert ear.answer(Action.RESET_HARD, reply, '{"id": "A-1", "code": 460, "data": {}}') == "refused"
        assert ear.answer(Action.RESET_HARD, reply, '{"id": "A-9", "code": 200, "data": {}}') is None
        ((topic, payload),) = ear.asked()
        assert topic == f"{ALINK}/service/property/get"
        assert json.loads(payload)["id"] == str(NOW_MS)


def report(**services: dict[str, object]) -> str:
    """A property report of IoTDA."""
    listed = [{"service_id": name, "properties": properties} for name, properties in services.items()]
    return json.dumps({"services": listed})


class TestHuawei:
    def ear(self) -> Ear:
        return Ear("huawei_iotda", "p_charger0007", 2)

    @pytest.mark.parametrize(("number", "status"), STATUSES)
    def test_its_states(self, number: int, status: str | None) -> None:
        ear = self.ear().say(f"{IOTDA}/properties/report", report(Connector2={"Status": number}))
        assert (ear.status(2), ear.status(1)) == (status, None)

    def test_a_report_keeps_what_it_does_not_speak_of(self) -> None:
        ear = self.ear().say(f"{IOTDA}/properties/report", report(Connector1={"Status": 3, "Power": 7, "FaultCode": 0}))
        ear.say(
            f"{IOTDA}/properties/report",
            report(Pile={"Uptime": 60, "FirmwareVersion": "1.2"}, Connector2={"Status": 1}),
        )
        assert (ear.status(1), ear.status(2)) == ("charging", "available")
        assert ear.reading(1).power_w == 7000.0
        assert (ear.see().uptime_s, ear.see().firmware) == (60.0, "1.2")

    def test_a_null_behind_its_filter_clears_the_fault_and_ends_the_session(self) -> None:
        said = {"Status": 255, "FaultCode": "GroundFailure", "SessionId": "S-1"}
        ear = self.ear().say(f"{IOTDA}/properties/report", report(Connector1=said))
        ear.say(f"{IOTDA}/properties/report", report(Connector1={"Power": 0}, Connector2={"FaultCode": None}))
        assert (ear.codes(), ear.reading(1).session) == ([(1, "GroundFailure")], "S-1")
        nothing: dict[str, object] = {"Status": 1, "FaultCode": None, "SessionId": None}
        ear.say(f"{IOTDA}/properties/report", report(Connector1=nothing))
        assert (ear.codes(), ear.reading(1).session, ear.reading(1).session_known) == ([], None, True)

    def test_what_it_is_told_and_how_it_answers(self) -> None:
        ear = self.ear()
        ((topic, payload),) = ear.sent(Action.RESET_HARD, id="A-1")
        assert topic == f"{IOTDA}/commands/request_id=A-1"
        assert json.loads(payload) == {
            "object_device_id": "p_charger0007",
            "service_id": "Pile",
            "command_name": "Reboot",
            "paras": {},
        }
        ((topic, payload),) = ear.sent(Action.STOP_SESSION, connector=2, id="A-2")
        assert (topic, json.loads(payload)["service_id"]) == (f"{IOTDA}/commands/request_id=A-2", "Connector2")
        reply = f"{IOTDA}/commands/response/request_id=A-1"
        assert ear.answer(Action.RESET_HARD, reply, '{"result_code": 0, "response_name": "R"}') == "accepted"
        assert ear.answer(Action.RESET_HARD, reply, '{"result_code": 1}') == "refused"
        assert ear.answer(Action.RESET_HARD, f"{IOTDA}/commands/response/request_id=A-9", '{"result_code": 0}') is None


class TestTencent:
    def ear(self) -> Ear:
        return Ear("tencent", TENCENT, 2)

    def say(self, ear: Ear, **params: object) -> Ear:
        document = {"method": "report", "clientToken": "t-1", "timestamp": 1, "params": params}
        return ear.say(f"$thing/up/property/{TENCENT}", json.dumps(document))

    @pytest.mark.parametrize(("number", "status"), STATUSES)
    def test_its_states(self, number: int, status: str | None) -> None:
        assert self.say(self.ear(), Status_1=number).status() == status

    def test_replies_and_partial_reports_keep_the_rest(self) -> None:
        ear = self.say(self.ear(), Status_1=3, Current_1=31.5, SessionId_1="T-77")
        self.say(ear, Temperature=41.5)
        ear.say(f"$thing/up/property/{TENCENT}", '{"method": "control_reply", "clientToken": "x", "code": 0}')
        assert (ear.status(), ear.session()) == ("charging", "T-77")
        assert (ear.reading().current_a, ear.reading().temperature_c) == (31.5, 41.5)

    def test_fault_events_occur_and_recover(self) -> None:
        station = Station("tencent", TENCENT, connectors=2)
        topic = f"$thing/up/event/{TENCENT}"
        event = {"method": "event_post", "clientToken": "x", "version": "1.0", "eventId": "Fault", "type": "fault"}
        station.say(topic, {**event, "params": {"Code": 12, "State": 1, "Connector": 1}})
        station.say(topic, {**event, "type": "info", "params": {"Code": 13, "State": 1}})
        assert station.claims() == [(1, "12")]
        station.say(topic, {**event, "params": {"Code": 12, "State": 2, "Connector": 1}})
        assert station.claims() == []

    def test_what_it_is_told_and_how_it_answers(self) -> None:
        ear = self.ear()
        ((topic, payload),) = ear.sent(Action.RESET_HARD, id="A-1")
        assert topic == f"$thing/down/action/{TENCENT}"
        assert json.loads(payload) == {
            "method": "action",
            "clientToken": "A-1",
            "actionId": "Reboot",
            "timestamp": NOW_MS,
            "params": {},
        }
        reply = f"$thing/up/action/{TENCENT}"
        good = '{"method": "action_reply", "clientToken": "A-1", "code": 0, "status": "ok", "response": {}}'
        assert ear.answer(Action.RESET_HARD, reply, good) == "accepted"
        assert ear.answer(Action.RESET_HARD, reply, good.replace('"code": 0', '"code": 404')) == "refused"
        assert ear.answer(Action.RESET_HARD, reply, good.replace("A-1", "A-2")) is None


@pytest.mark.parametrize("name", ["aliyun", "huawei_iotda", "tencent"])
def test_a_template_says_that_it_is_one(name: str) -> None:
    profile = profile_of(name)
    assert profile.title["en"].startswith("Template:")
    assert profile.title["zh"].startswith("模板：")
    assert any("examples" in doubt for doubt in profile.doubts())
    assert all(spec.unverified for spec in profile.actions.given().values())
