"""The real server on a real socket: streams, slow clients, stopping."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from tests.unit.web.stand import TOKENS, ScriptedInlet, WallClock, bearer, parts_of
from triage.core.effects import Answer
from triage.web.guard import GuardedProtocol
from triage.web.parts import WebParts
from triage.web.server import GRACE_S, WebServer

pytestmark = pytest.mark.integration

EVENTS = b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@asynccontextmanager
async def serving(parts: WebParts | None = None) -> AsyncIterator[tuple[WebServer, WebParts, httpx.AsyncClient]]:
    parts = parts or parts_of(clock=WallClock())
    server = WebServer(parts, "127.0.0.1", 0)
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=10) as http:
            yield server, parts, http
    finally:
        await server.stop()


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the server hung up without a word."""
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True


async def next_data(lines: AsyncIterator[str]) -> str:
    async with asyncio.timeout(5):
        async for line in lines:
            if line.startswith("data: "):
                return line
    raise AssertionError("the stream ended")


async def test_listens_on_a_free_port_and_frees_it_again() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with serving() as (server, _, http):
        port = server.port
        assert port > 0
        assert (await http.get("/healthz")).status_code == 200
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    await server.stop()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


async def test_taken_port_is_an_error_of_the_caller() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            await WebServer(parts_of(), "127.0.0.1", taken.getsockname()[1]).start()


@pytest.mark.parametrize("by", ["server", "event"])
async def test_stream_tells_changes_and_ends_when_the_daemon_stops(by: str) -> None:
    async with serving() as (server, parts, http), http.stream("GET", "/api/v1/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        parts.bulletin.publish({"kind": "incident", "id": "I-1"})
        assert await next_data(lines) == 'data: {"kind":"incident","id":"I-1"}'
        async with asyncio.timeout(2):
            if by == "server":
                await server.stop()
            else:
                parts.stop_event.set()
            assert [line async for line in lines] in ([""], [])
        await until(lambda: parts.bulletin.readers == 0)


async def test_reader_that_leaves_is_forgotten() -> None:
    async with serving() as (_, parts, http):
        async with http.stream("GET", "/api/v1/events"):
            assert parts.bulletin.readers == 1
        await until(lambda: parts.bulletin.readers == 0)


async def test_streams_beyond_the_bound_are_refused() -> None:
    async with serving() as (_, parts, http):
        for _ in range(100):
            parts.bulletin.subscribe()
        answer = await http.get("/api/v1/events")
        assert answer.status_code == 503
        assert "retry-after" in answer.headers


async def test_stream_needs_a_token() -> None:
    async with serving(parts_of(TOKENS, clock=WallClock())) as (_, _, http):
        assert (await http.get("/api/v1/events")).status_code == 401
        async with http.stream("GET", "/api/v1/events", headers=bearer("viewer")) as stream:
            assert stream.status_code == 200


async def test_reader_that_never_reads_holds_up_nobody_and_cannot_delay_the_stop() -> None:
    async with serving() as (server, parts, http):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(EVENTS)
        await until(lambda: parts.bulletin.readers == 1)
        filler = {"kind": "incident", "id": "I-1", "text": "x" * 4000}

        def flooded() -> bool:
            for _ in range(200):
                parts.bulletin.publish(filler)
            return parts.bulletin.dropped > 2000

        await until(flooded)
        assert (await http.get("/healthz")).status_code == 200
        async with asyncio.timeout(GRACE_S + 2):
            await server.stop()
        writer.close()
        assert reader.exception() is None or isinstance(reader.exception(), ConnectionError)


async def test_reader_that_never_reads_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GuardedProtocol, "send_s", 0.2)
    async with serving() as (server, parts, _):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(EVENTS)
        await until(lambda: parts.bulletin.readers == 1)

        def let_go() -> bool:
            parts.bulletin.publish({"text": "x" * 60_000})
            return parts.bulletin.readers == 0

        await until(let_go)
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /api/v1/complaints HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        (
            b"POST /api/v1/complaints HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b'Content-Length: 999\r\n\r\n{"channel"'
        ),
    ],
    ids=["silent", "head", "body"],
)
async def test_client_that_sends_too_slowly_is_let_go(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(GuardedProtocol, "receive_s", 0.3)
    parts = parts_of(clock=WallClock())
    async with serving(parts) as (server, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        async with asyncio.timeout(3):
            assert await ended(reader)
        writer.close()
        assert isinstance(parts.inlet, ScriptedInlet)
        assert parts.inlet.asked == []


async def test_resting_connection_is_no_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GuardedProtocol, "receive_s", 0.1)
    async with serving() as (server, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"}")
            await asyncio.sleep(0.3)  # resting is what is tested
        writer.close()


async def test_answer_under_way_is_given_before_the_stop() -> None:
    parts = parts_of(clock=WallClock())
    inlet = parts.inlet
    assert isinstance(inlet, ScriptedInlet)
    inlet.hold = asyncio.Event()
    async with serving(parts) as (server, _, http):
        asking = asyncio.create_task(http.post("/api/v1/complaints", json={"channel": "app", "text": "x"}))
        await until(lambda: inlet.asked)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        inlet.hold.set()
        assert (await asking).status_code == 200
        await stopping


async def test_answer_that_never_comes_cannot_delay_the_stop() -> None:
    parts = parts_of(clock=WallClock())
    inlet = parts.inlet
    assert isinstance(inlet, ScriptedInlet)
    inlet.hold = asyncio.Event()
    async with serving(parts) as (server, _, http):
        asking = asyncio.create_task(http.post("/api/v1/complaints", json={"channel": "app", "text": "x"}))
        await until(lambda: inlet.asked)
        async with asyncio.timeout(GRACE_S + 2):
            await server.stop()
        with suppress(httpx.TransportError):  # hanging up without an answer is just as honest
            assert (await asking).status_code == 500


async def test_answer_without_content_has_none() -> None:
    parts = parts_of(clock=WallClock())
    assert isinstance(parts.inlet, ScriptedInlet)
    parts.inlet.reply = lambda _: Answer(status=204, body={})
    async with serving(parts) as (_, _, http):
        for _ in range(2):  # the connection must be good for another
            answer = await http.delete("/api/v1/silences/S-1")
            assert (answer.status_code, answer.content) == (204, b"")


async def test_body_far_beyond_the_limit_is_refused_before_it_is_read() -> None:
    parts = parts_of(clock=WallClock())
    async with serving(parts) as (server, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"POST /api/v1/complaints HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 10000000000\r\n\r\n"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 413 " in head
        assert b"application/problem+json" in head
        writer.close()


async def test_many_at_once_are_all_answered() -> None:
    async with serving() as (_, _, http):
        answers = await asyncio.gather(*(http.get("/api/v1/board") for _ in range(60)))
        assert {answer.status_code for answer in answers} == {200}
