"""From outside, over an independent Modbus server in C: faulted devices of several makes meet the whole daemon.

Each is detected, and recovered by its own means, or dispatched because it has none, and proven. One more make is played
by an MQTT client that shares nothing with the product.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import pytest
import pytest_asyncio

from tests.integration.brokers import until
from tests.integration.modbus.field import Abl, Charger, Heidelberg, Keba, Vestel, Victron, Warp
from tests.integration.modbus.libmodbus import Server, build
from tests.integration.outside.api import Api, Shown, steps
from tests.integration.outside.daemon import COLUMNS, CONFIG, Daemon
from tests.integration.outside.stage import shipped_mosquitto

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

C = TypeVar("C", bound=Charger)
KNOWN_WARP, TRANSLATED_ABL = "warp_known", "abl_translated"
OPERATORS = (
    (KNOWN_WARP, "warp_charger", "is: unknown\n", "is: InternalError\n"),
    (TRANSLATED_ABL, "abl_emh1", "framing: ascii\n", "framing: tcp\n"),
)
"""What an operator changes who knows what this maker's bare error means, and whose gateway translates the frames."""

PLACES: dict[str, tuple[type[Charger], str]] = {
    "warp": (Warp, "warp_charger"),
    "warp-known": (Warp, KNOWN_WARP),
    "warp-busy": (Warp, "warp_charger"),
    "heidelberg": (Heidelberg, "heidelberg_energy_control"),
    "heidelberg-error": (Heidelberg, "heidelberg_energy_control"),
    "abl": (Abl, TRANSLATED_ABL),
    "abl-welded": (Abl, TRANSLATED_ABL),
    "victron": (Victron, "victron_evcs"),
    "victron-leaks": (Victron, "victron_evcs"),
    "keba": (Keba, "keba_p30_p40"),
    "vestel": (Vestel, "vestel_evc04"),
    "liar": (Vestel, "vestel_evc04"),
}


class Street:
    """The daemon, its API, and the chargers by name; each stands on a site of its own."""

    def __init__(self, daemon: Daemon, api: Api, chargers: dict[str, Charger], broker_port: int) -> None:
        self.daemon = daemon
        self.api = api
        self.broker_port = broker_port
        self._chargers = chargers

    def charger(self, name: str, make: type[C]) -> C:
        found = self._chargers[name]
        assert isinstance(found, make)
        return found

    async def polled(self, name: str, times: int = 5) -> None:
        """Let the daemon look so many more times: long enough for whatever it would do wrong."""
        heard = {(await self.api.get(f"/piles/{name}"))["heard_at"]}

        def again(shown: Shown) -> bool:
            heard.add(shown["heard_at"])
            return len(heard) > times

        await self.api.pile(name, again, f"heard {times} times more")


def operators_profiles(folder: Path) -> Path:
    """The shipped profiles, and two that an operator made of them for his own devices."""
    profiles = folder / "profiles"
    shutil.copytree(CONFIG / "profiles", profiles)
    for name, base, before, after in OPERATORS:
        text = (profiles / f"{base}.yaml").read_text(encoding="utf-8")
        assert before in text
        text = text.replace(f"profile: {base}\n", f"profile: {name}\n").replace(before, after)
        (profiles / f"{name}.yaml").write_text(text, encoding="utf-8")
    return profiles


def write_fleet(folder: Path, chargers: dict[str, Charger]) -> None:
    rows: list[dict[str, Any]] = [
        {"site": f"site-{name}", "pile": name, "profile": PLACES[name][1], **charger.row}
        for name, charger in chargers.items()
    ]
    rows.append({"site": "site-mqtt", "pile": "warp-mqtt", "profile": "warp_mqtt", "endpoint": "warp2/AbC"})
    rows.append({"site": "site-mqtt-2", "pile": "warp-mqtt-rcd", "profile": "warp_mqtt", "endpoint": "warp2/DeF"})
    with (folder / "fleet.csv").open("w", encoding="utf-8", newline="") as file:
        written = csv.DictWriter(file, COLUMNS)
        written.writeheader()
        written.writerows({"region": "north", "model": "X", "connectors": 1, "team": "crew"} | row for row in rows)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    folder = tmp_path_factory.mktemp("street")
    program = build("server", folder)
    async with AsyncExitStack() as stack:
        port = stack.enter_context(shipped_mosquitto(folder / "mosquitto"))
        chargers = {}
        for name, (make, _) in PLACES.items():
            chargers[name] = make(await stack.enter_async_context(Server(program)))
            await chargers[name].stand()
            stack.push_async_callback(chargers[name].leave)
        profiles = {"profiles": str(operators_profiles(folder))}
        daemon = Daemon(folder, [], mqtt=f"mqtt://127.0.0.1:{port}", changes=profiles)
        write_fleet(folder, chargers)
        stack.callback(daemon.kill)
        await daemon.start()
        api = await stack.enter_async_context(Api(daemon.url))
        for name in chargers:
            await api.pile(name, lambda shown: shown["state"] == "available", "well and heard by the daemon")
        yield Street(daemon, api, chargers, port)
        assert await daemon.stop() == 0, daemon.words()


def evidence(incident: Shown) -> set[str]:
    return {seen["kind"] for seen in incident["attempts"][-1]["evidence"]}


async def asked(street: Street, pile: str, action: str, **more: Any) -> Shown:
    """A person's command that must pass the gates, and the incident in which it was judged."""
    answer = await street.api.post(f"/piles/{pile}/commands", {"action": action, "reason": "asked for", **more})
    assert answer.status_code == 202, answer.text
    return await street.api.incident(
        pile, lambda shown: shown["attempts"] and shown["attempts"][-1]["result"] is not None, "judged"
    )


# --- recovered by their own means -------------------------------------------------------------------------------------


async def test_warp_in_a_known_error_is_restarted_once_and_its_uptime_proves_it(street: Street) -> None:
    warp = street.charger("warp-known", Warp)
    await warp.breaks()
    incident = await street.api.closed("warp-known", "recovered_remotely")
    assert steps(incident) == [("report", "failed"), ("reset_hard", "passed")]
    assert {"boot", "fault_absent"} <= evidence(incident)
    assert warp.server.written("holding", 0) == [Warp.magic]
    assert warp.restarts == 1
    assert [each[1:3] for each in warp.server.writes] == [("holding", 0)]
    assert await street.api.orders("warp-known") == []


async def test_warp_in_a_bare_error_is_left_to_a_person(street: Street) -> None:
    warp = street.charger("warp", Warp)
    await warp.breaks()
    incident = await street.api.in_state("warp", "desk")
    assert incident["family"] == "unknown"
    answer = await street.api.post("/piles/warp/commands", {"action": "reset_hard", "reason": "try"})
    assert answer.status_code == 409
    assert "not resettable" in answer.text
    await street.polled("warp")
    assert warp.server.writes == []
    await warp.heals()
    await street.api.closed("warp", "self_cleared")


async def test_warp_is_never_restarted_under_a_car(street: Street) -> None:
    warp = street.charger("warp-busy", Warp)
    await warp.set("input", {1000: [0, 2, 0, 3, 0, 7], 2002: [0x45E6, 0]})  # charging, 7360.0 W
    await street.api.pile("warp-busy", lambda shown: shown["state"] == "in_use", "charging")
    wish = {"action": "reset_hard", "reason": "try"}
    assert (await street.api.post("/piles/warp-busy/commands", wish)).status_code == 409
    await warp.set("input", {1000: [0, 0, 0, 0, 0xFFFF, 0xFFFF], 2002: [0, 0]})
    await street.api.pile("warp-busy", lambda shown: shown["state"] == "available", "free")
    incident = await asked(street, "warp-busy", "reset_hard")
    assert steps(incident) == [("reset_hard", "passed")]
    assert "boot" in evidence(incident)
    assert warp.server.written("holding", 0) == [Warp.magic]


async def test_abl_internal_error_is_cleared_by_its_outlet_off_and_on(street: Street) -> None:
    abl = street.charger("abl", Abl)
    await abl.shows(0xF2)
    incident = await street.api.closed("abl", "recovered_remotely")
    assert steps(incident) == [("report", "failed"), ("reset_soft", "passed")]
    assert "fault_absent" in evidence(incident)
    assert abl.server.written("holding", 5) == [(0xE0E0,), (0xA1A1,)]
    assert len(abl.server.writes) == 2


async def test_heidelberg_is_locked_and_unlocked_and_state_f_meanwhile_is_no_fault(street: Street) -> None:
    box = street.charger("heidelberg", Heidelberg)
    incident = await asked(street, "heidelberg", "reset_soft")
    assert steps(incident) == [("reset_soft", "passed")]
    assert box.server.written("holding", 259) == [(0,), (1,)]
    assert len(box.server.writes) == 2
    await street.polled("heidelberg")
    assert [each["family"] for each in await street.api.incidents("heidelberg")] == [incident["family"]]
    assert (await street.api.get("/piles/heidelberg"))["state"] == "available"


# --- dispatched, or waited for, because they have none ----------------------------------------------------------------


async def test_heidelberg_in_error_is_not_touched(street: Street) -> None:
    box = street.charger("heidelberg-error", Heidelberg)
    await box.set("input", {5: 11})
    incident = await street.api.in_state("heidelberg-error", "desk")
    assert incident["family"] == "unknown"
    await street.api.post(f"/incidents/{incident['id']}/actions", {"action": "dispatch", "reason": "look at it"})
    order = await street.api.order("heidelberg-error", lambda each: True, "issued")
    assert order["reason"]["code"] == "desk_decision"
    await street.polled("heidelberg-error")
    assert box.server.writes == []
    # Mended on the ground, and shown to be: the order ends, and with it the incident.
    for event in ("accept", "depart", "arrive"):
        await street.api.report(order["id"], event)
    await box.set("input", {5: 2})
    await street.api.report(order["id"], "done", work="controller replaced")
    await street.api.closed("heidelberg-error", "repaired")


async def test_abl_with_a_welded_contact_is_never_written_to_and_dispatched_at_once(street: Street) -> None:
    abl = street.charger("abl-welded", Abl)
    began_s = time.monotonic()
    await abl.shows(0xF1)
    order = await street.api.order("abl-welded", lambda each: True, "issued")
    assert time.monotonic() - began_s < 3
    assert order["reason"]["code"] == "forbidden_safety"
    for action in ("reset_soft", "set_availability"):
        answer = await street.api.post("/piles/abl-welded/commands", {"action": action, "reason": "try"})
        assert answer.status_code == 409, answer.text
    await abl.shows(0xA1)
    await street.polled("abl-welded")
    assert abl.server.writes == []


async def test_victron_too_hot_is_left_to_cool_and_then_closed(street: Street) -> None:
    victron = street.charger("victron", Victron)
    await victron.shows(14)
    incident = await street.api.incident("victron", lambda each: each["family"] == "thermal", "too hot")
    await street.polled("victron", 10)
    answer = await street.api.post("/piles/victron/commands", {"action": "reset_soft", "reason": "try"})
    assert answer.status_code in {409, 422}
    assert victron.server.writes == []
    assert await street.api.orders("victron") == []
    await victron.shows(0)
    closed = await street.api.incident("victron", lambda each: each["state"] == "closed", "cooled")
    assert closed["id"] == incident["id"]
    assert not [name for name, _ in steps(closed) if name != "report"]
    assert victron.server.writes == []


async def test_victron_with_earth_leakage_is_dispatched_at_once(street: Street) -> None:
    victron = street.charger("victron-leaks", Victron)
    await victron.shows(11)
    order = await street.api.order("victron-leaks", lambda each: True, "issued")
    assert order["reason"]["code"] == "forbidden_safety"
    assert order["priority"] == "critical"
    await street.polled("victron-leaks")
    assert victron.server.writes == []


async def test_keba_error_only_its_maker_can_read_is_dispatched_and_proven_mended(street: Street) -> None:
    keba = street.charger("keba", Keba)
    await keba.shows(4, 0x0004_0000)
    order = await street.api.order("keba", lambda each: True, "issued")
    assert order["reason"]["code"] == "no_remote_channel"
    assert "262144" in order["reason"]["text"]
    incident = await street.api.get(f"/incidents/{order['incident']}")
    assert steps(incident) == [("report", "failed")]
    shown = await street.api.get("/piles/keba")
    assert "4:0" in json.dumps(shown["faults"]), shown["faults"]
    await street.polled("keba")
    for event in ("accept", "depart", "arrive"):
        await street.api.report(order["id"], event)
    await keba.shows(1, 0)
    await street.api.report(order["id"], "done", work="contactor board replaced")
    await street.api.closed("keba", "repaired")
    assert keba.server.writes == []


async def test_vestel_bit_of_unknown_meaning_is_dispatched_and_recalled_when_it_clears(street: Street) -> None:
    vestel = street.charger("vestel", Vestel)
    await vestel.fault(1 << 17)
    order = await street.api.order("vestel", lambda each: True, "issued")
    assert order["reason"]["code"] == "no_remote_channel"
    assert "bit 17" in order["reason"]["text"]
    await vestel.fault(0)
    await street.api.order("vestel", lambda each: each["state"] == "recalled", "recalled")
    assert vestel.server.writes == []


# --- nonsense ---------------------------------------------------------------------------------------------------------


async def test_a_device_that_says_it_is_somebody_else_is_flagged_and_never_acted_upon(street: Street) -> None:
    liar = street.charger("liar", Vestel)
    await liar.set("input", {190: [0] * 10, 210: [0] * 5, 1002: 2, 1006: [2, 0]})
    await liar.server.command("cut")  # it is asked again who it is
    until_s = time.monotonic() + 20
    while not (found := [each for each in await street.api.items("/quarantine") if liar.server.endpoint in str(each)]):
        assert time.monotonic() < until_s, await street.api.items("/quarantine")
        await asyncio.sleep(0.1)
    assert "wrong_identity" in str(found)
    assert await street.api.orders("liar") == []
    assert not [each for each in await street.api.incidents("liar") if each["family"] == "unknown"]
    assert liar.server.writes == []


# --- one more make, over MQTT -----------------------------------------------------------------------------------------


class WarpOverMqtt:
    """The same maker's charger as its MQTT API describes it."""

    def __init__(self, client: aiomqtt.Client, prefix: str) -> None:
        self.reboots: list[tuple[bytes, bool]] = []
        self.commands: list[str] = []
        self._client = client
        self._prefix = prefix
        self._error = 0
        self._born_s = time.monotonic() - 70_000

    @contextlib.asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        for command in ("reboot", "evse/stop_charging", "evse/start_charging", "evse/global_current_update"):
            await self._client.subscribe(f"{self._prefix}/{command}", qos=1)
        tasks = [asyncio.create_task(self._tell()), asyncio.create_task(self._obey())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def breaks(self, error: int) -> None:
        self._error = error

    async def _say(self, topic: str, document: dict[str, Any]) -> None:
        await self._client.publish(f"{self._prefix}/{topic}", json.dumps(document), retain=True)

    async def _tell(self) -> None:
        while True:
            await self._say("info/version", {"firmware": "2.6.6+679", "config": "2.6.6"})
            await self._say(
                "info/name", {"name": "warp2", "type": "WARP2", "display_type": "WARP2 Charger", "uid": "AbC"}
            )
            await self._say("info/keep_alive", {"uptime": int((time.monotonic() - self._born_s) * 1000)})
            state = {
                "iec61851_state": 4 if self._error else 0,
                "charger_state": 4 if self._error else 0,
                "contactor_state": 1,
                "contactor_error": 0,
                "allowed_charging_current": 16_000,
                "error_state": self._error,
                "lock_state": 0,
                "dc_fault_current_state": 0,
            }
            await self._say("evse/state", state)
            await self._say("meter/values", {"power": 0.0, "energy_rel": 1.5, "energy_abs": 1234.5})
            await asyncio.sleep(0.2)

    async def _obey(self) -> None:
        async for message in self._client.messages:
            name = str(message.topic).removeprefix(f"{self._prefix}/")
            self.commands.append(name)
            if name == "reboot":
                assert isinstance(message.payload, bytes)
                self.reboots.append((message.payload, bool(message.retain)))
                self._born_s = time.monotonic()
                self._error = 0


async def test_warp_over_mqtt_is_rebooted_by_its_own_command_and_proven(street: Street) -> None:
    async with aiomqtt.Client("127.0.0.1", street.broker_port, identifier="warp2-AbC") as client:
        warp = WarpOverMqtt(client, "warp2/AbC")
        async with warp.living():
            await street.api.pile("warp-mqtt", lambda shown: shown["state"] == "available", "heard")
            warp.breaks(5)
            incident = await street.api.closed("warp-mqtt", "recovered_remotely")
            await until(lambda: warp.reboots, what="rebooted")
    assert ("reset_hard", "passed") in steps(incident)
    assert {"boot", "fault_absent"} <= evidence(incident)
    assert warp.reboots == [(b"null", False)]
    assert warp.commands == ["reboot"]


async def test_warp_over_mqtt_with_a_latched_residual_current_is_dispatched(street: Street) -> None:
    async with aiomqtt.Client("127.0.0.1", street.broker_port, identifier="warp2-DeF") as client:
        warp = WarpOverMqtt(client, "warp2/DeF")
        async with warp.living():
            await street.api.pile("warp-mqtt-rcd", lambda shown: shown["state"] == "available", "heard")
            warp.breaks(3)
            order = await street.api.order("warp-mqtt-rcd", lambda each: True, "issued")
            assert order["reason"]["code"] == "forbidden_safety"
            await street.polled("warp-mqtt-rcd")
            assert warp.commands == []
