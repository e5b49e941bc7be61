"""Generated scenes: ALFRED's rooms, filled at random, with a task of one of the six kinds.

That a scene can be solved is for the planner to prove; here it is only made likely.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, get_args

from leafe.envs.alfworld import packaged
from leafe.envs.alfworld.floor_plans import (
    FloorPlan,
    coordinates,
    floor_plan,
    free_location,
    name_at,
    type_of,
)
from leafe.envs.alfworld.scene import LAMP, Scene
from leafe.seeds import seed_from

Kind = Literal[
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep",
    "pick_cool_then_place_in_recep",
    "pick_two_obj_and_place",
]
"""ALFWorld's kinds of tasks, in its order."""
KINDS: tuple[Kind, ...] = get_args(Kind)
APPLIANCES = {
    "pick_clean_then_place_in_recep": ("Cleanable", "SinkBasin"),
    "pick_heat_then_place_in_recep": ("Heatable", "Microwave"),
    "pick_cool_then_place_in_recep": ("Coolable", "Fridge"),
}
"""Kind -> what the object must be, and the receptacle that makes it clean, hot or cool."""
LAMP_STANDS = {"Desk", "SideTable", "Dresser", "Shelf", "DiningTable", "CoffeeTable"}
MOST_OF_A_TYPE = 3
"""Objects of one type, as in ALFRED."""


@dataclass(frozen=True)
class Size:
    """How large a scene is."""

    receptacles: int
    """At most; a room may have fewer."""
    objects: int
    """At most; there may be no place for all."""


@dataclass(frozen=True)
class Idea:
    """What a task may be about."""

    object: str
    """Type of the object."""
    receptacle: str
    """Type of the receptacle where it belongs; empty where it is to be looked at."""
    appliance: str
    """Type of the receptacle that is needed besides; empty where none is."""


def draw_scenes(
    label: str, seed: int, kinds: Sequence[str], plans: Sequence[int], size: Size
) -> Iterator[Scene]:
    """Scenes without end, the kinds in turn."""
    for number in count():
        rng = random.Random(seed_from("alfworld scene", label, seed, number))
        yield _draw(kinds[number % len(kinds)], plans, size, rng)


def _draw(kind: str, plans: Sequence[int], size: Size, rng: random.Random) -> Scene:
    while True:
        plan = floor_plan(rng.choice(plans))
        ideas = ideas_for(kind, plan)
        if ideas:
            return _furnish(kind, rng.choice(ideas), plan, size, rng)


def ideas_for(kind: str, plan: FloorPlan) -> list[Idea]:
    """What a kind of task may be about in a room."""
    able, appliance = APPLIANCES.get(kind, ("", ""))
    places = sorted(set(map(type_of, plan.receptacles)))
    things = [
        thing
        for thing in sorted(plan.types & packaged.object_types())
        if not able or (able in packaged.abilities(thing) and appliance in places)
    ]
    if kind == "look_at_obj_in_light":
        stands = [place for place in places if place in LAMP_STANDS and LAMP in plan.types]
        return [Idea(thing, "", stand) for thing in things for stand in stands]
    return [
        Idea(thing, place, appliance)
        for thing in things
        for place in _homes(thing, places)
        if len(_homes(thing, places)) > 1
    ]


def _homes(thing: str, places: Sequence[str]) -> list[str]:
    return [place for place in places if thing in packaged.contents(place)]


def _furnish(kind: str, idea: Idea, plan: FloorPlan, size: Size, rng: random.Random) -> Scene:
    places = _choose_places(idea, plan, size.receptacles, rng)
    objects: dict[str, str] = {}
    least = 2 if kind == "pick_two_obj_and_place" else 1
    elsewhere = [place for place in places if type_of(place) != idea.receptacle]
    for _ in range(rng.randint(least, MOST_OF_A_TYPE)):
        _put(idea.object, elsewhere, objects, rng)
    if not idea.receptacle:
        stand = next(place for place in places if type_of(place) == idea.appliance)
        objects[_near(LAMP, stand, rng)] = stand
    others = sorted((plan.types & packaged.object_types()) - {idea.object}) * MOST_OF_A_TYPE
    for other in rng.sample(others, len(others)):
        if len(objects) < size.objects:
            _put(other, places, objects, rng)
    wish = rng.choice(packaged.wishes(kind))
    return Scene(
        plan.number,
        kind,
        wish.format(obj=idea.object, recep=idea.receptacle, toggle=LAMP).lower(),
        idea.object,
        idea.receptacle,
        free_location(rng, set(plan.receptacles.values())),
        {place: plan.receptacles[place] for place in sorted(places)},
        dict(sorted(objects.items())),
    )


def _choose_places(idea: Idea, plan: FloorPlan, most: int, rng: random.Random) -> list[str]:
    """Some of a room's receptacles, with all that the task needs."""
    shuffled = rng.sample(sorted(plan.receptacles), len(plan.receptacles))
    sources = {kind for kind in map(type_of, shuffled) if idea.object in packaged.contents(kind)}
    wanted = (sources - {idea.receptacle}, {idea.receptacle}, {idea.appliance})
    needed = [next((p for p in shuffled if type_of(p) in kinds), "") for kinds in wanted]
    return [*dict.fromkeys(place for place in (*needed, *shuffled) if place)][:most]


def _put(kind: str, places: Sequence[str], objects: dict[str, str], rng: random.Random) -> None:
    """Lay one more object of a type in or on some receptacle that can contain it."""
    fitting = [place for place in places if kind in packaged.contents(type_of(place))]
    if fitting:
        place = rng.choice(fitting)
        objects[_near(kind, place, rng)] = place


def _near(kind: str, place: str, rng: random.Random) -> str:
    """The name of an object that lies in or on a receptacle."""
    x, y, z = coordinates(place)
    return name_at(kind, x + rng.uniform(-0.3, 0.3), y + 0.05, z + rng.uniform(-0.3, 0.3))
