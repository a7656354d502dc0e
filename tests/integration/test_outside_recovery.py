"""From outside, over real brokers: what is recovered remotely, what is tried next, and what is never touched."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.outside.api import refused_by, steps
from tests.integration.outside.pile import Temper
from tests.integration.outside.stage import KINDS, House, Stage, house, staged

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=KINDS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(request.param, tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture
async def stage(running: House) -> AsyncIterator[Stage]:
    async with staged(running) as stage:
        yield stage


async def test_internal_error_is_recovered_by_a_soft_reset_and_proven(stage: Stage) -> None:
    pile = await stage.broken("InternalError")
    incident = await stage.api.closed(pile.id, "recovered_remotely")
    assert steps(incident)[-1] == ("reset_soft", "passed")
    kinds = {each["kind"] for each in incident["attempts"][-1]["evidence"]}
    assert {"answer", "boot", "fault_absent"} <= kinds
    assert incident["closed_at"] > incident["attempts"][-1]["sent_at"] > incident["opened_at"]
    assert [each.action for each in pile.resets] == ["reset_soft"]
    assert pile.boots == 1
    assert pile.improper == []
    assert await stage.api.orders(pile.id) == []
    assert incident["timeline"]


async def test_a_log_is_pulled_before_the_reset_destroys_it(stage: Stage) -> None:
    pile = await stage.broken("InternalError")
    await stage.api.closed(pile.id, "recovered_remotely")
    actions = [each.action for each in pile.commands]
    assert actions.index("pull_log") < actions.index("reset_soft")


async def test_no_cure_climbs_the_ladder_and_ends_in_one_order(stage: Stage) -> None:
    pile = await stage.broken("InternalError", temper=Temper.NOT_CURED)
    order = await stage.api.order(pile.id, lambda each: True, "issued")
    assert order["reason"]["code"] == "remote_failed"
    assert order["reason"]["text"]
    assert order["evidence"]
    incident = await stage.api.get(f"/incidents/{order['incident']}")
    assert (incident["state"], incident["work_order"]) == ("field", order["id"])
    assert [each for each in steps(incident) if each[0].startswith("reset")] == [
        ("reset_soft", "failed"),
        ("reset_hard", "failed"),
    ]
    assert [each.action for each in pile.resets] == ["reset_soft", "reset_hard"]
    await stage.while_telling(pile, 20)
    assert len(pile.resets) == 2
    assert len(await stage.api.orders(pile.id)) == 1


async def test_hard_reset_cures_what_the_soft_one_did_not(stage: Stage) -> None:
    pile = await stage.broken("InternalError", temper=Temper.CURED_BY_HARD)
    incident = await stage.api.closed(pile.id, "recovered_remotely")
    assert [each for each in steps(incident) if each[0].startswith("reset")] == [
        ("reset_soft", "failed"),
        ("reset_hard", "passed"),
    ]
    assert await stage.api.orders(pile.id) == []


async def test_accepted_is_not_worked(stage: Stage) -> None:
    pile = await stage.broken("InternalError", temper=Temper.IDLE)
    incident = await stage.api.incident(
        pile.id, lambda each: any(name == "reset_hard" for name, _ in steps(each)), "the next step after the soft reset"
    )
    assert ("reset_soft", "failed") in steps(incident)
    order = await stage.api.order(pile.id, lambda each: True, "issued")
    assert order["reason"]["code"] == "remote_failed"
    assert pile.boots == 0


async def test_a_refusal_of_the_device_is_no_failure_of_the_reset(stage: Stage) -> None:
    pile = await stage.broken("InternalError", temper=Temper.REFUSES)
    order = await stage.api.order(pile.id, lambda each: True, "issued")
    incident = await stage.api.get(f"/incidents/{order['incident']}")
    resets = [each for each in incident["attempts"] if each["action"].startswith("reset")]
    assert [each["result"] for each in resets] == ["refused", "refused"]
    assert all(each["answer_reason"] == "not now" for each in resets)


async def test_a_pile_that_never_comes_back_ends_in_one_order(stage: Stage) -> None:
    pile = await stage.broken("InternalError", temper=Temper.LOST)
    tried = await stage.api.incident(pile.id, lambda each: ("reset_soft", "unknown") in steps(each), "nobody knows")
    assert tried["close_code"] != "recovered_remotely"
    order = await stage.api.order(pile.id, lambda each: True, "issued")
    assert order["reason"]["code"] in {"unknown_outcome", "no_remote_channel"}
    assert any("reset_soft" in line for line in order["evidence"])
    assert [each.action for each in pile.resets] == ["reset_soft"]


async def test_ground_fault_is_never_reset_and_dispatched_at_once(stage: Stage) -> None:
    pile = await stage.pile()
    began_s = time.monotonic()
    pile.breaks("GroundFailure")
    order = await stage.api.order(pile.id, lambda each: True, "issued")
    assert time.monotonic() - began_s < 2
    assert order["reason"]["code"] == "forbidden_safety"
    assert order["priority"] == "critical"
    await stage.while_telling(pile, 15)
    assert pile.commands == []
    # The claim goes away by itself; the danger does not until somebody has looked.
    pile.heals()
    pile.breaks("InternalError")
    await stage.while_telling(pile, 15)
    assert pile.resets == []


async def test_ground_fault_beside_an_internal_error_forbids_its_reset(stage: Stage) -> None:
    pile = await stage.broken("InternalError", "GroundFailure")
    order = await stage.api.order(pile.id, lambda each: True, "issued")
    assert order["reason"]["code"] == "forbidden_safety"
    await stage.while_telling(pile, 15)
    assert pile.resets == []


async def test_unclassified_code_is_not_reset(stage: Stage) -> None:
    pile = await stage.broken("NobodyKnowsThisCode")
    await stage.api.in_state(pile.id, "desk")
    assert pile.resets == []


async def test_a_live_session_holds_the_reset_until_it_ends(stage: Stage) -> None:
    pile = await stage.pile()
    pile.plug_in("tx-1")
    pile.faults = [{"code": "InternalError", "connector": 1, "info": ""}]
    held = await stage.api.in_state(pile.id, "held")
    refusals = refused_by(held, "session")
    assert refusals
    assert "session" in refusals[-1]["reason"] or "charging" in refusals[-1]["reason"]
    await stage.while_telling(pile, 10)
    assert pile.resets == []
    pile.unplug()
    incident = await stage.api.closed(pile.id, "recovered_remotely")
    assert len(pile.resets) == 1
    assert incident["id"] == held["id"]


async def test_an_unknown_session_is_never_taken_for_none(stage: Stage) -> None:
    pile = await stage.pile()
    pile.tells_session = False
    pile.breaks("InternalError")
    held = await stage.api.in_state(pile.id, "held")
    assert "unknown" in refused_by(held, "session")[-1]["reason"]
    await stage.while_telling(pile, 10)
    assert pile.resets == []
    pile.tells_session = True
    await stage.api.closed(pile.id, "recovered_remotely")


async def test_what_clears_by_itself_is_not_raced(stage: Stage) -> None:
    pile = await stage.broken("InternalError")
    await stage.api.in_state(pile.id, "observing")
    pile.heals()
    await stage.api.closed(pile.id, "self_cleared")
    assert pile.resets == []


async def test_silent_application_on_a_live_link_is_restarted(stage: Stage) -> None:
    pile = await stage.pile()
    pile.silent = True
    incident = await stage.api.incident(pile.id, lambda each: each["family"] == "unresponsive", "unresponsive")
    await stage.api.incident(pile.id, lambda each: "reset_soft" in [name for name, _ in steps(each)], "a soft reset")
    pile.silent = False
    closed = await stage.api.closed(pile.id, "recovered_remotely")
    assert closed["id"] == incident["id"]


async def test_maintenance_holds_everything(stage: Stage) -> None:
    pile = await stage.pile()
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    answer = await stage.api.post("/silences", {"pile": pile.id, "ends_at": tomorrow, "reason": "rewiring"})
    assert answer.status_code == 201, answer.text
    pile.breaks("InternalError")
    held = await stage.api.in_state(pile.id, "held")
    assert "rewiring" in refused_by(held, "silence")[-1]["reason"]
    await stage.while_telling(pile, 10)
    assert pile.commands == []
    lifted = await stage.api.http.delete(f"/silences/{answer.json()['id']}")
    assert lifted.is_success, lifted.text
    await stage.api.closed(pile.id, "recovered_remotely")


async def test_offline_pile_gets_an_order_that_is_recalled_when_it_is_back(stage: Stage) -> None:
    pile = await stage.pile()
    pile.vanish()
    incident = await stage.api.incident(pile.id, lambda each: each["family"] == "offline", "offline")
    assert incident["state"] == "observing"
    order = await stage.api.order(pile.id, lambda each: True, "issued")
    assert order["reason"]["code"] == "no_remote_channel"
    pile.come_back()
    await stage.api.order(pile.id, lambda each: each["state"] == "recalled", "recalled")
    await stage.api.closed(pile.id, "self_cleared")
    assert pile.resets == []


async def test_a_stranger_is_listed_and_never_commanded(stage: Stage) -> None:
    async with stage.unplugged(pile="STRANGER") as stranger:
        stranger.breaks("InternalError")
        await stage.while_telling(stranger, 10)
        listed = await stage.api.items("/piles", registered="false")
        assert "STRANGER" in [each["id"] for each in listed]
        assert stranger.commands == []
        assert await stage.api.items("/incidents", pile="STRANGER") == []
        answer = await stage.api.post("/piles/STRANGER/commands", {"action": "reset_soft", "reason": "try"})
        assert answer.status_code == 404
        assert stranger.commands == []


async def test_a_command_by_a_person_meets_the_same_gates(stage: Stage) -> None:
    pile = await stage.pile()
    await stage.while_telling(pile, 15)  # what has just booted is left alone, whoever asks
    pile.plug_in("tx-7")
    await stage.api.pile(pile.id, lambda shown: shown["connectors"][0]["session"]["value"] == "tx-7", "charging")
    answer = await stage.api.post(f"/piles/{pile.id}/commands", {"action": "reset_soft", "reason": "try"})
    assert answer.status_code == 409
    assert "session" in answer.text
    pile.unplug()
    await stage.api.pile(pile.id, lambda shown: shown["connectors"][0]["session"]["value"] is None, "idle")
    answer = await stage.api.post(f"/piles/{pile.id}/commands", {"action": "reset_soft", "reason": "try"})
    assert answer.status_code == 202, answer.text
    await stage.while_telling(pile, 5)
    assert [each.id for each in pile.resets] == [answer.json()["command"]]
