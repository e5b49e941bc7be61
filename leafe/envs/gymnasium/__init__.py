"""Text environments of the Gymnasium API: any whose observations and actions are texts.

Upstream: Gymnasium (github.com/Farama-Foundation/Gymnasium, MIT); each environment has its own
licence. A task is a seed, named by its first observation: seeds that begin alike are one task.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import count
from typing import Annotated, Any

import gymnasium
from pydantic import BaseModel, ConfigDict, Field

from leafe.env import Env, StepResult
from leafe.envs.splits import enough, part
from leafe.errors import BadInput, show_value
from leafe.params import PARAMS_FILE
from leafe.task import Split, Task, make_task

TAXI = "leafe.envs.gymnasium.taxi:leafe/Taxi-v0"
PATIENCE = 1000
"""Seeds without a new first observation after which there is none left."""


class GymnasiumOptions(BaseModel):
    """The `env` section of `params.yaml` for `env.name: gymnasium`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str = TAXI
    """What `gymnasium.make` takes, `module:Name-v0` where a module registers it."""
    kwargs: dict[str, Any] = {}
    """What else `gymnasium.make` is given."""
    success: float = 1.0
    """Reward of the last step from which on an episode counts as solved."""
    instructions: str | None = None
    """What an agent is told first; null takes the environment's own attribute `instructions`."""
    actions: list[str] | None = None
    """Some well-formed actions; null takes the environment's own attribute `actions`."""
    first_seed: Annotated[int, Field(ge=0)] = 0
    """Where the seeds of the tasks begin."""
    train_tasks: int = Field(150, ge=1)
    test_tasks: int = Field(100, ge=1)
    max_steps: int = Field(30, ge=1)
    """Actions that one episode may take; the environment's own limit holds, too."""
    step_timeout: float | None = Field(None, gt=0)
    """Seconds that one call may take; null where a call cannot hang."""


class Gymnasium:
    """The tasks of one environment of that API."""

    name = "gymnasium"
    options = GymnasiumOptions

    def __init__(self, options: GymnasiumOptions) -> None:
        self.settings = options
        self.max_steps, self.step_timeout = options.max_steps, options.step_timeout
        env = self._open()
        self.instructions: str = options.instructions or _own(env, "instructions", "")
        self.actions: tuple[str, ...] = tuple(options.actions or _own(env, "actions", ()))
        if env.has_wrapper_attr("solve"):
            self.solution = self._solution  # only then is it a `leafe.env.Solver`
        env.close()
        if not self.actions:
            raise BadInput(
                f"{PARAMS_FILE}: env.actions is null, and {options.id} has no attribute of that"
                " name; list some well-formed actions"
            )

    def _open(self) -> gymnasium.Env[str, str]:
        """A new one of it; BadInput where it cannot be made or speaks no text."""
        key = f"{PARAMS_FILE}: env.id is {show_value(self.settings.id)}"
        try:
            env: gymnasium.Env[str, str] = gymnasium.make(self.settings.id, **self.settings.kwargs)
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            raise BadInput(f"{key}, but {error}") from error
        spaces = (env.observation_space, env.action_space)
        if not all(isinstance(space, gymnasium.spaces.Text) for space in spaces):
            env.close()
            raise BadInput(
                f"{key}, whose observations and actions are no texts; wrap it as"
                " leafe/envs/gymnasium/taxi.py does"
            )
        return env

    def tasks(self, split: Split) -> list[Task]:
        """The held-out seeds come first; then those to learn from."""
        return [
            make_task(self.name, split, {"id": self.settings.id, "seed": seed, "first": first})
            for seed, first in part(self._seeds, split, self.settings)
        ]

    @cached_property
    def _seeds(self) -> list[tuple[int, str]]:
        """(seed, first observation) of all tasks; BadInput where there are too few."""
        whose = f"the seeds of {self.settings.id} give"
        return enough(self._different_seeds(), self.settings, whose, "different first observations")

    def _different_seeds(self) -> Iterator[tuple[int, str]]:
        seen: set[str] = set()
        env = self._open()
        last = self.settings.first_seed
        for seed in count(last):
            first, _ = env.reset(seed=seed)
            if first not in seen:
                seen.add(first)
                last = seed
                yield seed, first
            if seed - last > PATIENCE:
                env.close()
                return

    def _solution(self, task: Task) -> list[str]:
        """What the environment's own `solve` says after a reset with the task's seed."""
        env = self._open()
        env.reset(seed=task.payload["seed"])
        actions = env.get_wrapper_attr("solve")()
        env.close()
        return list(actions)

    def make(self) -> Env:
        """A fresh one of it."""
        return GymnasiumEnv(self._open(), self.settings.success)


class GymnasiumEnv:
    """One episode."""

    def __init__(self, env: gymnasium.Env[str, str], success: float) -> None:
        self._env, self._success = env, success

    def start(self, task: Task) -> str:
        """Reset it with the task's seed."""
        said, _ = self._env.reset(seed=task.payload["seed"])
        return said

    def step(self, action: str) -> StepResult:
        """Do one action; a text that the action space does not hold is refused."""
        if not self._env.action_space.contains(action):
            return StepResult("Not an action: use plain words.", 0.0, False, truncated=False)
        said, reward, terminated, truncated, _ = self._env.step(action)
        solved = terminated and float(reward) >= self._success
        return StepResult(said, float(solved), terminated, truncated)

    def close(self) -> None:
        """Close it."""
        self._env.close()


def _own(env: gymnasium.Env[str, str], name: str, otherwise: Any) -> Any:
    return env.get_wrapper_attr(name) if env.has_wrapper_attr(name) else otherwise
