"""Recording what the daemon takes in, and deciding it again: the same rules, other rules, bad traces."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.core import film
from tests.unit.core.film import Film
from triage.core.draft import Decision
from triage.core.engine import Quiet
from triage.core.events import ComplaintReceived, Event, Reporter
from triage.core.vocabulary import REBOOTS, Channel, Family
from triage.errors import InputError
from triage.recorder import Recorder, Recording
from triage.replay import Decided, differ, read, replay
from triage.traces import plain_words


class Recorded(Film):
    """A film whose every event is recorded, from the moment on at which a recorder is set."""

    recorder: Recorder | None = None

    def play(self, event: Event) -> Decision | Quiet:
        decision = super().play(event)
        if self.recorder is not None:
            self.recorder.record(event, self.now, decision)
        return decision

    def record(self, file: Path, **more: Any) -> None:
        self.recorder = Recorder(Recording(file=file, **more), self.engine, "1.2.3")
        self.recorder.begin(self.now)

    def finished(self) -> None:
        assert self.recorder is not None
        self.recorder.end()


def story(file: Path, **more: Any) -> Recorded:
    """Three piles: one is cured, one is not, one is complained about; recorded from the middle on."""
    shot = Recorded(3)
    shot.run(120)
    shot.pile("P2").claim("InternalError")
    shot.run(60)
    shot.record(file, **more)
    shot.pile("P1").claim("InternalError")
    shot.pile("P2").habits |= dict.fromkeys(REBOOTS, shot.pile("P2").stay_ill)
    shot.run(300)
    shot.ask(
        ComplaintReceived(
            received_at=shot.now,
            channel=Channel.APP,
            text="Anna Smith of 12 Rose Street here, my car will not start charging",
            pile="P3",
            connector=1,
            reporter=Reporter(name="Anna Smith", phone="13812345678", email="anna@example.org"),
            reference="invoice of Anna",
            key="k",
            scope="complaints",
        )
    )
    shot.run(3600)
    shot.finished()
    return shot


def decided_in(shot: Film, since: datetime) -> list[tuple[datetime, str, str]]:
    kinds = {"opened", "moved", "plan", "refused", "skipped", "attempt"}
    return [(each.at, each.subject, each.kind) for each in shot.journal if each.kind in kinds and each.at >= since]


def test_the_same_rules_decide_the_same_again(tmp_path: Path) -> None:
    shot = story(tmp_path / "trace")
    trace = read(tmp_path / "trace")
    again = list(replay(trace, shot.rules))
    known = [(each.at, each.subject, each.sort) for each in again if each.sort not in {"command", "order"}]
    assert known == decided_in(shot, trace.began.at)
    assert [each.text for each in again if each.sort == "command"] == [
        each.action.value for each in shot.commands if each.issued_at >= trace.began.at
    ]
    assert sum(each.sort == "order" for each in again) == len(shot.notices) > 0


def test_a_replay_says_the_same_each_time_and_differs_from_nothing(tmp_path: Path) -> None:
    shot = story(tmp_path / "trace")
    trace = read(tmp_path / "trace")
    assert differ(replay(trace, shot.rules), replay(trace, shot.rules)) == []


def test_other_rules_show_what_they_change(tmp_path: Path) -> None:
    story(tmp_path / "trace")
    trace = read(tmp_path / "trace")
    found = differ(replay(trace, film.rules()), replay(trace, film.rules(resets_per_incident=0)))
    shown = [str(each) for each in found]
    assert any(line.startswith("- ") and "reset_soft" in line for line in shown)
    assert any(line.startswith("+ ") and "0 allowed" in line for line in shown)
    assert not any(" P3 " in line for line in shown)
    assert [each.decided.at for each in found] == sorted(each.decided.at for each in found)


def test_the_same_decision_at_another_time_is_told_as_such(tmp_path: Path) -> None:
    shot = Recorded(1)
    shot.run(60)
    shot.record(tmp_path / "trace")
    shot.pile().claim("HighTemperature")
    shot.run(3000)
    shot.finished()
    trace = read(tmp_path / "trace")
    found = differ(
        replay(trace, film.rules()), replay(trace, film.rules(hold_s={Family.THERMAL: 600}, retry_look_s=60))
    )
    assert {each.sign for each in found} >= {"~"}
    assert "(then at " in str(next(each for each in found if each.sign == "~"))


def test_numbers_of_incidents_do_not_make_a_difference() -> None:
    def decided(number: int) -> Decided:
        return Decided(film.START, "P1", "opened", f"I20260302-{number:06}", f"joined W20260302-{number:06}")

    assert differ([decided(1)], [decided(7)]) == []


def test_a_trace_tells_nothing_of_people(tmp_path: Path) -> None:
    story(tmp_path / "masked")
    text = (tmp_path / "masked").read_text("utf-8")
    for personal in ("Anna", "Rose Street", "13812345678", "example.org", "invoice"):
        assert personal not in text
    assert '"masked":true' in text
    story(tmp_path / "open", personal=True)
    assert "12 Rose Street" in (tmp_path / "open").read_text("utf-8")
    assert (tmp_path / "masked").stat().st_mode & 0o077 == 0


def test_complaints_known_before_are_masked_too(tmp_path: Path) -> None:
    shot = story(tmp_path / "first", personal=True)
    shot.record(tmp_path / "second")
    shot.finished()
    text = (tmp_path / "second").read_text("utf-8")
    assert '"complaints"' in text
    assert "Anna" not in text
    assert "13812345678" not in text


@pytest.mark.parametrize(
    "text",
    [
        "my car will not start charging",
        "smoke comes out of the plug, my name is Anna",
        "there is no smoke at all, but the screen is black",
        "充电枪冒烟了，快来人",
        "插枪后无法启动充电",
        "refund me, I was charged twice",
        "nothing that anybody knows",
    ],
)
def test_masked_words_are_read_like_the_text(text: str) -> None:
    from triage.core.classify import classify  # noqa: PLC0415 - only here

    lexicon = film.rules().lexicon
    read_as = classify(text, lexicon)
    again = classify(plain_words(text, lexicon), lexicon)
    assert (again.category, again.symptom, again.safety) == (read_as.category, read_as.symptom, read_as.safety)
    assert "Anna" not in plain_words(text, lexicon)


def test_files_are_bounded_and_each_can_be_replayed_alone(tmp_path: Path) -> None:
    shot = story(tmp_path / "trace", max_bytes=20_000, files=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trace", "trace.1", "trace.2"]
    for path in tmp_path.iterdir():
        assert path.stat().st_size < 40_000
        trace = read(path)
        again = [each.subject for each in replay(trace, shot.rules) if each.sort == "moved"]
        ends = trace.taken[-1].now
        wanted = [id for at, id, kind in decided_in(shot, trace.began.at) if kind == "moved" and at <= ends]
        assert again == wanted


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    shot = Recorded(1)
    shot.record(Path("/dev/full"), files=1)
    shot.run(3600)
    shot.finished()
    assert shot.recorder is not None
    assert "No space left" in str(shot.recorder.trouble)
    assert shot.known().heard_at is not None


def test_half_a_character_is_left_out_and_told(tmp_path: Path) -> None:
    shot = Recorded(1)
    shot.record(tmp_path / "trace", personal=True)
    shot.pile().claim("InternalError", info="half \ud800")
    shot.finished()
    assert shot.recorder is not None
    assert shot.recorder.left_out == 1
    assert "left out" in str(shot.recorder.trouble)
    read(tmp_path / "trace")


def began(**changes: Any) -> str:
    line = {"type": "Began", "format": 1, "at": "2026-03-02T08:00:00Z", "release": "1", "masked": True}
    return json.dumps(line | {"listening": {}, "started_at": None} | changes)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ":1: does not begin with how things stood"),
        ('{"type": "Setting", "key": "a", "value": "b"}\n', ":1: does not begin"),
        (began(format=2) + "\n", ":1: has format 2; this version reads 1"),
        (began() + "\nnonsense\n", ":2: is no line of a trace"),
        (began() + '\n{"type": "Took", "now": "2026-03-02T08:00:00Z", "event": {"type": "Due"}}\n', ":2: is no line"),
        (began() + '\n{"type": "Took", "now": "noon", "event": {"type": "Started"}}\n', ":2: is no line of a trace"),
        (began() + '\n{"type": "Knew", "kind": "ghosts", "item": {}}\n', ":2: knows things of kind 'ghosts'"),
        (began() + '\n{"type": "Knew", "kind": "piles", "item": {}}\n', ":2: cannot be understood"),
    ],
)
def test_a_bad_trace_names_its_line(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "trace"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read(path)
    assert f"{path}{fault}" in str(caught.value)


def test_a_line_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text(began() + '\n{"type": "Took", "now": "2026-')
    trace = read(path)
    assert trace.cut_off
    assert trace.taken == []


def test_a_trace_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "nothing")
