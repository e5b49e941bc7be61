"""TextWorld: text adventures, generated; cooking by a recipe, and games of one's own.

Upstream: Microsoft TextWorld 1.7 (arXiv 1806.11532; MIT), its challenges, Inform 7 compiler and
interpreter (jericho, GPL-2.0; both come with the extra `textworld`). A wrong cut or a wrong heat
loses a cooking game for good; the cookbook said how.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import textworld  # noqa: F401 - says at once where the extra is missing
from pydantic import BaseModel, ConfigDict, Field

from leafe.env import Env, Lesson, StepResult
from leafe.envs.splits import enough, part
from leafe.envs.teaching import UNSEEN
from leafe.envs.textworld import games, interpreter, teacher, wording
from leafe.errors import BadInput
from leafe.params import PARAMS_FILE
from leafe.seeds import seed_from
from leafe.task import Split, Task, make_task

LEVELS = {"coin_collector": 300, "treasure_hunter": 30}
"""Challenge -> its hardest level."""


class TextWorldOptions(BaseModel):
    """The `env` section of `params.yaml` for `env.name: textworld`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    challenge: Literal["cooking", "coin_collector", "treasure_hunter"] = "cooking"
    """What kind of game is generated."""
    recipe: int = Field(2, ge=1, le=5)
    """Cooking: ingredients."""
    rooms: Literal[1, 6, 9, 12] = 1
    """Cooking: rooms."""
    cook: bool = True
    """Cooking: ingredients want heat, each its own kind."""
    cut: bool = True
    """Cooking: ingredients want a knife, each its own kind of cut."""
    open: bool = False
    """Cooking: the fridge and the doors are closed."""
    drop: bool = False
    """Cooking: hands hold only so much."""
    level: int = Field(1, ge=1, le=300)
    """Coin collector (1 to 300) and treasure hunter (1 to 30): how hard."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the generated games."""
    games: str | None = None
    """Folder of compiled games (.z8 and other Z-machine files) to play instead."""
    train_tasks: int = Field(200, ge=1)
    """Games to learn from."""
    test_tasks: int = Field(100, ge=1)
    """Held-out games."""
    max_steps: int = Field(20, ge=1, le=999)
    """Commands that one episode may give, refused ones included."""


class TextWorld:
    """The family of games of one challenge."""

    name = "textworld"
    options = TextWorldOptions
    step_timeout = None
    worlds = 256
    actions = (
        "look",
        "inventory",
        "examine cookbook",
        "open fridge",
        "take knife from counter",
        "cook red potato with oven",
        "slice red potato with knife",
        "prepare meal",
        "eat meal",
        "go north",
    )
    instructions = (
        "You play a text adventure. Write one command a turn, in words such as: look, inventory, "
        "examine cookbook, take knife from counter, go north, open fridge. Where you are to cook, "
        "the cookbook tells the recipe: cook with oven roasts, with stove fries, with BBQ grills; "
        "slice, dice or chop with the knife. A wrong cut or heat loses the game. In the end "
        "prepare meal, and eat it."
    )

    def __init__(self, options: TextWorldOptions) -> None:
        hardest = LEVELS.get(options.challenge, options.level)
        if options.level > hardest:
            raise BadInput(
                f"{PARAMS_FILE}: env.level is {options.level}; for {options.challenge} it must be"
                f" at most {hardest}"
            )
        self.settings = options
        self.max_steps = options.max_steps

    def tasks(self, split: Split) -> list[Task]:
        """The held-out games come first, by seed or by content; then those to learn from."""
        options = self.settings
        chosen = self._drawn() if options.games is None else games.own_games(Path(options.games))
        found = enough(chosen, options, f"{options.games} has", "games")
        return [make_task(self.name, split, payload) for payload in part(found, split, options)]

    def _drawn(self) -> Iterator[dict[str, Any]]:
        options, n = self.settings, 0
        if options.challenge == "cooking":
            settings = {"recipe": options.recipe, "take": options.recipe, "go": options.rooms}
            settings |= {skill: getattr(options, skill) for skill in games.SKILLS}
        else:
            settings = {"level": options.level}
        while True:
            seed = seed_from("textworld", options.seed, n) % 2**31
            yield {"challenge": options.challenge, "settings": settings, "seed": seed}
            n += 1

    def build(self, tasks: Sequence[Task], folder: Path | None) -> None:
        """Generate and compile the games of tasks; BadInput where two are the same game."""
        if self.settings.games is not None:
            return
        games.compile_all(tasks, "games")
        seen: dict[str, Task] = {}
        for task in tasks:
            same = seen.setdefault(games.content(games.game_file(task)), task)
            if same is not task:
                raise BadInput(
                    f"{PARAMS_FILE}: env.seed {self.settings.seed} gives the same game twice (tasks"
                    f" {same.id} and {task.id}); take another, fewer tasks, or harder games"
                )
            self._check_solution(task)
        if folder is not None:
            games.keep(tasks, folder)

    def _check_solution(self, task: Task) -> None:
        needed = len(self.solution(task))
        if needed > self.max_steps:
            raise BadInput(
                f"{PARAMS_FILE}: env.max_steps is {self.max_steps}, but the known solution of task"
                f" {task.id} takes {needed}"
            )

    def solution(self, task: Task) -> list[str]:
        """The walkthrough that TextWorld made with the game; BadInput where there is none."""
        known = games.walkthrough(self.file(task))
        if not known:
            raise BadInput(f"the game of task {task.id} comes without a walkthrough")
        return known

    def make(self) -> Env:
        """A game, not begun."""
        return TextWorldEnv(self)

    def file(self, task: Task) -> Path:
        """The compiled game of a task."""
        if "file" not in task.payload:
            return games.game_file(task)
        return games.own_game(Path(self.settings.games or "."), **task.payload)

    def lessons(self, count: int, seed: int) -> Iterator[Lesson]:
        """Lessons on other games; see `leafe.envs.textworld.teacher`."""
        return teacher.lessons(count, seed, self)

    def unseen(self) -> TextWorld:
        """Games of another seed, generated."""
        return TextWorld(self.settings.model_copy(update={"seed": UNSEEN, "games": None}))

    def fault(self, observations: Sequence[str], actions: Sequence[str]) -> int | None:
        """The step that lost the game, or else the first that led nowhere."""
        return teacher.fault(observations, actions)


class TextWorldEnv:
    """One game. What speaks to the interpreter, not to the world, never reaches it."""

    def __init__(self, family: TextWorld) -> None:
        self._family = family

    def start(self, task: Task) -> str:
        """Begin the game."""
        self._path = self._family.file(task)
        self._game = interpreter.lend(self._path)
        return wording.clean(self._game.reset().feedback)

    def step(self, action: str) -> StepResult:
        """Give one command."""
        command = wording.read_command(action)
        if command is None:
            return StepResult(wording.say_refused(), 0.0, terminated=False, truncated=False)
        state, _, _ = self._game.step(command)
        over, won = interpreter.ended(state)
        said = wording.clean(state.feedback) or wording.NOTHING
        return StepResult(said, float(won), terminated=over, truncated=False)

    def close(self) -> None:
        """Give the interpreter back."""
        if hasattr(self, "_game"):
            interpreter.give_back(self._path, self._game)
            del self._game
