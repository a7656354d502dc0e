"""What every store owes its callers, on memory, a SQLite file and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from msgspec import structs

from tests.contract.conftest import Backing, MemoryBacking, Store
from tests.unit.storage import values
from triage.core.complaint import Complaint
from triage.core.effects import Answer, Changes, Command, JournalEntry, KeptAnswer, OutboxItem
from triage.core.events import Moment, Quarantined, Registration, Reporter
from triage.core.fleet import Pile
from triage.core.incident import Incident
from triage.core.silence import Silence
from triage.core.vocabulary import (
    Action,
    Category,
    Channel,
    CloseCode,
    ComplaintState,
    ComplaintSymptom,
    Family,
    Grade,
    IncidentState,
    OrderReason,
    OrderState,
    Priority,
    Route,
    Tier,
)
from triage.core.workorder import WorkOrder
from triage.errors import StoreRefusedError
from triage.storage.chain import verify

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAST = datetime(1970, 1, 1, tzinfo=UTC)
ODD = "NUL \x00 half \ud800 smile 😀 \u202eright to left\u202c שלום \\u0000 '; DROP TABLE piles; --\r\n\x1b[2J"
DRAWN = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes long with a database behind it
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def pile(id: str = "P1", **changed: Any) -> Pile:
    return Pile(registration=Registration(pile=id, site="S1", region="north"), **changed)


def incident(id: str = "I1", **changed: Any) -> Incident:
    base = Incident(
        id=id,
        pile="P1",
        site="S1",
        region="north",
        connector=1,
        family=Family.INTERNAL,
        kind="fault",
        state=IncidentState.OBSERVING,
        state_since=NOW,
        opened_at=NOW,
        wake_at=NOW,
    )
    return structs.replace(base, **changed)


def closed(id: str, at: datetime) -> Incident:
    return incident(id, state=IncidentState.CLOSED, closed_at=at, close_code=CloseCode.REPAIRED)


def complaint(number: str = "C1", **changed: Any) -> Complaint:
    base = Complaint(
        number=number,
        channel=Channel.APP,
        text="it does not start",
        received_at=NOW,
        reporter=Reporter(name="Ann", tier=Tier.VIP),
        category=Category.TECHNICAL_FAULT,
        symptom=ComplaintSymptom.WONT_START,
        safety=False,
        why="words",
        grade=Grade.ORDINARY,
        priority=Priority.NORMAL,
        route=Route.TECHNICAL,
        state=ComplaintState.RECEIVED,
        state_since=NOW,
        pile="P1",
        site="S1",
        incident="I1",
    )
    return structs.replace(base, **changed)


def order(id: str = "W1", **changed: Any) -> WorkOrder:
    base = WorkOrder(
        id=id,
        incident="I1",
        pile="P1",
        site="S1",
        region="north",
        connector=1,
        reason=OrderReason.REMOTE_FAILED,
        reason_text="two resets failed",
        state=OrderState.ISSUED,
        state_since=NOW,
        opened_at=NOW,
        priority=Priority.HIGH,
        team="T1",
    )
    return structs.replace(base, **changed)


def silence(id: str = "Q1", **changed: Any) -> Silence:
    base = Silence(
        id=id, starts_at=ago(hours=1), ends_at=NOW + timedelta(hours=1), reason="works", by="Ann", created_at=NOW
    )
    return structs.replace(base, **({"pile": "P1"} | changed))


def item(id: str = "E1", state: str = "pending", created_at: datetime = NOW) -> OutboxItem:
    effect = Command(
        id=id,
        site="S1",
        pile="P1",
        driver_profile="pile/v1",
        action=Action.RESET_SOFT,
        connector=0,
        issued_at=NOW,
        expires_at=NOW,
    )
    return OutboxItem(id=id, effect=effect, state=state, created_at=created_at)


def line(number: int = 1, **changed: Any) -> JournalEntry:
    base = JournalEntry(
        at=NOW, subject="I1", kind="note", actor="engine", text=f"line {number}", data={"number": number}
    )
    return structs.replace(base, **changed)


def payload(number: int = 1, **changed: Any) -> Quarantined:
    base = Quarantined(
        received_at=NOW,
        driver="mqtt",
        reason="not_json",
        topic=f"pile/{number}",
        sample=b"\xff\x00",
        size=2,
        sha256="ab",
        pile="P1",
    )
    return structs.replace(base, **changed)


def kept(key: str = "k", **changed: Any) -> KeptAnswer:
    base = KeptAnswer(scope="POST /c", key=key, digest="d", answer=Answer(status=201, body={"number": "C1"}), at=NOW)
    return structs.replace(base, **changed)


def incidents(*given_incidents: Incident) -> Changes:
    return Changes(incidents={one.id: one for one in given_incidents})


def as_json(entity: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(entity))


async def texts(store: Store, subject: str = "I1") -> list[str]:
    return [entry.text for entry in await store.timeline(subject)]


async def everything(store: Store, list_: str, limit: int, /, **filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await store.page(list_, filters, cursor, limit)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


# What goes in comes out.


@DRAWN
@given(
    a_pile=values.of(Pile),
    an_incident=values.of(Incident),
    a_complaint=values.of(Complaint),
    an_order=values.of(WorkOrder),
    a_silence=values.of(Silence),
    an_item=values.of(OutboxItem),
    the_settings=values.of(dict[str, str]),
)
async def test_every_entity_comes_back_as_it_was(  # noqa: PLR0917
    store: Store,
    a_pile: Pile,
    an_incident: Incident,
    a_complaint: Complaint,
    an_order: WorkOrder,
    a_silence: Silence,
    an_item: OutboxItem,
    the_settings: dict[str, str],
) -> None:
    await store.commit(
        Changes(
            piles={a_pile.id: a_pile},
            incidents={an_incident.id: an_incident},
            complaints={a_complaint.number: a_complaint},
            orders={an_order.id: an_order},
            silences={a_silence.id: a_silence},
            outbox={an_item.id: an_item},
            settings=the_settings,
        )
    )
    snapshot = await store.load(PAST)  # in the past everything is recent
    assert a_pile in snapshot.piles
    assert an_incident in snapshot.incidents
    assert a_complaint in snapshot.complaints
    assert an_order in snapshot.orders
    assert an_item in snapshot.outbox
    assert (a_silence in snapshot.silences) == (a_silence.lifted_at is None)
    assert snapshot.settings.items() >= the_settings.items()
    fetched = await store.fetch("silence", a_silence.id)
    assert msgspec.convert(fetched, Silence) == a_silence


@DRAWN
@given(
    a_moment=values.of(Moment),
    an_entry=values.of(JournalEntry),
    a_payload=values.of(Quarantined),
    answer=values.of(KeptAnswer),
)
async def test_every_record_comes_back_as_it_was(
    store: Store, a_moment: Moment, an_entry: JournalEntry, a_payload: Quarantined, answer: KeptAnswer
) -> None:
    seen = await store.answers([(answer.scope, answer.key)])
    await store.commit(Changes(moments=[a_moment], journal=[an_entry], quarantine=[a_payload], answers=[answer]))
    assert a_moment in await store.moments(a_moment.pile, a_moment.at, a_moment.at)
    for subject in (an_entry.subject, *an_entry.also):
        assert an_entry in await store.timeline(subject)
    page = await store.page("quarantine", {"driver": a_payload.driver, "reason": a_payload.reason}, None, 500)
    assert a_payload in [msgspec.convert(one, Quarantined) for one in page.items]
    # The first answer under a key stands.
    assert await store.answers([(answer.scope, answer.key)]) == (seen or {(answer.scope, answer.key): answer})
    assert not (await verify(store, await store.head())).why


async def test_text_nobody_wants_is_kept_and_found(backing: Backing) -> None:
    store = await backing.open()
    await store.commit(
        Changes(
            complaints={ODD: complaint(ODD, text=ODD, pile=ODD)},
            journal=[line(subject=ODD, text=ODD, data={ODD: ODD}, also=(ODD, "other"))],
            quarantine=[payload(topic=ODD, pile=ODD)],
            moments=[Moment(pile=ODD, at=NOW, session=ODD)],
            settings={ODD: ODD},
        )
    )
    again = await backing.open()
    snapshot = await again.load(NOW)
    assert snapshot.complaints == [complaint(ODD, text=ODD, pile=ODD)]
    assert snapshot.settings == {ODD: ODD}
    assert [one["text"] for one in await everything(again, "complaint", 10, pile=ODD)] == [ODD]
    assert [one["topic"] for one in await everything(again, "quarantine", 10, pile=ODD)] == [ODD]
    assert [one.session for one in await again.moments(ODD, NOW, NOW)] == [ODD]
    assert [entry.data for entry in await again.timeline(ODD)] == [{ODD: ODD}]
    assert (await verify(again, await again.head())).bad is None


async def test_nothing_is_shared_with_the_caller(store: Store) -> None:
    data = {"mode": "live"}
    answer = kept(answer=Answer(status=200, body=data))
    await store.commit(Changes(journal=[line(data=data)], answers=[answer]))
    data["mode"] = "changed later"
    assert (await store.timeline("I1"))[0].data == {"mode": "live"}
    assert (await store.answers([("POST /c", "k")]))["POST /c", "k"].answer.body == {"mode": "live"}


async def test_answers_of_many_keys(store: Store) -> None:
    await store.commit(Changes(answers=[kept(f"k{number}") for number in range(1200)]))
    asked = [("POST /c", f"k{number}") for number in range(1100, 1300)]
    assert set(await store.answers(asked)) == set(asked[:100])
    assert await store.answers([]) == {}


# All or nothing, once.


async def test_a_commit_that_fails_keeps_nothing(store: Store) -> None:
    bad = Changes(
        piles={"P1": pile()}, incidents={"I1": incident()}, journal=[line()], moments=[Moment(pile="P1", at=NOW)]
    )
    bad.answers.append(kept(answer=Answer(status=200, body={"not": object()})))
    with pytest.raises(TypeError):
        await store.commit(bad)
    snapshot = await store.load(NOW)
    assert (snapshot.piles, snapshot.incidents) == ([], [])
    assert (await texts(store), await store.moments("P1", NOW, NOW)) == ([], [])
    bad.answers.clear()
    await store.commit(bad)
    assert await texts(store) == ["line 1"]


async def test_killed_at_any_await_and_tried_again_it_landed_once(store: Store) -> None:
    for steps in range(40):
        subject = f"killed after {steps}"
        changes = Changes(
            incidents={subject: incident(subject)},
            journal=[line(1, subject=subject), line(2, subject=subject)],
            moments=[Moment(pile=subject, at=NOW)],
            quarantine=[payload(pile=subject)],
        )
        task = asyncio.ensure_future(store.commit(changes))
        for _ in range(steps * 2):
            await asyncio.sleep(0)
        # Some of the steps are taken by the driver's thread or by the server: give them their time, too.
        await asyncio.sleep(steps / 5_000)
        task.cancel()
        killed = True
        with suppress(asyncio.CancelledError):
            await task
            killed = False
        if killed:
            if steps % 2:
                changes.absorb(Changes(journal=[line(3, subject=subject)]))
            await store.commit(changes)
        expected = ["line 1", "line 2", "line 3"][: 3 if killed and steps % 2 else 2]
        assert await texts(store, subject) == expected
        assert len(await store.moments(subject, NOW, NOW + timedelta(1))) == 1
        assert len(await everything(store, "quarantine", 10, pile=subject)) == 1
    assert (await verify(store, await store.head())).why == ""


async def test_commits_side_by_side_are_one_chain(store: Store) -> None:
    await asyncio.gather(*[store.commit(Changes(journal=[line(number)])) for number in range(20)])
    assert sorted(await texts(store)) == sorted(f"line {number}" for number in range(20))
    assert (await verify(store, await store.head())).count == 20


async def test_equal_commits_side_by_side_are_all_kept(store: Store) -> None:
    await asyncio.gather(*[store.commit(Changes(journal=[line()])) for _ in range(20)])
    assert await texts(store) == ["line 1"] * 20


async def test_an_empty_commit_is_none(store: Store) -> None:
    await store.commit(Changes())
    assert (await store.head()).seq == 0


# What a restart finds.


async def test_a_restart_finds_what_is_open_or_recent(backing: Backing) -> None:
    store = await backing.open()
    later = NOW + timedelta(hours=1)
    await store.commit(
        Changes(
            piles={"P2": pile("P2"), "P1": pile("P1")},
            incidents={
                one.id: one
                for one in (incident("open"), closed("recent", ago(minutes=119)), closed("old", ago(hours=2)))
            },
            complaints={
                one.number: one
                for one in (
                    complaint("open", state=ComplaintState.ROUTED),
                    complaint("recent", state=ComplaintState.CLOSED, state_since=ago(minutes=5)),
                    complaint("old", state=ComplaintState.CLOSED, closed_at=ago(hours=3)),
                )
            },
            orders={
                one.id: one
                for one in (
                    order("open", state=OrderState.DONE),
                    order("recent", state=OrderState.RECALLED, state_since=ago(minutes=5)),
                    order("old", state=OrderState.CLOSED, closed_at=ago(hours=3)),
                )
            },
            silences={
                one.id: one
                for one in (
                    silence("holds"),
                    silence("to come", starts_at=later, ends_at=later + timedelta(1)),
                    silence("over", ends_at=NOW),
                    silence("lifted", lifted_at=ago(minutes=1)),
                )
            },
            outbox={
                one.id: one
                for one in (
                    item("b", created_at=ago(minutes=2)),
                    item("a", "sent", created_at=ago(minutes=1)),
                    item("done", "done"),
                    item("failed", "failed"),
                )
            },
            settings={"kill_switch": "off"},
        )
    )
    await store.commit(Changes(settings={"kill_switch": "on"}))
    await store.close()
    snapshot = await (await backing.open()).load(NOW)
    assert [one.id for one in snapshot.piles] == ["P1", "P2"]
    assert [one.id for one in snapshot.incidents] == ["open", "recent"]
    assert [one.number for one in snapshot.complaints] == ["open", "recent"]
    assert [one.id for one in snapshot.orders] == ["open", "recent"]
    assert [one.id for one in snapshot.silences] == ["holds", "to come"]
    assert [one.id for one in snapshot.outbox] == ["b", "a"]
    assert snapshot.settings == {"kill_switch": "on"}


async def test_a_reopened_incident_is_found_again(store: Store) -> None:
    await store.commit(incidents(closed("I1", ago(hours=5))))
    assert (await store.load(NOW)).incidents == []
    await store.commit(incidents(incident("I1", reopened=1)))
    assert [one.reopened for one in (await store.load(NOW)).incidents] == [1]
    await store.commit(incidents(closed("I1", ago(hours=5))))
    assert (await store.load(NOW)).incidents == []
    await store.commit(incidents(closed("I1", ago(hours=1))))
    assert len((await store.load(NOW)).incidents) == 1


async def test_a_newer_version_replaces_the_older(store: Store) -> None:
    await store.commit(incidents(incident(summary="first")))
    await store.commit(incidents(incident(summary="second", state=IncidentState.DESK)))
    assert [one.summary for one in (await store.load(NOW)).incidents] == ["second"]
    assert await everything(store, "incident", 10, state="observing") == []
    assert len(await everything(store, "incident", 10, state="desk")) == 1


@pytest.mark.parametrize(
    "doc",
    [
        pytest.param('{"id": "I2", "state": "levitating"}', id="unknown word"),
        pytest.param('{"id": "I2", "sta', id="cut off"),
        pytest.param("", id="empty"),
        pytest.param('"\\ud800', id="half an escape"),
        pytest.param("[" * 100_000, id="too deep"),
    ],
)
async def test_an_unreadable_row_is_set_aside_and_the_others_served(backing: Backing, doc: str) -> None:
    store = await backing.open()
    await store.commit(incidents(incident("I1"), incident("I2"), incident("I3")))
    backing.overwrite("incident", "I2", doc)
    for _ in range(2):
        assert [one.id for one in (await store.load(NOW)).incidents] == ["I1", "I3"]
        assert store.undecodable == {"incident": 1}
        assert backing.asides() == [("incident", "I2")]
    assert [one["id"] for one in await everything(store, "incident", 1)][:1] == ["I3"]
    assert {"I1", "I3"} <= {one["id"] for one in await everything(store, "incident", 1)}
    await store.commit(incidents(incident("I2")))
    assert len((await store.load(NOW)).incidents) == 3
    assert store.undecodable == {}


# Lists.


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_go_through_equal_moments_without_loss_or_repeat(store: Store, limit: int) -> None:
    opened = [ago(minutes=number // 4) for number in range(10)]
    await store.commit(incidents(*[incident(f"I{number}", opened_at=at) for number, at in enumerate(opened)]))
    found = await everything(store, "incident", limit)
    newest_first = sorted(range(10), key=lambda number: (opened[number], f"I{number}"), reverse=True)
    assert [one["id"] for one in found] == [f"I{number}" for number in newest_first]


async def test_quarantine_pages_too(store: Store) -> None:
    await store.commit(Changes(quarantine=[payload(number) for number in range(7)]))
    found = await everything(store, "quarantine", 3)
    assert [one["topic"] for one in found] == [f"pile/{number}" for number in reversed(range(7))]
    assert found[0]["sample"] == "/wA="


FILTERS: list[tuple[str, Any, Any, dict[str, str]]] = [
    (
        "incident",
        incident(),
        incident(
            "I2",
            state=IncidentState.CLOSED,
            pile="P2",
            site="S2",
            region="south",
            family=Family.THERMAL,
            kind="outage",
            close_code=CloseCode.MERGED,
            connector=2,
        ),
        {
            "state": "closed",
            "pile": "P2",
            "site": "S2",
            "region": "south",
            "family": "thermal",
            "kind": "outage",
            "close_code": "merged",
            "connector": "2",
        },
    ),
    (
        "complaint",
        complaint(),
        complaint(
            "C2",
            state=ComplaintState.ROUTED,
            category=Category.SAFETY,
            symptom=ComplaintSymptom.OTHER,
            pile="P2",
            site="S2",
            channel=Channel.QR,
            route=Route.FINANCE,
            grade=Grade.MAJOR,
            incident="I2",
        ),
        {
            "state": "routed",
            "category": "safety",
            "symptom": "other",
            "pile": "P2",
            "site": "S2",
            "channel": "qr",
            "route": "finance",
            "grade": "major",
            "incident": "I2",
        },
    ),
    (
        "order",
        order(),
        order(
            "W2",
            state=OrderState.DONE,
            pile="P2",
            site="S2",
            region="south",
            reason=OrderReason.PHYSICAL_DAMAGE,
            team="T2",
            incident="I2",
        ),
        {
            "state": "done",
            "pile": "P2",
            "site": "S2",
            "region": "south",
            "reason": "physical_damage",
            "team": "T2",
            "incident": "I2",
        },
    ),
    ("silence", silence(), silence("Q2", pile="P2"), {"pile": "P2"}),
    ("silence", silence(), silence("Q2", pile=None, site="S2"), {"site": "S2"}),
    ("silence", silence(), silence("Q2", pile=None, region="south"), {"region": "south"}),
]
BATCHES = {"incident": "incidents", "complaint": "complaints", "order": "orders", "silence": "silences"}


@pytest.mark.parametrize(("kind", "other", "wanted", "filters"), FILTERS)
async def test_lists_filter_by_field(store: Store, kind: str, other: Any, wanted: Any, filters: dict[str, str]) -> None:
    both = {getattr(one, "id", None) or one.number: one for one in (other, wanted)}
    changes = Changes()
    getattr(changes, BATCHES[kind]).update(both)
    await store.commit(changes)
    expected = as_json(wanted)
    for name, value in filters.items():
        assert await everything(store, kind, 10, **{name: value}) == [expected], name
        assert await everything(store, kind, 10, **{name: value + "x"}) == [], name
    assert await everything(store, kind, 10, **filters) == [expected]
    assert len(await everything(store, kind, 10)) == 2


async def test_quarantine_filters(store: Store) -> None:
    other = payload(2, driver="modbus", reason="too_long", pile=None)
    await store.commit(Changes(quarantine=[payload(1), other]))
    for name, value in (("driver", "mqtt"), ("reason", "not_json"), ("pile", "P1")):
        assert [one["topic"] for one in await everything(store, "quarantine", 10, **{name: value})] == ["pile/1"]


async def test_what_no_list_has_is_refused(store: Store) -> None:
    for kind, filters in (
        ("incident", {"colour": "red"}),
        ("quarantine", {"state": "x"}),
        ("engine", {}),
        ("pile", {}),
    ):
        with pytest.raises(KeyError):
            await store.page(kind, filters, None, 10)
    await store.commit(incidents(incident("I1"), incident("I2")))
    first = await store.page("incident", {}, None, 1)
    for kind, cursor in (("incident", "!"), ("incident", "bm9uZQ"), ("quarantine", first.next)):
        with pytest.raises(ValueError, match="cursor"):
            await store.page(kind, {}, cursor, 10)


async def test_a_page_is_bounded(store: Store) -> None:
    await store.commit(incidents(*[incident(f"I{number:03}") for number in range(502)]))
    page = await store.page("incident", {}, None, 10_000)
    assert (len(page.items), page.next is None) == (500, False)
    assert len((await store.page("incident", {}, page.next, 0)).items) == 1


async def test_fetch(store: Store) -> None:
    await store.commit(
        Changes(
            incidents={"I1": incident()}, complaints={"C1": complaint()}, orders={"W1": order()}, piles={"P1": pile()}
        )
    )
    assert await store.fetch("complaint", "C1") == as_json(complaint())
    assert await store.fetch("order", "W1") == as_json(order())
    assert await store.fetch("pile", "P1") == as_json(pile())
    assert await store.fetch("incident", "C1") is None
    with pytest.raises(KeyError):
        await store.fetch("engine", "1")


# The journal.


async def test_a_line_shows_on_every_subject_it_concerns(store: Store) -> None:
    await store.commit(Changes(journal=[line(1, also=("C1", "I1", "C1")), line(2, subject="C1"), line(3)]))
    assert await texts(store, "I1") == ["line 1", "line 3"]
    assert await texts(store, "C1") == ["line 1", "line 2"]
    assert await texts(store, "nobody") == []
    assert [entry.text for entry in await store.timeline("I1", 1)] == ["line 3"]


async def chain_of(backing: Backing, length: int) -> Store:
    store = await backing.open()
    for number in range(1, length + 1):
        await store.commit(Changes(journal=[line(number)]))
    assert await verify(store, await store.head()) == await verify(store)
    assert (await verify(store)).count == length
    return store


async def test_a_changed_record_is_named(backing: Backing) -> None:
    store = await chain_of(backing, 5)
    backing.alter(3)
    found = await verify(store, await store.head())
    assert (found.count, found.bad) == (2, 3)
    assert "3 was altered" in found.why


async def test_a_removed_record_is_named(backing: Backing) -> None:
    store = await chain_of(backing, 5)
    backing.cut(2)
    found = await verify(store, await store.head())
    assert (found.count, found.bad) == (1, 2)


async def test_records_cut_off_the_end_are_noticed(backing: Backing) -> None:
    store = await chain_of(backing, 3)
    backing.cut(3)
    assert (await verify(store)).bad is None  # the chain alone cannot tell
    assert (await verify(store, await store.head())).bad == 3


async def test_the_chain_goes_on_after_a_restart(backing: Backing) -> None:
    await (await chain_of(backing, 2)).close()
    store = await backing.open()
    await store.commit(Changes(journal=[line(3)]))
    assert (await verify(store, await store.head())).count == 3


# History.


async def test_history_tells_what_held_and_what_changed(store: Store) -> None:
    def at(minutes: int, connector: int, status: str) -> Moment:
        return Moment(pile="P1", at=ago(minutes=minutes), connector=connector, status=status, faults=("CX001",))

    rows = [at(60, 1, "old"), at(50, 2, "standing"), at(40, 1, "replaced"), at(40, 1, "held"), at(20, 1, "changed")]
    await store.commit(Changes(moments=[*reversed(rows[:2]), *rows[2:], at(5, 1, "after"), Moment(pile="P2", at=NOW)]))
    found = await store.moments("P1", ago(minutes=30), ago(minutes=10))
    assert [one.status for one in found] == ["standing", "held", "changed"]
    assert found[0] == rows[1]
    assert [one.status for one in await store.moments("P1", ago(minutes=40), ago(minutes=20))] == [
        "standing",
        "held",
        "changed",
    ]
    assert await store.moments("P3", ago(minutes=30), NOW) == []


async def test_history_is_bounded(store: Store) -> None:
    rows = [Moment(pile="P1", at=ago(seconds=700 - number), session=f"{number}") for number in range(700)]
    await store.commit(Changes(moments=rows))
    found = await store.moments("P1", ago(seconds=690), NOW)
    assert len(found) == 500
    assert (found[0].session, found[1].session, found[-1].session) == ("10", "201", "699")


async def test_prune_drops_the_old_and_keeps_what_still_held(store: Store) -> None:
    rows = [
        Moment(pile="P1", at=ago(days=days), connector=connector, session=f"{connector}-{days}")
        for connector, days in ((1, 99), (1, 95), (1, 80), (2, 99), (2, 98))
    ]
    old = kept("old", at=ago(days=31))
    await store.commit(Changes(moments=rows, answers=[old, kept("new")]))
    pruned = await store.prune(NOW, timedelta(days=90))
    assert (pruned.moments, pruned.answers, pruned.quarantine) == (2, 1, 0)
    assert [one.session for one in await store.moments("P1", PAST, NOW)] == ["2-98", "1-95", "1-80"]
    assert set(await store.answers([("POST /c", "old"), ("POST /c", "new")])) == {("POST /c", "new")}
    assert (await store.prune(NOW, timedelta(days=90))).moments == 0


async def test_prune_goes_through_more_than_one_chunk(store: Store) -> None:
    rows = [Moment(pile=f"P{number % 3}", at=ago(days=100, seconds=-number)) for number in range(12_000)]
    await store.commit(Changes(moments=rows, quarantine=[payload(number) for number in range(10_005)]))
    pruned = await store.prune(NOW, timedelta(days=90))
    assert (pruned.moments, pruned.quarantine) == (11_997, 5)
    assert len(await store.moments("P1", ago(days=50), NOW)) == 1
    assert (await store.page("quarantine", {}, None, 1)).items[0]["topic"] == "pile/10004"


# One writer.


async def test_a_second_daemon_is_refused_until_the_lease_runs_out(backing: Backing) -> None:
    first, second = await backing.open(), await backing.open()
    epoch = await first.acquire_lease("one", NOW, 10)
    with pytest.raises(StoreRefusedError, match="one"):
        await second.acquire_lease("two", NOW + timedelta(seconds=9), 10)
    await first.renew_lease(NOW + timedelta(seconds=8))
    with pytest.raises(StoreRefusedError):
        await second.acquire_lease("two", NOW + timedelta(seconds=17), 10)
    with pytest.raises(StoreRefusedError, match="one"):
        await second.commit(Changes(journal=[line()]))
    assert await second.acquire_lease("two", NOW + timedelta(seconds=18), 10) == epoch + 1


async def test_who_lost_the_lease_writes_nothing(backing: Backing) -> None:
    first, second = await backing.open(), await backing.open()
    await first.acquire_lease("one", NOW, 10)
    await first.commit(Changes(journal=[line(1)]))
    await second.acquire_lease("two", NOW + timedelta(minutes=1), 10)
    with pytest.raises(StoreRefusedError, match="two"):
        await first.commit(Changes(journal=[line(2)]))
    with pytest.raises(StoreRefusedError):
        await first.renew_lease(NOW + timedelta(minutes=1))
    await first.release_lease()  # harmless: it is not theirs to release
    await second.commit(Changes(journal=[line(3)]))
    assert await texts(second) == ["line 1", "line 3"]


async def test_a_lease_given_back_is_free_at_once(backing: Backing) -> None:
    first, second = await backing.open(), await backing.open()
    epoch = await first.acquire_lease("one", NOW, 10)
    await first.release_lease()
    assert await second.acquire_lease("two", NOW, 10) == epoch + 1
    await second.close()
    third = await backing.open()
    assert await third.acquire_lease("two", NOW, 10) == epoch + 2  # the same owner, come back


async def test_a_lease_from_before_a_jump_of_the_clock_is_void(backing: Backing) -> None:
    first, second = await backing.open(), await backing.open()
    await first.acquire_lease("one", NOW + timedelta(hours=5), 10)
    assert await second.acquire_lease("two", NOW, 10)


async def test_without_a_lease_there_is_nothing_to_renew(store: Store) -> None:
    with pytest.raises(StoreRefusedError):
        await store.renew_lease(NOW)


async def test_the_memory_store_looks_at_nothing_long_closed() -> None:
    backing = MemoryBacking()
    store = await backing.open()
    await store.commit(incidents(*[closed(f"I{number}", ago(days=2)) for number in range(1_000)]))
    await store.commit(incidents(incident("open"), closed("recent", ago(minutes=1))))
    for number in range(1_000):
        backing.overwrite("incident", f"I{number}", "whoever decodes this fails")
    assert [one.id for one in (await store.load(NOW)).incidents] == ["open", "recent"]
    assert store.undecodable == {}
