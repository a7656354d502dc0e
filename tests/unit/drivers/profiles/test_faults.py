"""Claims out of codes, bits and conditions; what nobody listed stays a claim of unknown meaning."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.drivers.profiles.making import profile
from triage.core.events import FaultClaim
from triage.drivers.profiles.interpreter import Interpreter, Sighting
from triage.drivers.profiles.values import Value, Values

CODES = {
    "from": "e",
    "codes": {
        "1": "GroundFailure",
        "0x10": {"is": "HighTemperature", "text": "hot inside"},
        "F-2": "InternalError",
        "7": {"is": "unknown", "text": "see the book"},
    },
    "ignore": [9, "idle"],
}
BITS = {
    "from": "e",
    "bits": {"0": "RcdTripped", "4": {"is": "HighTemperature", "text": "hot"}, "5": "unknown"},
    "ignore": [1],
}


def seen(rule: dict[str, Any], values: Values, connectors: int = 1, **of: str) -> Sighting:
    names = {"e", "state", "words", *values.pile, *(name for own in values.connectors.values() for name in own)}
    told = {name: {"of": of.get(name, "pile")} for name in sorted(names)}
    return Interpreter(profile(values=told, faults=[rule]), connectors).see(values)


def claimed(rule: dict[str, Any], **pile: Value) -> list[tuple[str, str]]:
    return [(claim.code, claim.info) for claim in seen(rule, Values(pile=pile)).faults]


@pytest.mark.parametrize(
    ("rule", "said", "claims"),
    [
        (CODES, 1, [("GroundFailure", "e 1")]),
        (CODES, 1.0, [("GroundFailure", "e 1")]),
        (CODES, "1", [("GroundFailure", "e 1")]),
        (CODES, 16, [("HighTemperature", "e 16: hot inside")]),
        (CODES, "0x10", [("HighTemperature", "e 0x10: hot inside")]),
        (CODES, "F-2", [("InternalError", "e F-2")]),
        (CODES, 7, [("e 7", "see the book")]),
        (CODES, 8, [("e 8", "")]),
        (CODES, 9, []),
        (CODES, "idle", []),
        (CODES, 0, []),
        (CODES, "0", []),
        (CODES, "", []),
        (CODES, False, []),
        (CODES, None, []),
        ({**CODES, "none": [255]}, 255, []),
        ({**CODES, "none": [255]}, 0, [("e 0", "")]),
        ({**CODES, "text": "board"}, 1, [("GroundFailure", "e 1: board")]),
        ({**CODES, "text": "board"}, 8, [("e 8", "board")]),
        ({"from": "e"}, 3, [("e 3", "")]),
        (BITS, 0, []),
        (BITS, 1, [("RcdTripped", "e bit 0")]),
        (BITS, 2, []),
        (BITS, 0b10001, [("RcdTripped", "e bit 0"), ("HighTemperature", "e bit 4: hot")]),
        (BITS, 0b100000, [("e bit 5", "")]),
        (BITS, 0b1000000, [("e bit 6", "")]),
        (BITS, 17.0, [("RcdTripped", "e bit 0"), ("HighTemperature", "e bit 4: hot")]),
        (BITS, "17", [("RcdTripped", "e bit 0"), ("HighTemperature", "e bit 4: hot")]),
        (BITS, "broken", [("e broken", "")]),
        (BITS, 1 << 63, [("e bit 63", "")]),
        (BITS, None, []),
        ({"from": "e", "is_mask": True}, 3, [("e bit 0", ""), ("e bit 1", "")]),
        ({"when": {"e": {"ge": 3}}, "is": "RcdTripped"}, 3, [("RcdTripped", "e 3")]),
        ({"when": {"e": {"ge": 3}}, "is": "RcdTripped"}, 2, []),
        ({"when": {"e": {"ge": 3}}, "is": "RcdTripped"}, None, []),
        ({"when": {"e": 3}, "is": "RcdTripped", "text": "self-test"}, 3, [("RcdTripped", "self-test")]),
        ({"when": {"e": 3}, "is": "unknown", "text": "see the book"}, 3, [("e 3", "see the book")]),
    ],
)
def test_what_is_claimed(rule: dict[str, Any], said: Value, claims: list[tuple[str, str]]) -> None:
    assert claimed(rule, e=said) == claims


def test_what_no_table_lists_is_told_apart() -> None:
    assert seen(CODES, Values(pile={"e": 8})).unlisted == ("e 8",)
    assert seen(CODES, Values(pile={"e": 7})).unlisted == ()
    assert seen(BITS, Values(pile={"e": 0b1000001})).unlisted == ("e bit 6",)
    assert seen(CODES, Values(pile={"e": 8})).wrong == ()


def test_a_rule_speaks_only_when_its_condition_holds() -> None:
    rule = {**CODES, "when": {"state": 5}}
    assert claimed(rule, e=1, state=5) == [("GroundFailure", "e 1")]
    assert claimed(rule, e=1, state=4) == []
    assert claimed(rule, e=1, state=None) == []


def test_the_devices_own_words_are_shown() -> None:
    rule = {**CODES, "info": "words"}
    assert claimed(rule, e=16, words="fan 2\x1b") == [("HighTemperature", "e 16: hot inside - fan 2�")]
    assert claimed(rule, e=8, words="smoke!") == [("e 8", "smoke!")]
    assert claimed(rule, e=1, words=None) == [("GroundFailure", "e 1")]


def test_long_and_strange_words_are_cut_and_cleaned() -> None:
    (claim,) = seen({**CODES, "info": "words"}, Values(pile={"e": "\0" * 200, "words": "w" * 900})).faults
    assert claim.code == "e " + "�" * 64
    assert claim.info == "w" * 400


def test_a_piles_value_claims_on_the_pile_and_a_connectors_on_the_connector() -> None:
    values = Values(pile={"state": 1}, connectors={1: {"e": 0}, 2: {"e": 1}})
    assert seen(CODES, values, 2, e="connector").faults == (FaultClaim(code="GroundFailure", connector=2, info="e 1"),)
    assert seen(CODES, Values(pile={"e": 1}), 1).faults == (FaultClaim(code="GroundFailure", connector=0, info="e 1"),)
    of_pile = {**CODES, "connector": "pile"}
    both = Values(connectors={1: {"e": 1}, 2: {"e": 1}})
    assert seen(of_pile, both, 2, e="connector").faults == (FaultClaim(code="GroundFailure", connector=0, info="e 1"),)
    plain = {"when": {"e": 1, "state": 1}, "is": "RcdTripped"}
    found = seen(plain, values, 2, e="connector").faults
    assert [(claim.code, claim.connector) for claim in found] == [("RcdTripped", 2)]


def test_a_piles_code_under_a_connectors_condition_is_still_the_piles() -> None:
    values = Values(pile={"e": 1}, connectors={1: {"state": 5}, 2: {"state": 5}})
    found = seen({**CODES, "when": {"state": 5}}, values, 2, state="connector").faults
    assert found == (FaultClaim(code="GroundFailure", connector=0, info="e 1"),)


def test_one_fault_told_twice_is_one_claim() -> None:
    rule = {"from": "e", "bits": {"0": "HighTemperature", "3": {"is": "HighTemperature", "text": "cable"}}}
    assert claimed(rule, e=9) == [("HighTemperature", "e bit 0; e bit 3: cable")]
