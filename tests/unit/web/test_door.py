"""Tokens, roles, host names, headers, health, the errors of the frame."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import httpx
import pytest

from tests.unit.web.stand import ROLES, TOKENS, Stand, a_complaint, bearer, keep, parts_of
from triage.web.auth import MOST_ADDRESSES, MOST_FAILURES, Doorkeeper, FailedAttempts
from triage.web.server import create_api

API = "/api/v1"
COMPLAINT = {"channel": "app", "text": "x"}
REASON = {"reason": "because"}
CALLS: list[tuple[str, str, str, Any]] = [
    ("viewer", "GET", "/complaints", None),
    ("viewer", "GET", "/complaints/C-1", None),
    ("agent", "POST", "/complaints", COMPLAINT),
    ("agent", "POST", "/complaints/C-1/callback", {"satisfied": True, "score": 5}),
    ("agent", "POST", "/complaints/C-1/return", REASON),
    ("agent", "POST", "/complaints/C-1/close", REASON),
    ("agent", "POST", "/complaints/C-1/escalate", REASON),
    ("viewer", "GET", "/incidents", None),
    ("operator", "POST", "/incidents/I-1/actions", {"action": "retry", "reason": "x"}),
    ("viewer", "GET", "/work-orders", None),
    ("dispatcher", "POST", "/work-orders/W-1/events", {"event": "accept"}),
    ("viewer", "GET", "/piles", None),
    ("operator", "POST", "/piles/P-1/commands", {"action": "report"}),
    ("viewer", "GET", "/silences", None),
    ("operator", "POST", "/silences", {"site": "S", "ends_at": "2026-05-01T10:00:00Z", "reason": "x"}),
    ("operator", "DELETE", "/silences/S-1", None),
    ("viewer", "GET", "/plans", None),
    ("viewer", "GET", "/outages", None),
    ("viewer", "GET", "/quarantine", None),
    ("viewer", "GET", "/summary", None),
    ("viewer", "GET", "/board", None),
    ("viewer", "GET", "/kill-switch", None),
    ("operator", "PUT", "/kill-switch", {"on": True, "reason": "x"}),
]


@pytest.mark.parametrize(("least", "method", "path", "body"), CALLS, ids=lambda part: str(part)[:40])
async def test_each_call_takes_its_role_and_those_above(
    guarded: Stand, least: str, method: str, path: str, body: Any
) -> None:
    await keep(guarded.store, a_complaint())
    seen = {}
    for role in ROLES:
        answer = await guarded.http.request(method, f"{API}{path}", json=body, headers=bearer(role))
        seen[role] = answer.status_code
        if answer.status_code == 403:
            assert answer.headers["content-type"] == "application/problem+json"
            assert least in answer.json()["detail"]
    allowed = ROLES[ROLES.index(least) :]
    assert seen == {role: 200 if role in allowed else 403 for role in ROLES}
    if body is not None:
        assert [asked.actor for asked in guarded.inlet.asked] == [f"{role}-token" for role in allowed]


@pytest.mark.parametrize(
    "header", [None, "Basic dXNlcg==", "Bearer ", "Bearer nonsense", "secret-admin", "Bearer secret-admin2"]
)
async def test_without_a_known_token_nothing_is_told(guarded: Stand, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for _, method, path, body in CALLS:
        answer = await guarded.http.request(method, f"{API}{path}", json=body, headers=headers)
        assert answer.status_code in {401, 429}
        assert answer.headers["content-type"] == "application/problem+json"
    assert guarded.inlet.asked == []


async def test_no_names_are_made_up_beside_a_token(guarded: Stand) -> None:
    await guarded.http.post(f"{API}/complaints", json=COMPLAINT, headers=bearer("agent") | {"X-Actor": "boss"})
    assert guarded.last().actor == "agent-token"


@pytest.mark.parametrize(("name", "actor"), [("li.si", "li.si"), ("x" * 65, "anonymous"), ("", "anonymous")])
async def test_open_door_takes_a_bounded_name(stand: Stand, name: str, actor: str) -> None:
    await stand.http.post(f"{API}/complaints", json=COMPLAINT, headers={"X-Actor": name})
    assert stand.last().actor == actor


async def test_too_many_wrong_tokens_close_the_door_for_a_while(guarded: Stand) -> None:
    path = f"{API}/piles"
    statuses = [
        (await guarded.http.get(path, headers={"Authorization": f"Bearer guess-{n}"})).status_code
        for n in range(MOST_FAILURES + 1)
    ]
    assert statuses == [401] * MOST_FAILURES + [429]
    shut = await guarded.http.get(path, headers=bearer("admin"))
    assert shut.status_code == 429
    assert 0 < int(shut.headers["retry-after"]) <= 61
    guarded.clock.move(61)
    assert (await guarded.http.get(path, headers=bearer("admin"))).status_code == 200


async def test_asking_without_a_token_is_no_wrong_token(guarded: Stand) -> None:
    for _ in range(MOST_FAILURES + 5):
        assert (await guarded.http.get(f"{API}/piles")).status_code == 401
    assert (await guarded.http.get(f"{API}/piles", headers=bearer("viewer"))).status_code == 200


def test_table_of_failures_is_bounded() -> None:
    failures = FailedAttempts(parts_of().clock)
    for n in range(MOST_ADDRESSES + 10):
        failures.note(str(n))
    assert len(failures._seen) == MOST_ADDRESSES


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (("a", "king", sha256(b"").hexdigest()), "viewer, agent, dispatcher, operator, admin"),
        (("a", "admin", "secret"), "SHA-256"),
        (("a", "admin", "z" * 64), "hexadecimal"),
    ],
)
def test_wrong_token_entries_are_refused(entry: tuple[str, str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Doorkeeper([entry], parts_of().clock)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("localhost:8080", 200),
        ("triage", 200),
        ("rebound.example.org", 421),
        ("127.0.0.1.example.org:8080", 421),
    ],
)
async def test_open_door_answers_local_names_only(stand: Stand, host: str, status: int) -> None:
    assert (await stand.http.get(f"{API}/piles", headers={"Host": host})).status_code == status


async def test_guarded_door_answers_any_name(guarded: Stand) -> None:
    headers = bearer("viewer") | {"Host": "triage.example.org"}
    assert (await guarded.http.get(f"{API}/piles", headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/console.js", f"{API}/piles", f"{API}/nothing"])
async def test_every_response_is_dressed(stand: Stand, path: str) -> None:
    headers = (await stand.http.get(path)).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", f"{API}/nothing", 404),
        ("GET", "/static/../server.py", 404),
        ("GET", "/static/%2e%2e/server.py", 404),
        ("PUT", f"{API}/complaints", 405),
        ("GET", f"{API}/complaints/C-1/close", 405),
        ("GET", f"{API}/incidents/I-404", 404),
        ("GET", f"{API}/work-orders/W-404", 404),
        ("GET", f"{API}/piles/P-404", 404),
        ("DELETE", f"{API}/silences/a%2Fb", 404),
        ("GET", f"{API}/incidents/a%00b", 404),
        ("POST", f"{API}/piles/%23/commands", 404),
    ],
)
async def test_wrong_addresses_are_problems(stand: Stand, method: str, path: str, status: int) -> None:
    answer = await stand.http.request(method, path, json={"action": "report"} if method == "POST" else None)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (status, "about:blank")
    assert problem["title"]
    assert problem["detail"]


async def test_health(guarded: Stand) -> None:
    assert (await guarded.http.get("/healthz")).json() == {"status": "ok", "release": "1.2.3"}
    assert (await guarded.http.head("/readyz")).status_code == 200
    ready = await guarded.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")


@pytest.mark.parametrize(
    ("parts", "status", "word"),
    [
        ({"mqtt": "down: no broker"}, 200, "degraded"),
        ({"database": "slow"}, 200, "degraded"),
        ({"database": "down: disk full"}, 503, "unavailable"),
        ({"intake": "down: inbox full"}, 503, "unavailable"),
    ],
)
async def test_readiness_is_lost_with_intake_only(
    guarded: Stand, parts: dict[str, str], status: int, word: str
) -> None:
    guarded.live.parts |= parts
    ready = await guarded.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"], ready.json()["degraded"]) == (status, word, list(parts))
    assert ready.json()["parts"] == guarded.live.parts
    assert ("retry-after" in ready.headers) is (status == 503)


async def test_metrics(guarded: Stand) -> None:
    answer = await guarded.http.get("/metrics")
    assert answer.content == b"triage_up 1\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_openapi_lists_every_call(stand: Stand) -> None:
    paths = (await stand.http.get("/api/openapi.json")).json()["paths"]
    for _, method, path, _ in CALLS:
        named = path.replace("C-1", "{number}").replace("I-1", "{id}").replace("W-1", "{id}")
        named = named.replace("P-1", "{id}").replace("S-1", "{id}")
        assert method.lower() in paths[f"{API}{named}"]
    assert "get" in paths[f"{API}/events"]
    create = paths[f"{API}/complaints"]["post"]
    assert [each["name"] for each in create["parameters"]] == ["Idempotency-Key"]
    assert create["security"]
    assert {"201", "4XX", "503"} <= set(create["responses"])
    filters = {each["name"] for each in paths[f"{API}/incidents"]["get"]["parameters"]}
    assert {"state", "pile", "limit", "cursor"} <= filters


@pytest.mark.parametrize(
    ("accept", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-GB", "en"), ("fr, zh;q=0.2", "zh"), ("", "en"), ("zh;q=x", "en")],
)
async def test_page_speaks_the_readers_language(stand: Stand, accept: str, language: str) -> None:
    page = (await stand.http.get("/", headers={"Accept-Language": accept})).text
    assert f'<html lang="{language}">' in page
    assert 'data-token-needed="no"' in page
    assert "style=" not in page
    assert "onclick" not in page


async def test_page_escapes_what_it_is_given() -> None:
    transport = httpx.ASGITransport(create_api(parts_of(TOKENS, release="<script>1</script>")))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        page = (await http.get("/")).text
    assert "<script>1" not in page
    assert "&lt;script&gt;" in page
    assert 'data-token-needed="yes"' in page
