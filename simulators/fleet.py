"""A deterministic fleet from a number of piles and a seed: regions, sites, makes, teams, and the files that list them.

API::

    fleet = build(piles=40, seed=1, Rates(fault_rate=1.0, heartbeat_s=60.0, sessions_per_day=8.0))
    fleet.entries -> [Entry]                      # .nature (for Pile), .region, .address, .team, .language …
    fleet.pile(entry, now, clock) -> Pile         # with its own random stream, seeded by seed and pile id
    fleet.places() -> [Place]                     # for Crowd
    fleet.write(Path("fleet.csv"))                # and teams.csv beside it
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from simulators.models import MODELS
from simulators.people import Place
from simulators.pile import Clock, Nature, Pile
from simulators.temperaments import Temperament, draw_temperament

if TYPE_CHECKING:
    from pathlib import Path

PILES_PER_SITE = 8
FLEET_HEADER = (
    *("region", "site", "pile", "profile", "model", "connectors", "endpoint", "unit", "team", "power_switch"),
    *("address", "latitude", "longitude", "tags"),
)
TEAMS_HEADER = ("team", "region", "language", "calendar", "contact")


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A region as the simulation knows it; ``code`` begins the ids of its sites and piles."""

    region: str
    code: str
    language: str
    calendar: str
    latitude: float
    longitude: float
    places: tuple[str, ...]

    @property
    def team(self) -> str:
        """Its field team."""
        return f"team-{self.region}"


AREAS: tuple[Area, ...] = (
    Area(
        region="hangzhou",
        code="HZ",
        language="zh",
        calendar="CN",
        latitude=30.27,
        longitude=120.15,
        places=("西溪路停车场", "钱江新城地下车库", "滨江科技园东门", "武林广场北侧", "城东公交枢纽"),
    ),
    Area(
        region="leeds",
        code="LS",
        language="en",
        calendar="GB",
        latitude=53.80,
        longitude=-1.55,
        places=("Wharf Street car park", "Station Approach", "Meadow Lane retail park", "Northgate multi-storey"),
    ),
    Area(
        region="suzhou",
        code="SZ",
        language="zh",
        calendar="CN",
        latitude=31.30,
        longitude=120.58,
        places=("金鸡湖西岸", "高铁北站南广场", "平江路换乘停车场", "工业园区三号库"),
    ),
    Area(
        region="auckland",
        code="AK",
        language="en",
        calendar="NZ",
        latitude=-36.85,
        longitude=174.76,
        places=("Harbour Road", "Airport park and ride", "Hillside shopping centre", "Ferry terminal deck 2"),
    ),
)
"""Where the simulated sites are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How lively a fleet is; see ``Nature`` for each. Without ``tempers`` every device is well-behaved."""

    fault_rate: float = 1.0
    heartbeat_s: float = 60.0
    keepalive_s: float = 60.0
    sessions_per_day: float = 8.0
    tempers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One pile of the fleet with what the fleet file says about it; ``unit`` is None where the profile knows it."""

    nature: Nature
    area: Area
    address: str
    latitude: float
    longitude: float
    profile: str = "pile/v1"
    endpoint: str = ""
    unit: int | None = None

    def row(self) -> tuple[str | int | float, ...]:
        """Its row in the fleet file."""
        nature = self.nature
        identity = (self.area.region, nature.site, nature.pile, self.profile, nature.model.name, nature.connectors)
        line = (self.endpoint, "" if self.unit is None else self.unit)
        return (*identity, *line, self.area.team, "", self.address, self.latitude, self.longitude, "simulated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All piles of one seed."""

    seed: int
    entries: tuple[Entry, ...]

    def pile(self, entry: Entry, now: float, clock: Clock | None = None) -> Pile:
        """The living pile of an entry."""
        return Pile(entry.nature, self.stream(entry.nature.pile), now, clock)

    def stream(self, name: str) -> Random:
        """A random stream of its own for ``name``: nobody's draws disturb anybody else's."""
        return Random(f"{self.seed}/{name}")

    def places(self) -> list[Place]:
        """The piles as drivers see them."""
        return [
            Place(
                pile=entry.nature.pile,
                site=entry.nature.site,
                connectors=entry.nature.connectors,
                language=entry.area.language,
            )
            for entry in self.entries
        ]

    def write(self, path: Path) -> None:
        """Write the fleet file to ``path`` and ``teams.csv`` beside it.

        Raises:
            OSError: it cannot be written there.
        """
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(FLEET_HEADER)
            rows.writerows(entry.row() for entry in self.entries)
        areas = sorted({entry.area.region: entry.area for entry in self.entries}.items())
        with path.with_name("teams.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(TEAMS_HEADER)
            for region, area in areas:
                rows.writerow((area.team, region, area.language, area.calendar, f"{area.team}@example.org"))


def build(piles: int, seed: int, rates: Rates | None = None) -> Fleet:
    """The fleet of this size and seed; the same arguments give the same fleet on every machine.

    Raises:
        ValueError: fewer than one pile is asked for.
    """
    if piles < 1:
        raise ValueError(f"a fleet has at least one pile, not {piles}")
    lively = rates or Rates()
    return Fleet(seed=seed, entries=tuple(_entry(number, seed, lively) for number in range(piles)))


def _entry(number: int, seed: int, rates: Rates) -> Entry:
    site_number, place = divmod(number, PILES_PER_SITE)
    area = AREAS[site_number % len(AREAS)]
    turn = site_number // len(AREAS)
    site = f"{area.code}{turn + 1:02d}"
    rng = Random(f"{seed}/{site}/{place}")
    batch = list(MODELS) * (PILES_PER_SITE // len(MODELS))
    Random(f"{seed}/{site}/makes").shuffle(batch)
    model = batch[place]
    nature = Nature(
        pile=f"{site}-{place + 1:03d}",
        site=site,
        model=model,
        temperament=draw_temperament(rng) if rates.tempers else Temperament(),
        connectors=model.connectors,
        heartbeat_s=rates.heartbeat_s,
        keepalive_s=rates.keepalive_s,
        fault_rate=rates.fault_rate,
        sessions_per_day=rates.sessions_per_day,
    )
    here = area.places[turn % len(area.places)]
    return Entry(
        nature=nature,
        area=area,
        address=here if turn < len(area.places) else f"{here} {turn + 1}",
        latitude=round(area.latitude + rng.uniform(-0.05, 0.05), 5),
        longitude=round(area.longitude + rng.uniform(-0.05, 0.05), 5),
    )
