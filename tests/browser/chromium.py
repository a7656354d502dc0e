"""A real Chromium, driven over its debugging pipe: no port, no extra package."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)


class Tab:
    """One tab. Messages are JSON documents with a NUL behind each."""

    def __init__(self, reader: asyncio.StreamReader, send: int) -> None:
        self._reader = reader
        self._send = send
        self._number = 0
        self._session = ""
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.complaints: list[str] = []
        """What the browser itself found wrong: exceptions, refused resources, console errors."""
        self._loaded = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    async def open(self) -> None:
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        attached = await self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")

    def close(self) -> None:
        self._listening.cancel()

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        answer = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        os.write(self._send, json.dumps(message).encode() + b"\0")
        async with asyncio.timeout(30):
            result: dict[str, Any] = await answer
        return result

    async def _listen(self) -> None:
        while True:
            message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            if "id" in message:
                self._settle(message)
            elif message["method"] == "Page.loadEventFired":
                self._loaded.set()
            elif message["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]["exceptionDetails"]))
            elif message["method"] == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                self.complaints.append(message["params"]["entry"]["text"])

    def _settle(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.pop(message["id"])
        if "error" in message:
            waiting.set_exception(RuntimeError(str(message["error"])))
        else:
            waiting.set_result(message["result"])

    async def look(
        self, width: int, height: int = 900, *, dark: bool = False, language: str = "en", phone: bool = False
    ) -> None:
        """Take on a size, a colour scheme and a language."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})

    async def go(self, url: str) -> None:
        self._loaded.clear()
        await self.call("Page.navigate", url=url)
        async with asyncio.timeout(20):
            await self._loaded.wait()

    async def js(self, expression: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a condition of the page holds."""
        try:
            async with asyncio.timeout(20):
                while not await self.js(expression):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            shown = await self.js("document.body.innerText")
            raise AssertionError(f"{expression} never held; shown:\n{shown}\n{self.complaints}") from None

    async def picture(self, file: Path) -> None:
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Tab]:
    """A browser with one tab; it is gone afterwards, and so is everything it started."""
    program = shutil.which("chromium")
    assert program is not None, "these tests need Chromium: apt-get install chromium"
    to_read, to_send = os.pipe(), os.pipe()
    flags = [*FLAGS, f"--user-data-dir={profile}", "about:blank"]
    # The browser reads from descriptor 3 and writes to 4.
    script = f'exec "$0" "$@" 3<&{to_send[0]} 4>&{to_read[1]}'
    process = await asyncio.create_subprocess_exec(
        *("/bin/bash", "-c", script, program, *flags),
        pass_fds=(to_send[0], to_read[1]),
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(to_send[0])
    os.close(to_read[1])
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    protocol = asyncio.StreamReaderProtocol(reader)
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(to_read[0], "rb"))
    tab = Tab(reader, to_send[1])
    try:
        await tab.open()
        yield tab
    finally:
        tab.close()
        pipe.close()
        os.close(to_send[1])
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
