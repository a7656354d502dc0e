"""Faults raised and cleared as events, recognised again by the core's own record of them."""

from __future__ import annotations

import pytest

from triage.core.events import FaultClaim
from triage.drivers.dialect.claims import ACTIVE_LIMIT, INFO_CHARS, KEY_CHARS, ActiveFaults, event_claim, key_of

NAMES = {"F-1": "GroundFailure", "F-2": "unknown"}


def test_a_claim_carries_canonical_name_vendors_code_and_text() -> None:
    claim = event_claim("evse|rcd", "F-1", "leak of 40 mA", 2, NAMES)
    assert claim == FaultClaim(code="GroundFailure", connector=2, info="«evse|rcd» F-1: leak of 40 mA")


@pytest.mark.parametrize("code", ["F-2", "F-9"])
def test_a_code_nobody_knows_stays_as_it_is(code: str) -> None:
    assert event_claim("k", code, "odd", 0, NAMES) == FaultClaim(code=code, connector=0, info="«k» odd")


@pytest.mark.parametrize(
    "key",
    ["k", "a»b«c", "x" * 500, "门/1", "line\nbreak", " ", ""],
    ids=["plain", "marks", "long", "zh", "nl", "sp", "no"],
)
def test_a_key_is_recognised_after_the_core_kept_the_claim(key: str) -> None:
    active, after = ActiveFaults(), ActiveFaults()
    active.raised(key, event_claim(key, "F-1", "text", 1, NAMES))
    after.seed(active.claims())
    assert after.claims() == active.claims()
    assert len(key_of(after.claims()[0]) or "") <= KEY_CHARS
    after.cleared(key)
    assert after.claims() == ()


def test_long_keys_that_begin_alike_stay_apart() -> None:
    active = ActiveFaults()
    for end in "ab":
        active.raised("x" * 300 + end, event_claim("x" * 300 + end, "F-1", "", 0, NAMES))
    assert len(active.claims()) == 2


def test_other_claims_are_no_events() -> None:
    assert key_of(FaultClaim(code="GroundFailure", info="err 8: ground")) is None


def test_what_was_heard_is_newer_than_what_is_remembered() -> None:
    active = ActiveFaults()
    active.raised("k", event_claim("k", "F-1", "new", 0, NAMES))
    active.seed([event_claim("k", "F-1", "old", 0, NAMES)])
    assert [claim.info for claim in active.claims()] == ["«k» F-1: new"]


def test_a_list_replaces_everything() -> None:
    active = ActiveFaults()
    active.raised("a", event_claim("a", "F-1", "", 0, NAMES))
    active.listed([("b", event_claim("b", "F-9", "", 0, NAMES))])
    assert [claim.code for claim in active.claims()] == ["F-9"]


def test_a_flood_is_bounded_and_counted() -> None:
    active = ActiveFaults()
    for number in range(ACTIVE_LIMIT + 3):
        active.raised(str(number), event_claim(str(number), "F-1", "x" * 5_000, 0, NAMES))
    assert (len(active.claims()), active.dropped) == (ACTIVE_LIMIT, 3)
    assert len(active.claims()[0].info) == INFO_CHARS
    assert key_of(active.claims()[-1]) == str(ACTIVE_LIMIT + 2)
