from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from tests.unit.web.stand import NOW, PHONE, TOKENS, Stand, a_complaint, a_line, bearer, keep, standing
from triage.core.effects import Answer
from triage.core.events import CallbackGiven, ComplaintAct, ComplaintReceived, Reporter
from triage.core.vocabulary import Channel, Tier
from triage.errors import OverloadedError, StoreError

PATH = "/api/v1/complaints"
CREATED = {"number": "C-9", "status": "received"}
JSON = {"Content-Type": "application/json"}


async def test_full_body_becomes_event_and_answer_passes_through(stand: Stand) -> None:
    stand.inlet.reply = lambda _: Answer(status=201, body=CREATED)
    body = {
        "channel": "hotline",
        "text": "枪拔不出来\x00",
        "pile": "the one by the lift / 电梯旁",
        "connector": 2,
        "site": "SITE-1",
        "occurred_at": "2026-05-01T16:30:00+08:00",
        "reporter": {"name": "Li", "phone": PHONE, "email": "li@example.org", "tier": "vip"},
        "expectation": "release",
        "reference": "T-1",
    }
    answer = await stand.http.post(PATH, json=body, headers={"Idempotency-Key": "k-1", "X-Actor": "li.si"})
    assert (answer.status_code, answer.json()) == (201, CREATED)
    asked = stand.last()
    assert asked == ComplaintReceived(
        received_at=NOW,
        actor="li.si",
        key="k-1",
        scope="complaints",
        digest=asked.digest,
        channel=Channel.HOTLINE,
        text="枪拔不出来\x00",
        pile="the one by the lift / 电梯旁",
        connector=2,
        site="SITE-1",
        occurred_at=NOW,
        reporter=Reporter(name="Li", phone=PHONE, email="li@example.org", tier=Tier.VIP),
        expectation="release",
        reference="T-1",
    )


async def test_digest_names_content_not_spelling(stand: Stand) -> None:
    bodies = [
        b'{"channel":"app","text":"a"}',
        b'{ "text": "\\u0061", "channel": "app", "site": null }',
        b'{"channel":"app","text":"b"}',
    ]
    for body in bodies:
        await stand.http.post(PATH, content=body, headers=JSON)
    first, same, other = (asked.digest for asked in stand.inlet.asked)
    assert first == same != other
    assert len(first) == 64


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("channel", "fax", "app, hotline, chat"),
        ("text", "", "at least 1 characters"),
        ("text", "x" * 16_385, "at most 16384 characters"),
        ("text", 7, ""),
        ("pile", "x" * 201, "at most 200 characters"),
        ("connector", -1, "at least 0"),
        ("connector", True, ""),
        ("connector", "1", ""),
        ("mood", "bad", "channel, text, pile"),
        ("reporter.phone", "1" * 41, "at most 40 characters"),
        ("reporter.fax", "1", "name, phone, email, tier"),
        ("reporter.tier", "king", "ordinary, vip"),
    ],
)
async def test_wrong_field_is_named_with_what_is_allowed(stand: Stand, field: str, value: object, allowed: str) -> None:
    body: dict[str, object] = {"channel": "app", "text": "hello"}
    outer, _, inner = field.partition(".")
    body[outer] = {inner: value} if inner else value
    answer = await stand.http.post(PATH, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    [fault] = answer.json()["errors"]
    assert fault["field"] == field
    assert allowed in fault.get("allowed", "")
    assert stand.inlet.asked == []


async def test_every_wrong_field_is_listed_and_no_input_is_echoed(stand: Stand) -> None:
    body = {"channel": "fax", "connector": 999, "reporter": {"phone": "secret-number" * 9}, "extra": 1}
    problem = (await stand.http.post(PATH, json=body)).json()
    assert {fault["field"] for fault in problem["errors"]} == {
        "channel",
        "text",
        "connector",
        "reporter.phone",
        "extra",
    }
    assert "secret-number" not in json.dumps(problem)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-05-01T08:30:00", "time zone"),
        ("2026-05-01", "RFC 3339"),
        ("yesterday", "RFC 3339"),
        (1_777_000_000, "RFC 3339"),
        ("2026-02-30T08:30:00Z", "calendar"),
        ("2026-05-01T08:30:60Z", "calendar"),
        ("0001-01-01T00:00:00+14:00", "calendar"),
        ("1970-01-01T00:00:00Z", "2000"),
        ((NOW + timedelta(minutes=6)).isoformat(), "future"),
    ],
)
async def test_moments_that_are_none(stand: Stand, moment: object, words: str) -> None:
    answer = await stand.http.post(PATH, json={"channel": "app", "text": "x", "occurred_at": moment})
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["field"] == "occurred_at"
    assert words in fault["problem"]


async def test_device_clock_a_little_ahead_and_nanoseconds_are_fine(stand: Stand) -> None:
    body = {"channel": "app", "text": "x", "occurred_at": "2026-05-01T08:34:59.123456789Z"}
    assert (await stand.http.post(PATH, json=body)).status_code == 200
    assert stand.last().occurred_at == NOW + timedelta(minutes=4, seconds=59, microseconds=123456)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"hello",
        b'{"channel":"app","text":"\\ud800 and more words"}',
        b'{"channel":"app","text":"\xff\xfe"}',
        b'{"channel":"app","text":"x","connector":NaN}',
        b'{"channel":"app","text":"x","connector":Infinity}',
        b'{"channel":"app","text":"x","connector":1e999}',
        b'{"channel":"app","text":"x","connector":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"channel":"app","text":"x","connector":' + b"9" * 5000 + b"}",
    ],
    ids=["empty", "cut", "word", "surrogate", "not-utf8", "nan", "infinity", "huge", "nested", "digits"],
)
async def test_what_is_no_json_is_400(stand: Stand, body: bytes) -> None:
    answer = await stand.http.post(PATH, content=body, headers=JSON)
    assert answer.status_code == (422 if body == b"" else 400)
    assert body == b"" or "JSON" in answer.json()["detail"] or "deep" in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert stand.inlet.asked == []


async def test_body_beyond_the_limit_is_413(stand: Stand) -> None:
    answer = await stand.http.post(PATH, content=b'{"text":"' + b"x" * 65_536 + b'"}', headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "64 KiB" in answer.json()["detail"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_only_json_is_read(stand: Stand, media_type: str) -> None:
    answer = await stand.http.post(PATH, content=b'{"channel":"app","text":"x"}', headers={"Content-Type": media_type})
    assert answer.status_code == 415
    assert stand.inlet.asked == []


@pytest.mark.parametrize("key", ["", "two words", "k" * 201, "ключ"])
async def test_keys_that_are_none(stand: Stand, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode()}
    answer = await stand.http.post(PATH, json={"channel": "app", "text": "x"}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("status", [404, 409, 422])
async def test_refusals_of_the_engine_become_problems(stand: Stand, status: int) -> None:
    stand.inlet.reply = lambda _: Answer(status=status, body={"detail": "another body came first", "first": "C-1"})
    answer = await stand.http.post(PATH, json={"channel": "app", "text": "x"}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["detail"], problem["first"]) == (status, "another body came first", "C-1")


@pytest.mark.parametrize("error", [OverloadedError("full"), StoreError("disk")])
async def test_what_cannot_be_kept_is_503_with_retry_after(stand: Stand, error: Exception) -> None:
    def fail(_: object) -> Answer:
        raise error

    stand.inlet.reply = fail
    answer = await stand.http.post(PATH, json={"channel": "app", "text": "x"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "nothing was accepted" in answer.json()["detail"]


async def test_crash_tells_nothing_of_the_inside(stand: Stand) -> None:
    def fail(_: object) -> Answer:
        raise RuntimeError("password=hunter2")

    stand.inlet.reply = fail
    answer = await stand.http.post(PATH, json={"channel": "app", "text": "x"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text


async def test_reading_hides_words_and_contacts_by_role(guarded: Stand) -> None:
    await keep(guarded.store, a_complaint(), a_line("C-1"))
    seen = {role: (await guarded.http.get(f"{PATH}/C-1", headers=bearer(role))).json() for role in ("viewer", "agent")}
    assert seen["viewer"]["reporter"]["phone"] == "138****5678"
    assert seen["viewer"]["reporter"]["email"] == "z****@example.org"
    assert seen["viewer"]["reporter"]["name"] == "Z**"
    assert "text" not in seen["viewer"]
    assert seen["agent"]["reporter"]["phone"] == PHONE
    assert seen["agent"]["text"].startswith("the screen")
    assert seen["agent"]["status"] == "in_progress"
    assert [line["text"] for line in seen["agent"]["timeline"]] == ["a gate refused"]


async def test_lists_mask_contacts_for_everybody(guarded: Stand) -> None:
    await keep(guarded.store, a_complaint())
    for _, role, _ in TOKENS:
        answer = await guarded.http.get(PATH, headers=bearer(role))
        assert PHONE not in answer.text
        [item] = answer.json()["items"]
        assert ("text" in item) is (role != "viewer")


async def test_lists_filter_by_status_and_page(stand: Stand) -> None:
    await keep(stand.store, *(a_complaint(f"C-{n}", NOW + timedelta(seconds=n)) for n in range(5)))
    first = (await stand.http.get(PATH, params={"limit": "2", "status": "in_progress"})).json()
    assert [item["number"] for item in first["items"]] == ["C-4", "C-3"]
    second = (await stand.http.get(PATH, params={"limit": "3", "cursor": first["next"]})).json()
    assert [item["number"] for item in second["items"]] == ["C-2", "C-1", "C-0"]
    assert second["next"] is None
    assert (await stand.http.get(PATH, params={"status": "closed"})).json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("query", "field", "allowed"),
    [
        ("colour=red", "colour", "status, category"),
        ("limit=0", "limit", "1 to 200"),
        ("limit=201", "limit", "1 to 200"),
        ("limit=ten", "limit", "1 to 200"),
        ("cursor=%00", "cursor", "next"),
        ("cursor=bm9uZQ", "cursor", ""),
        ("pile=a%00b", "pile", "printable"),
        ("pile=", "pile", "printable"),
        ("pile=a&pile=b", "pile", "once"),
    ],
)
async def test_wrong_queries(stand: Stand, query: str, field: str, allowed: str) -> None:
    answer = await stand.http.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    fault = answer.json()["errors"][0]
    assert fault["field"] == field
    assert allowed in fault.get("allowed", "")


@pytest.mark.parametrize("number", ["C-404", "a%00b", "%E4%B8%AD", "x" * 300])
async def test_unknown_complaint_is_404(stand: Stand, number: str) -> None:
    answer = await stand.http.get(f"{PATH}/{number}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_callback(stand: Stand) -> None:
    body = {"satisfied": False, "score": 2, "comment": "still broken"}
    await stand.http.post(f"{PATH}/C-1/callback", json=body, headers={"Idempotency-Key": "k"})
    asked = stand.last()
    assert isinstance(asked, CallbackGiven)
    assert (asked.complaint, asked.satisfied, asked.score, asked.comment) == ("C-1", False, 2, "still broken")
    assert (asked.scope, asked.key) == ("complaints.callback/C-1", "k")


@pytest.mark.parametrize("score", [0, 6, 3.5, "4", True])
async def test_scores_that_are_none(stand: Stand, score: object) -> None:
    answer = await stand.http.post(f"{PATH}/C-1/callback", json={"satisfied": True, "score": score})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "score"


@pytest.mark.parametrize("act", ["return", "close", "escalate"])
async def test_acts_need_a_reason(stand: Stand, act: str) -> None:
    assert (await stand.http.post(f"{PATH}/C-1/{act}", json={})).status_code == 422
    assert (await stand.http.post(f"{PATH}/C-1/{act}", json={"reason": "not ours"})).status_code == 200
    asked = stand.last()
    assert isinstance(asked, ComplaintAct)
    assert (asked.complaint, asked.act, asked.reason, asked.scope) == ("C-1", act, "not ours", f"complaints.{act}/C-1")


async def test_no_answer_in_time_says_that_the_outcome_is_open() -> None:
    async with standing(submit_timeout_s=0.01) as impatient:
        impatient.inlet.hold = asyncio.Event()
        answer = await impatient.http.post(PATH, json={"channel": "app", "text": "x"})
    assert answer.status_code == 503
    assert "not known" in answer.json()["detail"]
    assert "retry-after" in answer.headers
