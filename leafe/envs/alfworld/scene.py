"""A generated scene: a room, what lies where in it, and a task; as a payload and as a problem.

The problem is written as ALFWorld's official ones are, with the packaged goals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from leafe.envs.alfworld import packaged
from leafe.envs.alfworld.facts import Fact
from leafe.envs.alfworld.floor_plans import type_of
from leafe.envs.alfworld.pddl import Expression, Problem, parse

AGENT = "agent1"
LAMP = "DeskLamp"
"""What things are looked at under."""
SIGNS = str.maketrans({"|": "_bar_", "+": "_plus_", "-": "_minus_", ".": "_dot_"})
"""How the signs in a name are spelt in PDDL."""


@dataclass(frozen=True)
class Scene:
    """All that one task needs."""

    floor_plan: int
    kind: str
    """Kind of task."""
    wish: str
    """The task in words."""
    object: str
    """Type of the object that it is about."""
    receptacle: str
    """Type of the receptacle where that belongs; empty where it is to be looked at."""
    start: str
    """Location of the agent."""
    receptacles: Mapping[str, str]
    """Receptacle -> the location before it."""
    objects: Mapping[str, str]
    """Object -> the receptacle where it lies."""

    @property
    def problem(self) -> Problem:
        """The scene and its goal in PDDL."""
        facts = [*self._places(), *self._contents(), *self._capacities()]
        return Problem(dict(self._things()), tuple(dict.fromkeys(facts)), self._goal())

    def _things(self) -> Iterator[tuple[str, str]]:
        yield AGENT, "agent"
        yield from ((name, "location") for name in map(spell, self.receptacles.values()))
        yield spell(self.start), "location"
        yield from ((spell(name), "receptacle") for name in self.receptacles)
        yield from ((spell(name), "object") for name in self.objects)
        yield from ((_type(kind), "rtype") for kind in sorted(packaged.receptacle_types()))
        yield from ((_type(kind), "otype") for kind in sorted({*packaged.object_types(), LAMP}))

    def _places(self) -> Iterator[Fact]:
        yield "atlocation", AGENT, spell(self.start)
        for name, place in self.receptacles.items():
            yield "receptacletype", spell(name), _type(type_of(name))
            yield "receptacleatlocation", spell(name), spell(place)
            if packaged.is_openable(type_of(name)):
                yield "openable", spell(name)

    def _contents(self) -> Iterator[Fact]:
        for name, receptacle in self.objects.items():
            kind, thing = type_of(name), spell(name)
            yield "objecttype", thing, _type(kind)
            yield "inreceptacle", thing, spell(receptacle)
            yield "objectatlocation", thing, spell(self.receptacles[receptacle])
            yield from ((able.lower(), thing) for able in packaged.abilities(kind))
            if kind != LAMP:
                yield "pickupable", thing

    def _capacities(self) -> Iterator[Fact]:
        kinds = {type_of(name) for name in self.objects}
        for place in sorted({type_of(name) for name in self.receptacles}):
            for kind in sorted(kinds & packaged.contents(place)):
                yield "cancontain", _type(place), _type(kind)

    def _goal(self) -> Expression:
        text = packaged.goal(self.kind)
        filled = text.format(obj=self.object, recep=self.receptacle, toggle=LAMP, mrecep="")
        [[_, goal]] = parse(filled)
        return goal


def spell(name: str) -> str:
    """A name as a word of PDDL.

    >>> spell("Apple|+00.10|-01.29")
    'apple_bar__plus_00_dot_10_bar__minus_01_dot_29'
    """
    return name.translate(SIGNS).lower()


def _type(kind: str) -> str:
    return f"{kind}Type".lower()
