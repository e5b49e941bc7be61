"""Shortest solutions by A*: the proof that a level can be solved, and the one who plays lessons.

Exact: the estimate never exceeds the moves that are left, so the first solution found is a
shortest one. Boxes on dead floor are given up at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from heapq import heappop, heappush
from itertools import count

from leafe.envs.sokoban.level import MOVES, Level, Place, Room, shift


@lru_cache(maxsize=65536)
def solve(level: Level, most: int) -> tuple[str, ...] | None:
    """A shortest solution, each move by its name; None where none of at most `most` moves is.

    >>> from leafe.envs.sokoban.level import parse_level
    >>> solve(parse_level(["#####", "#@$.#", "#####"]), most=9)
    ('right',)
    >>> solve(parse_level(["######", "#@-.-#", "#-$--#", "######"]), most=9) is None
    True
    """
    pushes = pushes_home(level.room)
    if not level.boxes <= pushes.keys():
        return None
    order = count()  # levels have no order of their own
    waiting = [(_estimate(level, pushes), next(order), 0, level)]
    best = {level: 0}
    came: dict[Level, tuple[Level, str]] = {}
    while waiting:
        _, _, made, here = heappop(waiting)
        if here.solved:
            return _moves(came, here)
        if made > best[here]:
            continue
        for name, there in _onward(here, pushes):
            least = made + 1 + _estimate(there, pushes)
            if least <= most and made + 1 < best.get(there, most + 1):
                best[there], came[there] = made + 1, (here, name)
                heappush(waiting, (least, next(order), made + 1, there))
    return None


@lru_cache(maxsize=4096)
def pushes_home(room: Room) -> dict[Place, int]:
    """Place -> the fewest pushes from there to a target, were the box alone; dead floor has none.

    Found from the targets by pulling.
    """
    found = dict.fromkeys(room.targets, 0)
    queue = deque(found)
    while queue:
        box = queue.popleft()
        for way in MOVES.values():
            pulled = shift(box, way)
            if {pulled, shift(pulled, way)} <= room.floor and pulled not in found:
                found[pulled] = found[box] + 1
                queue.append(pulled)
    return found


def _onward(level: Level, pushes: dict[Place, int]) -> Iterator[tuple[str, Level]]:
    """The moves that are possible and leave every box where it can still be of use."""
    for name in MOVES:
        there = level.move(name)
        if there is not None and there.boxes <= pushes.keys():
            yield name, there


def _estimate(level: Level, pushes: dict[Place, int]) -> int:
    """Moves that are left at least: the pushes, and the walk to the nearest box to be pushed."""
    away = [box for box in level.boxes if box not in level.room.targets]
    walks = (abs(box[0] - level.player[0]) + abs(box[1] - level.player[1]) - 1 for box in away)
    return sum(pushes[box] for box in away) + min(walks, default=0)


def _moves(came: dict[Level, tuple[Level, str]], level: Level) -> tuple[str, ...]:
    names = []
    while level in came:
        level, name = came[level]
        names.append(name)
    return tuple(reversed(names))
