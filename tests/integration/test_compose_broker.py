"""The broker as docker-compose.yml configures it: the prepared account works, and nobody else leaves his own topics."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import aiomqtt
import pytest

pytestmark = pytest.mark.integration

HOUSE = Path(__file__).parents[2]
COMPOSE = HOUSE / "config" / "compose"
PATIENCE_S = 15


def load_prepare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prepare", COMPOSE / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def broker(mosquitto: str, port: int, tmp_path: Path) -> AsyncIterator[str]:
    """Starts Mosquitto with an account for pile P1 added; yields the daemon's password."""
    prepare, secrets = load_prepare(), tmp_path / "secrets"
    prepare.prepare(secrets)
    accounts = secrets / "mosquitto_passwords"
    entries = accounts.read_text() + prepare.mosquitto_entry("P1", "pile") + "\n"
    accounts.unlink()
    accounts.write_text(entries)
    text = (COMPOSE / "mosquitto.conf").read_text()
    for there, here in (
        ("listener 1883", f"listener {port} 127.0.0.1"),
        ("/run/secrets", str(secrets)),
        ("/etc/triage", str(HOUSE / "config")),
        ("/mosquitto/data", str(tmp_path)),
    ):
        assert there in text
        text = text.replace(there, here)
    if os.geteuid() == 0:
        text += "\nuser root\n"  # else it leaves for an account that may not read the test's folder
    (tmp_path / "mosquitto.conf").write_text(text)
    process = await asyncio.create_subprocess_exec(
        mosquitto, "-c", str(tmp_path / "mosquitto.conf"), stdout=sys.stderr, stderr=sys.stderr
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await listening(port):
                assert process.returncode is None
                await asyncio.sleep(0.02)
        yield (secrets / "mqtt_password").read_text().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def talk(port: int, user: str | None, password: str | None) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", port, username=user, password=password, timeout=PATIENCE_S)


async def test_strangers_are_refused(broker: str, port: int) -> None:
    for user, password in ((None, None), ("triage", "guess"), ("P2", "pile")):
        with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authori[sz]ed"):
            async with talk(port, user, password):
                pass


async def test_a_pile_speaks_for_itself_alone(broker: str, port: int) -> None:
    async with talk(port, "triage", broker) as daemon, talk(port, "P1", "pile") as pile:
        await daemon.subscribe("pile/v1/#", qos=1)
        for topic in ("pile/v1/S/P2/telemetry", "pile/v1/S/P1/command", "pile/v1/complaints", "pile/v1/S/P1/telemetry"):
            await pile.publish(topic, b"{}", qos=1)
        await daemon.publish("pile/v1/S/P1/command", b"{}", qos=1)
        heard = []
        async with asyncio.timeout(PATIENCE_S):
            async for message in daemon.messages:
                heard.append(message.topic.value)
                if message.topic.value.endswith("command"):
                    break
        assert heard == ["pile/v1/S/P1/telemetry", "pile/v1/S/P1/command"]


async def test_a_pile_hears_its_own_commands_alone(broker: str, port: int) -> None:
    async with talk(port, "triage", broker) as daemon, talk(port, "P1", "pile") as pile:
        await pile.subscribe("pile/v1/#", qos=1)
        for topic in ("pile/v1/S/P2/command", "pile/v1/S/P1/command"):
            await daemon.publish(topic, b"{}", qos=1)
        async with asyncio.timeout(PATIENCE_S):
            message = await anext(pile.messages)
        assert message.topic.value == "pile/v1/S/P1/command"
