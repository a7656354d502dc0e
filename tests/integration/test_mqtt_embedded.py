"""The embedded broker as a process: ports, restarts, and that it never outlives us."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.integration.brokers import client, until
from tests.parts import free_port
from triage.drivers.embedded import EmbeddedBroker, EmbeddedBrokerError

pytestmark = pytest.mark.integration


async def test_it_keeps_sessions_and_retained_messages_over_a_restart(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    async with broker:
        assert broker.url == f"mqtt://127.0.0.1:{broker.port}"
        async with client(broker, identifier="keeper", clean_session=False) as keeper:
            await keeper.subscribe("pile/v1/#", qos=1)
        async with client(broker) as pile:
            await pile.publish("pile/v1/s/p/status", "retained", qos=1, retain=True)
            await pile.publish("pile/v1/s/p/telemetry", "queued", qos=1)
    async with broker, client(broker, identifier="keeper", clean_session=False) as keeper:
        seen = set()
        async with asyncio.timeout(10):
            async for message in keeper.messages:
                seen.add(bytes(message.payload))
                if seen >= {b"retained", b"queued"}:
                    break


async def test_a_taken_port_is_told_with_its_remedy(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(EmbeddedBrokerError, match=rf"127\.0\.0\.1:{port}.*mqtt\.port"):
            await EmbeddedBroker(tmp_path, port).start()


async def test_stop_ends_the_process_and_frees_the_port(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path, free_port())
    await broker.start()
    assert listens(broker.port)
    await broker.stop()
    await broker.stop()
    assert not listens(broker.port)
    async with broker:
        pass


async def test_a_store_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "jetstream").write_text("in the way", encoding="utf-8")
    with pytest.raises(EmbeddedBrokerError, match="ended at once"):
        await EmbeddedBroker(tmp_path).start()


async def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys, pathlib\n"
        "from triage.drivers.embedded import EmbeddedBroker\n"
        "async def main():\n"
        "    broker = EmbeddedBroker(pathlib.Path(sys.argv[1]))\n"
        "    await broker.start()\n"
        "    print(broker.port, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).resolve().parents[2]
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    assert parent.stdout is not None
    port = int(await parent.stdout.readline())
    assert listens(port)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await until(lambda: not listens(port), what="the broker followed its parent")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
