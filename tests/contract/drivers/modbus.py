"""A Modbus device: frames packed by hand, and a profile of a few registers."""

from __future__ import annotations

import json

from tests.contract.drivers.field import PILE, SITE, SPEED, Field, Session
from tests.integration.brokers import WallClock
from tests.integration.modbus_plant import Asked, Plant
from triage.config.profile.file import Profile
from triage.core.events import Registration
from triage.drivers.modbus.driver import ModbusDriver
from triage.interfaces import Driver

STATUS, SESSION, ALARMS, VOLTAGE, COMMAND = range(5)
STATES = ["available", "preparing", "charging", "suspended_ev", "faulted"]
SESSIONS = {Session.NONE: 0, Session.LIVE: 7, Session.UNKNOWN: 0xFFFF}
ORDERS = {1: "reset_soft", 2: "reset_hard"}


def _input(address: int, **more: object) -> dict[str, object]:
    return {"table": "input", "address": address, "type": "u16"} | more


PROFILE = {
    "profile": "contract",
    "title": {"en": "Contract", "zh": "契约"},
    "vendor": "nobody",
    "models": ["none"],
    "sources": ["made up"],
    "verified": "made up",
    "modbus": {
        "poll_s": 1,
        "timeout_s": 0.5,
        "retries": 0,
        "registers": {
            "status": _input(STATUS),
            "session": _input(SESSION, invalid=[0xFFFF]),
            "alarms": _input(ALARMS, type="bits16"),
            "voltage": _input(VOLTAGE, range=[0, 300], unit="V"),
            "command": _input(COMMAND, table="holding", access="w", read="never", allowed=[1, 2]),
        },
    },
    "status": [{"from": "status", "map": {str(number): state for number, state in enumerate(STATES)}}],
    "faults": [{"from": "alarms", "bits": {"0": "GroundFailure"}}],
    "session": {"id": "session"},
    "actions": {
        action: {"does": {"en": "It restarts.", "zh": "重启。"}, "steps": [{"write": {"command": number}}]}
        for number, action in ORDERS.items()
    },
}


class ModbusField(Field):
    """One device, polled."""

    async def _open(self) -> int:
        self._plant = Plant()
        self._unit = self._plant.unit(1)
        self._unit.input.update({STATUS: 0, SESSION: 0xFFFF, ALARMS: 0, VOLTAGE: 230})
        self._unit.after = self._note
        await self._plant.open()
        return self._plant.port

    async def _close(self) -> None:
        await self._plant.close()

    def driver(self, fresh_s: float = 60.0) -> Driver:
        profile = Profile.model_validate_json(json.dumps(PROFILE))
        endpoint = f"127.0.0.1:{self.gate.port}"
        row = Registration(pile=PILE, site=SITE, region="r", profile="contract", endpoint=endpoint)
        return ModbusDriver([(row, profile)], clock=WallClock(), fresh_s=fresh_s, speed=SPEED)

    async def say(
        self,
        status: str = "available",
        session: Session = Session.NONE,
        *,
        danger: bool = False,
        pile: str = PILE,
    ) -> None:
        if pile == PILE:  # nobody asks another one
            said = {STATUS: STATES.index(status), SESSION: SESSIONS[session], ALARMS: int(danger), VOLTAGE: 230}
            self._unit.input.update(said)

    async def garble(self) -> None:
        self._unit.input[VOLTAGE] = 65_000

    async def lose_answer(self) -> None:
        self._unit.write_moods.append("drop_done")

    def _note(self, asked: Asked) -> None:
        if asked.writes:
            self.told.append(ORDERS[asked.words[0]])
