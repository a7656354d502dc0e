from __future__ import annotations

from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.web.stand import (
    NOW,
    PHONE,
    Stand,
    a_complaint,
    a_fault,
    a_line,
    a_pile,
    a_plan,
    a_sample,
    a_silence,
    ago,
    an_incident,
    an_order,
    keep,
)
from triage.core.effects import Answer
from triage.core.events import CommandWanted, IncidentAct, KillSwitch, OrderAct, SilenceLifted, SilenceSet
from triage.core.means import Dialect
from triage.core.vocabulary import Action, CloseCode, ConnectorStatus, IncidentState, Link, OrderState

API = "/api/v1"
KEY = {"Idempotency-Key": "k-1"}


async def get(stand: Stand, path: str, **params: str) -> Any:
    answer = await stand.http.get(f"{API}{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_incident_has_every_field_of_the_contract(stand: Stand) -> None:
    await keep(stand.store, an_incident(work_order="W-1"), a_line("I-1"))
    shown = await get(stand, "/incidents/I-1")
    names = "id pile connector kind state close_code faults complaints attempts refusals work_order opened_at closed_at"
    assert set(names.split()) < set(shown)
    [attempt], [refusal] = shown["attempts"], shown["refusals"]
    assert (attempt["step"], attempt["action"], attempt["result"]) == ("soft", "reset_soft", "failed")
    assert attempt["sent_at"] == "2026-05-01T08:26:00Z"
    assert attempt["evidence"][0]["kind"] == "fault_present"
    assert (refusal["gate"], refusal["next_look_at"]) == ("spacing", "2026-05-01T08:36:00Z")
    assert shown["verdicts"][0]["verdict"] == "confirmed"
    assert shown["plan"]["plan"] == "internal-reset"
    assert [line["data"] for line in shown["timeline"]] == [{"gate": "spacing"}]
    assert (shown["work_order"], shown["site"], shown["wake_at"]) == ("W-1", "SITE-1", "2026-05-01T08:36:00Z")
    assert PHONE not in str(shown)


async def test_incidents_are_listed_by_filter_without_timeline(stand: Stand) -> None:
    closed = an_incident("I-2", state=IncidentState.CLOSED, close_code=CloseCode.REPAIRED, closed_at=NOW)
    await keep(stand.store, an_incident(), closed)
    [item] = (await get(stand, "/incidents", close_code="repaired"))["items"]
    assert item["id"] == "I-2"
    assert "timeline" not in item
    assert len((await get(stand, "/incidents"))["items"]) == 2


@pytest.mark.parametrize("action", ["retry", "hold", "release", "dispatch", "approve", "dismiss"])
async def test_incident_actions(stand: Stand, action: str) -> None:
    body = {"action": action, "reason": "seen on site"}
    assert (await stand.http.post(f"{API}/incidents/I-1/actions", json=body, headers=KEY)).status_code == 200
    asked = stand.last()
    assert isinstance(asked, IncidentAct)
    assert (asked.incident, asked.act, asked.reason) == ("I-1", action, "seen on site")
    assert (asked.scope, asked.key, asked.actor) == ("incidents.actions/I-1", "k-1", "anonymous")


async def test_unknown_action_names_the_allowed_ones(stand: Stand) -> None:
    answer = await stand.http.post(f"{API}/incidents/I-1/actions", json={"action": "explode", "reason": "x"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["allowed"] == "retry, hold, release, dispatch, approve, dismiss"


async def test_work_order_has_every_field_of_the_contract(stand: Stand) -> None:
    await keep(stand.store, an_order(), a_line("W-1"))
    shown = await get(stand, "/work-orders/W-1")
    assert shown["reason"] == {"code": "remote_failed", "text": "two resets were proven to have changed nothing"}
    assert {"id", "pile", "connector", "incident", "state", "priority", "team", "evidence", "clocks"} < set(shown)
    assert shown["clocks"] == [
        {"name": "accept", "due_at": "2026-05-01T08:50:00Z", "met_at": None, "breached_at": None}
    ]
    assert shown["visits"][0]["by"] == "team east"
    assert shown["safety_notes"] == ["isolate before opening"]
    assert shown["parts_guess"] == ["controller board"]
    assert len(shown["timeline"]) == 1
    [item] = (await get(stand, "/work-orders", reason="remote_failed", state="issued"))["items"]
    assert item["id"] == "W-1"


async def test_work_order_events(stand: Stand) -> None:
    body = {"event": "done", "cause": "worn relay", "work": "changed it", "parts": ["K1"], "no_fault_found": False}
    await stand.http.post(f"{API}/work-orders/W-1/events", json=body, headers=KEY)
    asked = stand.last()
    assert isinstance(asked, OrderAct)
    assert (asked.order, asked.act, asked.cause, asked.work) == ("W-1", "done", "worn relay", "changed it")
    assert (asked.parts, asked.scope) == (("K1",), "work-orders.events/W-1")
    assert (await stand.http.post(f"{API}/work-orders/W-1/events", json={"event": "nap"})).status_code == 422
    too_many = {"event": "done", "parts": ["x"] * 51}
    assert (await stand.http.post(f"{API}/work-orders/W-1/events", json=too_many)).status_code == 422


async def test_pile_says_as_of_for_every_value(stand: Stand) -> None:
    stand.live.fleet = [a_pile(faults=(a_fault(),), hazard="smoke was reported", hazard_at=NOW)]
    shown = await get(stand, "/piles/P-001")
    assert shown["link"] == {"value": "online", "as_of": "2026-05-01T08:29:30Z"}
    assert shown["hazard"] == {"value": "smoke was reported", "as_of": "2026-05-01T08:30:00Z"}
    assert shown["faults"]["value"][0]["name"] == "InternalError"
    [gun] = shown["connectors"]
    assert gun["status"] == {"value": "available", "as_of": "2026-05-01T08:30:00Z", "since": "2026-05-01T07:30:00Z"}
    assert gun["voltage_v"] == {"value": 230.5, "as_of": "2026-05-01T08:30:00Z"}
    assert gun["session"] == {"value": None, "as_of": "2026-05-01T08:30:00Z", "known": True}
    assert shown["boot"]["value"]["id"] == "b-7"
    assert shown["state"] == "hazard"


async def test_what_nobody_has_checked_of_a_model_is_shown(stand: Stand) -> None:
    doubts = ("status state = 8: unavailable",)
    stand.live.fleet = [a_pile()]
    stand.live.dialects = {"pile/v1": Dialect(driver="mqtt", boots={Action.RESET_HARD: True}, doubts=doubts)}
    await keep(stand.store, an_incident(pile="P-001"))
    wanted = {"name": "pile/v1", "driver": "mqtt", "actions": ["reset_hard"], "unverified": list(doubts)}
    assert (await get(stand, "/piles/P-001"))["dialect"] == wanted
    assert (await get(stand, "/incidents/I-1"))["dialect"] == wanted
    stand.live.dialects = {}
    assert (await get(stand, "/piles/P-001"))["dialect"]["driver"] is None
    stand.live.fleet = []
    assert (await get(stand, "/incidents/I-1"))["dialect"] is None


async def test_piles_page_in_order_and_filter(stand: Stand) -> None:
    stand.live.fleet = [a_pile(n, link=Link.OFFLINE if n % 2 else Link.ONLINE) for n in range(1, 8)]
    first = await get(stand, "/piles", link="offline", limit="2")
    assert [item["id"] for item in first["items"]] == ["P-001", "P-003"]
    rest = await get(stand, "/piles", link="offline", cursor=first["next"])
    assert [item["id"] for item in rest["items"]] == ["P-005", "P-007"]
    assert rest["next"] is None
    assert len((await get(stand, "/piles", site="SITE-2"))["items"]) == 3


async def test_strangers_are_listed_apart(stand: Stand) -> None:
    stand.live.fleet = [a_pile()]
    stand.live.strangers = [("SITE-9", "X-1", ago(minutes=1))]
    [item] = (await get(stand, "/piles", registered="false"))["items"]
    assert (item["id"], item["registered"], item["site"]) == ("X-1", False, "SITE-9")


@pytest.mark.parametrize("cursor", ["!!!", "bm9uZQ==", "_", "gICA"])
async def test_pile_cursors_that_are_none(stand: Stand, cursor: str) -> None:
    answer = await stand.http.get(f"{API}/piles", params={"cursor": cursor})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("action", list(Action))
async def test_pile_commands(stand: Stand, action: Action) -> None:
    stand.inlet.reply = lambda _: Answer(status=202, body={"attempt": "A-1"})
    body = {"action": action.value, "connector": 1, "reason": "hotline"}
    answer = await stand.http.post(f"{API}/piles/P-001/commands", json=body, headers=KEY)
    assert (answer.status_code, answer.json()) == (202, {"attempt": "A-1"})
    asked = stand.last()
    assert isinstance(asked, CommandWanted)
    assert (asked.pile, asked.action, asked.connector, asked.reason) == ("P-001", action, 1, "hotline")
    assert asked.scope == "piles.commands/P-001"


async def test_silences(stand: Stand) -> None:
    ends_at = (NOW + timedelta(hours=2)).isoformat()
    body = {"site": "SITE-1", "ends_at": ends_at, "reason": "paving"}
    await stand.http.post(f"{API}/silences", json=body, headers=KEY)
    asked = stand.last()
    assert isinstance(asked, SilenceSet)
    assert (asked.site, asked.pile, asked.region) == ("SITE-1", None, None)
    assert (asked.starts_at, asked.ends_at, asked.scope) == (NOW, NOW + timedelta(hours=2), "silences")
    await stand.http.delete(f"{API}/silences/S-1", headers=KEY)
    lifted = stand.last()
    assert isinstance(lifted, SilenceLifted)
    assert (lifted.silence, lifted.key, lifted.scope) == ("S-1", "k-1", "silences.lift/S-1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"site": None}, "exactly one"),
        ({"pile": "P-1"}, "exactly one"),
        ({"site": "a/#"}, "match pattern"),
        ({"ends_at": NOW.isoformat()}, "over before"),
        ({"ends_at": "2026-05-01T10:00:00"}, "time zone"),
        ({"ends_at": "2036-05-01T10:00:00Z"}, "too far"),
        ({"starts_at": "2026-05-02T08:30:00Z"}, "over before"),
        ({"reason": ""}, "at least 1"),
    ],
)
async def test_silences_that_are_none(stand: Stand, change: dict[str, Any], words: str) -> None:
    body = {"site": "SITE-1", "ends_at": "2026-05-01T10:00:00Z", "reason": "paving"} | change
    answer = await stand.http.post(f"{API}/silences", json=body)
    assert answer.status_code == 422
    assert words in answer.json()["errors"][0]["problem"]
    assert stand.inlet.asked == []


async def test_silences_say_whether_they_hold(stand: Stand) -> None:
    past = a_silence("S-2", now=ago(days=1))
    lifted = a_silence("S-3", lifted_at=NOW)
    await keep(stand.store, a_silence(), past, lifted)
    items = (await get(stand, "/silences"))["items"]
    assert {item["id"]: item["active"] for item in items} == {"S-1": True, "S-2": False, "S-3": False}


async def test_kill_switch(stand: Stand) -> None:
    assert await get(stand, "/kill-switch") == {"on": False, "reason": None}
    stand.live.stopped = "storm"
    assert await get(stand, "/kill-switch") == {"on": True, "reason": "storm"}
    answer = await stand.http.put(f"{API}/kill-switch", json={"on": True, "reason": "storm"}, headers=KEY)
    assert answer.status_code == 200
    asked = stand.last()
    assert isinstance(asked, KillSwitch)
    assert (asked.on, asked.reason, asked.scope, asked.key) == (True, "storm", "kill-switch", "k-1")
    assert (await stand.http.put(f"{API}/kill-switch", json={"on": "yes", "reason": "x"})).status_code == 422


async def test_plans_outages_quarantine(stand: Stand) -> None:
    stand.live.book = [a_plan()]
    [plan] = (await get(stand, "/plans"))["items"]
    assert (plan["name"], plan["version"], plan["mode"], plan["steps"][0]["id"]) == (
        "internal-reset",
        3,
        "live",
        "soft",
    )
    assert "text" not in plan
    assert await get(stand, "/outages") == {"items": [], "next": None}
    await keep(stand.store, a_sample())
    [sample] = (await get(stand, "/quarantine", driver="mqtt"))["items"]
    assert b64decode(sample["sample"]) == b"\xff{"


async def test_summary_counts_and_puts_trouble_first(stand: Stand) -> None:
    stand.live.fleet = [
        a_pile(1),
        a_pile(2, status=ConnectorStatus.CHARGING),
        a_pile(5, link=Link.OFFLINE),
        a_pile(6, faults=(a_fault(),), link=Link.OFFLINE),
        a_pile(9, seen_since_start=False, link=Link.UNKNOWN),
    ]
    shown = await get(stand, "/summary")
    assert shown["piles"] == 5
    assert shown["link"] == {"online": 2, "offline": 2, "unknown": 1}
    assert shown["state"] == {
        "hazard": 0,
        "faulted": 1,
        "in_use": 1,
        "unavailable": 0,
        "available": 2,
        "unknown": 1,
    }
    assert [(site["site"], site["trouble"]) for site in shown["sites"]] == [("SITE-2", 2), ("SITE-1", 0), ("SITE-3", 0)]


async def test_board_has_what_is_open_and_is_gathered_once_a_second(stand: Stand) -> None:
    done = an_order("W-2", state=OrderState.CLOSED, closed_at=NOW)
    closed = an_incident("I-2", state=IncidentState.CLOSED, closed_at=NOW)
    newer = an_incident("I-3", state=IncidentState.DESK, opened_at=NOW)
    await keep(stand.store, an_incident(), closed, newer, an_order(), done, a_complaint())
    shown = await get(stand, "/board")
    assert [item["id"] for item in shown["incidents"]] == ["I-3", "I-1"]
    assert [item["id"] for item in shown["work_orders"]] == ["W-1"]
    assert [item["number"] for item in shown["complaints"]] == ["C-1"]
    assert PHONE not in str(shown)
    await keep(stand.store, an_incident("I-4"))
    assert await get(stand, "/board") == shown
    stand.clock.move(1.5)
    assert len((await get(stand, "/board"))["incidents"]) == 3
