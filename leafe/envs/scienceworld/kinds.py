"""ScienceWorld's 30 tasks: how many variations each has, how they are split, how long they take.

So no JVM is needed to choose tasks; tests compare the table with the jar.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from math import ceil
from typing import Literal, NamedTuple

from leafe.errors import BadInput, did_you_mean, show_value
from leafe.params import PARAMS_FILE
from leafe.seeds import seed_from

Part = Literal["train", "dev", "test"]


class Kind(NamedTuple):
    """One of the 30 tasks."""

    variations: int
    """They are numbered from 0."""
    gold: int
    """Actions of the longest solution that the jar gives for any variation that was tried.

    All were tried of most tasks, some of the others: README.md beside this says which.
    """
    eto: int | None
    """Actions that ETO (arXiv 2403.02502) allows, and verl-agent with it; None: not among them."""


KINDS = {
    "boil": Kind(30, 182, 100),
    "melt": Kind(30, 154, 80),
    "freeze": Kind(30, 143, 80),
    "change-the-state-of-matter-of": Kind(30, 142, 80),
    "use-thermometer": Kind(540, 24, 30),
    "measure-melting-point-known-substance": Kind(436, 74, 120),
    "measure-melting-point-unknown-substance": Kind(300, 96, None),
    "power-component": Kind(20, 15, 20),
    "power-component-renewable-vs-nonrenewable-energy": Kind(20, 30, 30),
    "test-conductivity": Kind(900, 49, 30),
    "test-conductivity-of-unknown-substances": Kind(600, 43, 30),
    "find-living-thing": Kind(300, 16, 15),
    "find-non-living-thing": Kind(300, 11, 15),
    "find-plant": Kind(300, 16, 15),
    "find-animal": Kind(300, 16, 15),
    "grow-plant": Kind(126, 77, 30),
    "grow-fruit": Kind(126, 103, 60),
    "chemistry-mix": Kind(32, 56, 60),
    "chemistry-mix-paint-secondary-color": Kind(36, 29, 15),
    "chemistry-mix-paint-tertiary-color": Kind(36, 41, 30),
    "lifespan-longest-lived": Kind(125, 8, 10),
    "lifespan-shortest-lived": Kind(125, 8, 10),
    "lifespan-longest-lived-then-shortest-lived": Kind(125, 9, 12),
    "identify-life-stages-1": Kind(14, 42, 30),
    "identify-life-stages-2": Kind(10, 17, 30),
    "inclined-plane-determine-angle": Kind(168, 168, None),
    "inclined-plane-friction-named-surfaces": Kind(1386, 747, None),
    "inclined-plane-friction-unnamed-surfaces": Kind(162, 204, None),
    "mendelian-genetics-known-plant": Kind(120, 146, None),
    "mendelian-genetics-unknown-plant": Kind(480, 142, None),
}
UNSOLVED = {
    "freeze": (11, 19),
    "measure-melting-point-known-substance": (211, 226),
    "measure-melting-point-unknown-substance": (10, 60),
    "test-conductivity": (603, 606, 607, 611, 615, 616, 619, 622, 624),
}
"""Variations that the jar's own solution does not solve: no task is made of them."""
ELECTRICAL = ("power-component", "conductivity")
"""What stands in the names of tasks that cannot do without electrical actions."""
EASY = "easy"
"""All simplifications that suit a task, but openContainers."""
SIMPLIFICATIONS = (
    "noElectricalAction",
    "openContainers",
    "openDoors",
    "selfWateringFlowerPots",
    "teleportAction",
)
"""What can be made easier."""


def part(name: str, which: Part) -> range:
    """The variations of a task that the jar's own lists have: one half, a quarter, the rest.

    >>> part("boil", "train"), part("boil", "dev"), part("boil", "test")
    (range(0, 14), range(14, 21), range(21, 30))
    """
    whole = KINDS[name].variations
    first, second = whole // 4 * 2, whole // 4 * 3
    ends = {"train": (0, first), "dev": (first, second), "test": (second, whole)}
    return range(*ends[which])


def draw(names: Sequence[str], which: Part, seed: int) -> Iterator[tuple[str, int]]:
    """(task, variation): one of each task in turn, while it has any; in an order by the seed."""
    rows = ([(name, v) for v in _shuffled(name, which, seed)] for name in names)
    return (pair for pair in chain.from_iterable(zip_longest(*rows)) if pair is not None)


def _shuffled(name: str, which: Part, seed: int) -> list[int]:
    numbers = [v for v in part(name, which) if v not in UNSOLVED.get(name, ())]
    return random.Random(seed_from("scienceworld", seed, name)).sample(numbers, len(numbers))


def most_steps(name: str, steps: Literal["gold", "eto"]) -> int:
    """Actions that an episode may take: a quarter more than the longest solution that was found.

    Not every variation was tried, and the quarter allows for the rest. At least ETO's. With `eto`
    it is ETO's alone, where it has one.

    >>> most_steps("find-animal", "gold"), most_steps("find-animal", "eto")
    (20, 15)
    """
    kind = KINDS[name]
    if steps == "eto" and kind.eto is not None:
        return kind.eto
    return max(10 * ceil(1.25 * kind.gold / 10), kind.eto or 0)


def check(names: Sequence[str], simplifications: str) -> None:
    """BadInput where a task or a simplification is none, or the two do not go together."""
    for name in names:
        if name not in KINDS:
            said = did_you_mean(name, KINDS)
            raise BadInput(f"{PARAMS_FILE}: env.tasks has {show_value(name)}; {said}")
    wanted = simplifications.split(",") if simplifications else []
    key = f"{PARAMS_FILE}: env.simplifications is {show_value(simplifications)}"
    if wanted != [EASY] and not set(wanted) <= set(SIMPLIFICATIONS):
        names_of_all = ",".join(SIMPLIFICATIONS)
        raise BadInput(f"{key}; allowed: {EASY}, nothing, or some of {names_of_all}")
    electrical = [name for name in names if any(part in name for part in ELECTRICAL)]
    if "noElectricalAction" in wanted and electrical:
        raise BadInput(f"{key}, but env.tasks has {electrical[0]}, which needs electrical actions")
