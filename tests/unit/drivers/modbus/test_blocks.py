"""Which requests are made of a device's values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.config.profile.registers import Register
from triage.drivers.modbus.blocks import Block, Place, blocks, finer

WIDE = {"u16": 1, "u32": 2, "u64": 4}


def place(
    name: str, address: int, kind: str = "u16", *, table: str = "holding", unit: int = 1, words: int | None = None
) -> Place:
    register = Register.model_validate({"table": table, "address": address, "type": kind, "words": words})
    return Place(name, 0, register, unit, address)


def asked(found: tuple[Block, ...]) -> list[tuple[int, int]]:
    return [(block.read.address, block.read.count) for block in found]


def test_neighbours_share_a_request_and_a_small_gap_is_read_along() -> None:
    values = [place("c", 108), place("a", 100, "u32"), place("b", 102)]
    assert asked(blocks(values, limit=100, gap=5)) == [(100, 9)]
    assert asked(blocks(values, limit=100, gap=4)) == [(100, 3), (108, 1)]
    assert asked(blocks(values, limit=100, gap=0)) == [(100, 3), (108, 1)]


def test_a_value_is_never_split_over_two_requests() -> None:
    values = [place("a", 0), place("b", 1, "u64"), place("c", 5)]
    assert asked(blocks(values, limit=4, gap=8)) == [(0, 1), (1, 4), (5, 1)]
    assert asked(blocks(values, limit=5, gap=8)) == [(0, 5), (5, 1)]


def test_a_value_longer_than_the_limit_is_asked_for_alone() -> None:
    values = [place("a", 10), place("b", 11, "text", words=20), place("c", 31)]
    assert asked(blocks(values, limit=8, gap=8)) == [(10, 1), (11, 20), (31, 1)]


def test_units_and_tables_are_never_mixed() -> None:
    values = [place("a", 1), place("b", 2, unit=2), place("c", 3, table="input")]
    found = blocks(values, limit=100, gap=8)
    assert [(block.unit, block.read.table) for block in found] == [(1, "holding"), (1, "input"), (2, "holding")]


def test_one_value_a_request_but_values_of_the_very_same_registers_share_it() -> None:
    values = [place("a", 1), place("low", 5, "u32"), place("b", 2), place("high", 5, "u32"), place("x", 5)]
    found = blocks(values, limit=100, gap=8, single=True)
    assert asked(found) == [(1, 1), (2, 1), (5, 2), (5, 1)]
    assert {each.name for each in found[2].places} == {"low", "high"}


def test_values_that_overlap_share_a_request() -> None:
    values = [place("all", 10, "u64"), place("part", 11), place("rest", 13, "u32")]
    assert asked(blocks(values, limit=100, gap=0)) == [(10, 5)]


def test_each_value_finds_its_words_in_the_answer() -> None:
    values = [place("a", 100, "u32"), place("b", 104)]
    (block,) = blocks(values, limit=100, gap=8)
    assert [list(block.words(each, [1, 2, 3, 4, 5])) for each in block.places] == [[1, 2], [5]]


def test_a_refused_block_is_asked_for_without_its_gaps_then_value_by_value() -> None:
    a, b, c = place("a", 100), place("b", 101), place("c", 105)
    (whole,) = blocks([a, b, c], limit=100, gap=8)
    close = finer(whole, {c}, limit=100)
    assert asked(close) == [(100, 2)]
    single = finer(close[0], set(), limit=100)
    assert asked(single) == [(100, 1), (101, 1)]
    assert asked(finer(whole, set(), limit=100)) == [(100, 2), (105, 1)]
    assert finer(whole, {a, b, c}, limit=100) == ()


def test_a_block_of_one_extent_cannot_be_asked_for_in_smaller_parts() -> None:
    assert blocks([place("a", 1, "u32"), place("b", 1, "u32")], limit=9, gap=9)[0].alone
    assert not blocks([place("a", 1, "u32"), place("b", 1)], limit=9, gap=9)[0].alone


places = st.lists(
    st.builds(
        place,
        st.just("v"),
        st.integers(0, 300),
        st.sampled_from(sorted(WIDE)),
        table=st.sampled_from(["holding", "input"]),
        unit=st.integers(1, 2),
    ),
    max_size=40,
)


@given(places, st.integers(1, 125), st.integers(0, 20), st.booleans())
def test_every_value_is_in_one_block_whole_and_within_the_limits(
    values: list[Place], limit: int, gap: int, single: bool
) -> None:
    found = blocks(values, limit=limit, gap=gap, single=single)
    assert sorted(id(each) for block in found for each in block.places) == sorted(map(id, values))
    for block in found:
        first, end = block.read.address, block.read.address + block.read.count
        assert all(first <= each.address and each.end <= end for each in block.places)
        assert block.read.count <= limit or block.alone
        covered = {word for each in block.places for word in range(each.address, each.end)}
        unused = [word not in covered for word in range(first, end)]
        longest = max((len(run) for run in "".join("x" if free else " " for free in unused).split()), default=0)
        assert longest <= gap
        assert len({(each.unit, each.register.table) for each in block.places}) == 1
        if single:
            assert block.alone


@pytest.mark.parametrize("limit", [1, 7, 125])
def test_nothing_to_read_is_no_request(limit: int) -> None:
    assert blocks([], limit=limit, gap=8) == ()
