"""The webhook desk, before a receiver on a real socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.parts import free_port
from triage.core.effects import OrderNotice
from triage.core.vocabulary import OrderReason, OrderState, Priority
from triage.core.workorder import WorkOrder
from triage.desks.local import LocalDesk
from triage.desks.webhook import ANSWER_BYTES, DeskError, WebhookDesk, envelope

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def notice(change: str = "issued") -> OrderNotice:
    order = WorkOrder(
        id="W1",
        incident="I1",
        pile="P1",
        site="S1",
        region="r",
        connector=1,
        reason=OrderReason.REMOTE_FAILED,
        reason_text="枪口无响应",
        state=OrderState.ISSUED,
        state_since=NOW,
        opened_at=NOW,
        priority=Priority.NORMAL,
        team="t",
    )
    return OrderNotice(id=f"W1:{change}:0:0", order=order, change=change)


class Receiver:
    """A small HTTP server that answers as a test says."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status = "200 OK"
        self.headers = ""
        self.body = b'{"reference": "T-77"}'
        self.silent = False
        self.port = free_port()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((lines[0], headers, body))
        if self.silent:
            await asyncio.sleep(5)
        start = f"HTTP/1.1 {self.status}\r\ncontent-length: {len(self.body)}\r\nconnection: close\r\n{self.headers}\r\n"
        writer.write(start.encode() + self.body)
        try:
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    def desk(self, secret: str | None = SECRET, timeout_s: float = 2.0) -> WebhookDesk:
        return WebhookDesk("own", f"http://127.0.0.1:{self.port}/orders", secret, timeout_s=timeout_s)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", receiver.port)
    yield receiver
    server.close()


async def test_an_order_arrives_as_a_signed_event(receiver: Receiver) -> None:
    assert await receiver.desk().deliver(notice()) == "T-77"
    line, headers, body = receiver.requests[0]
    assert line.startswith("POST /orders ")
    event: dict[str, Any] = json.loads(body)
    assert event["specversion"] == "1.0"
    assert event["id"] == headers["webhook-id"] == "W1:issued:0:0"
    assert event["type"] == "pile-triage.work-order.issued"
    assert event["data"]["reason_text"] == "枪口无响应"
    assert event["data"]["reason"] == "remote_failed"
    assert headers["content-type"].startswith("application/cloudevents+json")


async def test_the_signature_is_one_that_receivers_can_check(receiver: Receiver) -> None:
    await receiver.desk().deliver(notice())
    _, headers, body = receiver.requests[0]
    assert Webhook(SECRET).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"P1", b"P2"), headers)


async def test_the_same_notice_again_has_the_same_key(receiver: Receiver) -> None:
    desk = receiver.desk()
    await desk.deliver(notice())
    await desk.deliver(notice())
    assert len({headers["webhook-id"] for _, headers, _ in receiver.requests}) == 1


async def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    await receiver.desk(secret=None).deliver(notice())
    assert "webhook-signature" not in receiver.requests[0][1]


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "429 Slow", "500 Oh", "503 Away"])
async def test_whatever_is_no_success_is_told_again(receiver: Receiver, status: str) -> None:
    receiver.status = status
    with pytest.raises(DeskError, match=status.split(maxsplit=1)[0]):
        await receiver.desk().deliver(notice())


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status = "302 Found"
    receiver.headers = "location: http://169.254.169.254/latest/meta-data\r\n"
    with pytest.raises(DeskError):
        await receiver.desk().deliver(notice())
    assert len(receiver.requests) == 1


async def test_a_receiver_that_is_away(receiver: Receiver) -> None:
    desk = WebhookDesk("own", f"http://127.0.0.1:{free_port()}/", SECRET, timeout_s=1)
    with pytest.raises(DeskError):
        await desk.deliver(notice())


async def test_a_receiver_that_is_slow(receiver: Receiver) -> None:
    receiver.silent = True
    with pytest.raises(DeskError):
        await receiver.desk(timeout_s=0.1).deliver(notice())


async def test_a_huge_answer_is_cut(receiver: Receiver) -> None:
    receiver.body = b"x" * (ANSWER_BYTES * 20)
    assert await receiver.desk().deliver(notice()) == ""


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"[]", b"\xff\xfe", b'{"reference": null}', b'{"reference": 7}', b"[" * 9999]
)
async def test_an_answer_nobody_understands_is_no_failure(receiver: Receiver, body: bytes) -> None:
    receiver.body = body
    assert len(await receiver.desk().deliver(notice())) <= 200


async def test_a_long_reference_is_cut(receiver: Receiver) -> None:
    receiver.body = json.dumps({"reference": "r" * 5000}).encode()
    assert await receiver.desk().deliver(notice()) == "r" * 200


async def test_a_joined_notice_has_the_plain_type() -> None:
    joined = OrderNotice(id="W1:joined:I2:0:0", order=notice().order, change="joined:I2")
    assert envelope(joined)["type"] == "pile-triage.work-order.joined"


async def test_the_local_desk_refers_to_the_order_itself() -> None:
    assert await LocalDesk().deliver(notice()) == "W1"
    assert LocalDesk().name == "local"
