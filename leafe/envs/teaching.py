"""How any teacher plays a task and goes back after failures, as the method will: its lessons.

What differs between environments is a `Coach`: how it moves, and what it notes down.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from leafe.env import Env, Lesson
from leafe.task import Task

UNSEEN = 1_000_000_007
"""Seed of the world on which a base model is measured."""
BRANCHES = 3
"""How often a lesson goes back: later reflections are over histories that hold a note."""
LOOKS_BACK_EARLY = 0.25
"""Share of lessons that end in a reflection before the episode does."""


class World(Protocol):
    """What is played in."""

    @property
    def max_steps(self) -> int:
        """Actions that one episode may take."""
        ...

    def make(self) -> Env:
        """A fresh single-use world."""
        ...


class Coach(Protocol):
    """Knows one environment, and plays it no better than a pupil should at first."""

    def move(
        self, observations: Sequence[str], actions: Sequence[str], notes: Mapping[int, str]
    ) -> str:
        """The next action; `notes` are those in view."""
        ...

    def fault(self, observations: Sequence[str], actions: Sequence[str]) -> int | None:
        """The step to go back to; None where nothing went wrong."""
        ...

    def write_note(self, observations: Sequence[str], actions: Sequence[str], step: int) -> str:
        """What a good reader notes down of the action of that step."""
        ...


def lessons_on(task: Task, world: World, coach: Coach, rng: random.Random) -> Iterator[Lesson]:
    """A first attempt at a task, then branches from where each attempt went wrong."""
    actions: list[str] = []
    notes: dict[int, str] = {}
    for _ in range(1 + BRANCHES):
        start = len(actions)
        observations, actions, solved = _play(task, world, coach, actions, notes)
        if solved or rng.random() < LOOKS_BACK_EARLY:
            seen = rng.randint(start + 1, len(actions))
            observations, actions = observations[: seen + 1], actions[:seen]
        step = coach.fault(observations, actions)
        verdict = None if step is None else (step, coach.write_note(observations, actions, step))
        yield Lesson(tuple(observations), tuple(actions), dict(notes), start, verdict)
        if solved or verdict is None:
            return
        step, note = verdict
        actions = actions[:step]
        notes = {t: said for t, said in notes.items() if t < step} | {step: note}


def _play(
    task: Task,
    world: World,
    coach: Coach,
    replayed: Sequence[str],
    notes: Mapping[int, str],
) -> tuple[list[str], list[str], bool]:
    """(observations, actions, solved) of an episode that begins with the replayed actions."""
    env = world.make()
    observations, actions = [env.start(task)], list[str]()
    while True:
        t = len(actions)
        action = replayed[t] if t < len(replayed) else coach.move(observations, actions, notes)
        result = env.step(action)
        actions.append(action)
        observations.append(result.observation)
        if result.terminated or len(actions) >= world.max_steps:
            env.close()
            return observations, actions, result.reward >= 1
