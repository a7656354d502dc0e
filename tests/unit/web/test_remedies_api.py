"""The list of remedies: exact counts, rates with their bounds, filters and pages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.web.stand import NOW, Stand
from triage.core.remedies import Remedies, Tries
from triage.core.vocabulary import Action

API = "/api/v1/remedies"


def record(firmware: str = "1.0", fault: str = "InternalError", **more: Any) -> Remedies:
    tries = (
        Tries(action=Action.RESET_SOFT, passed=0, failed=14, unknown=2),
        Tries(action=Action.RESET_HARD, passed=9, failed=1),
    )
    return Remedies(model="AC-7", firmware=firmware, fault=fault, at=NOW, **({"tries": tries} | more))


async def get(stand: Stand, **params: str) -> Any:
    answer = await stand.http.get(API, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_counts_rates_and_bounds(stand: Stand) -> None:
    stand.live.records = [record(observed=40, healed=10, held_back=10, held_back_healed=3)]
    [item] = (await get(stand))["items"]
    assert {name: item[name] for name in ("model", "firmware", "fault", "as_of")} == {
        "model": "AC-7",
        "firmware": "1.0",
        "fault": "InternalError",
        "as_of": "2026-05-01T08:30:00Z",
    }
    assert item["in_the_window"] == {"watched": 40, "healed": 10, "rate": 0.25, "low": 0.1419, "high": 0.4019}
    assert item["held_back"] == {"watched": 10, "healed": 3, "rate": 0.3, "low": 0.1078, "high": 0.6032}
    soft, hard = item["remedies"]
    assert (soft["action"], soft["passed"], soft["failed"], soft["unknown"]) == ("reset_soft", 0, 14, 2)
    assert soft["cures"] == {"rate": 0.0, "low": 0.0, "high": 0.2153}
    assert hard["net"] == {"rate": 0.6, "low": 0.1705, "high": 0.809}


async def test_what_was_never_measured_has_no_rate(stand: Stand) -> None:
    stand.live.records = [record()]
    [item] = (await get(stand))["items"]
    assert item["held_back"] == {"watched": 0, "healed": 0, "rate": None, "low": 0.0, "high": 1.0}
    assert item["remedies"][0]["net"]["rate"] is None


async def test_filters(stand: Stand) -> None:
    stand.live.records = [record("0.9", tries=()), record("1.0"), record("1.0", "ReaderFailure", tries=())]
    for filters, count in (
        ({}, 3),
        ({"firmware": "1.0"}, 2),
        ({"firmware": "1.0", "fault": "ReaderFailure"}, 1),
        ({"action": "reset_soft"}, 1),
        ({"model": "other"}, 0),
    ):
        assert len((await get(stand, **filters))["items"]) == count
    assert (await stand.http.get(API, params={"pile": "P1"})).status_code == 400


async def test_pages_go_round_every_record_once(stand: Stand) -> None:
    stand.live.records = [record(fault=f"F{number:03d}" + "长" * 100) for number in range(25)]
    seen, cursor = [], None
    while True:
        page = await get(stand, limit="10", **({"cursor": cursor} if cursor else {}))
        seen += [item["fault"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [each.fault for each in stand.live.records]


@pytest.mark.parametrize("cursor", ["nonsense", "0" * 32])
async def test_a_foreign_cursor_is_refused(stand: Stand, cursor: str) -> None:
    stand.live.records = [record()]
    answer = await stand.http.get(API, params={"cursor": cursor})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "cursor"


async def test_it_is_documented(stand: Stand) -> None:
    paths = (await stand.http.get("/api/openapi.json")).json()["paths"]
    names = {each["name"] for each in paths[API]["get"]["parameters"]}
    assert names == {"model", "firmware", "fault", "action", "limit", "cursor"}
