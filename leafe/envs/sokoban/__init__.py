"""Sokoban: push every box onto a target; a box pushed into a corner is lost for good.

Boards are 6x6 with one box, as in verl-agent (arXiv 2505.10978), up to 12x12 with four; every
generated level is proved solvable. Upstream: none, the engine, the planner and the generator are
ours; the puzzle is by H. Imabayashi (Thinking Rabbit, 1982), the files are the usual XSB text.
Licence: this project's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from leafe.env import Env, Lesson, StepResult
from leafe.envs.sokoban import teacher, wording
from leafe.envs.sokoban.generator import Band, canonical, draw_levels
from leafe.envs.sokoban.level import MOVES, Level, parse_level, read_xsb
from leafe.envs.sokoban.planner import solve
from leafe.envs.splits import enough, part
from leafe.envs.teaching import UNSEEN
from leafe.errors import BadInput
from leafe.params import PARAMS_FILE
from leafe.task import Split, Task, make_task


class SokobanOptions(BaseModel):
    """The `env` section of `params.yaml` for `env.name: sokoban`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    size: int = Field(6, ge=5, le=12)
    """Rows and columns of a generated board, its walls included."""
    boxes: int = Field(1, ge=1, le=4)
    """Boxes, and targets."""
    least_moves: int = Field(3, ge=1)
    """Moves of the shortest solution of a generated level, at least."""
    most_moves: int = Field(12, ge=1)
    """The same, at most; proved by the planner."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the generated levels."""
    levels: str | None = None
    """Path of an XSB file to take the levels from instead; null generates them."""
    train_tasks: int = Field(200, ge=1)
    """Levels to learn from."""
    test_tasks: int = Field(128, ge=1)
    """Held-out levels: none is a training level, turned or mirrored."""
    max_steps: int = Field(15, ge=1, le=999)
    """Moves that one episode may make, refused ones included."""


class Sokoban:
    """The family of levels of one size."""

    name = "sokoban"
    options = SokobanOptions
    step_timeout = None
    actions = tuple(MOVES)
    instructions = (
        "You play Sokoban. # is a wall, - the floor, . a target, $ a box, * a box on a target, "
        "@ you, + you on a target. Push every box onto a target: you push a box by going where it "
        "is, if the place behind it is free. You cannot pull, and a box in a corner is lost. "
        "Write one move a turn: up, down, left or right."
    )

    def __init__(self, options: SokobanOptions) -> None:
        if not options.least_moves <= options.most_moves <= options.max_steps:
            raise BadInput(
                f"{PARAMS_FILE}: env.most_moves is {options.most_moves}; it must be at least"
                f" env.least_moves, {options.least_moves}, and at most env.max_steps,"
                f" {options.max_steps}"
            )
        self.settings = options
        self.max_steps = options.max_steps

    def tasks(self, split: Split) -> list[Task]:
        """The held-out levels come first from the seed or the file, then those to learn from."""
        chosen = part(_levels(self.settings), split, self.settings)
        return [make_task(self.name, split, {"level": level.rows()}) for level in chosen]

    def solution(self, task: Task) -> list[str]:
        """A shortest solution; BadInput where no solution has at most `max_steps` moves."""
        moves = solve(parse_level(task.payload["level"]), self.max_steps)
        if moves is None:
            raise BadInput(
                f"the level of task {task.id} has no solution of at most {self.max_steps} moves"
                f" ({PARAMS_FILE}: env.max_steps)"
            )
        return list(moves)

    def make(self) -> Env:
        """A fresh board."""
        return SokobanEnv()

    def lessons(self, count: int, seed: int) -> Iterator[Lesson]:
        """Lessons on other levels; see `leafe.envs.sokoban.teacher`."""
        known = (*_levels(self.settings), *_levels(self.unseen().settings))
        return teacher.lessons(count, seed, {canonical(level) for level in known}, self)

    def unseen(self) -> Sokoban:
        """Levels of another seed, generated."""
        return Sokoban(self.settings.model_copy(update={"seed": UNSEEN, "levels": None}))

    def fault(self, observations: Sequence[str], actions: Sequence[str]) -> int | None:
        """The first move that led no nearer to the solution, where none is in reach any more."""
        return teacher.first_detour(observations, self.max_steps)


class SokobanEnv:
    """One level. A push that shows that it can never be solved ends it."""

    def start(self, task: Task) -> str:
        """Show the board."""
        self._level = parse_level(task.payload["level"])
        return wording.show_board(self._level)

    def step(self, action: str) -> StepResult:
        """Make one move."""
        move = wording.read_move(action)
        if move is None:
            return self._say(wording.say_unknown())
        after = self._level.move(move)
        if after is None:
            return self._say(wording.say_blocked(self._level, move))
        said = wording.say_moved(self._level, move, after)
        self._level = after
        return self._say(said)

    def _say(self, said: str) -> StepResult:
        won = said.endswith(wording.SOLVED)
        ended = won or said.endswith(wording.LOST)
        board = wording.show_board(self._level)
        return StepResult(f"{said}\n{board}", float(won), terminated=ended, truncated=False)

    def close(self) -> None:
        """Nothing is held."""


@lru_cache(maxsize=8)
def _levels(settings: SokobanOptions) -> list[Level]:
    """The levels of both splits, each once in whatever position; BadInput where they are few."""
    if settings.levels is None:
        band = Band(settings.least_moves, settings.most_moves)
        drawn = draw_levels(settings.size, settings.boxes, band, settings.seed)
        whose = f"env.size {settings.size} and env.boxes {settings.boxes} give"
        return enough(drawn, settings, whose, "different levels")
    once = {canonical(level): level for level in read_xsb(Path(settings.levels))}
    return enough(once.values(), settings, f"{settings.levels} has", "different levels")
