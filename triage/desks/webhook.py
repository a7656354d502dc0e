"""A desk of the operator's own: each order's change as a signed CloudEvent over HTTP.

Signed by the Standard Webhooks convention; the notice's id is both the event's id and the key by which a receiver tells
a repeated delivery.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import msgspec
from standardwebhooks.webhooks import Webhook

from triage.core.effects import OrderNotice
from triage.errors import TriageError

ANSWER_BYTES = 65_536
REFERENCE_CHARS = 200


class DeskError(TriageError):
    """The receiver did not take the notice; it is told again later."""


class WebhookDesk:
    """Implements :class:`triage.interfaces.Desk`. Follows no redirect and reads a bounded answer."""

    def __init__(self, name: str, url: str, secret: str | None, *, timeout_s: float = 5.0) -> None:
        """``secret`` is the signing key in base64, with or without its prefix ``whsec_``; None sends unsigned."""
        self.name = name
        self._url = url
        self._webhook = Webhook(secret) if secret else None
        self._timeout_s = timeout_s

    async def deliver(self, notice: OrderNotice) -> str:
        """Post the notice; the receiver's ``reference``, where it answers with one.

        Raises:
            DeskError: no answer, or not a 2xx.
        """
        body = json.dumps(envelope(notice), ensure_ascii=False)
        headers = {"content-type": "application/cloudevents+json", "webhook-id": notice.id}
        if self._webhook is not None:
            now = datetime.now(UTC)
            headers["webhook-timestamp"] = str(int(now.timestamp()))
            headers["webhook-signature"] = self._webhook.sign(notice.id, now, body)
        try:
            return await self._post(body, headers)
        except httpx.HTTPError as error:
            raise DeskError(f"{type(error).__name__}: {error}") from error

    async def _post(self, body: str, headers: dict[str, str]) -> str:
        async with (
            httpx.AsyncClient(timeout=self._timeout_s, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", self._url, content=body.encode(), headers=headers) as response,
        ):
            answer = b""
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > ANSWER_BYTES:
                    break
        if not response.is_success:
            raise DeskError(f"the receiver answered {response.status_code}")
        return _reference(answer[:ANSWER_BYTES])


def envelope(notice: OrderNotice) -> dict[str, object]:
    """The notice as a CloudEvent (specification 1.0)."""
    order = msgspec.to_builtins(notice.order)
    return {
        "specversion": "1.0",
        "id": notice.id,
        "source": f"/pile-triage/sites/{notice.order.site}",
        "type": f"pile-triage.work-order.{notice.change.split(':')[0]}",
        "subject": notice.order.id,
        "time": notice.order.state_since.isoformat(),
        "datacontenttype": "application/json",
        "data": order,
    }


def _reference(answer: bytes) -> str:
    """What the receiver calls the order, where its answer says so."""
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    reference = told.get("reference", "") if isinstance(told, dict) else ""
    return str(reference)[:REFERENCE_CHARS]
