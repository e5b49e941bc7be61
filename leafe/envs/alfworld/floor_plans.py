"""The 120 rooms of ALFRED, from the package's own list: what stands where, and what lies about.

Kitchens, living rooms, bedrooms and bathrooms, 30 of each. Where the package does not say where to
stand before a receptacle, a place is made up. Things are named as in ALFRED: `Apple|+00.10|...`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from leafe.envs.alfworld import packaged
from leafe.seeds import seed_from

STEP = 0.25
"""Metres of the grid that one stands on."""
MANY = {"StoveBurner": 4}
"""Receptacles that a room has more than one of, where the package does not count them."""


@dataclass(frozen=True)
class FloorPlan:
    """One room, empty."""

    number: int
    receptacles: Mapping[str, str]
    """Receptacle -> the location before it; some share one."""
    types: frozenset[str]
    """Types of the receptacles and of all that lies about."""


def type_of(name: str) -> str:
    """The type of a thing.

    >>> type_of("Sink|+01.10|+00.91|-01.60|SinkBasin"), type_of("Apple|+00.10|+00.97|-01.29")
    ('SinkBasin', 'Apple')
    """
    first, *_, last = name.split("|")
    return last if last.endswith("Basin") else first


def name_at(kind: str, x: float, y: float, z: float) -> str:
    """The name of a thing at some coordinates, in metres.

    >>> name_at("Apple", 0.1, 0.97, -1.29), name_at("SinkBasin", 1.1, 0.91, -1.6)
    ('Apple|+00.10|+00.97|-01.29', 'Sink|+01.10|+00.91|-01.60|SinkBasin')
    """
    place = "|".join(f"{number:+06.2f}" for number in (x, y, z))
    whole = kind.removesuffix("Basin")
    return f"{kind}|{place}" if whole == kind else f"{whole}|{place}|{kind}"


def coordinates(name: str) -> tuple[float, float, float]:
    """Where a thing is."""
    x, y, z = map(float, name.split("|")[1:4])
    return x, y, z


def location(x: float, z: float, rotation: float, horizon: float) -> str:
    """The name of a location: steps on the grid, quarter turns, degrees.

    >>> location(1.0, -0.75, 90, 30)
    'loc|4|-3|1|30'
    """
    return f"loc|{x / STEP:.0f}|{z / STEP:.0f}|{rotation / 90:.0f}|{horizon:.0f}"


@cache
def floor_plan(number: int) -> FloorPlan:
    """The floor plan of a number."""
    known = {name: location(*place) for name, place in packaged.receptacles_on(number).items()}
    types = {*packaged.types_on(number), *map(type_of, known)}
    untold = (types & packaged.receptacle_types()) - set(map(type_of, known))
    made_up = _make_up(number, sorted(untold), set(known.values()))
    return FloorPlan(
        number,
        {**known, **made_up},
        frozenset(types),
    )


def _make_up(number: int, kinds: list[str], taken: set[str]) -> dict[str, str]:
    rng = random.Random(seed_from("alfworld floor plan", number))
    found = {}
    for kind in kinds:
        for _ in range(MANY.get(kind, 1)):
            x, z = rng.uniform(-3, 3), rng.uniform(-3, 3)
            found[name_at(kind, x, 0.9, z)] = free_location(rng, taken)
    return found


def free_location(rng: random.Random, taken: set[str]) -> str:
    """A location where nobody stands before anything yet; it is taken then."""
    while True:
        x, z = rng.randint(-12, 12) * STEP, rng.randint(-12, 12) * STEP
        found = location(x, z, rng.choice((0, 90, 180, 270)), 30)
        if found not in taken:
            taken.add(found)
            return found
