"""Dialects that raise and clear faults as events, and the templates for IoT platforms.

Every expected value was worked out by hand from the makers' descriptions.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from tests.contract.profiles.ears import NOW_MS, Ear
from tests.contract.profiles.plates import CONFIG, profile_of
from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.core.events import Registration
from triage.core.faults import FaultTable
from triage.core.vocabulary import Action
from triage.drivers.dialect.device import Device, Moment
from triage.drivers.dialect.hearing import hear
from triage.drivers.dialect.tongue import Tongue
from triage.drivers.mqtt.packets import Received

ERRORS = "everest_api/1/error_history_consumer/api"
EVSE = "everest_api/1/evse_manager_consumer/api_evse_"
ALINK = "/sys/a1B2c3D4e5F/charger-0007/thing"
IOTDA = "$oc/devices/p_charger0007/sys"
TENCENT = "ABCDE12345/charger-0007"


class Station:
    """A device whose events are remembered as the driver remembers them."""

    def __init__(self, name: str, device: str, connectors: int = 1) -> None:
        profile = profile_of(name)
        assert profile.mqtt is not None
        row = Registration(pile="P-1", site="S-1", region="", profile=name, connectors=connectors, endpoint=device)
        self.device = Device(row, Tongue(profile, profile.mqtt, connectors), lambda _: (), 1.0)

    def say(self, topic: str, document: Any) -> Station:
        uses = {text.replace("{device}", self.device.name): use for text, use in self.device.tongue.uses.items()}
        message = Received(topic, json.dumps(document).encode(), retained=False)
        heard = hear(self.device, uses[topic], message, Moment(datetime(2026, 11, 22, tzinfo=UTC), 1.0))
        assert heard.problems == []
        return self

    def claims(self) -> list[tuple[int, str]]:
        return sorted((claim.connector, claim.code) for claim in self.device.faults.claims())


@cache
def table() -> FaultTable:
    return load_fault_table(CONFIG / "faults", load_lexicon(CONFIG / "lexicon"))


def error(type_: str, sub_type: str = "", module: str = "bsp", state: str = "Active", message: str = "as told") -> Any:
    """An error document of EVerest."""
    return {
        "type": type_,
        "sub_type": sub_type,
        "description": "what it is",
        "message": message,
        "severity": "High",
        "origin": {"module_id": module, "implementation_id": "board_support"},
        "timestamp": "2026-11-22T00:00:00.000Z",
        "uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "state": state,
    }


EVEREST = {
    "evse_manager/Internal": "InternalError",
    "evse_manager/PowermeterTransactionStartFailed": "PowerMeterFailure",
    "evse_manager/Inoperative": "InternalError",
    "evse_manager/VoltagePlausibilityFault": "VoltageImplausible",
    "evse_manager/MREC4OverCurrentFailure": "OverCurrentFailure",
    "evse_manager/MREC5OverVoltage": "OverVoltage",
    "evse_manager/MREC9AuthorizationTimeout": "AuthorizationTimeout",
    "evse_manager/MREC11CableCheckFault": "CableCheckFault",
    "evse_manager/MREC22ResistanceFault": "ResistanceFault",
    "evse_board_support/DiodeFault": "EVCommunicationError",
    "evse_board_support/VentilationNotAvailable": "InvalidVehicleMode",
    "evse_board_support/BrownOut": "BrownOut",
    "evse_board_support/EnergyManagement": "PowerLimitedToZero",
    "evse_board_support/PermanentFault": "PermanentFault",
    "evse_board_support/MREC2GroundFailure": "GroundFailure",
    "evse_board_support/MREC3HighTemperature": "HighTemperature",
    "evse_board_support/MREC4OverCurrentFailure": "OverCurrentFailure",
    "evse_board_support/MREC5OverVoltage": "OverVoltage",
    "evse_board_support/MREC6UnderVoltage": "UnderVoltage",
    "evse_board_support/MREC8EmergencyStop": "EmergencyStop",
    "evse_board_support/MREC10InvalidVehicleMode": "InvalidVehicleMode",
    "evse_board_support/MREC14PilotFault": "PilotFault",
    "evse_board_support/MREC15PowerLoss": "PowerLoss",
    "evse_board_support/MREC17EVSEContactorFault": "EVSEContactorFault",
    "evse_board_support/MREC18CableOverTempDerate": "CableOverTempDerate",
    "evse_board_support/MREC19CableOverTempStop": "CableOverTempStop",
    "evse_board_support/MREC20PartialInsertion": "PartialInsertion",
    "evse_board_support/MREC23ProximityFault": "ProximityFault",
    "evse_board_support/MREC24ConnectorVoltageHigh": "ConnectorVoltageHigh",
    "evse_board_support/MREC25BrokenLatch": "BrokenLatch",
    "evse_board_support/MREC26CutCable": "CutCable",
    "evse_board_support/TiltDetected": "TiltDetected",
    "evse_board_support/WaterIngressDetected": "WaterIngress",
    "evse_board_support/EnclosureOpen": "EnclosureOpen",
    "evse_board_support/CommunicationFault": "CommunicationFault",
    "connector_lock/ConnectorLockCapNotCharged": "ConnectorLockFailure",
    "connector_lock/ConnectorLockUnexpectedOpen": "LockOpenedWhileCharging",
    "connector_lock/ConnectorLockUnexpectedClose": "ConnectorLockFailure",
    "connector_lock/ConnectorLockFailedLock": "ConnectorLockFailure",
    "connector_lock/ConnectorLockFailedUnlock": "ConnectorLockFailure",
    "connector_lock/MREC1ConnectorLockFailure": "ConnectorLockFailure",
    "ac_rcd/DC": "RcdTripped",
    "ac_rcd/AC": "RcdTripped",
    "ac_rcd/Selftest": "RcdTripped",
    "ac_rcd/MREC2GroundFailure": "GroundFailure",
    "isolation_monitor/DeviceFault": "MonitorFault",
    "isolation_monitor/CommunicationFault": "MonitorFault",
    "over_voltage_monitor/DeviceFault": "MonitorFault",
    "over_voltage_monitor/MREC5OverVoltage": "OverVoltage",
    "payment_terminal/IncorrectDeviceId": "PaymentTerminalError",
    "payment_terminal/GenericPaymentTerminalError": "PaymentTerminalError",
    "powermeter/CommunicationFault": "PowerMeterFailure",
    "power_supply_DC/CommunicationFault": "CommunicationFault",
    "power_supply_DC/HardwareFault": "PowerModuleFailure",
    "power_supply_DC/OverTemperature": "HighTemperature",
    "power_supply_DC/UnderTemperature": "UnderTemperature",
    "power_supply_DC/UnderVoltageAC": "UnderVoltage",
    "power_supply_DC/OverVoltageAC": "OverVoltage",
    "power_supply_DC/UnderVoltageDC": "UnderVoltage",
    "power_supply_DC/OverVoltageDC": "OverVoltage",
    "power_supply_DC/OverCurrentAC": "OverCurrentFailure",
    "power_supply_DC/OverCurrentDC": "OverCurrentFailure",
}


class TestEVerest:
    @pytest.mark.parametrize(("type_", "name"), EVEREST.items())
    def test_each_error_is_understood(self, type_: str, name: str) -> None:
        station = Station("everest", "api").say(f"{ERRORS}/e2m/error_raised", error(type_))
        ((connector, code),) = station.claims()
        assert connector == 0
        assert table().lookup(code).name == name

    def test_a_vendors_own_error_stays_unknown(self) -> None:
        station = Station("everest", "api").say(f"{ERRORS}/e2m/error_raised", error("evse_board_support/VendorError"))
        assert station.claims() == [(0, "evse_board_support/VendorError")]
        assert table().lookup("evse_board_support/VendorError").family == "unknown"

    def test_errors_are_kept_apart_by_type_sub_type_and_origin(self) -> None:
        station = Station("everest", "api")
        raised, cleared = f"{ERRORS}/e2m/error_raised", f"{ERRORS}/e2m/error_cleared"
        station.say(raised, error("ac_rcd/DC"))
        station.say(raised, error("ac_rcd/DC", module="bsp_2"))
        station.say(raised, error("ac_rcd/DC", sub_type="self"))
        assert len(station.claims()) == 3
        station.say(cleared, error("ac_rcd/DC", state="ClearedByModule", message="another text"))
        assert len(station.claims()) == 2
        station.say(cleared, error("ac_rcd/DC", module="bsp_9", state="ClearedByModule"))
        assert len(station.claims()) == 2

    def test_a_missing_sub_type_is_an_empty_one(self) -> None:
        document = error("ac_rcd/DC")
        del document["sub_type"]
        station = Station("everest", "api").say(f"{ERRORS}/e2m/error_raised", document)
        assert station.say(f"{ERRORS}/e2m/error_cleared", error("ac_rcd/DC")).claims() == []

    def test_it_is_asked_for_the_list_and_the_list_decides(self) -> None:
        ((topic, payload),) = Ear("everest", "api").asked()
        assert topic == f"{ERRORS}/m2e/active_errors"
        assert json.loads(payload) == {"headers": {"replyTo": f"{ERRORS}/e2m/active_errors"}}
        station = Station("everest", "api").say(f"{ERRORS}/e2m/error_raised", error("ac_rcd/DC"))
        station.say(f"{ERRORS}/e2m/active_errors", {"errors": [error("evse_manager/Internal")]})
        assert station.claims() == [(0, "evse_manager/Internal")]
        station.say(f"{ERRORS}/e2m/error_cleared", error("evse_manager/Internal"))
        assert station.claims() == []
        station.say(f"{ERRORS}/e2m/active_errors", {"errors": []})
        assert station.claims() == []

    def test_a_heartbeat_says_that_it_is_there(self) -> None:
        assert Ear("everest", "api").there(f"{ERRORS}/e2m/heartbeat", "42") is True

    @pytest.mark.parametrize(
        ("state", "status"),
        [
            ("Unplugged", "available"),
            ("Disabled", "unavailable"),
            ("Preparing", "preparing"),
            ("Reserved", "reserved"),
            ("AuthRequired", "preparing"),
            ("ChargingPausedEV", "suspended_ev"),
            ("ChargingPausedEVSE", "suspended_evse"),
            ("Charging", "charging"),
            ("AuthTimeout", "suspended_evse"),
            ("Finished", "finishing"),
            ("FinishedEVSE", "finishing"),
            ("FinishedEV", "finishing"),
            ("Unknown", None),
        ],
    )
    def test_its_states(self, state: str, status: str | None) -> None:
        ear = Ear("everest", "api", connectors=2)
        ear.say(f"{EVSE}2/e2m/session_info", json.dumps({"state": state, "latest_total_w": 10980}))
        assert (ear.status(2), ear.reading(2).power_w) == (status, 10980.0)
        assert ear.status(1) is None

    def test_what_it_is_told(self) -> None:
        ear = Ear("everest", "api", connectors=2)
        ((topic, payload),) = ear.sent(Action.STOP_SESSION, connector=2, id="A-3")
        assert topic == f"{EVSE}2/m2e/stop_transaction"
        reply = f"{EVSE}2/e2m/stop_transaction/A-3"
        assert json.loads(payload) == {"headers": {"replyTo": reply}, "payload": {"reason": "Remote"}}
        assert ear.answer(Action.STOP_SESSION, reply, "true", connector=2, id="A-3") == "accepted"
        assert ear.answer(Action.STOP_SESSION, reply, "false", connector=2, id="A-3") == "refused"
        assert ear.answer(Action.STOP_SESSION, reply, "true", connector=2, id="A-4") is None
        ((topic, payload),) = ear.sent(Action.UNLOCK, id="A-5")
        assert topic == f"{EVSE}1/m2e/force_unlock"
        assert json.loads(payload) == {"headers": {"replyTo": f"{EVSE}1/e2m/force_unlock/A-5"}, "payload": 1}
        assert set(ear.profile.actions.given()) == {Action.STOP_SESSION, Action.UNLOCK}


def tellus(event: str, connector: int = 1, **data: object) -> dict[str, object]:
    """An event document of Tellus."""
    return {"timestamp": "2026-03-15T10:36:00Z", "event_type": event, "connector_id": connector, "data": data}


class TestTellus:
    @pytest.mark.parametrize(
        ("code", "claim"),
        [
            ("F-0101", "ContactorWelded"),
            ("F-0203", "CableOverTempDerate"),
            ("F-0204", "HighTemperature"),
            ("F-0301", "BackendDisconnected"),
            ("F-0302", "BackendDisconnected"),
            ("F-0411", "CommunicationFault"),
            ("F-0421", "EVSEContactorFault"),
            ("F-0512", "WrongConfiguration"),
            ("F-0601", "F-0601"),
            ("F-0701", "EVCommunicationError"),
            ("F-0702", "EVCommunicationError"),
            ("F-0805", "F-0805"),
            ("F-0999", "F-0999"),
            (1001, "1001"),
        ],
    )
    def test_each_fault_stands_at_its_connector(self, code: str | int, claim: str) -> None:
        station = Station("tellus", "TP-0001", connectors=2)
        station.say("tellus/TP-0001/events", tellus("fault", 2, fault_code=code, fault_message="as told"))
        assert station.claims() == [(2, claim)]

    def test_other_events_are_no_faults(self) -> None:
        station = Station("tellus", "TP-0001")
        for event in ("plug_in", "plug_out", "start", "stop", "alarm"):
            station.say("tellus/TP-0001/events", tellus(event, reason="x"))
        assert station.claims() == []

    def test_what_takes_a_fault_back(self) -> None:
        station = Station("tellus", "TP-0001")
        for code in ("F-0101", "F-0301", "F-0302", "F-0805"):
            station.say("tellus/TP-0001/events", tellus("fault", fault_code=code))
        station.say("tellus/TP-0001/events", tellus("plug_in", vehicle_connected=True))
        assert station.claims() == [(1, "ContactorWelded"), (1, "F-0805")]
        station.say("tellus/TP-0001/events", tellus("start", reason="app"))
        assert station.claims() == [(1, "ContactorWelded")]

    @pytest.mark.parametrize(
        ("state", "status"),
        [
            ("idle", "available"),
            ("charging", "charging"),
            ("discharging", "charging"),
            ("fault", "faulted"),
            ("x", None),
        ],
    )
    def test_its_telemetry(self, state: str, status: str | None) -> None:
        ear = Ear("tellus", "TP-0001", connectors=2)
        document = {
            "connector_id": 2,
            "state": state,
            "voltage": 220.5,
            "current": 32,
            "power": 7.04,
            "temperature": 35.2,
        }
        ear.say("tellus/TP-0001/2/telemetry", json.dumps(document))
        assert ear.status(2) == status
        reading = ear.reading(2)
        assert (reading.voltage_v, reading.current_a, reading.power_w) == (220.5, 32.0, 7040.0)
        assert reading.temperature_c == 35.2
        assert ear.status(1) is None


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
