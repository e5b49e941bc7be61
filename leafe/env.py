"""The environment port: what the method asks of a world, and nothing more.

An `Env` is single use: one task, one episode. Going back to step tau means a fresh `Env` that
replays the first tau actions (`leafe/rollout.py`). An `Environment` makes tasks and `Env`s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from leafe.task import Split, Task


@dataclass(frozen=True)
class StepResult:
    """What the world says to one action."""

    observation: str
    """Feedback in words: what happened, or why the action was refused."""
    reward: float
    """Reward of this step; 1.0 on the last step means that the task is solved."""
    terminated: bool
    """The world has ended: goal reached, or lost for good."""
    truncated: bool
    """The world's own step limit was hit."""


class Env(Protocol):
    """One episode of one task."""

    def start(self, task: Task) -> str:
        """Begin the task; returns the first observation. Called once."""
        ...

    def step(self, action: str) -> StepResult:
        """Do one action, given as text; never raises on any text."""
        ...

    def close(self) -> None:
        """Free what the episode holds."""
        ...


class Environment(Protocol):
    """A family of tasks and the worlds to play them in; built from the `env` section.

    Plain attributes will do for the properties.
    """

    @property
    def name(self) -> str:
        """Its name, in tasks and messages."""
        ...

    @property
    def instructions(self) -> str:
        """What an agent that does not know this environment is told before the first step."""
        ...

    @property
    def max_steps(self) -> int:
        """Actions that one episode may take."""
        ...

    @property
    def step_timeout(self) -> float | None:
        """Seconds that one call of a world may take; None where a call cannot hang."""
        ...

    @property
    def actions(self) -> Sequence[str]:
        """Examples of well-formed actions, for help texts and for teaching a tokenizer."""
        ...

    def tasks(self, split: Split) -> list[Task]:
        """The tasks of a split, in a fixed order; the splits are disjoint by content."""
        ...

    def make(self) -> Env:
        """A fresh single-use world."""
        ...


@runtime_checkable
class Limited(Protocol):
    """An environment of which only so many worlds may be open at a time (optional)."""

    @property
    def worlds(self) -> int:
        """How many."""
        ...


@runtime_checkable
class Builder(Protocol):
    """An environment whose tasks stand on files that take long to make (optional)."""

    def build(self, tasks: Sequence[Task], folder: Path | None) -> None:
        """Make them for these tasks, in a folder that is kept; None: in one that is not.

        What is missing when a world starts is made then. BadInput where it cannot be made.
        """
        ...


@runtime_checkable
class Solver(Protocol):
    """An environment that knows how its tasks are solved (optional): for `leafe env check`."""

    def solution(self, task: Task) -> Sequence[str]:
        """Actions that solve a task; BadInput where it has no solution."""
        ...


@dataclass(frozen=True)
class Lesson:
    """A played path with what a good reader of feedback would say of it: warm-start material."""

    observations: tuple[str, ...]
    """o_0 ... o_T: one more than there are actions."""
    actions: tuple[str, ...]
    """a_0 ... a_{T-1}."""
    notes: Mapping[int, str]
    """Step -> the experience that was in view there."""
    learn_from: int
    """Actions before this step were replayed, not chosen: they carry no loss."""
    verdict: tuple[int, str] | None
    """(rollback step, experience); None where nothing went wrong."""


@runtime_checkable
class Teacher(Protocol):
    """An environment that can also show how to read its feedback (optional).

    Needed only to train a small model from scratch; a pretrained model comes with this.
    """

    def lessons(self, count: int, seed: int) -> Iterator[Lesson]:
        """At least `count` lessons on worlds that share no content with this one's tasks."""
        ...

    def unseen(self) -> Environment:
        """Another world of this kind, never shown in a lesson: the base is measured there."""
        ...

    def fault(self, observations: Sequence[str], actions: Sequence[str]) -> int | None:
        """The step that a perfect reader would go back to; None where nothing went wrong."""
        ...
