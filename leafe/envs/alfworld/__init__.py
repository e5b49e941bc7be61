"""ALFWorld: household tasks in words, such as putting a hot potato in the sink.

Upstream: ALFWorld (arXiv 2010.03768, github.com/alfworld/alfworld, MIT) on TextWorld (MIT), in the
rooms of ALFRED. The PDDL domain, the grammar, the goals and the rooms are those of the package
`alfworld`; scenes are generated, or the official games are read. Both are played word for word as
TextWorld plays them. The bundled planner, Fast Downward (GPL-3.0), runs as a program of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from leafe.env import Env, StepResult
from leafe.envs.alfworld import packaged, planner
from leafe.envs.alfworld.game import NOTHING, Game
from leafe.envs.alfworld.generator import KINDS, Kind, Size, draw_scenes
from leafe.envs.alfworld.official import Part, check_folder, find_games, read_game
from leafe.envs.alfworld.pddl import Problem
from leafe.envs.alfworld.refusal import VERBS, say_why
from leafe.envs.alfworld.scene import Scene
from leafe.errors import BadInput
from leafe.params import PARAMS_FILE
from leafe.task import Split, Task, make_task

DATA = "ALFWORLD_DATA"
"""The variable that names the folder of ALFWorld's data."""
LONGEST = 200
"""Characters of an action that is still read."""


class AlfworldOptions(BaseModel):
    """The `env` section of `params.yaml` for `env.name: alfworld`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    scenes: Literal["generated", "official"] = "generated"
    """Scenes of our own in ALFRED's rooms, or ALFWorld's games."""
    data: str | None = None
    """Folder of the official games; null takes $ALFWORLD_DATA."""
    kinds: list[Kind] = Field([*KINDS], min_length=1)
    """The kinds of tasks."""
    held_out: Literal["seen", "unseen"] = "seen"
    """Whether test tasks are in the rooms of the training tasks, or in others."""
    receptacles: int = Field(12, ge=4, le=60)
    """Of a generated scene, at most: a room may have fewer."""
    objects: int = Field(20, ge=4, le=100)
    """Of a generated scene, at most."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the generated scenes, or of the order of the official games."""
    feedback: Literal["reasons", "official"] = "reasons"
    """Whether "Nothing happens." is followed by the reason."""
    show_admissible: bool = False
    """Whether each observation lists the actions that are possible."""
    train_tasks: int = Field(200, ge=1)
    """Tasks to learn from."""
    test_tasks: int = Field(128, ge=1)
    """Held-out tasks."""
    max_steps: int = Field(50, ge=20, le=999)
    """Actions that one episode may take; no generated scene needs 20."""


class Alfworld:
    """The family of household tasks."""

    name = "alfworld"
    options = AlfworldOptions
    step_timeout = None
    actions = (
        "look",
        "inventory",
        "go to countertop 1",
        "go to cabinet 1",
        "go to drawer 1",
        "open fridge 1",
        "close cabinet 1",
        "take apple 1 from countertop 1",
        "move apple 1 to sinkbasin 1",
        "examine sidetable 1",
        "use desklamp 1",
        "heat mug 1 with microwave 1",
        "cool tomato 1 with fridge 1",
        "clean plate 1 with sinkbasin 1",
        "slice bread 1 with knife 1",
    )
    instructions = (
        "You are in a household and have a task. Find what it is about, and bring it where it "
        "belongs. Go to a receptacle before you use it; open it if it is closed. You can carry one "
        "object. What you carry you can heat with a microwave, cool with a fridge and clean with a "
        "sinkbasin. To look at an object under a lamp, carry it and use the lamp. "
        f"Write one action a turn: {VERBS}."
    )

    def __init__(self, options: AlfworldOptions) -> None:
        self.settings = options
        self.max_steps = options.max_steps
        self._tasks: dict[Split, list[Task]] = {}
        self._solutions: dict[str, list[str]] = {}
        if options.scenes == "official":
            check_folder(self._folder, ("train", self._held_out))

    def tasks(self, split: Split) -> list[Task]:
        """The first tasks of the split that no held-out task is equal to, each solvable."""
        if split not in self._tasks:
            self._tasks[split] = self._choose(split)
        return [*self._tasks[split]]

    def _choose(self, split: Split) -> list[Task]:
        wanted = self.settings.test_tasks if split == "test" else self.settings.train_tasks
        found = [*islice(self._different(split), wanted)]
        if len(found) < wanted:
            raise BadInput(
                f"{PARAMS_FILE}: env.{split}_tasks is {wanted}, but {self._folder} gives only"
                f" {len(found)} solvable games"
            )
        return found

    def _different(self, split: Split) -> Iterator[Task]:
        seen = {_content(task) for task in self.tasks("test")} if split == "train" else set()
        official = self.settings.scenes == "official"
        for task in self._official(split) if official else self._generated(split):
            if _content(task) not in seen:
                seen.add(_content(task))
                yield task

    def _generated(self, split: Split) -> Iterator[Task]:
        """Scenes that the planner has solved."""
        chosen = self.settings
        rooms = packaged.floor_plans(held_out=(split, chosen.held_out) == ("test", "unseen"))
        size = Size(chosen.receptacles, chosen.objects)
        for scene in draw_scenes(split, chosen.seed, chosen.kinds, rooms, size):
            solution = planner.solve(scene.problem)
            if solution is not None and len(solution) <= self.max_steps:
                task = make_task(self.name, split, asdict(scene))
                self._solutions[task.id] = solution
                yield task

    def _official(self, split: Split) -> Iterator[Task]:
        part: Part = "train" if split == "train" else self._held_out
        for payload in find_games(self._folder, part, self.settings.kinds, self.settings.seed):
            yield make_task(self.name, split, payload)

    @property
    def _held_out(self) -> Part:
        return "valid_seen" if self.settings.held_out == "seen" else "valid_unseen"

    @property
    def _folder(self) -> Path:
        """Where the official games are; BadInput where that is not said."""
        folder = self.settings.data or os.environ.get(DATA)
        if not folder:
            raise BadInput(
                f"{PARAMS_FILE}: env.scenes is official, but env.data is null and ${DATA} is not"
                " set; one of them must name the folder of the games"
            )
        return Path(folder).absolute()

    def solution(self, task: Task) -> list[str]:
        """What the planner found; BadInput where it finds nothing of at most `max_steps`."""
        if task.id not in self._solutions:
            solution = planner.solve(self._read(task)[0])
            if solution is None or len(solution) > self.max_steps:
                raise BadInput(
                    f"the planner finds no solution of at most {self.max_steps} steps for task"
                    f" {task.id} ({PARAMS_FILE}: env.max_steps)"
                )
            self._solutions[task.id] = solution
        return self._solutions[task.id]

    def make(self) -> Env:
        """A fresh household."""
        return AlfworldEnv(self._read, self.settings)

    def _read(self, task: Task) -> tuple[Problem, str]:
        """The problem of a task, and the task in words."""
        payload: dict[str, Any] = dict(task.payload)
        if "game" in payload:
            return read_game(self._folder, **payload)
        scene = Scene(**payload)
        return scene.problem, scene.wish


class AlfworldEnv:
    """One scene. It ends when the task is done; nothing is ever lost for good."""

    def __init__(
        self, read: Callable[[Task], tuple[Problem, str]], settings: AlfworldOptions
    ) -> None:
        self._read, self._settings = read, settings

    def start(self, task: Task) -> str:
        """Say what there is in the room, and what is to be done."""
        self._game = Game(*self._read(task))
        return self._show(self._game.begin())

    def step(self, action: str) -> StepResult:
        """Do one action."""
        command = " ".join(action.casefold().split()).rstrip(".") if len(action) <= LONGEST else ""
        said = self._game.act(command)
        if said == NOTHING and self._settings.feedback == "reasons":
            said = f"{NOTHING} {say_why(self._game, command)}"
        won = self._game.won
        return StepResult(self._show(said), float(won), terminated=won, truncated=False)

    def _show(self, said: str) -> str:
        if not self._settings.show_admissible:
            return said
        possible = (command for command in self._game.admissible() if command != "help")
        return f"{said}\nAdmissible actions: {'; '.join(possible)}."

    def close(self) -> None:
        """Nothing is held."""


def _content(task: Task) -> str:
    """What tells a task from others, wherever its file lies."""
    content: str = task.payload.get("sha256", task.id)
    return content
