"""``triage profile …`` as an operator calls it, on the guide's own examples and against live devices."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from tests.integration.brokers import client, mosquitto
from tests.integration.modbus_plant import Plant, plant
from tests.parts import free_port

HOUSE = Path(__file__).parents[2]
GUIDE = HOUSE / "config" / "profiles" / "README.md"
PROFILES = re.findall(r"(?s)```yaml\n(profile: (\w+).*?)```", GUIDE.read_text(encoding="utf-8"))
SHOWN = re.findall(r"(?s)```text\n(.*?)```", GUIDE.read_text(encoding="utf-8"))


def example(name: str, folder: Path, *changes: tuple[str, str]) -> Path:
    """The guide's example called ``name`` as a file, with these changes."""
    (text,) = [text for text, called in PROFILES if called == name]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


async def triage(*arguments: str | Path) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "triage", "profile", *map(str, arguments)),
        cwd=HOUSE,
        env={name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def read(path: Path, port: int, *more: str) -> tuple[int | None, dict[str, Any]]:
    code, out, err = await triage("read", path, "--host", f"127.0.0.1:{port}", "--json", *more)
    assert not err, err
    return code, json.loads(out)


@pytest.fixture
async def boxmeister() -> AsyncIterator[Plant]:
    """The device of the guide: what its table says, in words made by hand."""
    async with plant(1) as made:
        held = made.unit(1).input
        held.update(enumerate([0x426F, 0x786D, 0x6569, 0x7374, 0x6572, 0x2032, 0x3200, 0x0000, 0x0312]))
        words = [2303, 2298, 2310, 0, 0, 0, 0, 0x3039, 0x0000, 315, 5, 0b101000, 0x8235, 0x0001]
        held.update(enumerate(words, 10))
        yield made


# --- the guide --------------------------------------------------------------------------------------------------------


async def test_the_guide_shows_what_is_printed(boxmeister: Plant, tmp_path: Path) -> None:
    path = example("boxmeister_22", tmp_path)
    code, out, err = await triage("read", path, "--host", f"127.0.0.1:{boxmeister.port}")
    assert (code, err) == (0, "")
    assert out.partition("\n")[2] == SHOWN[2].partition("\n")[2]
    assert out.startswith(f"boxmeister_22 at 127.0.0.1:{boxmeister.port} unit 1, 2")
    assert boxmeister.writes == []
    _, out, _ = await triage("explain", path)
    assert out.endswith(SHOWN[1])


async def test_the_guide_shows_the_mistakes_that_are_told(tmp_path: Path) -> None:
    changes = [
        ("table: input, address: 30018", "table: holding, address: 30018"),
        ("is: RcdTripped", "is: RCDTripped"),
        ("command: 1}", "command: 2}"),
    ]
    path = example("boxmeister_22", tmp_path, *changes)
    code, out, err = await triage("explain", path)
    assert (code, out) == (2, "")
    assert err.replace(str(tmp_path), "config/profiles") == SHOWN[0]


async def test_both_examples_are_explained_with_all_their_doubts(tmp_path: Path) -> None:
    for name, doubts, requests in (("boxmeister_22", 2, [(4, 0, 9), (4, 10, 14)]), ("nordlicht_n2", 1, [])):
        code, out, _ = await triage("explain", example(name, tmp_path), "--json")
        told = json.loads(out)
        assert code == 0
        assert len(told["unverified"]) == doubts
        sent = [(int(each["function"][2:]), each["first"], each["count"]) for each in told["requests"]]
        assert sent == requests


async def test_an_explanation_tells_families_as_the_core_will_read_them(tmp_path: Path) -> None:
    word = ('"temperature high, output reduced"', '"over-temperature, output reduced"')
    families = {}
    for changes in ([], [word]):
        _, out, _ = await triage("explain", example("boxmeister_22", tmp_path, *changes), "--json")
        families[len(changes)] = {line["fault"]: (line["family"], line["reset"]) for line in json.loads(out)["faults"]}
    assert families[0]["InternalError"] == ("internal", True)
    assert families[0]["ContactorWelded"] == ("safety", False)
    assert families[0]["unknown"] == ("unknown", False)
    assert families[0]["HighTemperature"] == ("thermal", False)
    assert families[1]["HighTemperature"] == ("safety", False), "the vendor's words speak of danger"


# --- reading Modbus ---------------------------------------------------------------------------------------------------


async def test_each_value_tells_its_words_and_what_it_means(boxmeister: Plant, tmp_path: Path) -> None:
    code, report = await read(example("boxmeister_22", tmp_path), boxmeister.port)
    assert code == 0
    values = {each["name"]: each for each in report["values"]}
    assert values["meter"]["words"] == [0x3039, 0]
    assert (values["meter"]["value"], values["meter"]["unit"]) == (1234.5, "kWh")
    assert values["uptime"]["value"] == 98_869
    assert values["state"]["means"] == "status faulted"
    assert values["errors"]["means"] == "InternalError"
    assert "command" not in values, "what is never read is not read here either"
    (connector,) = report["connectors"]
    assert (connector["status"], connector["session"], connector["energy_wh"]) == ("faulted", "none", 1_234_500)


async def test_signs_and_markers_are_read_as_the_table_says(boxmeister: Plant, tmp_path: Path) -> None:
    boxmeister.unit(1).input.update({13: 1600, 14: 0x7FFF, 15: 0x7FFF, 16: 368, 19: 0xFFCE, 20: 2, 21: 0})
    code, report = await read(example("boxmeister_22", tmp_path), boxmeister.port)
    assert code == 0
    values = {each["name"]: each["value"] for each in report["values"]}
    assert (values["temperature"], values["current_l1"], values["current_l2"]) == (-5.0, 16.0, None)
    (connector,) = report["connectors"]
    assert (connector["status"], connector["session"]) == ("charging", "live")
    assert (connector["current_a"], connector["power_w"]) == (16.0, 3680.0)
    assert report["faults"] == []


async def test_another_model_is_told_and_fails(boxmeister: Plant, tmp_path: Path) -> None:
    boxmeister.unit(1).input[0] = 0x4141
    code, report = await read(example("boxmeister_22", tmp_path), boxmeister.port)
    assert code == 1
    assert report["verdict"].startswith("this is not the model of the profile: designation is 'AAxmeister 22'")
    assert [check["holds"] for check in report["identity"]] == [False]


async def test_an_impossible_value_is_told_and_fails(boxmeister: Plant, tmp_path: Path) -> None:
    boxmeister.unit(1).input[10] = 65_000
    code, report = await read(example("boxmeister_22", tmp_path), boxmeister.port)
    assert code == 1
    values = {each["name"]: each for each in report["values"]}
    assert values["voltage_l1"]["error"] == "says 6500 V; possible is 0 to 300 V"
    assert values["voltage_l1"]["words"] == [65_000]
    assert values["voltage_l2"]["value"] == 229.8
    assert len(report["impossible"]) == 1


async def test_what_is_not_there_costs_only_itself(boxmeister: Plant, tmp_path: Path) -> None:
    del boxmeister.unit(1).input[19]
    code, report = await read(example("boxmeister_22", tmp_path), boxmeister.port)
    assert code == 0
    failed = {each["name"]: each["error"] for each in report["values"] if each["error"]}
    assert failed == {"temperature": "exception 2 (illegal address)"}


async def test_a_code_in_no_table_is_shown_as_unknown(boxmeister: Plant, tmp_path: Path) -> None:
    boxmeister.unit(1).input.update({20: 9, 21: 1 << 12})
    code, report = await read(example("boxmeister_22", tmp_path), boxmeister.port)
    assert code == 0
    assert report["connectors"][0]["status"] == "unknown"
    assert report["connectors"][0]["session"] == "unknown"
    assert [(each["fault"], each["family"], each["reset"]) for each in report["faults"]] == [
        ("errors bit 12", "unknown", False)
    ]
    assert set(report["unlisted"]) == {"state 9", "errors bit 12"}


async def test_a_unit_that_does_not_answer_fails_with_its_reason(boxmeister: Plant, tmp_path: Path) -> None:
    path = example("boxmeister_22", tmp_path, ("  unit_id: 1\n", "  unit_id: 1\n  timeout_s: 0.2\n"))
    code, out, err = await triage("read", path, "--host", f"127.0.0.1:{boxmeister.port}", "--unit", "7")
    assert (code, out) == (1, "")
    assert "nothing answers as this unit" in err
    assert "check --unit" in err
    assert all(asked.unit == 7 for asked in boxmeister.asked)


async def test_an_address_where_nobody_listens_fails_with_its_reason(tmp_path: Path) -> None:
    port = free_port()
    code, out, err = await triage("read", example("boxmeister_22", tmp_path), "--host", f"127.0.0.1:{port}")
    assert (code, out) == (1, "")
    assert f"127.0.0.1:{port}" in err


async def test_the_connectors_of_a_device_are_read_by_their_steps(tmp_path: Path) -> None:
    path = example(
        "boxmeister_22",
        tmp_path,
        ("connectors: 1\n", "connectors: 2\n"),
        ("  word_order: lsw_first", "  connectors: {stride: 1000}\n  word_order: lsw_first"),
        (
            "state: {table: input, address: 30021, type: u16}",
            "state: {table: input, address: 30021, type: u16, of: connector}",
        ),
    )
    async with plant(4) as made:
        made.unit(4).input.update(dict.fromkeys(range(24), 0) | {20: 0, 1020: 2})
        _, report = await read(path, made.port, "--unit", "4")
    states = [each for each in report["values"] if each["name"] == "state"]
    assert [(each["connector"], each["wire"], each["value"]) for each in states] == [
        (1, "20 (0x0014)", 0),
        (2, "1020 (0x03FC)", 2),
    ]
    assert [each["status"] for each in report["connectors"]] == ["available", "charging"]


# --- listening to MQTT ------------------------------------------------------------------------------------------------


async def test_an_mqtt_device_is_listened_to_and_nothing_is_left_at_the_broker(tmp_path: Path) -> None:
    path = example("nordlicht_n2", tmp_path)
    async with mosquitto(tmp_path / "broker") as broker, client(broker) as device:
        say = Speaker(device, "nordlicht/N2-004711/")
        await say("online", "1", retain=True)
        await say("info", '{"type": "N2", "fw": "2.4.1", "boots": 17}', retain=True)
        await say("1/state", "error", retain=True)
        await device.subscribe("nordlicht/N2-004711/command", qos=1)
        url = f"mqtt://127.0.0.1:{broker.port}"
        reading = asyncio.create_task(
            triage("read", path, "--broker", url, "--device", "N2-004711", "--for", "1.5", "--ask", "--json")
        )
        asked = await anext(aiter(device.messages))  # it listens now
        assert bytes(asked.payload) == b'{"do": "report"}'
        await say("0/state", "charging")
        await say("0/meter", '{"i": [15.9, 16.0, 15.9], "p": 11010, "e": 8123.4}')
        await say(
            "errors",
            '{"errors": [{"code": "E07", "connector": 1, "text": "watchdog"}, {"code": "E99", "connector": 0}]}',
        )
        code, out, err = await reading
    assert (code, err) == (0, "")
    report = json.loads(out)
    values = {(each["name"], each["connector"]): each for each in report["values"]}
    assert (values["state", 2]["payload"], values["state", 2]["retained"]) == ("error", True)
    assert (values["state", 1]["value"], values["state", 1]["retained"]) == ("charging", False)
    assert values["amps", 1]["where"] == "nordlicht/N2-004711/0/meter"
    assert values["amps", 2]["error"] == "never heard"
    assert [each["status"] for each in report["connectors"]] == ["charging", "faulted"]
    assert report["connectors"][0]["energy_wh"] == 8_123_400
    faults = {(each["connector"], each["fault"]): each["family"] for each in report["faults"]}
    assert faults == {(2, "InternalError"): "internal", (1, "E99"): "unknown"}
    assert (report["firmware"], report["boot_id"], report["presence"]) == ("2.4.1", "17", "there, retained")


class Speaker:
    """Publishes below a prefix."""

    def __init__(self, device: aiomqtt.Client, prefix: str) -> None:
        self._device, self._prefix = device, prefix

    async def __call__(self, topic: str, payload: str, *, retain: bool = False) -> None:
        await self._device.publish(self._prefix + topic, payload, qos=1, retain=retain)


async def test_a_device_that_says_nothing_fails(tmp_path: Path) -> None:
    path = example("nordlicht_n2", tmp_path)
    async with mosquitto(tmp_path / "broker") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        code, out, _ = await triage("read", path, "--broker", url, "--device", "N2-000001", "--for", "0.2")
    assert code == 1
    assert out.endswith("nothing could be read\n")
    code, _, err = await triage("read", path, "--broker", url, "--device", "N2-000001", "--for", "0.2")
    assert code == 1
    assert "no broker" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--device", "N3-000001"), "cannot be such a device (write it as in N2-004711)"),
        (("--broker", "http://x", "--device", "N2-000001"), "no broker's address"),
        ((), "--device: this profile speaks MQTT"),
    ],
)
async def test_a_wrong_call_is_told_what_to_write(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    code, _, err = await triage("read", example("nordlicht_n2", tmp_path), *arguments)
    assert code == 2
    assert says in err


# --- lists ------------------------------------------------------------------------------------------------------------


async def test_every_profile_of_the_folder_is_listed_and_can_be_explained() -> None:
    code, out, _ = await triage("list", "--json")
    listed = json.loads(out)
    assert code == 0
    assert len(listed) >= 38
    assert {each["profile"] for each in listed} == {path.stem for path in GUIDE.parent.glob("*.yaml")}
    assert all(each["models"] and each["vendor"] for each in listed)


async def test_a_name_that_is_no_profile_is_told_the_names_there_are() -> None:
    code, _, err = await triage("explain", "keba_p31")
    assert code == 2
    assert "keba_p30_p40" in err


async def test_the_names_of_faults_are_listed_in_both_languages() -> None:
    code, out, _ = await triage("faults")
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("GroundFailure")]
    assert re.search(r"safety +never +Ground-fault protection has acted\. +接地故障或漏电保护动作。", line)


async def test_the_keys_are_printed_as_json_schema() -> None:
    code, out, _ = await triage("keys", "--json")
    assert code == 0
    assert json.loads(out)["properties"]["modbus"]["anyOf"][0] == {"$ref": "#/$defs/Modbus"}
