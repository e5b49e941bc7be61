"""How one plays Sokoban who sees the next move more often than not: warm-start lessons.

The levels are drawn apart from those that the pupil will be put before. The planner knows the
right moves; a share of the moves is any move at all, and from what that leads to the pupil
learns to look back.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from leafe.env import Lesson
from leafe.envs.sokoban.generator import Band, canonical, draw_levels
from leafe.envs.sokoban.level import MOVES, Level
from leafe.envs.sokoban.planner import solve
from leafe.envs.sokoban.wording import read_board
from leafe.envs.teaching import lessons_on
from leafe.seeds import seed_from
from leafe.task import make_task

if TYPE_CHECKING:
    from leafe.envs.sokoban import Sokoban

RIGHT = 0.3
"""Share of moves that the planner makes; the others are any move: most attempts are to fail."""
NOTES_FOLLOWED = 0.97
EPISODES_PER_LEVEL = 4


def first_detour(observations: Sequence[str], max_steps: int) -> int | None:
    """The first move that led no nearer to the solution; None where it can still be reached."""
    levels = [read_board(said) for said in observations]
    steps = len(levels) - 1
    if solve(levels[-1], max_steps - steps) is not None:
        return None
    left = [_moves_left(level, max_steps) for level in levels]
    return next(t for t in range(steps) if left[t + 1] >= left[t])


def right_moves(level: Level, most: int) -> list[str]:
    """The moves that lead nearer to a solution of at most `most` moves."""
    now = _moves_left(level, most)
    return [m for m in MOVES if (to := level.move(m)) and _moves_left(to, most) < now]


def _moves_left(level: Level, most: int) -> float:
    solution = solve(level, most)
    return float("inf") if solution is None else len(solution)


def lessons(count: int, seed: int, avoid: set[str], sokoban: Sokoban) -> Iterator[Lesson]:
    """At least `count` lessons; levels that are to be avoided are passed over."""
    rng = random.Random(seed_from("lessons", seed))
    options = sokoban.settings
    band = Band(options.least_moves, options.most_moves)
    made = 0
    while made < count:
        levels = draw_levels(options.size, options.boxes, band, f"lesson {seed} {made}")
        for level in levels:
            if canonical(level) in avoid:
                continue
            task = make_task(sokoban.name, "train", {"level": level.rows()})
            for _ in range(EPISODES_PER_LEVEL):
                for lesson in lessons_on(task, sokoban, Mover(sokoban.max_steps, rng), rng):
                    made += 1
                    yield lesson


class Mover:
    """Plays one level."""

    def __init__(self, max_steps: int, rng: random.Random) -> None:
        self._max_steps, self._rng = max_steps, rng

    def fault(self, observations: Sequence[str], actions: Sequence[str]) -> int | None:
        """The first detour of an episode that can no longer be won."""
        return first_detour(observations, self._max_steps)

    def write_note(self, observations: Sequence[str], actions: Sequence[str], step: int) -> str:
        """Not that way, but the planner's."""
        right = right_moves(read_board(observations[step]), self._max_steps)
        return f"not {actions[step]}, go {right[0]}."

    def move(
        self, observations: Sequence[str], actions: Sequence[str], notes: Mapping[int, str]
    ) -> str:
        """A note's move, the planner's, or any."""
        noted = re.search(r"go (\w+)\.", notes.get(len(actions), ""))
        if noted and self._rng.random() < NOTES_FOLLOWED:
            return noted.group(1)
        right = right_moves(read_board(observations[-1]), self._max_steps)
        if right and self._rng.random() < RIGHT:
            return self._rng.choice(right)
        return self._rng.choice(list(MOVES))
