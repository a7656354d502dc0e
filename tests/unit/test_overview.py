"""The picture of the fleet for pages and gauges: it reads, and says what is not known."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from tests.unit.core.film import Film
from triage.core.events import KillSwitch
from triage.core.vocabulary import ConnectorStatus
from triage.metrics import Metrics
from triage.overview import Overview, gauge, state_of


class Clock:
    """The film's clock."""

    def __init__(self, film: Film) -> None:
        self.film = film

    def now(self) -> datetime:
        return self.film.now

    def monotonic(self) -> float:
        return asyncio.get_event_loop().time()


@pytest.fixture
def film() -> Film:
    film = Film(3)
    film.pile("P1").back()
    film.pile("P2").back()
    film.pile("P3").talks = False
    return film.run(60)


def overview(film: Film) -> Overview:
    return Overview(film.engine, lambda: {"database": "ok"})


def test_piles_in_order_of_id(film: Film) -> None:
    view = overview(film)
    assert [each.id for each in view.piles()] == ["P1", "P2", "P3"]
    assert view.pile("P2") == film.known("P2")
    assert view.pile("P9") is None
    assert view.health() == {"database": "ok"}
    assert len(view.plans()) > 10


def test_strangers_newest_first(film: Film) -> None:
    film.play(film.pile().message(pile="X1"))
    film.run(5)
    film.play(film.pile().message(pile="X2"))
    assert [pile for _, pile, _ in overview(film).unregistered()] == ["X2", "X1"]


def test_the_kill_switch_is_shown(film: Film) -> None:
    assert overview(film).kill_switch() is None
    film.ask(KillSwitch(received_at=film.now, on=True, reason="drill"))
    assert overview(film).kill_switch() == "drill"
    film.ask(KillSwitch(received_at=film.now, on=False, reason="over"))
    assert overview(film).kill_switch() is None


def test_one_word_for_a_pile(film: Film) -> None:
    assert state_of(film.known("P3")) == "unseen"
    assert state_of(film.known("P1")) == "available"
    film.pile("P1").show(ConnectorStatus.CHARGING, session="s")
    assert state_of(film.known("P1")) == "charging"
    film.pile("P1").show(ConnectorStatus.PREPARING)
    assert state_of(film.known("P1")) == "occupied"
    film.pile("P1").claim("InternalError")
    assert state_of(film.known("P1")) == "troubled"
    film.pile("P1").claim("GroundFailure")
    assert state_of(film.known("P1")) == "danger"


def test_the_gauges_count_everything_once(film: Film) -> None:
    film.pile("P1").claim("GroundFailure")
    film.pile("P2").drop()
    metrics = Metrics()
    gauge(film.engine, metrics, Clock(film), (2, film.now - timedelta(seconds=30)))
    page = metrics.exposition().decode()
    piles = [float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith("triage_piles{")]
    assert sum(piles) == 3
    assert 'triage_incidents{state="field"} 1.0' in page
    assert "triage_outbox_pending 2.0" in page
    assert "triage_outbox_oldest_seconds 30.0" in page
    assert 'triage_driver_up{driver="mqtt"} 1.0' in page
    for id in film.engine.state.piles:
        assert f'"{id}"' not in page, "never a pile's id as a label"


def test_what_is_over_is_counted_no_more(film: Film) -> None:
    metrics = Metrics()
    film.pile("P2").drop()
    gauge(film.engine, metrics, Clock(film), (0, None))
    film.pile("P2").back()
    film.run(300)
    gauge(film.engine, metrics, Clock(film), (0, None))
    page = metrics.exposition().decode()
    incidents = [float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith("triage_incidents{")]
    assert sum(incidents) == 0
    assert "triage_outbox_oldest_seconds 0.0" in page
