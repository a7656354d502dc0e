from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from heapq import heapify, heapreplace
from pathlib import Path

import pytest

from simulators.fleet import FLEET_HEADER, Rates, build
from simulators.temperaments import Temperament
from tests.unit.simulators.bench import START

ID = re.compile(r"[A-Z]{2}\d\d-\d{3}")


def speak(piles: int, seed: int, days: float, rates: Rates | None = None) -> tuple[int, str]:
    """How many messages a fleet sends, and a digest of all of them."""
    fleet = build(piles, seed, rates)
    living = [fleet.pile(entry, START) for entry in fleet.entries]
    digest = hashlib.sha256()
    count = 0
    for pile in living:
        said = pile.link(START, up=True) + pile.advance(START + days * 86400.0)
        count += len(said)
        for message in said:
            digest.update(json.dumps([pile.topic(message), message.payload]).encode())
    return count, digest.hexdigest()


def test_ids_sites_and_makes_are_as_the_contract_wants_them() -> None:
    fleet = build(40, 1)
    ids = [entry.nature.pile for entry in fleet.entries]
    assert all(ID.fullmatch(each) for each in ids)
    assert len(set(ids)) == 40
    assert set(Counter(entry.nature.site for entry in fleet.entries).values()) == {8}
    assert {entry.area.language for entry in fleet.entries} == {"en", "zh"}
    assert len({entry.nature.model.name for entry in fleet.entries}) >= 3


def test_a_large_fleet_has_no_id_twice() -> None:
    fleet = build(10_000, 3)
    assert len({entry.nature.pile for entry in fleet.entries}) == 10_000
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", entry.nature.pile) for entry in fleet.entries)


def test_a_fleet_without_piles_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one pile"):
        build(0, 1)


def test_the_first_piles_are_the_same_in_a_larger_fleet() -> None:
    assert build(9, 5).entries == build(100, 5).entries[:9]


def test_the_files_hold_the_whole_fleet(tmp_path: Path) -> None:
    fleet = build(20, 2)
    fleet.write(tmp_path / "fleet.csv")
    with (tmp_path / "fleet.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == FLEET_HEADER
    assert [row["pile"] for row in rows] == [entry.nature.pile for entry in fleet.entries]
    assert {row["profile"] for row in rows} == {"pile/v1"}
    with (tmp_path / "teams.csv").open(encoding="utf-8") as file:
        teams = list(csv.DictReader(file))
    assert {row["team"] for row in rows} == {team["team"] for team in teams}
    assert all(team["language"] in {"en", "zh"} and team["contact"] for team in teams)


def test_well_behaved_fleets_can_be_had() -> None:
    fleet = build(50, 1, Rates(tempers=False))
    assert {entry.nature.temperament for entry in fleet.entries} == {Temperament()}


def test_the_same_seed_says_the_same_whatever_the_hash_seed() -> None:
    code = (
        "from tests.unit.simulators.test_fleet import speak; from simulators.fleet import Rates;"
        "print(*speak(12, 4, 1.0, Rates(fault_rate=20.0)))"
    )
    said = set()
    for hash_seed in ("0", "1", "77"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(run.stdout)
    assert len(said) == 1
    assert said == {"{} {}\n".format(*speak(12, 4, 1.0, Rates(fault_rate=20.0)))}
    assert speak(12, 5, 1.0)[1] != speak(12, 4, 1.0)[1]


def test_a_message_costs_little() -> None:
    fleet = build(100, 7, Rates(heartbeat_s=300.0))
    living = [fleet.pile(entry, START) for entry in fleet.entries]
    count = sum(len(pile.link(START, up=True)) for pile in living)
    queue = [(pile.next_at(), number) for number, pile in enumerate(living)]
    heapify(queue)
    began = time.process_time()
    while queue[0][0] < START + 2 * 86400.0:
        at, number = queue[0]
        count += len(living[number].advance(at))
        heapreplace(queue, (living[number].next_at(), number))
    each_us = (time.process_time() - began) / count * 1e6
    assert count > 50_000
    # About 5 µs on a quiet core; a shared machine may need twice that, a quadratic mistake far more.
    assert each_us < 16.0
