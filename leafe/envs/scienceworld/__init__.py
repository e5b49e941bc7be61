"""ScienceWorld: experiments of an elementary school's science lessons, in a simulated house.

Upstream: ScienceWorld 1.2 (arXiv 2203.07540, github.com/allenai/ScienceWorld). Its jar plays, in
Java, in a process of its own for each open world; train and test tasks are from its own lists.
Licence: Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from leafe.env import Env, StepResult
from leafe.envs.processes import Seat, Workers
from leafe.envs.scienceworld import kinds, wording
from leafe.envs.scienceworld.jvm import check_java
from leafe.envs.scienceworld.simulator import Begun, Said, Simulator
from leafe.errors import BadInput
from leafe.params import PARAMS_FILE
from leafe.task import Split, Task, make_task

FULL_SCORE = 100
GOLD_SECONDS = 300.0
"""For a known solution, which the simulator finds by playing."""
ENDING_SECONDS = 15.0
"""For ending a process that has missed its deadline."""


class ScienceWorldOptions(BaseModel):
    """The `env` section of `params.yaml` for `env.name: scienceworld`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    tasks: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of ScienceWorld's tasks; null takes all 30."""
    simplifications: str = "easy"
    """What is made easier, in ScienceWorld's words: easy; names with commas between; or none."""
    held_out: Literal["test", "dev"] = "test"
    """Whose variations are the test tasks: those of its test list or of its dev list."""
    train_tasks: int = Field(120, ge=1)
    """Variations to learn from, spread over the tasks."""
    test_tasks: int = Field(60, ge=1)
    """Held-out variations, spread over the tasks."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Which variations are taken first."""
    steps: Literal["gold", "eto"] = "gold"
    """Where the limits of steps are from: the longest known solutions, or ETO's table."""
    max_steps: int | None = Field(None, ge=1, le=999)
    """Actions that one episode may take; null has a limit for each task."""
    tell_score: bool = False
    """Whether an observation tells the score when it has changed."""
    worlds: int = Field(4, ge=1, le=64)
    """Episodes at a time, and so JVMs; each takes half a gigabyte."""
    heap_mb: int = Field(768, ge=128)
    """Megabytes that a JVM has for its objects."""
    step_timeout: float = Field(60.0, gt=0)
    """Seconds that a call of a world may take, the start of its JVM included."""


class ScienceWorld:
    """The family of variations of some tasks."""

    name = "scienceworld"
    options = ScienceWorldOptions
    actions = (
        "look around",
        "inventory",
        "task",
        "open door",
        "0",
        "go to kitchen",
        "teleport to greenhouse",
        "look at table",
        "open cupboard",
        "pick up thermometer",
        "use thermometer in inventory on orange",
        "move orange to blue box",
        "activate stove",
        "wait1",
    )
    instructions = (
        "You do science experiments in a house: kitchen, bathroom, living room, bedroom, workshop,"
        " art studio, greenhouse, hallway, foundry, outside. Write one action a turn, such as: look"
        " around, inventory, look at OBJ, look in OBJ, open OBJ, close OBJ, go to LOC, teleport to"
        " LOC, pick up OBJ, put down OBJ, move OBJ to OBJ, pour OBJ in OBJ, mix OBJ, dunk OBJ in"
        " OBJ, use OBJ on OBJ, read OBJ, eat OBJ, flush OBJ, activate OBJ, deactivate OBJ, connect"
        " OBJ to OBJ, disconnect OBJ, focus on OBJ, wait, wait1, task, help, objects. Where you"
        " are asked which of several you mean, write the number. Focus on what the task tells you"
        " to; to focus on anything else may lose the task."
    )

    def __init__(self, options: ScienceWorldOptions) -> None:
        self.settings = options
        self._names = list(dict.fromkeys(options.tasks or kinds.KINDS))
        kinds.check(self._names, options.simplifications)
        check_java(options.heap_mb)
        self.worlds = options.worlds
        self.step_timeout = options.step_timeout + ENDING_SECONDS
        self.max_steps = max(map(self._limit, self._names))
        self._workers = Workers(partial(Simulator, options.heap_mb))
        self._solutions: dict[str, list[str]] = {}

    def _limit(self, name: str) -> int:
        return self.settings.max_steps or kinds.most_steps(name, self.settings.steps)

    def tasks(self, split: Split) -> list[Task]:
        """Variations of one list of ScienceWorld's, one of each task in turn."""
        options = self.settings
        which: kinds.Part = "train" if split == "train" else options.held_out
        wanted = options.train_tasks if split == "train" else options.test_tasks
        found = list(islice(kinds.draw(self._names, which, options.seed), wanted))
        if len(found) < wanted:
            raise BadInput(
                f"{PARAMS_FILE}: env.{split}_tasks is {wanted}, but the {which} lists of these"
                f" tasks have only {len(found)} variations"
            )
        fixed = {"simplifications": options.simplifications}
        return [
            make_task(self.name, split, {"task": name, "variation": variation, **fixed})
            for name, variation in found
        ]

    def solution(self, task: Task) -> list[str]:
        """The jar's own, which it finds by playing: 0.1 to 12 s, once for a task."""
        if task.id not in self._solutions:
            seat = Seat(self._workers)
            try:
                self._solutions[task.id] = seat.call(GOLD_SECONDS, "gold", *_place(task))
            finally:
                seat.leave()
        return self._solutions[task.id]

    def make(self) -> Env:
        """A world that takes a process when it starts."""
        return ScienceWorldEnv(Seat(self._workers), self._limit, self.settings)


class ScienceWorldEnv:
    """One variation of one task."""

    def __init__(
        self, seat: Seat, limit: Callable[[str], int], options: ScienceWorldOptions
    ) -> None:
        self._seat, self._limit, self._options = seat, limit, options
        self._asked = False
        """Whether the simulator waits for the number of what was meant."""

    def start(self, task: Task) -> str:
        """Tell the task, and what is seen."""
        self._left = self._limit(task.payload["task"])
        begun: Begun = self._seat.call(self._options.step_timeout, "begin", *_place(task))
        self._forms, self._score = begun.forms, begun.score
        return f"{begun.description}\n\n{begun.look}"

    def step(self, action: str) -> StepResult:
        """Do one action; the end, a loss and the last step that may be taken are told."""
        said: Said = self._seat.call(self._options.step_timeout, "step", action)
        told = [wording.explain(said.text, action, self._forms, asked=self._asked)]
        self._asked = said.text.startswith(wording.MENU)
        if self._options.tell_score and said.score != self._score:
            told.append(wording.say_score(said.score))
        self._score = said.score
        solved = said.completed and said.score >= FULL_SCORE
        ended = said.completed or said.score < 0
        if ended:
            told.append(wording.SOLVED if solved else wording.LOST)
        self._left -= 1
        out_of_steps = self._left <= 0 and not ended
        return StepResult("\n".join(told), float(solved), ended, truncated=out_of_steps)

    def close(self) -> None:
        """Leave the process to another world."""
        self._seat.leave()


def _place(task: Task) -> tuple[str, int, str]:
    return task.payload["task"], task.payload["variation"], task.payload["simplifications"]
