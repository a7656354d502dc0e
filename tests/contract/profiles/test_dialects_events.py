"""Dialects that raise and clear faults as events: EVerest and Tellus.

Every expected value was worked out by hand from the makers' descriptions.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from tests.contract.profiles.ears import Ear, Station
from tests.contract.profiles.plates import CONFIG
from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.core.faults import FaultTable
from triage.core.vocabulary import Action

ERRORS = "everest_api/1/error_history_consumer/api"
EVSE = "everest_api/1/evse_manager_consumer/api_evse_"


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
