"""Worlds small enough for every run: nothing breaks, everything repeats, and the world is not a kind one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from simulators.world import main
from simulators.world.command import run
from simulators.world.outcome import Script

SMALL = Script(piles=30, days=0.4, seed=1, crash_every=250, faults=6.0)
WORDS = ["--piles", "20", "--days", "0.2", "--crash-every", "200", "--faults", "6"]


@pytest.mark.parametrize("seed", range(1, 7))
def test_every_invariant_holds(seed: int) -> None:
    outcome = run(replace(SMALL, seed=seed))
    assert outcome.violations == [], outcome.script.replay()


def test_a_world_without_deaths_holds_too() -> None:
    outcome = run(replace(SMALL, crash_every=0))
    assert outcome.violations == []
    assert outcome.counts["kills"] == 0


def test_the_world_is_hostile() -> None:
    """A kind workload finds nothing; so everything that shall be survived must really have happened."""
    worlds = [run(replace(SMALL, seed=seed)).counts for seed in (1, 2, 3)]

    def total(*path: str) -> int:
        found = 0
        for world in worlds:
            value: object = world
            for key in path:
                value = value.get(key, 0) if isinstance(value, dict) else 0
            found += value if isinstance(value, int) else 0
        return found

    assert total("kills") > 10
    assert total("faults_struck") > 60
    assert total("people_complained") > 5
    assert total("unanswered") == 0
    for trouble in ("lost", "late", "twice", "redelivered", "command_lost", "outages"):
        assert total("network", trouble) > 0, trouble
    assert total("http", "retries") > 0
    assert total("attempts", "reset_soft passed") > 0
    assert total("attempts", "reset_soft failed") > 0
    assert total("incidents", "recovered_remotely") > 0
    assert total("orders", "forbidden_safety") > 0
    assert total("orders", "no_remote_channel") > 0


def hashed(hash_seed: str) -> str:
    """The result hash of a small world in a process with this PYTHONHASHSEED."""
    command = [sys.executable, "-m", "simulators", "world", *WORDS, "--seed", "5", "--json"]
    environ = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=100)
    assert done.returncode == 0, done.stderr
    result: str = json.loads(done.stdout)["hash"]
    return result


def test_the_same_seed_is_the_same_world_under_any_hash_seed() -> None:
    assert hashed("1") == hashed("77")


def test_the_seed_decides() -> None:
    first, again = run(SMALL), run(SMALL)
    other = run(replace(SMALL, seed=2))
    assert first.hash == again.hash
    assert first.counts == again.counts
    assert first.hash != other.hash


def test_a_broken_law_ends_with_1_and_a_command_to_replay_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "--seed", "1", "--plant", "closed_blindly", "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["violations"]
    replay = "python -m simulators world --piles 20 --days 0.2 --seed 1 --crash-every 200 --faults 6"
    assert f"replay: {replay} --plant closed_blindly\n" in told.err


def test_several_seeds_make_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "--seeds", "1..2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["seed", "s", "msgs", "kills", "inc", "orders", "compl", "hash", "broken"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]
    assert all(line.endswith("-") for line in lines[1:])


@pytest.mark.parametrize("words", [["--seeds", "x"], ["--plant", "no-such-bug"], ["--piles", "many"]])
def test_a_wrong_call_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err
