"""Levels from seeds: a random room, boxes pulled away from their targets, a proof by the planner.

A level's seed is all it hangs on, so that levels can be drawn anywhere, in any order. Two levels
that differ only by turning or mirroring count as one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from leafe.envs.sokoban.level import MOVES, Level, Place, Room, reach, shift, turned
from leafe.envs.sokoban.planner import pushes_home, solve
from leafe.seeds import seed_from

WALLS = 0.2
"""Share of the inner places that become walls."""
STEPS = 60
"""Steps backwards for each box, from the solved level."""
PULLED = 0.75
"""Share of steps away from a box that pull it along."""
STRAIGHT = 0.6
"""Share of steps that go on as the one before."""
WAYS = tuple(MOVES.values())


PATIENCE = 3000
"""Draws without a new level after which there is none left."""


class Band(NamedTuple):
    """How many moves the shortest solution takes."""

    least: int
    most: int


def draw_levels(size: int, boxes: int, band: Band, seed: int | str) -> Iterator[Level]:
    """Levels of a seed, each once, until many draws have given no new one."""
    seen: set[str] = set()
    number = last = 0
    while number - last < PATIENCE:
        number += 1
        level = draw_level(size, boxes, band, random.Random(seed_from("sokoban", seed, number)))
        if level is not None and (name := canonical(level)) not in seen:
            seen.add(name)
            last = number
            yield level


def draw_level(size: int, boxes: int, band: Band, rng: random.Random) -> Level | None:
    """A level of `size` x `size` places, walls included; None where this draw gave none in band."""
    floor = _draw_floor(size, rng)
    if len(floor) < 3 * boxes + 2:
        return None
    targets = frozenset(rng.sample(sorted(floor), boxes))
    everywhere = frozenset((r, c) for r in range(size) for c in range(size))
    room = Room(size, size, everywhere - floor, targets)
    player = rng.choice(sorted(floor - targets))
    away = _pull_away(Level(room, targets, player), STEPS * boxes, rng)
    reached = reach(away.player, floor - away.boxes)
    level = replace(away, player=rng.choice(sorted(reached)))
    solution = solve(level, band.most)
    return level if solution is not None and len(solution) >= band.least else None


def canonical(level: Level) -> str:
    """The same text for all eight positions of a level."""
    return min("\n".join(other.rows()) for other in turned(level))


def _draw_floor(size: int, rng: random.Random) -> frozenset[Place]:
    """The largest connected part of a room with random walls in it."""
    inner = range(1, size - 1)
    free = {(r, c) for r in inner for c in inner if rng.random() >= WALLS}
    parts: list[set[Place]] = []
    while free:
        part = reach(min(free), free)
        free -= part
        parts.append(part)
    largest = max(parts, key=len, default=set[Place]())
    return frozenset(largest)


def _pull_away(level: Level, steps: int, rng: random.Random) -> Level:
    """Walk backwards, pulling boxes along; the moment when they were the farthest from home."""
    pushes = pushes_home(level.room)
    boxes, player, farthest = level.boxes, level.player, level
    way, far = rng.choice(WAYS), 0
    for _ in range(steps):
        way = way if rng.random() < STRAIGHT else rng.choice(WAYS)
        back, ahead = (player[0] - way[0], player[1] - way[1]), shift(player, way)
        if back not in level.room.floor or back in boxes:
            way = rng.choice(WAYS)
            continue
        if ahead in boxes and rng.random() < PULLED:
            boxes = boxes - {ahead} | {player}
        player = back
        now = sum(pushes[box] for box in boxes)
        if now > far and not boxes & level.room.targets:
            far, farthest = now, Level(level.room, boxes, player)
    return farthest
